"""A delivery is decided on: what is to be done about an event, given the pull as it is now.

event ─► (command: permission, 👀) ─► the pull now ─► end older jobs ─► a review or an answer, queued
taken away ─► end what runs ─► nothing is left of the repositories (removal.py)
the other side is away ─► put back for later
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from dbos import DBOS, DBOSClient, EnqueueOptions

from app import commands, tracing
from app.commands import Refused
from app.core.pull import Pull
from app.errors import Code, PrincipalError, Transient
from app.events import (
    Actionable,
    AnewEvent,
    CommandEvent,
    MergeGroupEvent,
    PullEvent,
    Question,
    RemovedEvent,
    ReplyEvent,
    RerunEvent,
    ReviewRequest,
)
from app.jobs import plan as planning
from app.jobs.answers import ANSWERS
from app.jobs.endings import Endings
from app.jobs.inbox import EVENT
from app.jobs.placing import Placed, Placing
from app.jobs.queueing import INGEST, MANUAL, REVIEWS
from app.jobs.removal import Removal, Scope
from app.jobs.runs import Runs, cause_of, workflow_id_here
from app.jobs.step import DurableStep, Timing
from app.jobs.store import DeliveryState, Store
from app.jobs.story import Doors, Ending, Story
from app.telemetry import FAILURES, JOBS, bind, log

READS_OF_A_LAGGING_PULL = 3
READ_AGAIN_SECONDS = 1.0
PUT_BACK_AT_MOST = 60
"""With the longest wait of five minutes, a delivery survives an outage of about five hours."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The pull as it is now, and the workflows whose jobs lose their purpose by that."""

    pull: Pull
    losing: tuple[str, ...]


class Deliveries:
    """Deliveries in the queue."""

    def __init__(self, client: DBOSClient) -> None:
        self._client = client

    def enqueue(
        self, connection: sa.Connection, *, guid: str, attempt: int, event: Actionable, delay_seconds: float = 0.0
    ) -> None:
        """Queue a delivery inside this transaction, as the workflow `delivery_workflow_id(guid, attempt)`.

        Deliveries of one pull are decided one after the other: each reads the pull after the one before has acted.
        """
        options: EnqueueOptions = {
            "workflow_name": "on_delivery",
            "queue_name": INGEST,
            "workflow_id": delivery_workflow_id(guid, attempt),
            "queue_partition_key": f"{event.place.repository_id}:{event.place.number}",
        }
        if delay_seconds:
            options["delay_seconds"] = delay_seconds
        self._client.enqueue_in_transaction(connection, options, guid, EVENT.dump_python(event, mode="json"))


