"""Each invariant can fail: what it forbids is done to a review that was fine, and the harness must say so."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from tests.faults.world import Asked, World

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with World(tmp_path_factory.mktemp("bot")) as made:
        yield made


@pytest.fixture
def reviewed(world):
    """A pull that was reviewed, and of which nothing is wrong yet."""
    under = world.pull()
    world.send(under)
    assert world.wait_until_quiet(under) == []
    assert world.violations(under) == []
    return under


def _in_the_database(world, statement, *values):
    with closing(sqlite3.connect(world.folder / "principal.db", timeout=10)) as database, database:
        assert database.execute(statement, values).rowcount == 1


def _forget_the_delivery(world, under):
    _in_the_database(world, "DELETE FROM principal_deliveries WHERE guid = ?", under.opening.guid)


def _leave_the_job_running(world, under):
    _in_the_database(world, "UPDATE principal_jobs SET state = 'running' WHERE repository_id = ?", under.repository.id)


def _take_the_review_away(world, under):
    under.handle.state.reviews.clear()


def _post_the_review_again(world, under):
    reviews = under.handle.state.reviews
    reviews.append(replace(reviews[0], id=reviews[0].id + 1_000_000))


def _post_a_head_that_was_gone(world, under):
    under.heads.append((under.handle.head_sha, 0))


def _leave_the_check_open(world, under):
    under.handle.check_runs[0].status = "in_progress"


def _tell_a_traceback(world, under):
    under.handle.check_runs[0].output.summary = "Traceback (most recent call last)"


def _buy_the_answers_again(world, under):
    world.note(*world.asked(under))


def _call_without_end(world, under):
    world.note(*(Asked(f"{under.mark}_0", "review", str(number), whole=True) for number in range(100)))


def _leave_out_without_a_word(world, under):
    review = under.handle.state.reviews[0]
    review.body = review.body.replace("1 of 1 hunk", "0 of 1 hunk")


SABOTAGES = {
    _forget_the_delivery: "I1",
    _leave_the_job_running: "I2",
    _take_the_review_away: "I2",
    _post_the_review_again: "I3",
    _post_a_head_that_was_gone: "I4",
    _leave_the_check_open: "I5",
    _tell_a_traceback: "I5",
    _buy_the_answers_again: "I6",
    _call_without_end: "I6",
    _leave_out_without_a_word: "I8",
}


@pytest.mark.parametrize(("sabotage", "invariant"), SABOTAGES.items(), ids=lambda one: getattr(one, "__name__", one))
def test_the_harness_sees_it_when_somebody_were_to(sabotage, invariant, world, reviewed):
    sabotage(world, reviewed)
    assert {found[:2] for found in world.violations(reviewed)} == {invariant}
