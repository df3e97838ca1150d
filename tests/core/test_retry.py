"""Trying again and leaving alone: waits, bounds and the breaker, with a clock that only the test moves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import retry
from app.errors import Code, Permanent, PrincipalError, Transient
from app.retry import Breaker, State


def busy(seconds: float | None = None, code: Code = Code.MODEL_BUSY) -> Transient:
    return Transient(code, "busy", retry_after_seconds=seconds)


class Work:
    """Work that fails as told, then succeeds."""

    def __init__(self, *failures: BaseException) -> None:
        self.failures = list(failures)
        self.tries = 0

    async def __call__(self) -> str:
        self.tries += 1
        if self.failures:
            raise self.failures.pop(0)
        return "done"


def run(
    work: Callable[[], Awaitable[str]], *, tries: int = 4, random: float = 1.0, breaker: Breaker | None = None
) -> tuple[str | BaseException, list[float]]:
    """What came of it (a value or what was raised), and the waits."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    async def main() -> str | BaseException:
        try:
            return await retry.call(work, tries=tries, sleep=sleep, random=lambda: random, breaker=breaker)
        except (PrincipalError, ValueError, asyncio.CancelledError) as error:
            return error

    return asyncio.run(main()), waits


def test_work_that_succeeds_is_done_once() -> None:
    work = Work()
    assert run(work) == ("done", [])
    assert work.tries == 1


def test_a_plain_function_that_gives_an_awaitable_is_work_too() -> None:
    work = Work(busy())

    def plain() -> Awaitable[str]:
        return work()

    assert run(plain)[0] == "done"


def test_the_last_failure_is_the_one_that_is_raised() -> None:
    last = busy()
    work = Work(busy(), busy(), last, busy())
    assert run(work, tries=3)[0] is last
    assert work.tries == 3


def test_what_is_not_transient_is_raised_at_once() -> None:
    for failure in (Permanent(Code.MODEL_REJECTED, "no"), ValueError("a defect"), asyncio.CancelledError()):
        work = Work(failure)
        assert run(work) == (failure, [])
        assert work.tries == 1


@pytest.mark.parametrize("code", sorted(retry.NOT_TRIED_AGAIN))
def test_some_transient_failures_are_for_others_to_take_up(code: Code) -> None:
    """A write whose answer was lost must be looked for before it is sent again."""
    work = Work(busy(code=code))
    assert isinstance(run(work)[0], Transient)
    assert work.tries == 1


def test_waits_double_up_to_a_bound_and_jitter_covers_all_of_them() -> None:
    assert run(Work(*[busy() for _ in range(7)]), tries=8)[1] == [2, 4, 8, 16, 30, 30, 30]
    assert run(Work(*[busy() for _ in range(3)]), random=0.0)[1] == [0, 0, 0]
    assert run(Work(*[busy() for _ in range(3)]), random=0.5)[1] == [1, 2, 4]


@given(attempt=st.integers(1, 200), asked=st.none() | st.floats(0, 120), draw=st.floats(0, 1, exclude_max=True))
def test_no_wait_is_shorter_than_asked_for_nor_without_bound(attempt: int, asked: float | None, draw: float) -> None:
    seconds = retry.wait_seconds(attempt, failure=busy(asked), random=lambda: draw)
    assert (asked or 0.0) <= seconds <= (asked or 0.0) + retry.LONGEST_WAIT_SECONDS


def test_a_wait_that_is_asked_for_is_waited_out_or_passed_on() -> None:
    longest = retry.LONGEST_ASKED_WAIT_SECONDS
    assert run(Work(busy(longest)))[1] == [longest + 2.0]
    result, waits = run(Work(busy(longest + 0.1)))
    assert isinstance(result, Transient)
    assert result.retry_after_seconds == longest + 0.1
    assert waits == []


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def broken_side(breaker: Breaker, times: int) -> None:
    for _ in range(times):
        assert isinstance(run(Work(*[busy() for _ in range(4)]), breaker=breaker)[0], Transient)


def stands(breaker: Breaker) -> State:
    return breaker.state


def test_a_breaker_opens_after_so_many_failed_calls_in_a_row() -> None:
    clock = Clock()
    breaker = Breaker("side", failures_to_open=3, pause_seconds=60, clock=clock)
    broken_side(breaker, 2)
    assert run(Work(), breaker=breaker)[0] == "done"
    broken_side(breaker, 2)
    assert stands(breaker) is State.CLOSED
    broken_side(breaker, 1)
    assert stands(breaker) is State.OPEN
    clock.now += 20
    work = Work()
    refused, _ = run(work, breaker=breaker)
    assert isinstance(refused, Transient)
    assert refused.code is Code.MODEL_PAUSED
    assert refused.retry_after_seconds == 40
    assert "side" in refused.what
    assert "MODEL_BUSY" in refused.what
    assert work.tries == 0


