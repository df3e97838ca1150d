"""Detectors and a file in, the detectors whose words stand in the file out.

Hundreds of detectors name a thousand literals, most of which share a name (`.create(`, `create`, `createUser`), and a file
holds few of them. So the names are looked for first, each once, in the file's own names; only where one stands are the
literals with that name looked for.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Protocol

from app.analysis.context import FileContext

_NAME = re.compile(r"[A-Za-z0-9_$]+")


class Prefiltered(Protocol):
    """What names literals, one of which a file must hold; none, when every file will do."""

    @property
    def prefilter(self) -> tuple[str, ...]:
        """The literals."""
        ...


@dataclass(frozen=True, slots=True)
class _Literal:
    """A literal, where it is looked for, and the places of those that name it."""

    text: str
    is_spaced: bool
    is_name: bool
    places: tuple[int, ...]

    def stands_in(self, file: FileContext) -> bool:
        """Whether the file holds the literal, when its names hold the literal's name."""
        return self.is_name or self.text in (file.text if self.is_spaced else file.words)


class Index:
    """Finds which of some detectors are worth running on a file."""

    def __init__(self, wanted: Sequence[Prefiltered]) -> None:
        self._always = [place for place, one in enumerate(wanted) if not one.prefilter]
        places: defaultdict[str, list[int]] = defaultdict(list)
        for place, one in enumerate(wanted):
            for text in one.prefilter:
                places[text].append(place)
        self._by_name: defaultdict[str, list[_Literal]] = defaultdict(list)
        for text, some in places.items():
            name = _name(text)
            self._by_name[name].append(_Literal(text, text.split() != [text], text == name, tuple(some)))

    def places(self, file: FileContext) -> list[int]:
        """The places of those that may see something in the file, in their order."""
        found, names = set(self._always), file.names
        for name, literals in self._by_name.items():
            if name in names:
                for literal in literals:
                    if not found.issuperset(literal.places) and literal.stands_in(file):
                        found.update(literal.places)
        return sorted(found)


def holds(file: FileContext, literals: tuple[str, ...]) -> bool:
    """Whether one of the literals stands in the file."""
    return any(literal in (file.text if literal.split() != [literal] else file.words) for literal in literals)


@cache
def _name(literal: str) -> str:
    """The longest name in a literal; empty where it is all signs."""
    return max(_NAME.findall(literal), key=len, default="")
