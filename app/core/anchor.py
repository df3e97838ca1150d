"""A quote of code → where it stands: a range of lines inside one hunk, a line outside every hunk, or nowhere.

    locate(quote, file=…, head_lines=…, hint=…) ──► Anchor(RIGHT)   it stands in the head, inside a hunk
                                                    Outside         it stands in the head, on lines that no hunk shows
                                                    Anchor(LEFT)    it stands only in lines that were removed
                                                    Missing         it stands nowhere: nothing is anchored on a guess

Models place exact line ranges right in half of the cases at best, so a line they name is only a hint: it chooses between
places that hold the same code. What counts is the code itself, and every place found is real, contiguous lines.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from app.core.change import FileDiff
from app.core.finding import Anchor, Side

LONGEST_QUOTE_LINES = 200
"""A quote's lines beyond these are not looked for."""

MOST_PLACES = 10_000
"""Places that hold the same quote and are compared; a quote that stands more often says nothing."""

PART_CHARACTERS = 6
"""A quote that begins or ends inside a line needs at least so many characters, spaces not counted."""

TELLING_CHARACTERS = 12
"""A single line that stands for a whole quote needs at least so many characters, spaces not counted."""

NEAR_SHARE = 0.6
"""A real line is near a longer quoted one if it makes up at least this share of it."""

# What a prompt shows in place of what stands in the file: see app/core/secrets.py, hidden.py and prompt.py.
_PLACEHOLDER = re.compile(r"<SECRET:[^<>]{0,80}>")
_PLACEHOLDERS_FIRST = re.compile(r"(?:<SECRET:[^<>]{0,80}>)+")
_REVEALED = re.compile(r"\\u\{([0-9a-f]{1,5}|10[0-9a-f]{4})\}")
_CUT = re.compile(r"(?:\[cut\]|\.\.\.|…)\s*\Z")
_NUMBERED = re.compile(r"[ \t]{0,12}\d{1,7}(?:[ \t]{1,12}\d{1,7})?[ \t]?[|:│→]?(?![^\s])")


@dataclass(frozen=True, slots=True)
class Outside:
    """The quote stands in the head file, from this line on, where no hunk shows it."""

    line: int


@dataclass(frozen=True, slots=True)
class Missing:
    """The quote does not stand in the file, or says too little to tell where."""

    reason: str


def locate(
    quote: str, *, file: FileDiff, head_lines: Sequence[str] | None, hint: int | None
) -> Anchor | Outside | Missing:
    """Where the quote stands in a changed file.

    `head_lines` are the lines of the head file as `diff.lines` gives them, None when it cannot be read; `hint` is the
    1-based head line that the quote's author named. Whole lines win over parts of lines, and these over one telling line;
    spaces never decide, but the place with the very same spaces is preferred.
    """
    readings = _readings(quote)
    if not readings:
        return Missing("the quote is empty")
    faces = (_Head(file, head_lines), _Base(file))
    for search in (_whole_lines, _parts_of_lines, _telling_line):
        for face in faces:
            for reading in readings:
                quoted = reading.on(face.side)
                spans = search(quoted, face) if quoted else []
                if not _says_something(quoted):
                    spans = [span for span in spans if hint is not None and _distance(span, hint) == 0]
                found = face.choose(spans, hint)
                if found is not None:
                    return found
    return Missing("the quote does not stand in the file")


# --- what the quote may mean ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Reading:
    """One way to read a quote: its lines as they would stand in the head, and as they would stand in the base."""

    head: tuple[str, ...]
    base: tuple[str, ...]

    def on(self, side: Side) -> tuple[str, ...]:
        return self.head if side is Side.RIGHT else self.base


def _readings(quote: str) -> list[_Reading]:
    """The quote as it is; then without what a model may have copied along from the prompt or put around it."""
    literal = _trimmed(quote.split("\n"))
    unwrapped = _unwrapped(literal)
    original = _trimmed(_REVEALED.sub(lambda found: chr(int(found[1], 16)), line) for line in unwrapped)
    found = [_Reading(lines, lines) for lines in (literal, unwrapped, original)] + [_unmarked(original)]
    return [reading for reading in dict.fromkeys(found) if reading.head or reading.base]


def _trimmed(lines: Iterable[str]) -> tuple[str, ...]:
    """The lines without blank ones at either end, and not too many."""
    kept = list(lines)
    while kept and not kept[0].strip():
        kept.pop(0)
    while kept and not kept[-1].strip():
        kept.pop()
    return tuple(kept[:LONGEST_QUOTE_LINES])


def _unwrapped(lines: tuple[str, ...]) -> tuple[str, ...]:
    """The lines without a code fence or backticks around them, and without a mark that a line was cut."""
    inner = _trimmed(line for line in lines if not line.lstrip().startswith("```"))
    if len(inner) == 1:
        inner = (inner[0].strip().strip("`"),)
    return _trimmed(_CUT.sub("", line) for line in inner)