def test_a_success_within_the_tries_is_no_failed_call() -> None:
    breaker = Breaker("side", failures_to_open=1)
    assert run(Work(busy(), busy(), busy()), breaker=breaker)[0] == "done"
    assert stands(breaker) is State.CLOSED


def test_a_probe_has_one_try_and_decides() -> None:
    clock = Clock()
    breaker = Breaker("side", failures_to_open=1, pause_seconds=60, clock=clock)
    broken_side(breaker, 1)
    clock.now += 60
    assert stands(breaker) is State.HALF_OPEN
    probe = Work(*[busy() for _ in range(4)])
    run(probe, breaker=breaker)
    assert probe.tries == 1
    assert stands(breaker) is State.OPEN
    clock.now += 60
    assert run(Work(), breaker=breaker)[0] == "done"
    assert stands(breaker) is State.CLOSED


def test_only_one_call_probes_and_a_cancelled_probe_makes_room() -> None:
    clock = Clock()
    breaker = Breaker("side", failures_to_open=1, pause_seconds=60, clock=clock)
    broken_side(breaker, 1)
    clock.now += 60

    async def story() -> list[str]:
        begun = asyncio.Event()

        async def endless() -> str:
            begun.set()
            await asyncio.Event().wait()
            return "never"

        probe = asyncio.create_task(retry.call(endless, breaker=breaker))
        await begun.wait()
        said = []
        try:
            await retry.call(Work(), breaker=breaker)
        except Transient as error:
            said.append(str(error.code))
        probe.cancel()
        await asyncio.wait([probe])
        said.append(await retry.call(Work(), breaker=breaker))
        return said

    assert asyncio.run(story()) == ["MODEL_PAUSED", "done"]


@pytest.mark.parametrize("code", sorted(retry.OPENS_AT_ONCE))
def test_what_nobody_gets_past_opens_at_once_and_for_longer(code: Code) -> None:
    clock = Clock()
    breaker = Breaker("side", pause_seconds=60, long_pause_seconds=600, clock=clock)
    run(Work(Permanent(code, "no")), breaker=breaker)
    clock.now += 599
    assert stands(breaker) is State.OPEN
    clock.now += 1
    assert stands(breaker) is State.HALF_OPEN


def test_a_side_that_says_no_to_one_request_is_alive() -> None:
    breaker = Breaker("side", failures_to_open=2)
    broken_side(breaker, 1)
    run(Work(Permanent(Code.MODEL_REJECTED, "no")), breaker=breaker)
    broken_side(breaker, 1)
    assert stands(breaker) is State.CLOSED


def test_a_defect_of_ours_says_nothing_about_the_other_side() -> None:
    breaker = Breaker("side", failures_to_open=2)
    broken_side(breaker, 1)
    run(Work(ValueError("a defect")), breaker=breaker)
    broken_side(breaker, 1)
    assert stands(breaker) is State.OPEN


@given(outcomes=st.lists(st.sampled_from(["ok", "busy", "no", "money", "defect", "wait"]), max_size=40))
def test_a_breaker_never_stays_shut_for_good_nor_lets_a_failing_side_be_flooded(outcomes: list[str]) -> None:
    """Whatever happened before: after the longest pause one call gets through, and while open none does."""
    clock = Clock()
    breaker = Breaker("side", failures_to_open=3, clock=clock)
    failures: dict[str, BaseException] = {
        "busy": busy(),
        "no": Permanent(Code.MODEL_REJECTED, "no"),
        "money": Permanent(Code.MODEL_CREDIT, "no"),
        "defect": ValueError(),
    }
    for outcome in outcomes:
        if outcome == "wait":
            clock.now += retry.PAUSE_SECONDS
            continue
        before = stands(breaker)
        work = Work(*([failures[outcome]] if outcome in failures else []))
        run(work, tries=1, breaker=breaker)
        assert (work.tries == 0) == (before is State.OPEN)
    clock.now += retry.LONG_PAUSE_SECONDS
    assert run(Work(), breaker=breaker)[0] == "done"
    assert stands(breaker) is State.CLOSED
