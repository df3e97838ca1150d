"""What of a change is new since it was last reviewed: patches are compared, never commit ids.

    full   base … head, the pull request's diff of a file          ┐
    since  reviewed head … head, the same file                     ┴ unseen ──► FileDiff of what nobody has read, or None

A line counts as new when it is changed in both: changed by the pull request, and changed since the review. So what a rebase
or a merge brings along from the base is not the author's and is not read, a pure rebase leaves nothing, and a force-push
that goes back to a reviewed state leaves nothing either.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from app.core import silence
from app.core.change import Change, FileDiff, Hunk, Line

CONTEXT_LINES = 10
"""Lines around what is new that are shown with it, reviewed before or not."""
LINES_UNDER_A_COMMENT = 3


@dataclass(frozen=True, slots=True)
class Unseen:
    """The part of a change that is new, and how many of its hunks hold nothing new."""

    change: Change
    hunks_before: int


def narrow(change: Change, since: Mapping[str, FileDiff]) -> Unseen:
    """The part of the change that is new. `since` holds the files that differ from the reviewed head, by head path."""
    kept: list[FileDiff] = []
    before = 0
    for file in change.files:
        fresh = unseen(file, since.get(file.path))
        before += sum(1 for hunk in file.hunks if fresh is None or not _overlaps(hunk, fresh.hunks))
        if fresh is not None:
            kept.append(fresh)
    return Unseen(replace(change, files=tuple(kept)), before)


def unseen(full: FileDiff, since: FileDiff | None) -> FileDiff | None:
    """The file's diff cut down to what is new, with some lines around it; None when nothing is."""
    if since is None:
        return None
    added = {line.new for hunk in since.hunks for line in hunk.lines() if line.mark == "+"}
    added |= {line for hunk in since.hunks for line in _no_longer_silenced(hunk)}
    removed = Counter(place for hunk in since.hunks for place in _removals(hunk))
    hunks = tuple(part for hunk in full.hunks for part in _parts(hunk, _fresh(hunk, added, removed)))
    return replace(full, hunks=hunks) if hunks else None


def _no_longer_silenced(hunk: Hunk) -> Iterator[int]:
    """The head lines under a comment that silenced a rule and is gone: nobody has spoken about them yet."""
    for line, following in _with_following(hunk):
        if line.mark == "-" and silence.WORD in line.text.casefold():
            yield from range(following, following + LINES_UNDER_A_COMMENT)


Removal = tuple[int, str]
"""A removed line: the head line it would stand before, and its text without the spaces at its ends."""


def _removals(hunk: Hunk) -> Iterator[Removal]:
    for line, following in _with_following(hunk):
        if line.mark == "-":
            yield following, line.text.strip()


def _with_following(hunk: Hunk) -> Iterator[tuple[Line, int]]:
    """Each line with the number of the head line that stands at it or after it."""
    following = hunk.new_start if hunk.new_count else hunk.new_start + 1
    for line in hunk.lines():
        if line.new is not None:
            following = line.new
        yield line, following
        if line.new is not None:
            following = line.new + 1


def _fresh(hunk: Hunk, added: set[int | None], removed: Counter[Removal]) -> list[int]:
    """The places in the hunk's body where something is new."""
    found: list[int] = []
    for position, (line, following) in enumerate(_with_following(hunk)):
        match line.mark:
            case "+":
                new = line.new in added
            case "-":
                place = (following, line.text.strip())
                new = removed[place] > 0
                if new:
                    removed[place] -= 1
            case _:
                new = False
        if new:
            found.append(position)
    return found


def _parts(hunk: Hunk, fresh: Sequence[int]) -> Iterator[Hunk]:
    """The hunk cut into the surroundings of what is new; the whole hunk when they are all of it."""
    for start, end in _spans(fresh, len(hunk.body)):
        yield hunk if (start, end) == (0, len(hunk.body)) else _cut(hunk, start, end)


def _spans(fresh: Sequence[int], length: int) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    for position in fresh:
        start, end = max(0, position - CONTEXT_LINES), min(length, position + CONTEXT_LINES + 1)
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
    return spans


def _cut(hunk: Hunk, start: int, end: int) -> Hunk:
    before = Counter(raw[:1] for raw in hunk.body[:start])
    within = Counter(raw[:1] for raw in hunk.body[start:end])
    old_count, new_count = within[" "] + within["-"], within[" "] + within["+"]
    # A side without lines names the line before it, as git does.
    old_start = _first(hunk.old_start, hunk.old_count) + before[" "] + before["-"] - (0 if old_count else 1)
    new_start = _first(hunk.new_start, hunk.new_count) + before[" "] + before["+"] - (0 if new_count else 1)
    last = end == len(hunk.body)
    return replace(
        hunk,
        old_start=old_start,
        old_count=old_count,
        new_start=new_start,
        new_count=new_count,
        body=hunk.body[start:end],
        old_ends_without_newline=hunk.old_ends_without_newline and last,
        new_ends_without_newline=hunk.new_ends_without_newline and last,
    )


def _first(start: int, count: int) -> int:
    return start if count else start + 1


def _overlaps(hunk: Hunk, others: Sequence[Hunk]) -> bool:
    return any(
        one.new_start <= hunk.new_start + hunk.new_count and hunk.new_start <= one.new_start + one.new_count
        for one in others
    )
