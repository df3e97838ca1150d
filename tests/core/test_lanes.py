"""Fairness between repositories: who gets which lane and place. Time is the order in which lanes are served."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from app.jobs.lanes import Lanes, Seat, seat

LANES = Lanes(of_installation=8, of_repository=4)
NOISY, QUIET = 1, 2


def seated(*repositories: int) -> list[Seat]:
    """The seats of one review after the other, none of which ends."""
    taken: list[Seat] = []
    for repository in repositories:
        taken.append(seat(taken, repository, len(taken), lanes=LANES))
    return taken


def served(taken: list[Seat]) -> list[Seat]:
    """The order in which one lane serves them."""
    return sorted(taken, key=lambda one: one.place)


def test_one_repository_alone_takes_its_share_of_the_lanes_evenly():
    taken = seated(*[NOISY] * 50)
    assert sorted(Counter(one.lane for one in taken).values()) == [12, 12, 13, 13]


def test_fifty_pushes_of_a_noisy_repository_leave_a_free_lane_for_another_s_first():
    taken = seated(*[NOISY] * 50, QUIET)
    assert taken[-1].lane not in {one.lane for one in taken[:-1]}
    assert taken[-1].place == 1


def test_in_a_lane_full_of_others_a_newcomer_waits_for_the_one_that_runs_and_one_more():
    taken = seated(*[NOISY] * 50, *[3] * 50, QUIET)
    lane = [one for one in taken if one.lane == taken[-1].lane]
    assert served(lane).index(taken[-1]) <= 2


def test_the_reviews_of_one_pull_request_stand_in_one_lane():
    """They are made one after the other: in a lane of its own the second would only hold a place."""
    taken = seated(NOISY, NOISY)
    again = seat(taken, NOISY, taken[0].number, lanes=LANES)
    assert (again.lane, again.place) == (taken[0].lane, taken[0].place + 1)


def test_who_waits_long_is_not_overtaken_for_ever():
    """A steady stream of newcomers: the noisy repository's next review keeps its place in front of theirs."""
    taken = [Seat(NOISY, 1, lane, place) for lane in range(8) for place in (7, 8)]
    newcomer = seat(taken, QUIET, 1, lanes=LANES)
    assert newcomer.place == 8
    later = seat([one for one in taken if one.place == 8] + [newcomer], 3, 1, lanes=LANES)
    assert later.place > 8


@given(st.lists(st.integers(1, 6), max_size=80))
def test_no_repository_holds_more_lanes_than_its_share(repositories: list[int]):
    taken = seated(*repositories)
    for repository in set(repositories):
        assert len({one.lane for one in taken if one.repository_id == repository}) <= LANES.of_repository
    assert all(0 <= one.lane < LANES.of_installation for one in taken)


@given(st.lists(st.integers(1, 6), max_size=80), st.integers(1, 6))
def test_in_a_lane_nobody_has_two_places_before_another_s_first(repositories: list[int], late: int):
    """Whatever came before: of each other repository at most one review more than one stands before a newcomer's first."""
    before = [one for one in repositories if one != late]
    taken = seated(*before, late)
    mine = taken[-1]
    ahead = Counter(one.repository_id for one in taken[:-1] if one.lane == mine.lane and one.place <= mine.place)
    assert all(count <= 2 for count in ahead.values())
