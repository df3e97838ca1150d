"""The fixes of several findings: which are asked for together, what of the change is shown for them, whose answer is whose,
and which patches stand in each other's way.

VerifiedFinding… ── grouped ──► groups, one prompt each ── shown ──► the pieces of the diff they stand in
FixesReply ── by_number ──► the answer to each finding of the group, or None
VerifiedFinding(fix)… ── apart ──► the same, with no line under two suggestions
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from app.core.budget import Piece
from app.core.change import Change, FileDiff, Hunk
from app.core.finding import Anchor, Side, VerifiedFinding
from app.core.reply import FixReply

LINES_AROUND = 40
"""So much of its hunk is shown before and behind a finding: a new file is one hunk, however long it is."""
IN_THE_WAY = "it changes lines that the suggestion of another finding changes too"

Group = tuple[VerifiedFinding, ...]


def grouped(findings: Sequence[VerifiedFinding], *, most_at_once: int) -> list[Group]:
    """The findings, at most so many at a time. Those of one file stand together; the files keep their order."""
    by_file: dict[str, list[VerifiedFinding]] = {}
    for found in findings:
        by_file.setdefault(found.anchor.path, []).append(found)
    together = [found for some in by_file.values() for found in some]
    return [tuple(together[start : start + most_at_once]) for start in range(0, len(together), most_at_once)]


def shown(findings: Sequence[VerifiedFinding], change: Change) -> tuple[Piece, ...]:
    """The parts of the change that the findings stand in, file by file from top to bottom, no line of them twice."""
    wanted: dict[str, dict[int, list[range]]] = {}
    for found in findings:
        where = found.anchor
        near = _near(where, _file(change, where.path).hunks[where.hunk])
        wanted.setdefault(where.path, {}).setdefault(where.hunk, []).append(near)
    return tuple(
        Piece(_file(change, path), hunk, run.start, run.stop)
        for path, hunks in wanted.items()
        for hunk, near in sorted(hunks.items())
        for run in _joined(near)
    )


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


def _file(change: Change, path: str) -> FileDiff:
    file = change.file(path)
    if file is None:
        raise AssertionError("a verified finding stands in a file of the change")
    return file


def _near(where: Anchor, hunk: Hunk) -> range:
    """The positions in the hunk's body around the finding's lines; all of them where it stands on none."""
    numbers = [line.new if where.side is Side.RIGHT else line.old for line in hunk.lines()]
    on = [place for place, number in enumerate(numbers) if number and where.start_line <= number <= where.line]
    if not on:
        return range(len(numbers))
    return range(max(on[0] - LINES_AROUND, 0), min(on[-1] + LINES_AROUND + 1, len(numbers)))


def _joined(runs: Sequence[range]) -> list[range]:
    """The runs in order, those that touch made one."""
    joined: list[range] = []
    for run in sorted(runs, key=lambda one: one.start):
        if joined and run.start <= joined[-1].stop:
            joined[-1] = range(joined[-1].start, max(joined[-1].stop, run.stop))
        else:
            joined.append(run)
    return joined
