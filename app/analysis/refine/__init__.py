"""The refine steps of the detectors, by the names that `rules/` uses. One file per rule; each is found by being here.

A refine looks at the context of one candidate and says whether the rule is broken there; of which files it wants candidates
at all, and which words must stand in them, it says before they are parsed. A search does the whole work on a file's text,
for detectors without a pattern.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable
from functools import cache

from app.analysis.context import Candidate, FileContext, Match
from app.analysis.needed import Needs
from app.analysis.where import Where, anywhere

Refine = Callable[[Candidate], Match | None]
Search = Callable[[FileContext], Iterable[Match]]

_refines: dict[str, Refine] = {}
_searches: dict[str, Search] = {}
_wheres: dict[str, Where] = {}
_needs: dict[str, Needs] = {}
_shows: dict[str, Where] = {}


def refines(
    name: str, *, where: Where = anywhere, needs: Needs = (), shows: Where = anywhere
) -> Callable[[Refine], Refine]:
    """Registers a refine step under the name that detectors use, for the files of which `where` is true.

    In a file without one word of each set of `needs`, or of which `shows` is not true, the step would find nothing. Both are
    told from the text, so that no tree is built for nothing.
    """

    def register(step: Refine) -> Refine:
        _refines[name] = step
        _wheres[name] = where
        _needs[name] = needs
        _shows[name] = shows
        return step

    return register


def searches(name: str, *, where: Where = anywhere) -> Callable[[Search], Search]:
    """Registers a text search under the name that detectors use, for the files of which `where` is true."""

    def register(step: Search) -> Search:
        _searches[name] = step
        _wheres[name] = where
        return step

    return register


def refine(name: str) -> Refine:
    """The refine step of that name; without a name every candidate counts. Raises `KeyError` for an unknown one."""
    _load()
    return _refines[name] if name else _as_it_is


def is_asked(name: str, file: FileContext) -> bool:
    """Whether the step or search of that name wants the file; unknown names want every file."""
    _load()
    return _wheres.get(name, anywhere)(file)


def shows(name: str) -> Where:
    """What the text of a file shows where the step of that name may find something; `anywhere` when it is not asked."""
    _load()
    return _shows.get(name, anywhere)


def needs(name: str) -> Needs:
    """The words that a file must hold for the step of that name, one of each set; none are known of searches."""
    _load()
    return _needs.get(name, ())


def search(name: str) -> Search:
    """The text search of that name. Raises `KeyError` for an unknown one."""
    _load()
    return _searches[name]


def names() -> frozenset[str]:
    """Every name that a detector may use in `refine`."""
    _load()
    return frozenset(_refines) | frozenset(_searches)


def _as_it_is(candidate: Candidate) -> Match:
    return candidate.match()


@cache
def _load() -> None:
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
