"""Which deliveries another one decides, and when a burst goes first: decisions, without a database."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.core.change import Sha
from app.events import Action, CommandEvent, Place, PullEvent
from app.jobs.inbox import BURST_PER_SECOND, BURST_WAITING, YIELD_AT_MOST_SECONDS, Door, Waiting, decided_by

PLACE = Place("acme/shop", 1, 7, 3)


def push(guid, before, head, place=PLACE):
    return Waiting(guid, 1, PullEvent(place, Action.SYNCHRONIZE, Sha(head), Sha("base"), Sha(before)))


def other(guid, action, head):
    return Waiting(guid, 1, PullEvent(PLACE, action, Sha(head), Sha("base")))


def test_the_last_of_a_row_of_pushes_decides_for_all():
    row = [other("opened", Action.OPENED, "a"), push("1", "a", "b"), push("2", "b", "c"), push("3", "c", "d")]
    assert decided_by(row) == {"opened": "3", "1": "3", "2": "3"}


def test_of_two_pulls_neither_decides_for_the_other():
    elsewhere = Place("acme/shop", 1, 8, 3)
    assert decided_by([push("1", "a", "b"), push("2", "b", "c", elsewhere)]) == {}


def test_a_push_that_comes_late_decides_for_itself():
    """The newer one came first: only it knows which head GitHub may still show."""
    assert decided_by([push("newer", "b", "c"), push("older", "a", "b")]) == {}


def test_a_push_is_not_decided_by_an_event_that_does_not_know_its_head_before():
    assert decided_by([push("push", "a", "b"), other("ready", Action.READY_FOR_REVIEW, "b")]) == {}
    assert decided_by([other("ready", Action.READY_FOR_REVIEW, "b"), other("closed", Action.CLOSED, "b")]) == {
        "ready": "closed"
    }


def test_a_label_is_decided_by_what_comes_later_and_answers_for_nothing():
    row = [other("opened", Action.OPENED, "a"), other("one", Action.LABELED, "a"), other("two", Action.RETITLED, "a")]
    assert decided_by(row) == {}
    assert decided_by([*row, push("push", "a", "b")]) == {"opened": "push", "one": "push", "two": "push"}


def test_a_changed_base_and_a_command_decide_for_themselves():
    command = Waiting("command", 1, CommandEvent(PLACE, "review", "", 1, "alice", 2))
    assert decided_by([other("base", Action.BASE_CHANGED, "a"), command, push("push", "a", "b")]) == {}


def test_a_push_there_and_back_is_decided_once():
    assert decided_by([push("there", "a", "b"), push("back", "b", "a")]) == {"there": "back"}


heads = st.sampled_from("abcd")
events = st.builds(lambda action, before, head: (action, before, head), st.sampled_from(list(Action)), heads, heads)


@given(st.lists(events, max_size=12))
def test_whoever_decides_is_decided_on_and_comes_later(drawn):
    waiting = [
        Waiting(str(n), 1, PullEvent(PLACE, action, Sha(head), Sha("base"), Sha(before)))
        for n, (action, before, head) in enumerate(drawn)
    ]
    found = decided_by(waiting)
    assert not set(found) & set(found.values())
    assert all(int(decider) > int(guid) for guid, decider in found.items())
    if waiting:
        assert waiting[-1].guid not in found


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def come(door, number):
    for _ in range(number):
        with door.open():
            pass


def test_a_burst_goes_first_until_it_is_over():
    clock = Clock()
    door = Door(clock)
    come(door, BURST_PER_SECOND - 1)
    assert not door.goes_first()
    come(door, 1)
    assert door.goes_first()
    clock.now += 1.0
    assert not door.goes_first()


def test_many_who_wait_for_their_answer_are_a_burst():
    door = Door(Clock())
    waiting = [door.open() for _ in range(BURST_WAITING)]
    for one in waiting:
        one.__enter__()
    assert door.goes_first()
    for one in waiting:
        one.__exit__(None, None, None)
    assert not door.goes_first()


def test_a_stream_without_end_does_not_go_first_for_ever():
    clock = Clock()
    door = Door(clock)
    come(door, BURST_PER_SECOND)
    assert door.goes_first()
    clock.now += YIELD_AT_MOST_SECONDS
    come(door, BURST_PER_SECOND)
    assert not door.goes_first()
