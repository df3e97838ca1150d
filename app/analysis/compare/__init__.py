"""The steps of diff-level detectors, by the names that `compare: {step: NAME}` uses. One file per rule; each is found by
being here.

A step is given one changed file on both sides and says where the rule is broken between them.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable
from functools import cache

from app.analysis.context import Match, Pair

Step = Callable[[Pair], Iterable[Match]]

_steps: dict[str, Step] = {}


def compares(name: str) -> Callable[[Step], Step]:
    """Registers a step under the name that detectors use."""

    def register(step: Step) -> Step:
        _steps[name] = step
        return step

    return register


def step(name: str) -> Step:
    """The step of that name. Raises `KeyError` for an unknown one."""
    _load()
    return _steps[name]


def names() -> frozenset[str]:
    """Every name that a detector may use in `compare: {step: …}`."""
    _load()
    return frozenset(_steps)


@cache
def _load() -> None:
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
