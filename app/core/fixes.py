"""The fixes of several findings: which are asked for together, whose answer is whose, and which patches stand in each
other's way.

VerifiedFinding… ── grouped ──► groups, one prompt each
FixesReply ── by_number ──► the answer to each finding of the group, or None
VerifiedFinding(fix)… ── apart ──► the same, with no line under two suggestions
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from app.core.finding import VerifiedFinding
from app.core.reply import FixReply

IN_THE_WAY = "it changes lines that the suggestion of another finding changes too"

Group = tuple[VerifiedFinding, ...]


def grouped(findings: Sequence[VerifiedFinding], *, most_at_once: int) -> list[Group]:
    """The findings, at most so many at a time. Those of one file stand together; the files keep their order."""
    by_file: dict[str, list[VerifiedFinding]] = {}
    for found in findings:
        by_file.setdefault(found.anchor.path, []).append(found)
    together = [found for some in by_file.values() for found in some]
    return [tuple(together[start : start + most_at_once]) for start in range(0, len(together), most_at_once)]


def by_number(answers: Sequence[FixReply], findings: int) -> list[FixReply | None]:
    """The answer to each finding in order; the first one given for a number counts, other numbers are ignored."""
    given: dict[int, FixReply] = {}
    for answer in answers:
        given.setdefault(answer.finding, answer)
    return [given.get(number) for number in range(1, findings + 1)]


def apart(findings: Iterable[VerifiedFinding]) -> tuple[VerifiedFinding, ...]:
    """The findings, where of two suggestions for one line only the first stays one; the other is a diff that says why."""
    taken: set[tuple[str, int]] = set()
    kept: list[VerifiedFinding] = []
    for found in findings:
        lines = _suggested(found)
        if lines & taken:
            kept.append(_as_a_diff(found, IN_THE_WAY))
        else:
            kept.append(found)
            taken |= lines
    return tuple(kept)


def _suggested(found: VerifiedFinding) -> frozenset[tuple[str, int]]:
    """The lines that a click on the finding's suggestion replaces; none where it has no suggestion."""
    patch = found.fix.patch if found.fix is not None else None
    if patch is None or not patch.suggestion:
        return frozenset()
    return frozenset((patch.path, line) for line in range(patch.start_line, patch.end_line + 1))


def _as_a_diff(found: VerifiedFinding, reason: str) -> VerifiedFinding:
    if found.fix is None or found.fix.patch is None:
        return found
    patch = replace(found.fix.patch, suggestion=False, reason=reason)
    return replace(found, fix=replace(found.fix, patch=patch))