class Deciding:
    """The workflow `on_delivery`."""

    def __init__(
        self,
        *,
        store: Store,
        deliveries: Deliveries,
        removal: Removal,
        story: Story,
        github: Doors,
        runs: Runs,
        endings: Endings,
        placing: Placing,
        quiet_seconds: float,
        timing: Timing,
        ring: Callable[[str], None],
        tidy: Callable[[], Awaitable[None]],
    ) -> None:
        """`ring` hears that something has come into a queue; `tidy` removes what the disk still holds of what was forgotten."""
        self._store = store
        self._deliveries = deliveries
        self._story = story
        self._github = github
        self._runs = runs
        self._endings = endings
        self._placing = placing
        self._removal = removal
        self._quiet_seconds = quiet_seconds
        self._timing = timing
        self._ring = ring
        self._tidy = tidy

    async def on_delivery(self, guid: str, event_json: dict[str, Any]) -> str:
        """Decide on one event. Returns the reason or the job's key, for whoever lists workflows."""
        event = EVENT.validate_python(event_json)
        workflow_id = workflow_id_here()
        with (
            tracing.job("on_delivery", guid, workflow=workflow_id),
            bind(
                delivery=guid,
                trace=tracing.trace_of(guid),
                repository=event.place.repository,
                number=event.place.number,
            ),
        ):
            with self._runs.stoppable(workflow_id) as stop:
                step = self._runs.step(workflow_id, f"delivery:{guid}", event.place.repository_id, stop)
                try:
                    async with self._runs.chances.begin(step):
                        placed = await self._decide(event, step, delivery=guid)
                except Transient as error:
                    return await self._put_back(guid, event, workflow_id, step, error)
                except Exception as error:  # noqa: BLE001 - a delivery must end in a state, whatever happened.
                    cause = cause_of(error)
                    await self._tell_undecided(event, cause, step, workflow_id)
                    await self._end_delivery(guid, workflow_id, DeliveryState.FAILED, str(cause), None)
                    return str(cause)
            await self._end_delivery(guid, workflow_id, DeliveryState.DONE, placed.reason, placed.job_key)
            return placed.job_key or placed.reason

    async def _decide(self, event: Actionable, step: DurableStep, *, delivery: str) -> Placed:
        if isinstance(event, RemovedEvent):
            return await self._forget(event, step)
        github = await self._github(event.place)
        asked: PullEvent | ReviewRequest | AnewEvent
        match event:
            case MergeGroupEvent():
                answering = functools.partial(self._story.answer_group, event.place, head=event.head)
                await step.run("answer group", answering, type(None))
                return Placed(None, "answered on the merge group's head")
            case CommandEvent() | ReplyEvent():
                heard = await step.run("command", lambda: commands.hear(event, github), _HEARD)
                if isinstance(heard, Refused):
                    return Placed(None, heard.reason)
                if isinstance(heard, Question):
                    return await self._place_question(replace(heard, delivery=delivery), step)
                asked = heard
            case RerunEvent():
                asked = _rerun(event)
            case _:
                asked = event
        seen = await step.run("see", lambda: self._see(event, asked, github.pull), Seen)
        await self._cancel(seen.losing)
        plan = planning.brought(planning.plan(asked, seen.pull, quiet_seconds=self._quiet_seconds), by=delivery)
        placed = await step.run(
            "place", lambda: self._store.call(self._placing.place, plan, seen.pull, event.place), Placed
        )
        for queue in (REVIEWS, MANUAL) if placed.job_key else ():
            self._ring(queue)
        return placed

    async def _place_question(self, question: Question, step: DurableStep) -> Placed:
        placed = await step.run("place answer", lambda: self._store.call(self._placing.place_answer, question), Placed)
        if placed.job_key:
            self._ring(ANSWERS)
        return placed

    async def _forget(self, event: RemovedEvent, step: DurableStep) -> Placed:
        """End what runs for these repositories, give it the time to end, and leave nothing of them."""
        scope = await step.run("scope", lambda: self._store.call(self._removal.scope, event), Scope)
        await self._cancel(scope.under_way)
        if scope.under_way:
            await DBOS.sleep_async(self._timing.settle_seconds)
        await step.run("forget", lambda: self._store.call(self._removal.forget, scope), type(None))
        await self._tidy()
        log.info("repositories_forgotten", number=len(scope.repositories), installation=event.place.installation)
        return Placed(None, f"the App was removed from {len(scope.repositories)} known repositories")

    async def _see(
        self,
        event: Actionable,
        asked: PullEvent | ReviewRequest | AnewEvent,
        read: Callable[[str, int], Awaitable[Pull]],
    ) -> Seen:
        pull = await self._current_pull(event, read)
        plan = planning.plan(asked, pull, quiet_seconds=self._quiet_seconds)
        rows = await self._store.call(self._placing.jobs_of, event.place)
        return Seen(pull, tuple(row.workflow_id for row in planning.losing(plan, rows)))

    async def _current_pull(self, event: Actionable, read: Callable[[str, int], Awaitable[Pull]]) -> Pull:
        pull = await read(event.place.repository, event.place.number)
        for _ in range(READS_OF_A_LAGGING_PULL - 1):
            if not isinstance(event, PullEvent) or not planning.is_older(event, pull.head_sha):
                break
            await asyncio.sleep(READ_AGAIN_SECONDS)
            pull = await read(event.place.repository, event.place.number)
        return pull

    async def _tell_undecided(
        self, event: Actionable, cause: PrincipalError, step: DurableStep, workflow_id: str
    ) -> None:
        """Let people see that nothing will come of an event: 😕 on a command, a check run on the head of a push."""
        log.error("delivery_failed", code=cause.code, what=cause.what)
        FAILURES.labels("delivery", cause.code).inc()
        if isinstance(event, CommandEvent):
            await self._shrug(event, step)
        elif isinstance(event, PullEvent) and cause.code is not Code.GITHUB_GONE:
            await self._store.call(self._tell_of_head, event, cause, workflow_id)

    async def _shrug(self, event: CommandEvent, step: DurableStep) -> None:
        async def shrug() -> None:
            github = await self._github(event.place)
            await github.react_to_comment(
                event.place.repository, event.comment, "confused", in_thread=event.thread is not None
            )

        try:
            await step.run("shrug", shrug, type(None))
        except PrincipalError as error:
            log.warning("command_not_answered", code=error.code, what=error.what)

    def _tell_of_head(
        self, event: PullEvent | RerunEvent | MergeGroupEvent, cause: PrincipalError, workflow_id: str
    ) -> None:
        place = event.place
        request = ReviewRequest(
            place.repository, place.repository_id, place.number, place.installation, head=event.head, trigger="push"
        )
        with self._store.begin() as connection:
            self._endings.tell(connection, workflow_id, request, Ending("failed", cause.code, cause.what))

    async def _cancel(self, workflow_ids: Sequence[str]) -> None:
        # First the engine's word, which every process obeys, then the nudge for those that run in this one.
        # Only then are our own rows ended, so that a crash in between finds them and cancels again.
        if not workflow_ids:
            return
        await DBOS.cancel_workflows_async(list(workflow_ids))
        self._runs.stop(workflow_ids)

    async def _put_back(
        self, guid: str, event: Actionable, workflow_id: str, step: DurableStep, error: Transient
    ) -> str:
        """Queue the delivery again for later, so that one installation that must wait holds no slot of the others'."""

        def put_back() -> str:
            with self._store.begin() as connection:
                row = self._store.deliveries(connection, [guid]).get(guid)
                if row is None or row.workflow_id != workflow_id:
                    return "taken over by a later attempt"
                if row.put_back >= PUT_BACK_AT_MOST:
                    self._store.change_delivery(connection, guid, state=DeliveryState.FAILED, reason=str(error))
                    self._store.leave_inbox(connection, [guid])
                    return _GIVEN_UP
                wait = self._timing.retry_seconds(row.put_back, error)
                attempt = row.attempt + 1
                self._deliveries.enqueue(connection, guid=guid, attempt=attempt, event=event, delay_seconds=wait)
                later = delivery_workflow_id(guid, attempt)
                values = {"attempt": attempt, "put_back": row.put_back + 1, "workflow_id": later}
                self._store.change_delivery(connection, guid, **values)
                self._store.leave_inbox(connection, [guid])
                return f"again in {wait:.0f} s: {error}"

        # Deciding what becomes of it and doing so is one transaction, so it needs no step of the engine's.
        reason = await self._store.call(put_back)
        if reason == _GIVEN_UP:
            JOBS.labels("delivery", DeliveryState.FAILED.value).inc()
            await self._tell_undecided(event, error, step, workflow_id)
        else:
            self._ring(INGEST)
            JOBS.labels("delivery", "put_back").inc()
            log.warning("delivery_put_back", reason=reason)
        return reason

    async def _end_delivery(
        self, guid: str, workflow_id: str, state: DeliveryState, reason: str, job_key: str | None
    ) -> None:
        await self._store.call(self._store.end_delivery, guid, workflow_id, state=state, reason=reason, job_key=job_key)
        self._ring(INGEST)
        JOBS.labels("delivery", state.value).inc()
        log.info("delivery_decided", state=state.value, reason=reason, job=job_key)


_GIVEN_UP = "given up"
_HEARD: Any = ReviewRequest | Question | Refused


def _rerun(event: RerunEvent) -> ReviewRequest:
    """GitHub shows the button only to those who may write, and each press is a question of its own."""
    return ReviewRequest(
        event.place.repository,
        event.place.repository_id,
        event.place.number,
        event.place.installation,
        head=None,
        trigger=f"rerun:{event.check}",
        asked_by=event.author,
    )


def delivery_workflow_id(guid: str, attempt: int) -> str:
    """The id of the workflow that decides on a delivery. The engine ignores an id it has seen, so it ends in the attempt."""
    return f"delivery:{guid}:{attempt}"
