"""What passes between the service and its worker: one frame a message, four bytes of length, then JSON.

Plain JSON and plain constructors: the worker starts fast, and nothing that comes over the pipe can run.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from app.analysis.probe import Probe
from app.core.finding import Side
from app.core.rule import Answer, Compare, Comparison, Detector, Evidence, Strength
from app.core.source import ParseCheck, ScanNote, ScanResult, SourceFile, Surroundings, Symbol, Verdict

LENGTH = struct.Struct(">I")
LONGEST_FRAME = 256 * 1024 * 1024
RULE_SETS_KEPT = 8
"""How many sets of detectors a worker remembers, and the service knows it to."""

Message = dict[str, Any]


def encode(message: Mapping[str, Any]) -> bytes:
    """The frame of a message. Lone surrogates of odd paths survive as escapes."""
    body = json.dumps(message, separators=(",", ":")).encode("ascii")
    if len(body) > LONGEST_FRAME:
        raise ValueError(f"a message of {len(body):,} bytes is too long")
    return LENGTH.pack(len(body)) + body


def decode(body: bytes) -> Message:
    """The message of a frame's body."""
    message = json.loads(body)
    if not isinstance(message, dict):
        raise TypeError("a message is an object")
    return message


def probe_out(probe: Probe) -> Message:
    """A detector without its examples and words, which the worker does not need."""
    one = probe.detector
    return {
        "rule": probe.rule,
        "name": one.name,
        "languages": one.languages,
        "strength": one.strength.value,
        "ast": one.ast,
        "refine": one.refine,
        "compare": [one.compare.what.value, one.compare.by] if one.compare else None,
        "prefilter": one.prefilter,
        "replacement": one.answer.replacement,
    }


def probe_in(message: Message) -> Probe:
    """The detector that `probe_out` wrote."""
    return Probe(
        message["rule"],
        Detector(
            name=message["name"],
            languages=tuple(message["languages"]),
            strength=Strength(message["strength"]),
            ast=message["ast"],
            refine=message["refine"],
            compare=Compare(Comparison(message["compare"][0]), message["compare"][1]) if message["compare"] else None,
            prefilter=tuple(message["prefilter"]),
            answer=Answer(replacement=message["replacement"]),
        ),
    )


def file_out(file: SourceFile) -> Message:
    """A file as JSON holds it."""
    return {
        "path": file.path,
        "text": file.text,
        "changed": sorted(file.changed),
        "removed_before": sorted(file.removed_before),
        "shown": file.shown,
        "whole": file.whole,
        "before": file.before,
        "removed": sorted(file.removed),
    }


def file_in(message: Message) -> SourceFile:
    """The file that `file_out` wrote."""
    return SourceFile(
        message["path"],
        message["text"],
        frozenset(message["changed"]),
        frozenset(message["removed_before"]),
        tuple((first, last) for first, last in message["shown"]),
        message["whole"],
        message["before"],
        frozenset(message["removed"]),
    )


def around_out(around: Surroundings) -> Message:
    """The paths around a change as JSON holds them."""
    return {name: sorted(paths) for name, paths in asdict(around).items()}


def around_in(message: Message) -> Surroundings:
    """The paths that `around_out` wrote."""
    return Surroundings(**{name: frozenset(paths) for name, paths in message.items()})


def result_out(result: ScanResult) -> Message:
    """A scan's result as JSON holds it."""
    return {
        "new": [asdict(one) for one in result.new],
        "existing": [asdict(one) for one in result.existing],
        "notes": [asdict(one) for one in result.notes],
    }


def result_in(message: Message) -> ScanResult:
    """The result that `result_out` wrote."""
    return ScanResult(
        tuple(_evidence(one) for one in message["new"]),
        tuple(_evidence(one) for one in message["existing"]),
        tuple(ScanNote(**one) for one in message["notes"]),
    )


def symbols_out(symbols: Sequence[Symbol | None]) -> list[Message | None]:
    """Symbols as JSON holds them, places kept."""
    return [asdict(one) if one is not None else None for one in symbols]


def symbols_in(messages: Sequence[Message | None]) -> tuple[Symbol | None, ...]:
    """The symbols that `symbols_out` wrote."""
    return tuple(Symbol(**one) if one is not None else None for one in messages)


def check_in(message: Message) -> ParseCheck:
    """The check that the worker answered."""
    return ParseCheck(Verdict(message["verdict"]), message["reason"])


def _evidence(message: Message) -> Evidence:
    captures = tuple((name, text) for name, text in message["captures"])
    enums = {"strength": Strength(message["strength"]), "side": Side(message["side"])}
    return Evidence(**{**message, **enums, "captures": captures})
