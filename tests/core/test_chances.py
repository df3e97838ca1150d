"""How often a job that was there when processes died is begun again."""

from __future__ import annotations

import asyncio

import pytest

from app.jobs.chances import RECOVERIES_AT_MOST, _OneAtATime, _Quiet, deaths


def test_at_a_new_job_nobody_died():
    assert deaths(None, steps=0) == 0


@pytest.mark.parametrize("steps_before_the_first_death", [0, 3])
def test_every_death_at_the_same_step_counts(steps_before_the_first_death):
    before, counted = None, []
    for steps in [0, *[steps_before_the_first_death] * (RECOVERIES_AT_MOST + 1)]:
        died = deaths(before, steps=steps)
        counted.append(died)
        before = (steps, died)
    assert counted == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("died", range(1, 5))
def test_one_more_step_starts_the_count_anew(died):
    assert deaths((4, died), steps=5) == 1


def test_suspects_take_turns_and_the_least_suspect_goes_first():
    async def story():
        turns, order = _OneAtATime(), []
        inside, leave = asyncio.Event(), asyncio.Event()

        async def first():
            async with turns.turn(2):
                inside.set()
                await leave.wait()

        async def later(name, rank):
            async with turns.turn(rank):
                order.append(name)

        async with asyncio.TaskGroup() as group:
            group.create_task(first())
            await inside.wait()
            for name, rank in (("unlucky", 3), ("new", 2), ("newer", 2)):
                group.create_task(later(name, rank))
                await asyncio.sleep(0)
            assert order == []
            leave.set()
        return order

    assert asyncio.run(story()) == ["new", "newer", "unlucky"]


def test_a_turn_may_be_given_up_before_the_end_and_only_once():
    async def story():
        turns = _OneAtATime()
        async with turns.turn(0) as done:
            done()
            done()
            async with asyncio.timeout(60), turns.turn(0):
                pass
        async with asyncio.timeout(60), turns.turn(0):
            return True

    assert asyncio.run(story())


def test_who_stops_waiting_keeps_nobody_from_the_turn():
    async def story():
        turns = _OneAtATime()
        async with turns.turn(0):
            waiting = asyncio.create_task(turns._wait(0))
            await asyncio.sleep(0)
            waiting.cancel()
        async with asyncio.timeout(60), turns.turn(0):
            return True

    assert asyncio.run(story())


def test_the_last_chance_waits_for_a_quiet_moment_but_not_for_ever():
    async def story():
        quiet = _Quiet()
        with quiet.work():
            await quiet.wait(seconds=0.01)
            waiting = asyncio.create_task(quiet.wait(seconds=60, breath_seconds=0))
            await asyncio.sleep(0)
            assert not waiting.done()
        async with asyncio.timeout(60):
            await waiting
        return True

    assert asyncio.run(story())
