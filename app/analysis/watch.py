"""Runs one detector on one file, stops it when it works too long, and keeps what it could not do."""

from __future__ import annotations

import signal
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TypeVar

from app.analysis.context import Match
from app.analysis.probe import Probe
from app.core.source import ScanNote

MATCHES_PER_DETECTOR_AND_FILE = 50
TICK_SECONDS = 0.1
SECONDS_PER_DETECTOR = 2.0
"""Of processor time and per request, so that a busy machine does not switch rules off."""


_Answer = TypeVar("_Answer")


class _OutOfTime(BaseException):
    """Raised into a detector that works too long. No `Exception`, so that no refine step swallows it."""


class Watch:
    """Runs one detector on one file, and keeps the time and the failures of each."""

    def __init__(self, seconds_each: float) -> None:
        self.notes: list[ScanNote] = []
        self._seconds_each = seconds_each
        self._spent: defaultdict[tuple[str, str], float] = defaultdict(float)
        self._out: set[tuple[str, str]] = set()
        self._ends_at: float | None = None

    @contextmanager
    def ticking(self) -> Iterator[None]:
        """Looks at the clock a few times a second and stops the detector that is over its time.

        Only the main thread can be interrupted, and only in Python and in patterns of `re`; the matcher of trees has its own
        bounds, and the scanner ends a worker that is stuck.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.signal(signal.SIGPROF, self._tick)
        signal.setitimer(signal.ITIMER_PROF, TICK_SECONDS, TICK_SECONDS)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.signal(signal.SIGPROF, before)

    def _tick(self, number: int, frame: FrameType | None) -> None:
        if self._ends_at is not None and time.thread_time() > self._ends_at:
            self._ends_at = None
            raise _OutOfTime

    def is_out(self, probe: Probe) -> bool:
        """Whether the detector failed or used up its time, so that it says nothing more."""
        return (probe.rule, probe.detector.name) in self._out

    def run(
        self, probe: Probe, path: str, look: Callable[[], list[Match]], *, most: int = MATCHES_PER_DETECTOR_AND_FILE
    ) -> list[Match]:
        """What the look finds; nothing when the detector is out, or fails now."""
        found = self.ask(probe, path, look, otherwise=list[Match]())
        if len(found) >= most:
            self.note(probe, f"has more than {most} matches in {path}; the rest is not shown")
        return found

    def ask(self, probe: Probe, path: str, look: Callable[[], _Answer], *, otherwise: _Answer) -> _Answer:
        """What the look says; otherwise, when the detector is out, or fails now."""
        key = (probe.rule, probe.detector.name)
        if key in self._out:
            return otherwise
        started = time.thread_time()
        found = otherwise
        try:
            self._ends_at = started + self._seconds_each - self._spent[key]
            found = look()
            self._ends_at = None
        except (KeyboardInterrupt, SystemExit):
            raise
        except _OutOfTime:
            pass
        except BaseException as error:  # noqa: BLE001 - the matcher's panics derive from BaseException
            self.note(probe, f"failed on {path}: {_brief(error)}")
            self._out.add(key)
            return otherwise
        finally:
            self._ends_at = None
        self._spent[key] += time.thread_time() - started
        if self._spent[key] > self._seconds_each:
            self.note(probe, f"used up its {self._seconds_each:g} seconds and was left out after {path}")
            self._out.add(key)
        return found

    def note(self, probe: Probe, reason: str) -> None:
        """Remembers something that the detector could not do."""
        self.notes.append(ScanNote(f"{probe.rule}/{probe.detector.name}", reason))


def _brief(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__