def _unmarked(lines: tuple[str, ...]) -> _Reading:
    """The lines without line numbers and diff marks; a removed line stands only in the base, an added one in the head."""
    numbers = [_NUMBERED.match(line) for line in lines]
    if all(number or not line.strip() for number, line in zip(numbers, lines, strict=True)):
        lines = tuple(line[number.end() :] if number else line for number, line in zip(numbers, lines, strict=True))
    marked = [(line.lstrip()[:1], line) for line in lines]
    bare = [(mark, line.lstrip()[1:] if mark in ("+", "-") else line) for mark, line in marked]
    return _Reading(
        head=_trimmed(line for mark, line in bare if mark != "-"),
        base=_trimmed(line for mark, line in bare if mark != "+"),
    )


# --- where it may stand -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Span:
    """Lines start to end (inclusive) of a side, and whether they are the quote to the last space."""

    start: int
    end: int
    exact: bool = False


@dataclass(frozen=True)
class _Run:
    """Lines that follow each other, the first of which has the number `first`."""

    first: int
    lines: Sequence[str]

    @cached_property
    def keys(self) -> list[str]:
        """Each line without its spaces."""
        return [_key(line) for line in self.lines]

    @cached_property
    def text(self) -> str:
        """All keys in one text, each between two line feeds, so that one search finds whole lines and parts alike."""
        return "\n" + "".join(f"{key}\n" for key in self.keys)


class _Face:
    """One side of the file: its runs of lines, which of them changed, and where its hunks are."""

    side: Side
    runs: Sequence[_Run]

    def __init__(self, file: FileDiff, *, mark: str, other_mark: str, spans: Iterable[tuple[int, int]]) -> None:
        hunks = [(start, count, index) for index, (start, count) in enumerate(spans)]
        self._path = file.path
        self._hunks = sorted((start, start + count - 1, index) for start, count, index in hunks if count)
        self._starts = [start for start, _, _ in self._hunks]
        shown_lines = [
            (start, [raw for raw in hunk.body if raw[0] != other_mark])
            for hunk, (start, _, _) in zip(file.hunks, hunks, strict=True)
        ]
        self.runs = [_Run(start, [raw[1:] for raw in shown]) for start, shown in shown_lines]
        self.changed = frozenset(
            number for start, shown in shown_lines for number, raw in enumerate(shown, start) if raw[0] == mark
        )

    def choose(self, spans: list[_Span], hint: int | None) -> Anchor | Outside | None:
        """The best place: at the hint, inside a hunk, the same to the last space, all of it shown, near the hint, changed,
        the first.
        """

        def preference(place: tuple[_Span, Anchor | None]) -> tuple[object, ...]:
            span, anchor = place
            away = _distance(span, hint)
            changed = anchor is not None and not self.changed.isdisjoint(range(anchor.start_line, anchor.line + 1))
            cut = anchor is not None and anchor.line - anchor.start_line < span.end - span.start
            return away > 0, anchor is None, not span.exact, cut, away, not changed, span.start

        best = min(self._places(spans), key=preference, default=None)
        if best is None:
            return None
        span, anchor = best
        return anchor if anchor is not None else Outside(span.start)

    def _places(self, spans: list[_Span]) -> Iterator[tuple[_Span, Anchor | None]]:
        return ((span, self._anchor(span.start, span.end)) for span in spans)

    def _anchor(self, first: int, last: int) -> Anchor | None:
        """The lines inside the hunk that shows most of what changed in them, None when no hunk shows any."""
        parts = list(self._parts(first, last))
        if not parts:
            return None
        start, end, hunk = max(parts, key=lambda part: len(self.changed.intersection(range(part[0], part[1] + 1))))
        return Anchor(path=self._path, side=self.side, start_line=start, line=end, hunk=hunk)

    def _parts(self, first: int, last: int) -> Iterator[tuple[int, int, int]]:
        before = max(bisect_right(self._starts, first) - 1, 0)
        for start, end, index in self._hunks[before : bisect_right(self._starts, last)]:
            if end >= first:
                yield max(start, first), min(end, last), index


class _Head(_Face):
    """The head: the whole file where it can be read, else what the hunks show of it."""

    side = Side.RIGHT

    def __init__(self, file: FileDiff, head_lines: Sequence[str] | None) -> None:
        spans = ((hunk.new_start, hunk.new_count) for hunk in file.hunks)
        super().__init__(file, mark="+", other_mark="-", spans=spans)
        if head_lines is not None:
            self.runs = [_Run(1, head_lines)]


