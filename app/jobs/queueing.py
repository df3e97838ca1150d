"""Queueing: a job's seat, its workflow and its row, all inside the caller's transaction or not at all."""

from __future__ import annotations

import json
import time
from typing import Any

import sqlalchemy as sa
from dbos import DBOSClient, EnqueueOptions

from app.events import Question, ReviewRequest
from app.jobs.lanes import Lanes, take_seat
from app.jobs.store import JobState, Store

INGEST, REVIEWS, MANUAL = "ingest", "reviews", "manual"


def put(
    connection: sa.Connection,
    asked: ReviewRequest | Question,
    *arguments: Any,
    workflow: str,
    queue: str,
    lanes: Lanes,
    head: str,
    trigger: str,
    attempt: int,
    store: Store,
    client: DBOSClient,
    delay_seconds: float = 0.0,
) -> str:
    """Queue an attempt of what was asked, as the workflow whose id is returned. The first of the `arguments` is it as JSON."""
    place = asked.place
    # The engine ignores an id it has seen, so a job that is begun again needs a new one: ids end in the attempt.
    workflow_id = f"{asked.key}:{attempt}"
    installation = place.installation or 0
    seat = take_seat(
        connection,
        installation=installation,
        repository_id=place.repository_id,
        number=place.number,
        queue=queue,
        workflow_id=workflow_id,
        lanes=lanes,
    )
    options: EnqueueOptions = {
        "workflow_name": workflow,
        "queue_name": queue,
        "workflow_id": workflow_id,
        "queue_partition_key": f"{installation}:{seat.lane}",
        "priority": seat.place,
    }
    if delay_seconds:
        options["delay_seconds"] = delay_seconds
    client.enqueue_in_transaction(connection, options, *arguments)
    store.put_job(
        connection,
        {
            "key": asked.key,
            "repository": place.repository,
            "repository_id": place.repository_id,
            "number": place.number,
            "head": head,
            "trigger": trigger,
            "installation": place.installation,
            "asked_by": asked.asked_by,
            "request": json.dumps(arguments[0]),
            "queue": queue,
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
