"""Ten events of one pull request, decided in every order: who asked gets one review each, and nobody else a second one."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.change import Sha
from app.events import Action, CommandEvent, Place, PullEvent, ReviewRequest
from app.jobs.inbox import Waiting, decided_by
from app.jobs.plan import inherited, losing, plan, standing
from tests.core.test_plan import BASE, PLACE, PULL

FIRST, SECOND, LAST = Sha("1" * 40), Sha("2" * 40), Sha("3" * 40)
NOW = replace(PULL, head_sha=LAST)
"""How GitHub shows the pull once all ten have happened: open, no draft, the last head."""


def happened(action, head, before=None):
    return PullEvent(PLACE, action, head, BASE, before)


def asked(comment, arguments=""):
    return CommandEvent(PLACE, "review", arguments, comment, "alice", 5)


EVENTS = (
    happened(Action.OPENED, FIRST),
    happened(Action.SYNCHRONIZE, SECOND, FIRST),
    asked(1),
    happened(Action.SYNCHRONIZE, LAST, SECOND),
    happened(Action.CLOSED, LAST),
    happened(Action.REOPENED, LAST),
    asked(2),
    happened(Action.CONVERTED_TO_DRAFT, LAST),
    happened(Action.READY_FOR_REVIEW, LAST),
    asked(3, "deep"),
)


@dataclass
class Job:
    request_made: ReviewRequest
    state: str = "waiting"

    @property
    def key(self):
        return self.request_made.key

    @property
    def head(self):
        return self.request_made.head

    @property
    def trigger(self):
        return self.request_made.trigger

    @property
    def asked_by(self):
        return self.request_made.asked_by

    @property
    def request(self):
        return json.dumps({"arguments": self.request_made.arguments})

    @property
    def workflow_id(self):
        return f"{self.key}:1"


class Desk:
    """The job table, as deciding in a row leaves it; `made` are the triggers of the reviews that ended together."""

    def __init__(self):
        self.jobs = []
        self.made = []

    def decide(self, event):
        wanted = plan(_request(event), NOW, quiet_seconds=15)
        lost = losing(wanted, self.jobs)
        wanted = inherited(wanted, lost)
        for job in lost:
            job.state = "superseded"
        rest = [job for job in self.jobs if job not in lost]
        if standing(wanted.request, rest, {}) is None:
            self.jobs = [*(job for job in self.jobs if job.key != wanted.request.key), Job(wanted.request)]

    def finish(self):
        """Every review that was begun by now ends."""
        begun = [job for job in self.jobs if job.state == "waiting"]
        for job in begun:
            job.state = "done"
        self.made.append({job.trigger for job in begun})

    def when(self, *triggers):
        """The rounds in which reviews of these triggers ended."""
        return [number for number, made in enumerate(self.made) for trigger in triggers if trigger in made]


def _request(event):
    if not isinstance(event, CommandEvent):
        return event
    place: Place = event.place
    return ReviewRequest(
        place.repository,
        place.repository_id,
        place.number,
        place.installation,
        head=None,
        trigger=f"comment:{event.comment}",
        asked_by=event.author,
        arguments=event.arguments,
    )


@settings(max_examples=300)
@given(
    st.permutations(range(len(EVENTS))),
    st.integers(1, len(EVENTS)),
    st.lists(st.integers(0, 9), max_size=4),
    st.lists(st.tuples(st.booleans(), st.booleans()), min_size=10, max_size=10),
)
def test_in_whatever_order_events_come_each_question_is_one_review_and_all_the_rest_at_most_one(
    order, many, again, turns
):
    """The first `many` have come, `again` twice. At each turn a handful may be decided together, and what was begun may end."""
    desk, together = Desk(), []
    came = [*order[:many], *(which for which in again if which in order[:many])]
    deliveries = [Waiting(str(number), 1, EVENTS[which]) for number, which in enumerate(came)]
    for number, one in enumerate(deliveries):
        together.append(one)
        decide, finish = turns[number % len(turns)]
        if not decide and one is not deliveries[-1]:
            continue
        by_later = decided_by(together)
        for left in together:
            if left.guid not in by_later:
                desk.decide(left.event)
        together = []
        if finish:
            desk.finish()
    desk.finish()

    comments = {f"comment:{EVENTS[which].comment}" for which in came if isinstance(EVENTS[which], CommandEvent)}
    assert {job.head for job in desk.jobs} == {LAST}, "nothing is reviewed but the head that is"
    assert [len(desk.when(one)) for one in comments] == [1] * len(comments)
    by_itself, of_all = desk.when("push"), desk.when("comment:1", "comment:2")
    assert len(by_itself) <= 1
    assert comments or len(by_itself) == 1
    assert not of_all or by_itself < [min(of_all)], "who has a review of the whole head gets no second one by itself"
