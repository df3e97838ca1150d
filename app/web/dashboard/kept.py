"""Sums that are made at most once in a while: whoever asks in between gets the last one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

T = TypeVar("T")

KEPT_SECONDS = 60.0


class Kept:
    """Values by name, each for so long. From any thread: one makes a value, the others wait for it."""

    def __init__(self, *, seconds: float = KEPT_SECONDS, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._made: dict[Hashable, tuple[float, Any]] = {}

    def get(self, name: Hashable, make: Callable[[], T]) -> T:
        """The value of this name, made now if there is none that is young enough."""
        with self._lock:
            kept: tuple[float, T] | None = self._made.get(name)
            if kept is None or self._clock() - kept[0] >= self._seconds:
                kept = self._made[name] = self._clock(), make()
        return kept[1]
