"""Which comment meets which label: at most one each, and as many as can be.

    pair(comments, labels, allowed=by_lines(…), scored=…) ──► {comment: label}

By lines: same file, same side, overlapping lines. By meaning: the judge says that both tell of the same problem. Both: both.
Where a comment could meet several labels, the assignment is the one that meets most expected labels, then most other valid
ones, then most invalid ones; among equals, the one whose lines agree best.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from enum import StrEnum

from app.evaluation.values import Attempt, Comment, Label, Topic

SURE = 10**4
"""One pair of a kind outweighs how well the lines of all pairs agree; that is at most `AGREEMENT` a pair."""
AGREEMENT = 9
MOST_PAIRS = 999

Pair = tuple[int, int]


class Measure(StrEnum):
    """When a comment counts as saying what a label says."""

    MEANING = "meaning"
    LINES = "lines"
    BOTH = "both"


def met(
    attempt: Attempt, labels: Sequence[Label], *, measure: Measure, scored: Collection[Topic], slack: int = 0
) -> dict[int, int]:
    """The comments of an attempt that meet a label, by their places: comment → label.

    By meaning nothing is met by an attempt that no judge looked at.
    """
    linked = {(link.comment, link.label) for link in attempt.links or ()}

    def allowed(pair: Pair) -> bool:
        comment, label = attempt.comments[pair[0]], labels[pair[1]]
        on_lines = overlap(comment, label, slack=slack) > 0
        match measure:
            case Measure.LINES:
                return on_lines
            case Measure.MEANING:
                return pair in linked
            case Measure.BOTH:
                return on_lines and pair in linked

    places = [place for place, _ in attempt.inline][:MOST_PAIRS]
    weights = [
        [
            weight(attempt.comments[place], label, scored=scored, slack=slack) if allowed((place, number)) else 0
            for number, label in enumerate(labels)
        ]
        for place in places
    ]
    return {places[row]: column for row, column in assign(weights).items()}


def weight(comment: Comment, label: Label, *, scored: Collection[Topic], slack: int = 0) -> int:
    """What a pair is worth: an expected label above another valid one, that above an invalid one, then the lines."""
    worth = 1 if not label.valid else MOST_PAIRS if label.topic not in scored else MOST_PAIRS**2
    return worth * SURE + round(overlap(comment, label, slack=slack) * AGREEMENT)


def overlap(comment: Comment, label: Label, *, slack: int = 0) -> float:
    """How much of both line ranges they share, between 0 and 1. Within `slack` lines of each other counts as touching."""
    if comment.path != label.path or comment.side is not label.side:
        return 0.0
    first, last = max(comment.start_line, label.from_line), min(comment.line, label.to_line)
    whole = max(comment.line, label.to_line) - min(comment.start_line, label.from_line) + 1
    if first <= last:
        return (last - first + 1) / whole
    return 1 / (whole + 1) if first - last <= slack else 0.0


def assign(weights: Sequence[Sequence[int]]) -> dict[int, int]:
    """Row → column, each used once at most, so that the sum of the weights is largest; a weight of 0 is no pair.

    The Hungarian method with potentials, cubic in the larger side (https://en.wikipedia.org/wiki/Hungarian_algorithm).
    """
    rows, columns = len(weights), max((len(row) for row in weights), default=0)
    if not rows or not columns:
        return {}
    size = max(rows, columns)
    top = max(max(row, default=0) for row in weights)

    def cost(row: int, column: int) -> int:
        inside = row < rows and column < len(weights[row])
        return top - (weights[row][column] if inside else 0)

    row_of = _cheapest(size, cost)
    return {
        row: column
        for column, row in sorted(row_of.items(), key=lambda pair: pair[1])
        if row < rows and column < len(weights[row]) and weights[row][column] > 0
    }


def _cheapest(size: int, cost: Callable[[int, int], int]) -> Mapping[int, int]:
    """Column → row of the cheapest complete assignment. Row by row, along the shortest way to a free column."""
    row_price, column_price = [0] * size, [0] * size
    row_of: dict[int, int] = {}
    for new in range(size):
        row, at = new, None
        slack: list[int | None] = [None] * size
        came_from: list[int | None] = [None] * size
        visited: set[int] = set()
        while True:
            if at is not None:
                visited.add(at)
                row = row_of[at]
            step, nearest = None, -1
            for column in range(size):
                if column in visited:
                    continue
                reduced = cost(row, column) - row_price[row] - column_price[column]
                known = slack[column]
                if known is None or reduced < known:
                    slack[column], came_from[column] = reduced, at
                    known = reduced
                if step is None or known < step:
                    step, nearest = known, column
            moved = step or 0
            row_price[new] += moved
            for column in range(size):
                if column in visited:
                    row_price[row_of[column]] += moved
                    column_price[column] -= moved
                elif (left := slack[column]) is not None:
                    slack[column] = left - moved
            at = nearest
            if at not in row_of:
                break
        _turn(at, new, row_of, came_from)
    return row_of


def _turn(free: int, new: int, row_of: dict[int, int], came_from: Sequence[int | None]) -> None:
    """Moves every row on the way one column on, so that the free column is taken and the new row has one."""
    column = free
    while (before := came_from[column]) is not None:
        row_of[column] = row_of[before]
        column = before
    row_of[column] = new
