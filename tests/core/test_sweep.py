"""Which failed deliveries a sweep asks for, and in which order it goes through repositories."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.core.installed import HookDelivery, InstalledRepository
from app.jobs.sweep import REDELIVERABLE_SECONDS, due, in_turn

EVERY = 600.0


def failure(number, *, guid="g", at=0.0, event="pull_request"):
    return HookDelivery(id=number, guid=guid, event=event, delivered_at=at, succeeded=False, installation_id=1)


def test_the_first_failure_is_asked_for_at_once_and_a_second_after_one_sweep():
    assert due([failure(1, at=1000.0)], now=1000.0, every_seconds=EVERY) == [failure(1, at=1000.0)]
    twice = [failure(2, at=1000.0), failure(1, at=400.0)]
    assert due(twice, now=1599.0, every_seconds=EVERY) == []
    assert due(twice, now=1600.0, every_seconds=EVERY) == [failure(2, at=1000.0)]


def test_commands_come_first_then_what_failed_longest_ago():
    failed = [
        failure(1, guid="new", at=30.0),
        failure(2, guid="old", at=10.0),
        failure(3, guid="command", at=40.0, event="issue_comment"),
    ]
    assert [one.guid for one in due(failed, now=50.0, every_seconds=EVERY)] == ["command", "old", "new"]


def test_what_can_never_be_taken_is_asked_for_some_ten_times_in_its_three_days():
    failed = [failure(0)]
    now = 0.0
    while now < REDELIVERABLE_SECONDS:
        if due(failed, now=now, every_seconds=EVERY):
            failed.append(failure(len(failed), at=now))
        now += EVERY
    assert 8 <= len(failed) - 1 <= 11


@given(st.sets(st.integers(1, 50)), st.integers(0, 60))
def test_every_repository_has_its_turn_and_the_next_one_comes_first(ids, after):
    turn = [
        one.id for one in in_turn([InstalledRepository(one, f"a/{one}", archived=False) for one in ids], after=after)
    ]
    assert sorted(turn) == sorted(ids)
    later = [one for one in turn if one > after]
    assert turn[: len(later)] == sorted(later)
