"""Source text as the analysis sees it, and what it says about it.

SourceFile + Surroundings ── scan ──► ScanResult(new, existing, notes)
SourceFile ── symbols, definitions, outline ──► Symbol
before, after ── parse_errors ──► ParseCheck
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum

from app.core.change import FileDiff
from app.core.rule import Evidence

Span = tuple[int, int]
"""First and last line, 1-based and inclusive."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file at the head and the part of it that the change touches; all numbers are lines of the head.

    `changed` are the lines that were added, `removed_before` those in front of which lines were removed, `shown` the spans
    that the diff shows, hunk by hunk. With `whole` every line counts as changed: a scan of a tree.

    `before` is the base's text, None where the file is new or nobody read it, and `removed` are the base's lines that went.
    """

    path: str
    text: str
    changed: frozenset[int] = frozenset()
    removed_before: frozenset[int] = frozenset()
    shown: tuple[Span, ...] = ()
    whole: bool = False
    before: str | None = None
    removed: frozenset[int] = frozenset()

    @classmethod
    def of(cls, file: FileDiff, text: str, *, before: str | None = None) -> SourceFile:
        """The text of a file at the head and at the base, with its touched lines taken from the hunks."""
        changed: set[int] = set()
        removed: set[int] = set()
        removed_before: set[int] = set()
        for hunk in file.hunks:
            following = hunk.new_start if hunk.new_count else hunk.new_start + 1
            for line in hunk.lines():
                if line.new is None:
                    removed_before.add(following)
                    if line.old is not None:
                        removed.add(line.old)
                    continue
                following = line.new + 1
                if line.mark == "+":
                    changed.add(line.new)
        shown = tuple((hunk.new_start, hunk.new_end) for hunk in file.hunks if hunk.new_count)
        return cls(
            file.path,
            text,
            frozenset(changed),
            frozenset(removed_before),
            shown,
            before=before,
            removed=frozenset(removed),
        )

    @classmethod
    def between(cls, path: str, before: str, text: str) -> SourceFile:
        """The file with its touched lines found by comparing the two texts, all of it shown: for examples."""
        old, new = before.split("\n"), text.split("\n")
        changed: set[int] = set()
        removed: set[int] = set()
        removed_before: set[int] = set()
        for what, i, j, k, m in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
            if what != "equal":
                changed.update(range(k + 1, m + 1))
                removed.update(range(i + 1, j + 1))
                if i < j:
                    removed_before.add(k + 1)
        return cls(
            path,
            text,
            frozenset(changed),
            frozenset(removed_before),
            ((1, len(new)),),
            before=before,
            removed=frozenset(removed),
        )


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The paths around the files of a change: all it touches, those of them it deletes, and related files (lock files,
    tests) that stand in the head's tree, touched or not.
    """

    touched: frozenset[str] = frozenset()
    deleted: frozenset[str] = frozenset()
    present: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ScanNote:
    """Something a scan could not do: a rule that failed or ran out of time, a file that was left out."""

    subject: str
    reason: str


@dataclass(frozen=True, slots=True)
class ScanResult:
    """Evidence on lines the change touches (`new`), evidence that stood there before (`existing`), and what went wrong."""

    new: tuple[Evidence, ...] = ()
    existing: tuple[Evidence, ...] = ()
    notes: tuple[ScanNote, ...] = ()


@dataclass(frozen=True, slots=True)
class Symbol:
    """A function, class or type with its lines in the file (`Shop.charge` for a method), and their text.

    With `cut` it is longer than that: lines and text are the part around the lines asked about.
    """

    path: str
    name: str
    kind: str
    start_line: int
    end_line: int
    text: str = ""
    cut: bool = False


class Verdict(StrEnum):
    """Whether a file still parses after a patch."""

    NO_WORSE = "no_worse"
    WORSE = "worse"
    UNCHECKED = "unchecked"


@dataclass(frozen=True, slots=True)
class ParseCheck:
    """The verdict on a patched file. `reason` says what broke, or why nobody looked; it is empty when all is well."""

    verdict: Verdict
    reason: str = ""
