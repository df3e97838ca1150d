"""Files and detectors in, evidence out: new where the change touches it, existing elsewhere. Runs in the worker process.

One rule's failure never stops a scan: it is caught (also a panic of the matcher, which is no `Exception`), noted, and the
other rules go on. A detector that has used up its time is left out of the remaining files.
"""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import cast

from ast_grep_py import Config, SgNode

from app.analysis import languages, parses
from app.analysis.context import (
    LONGEST_CAPTURE,
    Candidate,
    FileContext,
    Match,
    enclosing_function,
    exported_name,
    function_name,
)
from app.analysis.refine import refine, search
from app.core import evidence
from app.core.rule import Detector, Evidence, Rule
from app.core.source import ScanNote, ScanResult, SourceFile, Span, Verdict

LONGEST_FILE = 1_000_000
LONGEST_LINE = 50_000
MATCHES_PER_DETECTOR_AND_FILE = 50
MOST_CANDIDATES = 20_000
LONGEST_PATCH_LINES = 60
LONGEST_QUOTE_LINES = 12
SECONDS_PER_DETECTOR = 2.0
"""Of processor time and per request, so that a busy machine does not switch rules off."""
ANY = "any"
_VARIABLE = re.compile(r"(?<!\$)\$([A-Z_][A-Z0-9_]*)")


@dataclass(frozen=True, slots=True)
class Probe:
    """A detector and the id of its rule: what the scan needs of a rule, and nothing else."""

    rule: str
    detector: Detector


def probes(rules: Iterable[Rule]) -> tuple[Probe, ...]:
    """The detectors of the rules, one by one."""
    return tuple(Probe(rule.id, detector) for rule in rules for detector in rule.detectors)


def scan(files: Sequence[SourceFile], wanted: Sequence[Probe]) -> ScanResult:
    """What the detectors see in the files."""
    watch = _Watch()
    new: list[Evidence] = []
    existing: list[Evidence] = []
    for file in files:
        reason = _why_not(file)
        if reason:
            watch.notes.append(ScanNote(file.path, reason))
            continue
        context = FileContext(file.path, file.text)
        seen: set[tuple[str, int]] = set()
        for probe in wanted:
            for match in watch.run(probe, context):
                seen_there, touched = _evidence(probe, match, file, context)
                if (probe.rule, seen_there.start_line) not in seen:
                    seen.add((probe.rule, seen_there.start_line))
                    (new if touched else existing).append(seen_there)
    return ScanResult(_ordered(new), _ordered(existing), tuple(dict.fromkeys(watch.notes)))


class _Watch:
    """Runs one detector on one file, and keeps the time and the failures of each."""

    def __init__(self) -> None:
        self.notes: list[ScanNote] = []
        self._spent: defaultdict[tuple[str, str], float] = defaultdict(float)
        self._out: set[tuple[str, str]] = set()

    def run(self, probe: Probe, file: FileContext) -> list[Match]:
        key = (probe.rule, probe.detector.name)
        if key in self._out or not _applies(probe.detector, file):
            return []
        started = time.thread_time()
        try:
            found = _matches(probe.detector, file)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001 - the matcher's panics derive from BaseException
            self._note(probe, f"failed on {file.path}: {_brief(error)}")
            self._out.add(key)
            return []
        self._spent[key] += time.thread_time() - started
        if self._spent[key] > SECONDS_PER_DETECTOR:
            self._note(probe, f"used up its {SECONDS_PER_DETECTOR:g} seconds and was left out after {file.path}")
            self._out.add(key)
        if len(found) >= MATCHES_PER_DETECTOR_AND_FILE:
            self._note(
                probe, f"has more than {MATCHES_PER_DETECTOR_AND_FILE} matches in {file.path}; the rest is not shown"
            )
        return found

    def _note(self, probe: Probe, reason: str) -> None:
        self.notes.append(ScanNote(f"{probe.rule}/{probe.detector.name}", reason))


def _why_not(file: SourceFile) -> str:
    if len(file.text) > LONGEST_FILE:
        return f"not scanned: longer than {LONGEST_FILE:,} characters"
    if languages.of(file.path) and max(map(len, file.text.split("\n"))) > LONGEST_LINE:
        return f"not scanned: a line longer than {LONGEST_LINE:,} characters"
    return ""


def _applies(detector: Detector, file: FileContext) -> bool:
    if ANY not in detector.languages and file.language not in detector.languages:
        return False
    return not detector.prefilter or any(literal in file.text for literal in detector.prefilter)


def _matches(detector: Detector, file: FileContext) -> list[Match]:
    found: list[Match] = []
    if not detector.ast:
        for match in search(detector.refine)(file):
            found.append(match)
            if len(found) >= MATCHES_PER_DETECTOR_AND_FILE:
                break
        return found
    step = refine(detector.refine)
    if file.root is None:
        return found
    for node in file.root.find_all(as_config(detector.ast))[:MOST_CANDIDATES]:
        refined = step(Candidate(file, node))
        if refined is not None:
            found.append(_told(refined, detector, node))
        if len(found) >= MATCHES_PER_DETECTOR_AND_FILE:
            break
    return found


