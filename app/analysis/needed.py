"""A pattern in, names out one of which stands in every text that it matches: `^(?:get|post)$` needs `get` or `post`.

A file that holds none of them need not be parsed for the pattern. Of what is not understood nothing is said, so a pattern
may need less than it could, and never more.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

LEAST_NAME = 2
_NAME_CHARACTER = re.compile(r"[A-Za-z0-9_$]")
_REPEAT = re.compile(r"[*?]|\{0[,}]|\{,")
_QUANTIFIER = re.compile(r"(?:[*+?]|\{\d*,?\d*\})[?+]?")
_BEYOND = re.compile(r"\(\?(?!:|=|!|<|P<)|\\[xuUN0-9]")
"""Flags, references and characters by their numbers are not read here."""
_CLASS = re.compile(r"\[\^?\]?(?:\\.|[^\]\\])*\]")

Names = frozenset[str]


def names(pattern: str) -> Names:
    """The names, of which every matching text holds one; none where nothing of the kind can be said."""
    if _BEYOND.search(pattern):
        return frozenset()
    reader = _Reader(pattern)
    found = reader.alternatives()
    return found if reader.place == len(pattern) else frozenset()


@dataclass
class _Reader:
    """Reads a pattern once, from its start to its end."""

    pattern: str
    place: int = 0

    @property
    def at_end(self) -> bool:
        """Whether all was read."""
        return self.place >= len(self.pattern)

    def alternatives(self) -> Names:
        """What `a|b|c` needs: all of what each needs, or nothing when one of them needs nothing."""
        found = [self._sequence()]
        while self._takes("|"):
            found.append(self._sequence())
        return frozenset().union(*found) if all(found) else frozenset()

    def _sequence(self) -> Names:
        """What the hardest part of a sequence needs."""
        needs: list[Names] = []
        run = ""
        while not self.at_end and self._next not in "|)":
            part = self._part()
            is_optional = _REPEAT.match(self.pattern, self.place) is not None
            repeat = _QUANTIFIER.match(self.pattern, self.place)
            if repeat is not None:
                self.place = repeat.end()
            if isinstance(part, str) and part and not repeat:
                run += part
                continue
            # What may be left out, or stand there more than once, ends a name.
            needs.append(_of_run(run if is_optional or not isinstance(part, str) else run + part))
            run = ""
            if not isinstance(part, str) and not is_optional:
                needs.append(part)
        needs.append(_of_run(run))
        return max(needs, key=lambda some: min(map(len, some), default=0))

    def _part(self) -> str | Names:
        """One character that a name can hold, or what a group needs; nothing for any other part."""
        one = self._next
        if one == "(":
            return self._group()
        if one == "[":
            return self._skip(_CLASS)
        if one == "\\":
            escaped = self.pattern[self.place + 1 : self.place + 2]
            self.place += 2
            return "$" if escaped == "$" else frozenset()
        self.place += 1
        return one if one != "$" and _NAME_CHARACTER.match(one) else frozenset()

    def _group(self) -> Names:
        self.place += 1
        asks = re.compile(r"\?(?:=|!|<=|<!)").match(self.pattern, self.place)
        if asks is None:
            self._skip(re.compile(r"\?:|\?P?<\w+>"))
        found = self.alternatives()
        if not self._takes(")"):
            # Nothing closes it: past the end, which says that the pattern was not understood.
            self.place = len(self.pattern) + 1
        return frozenset() if asks else found

    def _skip(self, what: re.Pattern[str]) -> Names:
        found = what.match(self.pattern, self.place)
        self.place = found.end() if found is not None else self.place
        return frozenset()

    def _takes(self, one: str) -> bool:
        if self.at_end or self._next != one:
            return False
        self.place += 1
        return True

    @property
    def _next(self) -> str:
        return self.pattern[self.place]


def _of_run(run: str) -> Names:
    return frozenset((run,)) if len(run) >= LEAST_NAME else frozenset()
