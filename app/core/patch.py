"""Patches: from the lines a model would replace to a diff that can be checked.

Only pure decisions stand here. Whether git applies it and whether the file still parses is asked by `app.stages.fix`, and whether
it may be committed with one click by `app.core.suggestion`.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from app.core.finding import Anchor

LONGEST_PATCH_LINES = 60


@dataclass(frozen=True, slots=True)
class Draft:
    """Lines `start_line` to `end_line` (1-based, inclusive) of a file replaced by `replacement`, and the same as a diff."""

    path: str
    start_line: int
    end_line: int
    replacement: str
    before: str
    after: str
    diff: str


@dataclass(frozen=True, slots=True)
class NoPatch:
    """No patch could be made of the proposal, and why."""

    reason: str


def draft(original: str, replacement: str, *, path: str, head_text: str, near: Anchor) -> Draft | NoPatch:
    """The replacement of the lines quoted in `original`, found in the head file nearest to the finding."""
    if not original.strip():
        return NoPatch("no lines to replace were given")
    lines = head_text.split("\n")
    wanted = _strip_newline(original).split("\n")
    start = _find(wanted, lines, near=near.start_line)
    if start is None:
        return NoPatch("the lines it would replace do not stand in the file")
    return replace_lines(
        replacement, path=path, head_text=head_text, start_line=start, end_line=start + len(wanted) - 1
    )


def replace_lines(replacement: str, *, path: str, head_text: str, start_line: int, end_line: int) -> Draft | NoPatch:
    """The replacement of a known range of lines of the head file; line ends follow the file's own."""
    lines = head_text.split("\n")
    if not 1 <= start_line <= end_line <= len(lines):
        return NoPatch("the lines it would replace do not stand in the file")
    new = _like(
        lines[start_line - 1 : end_line], _strip_newline(replacement).split("\n") if replacement.strip() else []
    )
    if new == lines[start_line - 1 : end_line]:
        return NoPatch("it would change nothing")
    if max(len(new), end_line - start_line + 1) > LONGEST_PATCH_LINES:
        return NoPatch("it is longer than a patch that can be read at a glance")
    after = "\n".join(lines[: start_line - 1] + new + lines[end_line:])
    return Draft(
        path=path,
        start_line=start_line,
        end_line=end_line,
        replacement="\n".join(line.removesuffix("\r") for line in new),
        before=head_text,
        after=after,
        diff=unified(path, head_text, after),
    )


def unified(path: str, before: str, after: str) -> str:
    """A unified diff as git writes it, also where a file does not end in a newline."""
    old, new = _with_ends(before), _with_ends(after)
    body = [
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
        for line in list(difflib.unified_diff(old, new, n=3))[2:]
    ]
    return f"--- a/{path}\n+++ b/{path}\n{''.join(body)}" if body else ""


def _find(wanted: Sequence[str], lines: Sequence[str], *, near: int) -> int | None:
    """The 1-based line where `wanted` stands: verbatim, else but for white space at the ends; the place nearest to `near`."""
    for same in (_verbatim, _but_for_space):
        places = [
            position + 1
            for position in range(len(lines) - len(wanted) + 1)
            if all(same(lines[position + offset], line) for offset, line in enumerate(wanted))
        ]
        if places:
            return min(places, key=lambda line: (abs(line - near), line))
    return None


def _verbatim(one: str, other: str) -> bool:
    return one.removesuffix("\r") == other.removesuffix("\r")


def _but_for_space(one: str, other: str) -> bool:
    return one.strip() == other.strip()


def _like(old: Sequence[str], new: Sequence[str]) -> list[str]:
    """The new lines with the old ones' line ends, and moved to their depth where a model dropped the indentation."""
    crlf = sum(1 for line in old if line.endswith("\r")) * 2 > len(old)
    shift = _indent(old) if new and _indent(new) == "" and any(line.strip() for line in new) else ""
    return [_end(f"{shift}{line}" if line.strip() else line, crlf=crlf) for line in new]


def _indent(lines: Sequence[str]) -> str:
    """The white space that all lines with text share."""
    told = [line for line in lines if line.strip()]
    if not told:
        return ""
    depths = [line[: len(line) - len(line.lstrip())] for line in told]
    return min(depths, key=len)


def _end(line: str, *, crlf: bool) -> str:
    bare = line.removesuffix("\r")
    return f"{bare}\r" if crlf else bare


def _strip_newline(text: str) -> str:
    return text.replace("\r\n", "\n").removesuffix("\n")


def _with_ends(text: str) -> list[str]:
    lines = text.split("\n")
    ended = [f"{line}\n" for line in lines[:-1]]
    return [*ended, lines[-1]] if lines[-1] else ended
