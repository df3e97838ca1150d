"""A pattern in, names out one of which stands in every text that it matches: `^(?:get|post)$` needs `get` or `post`.

A file that holds none of them need not be parsed for the pattern. Of what is not understood nothing is said, so a pattern
may need less than it could, and never more.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

LEAST_NAME = 2
_NAME_CHARACTER = re.compile(r"[A-Za-z0-9_$]")
_REPEAT = re.compile(r"[*?]|\{0[,}]|\{,")
_QUANTIFIER = re.compile(r"(?:[*+?]|\{\d*,?\d*\})[?+]?")
_BEYOND = re.compile(r"\(\?(?!:|=|!|<|P<)|\\[xuUN0-9]")
"""Flags, references and characters by their numbers are not read here."""
_CLASS = re.compile(r"\[\^?\]?(?:\\.|[^\]\\])*\]")
_ASKS = re.compile(r"\?(?:=|!|<=|<!)")
_OPENS_GROUP = re.compile(r"\?:|\?P?<\w+>")

_AFTER_CALLEE = (*"(<`?#\\;,) \t\r\n\f\v\u00a0\ufeff", "//", "/*")
"""Brackets, a template, an optional call, the end of `new Name`, white space, and what a comment begins with."""

Names = frozenset[str]
Needs = tuple[Names, ...]
"""Sets of words, of each of which one must stand in a text."""
_NONE: Names = frozenset()


def names(asked: str | re.Pattern[str]) -> Names:
    """The names, of which every matching text holds one; none where nothing of the kind can be said."""
    return _read(asked).needs


def endings(asked: str | re.Pattern[str]) -> Names:
    """The names, with one of which every match ends, and the text with it; none where nothing of the kind can be said."""
    said = _read(asked)
    return said.ends if said.closes else _NONE


def called(asked: str | re.Pattern[str]) -> Names:
    """What stands in every text in which a name is called that the pattern matches: its ending, and a sign that can follow it."""
    return frozenset(f"{ending}{sign}" for ending in endings(asked) for sign in _AFTER_CALLEE)


def imports(modules: Iterable[str]) -> Names:
    """What stands in every text that imports one of the modules."""
    return frozenset(f"{module}{quote}" for module in modules for quote in "\"'")


@dataclass(frozen=True)
class _Said:
    """What every match of a part of a pattern holds, what it ends with, and whether the text ends there too."""

    needs: Names = _NONE
    ends: Names = _NONE
    closes: bool = False


@cache
def _read(asked: str | re.Pattern[str]) -> _Said:
    pattern = asked if isinstance(asked, str) else asked.pattern
    if _BEYOND.search(pattern) or (isinstance(asked, re.Pattern) and asked.flags & re.IGNORECASE):
        return _Said()
    reader = _Reader(pattern)
    found = reader.alternatives()
    return found if reader.place == len(pattern) else _Said()


@dataclass
class _Reader:
    """Reads a pattern once, from its start to its end."""

    pattern: str
    place: int = 0

    @property
    def at_end(self) -> bool:
        """Whether all was read."""
        return self.place >= len(self.pattern)

    def alternatives(self) -> _Said:
        """What `a|b|c` needs: all of what each needs, or nothing when one of them needs nothing. So with what it ends with."""
        found = [self._sequence()]
        while self._takes("|"):
            found.append(self._sequence())
        needs, ends = [one.needs for one in found], [one.ends for one in found]
        return _Said(
            _NONE.union(*needs) if all(needs) else _NONE,
            _NONE.union(*ends) if all(ends) else _NONE,
            all(one.closes for one in found),
        )

    def _sequence(self) -> _Said:
        """What the hardest part of a sequence needs, and what its last part ends with."""
        needs: list[Names] = []
        run, last = "", _Said()
        while not self.at_end and self._next not in "|)":
            if self._takes("$"):
                # The text ends here, with what was read last.
                last = _Said(ends=_of_run(run) or last.ends, closes=True)
                needs.append(_of_run(run))
                run = ""
                continue
            part = self._part()
            is_optional = _REPEAT.match(self.pattern, self.place) is not None
            repeat = _QUANTIFIER.match(self.pattern, self.place)
            if repeat is not None:
                self.place = repeat.end()
            if isinstance(part, str) and not repeat:
                run, last = run + part, _Said()
                continue
            # What may be left out, or stand there more than once, ends a name.
            needs.append(_of_run(run if is_optional or not isinstance(part, str) else run + part))
            run, last = "", part if isinstance(part, _Said) and not repeat else _Said()
            if isinstance(part, _Said) and not is_optional:
                needs.append(part.needs)
        needs.append(_of_run(run))
        hardest = max(needs, key=lambda some: min(map(len, some), default=0))
        return _Said(hardest, last.ends or _of_run(run), last.closes)

    def _part(self) -> str | _Said:
        """One character that a name can hold, or what a group needs; nothing for any other part."""
        one = self._next
        if one == "(":
            return self._group()
        if one == "[":
            return self._skip(_CLASS)
        if one == "\\":
            escaped = self.pattern[self.place + 1 : self.place + 2]
            self.place += 2
            return "$" if escaped == "$" else _Said()
        self.place += 1
        return one if _NAME_CHARACTER.match(one) else _Said()

    def _group(self) -> _Said:
        self.place += 1
        asks = _ASKS.match(self.pattern, self.place)
        self._skip(_ASKS if asks is not None else _OPENS_GROUP)
        found = self.alternatives()
        if not self._takes(")"):
            # Nothing closes it: past the end, which says that the pattern was not understood.
            self.place = len(self.pattern) + 1
        return _Said() if asks else found

    def _skip(self, what: re.Pattern[str]) -> _Said:
        found = what.match(self.pattern, self.place)
        self.place = found.end() if found is not None else self.place
        return _Said()

    def _takes(self, one: str) -> bool:
        if self.at_end or self._next != one:
            return False
        self.place += 1
        return True

    @property
    def _next(self) -> str:
        return self.pattern[self.place]


def _of_run(run: str) -> Names:
    return frozenset((run,)) if len(run) >= LEAST_NAME else _NONE