class _Base(_Face):
    """The base, as far as the hunks show it. Only removed lines are worth a comment there."""

    side = Side.LEFT

    def __init__(self, file: FileDiff) -> None:
        spans = ((hunk.old_start, hunk.old_count) for hunk in file.hunks)
        super().__init__(file, mark="-", other_mark="+", spans=spans)

    def _places(self, spans: list[_Span]) -> Iterator[tuple[_Span, Anchor | None]]:
        for span in spans:
            removed = self.changed.intersection(range(span.start, span.end + 1))
            if removed:
                yield span, self._anchor(min(removed), max(removed))


def _distance(span: _Span, hint: int | None) -> int:
    """How many lines the hint is away from the span; 0 without a hint, so that nothing is preferred by it."""
    return 0 if hint is None else max(span.start - hint, 0, hint - span.end)


# --- the three searches -----------------------------------------------------------------------------------------------


def _whole_lines(quoted: Sequence[str], face: _Face) -> list[_Span]:
    """Where the quoted lines stand, each as a whole line, whatever their spaces."""
    wanted = "\n" + "".join(f"{_key(line)}\n" for line in quoted)
    return [
        _Span(run.first + at, run.first + at + len(quoted) - 1, _is_exact(quoted, run.lines[at : at + len(quoted)]))
        for run in face.runs
        for at in _occurrences(wanted, run.text)
    ]


def _parts_of_lines(quoted: Sequence[str], face: _Face) -> list[_Span]:
    """Where the quote stands when its first line may begin, and its last line may end, in the middle of a real one."""
    wanted = "\n".join(_key(line) for line in quoted)
    if len(_said(wanted)) < PART_CHARACTERS:
        return []
    return [
        _Span(run.first + at, run.first + at + len(quoted) - 1)
        for run in face.runs
        for at in _occurrences(wanted, run.text)
    ]


def _telling_line(quoted: Sequence[str], face: _Face) -> list[_Span]:
    """The one place of the quote's longest line, with the neighbours that the quote has right; none if there are two."""
    keys = [_key(line) for line in quoted]
    telling = max(range(len(keys)), key=lambda index: len(_said(keys[index])))
    if len(_said(keys[telling])) < TELLING_CHARACTERS:
        return []
    places = [(run, at) for run in face.runs for at in _near(keys[telling], run)]
    if len(places) != 1:
        return []
    run, at = places[0]
    above = _agreeing(reversed(keys[:telling]), reversed(run.keys[:at]))
    below = _agreeing(keys[telling + 1 :], run.keys[at + 1 :])
    return [_Span(run.first + at - above, run.first + at + below)]


def _near(wanted: str, run: _Run) -> list[int]:
    """The lines that hold the wanted one, or most of it."""
    holding = set(_occurrences(wanted, run.text))
    least = max(TELLING_CHARACTERS, NEAR_SHARE * len(wanted))
    return sorted(holding.union(at for at, key in enumerate(run.keys) if len(key) >= least and key in wanted))


def _agreeing(quoted: Iterable[str], real: Iterable[str]) -> int:
    """How many lines are the same, from the first on."""
    count = 0
    for one, other in zip(quoted, real, strict=False):
        if one != other:
            break
        count += 1
    return count


def _occurrences(wanted: str, text: str) -> Iterator[int]:
    """The indices of a run's lines where the wanted keys begin, at most `MOST_PLACES`.

    Wanted keys that begin with a line feed begin a line, others may begin inside one. A secret's placeholder stands for
    any characters of its line.
    """
    begins_a_line = wanted.startswith("\n")
    leading = _PLACEHOLDERS_FIRST.match(wanted)
    first, *others = _PLACEHOLDER.split(wanted[leading.end() :] if leading else wanted)
    newlines, counted, position = 0, 0, -1
    for _ in range(MOST_PLACES):
        position = text.find(first, position + 1)
        if position < 0:
            return
        newlines += text.count("\n", counted, position)
        counted = position
        if _follow(others, text, position + len(first)):
            yield newlines if begins_a_line else newlines - 1


def _follow(pieces: list[str], text: str, position: int) -> bool:
    """Whether the pieces come one after the other, each on the line where the one before it ended."""
    for piece in pieces:
        found = text.find(piece, position)
        if found < 0 or "\n" in text[position:found]:
            return False
        position = found + len(piece)
    return True


def _is_exact(quote: Sequence[str], real: Sequence[str]) -> bool:
    return [line.rstrip() for line in quote] == [line.rstrip() for line in real]


def _key(line: str) -> str:
    return "".join(line.split())


def _said(text: str) -> str:
    """What of a text says something: no placeholder, no line feed."""
    return _PLACEHOLDER.sub("", text).replace("\n", "")


def _says_something(quoted: Sequence[str]) -> bool:
    """Whether the quote holds a letter or a digit; brackets alone stand everywhere, so they count only at the hint."""
    return any(character.isalnum() for line in quoted for character in _said(line))
