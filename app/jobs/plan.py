"""What to do about a pull request, from its current state: pure decisions, so that deliveries may come in any order.

    (what was asked, the pull as it is now) ── plan ──► Plan(request or none, which jobs lose their purpose)

An event says only that something happened; the head, the state and the draft flag are the API's (R-31). So a late
`synchronize` of an older head asks for a review of the newest one, which is a job already.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Protocol

from app.core.change import Sha
from app.core.pull import Pull
from app.events import Action, AnewEvent, PullEvent, ReviewRequest
from app.jobs.store import ACTIVE, JobState

DEAD = frozenset({"ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"})
"""The engine's words for a workflow that ended without success. A row of ours may not know yet."""


CANCELLED_BY_OPERATOR = "The operator cancelled the review"


class Loses(StrEnum):
    """Which of a pull's active jobs lose their purpose."""

    OLDER = "older"
    AUTOMATIC = "automatic"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Plan:
    """A review to be made after `delay_seconds`, or none and why; and which jobs it ends."""

    request: ReviewRequest | None
    loses: Loses
    reason: str = ""
    delay_seconds: float = 0.0
    only_if_skipped: bool = False
    """The review is made only if one of this head was skipped before."""


class JobRow(Protocol):
    """A row of the job table, as far as deciding needs it."""

    key: str
    head: str
    trigger: str
    asked_by: str | None
    request: str
    workflow_id: str
    state: str
    attempt: int
    detail: str


def plan(asked: PullEvent | ReviewRequest | AnewEvent, pull: Pull, *, quiet_seconds: float) -> Plan:
    """What to do now. A push waits `quiet_seconds`, so that a row of pushes is one review; everything else starts at once."""
    if not pull.is_open:
        return Plan(None, Loses.ALL, "the pull request is closed")
    if isinstance(asked, PullEvent) and asked.action is Action.CONVERTED_TO_DRAFT and pull.draft:
        # Whether a draft is reviewed is the policy's to say, which the review reads; what began before is not wanted.
        return Plan(None, Loses.AUTOMATIC, "draft")
    if isinstance(asked, ReviewRequest):
        return Plan(replace(asked, head=pull.head_sha, repository=pull.repository), Loses.OLDER)
    place = asked.place
    request = ReviewRequest(
        pull.repository, place.repository_id, place.number, place.installation, head=pull.head_sha, trigger="push"
    )
    if isinstance(asked, AnewEvent):
        return Plan(request, Loses.OLDER, only_if_skipped=True)
    # The payload's base, not the pull's: a redelivery must be the same job.
    trigger = f"base:{asked.base}" if asked.action is Action.BASE_CHANGED else request.trigger
    return Plan(
        replace(request, trigger=trigger),
        Loses.OLDER,
        delay_seconds=quiet_seconds if asked.action is Action.SYNCHRONIZE else 0.0,
        only_if_skipped=asked.action.decides_skips_anew,
    )


def brought(plan: Plan, *, by: str) -> Plan:
    """The plan, its review named after the delivery that brought it."""
    return replace(plan, request=plan.request and replace(plan.request, delivery=by))


def losing(plan: Plan, rows: Iterable[JobRow]) -> list[JobRow]:
    """The active jobs of the pull that this plan ends."""
    return [row for row in rows if row.state in ACTIVE and _loses(plan, row)]


def inherited(plan: Plan, lost: Iterable[JobRow]) -> Plan:
    """The plan, taking over from a lost job what a person asked for: they get their answer about the new head, at once."""
    asked = next((row for row in lost if row.asked_by), None)
    if plan.request is None or plan.request.by_hand or asked is None:
        return plan
    theirs = json.loads(asked.request)
    request = replace(
        plan.request,
        asked_by=asked.asked_by,
        arguments=str(theirs.get("arguments", "")),
        comment=theirs.get("comment"),
        in_thread=bool(theirs.get("in_thread")),
    )
    return replace(plan, request=request, delay_seconds=0.0)


def standing(request: ReviewRequest, rows: Iterable[JobRow], statuses: Mapping[str, str]) -> JobRow | None:
    """The job that already is this review: the same one, or for a push any review of the whole head.

    `rows` are in the order they were begun. A head that comes back after another one was reviewed is reviewed again.
    """
    ordered = list(rows)
    others = [place for place, row in enumerate(ordered) if row.state == JobState.DONE and row.head != request.head]
    latest = [row for place, row in enumerate(ordered) if row.state != JobState.DONE or place > max(others, default=-1)]
    return next((row for row in latest if _stands(row, statuses) and _covers(row, request)), None)


def was_skipped(head: Sha, rows: Iterable[JobRow]) -> bool:
    """Whether the last job of this head ended because the policy did not want it."""
    last = [row.state for row in rows if row.head == head][-1:]
    return last == [JobState.SKIPPED]


def is_served(repository: str, patterns: Collection[str]) -> bool:
    """Whether PRINCIPAL_REPOSITORIES lets this repository in; without patterns all are."""
    return not patterns or any(fnmatchcase(repository.lower(), pattern.lower()) for pattern in patterns)


def has_outcome(head: Sha, rows: Iterable[JobRow]) -> bool:
    """Whether a review of this head ended with a result, failed for good, was stopped by the operator, or is on its way."""
    return any(row.head == head and _is_settled(row) for row in rows)


def _is_settled(row: JobRow) -> bool:
    match row.state:
        case JobState.SUPERSEDED:
            return False
        case JobState.CANCELLED:
            # Cancelled because the pull was closed or a draft: it may have been opened again since.
            return row.detail == CANCELLED_BY_OPERATOR
        case _:
            return True


def is_older(event: PullEvent, head: Sha) -> bool:
    """Whether the API still shows the head from before this push: it lags behind its own webhooks at times."""
    return event.action is Action.SYNCHRONIZE and head == event.before != event.head


def _loses(plan: Plan, row: JobRow) -> bool:
    request = plan.request
    if request is None:
        return plan.loses is Loses.ALL or row.asked_by is None
    if row.key == request.key:
        return False
    newer_head = row.head != request.head
    newer_base = request.trigger.startswith("base:") and row.asked_by is None
    # A person asks while the automatic review of this head still waits: theirs is the one to make.
    sooner = request.by_hand and row.asked_by is None and row.state == JobState.WAITING
    return newer_head or newer_base or sooner


def _stands(row: JobRow, statuses: Mapping[str, str]) -> bool:
    return row.state == JobState.DONE or (row.state in ACTIVE and statuses.get(row.workflow_id) not in DEAD)


def _covers(row: JobRow, request: ReviewRequest) -> bool:
    if row.key == request.key:
        return True
    whole = not json.loads(row.request).get("arguments")
    return request.trigger == "push" and row.head == request.head and whole
