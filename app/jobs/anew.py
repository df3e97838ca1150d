"""A pull that was skipped, decided on anew: by a delivery of our own, which waits in the inbox like every other.

    /resume has been done                              ─► a delivery
    a review ends as skipped, and while it was made
    a label or a title came that may let the pull in   ─► a delivery

Deciding asks GitHub how the pull is now, and begins a review only where the last one of its head was skipped (plan.py).
"""

from __future__ import annotations

import hashlib
import time

import sqlalchemy as sa

from app.commands import RESUME
from app.events import AnewEvent, Question, ReviewRequest
from app.jobs.inbox import Inbox, Waiting
from app.jobs.store import DeliveryState, JobState, Store

NAME = "anew"
"""Stands in a delivery's row where GitHub's carry the name of their event."""
UNDER_WAY = "a review of this head is under way; if it is skipped, it is decided anew"
DECIDED = "the review that was under way was skipped, and it is decided anew"


class Anew:
    """Sees to it that nothing stays skipped for a reason that is over."""

    def __init__(self, store: Store, inbox: Inbox) -> None:
        self._store = store
        self._inbox = inbox

    def wait_for(self, connection: sa.Connection, *, guid: str, job_key: str) -> None:
        """Let this delivery wait for the end of the review that is under way, which may have been too early for it."""
        self._store.change_delivery(connection, guid, job_key=job_key, reason=UNDER_WAY)

    def at_end_of(
        self, connection: sa.Connection, asked: ReviewRequest | Question, *, state: JobState, workflow_id: str
    ) -> None:
        """Let it be decided anew where the end of this job is a reason to; once, in the transaction that ends the job."""
        if not self._is_reason(connection, asked, state):
            return
        guid = f"{NAME}-{hashlib.sha256(workflow_id.encode()).hexdigest()[:32]}"
        row = {
            "guid": guid,
            "event": NAME,
            "repository": asked.place.repository,
            "installation": asked.place.installation,
            "received_at": time.time(),
            "attempt": 1,
            "put_back": 0,
            "workflow_id": f"delivery:{guid}:1",
            "state": DeliveryState.TAKEN,
            "reason": "",
            "job_key": None,
        }
        if self._store.add_deliveries(connection, [row]):
            self._inbox.put(connection, [Waiting(guid, 1, AnewEvent(asked.place))])

    def _is_reason(self, connection: sa.Connection, asked: ReviewRequest | Question, state: JobState) -> bool:
        match asked:
            case Question():
                return asked.verb == RESUME and state is JobState.DONE
            case ReviewRequest():
                return state is JobState.SKIPPED and self._store.reword_deliveries(
                    connection, asked.key, reason=UNDER_WAY, now=DECIDED
                )
