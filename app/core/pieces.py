"""Places in a change in, the parts of the diff around them out: what somebody has to see who judges or fixes a finding."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from app.core.budget import Piece
from app.core.change import Change, FileDiff, Hunk
from app.core.finding import Anchor, Side

LINES_AROUND = 25
"""So much of its hunk is shown before and behind a finding: a new file is one hunk, however long it is."""


def around(anchors: Iterable[Anchor], change: Change) -> tuple[Piece, ...]:
    """The parts of the change that the anchors stand in, file by file from top to bottom, no line of them twice."""
    wanted: dict[str, dict[int, list[range]]] = {}
    for where in anchors:
        near = _near(where, _file(change, where.path).hunks[where.hunk])
        wanted.setdefault(where.path, {}).setdefault(where.hunk, []).append(near)
    return tuple(
        Piece(_file(change, path), hunk, run.start, run.stop)
        for path, hunks in wanted.items()
        for hunk, near in sorted(hunks.items())
        for run in _joined(near)
    )


def nearest(file: FileDiff, line: int) -> Piece | None:
    """The hunk of a file that is nearest to a line of the head which no hunk shows; None for a file without hunks."""
    far = [(abs(hunk.new_start - line), number) for number, hunk in enumerate(file.hunks)]
    if not far:
        return None
    _, number = min(far)
    return Piece(file, number, 0, min(len(file.hunks[number].body), 2 * LINES_AROUND))


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
