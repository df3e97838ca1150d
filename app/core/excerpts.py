"""What of the head stands beside the diff in a prompt: excerpts within a budget, no line of them twice.

What the diff shows is not shown again, and neither is what an excerpt before has: of a function around a change only the
rest is told. More code than is needed makes a reviewer worse, so the budget follows the size of the diff.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from app.core.budget import CHARACTERS_PER_TOKEN, LINE_OVERHEAD_CHARACTERS, Piece, estimate_tokens
from app.core.secrets import LONGEST_LINES
from app.core.source import Span

LEAST_TOKENS = 1_500
"""A function with what it calls fits into this, however small the change is."""
MOST_TOKENS = 4_000
PART_OF_DIFF = 0.5
LINES_BEFORE_A_CHANGE = 20
LINES_BEHIND_A_CHANGE = 12
SHORT_LINES = 90
"""A function of so many is shown whole where the budget allows it."""
OPENING_LINES = 2
"""Of a long function or class: its signature."""


class Part(StrEnum):
    """The parts of the context, by the names of the options that switch them."""

    ENCLOSING = "enclosing"
    DEFINITIONS = "definitions"
    CALLERS = "callers"
    TESTS = "tests"
    SIBLINGS = "siblings"
    HISTORY = "history"


SHARES = {
    Part.ENCLOSING: 0.6,
    Part.DEFINITIONS: 0.4,
    Part.CALLERS: 0.3,
    Part.TESTS: 0.2,
    Part.SIBLINGS: 0.2,
    Part.HISTORY: 0.05,
}
"""Of a prompt's budget for context. Together more than all of it, because a change rarely has all of them."""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Lines of a file at the head, and in a few words why they are shown (`defines chargeCard`, `calls chargeCard`)."""

    path: str
    start_line: int
    text: str
    why: str

    @property
    def lines(self) -> range:
        """The numbers of its lines."""
        return range(self.start_line, self.start_line + self.text.count("\n") + 1)


@dataclass(frozen=True, slots=True)
class Shown:
    """An excerpt, as which part of the context it is shown, and the line it is about; None where it is about all of them."""

    part: Part
    excerpt: Excerpt
    line: int | None = None


def budget(diff_tokens: int) -> int:
    """How many tokens of code stand beside a diff of so many."""
    return min(max(int(diff_tokens * PART_OF_DIFF), LEAST_TOKENS), MOST_TOKENS)


def seen(pieces: Sequence[Piece], told: Mapping[str, Collection[int]] | None = None) -> dict[str, frozenset[int]]:
    """The lines of the head, by path, that a diff made of these pieces shows, and those `told` besides."""
    lines = {path: set(some) for path, some in (told or {}).items()}
    for piece in pieces:
        hunk = piece.cut()
        lines.setdefault(piece.file.path, set()).update(range(hunk.new_start, hunk.new_start + hunk.new_count))
    return {path: frozenset(some) for path, some in lines.items()}


def around_a_change(excerpt: Excerpt, spans: Sequence[Span]) -> tuple[Excerpt, ...]:
    """A function or class around changed lines, whole where it is short; then its first lines and those near the change,
    for where the whole does not fit.
    """
    wanted = set(excerpt.lines[:OPENING_LINES])
    for first, last in spans:
        wanted.update(range(first - LINES_BEFORE_A_CHANGE, last + LINES_BEHIND_A_CHANGE + 1))
    near = tuple(_runs(excerpt, [number for number in excerpt.lines if number in wanted]))
    return (excerpt, *near) if len(excerpt.lines) <= SHORT_LINES else near


def without_secrets(
    found: Sequence[Shown], lines: Mapping[str, Sequence[str]], redact: Callable[[str], str]
) -> list[Shown]:
    """The excerpts without secrets, also those that begin before or end behind them: once cut, nothing tells their middle.

    `lines` are the files' own; `redact` keeps their number.
    """
    told: list[Shown] = []
    for one in found:
        whole, numbers = lines[one.excerpt.path], one.excerpt.lines
        first = max(numbers.start - 1 - LONGEST_LINES, 0)
        window = redact("\n".join(whole[first : numbers.stop - 1 + LONGEST_LINES])).split("\n")
        text = "\n".join(window[numbers.start - 1 - first : numbers.stop - 1 - first])
        told.append(replace(one, excerpt=replace(one.excerpt, text=text)))
    return told


def fit(excerpts: Iterable[Excerpt], *, budget_tokens: int) -> tuple[Excerpt, ...]:
    """The excerpts that fit, in order, no line of them twice."""
    return share_out([Shown(Part.ENCLOSING, one) for one in excerpts], budget_tokens=budget_tokens, shares={})


def share_out(
    found: Iterable[Shown],
    *,
    budget_tokens: int,
    shares: Mapping[Part, float] = SHARES,
    seen: Mapping[str, Collection[int]] | None = None,
) -> tuple[Excerpt, ...]:
    """The same, where each part has its share of the budget, so that none crowds out another.

    `seen` are lines, by path, that are shown already. An excerpt about one of them is left out; of the others, only what
    is new is shown.
    """
    kept: list[Excerpt] = []
    whole = budget_tokens
    left = {part: int(budget_tokens * shares.get(part, 1.0)) for part in Part}
    told = {path: set(lines) for path, lines in (seen or {}).items()}
    for one in found:
        known = told.setdefault(one.excerpt.path, set())
        if one.line in known:
            continue
        parts = tuple(_runs(one.excerpt, [number for number in one.excerpt.lines if number not in known]))
        tokens = sum(_tokens(part) for part in parts)
        if tokens <= min(left[one.part], whole):
            kept += parts
            known.update(*(part.lines for part in parts))
            left[one.part] -= tokens
            whole -= tokens
    return tuple(kept)


def _tokens(excerpt: Excerpt) -> int:
    """About how many tokens an excerpt takes with its heading and the numbers of its lines."""
    heading = estimate_tokens(f"{excerpt.path} {excerpt.why}")
    return heading + int((len(excerpt.text) + len(excerpt.lines) * LINE_OVERHEAD_CHARACTERS) / CHARACTERS_PER_TOKEN)


def _runs(excerpt: Excerpt, numbers: Sequence[int]) -> Iterator[Excerpt]:
    """These lines of the excerpt, each unbroken run of them by itself; runs of empty lines are nothing to show."""
    lines = excerpt.text.split("\n")
    start = 0
    for end in range(1, len(numbers) + 1):
        if end < len(numbers) and numbers[end] == numbers[end - 1] + 1:
            continue
        run = [lines[number - excerpt.start_line] for number in numbers[start:end]]
        if any(line.strip() for line in run):
            yield replace(excerpt, start_line=numbers[start], text="\n".join(run))
        start = end
