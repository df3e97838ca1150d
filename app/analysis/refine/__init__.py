"""The refine steps of the detectors, by the names that `rules/` uses. One file per rule; each is found by being here.

A refine looks at the context of one candidate and says whether the rule is broken there. A search does the whole work on
a file's text, for detectors without a pattern.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable
from functools import cache

from app.analysis.context import Candidate, FileContext, Match

Refine = Callable[[Candidate], Match | None]
Search = Callable[[FileContext], Iterable[Match]]

_refines: dict[str, Refine] = {}
_searches: dict[str, Search] = {}


def refines(name: str) -> Callable[[Refine], Refine]:
    """Registers a refine step under the name that detectors use."""

    def register(step: Refine) -> Refine:
        _refines[name] = step
        return step

    return register


def searches(name: str) -> Callable[[Search], Search]:
    """Registers a text search under the name that detectors use."""

    def register(step: Search) -> Search:
        _searches[name] = step
        return step

    return register


def refine(name: str) -> Refine:
    """The refine step of that name; without a name every candidate counts. Raises `KeyError` for an unknown one."""
    _load()
    return _refines[name] if name else _as_it_is


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
