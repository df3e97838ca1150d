"""How a job ends that cannot say so itself: another took its place, it failed, it died, it was stopped or put off.

    end(rows, ending) ─► rows ended ─ tell ─► `settle`, queued: its check run, its comment or its thread says so

Ending and telling are one transaction. Telling waits, so that a request that was on its way can be found; and what a review
still sends while it is ended is told of once more (`tell_if_ended`).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from dbos import DBOSClient
from pydantic import TypeAdapter

from app.errors import Code
from app.events import Place, Question, ReviewRequest
from app.jobs import plan as planning
from app.jobs.chances import DIED
from app.jobs.queueing import INGEST
from app.jobs.runs import Runs
from app.jobs.step import Timing
from app.jobs.store import ACTIVE, DeliveryState, JobState, Store
from app.jobs.story import PUT_OFF, Ending, Left
from app.telemetry import FAILURES, JOBS, log

ASKED: TypeAdapter[ReviewRequest | Question] = TypeAdapter(ReviewRequest | Question)
ENDING = TypeAdapter(Ending)
NO_ROOM = Ending(PUT_OFF, Code.QUEUE_FULL, "Too many reviews wait already")
UNANSWERED = Ending(PUT_OFF, Code.TOO_MANY_QUESTIONS, "Too many questions wait already")
TOO_OFTEN = Ending(
    PUT_OFF, Code.ASKED_TOO_OFTEN, "One person has asked for as many reviews and answers as an hour allows"
)
_DIED = Ending("failed", Code.INTERNAL, DIED)


class Endings:
    """The ends of jobs, in the database and on GitHub."""

    def __init__(self, store: Store, client: DBOSClient, runs: Runs, *, timing: Timing) -> None:
        self._store = store
        self._client = client
        self._runs = runs
        self._timing = timing
        self._stopped_before: set[str] = set()

    def left(self, workflow_id: str, place: Place) -> Left:
        """What the ended job of this workflow has left on the other side of the pull request at `place`."""
        sent = self._store.effects(workflow_id)
        beside = self._store.effects_beside(workflow_id, repository_id=place.repository_id, number=place.number)
        return Left(
            stands={key: json.loads(row.remote) for key, row in sent.items() if row.remote is not None},
            unheard=frozenset(key for key, row in sent.items() if row.remote is None),
            held=tuple((key, json.loads(remote)) for key, remote in beside),
        )

    def tell_if_ended(self, connection: sa.Connection, *, workflow_id: str, asked: ReviewRequest | Question) -> None:
        """Have people told of a review's end once more: what it sent while it was ended may have come after they were told."""
        row = self._store.job_of(connection, workflow_id)
        if row is None or row.state in ACTIVE or not isinstance(asked, ReviewRequest):
            return
        ending = Ending(row.state, Code(row.code) if row.code else None, row.detail)
        self.tell(connection, workflow_id, asked, ending, again=":late")

    def fail(self, workflow_id: str, ending: Ending) -> None:
        """End the job of this workflow, unless it has ended, and have people told."""
        with self._store.begin() as connection:
            row = self._store.job_of(connection, workflow_id)
            if row is not None:
                self.end(connection, [row], ending)

    def end(self, connection: sa.Connection, rows: Iterable[Any], ending: Ending) -> list[str]:
        """End those of these jobs that are active, and queue what tells people about the ones that had begun.

        Returns the workflows of the jobs that were ended.
        """
        by_id = {row.workflow_id: row for row in rows}
        state = JobState.CANCELLED if ending.state == PUT_OFF else JobState(ending.state)
        code = ending.code.value if ending.code else ""
        ended = self._store.end_jobs(connection, list(by_id), state=state, code=code, detail=ending.detail)
        for workflow_id in ended:
            row = by_id[workflow_id]
            asked = ASKED.validate_json(row.request)
            kind = "answer" if isinstance(asked, Question) else "review"
            JOBS.labels(kind, state.value).inc()
            if code:
                FAILURES.labels(kind, code).inc()
            if row.state == JobState.RUNNING or ending.state == PUT_OFF:
                self.tell(connection, workflow_id, asked, ending)
        return ended

    def tell(
        self,
        connection: sa.Connection,
        workflow_id: str,
        request: ReviewRequest | Question,
        ending: Ending,
        *,
        again: str = "",
    ) -> None:
        """Queue what tells people of this end, inside this transaction; once for a workflow and an `again`."""
        # The wait lets a request that was on its way when the job was stopped take effect, so that it can be found.
        self._client.enqueue_in_transaction(
            connection,
            {
                "workflow_name": "settle",
                "queue_name": INGEST,
                "workflow_id": f"settle:{workflow_id}{again}",
                # What is put off comes in crowds: one after the other, so that deliveries keep their slots.
                "queue_partition_key": f"settle:{request.place.installation if ending.state == PUT_OFF else workflow_id}",
                "delay_seconds": self._timing.settle_seconds,
            },
            workflow_id,
            ASKED.dump_python(request, mode="json"),
            ENDING.dump_python(ending, mode="json"),
        )

    def put_off(self, connection: sa.Connection, rows: Sequence[Any]) -> None:
        """End jobs that wait, telling people so: the sweeps find their heads again when there is room."""
        if rows:
            for workflow_id in self.end(connection, rows, NO_ROOM):
                log.warning("review_put_off", job=workflow_id, code=NO_ROOM.code)

    async def stop_review(self, key: str) -> bool:
        """End the review of this key because the operator says so. False when it has ended already."""
        row = await self._store.call(self._job, key)
        if row is None or row.state not in ACTIVE:
            return False
        # Not through the running engine: a process that only takes deliveries may be asked as well.
        await asyncio.to_thread(self._client.cancel_workflows, [row.workflow_id])
        self._runs.stop([row.workflow_id])
        ending = Ending("cancelled", None, planning.CANCELLED_BY_OPERATOR)
        return bool(await self._store.call(self._end_job, row, ending))

    def _job(self, key: str) -> Any:
        with self._store.read() as connection:
            return self._store.job(connection, key)

    def _end_job(self, row: Any, ending: Ending) -> list[str]:
        with self._store.begin() as connection:
            return self.end(connection, [row], ending)

    def bury(self) -> int:
        """End the jobs and deliveries whose workflow died without saying so. Returns how many.

        A workflow dies when it was begun too often (it stops the process), or when the operator cancels it. A cancelled one
        is believed at the second look: at the first, whoever supersedes it may be about to say so.
        """
        with self._store.read() as connection:
            jobs = {row.workflow_id: row for row in self._store.active_jobs(connection)}
            taken = {row.workflow_id: row.guid for row in self._store.taken_deliveries(connection)}
        statuses = self.statuses([*jobs, *taken])
        stopped = {name for name in jobs if statuses[name] == "CANCELLED"}
        cancelled = [row for name, row in jobs.items() if name in stopped & self._stopped_before]
        self._stopped_before = stopped
        dead = [row for name, row in jobs.items() if statuses[name] in planning.DEAD - {"CANCELLED"}]
        lost = [(guid, name) for name, guid in taken.items() if statuses[name] in planning.DEAD]
        if not (cancelled or dead or lost):
            return 0
        with self._store.begin() as connection:
            self.end(connection, cancelled, Ending("cancelled", None, planning.CANCELLED_BY_OPERATOR))
            for workflow_id in self.end(connection, dead, _DIED):
                log.error("review_died", job=workflow_id, code=_DIED.code)
        for guid, name in lost:
            self._store.end_delivery(guid, name, state=DeliveryState.FAILED, reason=_DIED.detail, job_key=None)
        return len(cancelled) + len(dead) + len(lost)

    def statuses(self, workflow_ids: Iterable[str]) -> dict[str, str]:
        """The engine's status of each of these workflows; one that it does not know counts as an ERROR.

        Asked on a connection of its own, so not inside a transaction.
        """
        ids = list(workflow_ids)
        if not ids:
            return {}
        found = self._client.list_workflows(workflow_ids=ids, load_input=False, load_output=False)
        return dict.fromkeys(ids, "ERROR") | {workflow.workflow_id: workflow.status for workflow in found}
