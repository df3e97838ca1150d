"""Where a review comment may stand: the lines that git shows in a pull's difference, and where they go on a push."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto

from app.sandbox import hunks
from app.sandbox.hunks import Hunk, Side
from app.sandbox.records import Anchor, Thread
from app.sandbox.repository import ChangedFile, GitRepository


class Problem(Enum):
    """Why a place is refused; the endpoints word it each in their own way."""

    PATH = auto()
    LINE = auto()
    START_LINE = auto()
    ORDER = auto()


class Misplaced(Exception):
    """The place does not exist in the difference."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.name)
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Place:
    """A place that git confirms: the anchor with its position, and the hunk down to it."""

    anchor: Anchor
    diff_hunk: str


def find_file(git: GitRepository, base: str, head: str, path: str) -> ChangedFile | None:
    """The changed file of that (new) path, None if the difference has none."""
    return next((file for file in git.changes(base, head) if file.path == path), None)


def place(git: GitRepository, base: str, head: str, wanted: Anchor) -> Place:
    """The wanted place, confirmed against git's difference between two commits.

    Raises:
        Misplaced: the file or a line is not part of it, or the lines do not make a range in one hunk.

    """
    file = find_file(git, base, head, wanted.path)
    if file is None:
        raise Misplaced(Problem.PATH)
    if wanted.line is None and wanted.position is None:
        return Place(wanted, "")
    found = hunks.read(git.patch(base, head, file))
    if wanted.line is None:
        return _by_position(found, wanted)
    hunk, index = _find(found, wanted.side, wanted.line)
    if wanted.start_line is not None:
        start = hunk.find(wanted.start_side or wanted.side, wanted.start_line)
        if start is None:
            raise Misplaced(Problem.START_LINE)
        if start >= index:
            raise Misplaced(Problem.ORDER)
    line = hunk.lines[index]
    return Place(replace(wanted, position=line.position), hunk.down_to(index))


def _find(found: tuple[Hunk, ...], side: Side, number: int) -> tuple[Hunk, int]:
    for hunk in found:
        index = hunk.find(side, number)
        if index is not None:
            return hunk, index
    raise Misplaced(Problem.LINE)


def _by_position(found: tuple[Hunk, ...], wanted: Anchor) -> Place:
    for hunk in found:
        for index, line in enumerate(hunk.lines):
            if line.position == wanted.position:
                side = Side.LEFT if line.mark == "-" else Side.RIGHT
                return Place(replace(wanted, side=side, line=line.number(side)), hunk.down_to(index))
    raise Misplaced(Problem.LINE)


def relocate(thread: Thread, *, old: tuple[str, str], new: tuple[str, str]) -> None:
    """Moves a thread from one difference (base, head) to another; what was changed meanwhile becomes outdated."""
    if thread.anchor is None:
        return
    git = thread.pull.repository.git
    try:
        thread.anchor = place(git, *new, _carry(git, thread.anchor, old, new)).anchor
    except Misplaced:
        thread.anchor = None


def _carry(git: GitRepository, anchor: Anchor, old: tuple[str, str], new: tuple[str, str]) -> Anchor:
    path = _path_after(git, anchor.path, old[1], new[1])

    def line_after(number: int | None, side: Side) -> int | None:
        if number is None:
            return None
        before, after = (old[0], new[0]) if side is Side.LEFT else (old[1], new[1])
        moved = _line_after(git, anchor.path, number, before, after)
        if moved is None:
            raise Misplaced(Problem.LINE)
        return moved

    return Anchor(
        path=path,
        side=anchor.side,
        line=line_after(anchor.line, anchor.side),
        start_line=line_after(anchor.start_line, anchor.start_side or anchor.side),
        start_side=anchor.start_side,
    )


def _path_after(git: GitRepository, path: str, before: str, after: str) -> str:
    if before == after:
        return path
    renamed = (file.path for file in git.changes(before, after) if file.previous_path == path)
    return next(renamed, path)


def _line_after(git: GitRepository, path: str, number: int, before: str, after: str) -> int | None:
    if before == after:
        return number
    for file in git.changes(before, after):
        if path in (file.path, file.previous_path):
            if file.status == "removed" or file.binary:
                return None
            return hunks.moved(hunks.read(git.patch(before, after, file)), number)
    return number
