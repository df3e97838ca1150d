"""Every outside call of a review fails once, in every way it can: the review is posted all the same, once, and whole."""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatchcase

import pytest

from tests.faults.timing import TIMING
from tests.faults.world import CALLS, World
from tests.stories.bot import Bot

UNSWEPT = replace(TIMING, sweep_seconds=0.0)
"""A sweep that falls into a review makes calls of its own, which are counted in tests/stories/test_sweeps.py."""

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with World(tmp_path_factory.mktemp("bot"), bot=lambda environ: Bot(environ, timing=UNSWEPT)) as made:
        yield made


def test_the_list_of_outside_calls_is_what_a_review_does(world):
    """A new call that is not in the list would not be tested: this test says so."""
    under = world.pull()
    world.send(under)
    assert world.wait_until_quiet(under) == []
    seen = [(one.method, one.path) for one in world.calls(under)]
    listed = [(call.method, world.path(under, call)) for call in CALLS if call.method != "MODEL"]
    assert len(seen) == len(listed)
    for (method, path), (wanted, pattern) in zip(seen, listed, strict=True):
        assert (method, fnmatchcase(path, pattern)) == (wanted, True), (path, pattern)
    assert [one.purpose for one in world.asked(under)] == [call.path for call in CALLS if call.method == "MODEL"]
    assert world.violations(under) == []


@pytest.mark.parametrize("call", CALLS, ids=str)
def test_a_review_survives_every_failure_of(call, world):
    """One failure is no reason to give up. The sides run at once, each on an installation of its own."""
    unders = {side: world.pull() for side in call.sides}
    for side, under in unders.items():
        world.break_call(under, call, side)
        world.send(under)
    world.wait_until_quiet(*unders.values())
    assert {side: found for side, under in unders.items() if (found := world.violations(under))} == {}
    assert [side for side, under in unders.items() if not world.met(under)] == [], "nothing ran into the fault"
    for side, under in unders.items():
        assert [job[2:4] for job in world.jobs(under)] == [("done", "")], side
        (review,) = under.handle.reviews
        assert review.commit_id == under.handle.head_sha
        assert len(under.handle.review_comments) == 1
        assert len(under.handle.check_runs) == 1
