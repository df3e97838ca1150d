"""Work that was queued by this process starts at once, although the job engine only looks into its queues now and then.

The engine polls: a look costs milliseconds of CPU, also when there is nothing, and it cannot be told that there is something.
Between two looks each queue's thread waits on the event that stops it; here that wait ends early for a queue that was rung for.
A contract test holds the engine to it; should it fail, work starts at the next look, and nothing else changes.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Sequence

THREAD = "queue-worker-"
LOOKS = 2
"""The second one finds what the first was too early for: a slot is free only a moment after its job says that it ended."""
APART_SECONDS = 0.25


class Nudge:
    """Wakes the threads that wait on these events, queue by queue, and never more often than `APART_SECONDS`."""

    def __init__(self, stopping: Sequence[threading.Event]) -> None:
        self._changed = threading.Condition()
        self._wanted: Counter[str] = Counter()
        self._looked_at: dict[str, float] = {}
        for event in stopping:
            self._take_over(event)

    def ring(self, queue: str) -> None:
        """There is something in this queue, or room for it."""
        with self._changed:
            self._wanted[THREAD + queue] = LOOKS
            self._changed.notify_all()

    def _take_over(self, stopping: threading.Event) -> None:
        wait_plainly, set_plainly = stopping.wait, stopping.set

        def wait(timeout: float | None = None) -> bool:
            name = threading.current_thread().name
            if timeout is None or not name.startswith(THREAD):
                return wait_plainly(timeout)
            self._wait(stopping, name, timeout)
            return stopping.is_set()

        def stop() -> None:
            set_plainly()
            with self._changed:
                self._changed.notify_all()

        stopping.wait, stopping.set = wait, stop  # type: ignore[method-assign]

    def _wait(self, stopping: threading.Event, name: str, timeout: float) -> None:
        end = time.monotonic() + timeout
        with self._changed:
            while not stopping.is_set():
                rung = self._looked_at.get(name, 0.0) + APART_SECONDS
                wait = (min(end, rung) if self._wanted[name] else end) - time.monotonic()
                if wait <= 0:
                    break
                self._changed.wait(wait)
            self._looked_at[name] = time.monotonic()
            self._wanted[name] = max(0, self._wanted[name] - 1)
