"""A rule in, what its own examples prove or fail to prove out. For `principal rules test` and the tests; no worker needed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from app.analysis import compare, languages, refine
from app.analysis.finder import as_config
from app.analysis.prefilter import ANY
from app.analysis.probe import Probe
from app.analysis.scan import scan
from app.core.rule import Comparison, Detector, Evidence, Example, Rule
from app.core.source import ScanResult, SourceFile, Surroundings

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


def run(rule: Rule, detector: Detector, example: Example) -> ScanResult:
    """What the detector sees in its example."""
    file = file_of(detector, example)
    around = Surroundings(
        touched=frozenset((file.path, *example.also)), present=frozenset((*example.present, *example.also))
    )
    return scan([file], [Probe(rule.id, detector)], around=around)


def file_of(detector: Detector, example: Example) -> SourceFile:
    """The example's file: all of it in question, or, for a detector that compares, with what it was before."""
    path, code = path_of(example), example.code.replace(JOINT, "")
    if detector.compare is None:
        return SourceFile(path, code, whole=True)
    if example.before is None:
        lines = code.count("\n") + 1
        return SourceFile(path, code, frozenset(range(1, lines + 1)), shown=((1, lines),))
    return SourceFile.between(path, example.before.replace(JOINT, ""), code)


def path_of(example: Example) -> str:
    """Where the example's code would stand: as `file` or its first line says (`file: src/a.ts`), else in a server's folder."""
    if example.file:
        return example.file
    first = example.code.lstrip().split("\n", 1)[0]
    told = first.strip("/*#-<! >").strip()
    if told.startswith("file:"):
        return told.removeprefix("file:").strip()
    return f"src/server/example.{_EXTENSIONS.get(example.language, 'txt')}"


def _check(rule: Rule, detector: Detector) -> Iterator[Shown]:
    wrong = _missing_step(detector) or _refused_pattern(detector)
    if wrong:
        yield Shown(detector.name, Example(detector.languages[0], "", match=True), (), wrong)
        return
    for example in detector.examples:
        result = run(rule, detector, example)
        problem = "; ".join(f"{note.subject}: {note.reason}" for note in result.notes)
        if not problem and bool(result.new) != example.match:
            problem = "does not match" if example.match else "matches and should not"
        yield Shown(detector.name, example, result.new, problem)


def _refused_pattern(detector: Detector) -> str:
    """What the matcher has against the detector's pattern, in the first language that refuses it; a scan would see nothing."""
    for language in detector.languages if detector.ast else ():
        if language == ANY:
            continue
        try:
            languages.parse("", language).find_all(as_config(detector.ast))
        except Exception as error:  # noqa: BLE001 - the matcher refuses what it cannot read with bare exceptions.
            told = str(error).partition("Stack backtrace")[0].strip().splitlines()
            return f"`ast` is refused for {language}: {told[-1].strip().lstrip('0123456789: ')}"
    return ""


def _missing_step(detector: Detector) -> str:
    if detector.refine and detector.refine not in refine.names():
        return f"there is no refine step {detector.refine!r}"
    how = detector.compare
    if how is not None and how.what is Comparison.STEP and how.by not in compare.names():
        return f"there is no step {how.by!r} to compare by"
    return ""
