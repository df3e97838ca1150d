"""The patch text of one file, as `git diff` prints it → its hunks, and which lines a review may comment on.

The sandbox judges the bot's anchors, so it reads git's own output with a reader of its own: hunks are walked by the
counts in their headers, and lines end at a line feed and nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

HUNK_HEADER = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
HUNK_HEADER_BYTES = re.compile(rb"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")


class Side(StrEnum):
    """Which version of a file a line number counts in: LEFT is the base, RIGHT the head."""

    LEFT = "LEFT"
    RIGHT = "RIGHT"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a hunk: its mark (space, plus, minus), its text without the mark, and its numbers on both sides."""

    mark: str
    text: str
    old: int | None
    new: int | None
    position: int

    def number(self, side: Side) -> int | None:
        """The line's number on one side, None where the line does not exist there."""
        return self.old if side is Side.LEFT else self.new


@dataclass(frozen=True, slots=True)
class Hunk:
    """One hunk: its header, the range it covers in the old file, its lines, and its rows exactly as git printed them."""

    header: str
    old_start: int
    old_count: int
    lines: tuple[Line, ...]
    rows: tuple[str, ...]

    def find(self, side: Side, number: int) -> int | None:
        """The index of a line in `lines`, None where the hunk does not show it."""
        return next((index for index, line in enumerate(self.lines) if line.number(side) == number), None)

    def down_to(self, index: int) -> str:
        """The hunk's text from its header to one line, which GitHub stores as the comment's `diff_hunk`."""
        rows = self.lines[index].position - self.lines[0].position + 1
        return "\n".join((self.header, *self.rows[:rows]))


def read(patch: str) -> tuple[Hunk, ...]:
    """The hunks of one file's patch. Positions count as GitHub counts them: the line below the first header is 1."""
    hunks: list[Hunk] = []
    rows = patch.split("\n")
    index, position = 0, 0
    while index < len(rows):
        match = HUNK_HEADER.match(rows[index])
        if match is None:
            index += 1
            continue
        if hunks:
            position += 1
        hunk, index, position = _read_hunk(rows, index, match, position)
        hunks.append(hunk)
    return tuple(hunks)


def _read_hunk(rows: list[str], at: int, match: re.Match[str], position: int) -> tuple[Hunk, int, int]:
    old, new = int(match[1]), int(match[3])
    old_left, new_left = (int(match[2] or 1), int(match[4] or 1))
    lines: list[Line] = []
    kept: list[str] = []
    index = at + 1
    while index < len(rows) and (old_left > 0 or new_left > 0 or rows[index].startswith("\\")):
        row = rows[index]
        mark = row[:1] or " "
        position += 1
        kept.append(row)
        if mark != "\\":
            in_old, in_new = mark != "+", mark != "-"
            lines.append(Line(mark, row[1:], old if in_old else None, new if in_new else None, position))
            old, old_left = old + in_old, old_left - in_old
            new, new_left = new + in_new, new_left - in_new
        index += 1
    return Hunk(rows[at], int(match[1]), int(match[2] or 1), tuple(lines), tuple(kept)), index, position


def sections(data: bytes) -> Iterator[bytes]:
    """The parts of a `git diff` output, one per `diff --git` header, found without trusting what the lines contain."""
    start: int | None = None
    old_left = new_left = 0
    offset = 0
    for row in data.split(b"\n"):
        end = offset + len(row) + 1
        if old_left > 0 or new_left > 0:
            mark = row[:1]
            if mark != b"\\":
                old_left -= mark != b"+"
                new_left -= mark != b"-"
        elif row.startswith(b"diff --git "):
            if start is not None:
                yield data[start:offset]
            start = offset
        elif (match := HUNK_HEADER_BYTES.match(row)) is not None:
            old_left, new_left = int(match[2] or 1), int(match[4] or 1)
        offset = end
    if start is not None:
        yield data[start:]


def moved(hunks: tuple[Hunk, ...], number: int) -> int | None:
    """Where a line of the old version stands in the new one, None if it was changed or removed."""
    shift = 0
    for hunk in hunks:
        # A hunk that takes no old line names the line it comes after.
        first = hunk.old_start if hunk.old_count else hunk.old_start + 1
        if number < first:
            break
        if number < first + hunk.old_count:
            return next((line.new for line in hunk.lines if line.old == number), None)
        shift += sum((line.mark == "+") - (line.mark == "-") for line in hunk.lines)
    return number + shift
