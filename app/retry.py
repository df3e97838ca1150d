"""Trying again: work that may fail for a while → its result, or the last `Transient` after a bounded number of tries.

    reply = await retry.call(ask, tries=4, breaker=breaker)

The one door to tenacity. Waits grow by doubling with full jitter, so that callers who failed together do not come back
together, and are never shorter than the other side asked for. Whoever asks for more patience than a caller has gets its
`Transient` passed on at once: the job engine waits better than a coroutine does. A `Breaker` remembers across calls.
"""

from __future__ import annotations

import asyncio
import random as randomness
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import TypeVar

import tenacity

from app.errors import Code, Permanent, PrincipalError, Transient

T = TypeVar("T")

TRIES = 4
FIRST_WAIT_SECONDS = 2.0
LONGEST_WAIT_SECONDS = 30.0
LONGEST_ASKED_WAIT_SECONDS = 120.0
"""The longest `Retry-After` that is waited out here."""

FAILURES_TO_OPEN = 5
PAUSE_SECONDS = 60.0
LONG_PAUSE_SECONDS = 600.0

NOT_TRIED_AGAIN = frozenset({Code.MODEL_PAUSED, Code.GITHUB_ANSWER_UNKNOWN})
"""An open breaker says no for a while; a write whose answer was lost must be looked for first."""
OPENS_AT_ONCE = frozenset({Code.MODEL_CREDIT, Code.MODEL_UNAUTHORIZED})
"""What no other job can get past either, until a person has acted."""


async def call(
    work: Callable[[], Awaitable[T]],
    *,
    tries: int = TRIES,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    random: Callable[[], float] = randomness.random,
    breaker: Breaker | None = None,
) -> T:
    """The result of `work`, tried up to `tries` times while it raises `Transient`.

    Raises what `work` raised last, and `Transient` without any try while the breaker is open. A call that probes a
    recovering breaker has one try.
    """
    if breaker is None:
        return await _tried(work, tries=tries, sleep=sleep, random=random)
    with breaker.admit() as probing:
        return await _tried(work, tries=1 if probing else tries, sleep=sleep, random=random)


async def _tried(
    work: Callable[[], Awaitable[T]],
    *,
    tries: int,
    sleep: Callable[[float], Awaitable[None]],
    random: Callable[[], float],
) -> T:
    async def attempt() -> T:
        # A plain function that gives an awaitable would be called by tenacity and not awaited.
        return await work()

    policy = tenacity.AsyncRetrying(
        stop=tenacity.stop_after_attempt(tries),
        retry=tenacity.retry_if_exception(_worth_another_try),
        wait=lambda state: wait_seconds(state.attempt_number, failure=_failure(state), random=random),
        sleep=sleep,
        reraise=True,
    )
    return await policy(attempt)


def longest_seconds(one_try_seconds: float) -> float:
    """How long `call` takes at most for work that takes so long at most, with all its tries and waits."""
    return TRIES * one_try_seconds + (TRIES - 1) * (LONGEST_ASKED_WAIT_SECONDS + LONGEST_WAIT_SECONDS)


def wait_seconds(attempt: int, *, failure: BaseException | None, random: Callable[[], float]) -> float:
    """How long to wait after try number `attempt` (1 is the first): what was asked for, if anything, and jitter on top."""
    jitter = random() * min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2.0 ** (attempt - 1))
    asked = failure.retry_after_seconds if isinstance(failure, Transient) else None
    return jitter if asked is None else asked + min(jitter, FIRST_WAIT_SECONDS)


def _worth_another_try(failure: BaseException) -> bool:
    if not isinstance(failure, Transient) or failure.code in NOT_TRIED_AGAIN:
        return False
    return (failure.retry_after_seconds or 0.0) <= LONGEST_ASKED_WAIT_SECONDS


def _failure(state: tenacity.RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None


class State(StrEnum):
    """How a breaker stands."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class Breaker:
    """Stops calls to a side that keeps failing, and lets one through from time to time to see whether it is back.

        closed ── FAILURES_TO_OPEN failed calls in a row, or one that nobody gets past ──► open
        open ── after the pause ──► half-open ── one call succeeds ──► closed
                                        └─────── it fails ──► open again

    A call is one `retry.call` with all its tries. May be shared by event loops and threads.
    """

    def __init__(
        self,
        name: str,
        *,
        failures_to_open: int = FAILURES_TO_OPEN,
        pause_seconds: float = PAUSE_SECONDS,
        long_pause_seconds: float = LONG_PAUSE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._failures_to_open = failures_to_open
        self._pause_seconds = pause_seconds
        self._long_pause_seconds = long_pause_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._open_until: float | None = None
        self._probing = False
        self._because: Code | None = None

    @property
    def state(self) -> State:
        """How it stands now."""
        with self._lock:
            return self._state()

    @contextmanager
    def admit(self) -> Iterator[bool]:
        """Let a call through and learn from how it ends; gives whether it is the probe of a half-open breaker.

        Raises `Transient` (MODEL_PAUSED) with the time that is left while the breaker is open.
        """
        probing = self._enter()
        try:
            yield probing
        except PrincipalError as failure:
            self._failed(failure, probing=probing)
            raise
        except BaseException:
            # Cancelled, or a defect of ours: it says nothing about the other side.
            self._leave(probing=probing)
            raise
        self._succeeded()

    def _enter(self) -> bool:
        with self._lock:
            match self._state():
                case State.CLOSED:
                    return False
                case State.HALF_OPEN if not self._probing:
                    self._probing = True
                    return True
            left = max(0.0, (self._open_until or 0.0) - self._clock())
            reason = f" after {self._because}" if self._because else ""
            what = f"calls to {self.name} are paused{reason}"
            raise Transient(Code.MODEL_PAUSED, what, retry_after_seconds=left)

    def _failed(self, failure: PrincipalError, *, probing: bool) -> None:
        with self._lock:
            self._probing = self._probing and not probing
            if failure.code in OPENS_AT_ONCE:
                self._open(self._long_pause_seconds, failure.code)
            elif isinstance(failure, Transient):
                self._failures += 1
                if probing or self._failures >= self._failures_to_open:
                    self._open(self._pause_seconds, failure.code)
            elif isinstance(failure, Permanent):
                # It answered, if only to say no to this one request.
                self._close()

    def _succeeded(self) -> None:
        with self._lock:
            self._close()

    def _leave(self, *, probing: bool) -> None:
        with self._lock:
            self._probing = self._probing and not probing

    def _open(self, seconds: float, code: Code) -> None:
        self._open_until = self._clock() + seconds
        self._because = code

    def _close(self) -> None:
        self._failures, self._open_until, self._because, self._probing = 0, None, None, False

    def _state(self) -> State:
        if self._open_until is None:
            return State.CLOSED
        return State.OPEN if self._clock() < self._open_until else State.HALF_OPEN
