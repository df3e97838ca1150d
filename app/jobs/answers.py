"""A question becomes a job: one for each thing that was asked, however often and in whatever order it is delivered.

Answers have slots of their own, because a person who waits for a sentence should not wait for other people's reviews. Their
rows stand beside the reviews' and are none: no push ends them, and they stand for no review.
"""

from __future__ import annotations

import json
import time
from typing import Any

import sqlalchemy as sa
from dbos import DBOSClient, EnqueueOptions
from pydantic import TypeAdapter

from app.events import Question
from app.jobs.lanes import Lanes, take_seat
from app.jobs.store import ACTIVE, JobState, Store

ANSWERS = "answers"
LANES = Lanes(of_installation=4, of_repository=2)
QUESTION: TypeAdapter[Question] = TypeAdapter(Question)


def standing(row: Any) -> bool:
    """Whether a job of that row is the answer already: given, or on its way."""
    return row is not None and (row.state in (JobState.DONE, JobState.SKIPPED) or row.state in ACTIVE)


def enqueue(connection: sa.Connection, question: Question, *, attempt: int, store: Store, client: DBOSClient) -> str:
    """Queue an attempt at the answer inside this transaction, as the workflow whose id is returned."""
    place = question.place
    # The engine ignores an id it has seen, so a job that is begun again needs a new one: ids end in the attempt.
    workflow_id = f"{question.key}:{attempt}"
    installation = place.installation or 0
    seat = take_seat(
        connection,
        installation=installation,
        repository_id=place.repository_id,
        number=place.number,
        queue=ANSWERS,
        workflow_id=workflow_id,
        lanes=LANES,
    )
    options: EnqueueOptions = {
        "workflow_name": "answer",
        "queue_name": ANSWERS,
        "workflow_id": workflow_id,
        "queue_partition_key": f"{installation}:{seat.lane}",
        "priority": seat.place,
    }
    asked = QUESTION.dump_python(question, mode="json")
    client.enqueue_in_transaction(connection, options, asked)
    store.put_job(
        connection,
        {
            "key": question.key,
            "repository": place.repository,
            "repository_id": place.repository_id,
            "number": place.number,
            "head": "",
            "trigger": question.verb,
            "installation": place.installation,
            "asked_by": question.asked_by,
            "request": json.dumps(asked),
            "queue": ANSWERS,
            "attempt": attempt,
            "workflow_id": workflow_id,
            "state": JobState.WAITING,
            "code": "",
            "detail": "",
            "review_id": None,
            "created_at": time.time(),
            "started_at": None,
            "ended_at": None,
        },
    )
    return workflow_id
