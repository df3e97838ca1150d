"""What is decided about a pull request, from its state and the jobs it has: values in, values out."""

from dataclasses import dataclass, replace

import pytest

from app.core.change import Sha
from app.core.pull import Pull
from app.core.untrusted import Untrusted
from app.events import Action, Place, PullEvent, ReviewRequest
from app.jobs.plan import Loses, Plan, inherited, is_older, losing, plan, standing, was_skipped

A, B, BASE = Sha("a" * 40), Sha("b" * 40), Sha("c" * 40)
PLACE = Place("octo/shop", 42, 7, 9)
PULL = Pull(
    repository="octo/shop",
    repository_id=42,
    private=True,
    default_branch="main",
    number=7,
    title=Untrusted("t"),
    body=Untrusted("b"),
    author="mona",
    author_is_bot=False,
    state="open",
    merged=False,
    draft=False,
    locked=False,
    head_sha=A,
    head_ref=Untrusted("topic"),
    head_repository="octo/shop",
    base_sha=BASE,
    base_ref="main",
    labels=(),
    changed_files=1,
    additions=1,
    deletions=1,
)
ASKED = ReviewRequest("octo/shop", 42, 7, 9, None, "comment:11", asked_by="mona", arguments="deep")


@dataclass
class Row:
    head: str = A
    trigger: str = "push"
    asked_by: str | None = None
    request: str = '{"arguments": ""}'
    state: str = "running"

    @property
    def key(self):
        return f"review:42:7:{self.head}:{self.trigger}"

    @property
    def workflow_id(self):
        return f"{self.key}:1"


BY_HAND = Row(trigger="comment:11", asked_by="mona", request='{"arguments": "deep", "comment": 11, "in_thread": true}')


def event(action, **changes):
    return replace(PullEvent(PLACE, action, A, BASE), **changes)


def decide(asked, pull=PULL):
    return plan(asked, pull, quiet_seconds=15)


@pytest.mark.parametrize("action", [Action.OPENED, Action.REOPENED, Action.READY_FOR_REVIEW, Action.CLOSED])
def test_an_open_pull_is_reviewed_at_once_whatever_the_event_said(action):
    decided = decide(event(action, head=B))
    assert decided.request == ReviewRequest("octo/shop", 42, 7, 9, A, "push")
    assert decided.delay_seconds == 0


def test_a_push_waits_for_the_next_one():
    assert decide(event(Action.SYNCHRONIZE)).delay_seconds == 15


def test_a_renamed_repository_is_reviewed_under_its_new_name():
    decided = decide(event(Action.OPENED), replace(PULL, repository="octo/store"))
    assert decided.request is not None
    assert decided.request.repository == "octo/store"


@pytest.mark.parametrize("asked", [event(Action.SYNCHRONIZE), ASKED])
def test_a_closed_pull_is_reviewed_for_nobody(asked):
    assert decide(asked, replace(PULL, state="closed")) == Plan(None, Loses.ALL, "the pull request is closed")


def test_becoming_a_draft_ends_what_nobody_asked_for_and_of_other_drafts_the_policy_decides():
    draft = replace(PULL, draft=True)
    assert decide(event(Action.CONVERTED_TO_DRAFT), draft) == Plan(None, Loses.AUTOMATIC, "draft")
    assert decide(event(Action.OPENED), draft).request is not None
    assert decide(ASKED, draft).request == replace(ASKED, head=A)


def test_a_new_base_names_the_base_it_was_told():
    decided = decide(event(Action.BASE_CHANGED, base=B))
    assert decided.request is not None
    assert decided.request.trigger == f"base:{B}"


