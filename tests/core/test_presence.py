"""When a process counts as dead: two looks without its lock, with the grace between them, and never on one look's word."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from app.jobs.presence import Reaper, lock_key

GRACE = 10.0


class Locks:
    """Who holds a lock, as the database would say; `away` makes it say nothing."""

    def __init__(self) -> None:
        self.held: set[str] = set()
        self.away = False

    def living(self) -> frozenset[int]:
        if self.away:
            raise sa.exc.OperationalError("SELECT", {}, Exception("the server is away"))
        return frozenset(lock_key(one) for one in self.held)


class World:
    def __init__(self) -> None:
        self.locks = Locks()
        self.now = 100.0
        self.claims = {"me", "other"}
        self.given_back: list[str] = []
        self.reaper = Reaper(
            self.locks,
            executor_id="me",
            claims=lambda: self.claims,
            give_back=self._give_back,
            grace_seconds=GRACE,
            clock=lambda: self.now,
        )

    def _give_back(self, executor_id: str) -> int:
        self.given_back.append(executor_id)
        return 1

    def look_after(self, seconds: float) -> list[str]:
        self.now += seconds
        return self.reaper.look()


@pytest.fixture
def world():
    return World()


def test_one_look_is_no_proof(world):
    assert world.look_after(0) == []
    assert world.look_after(GRACE - 0.1) == []
    assert world.given_back == []


def test_missed_over_the_grace_it_is_dead_and_its_work_is_given_back_once(world):
    world.look_after(0)
    assert world.look_after(GRACE) == ["other"]
    world.claims = {"me"}
    assert world.look_after(GRACE) == []
    assert world.given_back == ["other"]


def test_one_that_is_seen_in_between_begins_anew(world):
    world.look_after(0)
    world.locks.held = {"other"}
    world.look_after(GRACE / 2)
    world.locks.held = set()
    assert world.look_after(GRACE / 2) == []
    assert world.look_after(GRACE) == ["other"]


def test_what_was_missed_before_the_database_went_away_proves_nothing_after_it(world):
    world.look_after(0)
    world.locks.away = True
    with pytest.raises(sa.exc.OperationalError):
        world.look_after(GRACE / 2)
    world.locks.away = False
    assert world.look_after(GRACE / 2) == []


def test_a_process_never_takes_itself_for_dead(world):
    world.claims = {"me"}
    world.look_after(0)
    assert world.look_after(GRACE) == []


def test_lock_numbers_are_64_bits_with_a_sign_and_each_its_own():
    keys = {lock_key(f"host-{number}") for number in range(1000)}
    assert len(keys) == 1000
    assert all(-(2**63) <= key < 2**63 for key in keys)
