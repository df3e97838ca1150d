"""A question becomes a job: one for each thing that was asked, however often and in whatever order it is delivered.

Answers have slots of their own, because a person who waits for a sentence should not wait for other people's reviews. Their
rows stand beside the reviews' and are none: no push ends them, and they stand for no review.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from dbos import DBOSClient
from pydantic import TypeAdapter

from app.events import Question
from app.jobs import queueing
from app.jobs.lanes import Lanes
from app.jobs.store import ACTIVE, JobState, Store

ANSWERS = "answers"
LANES = Lanes(of_installation=4, of_repository=2)
QUESTION: TypeAdapter[Question] = TypeAdapter(Question)


def standing(row: Any) -> bool:
    """Whether a job of that row is the answer already: given, or on its way."""
    return row is not None and (row.state in (JobState.DONE, JobState.SKIPPED) or row.state in ACTIVE)


def enqueue(connection: sa.Connection, question: Question, *, attempt: int, store: Store, client: DBOSClient) -> str:
    """Queue an attempt at the answer inside this transaction, as the workflow whose id is returned."""
    return queueing.put(
        connection,
        question,
        QUESTION.dump_python(question, mode="json"),
        workflow="answer",
        queue=ANSWERS,
        lanes=LANES,
        head="",
        trigger=question.verb,
        attempt=attempt,
        store=store,
        client=client,
    )