@pytest.mark.parametrize(
    ("asked", "row", "ends"),
    [
        (event(Action.SYNCHRONIZE), Row(head=B), True),
        (event(Action.SYNCHRONIZE), Row(head=B, state="waiting"), True),
        (event(Action.SYNCHRONIZE), Row(head=B, state="done"), False),
        (event(Action.SYNCHRONIZE), Row(head=B, state="failed"), False),
        (event(Action.SYNCHRONIZE), Row(), False),
        (event(Action.SYNCHRONIZE), replace(BY_HAND, head=B), True),
        (event(Action.SYNCHRONIZE), BY_HAND, False),
        (event(Action.BASE_CHANGED), Row(), True),
        (event(Action.BASE_CHANGED), BY_HAND, False),
        (ASKED, Row(), False),
        (ASKED, Row(state="waiting"), True),
        (ASKED, BY_HAND, False),
    ],
)
def test_a_review_ends_those_that_lost_their_purpose(asked, row, ends):
    assert bool(losing(decide(asked), [row])) is ends


def test_closing_ends_all_and_a_draft_only_what_nobody_asked_for():
    rows = [Row(), BY_HAND]
    assert losing(decide(event(Action.CLOSED), replace(PULL, state="closed")), rows) == rows
    assert losing(decide(event(Action.CONVERTED_TO_DRAFT), replace(PULL, draft=True)), rows) == [Row()]


def test_what_a_person_asked_about_an_older_head_is_answered_about_the_newer_one_at_once():
    taken = inherited(decide(event(Action.SYNCHRONIZE)), [Row(head=B), replace(BY_HAND, head=B)])
    assert taken.request is not None
    assert (taken.request.asked_by, taken.request.arguments, taken.delay_seconds) == ("mona", "deep", 0)
    assert (taken.request.comment, taken.request.in_thread) == (11, True), (
        "the sign that it is over goes on their comment"
    )
    unasked = decide(event(Action.SYNCHRONIZE))
    assert inherited(unasked, [Row(head=B)]) == unasked


@pytest.mark.parametrize(
    ("row", "statuses", "stands"),
    [
        (Row(), {}, True),
        (Row(state="done"), {}, True),
        (Row(state="failed"), {}, False),
        (Row(state="superseded"), {}, False),
        (Row(state="cancelled"), {}, False),
        (Row(), {Row().workflow_id: "PENDING"}, True),
        (Row(), {Row().workflow_id: "ERROR"}, False),
        (Row(), {Row().workflow_id: "MAX_RECOVERY_ATTEMPTS_EXCEEDED"}, False),
        (Row(head=B), {}, False),
        (Row(trigger="comment:1", asked_by="mona", state="done"), {}, True),
        (BY_HAND, {}, False),
    ],
)
def test_a_review_that_stands_or_is_under_way_is_not_begun_again(row, statuses, stands):
    request = decide(event(Action.REOPENED)).request
    assert request is not None
    assert (standing(request, [row], statuses) is not None) is stands


def test_a_head_that_comes_back_after_another_was_reviewed_is_reviewed_again():
    request = decide(event(Action.SYNCHRONIZE)).request
    assert request is not None
    done = Row(state="done")
    assert standing(request, [Row(head=B, state="done"), done], {}) is done
    assert standing(request, [done, Row(head=B, state="superseded")], {}) is done
    assert standing(request, [done, Row(head=B, state="done")], {}) is None


def test_every_comment_is_a_review_of_its_own():
    request = decide(ASKED).request
    assert request is not None
    assert standing(request, [Row(), Row(state="done")], {}) is None


def test_an_answer_that_lags_behind_its_webhook_is_noticed():
    pushed = event(Action.SYNCHRONIZE, head=B, before=A)
    assert is_older(pushed, A)
    assert not is_older(pushed, B)
    assert not is_older(event(Action.SYNCHRONIZE, head=A, before=A), A)
    assert not is_older(event(Action.OPENED, head=B), A)


@pytest.mark.parametrize("action", [Action.LABELED, Action.UNLABELED, Action.RETITLED])
def test_a_label_or_a_title_makes_a_review_only_where_one_was_skipped(action):
    made = plan(PullEvent(PLACE, action, A, BASE), PULL, quiet_seconds=15)
    assert made.only_if_skipped
    assert made.delay_seconds == 0
    assert not was_skipped(A, [])
    assert not was_skipped(A, [Row(head=B, state="skipped")])
    assert not was_skipped(A, [Row(state="skipped"), Row(trigger="comment:1", state="done")])
    assert was_skipped(A, [Row(head=B, state="done"), Row(state="skipped")])
