"""SIGKILL at every outside call, before and after its effect: the next process ends the review, and nothing is done twice."""

from __future__ import annotations

import pytest

from tests.faults.kills import POINTS, kill_at, world

pytestmark = pytest.mark.timeout(900)

AT_ONCE = 8
"""Reviews killed together: the bot holds so many calls to GitHub at once with threads to spare."""
GROUPS = [POINTS[start :: -(-len(POINTS) // AT_ONCE)] for start in range(-(-len(POINTS) // AT_ONCE))]


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    with world(tmp_path_factory.mktemp("bot")) as made:
        yield made


@pytest.mark.parametrize("points", GROUPS, ids=[f"group {number}" for number in range(len(GROUPS))])
def test_reviews_go_on_in_the_next_process_when_theirs_is_killed(points, here):
    assert {str(point): found for point, found in kill_at(here, points).items()} == {}
