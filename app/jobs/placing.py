"""What was decided becomes a job: the jobs that lost their purpose end and the wanted one begins, in one transaction.

plan + pull ─ place ─► Placed: the job that does it, or why there is none
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from dbos import DBOSClient
from pydantic import TypeAdapter

from app.core.pull import Pull
from app.errors import Code, Permanent
from app.events import Place, Question, ReviewRequest
from app.jobs import answers, queueing
from app.jobs import plan as planning
from app.jobs.anew import UNDER_WAY, Anew
from app.jobs.endings import NO_ROOM, TOO_OFTEN, UNANSWERED, Endings
from app.jobs.lanes import Lanes
from app.jobs.overload import making_room, waiting
from app.jobs.plan import Plan
from app.jobs.queueing import MANUAL, REVIEWS
from app.jobs.step import Timing
from app.jobs.store import ACTIVE, Store
from app.jobs.story import Ending
from app.jobs.vault import Vault

LANES: Mapping[str, Lanes] = {
    REVIEWS: Lanes(of_installation=8, of_repository=4),
    # Slots of its own, because priorities do not reach over queues: a person's request never waits for pushes.
    MANUAL: Lanes(of_installation=4, of_repository=2),
}
ASKED_WITHIN_SECONDS = 3600.0
ATTEMPTS_AT_MOST = 100
"""How often one job is begun anew before it needs a person: by redelivery, or by a head that comes back."""

PULL = TypeAdapter(Pull)
REQUEST = TypeAdapter(ReviewRequest)


@dataclass(frozen=True, slots=True)
class Placed:
    """What deciding came to: the job that does the review, or why there is none."""

    job_key: str | None
    reason: str


class Placing:
    """Where jobs begin."""

    def __init__(
        self, store: Store, vault: Vault, client: DBOSClient, endings: Endings, anew: Anew, *, timing: Timing
    ) -> None:
        self._store = store
        self._vault = vault
        self._client = client
        self._endings = endings
        self._anew = anew
        self._timing = timing

    def jobs_of(self, place: Place) -> Sequence[Any]:
        """Every job of the pull request at `place`, in the order they were begun."""
        with self._store.read() as connection:
            return self._store.jobs_of_pull(connection, place.repository_id, place.number)

    def place(self, plan: Plan, pull: Pull, place: Place) -> Placed:
        """End the jobs that lost their purpose and begin the one that is wanted, in one transaction. May run twice."""
        statuses = self._endings.statuses(row.workflow_id for row in self.jobs_of(place) if row.state in ACTIVE)
        with self._store.begin() as connection:
            rows = self._store.jobs_of_pull(connection, place.repository_id, place.number)
            lost = planning.losing(plan, rows)
            wanted = planning.inherited(plan, lost)
            self._endings.end(connection, lost, _ending(plan))
            if wanted.request is None:
                return Placed(None, wanted.reason)
            standing = planning.standing(wanted.request, [row for row in rows if row not in lost], statuses)
            if standing is not None and wanted.only_if_skipped and standing.state in ACTIVE:
                self._anew.wait_for(connection, guid=wanted.request.delivery, job_key=standing.key)
                return Placed(standing.key, UNDER_WAY)
            if standing is not None:
                return Placed(standing.key, "the same review is a job already")
            if wanted.only_if_skipped and not planning.was_skipped(pull.head_sha, rows):
                return Placed(None, "no review of this head was skipped")
            before = next((row for row in rows if row.key == wanted.request.key), None)
            attempt = (before.attempt if before else 0) + 1
            if attempt > ATTEMPTS_AT_MOST:
                return Placed(None, "the job was begun too often")
            if self._asks_too_often(connection, wanted.request):
                return Placed(None, "this person has asked for too many reviews")
            if wanted.request.by_hand and waiting(connection, MANUAL) >= self._timing.commands_at_most:
                self._endings.tell(connection, f"{wanted.request.key}:{attempt}", wanted.request, NO_ROOM)
                return Placed(None, "too many commands wait")
            self._endings.put_off(connection, making_room(connection, REVIEWS, at_most=self._timing.reviews_at_most))
            self._enqueue_review(connection, wanted, pull, attempt)
            return Placed(wanted.request.key, "queued")

    def place_answer(self, question: Question) -> Placed:
        """Begin the answer, unless it is given or on its way. May run twice."""
        with self._store.begin() as connection:
            before = self._store.job(connection, question.key)
            if answers.standing(before):
                return Placed(question.key, "the same question is a job already")
            attempt = (before.attempt if before else 0) + 1
            if attempt > ATTEMPTS_AT_MOST:
                return Placed(None, "the job was begun too often")
            if self._asks_too_often(connection, question):
                return Placed(None, "this person has asked too much")
            if waiting(connection, answers.ANSWERS) >= self._timing.commands_at_most:
                self._endings.tell(connection, f"{question.key}:{attempt}", question, UNANSWERED)
                return Placed(None, "too many questions wait")
            answers.enqueue(connection, question, attempt=attempt, store=self._store, client=self._client)
            return Placed(question.key, "queued")

    def _asks_too_often(self, connection: sa.Connection, request: ReviewRequest | Question) -> bool:
        """Whether a person is at the end of what an hour allows; they are told once, and not again in this hour."""
        if request.asked_by is None:
            return False
        installation = request.place.installation
        asked = self._store.asked_since(
            connection,
            installation=installation,
            asked_by=request.asked_by,
            since=time.time() - ASKED_WITHIN_SECONDS,
        )
        if asked < self._timing.asked_at_most:
            return False
        # The engine ignores an id it has seen, which is what makes it one answer.
        hour = int(time.time() // ASKED_WITHIN_SECONDS)
        self._endings.tell(connection, f"asked:{installation}:{request.asked_by}:{hour}", request, TOO_OFTEN)
        return True

    def _enqueue_review(self, connection: sa.Connection, plan: Plan, pull: Pull, attempt: int) -> None:
        request = plan.request
        if request is None or request.head is None:
            raise Permanent(Code.INTERNAL, "a review was queued without a head")
        queue = MANUAL if request.by_hand else REVIEWS
        queueing.put(
            connection,
            request,
            REQUEST.dump_python(request, mode="json"),
            # What deciding read of the pull is handed on: reading it again would cost a call of the review's eight.
            self._vault.wrap(json.dumps(PULL.dump_python(pull, mode="json"))),
            workflow="review_pull",
            queue=queue,
            lanes=LANES[queue],
            head=request.head,
            trigger=request.trigger,
            attempt=attempt,
            store=self._store,
            client=self._client,
            delay_seconds=plan.delay_seconds,
        )


def _ending(plan: Plan) -> Ending:
    if plan.request is None:
        return Ending("cancelled", None, plan.reason)
    return Ending("superseded", None, f"A newer review was asked for, of {plan.request.head}")
