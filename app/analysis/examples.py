"""A rule in, what its own examples prove or fail to prove out. For `principal rules test` and the tests; no worker needed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from app.analysis import languages, refine
from app.analysis.scan import Probe, scan
from app.core.rule import Detector, Evidence, Example, Rule
from app.core.source import SourceFile

JOINT = "{+}"
"""Stands inside made-up secrets of examples and is taken out, so that no scanner of our own repository sees a token."""

_EXTENSIONS = {**languages.EXTENSIONS, "any": "env"}


@dataclass(frozen=True, slots=True)
class Shown:
    """One example of a detector under one language: what was seen in it, and whether that is what it should show."""

    detector: str
    example: Example
    evidence: tuple[Evidence, ...]
    problem: str = ""


def check(rule: Rule) -> tuple[Shown, ...]:
    """Every example of the rule's detectors, run. An example with a `problem` does not show what it says."""
    return tuple(shown for detector in rule.detectors for shown in _check(rule, detector))


def path_of(example: Example) -> str:
    """Where the example's code would stand: as its first line says (`file: src/a.ts`), else in a server's folder."""
    first = example.code.lstrip().split("\n", 1)[0]
    told = first.strip("/*#-<! >").strip()
    if told.startswith("file:"):
        return told.removeprefix("file:").strip()
    return f"src/server/example.{_EXTENSIONS.get(example.language, 'txt')}"


def _check(rule: Rule, detector: Detector) -> Iterator[Shown]:
    if detector.refine and detector.refine not in refine.names():
        yield Shown(detector.name, Example("", "", match=True), (), f"there is no refine step {detector.refine!r}")
        return
    for example in detector.examples:
        code = example.code.replace(JOINT, "")
        file = SourceFile(path_of(example), code, whole=True)
        result = scan([file], [Probe(rule.id, detector)])
        problem = "; ".join(f"{note.subject}: {note.reason}" for note in result.notes)
        if not problem and bool(result.new) != example.match:
            problem = "does not match" if example.match else "matches and should not"
        yield Shown(detector.name, example, result.new, problem)
