"""Detectors and a file in, the detectors whose words stand in the file out.

Hundreds of detectors name a thousand literals, most of which share a name (`.create(`, `create`, `createUser`), and a file
holds few of them. So the names are looked for first, in the file's own names; only where one stands are the literals with that
name looked for.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Protocol

from app.analysis.context import FileContext
from app.analysis.finder import Needs

MOST_NAMES = 50_000
"""Of files that were looked at, so that they are known for the next."""
MOST_NAMES_OF_A_FILE = 5_000
"""A file with more is a machine's, and its names are no other's."""
_NAME = re.compile(r"[A-Za-z0-9_$]+")


class Prefiltered(Protocol):
    """What names literals, one of which a file must hold; none, when every file will do."""

    @property
    def prefilter(self) -> tuple[str, ...]:
        """The literals."""
        ...


@dataclass(frozen=True, slots=True)
class _Literal:
    """A literal, and the places of those that name it."""

    text: str
    is_name: bool
    places: frozenset[int]

    def stands_in(self, file: FileContext) -> bool:
        """Whether the file holds the literal, when its names hold the literal's name."""
        return self.is_name or self.text in file.text


class Index:
    """Finds which of some detectors are worth running on a file.

    The files of a repository share their names, so what a name holds is looked up once for all of them.
    """

    def __init__(self, wanted: Sequence[Prefiltered]) -> None:
        self._always = frozenset(place for place, one in enumerate(wanted) if not one.prefilter)
        places: defaultdict[str, set[int]] = defaultdict(set)
        for place, one in enumerate(wanted):
            for text in one.prefilter:
                places[text].add(place)
        self._by_name: defaultdict[str, list[_Literal]] = defaultdict(list)
        for text, some in places.items():
            name = _name(text)
            self._by_name[name].append(_Literal(text, text == name, frozenset(some)))
        self._known: set[str] = set()
        self._telling: dict[str, set[str]] = {}

    def places(self, file: FileContext) -> list[int]:
        """The places of those that may see something in the file, in their order."""
        found = set(self._always)
        for name in self._by_name.keys() & {"", *self._held(file)}:
            for literal in self._by_name[name]:
                if not literal.places <= found and literal.stands_in(file):
                    found |= literal.places
        return sorted(found)

    def _held(self, file: FileContext) -> Iterable[str]:
        """The literals' names that stand in the file's names."""
        if len(file.names) > MOST_NAMES_OF_A_FILE:
            return [name for name in self._by_name if name in file.named]
        self._learn(file.names)
        return frozenset[str]().union(*(self._telling[name] for name in file.names if name in self._telling))

    def _learn(self, names: frozenset[str]) -> None:
        """Looks up what the names hold that were not met before."""
        if len(self._known) > MOST_NAMES:
            self._known.clear()
            self._telling.clear()
        fresh = names - self._known
        text = "\n".join(fresh)
        told: defaultdict[str, set[str]] = defaultdict(set)
        for wanted in [name for name in self._by_name if name and name in text]:
            for name in fresh:
                if wanted in name:
                    told[name].add(wanted)
        self._telling |= told
        self._known |= fresh


def holds(file: FileContext, literals: tuple[str, ...]) -> bool:
    """Whether one of the literals stands in the file."""
    return any(literal in file.text for literal in literals)


def meets(file: FileContext, alternatives: tuple[Needs, ...]) -> bool:
    """Whether of each set of one of the alternatives a name stands in the file."""
    held = file.named
    return any(all(any(name in held for name in some) for some in needs) for needs in alternatives)


@cache
def _name(literal: str) -> str:
    """The longest name in a literal; empty where it is all signs."""
    return max(_NAME.findall(literal), key=len, default="")
