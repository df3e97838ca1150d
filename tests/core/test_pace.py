"""The pace of one installation: what is spaced, what never waits, and what a pause stops. No clock but the numbers given."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.pace import AS_GITHUB_ASKS, PAUSE_AT_MOST_SECONDS, Kind, Page, Turn, paused, take

PATIENCE_SECONDS = 20.0


@dataclass
class Desk:
    """Takes turns at the times it is asked, and writes down when each was for."""

    now: float = 1_000.0
    page: Page = field(default_factory=Page)
    began: list[tuple[float, Kind]] = field(default_factory=list)

    def take(self, kind: Kind, patience_seconds: float = PATIENCE_SECONDS) -> Turn:
        turn, self.page = take(self.page, kind, spacing=AS_GITHUB_ASKS, now=self.now, patience_seconds=patience_seconds)
        if turn.mine:
            self.began.append((self.now + turn.wait_seconds, kind))
        return turn

    def times(self, *kinds: Kind) -> list[float]:
        return sorted(moment for moment, kind in self.began if kind in kinds)


def test_the_first_review_of_a_rested_installation_never_waits():
    desk = Desk()
    waits = [desk.take(kind).wait_seconds for kind in (Kind.WRITE, Kind.NOTICE, Kind.WRITE)]
    assert waits == [0, 0, 0]


def test_after_the_burst_writes_come_a_second_apart():
    desk = Desk()
    assert [desk.take(Kind.WRITE).wait_seconds for _ in range(6)] == [0, 0, 0, 1, 2, 3]


def test_reviews_come_three_seconds_apart_whoever_waits_for_them():
    desk = Desk()
    assert [desk.take(Kind.NOTICE).wait_seconds for _ in range(4)] == [0, 3, 6, 9]
    desk.now += 10.5
    assert desk.take(Kind.NOTICE).wait_seconds == pytest.approx(1.5)


def test_a_longer_wait_than_the_patience_takes_no_turn_from_the_others():
    desk = Desk()
    desk.take(Kind.NOTICE)
    before = desk.page
    assert desk.take(Kind.NOTICE, patience_seconds=2) == Turn(3, mine=False)
    assert desk.page == before


def test_reads_wait_only_for_a_pause():
    desk = Desk()
    for _ in range(9):
        desk.take(Kind.WRITE)
    assert desk.take(Kind.READ) == Turn(0, mine=True)
    desk.page = paused(desk.page, 30, now=desk.now)
    assert desk.take(Kind.READ) == Turn(30, mine=False)


@pytest.mark.parametrize("kind", Kind)
def test_nothing_goes_before_the_time_that_github_named(kind):
    desk = Desk()
    desk.page = paused(desk.page, 30, now=desk.now)
    desk.page = paused(desk.page, 5, now=desk.now)
    desk.now += 29.9
    assert not desk.take(kind).mine
    desk.now += 0.2
    assert desk.take(kind) == Turn(0, mine=True)


def test_a_clock_that_was_set_back_stops_nobody_for_days():
    page = paused(Page(write_until=1e9, notice_until=1e9), 60, now=1e9)
    assert take(page, Kind.NOTICE, spacing=AS_GITHUB_ASKS, now=1e9 - 86_400, patience_seconds=0)[0].mine


def test_no_pause_is_longer_than_github_s_longest():
    assert paused(Page(), 1e9, now=0).paused_until == PAUSE_AT_MOST_SECONDS


KINDS = st.sampled_from([Kind.WRITE, Kind.NOTICE, Kind.READ])


@given(st.lists(st.tuples(st.floats(0, 10), KINDS), max_size=60))
def test_no_minute_holds_more_than_github_allows(asked: list[tuple[float, Kind]]):
    """Whatever is asked when: notices are three seconds apart, and plain writes pass at most one a second beyond a burst."""
    desk = Desk()
    for rest, kind in asked:
        desk.now += rest
        desk.take(kind)
    notices, writes = desk.times(Kind.NOTICE), desk.times(Kind.WRITE)
    assert all(later - earlier >= 3 - 1e-6 for earlier, later in itertools.pairwise(notices))
    assert all(later - earlier >= 1 - 1e-6 for earlier, later in zip(writes, writes[3:], strict=False))


@given(st.lists(KINDS, max_size=30))
def test_turns_are_given_in_the_order_they_are_asked_for(kinds: list[Kind]):
    desk = Desk()
    for kind in kinds:
        desk.take(kind)
    for kind in (Kind.WRITE, Kind.NOTICE):
        moments = [moment for moment, one in desk.began if one is kind]
        assert moments == sorted(moments)