def as_config(ast: dict[str, object]) -> Config:
    """The matcher's configuration: a rule object stands for a configuration that has only a rule."""
    return cast("Config", ast if "rule" in ast else {"rule": ast})


def _told(match: Match, detector: Detector, node: SgNode) -> Match:
    """The match with what the templates may name, and with the template's replacement where refining gave none."""
    told = {"function": function_name(enclosing_function(node)), "exported": exported_name(node)}
    captures = {**told, **_variables(detector, node), **match.captures}
    replacement = match.replacement
    if replacement is None and detector.answer.replacement and not match.why_no_patch:
        replacement = evidence.fill(detector.answer.replacement, captures)
    return replace(match, captures=captures, replacement=replacement)


def _variables(detector: Detector, node: SgNode) -> dict[str, str]:
    """What the pattern's metavariables stand for: `$URL` is `{URL}` in a template."""
    found: dict[str, str] = {}
    for name in set(_VARIABLE.findall(str(detector.ast))):
        held = node.get_match(name)
        if held is not None:
            found[name] = held.text()
    return found


def _brief(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__


def _evidence(probe: Probe, match: Match, file: SourceFile, context: FileContext) -> tuple[Evidence, bool]:
    span = (context.line_of(match.start), context.line_of(max(match.start, match.end - 1)))
    start, end = match.focus or (match.start, match.end)
    focus = (context.line_of(start), context.line_of(max(start, end - 1)))
    touched = _touched(focus, file)
    patched = _patched(match, span, context)
    whole = patched is not None and _is_shown(span, file)
    first, last = span if whole else _clipped(focus, file)
    quote = match.quote if match.quote is not None else "\n".join(context.lines[first - 1 : last])
    captures = {name: text[:LONGEST_CAPTURE] for name, text in match.captures.items()}
    captures |= _place(file.path, first, context)
    if patched is None and match.why_no_patch:
        captures["why_no_patch"] = match.why_no_patch
    elif patched is not None and not whole:
        captures["why_no_patch"] = "it would reach beyond the lines this pull request shows"
    made = Evidence(
        rule=probe.rule,
        detector=probe.detector.name,
        strength=probe.detector.strength,
        path=file.path,
        start_line=first,
        end_line=last,
        quote=quote,
        note=match.note,
        replacement=patched or "" if whole else "",
        captures=tuple(sorted(captures.items())),
    )
    return made, touched


def _touched(focus: Span, file: SourceFile) -> bool:
    """Whether the change adds one of the lines, or removes something from between them."""
    first, last = focus
    if file.whole or any(line in file.changed for line in range(first, last + 1)):
        return True
    return any(first < line <= last for line in file.removed_before)


def _patched(match: Match, span: Span, context: FileContext) -> str | None:
    """The whole lines of the span with the replacement in place; None when there is none or it does not parse."""
    if match.replacement is None or span[1] - span[0] >= LONGEST_PATCH_LINES:
        return None
    start, last = context.start_of(span[0]), context.lines[span[1] - 1]
    stop = context.start_of(span[1]) + len(last)
    lines = context.text[start : match.start] + match.replacement + context.text[match.end : stop]
    if last.endswith("\r"):
        lines = "\r\n".join(line.removesuffix("\r") for line in lines.split("\n")) + "\r"
    after = context.text[:start] + lines + context.text[stop:]
    checked = parses.check(context.path, context.text, after)
    return lines if checked.verdict is not Verdict.WORSE and lines.strip() else None


def _is_shown(span: Span, file: SourceFile) -> bool:
    """Whether a suggestion may stand on all lines of the span: the diff shows them in one hunk."""
    if file.whole:
        return True
    if file.shown:
        return any(first <= span[0] and span[1] <= last for first, last in file.shown)
    return all(line in file.changed for line in range(span[0], span[1] + 1))


def _clipped(focus: Span, file: SourceFile) -> Span:
    """The part of the focus that one hunk shows, short enough to quote."""
    first, last = focus
    for start, end in file.shown:
        if (
            start <= last
            and first <= end
            and any(line in file.changed for line in range(max(first, start), min(last, end) + 1))
        ):
            first, last = max(first, start), min(last, end)
            break
    return first, min(last, first + LONGEST_QUOTE_LINES - 1)


def _place(path: str, line: int, context: FileContext) -> dict[str, str]:
    """What every template may name: file, folder, stem, extension, line."""
    pure = PurePosixPath(path)
    folder = str(pure.parent)
    extension = pure.suffix.lstrip(".") or "txt"
    return {
        "file": path,
        "folder": "" if folder == "." else f"{folder}/",
        "stem": pure.name.split(".")[0],
        "module": ".".join(pure.with_suffix("").parts) if context.language == languages.PYTHON else "",
        "extension": extension,
        "line": str(line),
        "language": "ts"
        if context.language in ("typescript", "tsx")
        else "js"
        if context.language == "javascript"
        else "py",
    }


def _ordered(found: list[Evidence]) -> tuple[Evidence, ...]:
    return tuple(sorted(found, key=lambda one: (one.path, one.start_line, one.rule, one.detector)))
