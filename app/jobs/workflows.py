"""The four workflows. Each is a story of its own, and each of its lines may be its last: a crash continues it there.

    on_delivery   event ─► (command: permission, 👀) ─► the pull now ─► end older jobs ─► a review, queued
                  a question ─► an answer, queued
                  taken away ─► end what runs ─► nothing is left of the repositories (removal.py)
    review_pull   request ─► the story, step by step ─► how it ended
    answer        question ─► words, said where it was asked
    settle        a job ended from outside ─► its check run or its thread says so

The patching rule: a workflow begun before an upgrade must find its steps as it left them. Whoever changes the order or the
names of steps puts the new order behind `DBOS.patch_async(NAME)`, and removes the old one when no job from before is left.
"""

from __future__ import annotations

import asyncio
import functools
import json
import math
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from dbos import DBOS, DBOSClient, EnqueueOptions
from dbos import error as engine_error
from pydantic import TypeAdapter

from app import commands, tracing
from app.commands import Refused
from app.core.pull import Pull
from app.errors import Code, Permanent, PrincipalError, Transient
from app.events import (
    Actionable,
    AnewEvent,
    CommandEvent,
    MergeGroupEvent,
    Place,
    PullEvent,
    Question,
    RemovedEvent,
    ReplyEvent,
    RerunEvent,
    ReviewRequest,
)
from app.jobs import answers, queueing
from app.jobs import plan as planning
from app.jobs.anew import UNDER_WAY, Anew
from app.jobs.chances import DIED, Chances
from app.jobs.inbox import EVENT, Inbox
from app.jobs.lanes import Lanes
from app.jobs.overload import making_room, waiting
from app.jobs.plan import Plan
from app.jobs.removal import Removal, Scope
from app.jobs.step import DurableStep, Stop, Timing
from app.jobs.store import ACTIVE, DeliveryState, JobState, Start, Store
from app.jobs.story import PUT_OFF, Doors, Ending, Left, Outcome, Story
from app.jobs.vault import Vault
from app.telemetry import FAILURES, JOB_SECONDS, JOBS, bind, log

APPLICATION = "principal"
INGEST, REVIEWS, MANUAL = "ingest", "reviews", "manual"

LANES: Mapping[str, Lanes] = {
    REVIEWS: Lanes(of_installation=8, of_repository=4),
    # Slots of its own, because priorities do not reach over queues: a person's request never waits for pushes.
    MANUAL: Lanes(of_installation=4, of_repository=2),
}
READS_OF_A_LAGGING_PULL = 3
READ_AGAIN_SECONDS = 1.0
PUT_BACK_AT_MOST = 60
ROUNDS_AT_MOST = 60
"""With the longest wait of five minutes, a delivery or a review survives an outage of about five hours."""
ASKED_WITHIN_SECONDS = 3600.0
ATTEMPTS_AT_MOST = 100
"""How often one job is begun anew before it needs a person: by redelivery, or by a head that comes back."""

_PULL = TypeAdapter(Pull)
_REQUEST = TypeAdapter(ReviewRequest)
_ASKED: TypeAdapter[ReviewRequest | Question] = TypeAdapter(ReviewRequest | Question)
_ENDING = TypeAdapter(Ending)


@dataclass(frozen=True, slots=True)
class Seen:
    """The pull as it is now, and the workflows whose jobs lose their purpose by that."""

    pull: Pull
    losing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Placed:
    """What deciding came to: the job that does the review, or why there is none."""

    job_key: str | None
    reason: str


class Workflows:
    """The workflows' bodies and what they share. The engine registers them under their own names."""

    def __init__(
        self,
        *,
        store: Store,
        vault: Vault,
        client: DBOSClient,
        story: Story,
        github: Doors,
        quiet_seconds: float,
        timing: Timing,
        ring: Callable[[str], None],
        tidy: Callable[[], Awaitable[None]],
    ) -> None:
        """`ring` hears that something has come into a queue, or has left it; `tidy` removes what the disk still holds."""
        self._store = store
        self._vault = vault
        self._client = client
        self._removal = Removal(store, client)
        self._tidy = tidy
        self._story = story
        self._github = github
        self._quiet_seconds = quiet_seconds
        self._timing = timing
        self._ring = ring
        self._anew = Anew(store, Inbox(store, self.enqueue_delivery))
        self._chances = Chances(store, client)
        self._running: dict[str, Stop] = {}
        self._stopped_before: set[str] = set()

    # on_delivery

    def enqueue_delivery(
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

    async def on_delivery(self, guid: str, event_json: dict[str, Any]) -> str:
        """Decide on one event. Returns the reason or the job's key, for whoever lists workflows."""
        event = EVENT.validate_python(event_json)
        workflow_id = _workflow_id()
        with (
            tracing.job("on_delivery", guid, workflow=workflow_id),
            bind(
                delivery=guid,
                trace=tracing.trace_of(guid),
                repository=event.place.repository,
                number=event.place.number,
            ),
        ):
            with self._stoppable(workflow_id) as stop:
                step = self._step(workflow_id, f"delivery:{guid}", event.place.repository_id, stop)
                try:
                    async with self._chances.begin(step):
                        placed = await self._decide(event, step, delivery=guid)
                except Transient as error:
                    return await self._put_back(guid, event, workflow_id, step, error)
                except Exception as error:  # noqa: BLE001 - a delivery must end in a state, whatever happened.
                    cause = _cause(error)
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
        placed = await step.run("place", lambda: self._store.call(self._place, plan, seen.pull, event.place), Placed)
        for queue in (REVIEWS, MANUAL) if placed.job_key else ():
            self._ring(queue)
        return placed

    async def _place_question(self, question: Question, step: DurableStep) -> Placed:
        placed = await step.run("place answer", lambda: self._store.call(self._place_answer, question), Placed)
        if placed.job_key:
            self._ring(answers.ANSWERS)
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
        rows = await self._store.call(self._jobs_of, event.place)
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
            self._enqueue_settle(connection, workflow_id, request, Ending("failed", cause.code, cause.what))

    def _jobs_of(self, place: Place) -> Sequence[Any]:
        with self._store.read() as connection:
            return self._store.jobs_of_pull(connection, place.repository_id, place.number)

    async def _cancel(self, workflow_ids: Sequence[str]) -> None:
        # First the engine's word, which every process obeys, then the nudge for those that run in this one.
        # Only then are our own rows ended, so that a crash in between finds them and cancels again.
        if not workflow_ids:
            return
        await DBOS.cancel_workflows_async(list(workflow_ids))
        for workflow_id in workflow_ids:
            if stop := self._running.get(workflow_id):
                stop.set()

    def _place(self, plan: Plan, pull: Pull, place: Place) -> Placed:
        """End the jobs that lost their purpose and begin the one that is wanted, in one transaction. May run twice."""
        statuses = self.statuses(row.workflow_id for row in self._jobs_of(place) if row.state in ACTIVE)
        with self._store.begin() as connection:
            rows = self._store.jobs_of_pull(connection, place.repository_id, place.number)
            lost = planning.losing(plan, rows)
            wanted = planning.inherited(plan, lost)
            self._end_jobs(connection, lost, _ending(plan))
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
                self._enqueue_settle(connection, f"{wanted.request.key}:{attempt}", wanted.request, _PUT_OFF)
                return Placed(None, "too many commands wait")
            self._put_off(connection, making_room(connection, REVIEWS, at_most=self._timing.reviews_at_most))
            self._enqueue_review(connection, wanted, pull, attempt)
            return Placed(wanted.request.key, "queued")

    def _place_answer(self, question: Question) -> Placed:
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
                self._enqueue_settle(connection, f"{question.key}:{attempt}", question, _UNANSWERED)
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
        self._enqueue_settle(connection, f"asked:{installation}:{request.asked_by}:{hour}", request, _TOO_OFTEN)
        return True

    def _put_off(self, connection: sa.Connection, rows: Sequence[Any]) -> None:
        """End jobs that wait, telling people so: the sweeps find their heads again when there is room."""
        if rows:
            for workflow_id in self._end_jobs(connection, rows, _PUT_OFF):
                log.warning("review_put_off", job=workflow_id, code=_PUT_OFF.code)

    def _enqueue_review(self, connection: sa.Connection, plan: Plan, pull: Pull, attempt: int) -> None:
        request = plan.request
        if request is None or request.head is None:
            raise Permanent(Code.INTERNAL, "a review was queued without a head")
        queue = MANUAL if request.by_hand else REVIEWS
        queueing.put(
            connection,
            request,
            _REQUEST.dump_python(request, mode="json"),
            # What deciding read of the pull is handed on: reading it again would cost a call of the review's eight.
            self._vault.wrap(json.dumps(_PULL.dump_python(pull, mode="json"))),
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
                self.enqueue_delivery(connection, guid=guid, attempt=attempt, event=event, delay_seconds=wait)
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

    # review_pull

    async def review_pull(self, request_json: dict[str, Any], pull_json: str) -> str:
        """One attempt of one review. Returns the state it ended in."""
        request = _REQUEST.validate_python(request_json)
        pull = _PULL.validate_json(self._vault.unwrap(pull_json))
        tell = functools.partial(self._story.review, request, pull=pull)
        return await self._attempt(request, tell, kind="review", queue=MANUAL if request.by_hand else REVIEWS)

    # answer

    async def answer(self, question_json: dict[str, Any]) -> str:
        """One attempt at one answer. Returns the state it ended in."""
        question = answers.QUESTION.validate_python(question_json)
        tell = functools.partial(self._story.answer, question)
        return await self._attempt(question, tell, kind="answer", queue=answers.ANSWERS)

    # Both

    async def _attempt(
        self, asked: ReviewRequest | Question, tell: Callable[..., Awaitable[Outcome]], *, kind: str, queue: str
    ) -> str:
        """One attempt of one job. Whatever happens, it ends in a state, and somebody is told."""
        workflow_id, place = _workflow_id(), asked.place
        with (
            tracing.job("review_pull" if kind == "review" else kind, asked.delivery, workflow=workflow_id),
            bind(job=workflow_id, **_named(asked)),
            self._stoppable(workflow_id) as stop,
        ):
            run = secrets.token_hex(16)
            if not await self._its_turn(workflow_id, run, stop, patient=isinstance(asked, ReviewRequest)):
                return JobState.SUPERSEDED.value
            began = time.monotonic()
            late = functools.partial(self._settle_if_ended, workflow_id=workflow_id, asked=asked)
            step = self._step(workflow_id, asked.key, place.repository_id, stop, run=run, after_send=late)
            try:
                async with self._chances.begin(step):
                    outcome = await self._in_rounds(functools.partial(tell, step=step), step, stop)
                state = _JOB_STATES.get(outcome.state, JobState.DONE)
                end = {"code": outcome.code, "detail": outcome.detail, "review_id": outcome.review_id}
            except Exception as error:  # noqa: BLE001 - a job must end in a state, whatever happened.
                cause = _cause(error)
                state, end = JobState.FAILED, {"code": cause.code.value, "detail": cause.what, "review_id": None}
                await self._store.call(self._fail, workflow_id, Ending("failed", cause.code, cause.what))
            else:
                anew = functools.partial(self._anew.at_end_of, asked=asked, state=state, workflow_id=workflow_id)
                await self._store.call(lambda: self._store.finish_job(workflow_id, state=state, then=anew, **end))
                self._ring(INGEST)
                JOBS.labels(kind, state.value).inc()
                if outcome.code:
                    FAILURES.labels(kind, outcome.code).inc()
            if kind == "review":
                JOB_SECONDS.observe(time.monotonic() - began)
                log.info("review_ended", state=state.value, **end)
            else:
                log.info("answer_ended", state=state.value, **end)
            self._ring(queue)
            return state.value

    async def _its_turn(self, workflow_id: str, run: str, stop: Stop, *, patient: bool) -> bool:
        """Waits until no other review of the pull request runs, if `patient`. False when the job was ended: nothing may be done.

        The waits are not the engine's, which would remember how many there were and miss them after a crash. After
        `turn_seconds` it is this job's turn in any case: a turn that nobody gives back must not hold up everything after it.
        """
        looks = math.ceil(self._timing.turn_seconds / self._timing.poll_seconds) if patient else 0
        for patience in range(looks, -1, -1):
            started = await self._store.call(self._store.start_job, workflow_id, run, patient=patience > 0)
            if started is not Start.BEHIND:
                return started is Start.STARTED
            await stop.guard(asyncio.sleep(self._timing.poll_seconds))
        raise AssertionError("unreachable: whoever has no patience left is never behind")

    async def _in_rounds(self, story: Callable[[], Awaitable[Any]], step: DurableStep, stop: Stop) -> Any:
        """The story's outcome; it is told again after every `Transient`, and what succeeded is not done again."""
        for tries in range(ROUNDS_AT_MOST):
            step.begin_round()
            try:
                return await story()
            except BaseExceptionGroup as group:
                cause = _cause(group)
                if not isinstance(cause, Transient) or tries == ROUNDS_AT_MOST - 1:
                    raise cause from group
            except Transient as error:
                cause = error
                if tries == ROUNDS_AT_MOST - 1:
                    raise
            wait = self._timing.retry_seconds(tries, cause)
            log.warning("review_waits", code=cause.code, what=cause.what, seconds=round(wait))
            await stop.guard(DBOS.sleep_async(wait))
        raise AssertionError("unreachable: the last round returns or raises")

    # settle

    async def settle(self, workflow_id: str, request_json: dict[str, Any], ending_json: dict[str, Any]) -> None:
        """Tell about a review or an answer that could not say itself how it ended."""
        request = _ASKED.validate_python(request_json)
        ending = _ENDING.validate_python(ending_json)
        own_id = _workflow_id()

        async def tell() -> None:
            left = await self._store.call(self._left, workflow_id, request.place)
            await self._story.settle(request, ending=ending, left=left)

        with (
            tracing.job("settle", request.delivery, workflow=own_id),
            bind(job=workflow_id, **_named(request)),
            self._stoppable(own_id) as stop,
        ):
            step = self._step(own_id, own_id, request.place.repository_id, stop)
            try:
                async with self._chances.begin(step):
                    telling = functools.partial(step.run, "tell", tell, type(None), preemptible=False)
                    await self._in_rounds(telling, step, stop)
            except PrincipalError as error:
                log.error("settle_failed", code=error.code, what=error.what)

    def _left(self, workflow_id: str, place: Place) -> Left:
        sent = self._store.effects(workflow_id)
        beside = self._store.effects_beside(workflow_id, repository_id=place.repository_id, number=place.number)
        return Left(
            stands={key: json.loads(row.remote) for key, row in sent.items() if row.remote is not None},
            unheard=frozenset(key for key, row in sent.items() if row.remote is None),
            held=tuple((key, json.loads(remote)) for key, remote in beside),
        )

    def _settle_if_ended(self, connection: sa.Connection, *, workflow_id: str, asked: ReviewRequest | Question) -> None:
        """Have people told of a review's end once more: what it sent while it was ended may have come after they were told."""
        row = self._store.job_of(connection, workflow_id)
        if row is None or row.state in ACTIVE or not isinstance(asked, ReviewRequest):
            return
        ending = Ending(row.state, Code(row.code) if row.code else None, row.detail)
        self._enqueue_settle(connection, workflow_id, asked, ending, again=":late")

    def _fail(self, workflow_id: str, ending: Ending) -> None:
        with self._store.begin() as connection:
            row = self._store.job_of(connection, workflow_id)
            if row is not None:
                self._end_jobs(connection, [row], ending)

    def _end_jobs(self, connection: sa.Connection, rows: Iterable[Any], ending: Ending) -> list[str]:
        """End those of these jobs that are active, and queue what tells people about the ones that had begun.

        Returns the workflows of the jobs that were ended.
        """
        by_id = {row.workflow_id: row for row in rows}
        state = JobState.CANCELLED if ending.state == PUT_OFF else JobState(ending.state)
        code = ending.code.value if ending.code else ""
        ended = self._store.end_jobs(connection, list(by_id), state=state, code=code, detail=ending.detail)
        for workflow_id in ended:
            row = by_id[workflow_id]
            asked = _ASKED.validate_json(row.request)
            kind = "answer" if isinstance(asked, Question) else "review"
            JOBS.labels(kind, state.value).inc()
            if code:
                FAILURES.labels(kind, code).inc()
            if row.state == JobState.RUNNING or ending.state == PUT_OFF:
                self._enqueue_settle(connection, workflow_id, asked, ending)
        return ended

    def _enqueue_settle(
        self,
        connection: sa.Connection,
        workflow_id: str,
        request: ReviewRequest | Question,
        ending: Ending,
        *,
        again: str = "",
    ) -> None:
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
            _ASKED.dump_python(request, mode="json"),
            _ENDING.dump_python(ending, mode="json"),
        )

    # Shared

    @property
    def are_running(self) -> bool:
        """Whether any workflow runs in this process."""
        return bool(self._running)

    async def stop_review(self, key: str) -> bool:
        """End the review of this key because the operator says so. False when it has ended already."""
        row = await self._store.call(self._job, key)
        if row is None or row.state not in ACTIVE:
            return False
        # Not through the running engine: a process that only takes deliveries may be asked as well.
        await asyncio.to_thread(self._client.cancel_workflows, [row.workflow_id])
        if stop := self._running.get(row.workflow_id):
            stop.set()
        ending = Ending("cancelled", None, planning.CANCELLED_BY_OPERATOR)
        return bool(await self._store.call(self._end_job, row, ending))

    def _job(self, key: str) -> Any:
        with self._store.read() as connection:
            return self._store.job(connection, key)

    def _end_job(self, row: Any, ending: Ending) -> list[str]:
        with self._store.begin() as connection:
            return self._end_jobs(connection, [row], ending)

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
            self._end_jobs(connection, cancelled, Ending("cancelled", None, planning.CANCELLED_BY_OPERATOR))
            for workflow_id in self._end_jobs(connection, dead, _DIED):
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

    @contextmanager
    def _stoppable(self, workflow_id: str) -> Iterator[Stop]:
        stop = self._running[workflow_id] = Stop()
        try:
            yield stop
        except BaseExceptionGroup as group:
            # A task group wraps the engine's own word for "cancelled"; the engine knows only the bare one.
            if group.subgroup(engine_error.DBOSWorkflowCancelledError):
                raise engine_error.DBOSWorkflowCancelledError("the job was cancelled") from group
            raise
        finally:
            # A job that was taken for dead and came back here runs twice for a moment; the newer keeps its place.
            if self._running.get(workflow_id) is stop:
                del self._running[workflow_id]

    def _step(self, workflow_id: str, job_key: str, repository_id: int, stop: Stop, **more: Any) -> DurableStep:
        return DurableStep(
            self._store,
            self._vault,
            workflow_id=workflow_id,
            job_key=job_key,
            repository_id=repository_id,
            stop=stop,
            timing=self._timing,
            **more,
        )


_GIVEN_UP = "given up"
_HEARD: Any = ReviewRequest | Question | Refused
_PUT_OFF = Ending(PUT_OFF, Code.QUEUE_FULL, "Too many reviews wait already")
_UNANSWERED = Ending(PUT_OFF, Code.TOO_MANY_QUESTIONS, "Too many questions wait already")
_TOO_OFTEN = Ending(
    PUT_OFF, Code.ASKED_TOO_OFTEN, "One person has asked for as many reviews and answers as an hour allows"
)
_DIED = Ending("failed", Code.INTERNAL, DIED)
_JOB_STATES: Mapping[str, JobState] = {
    "failed": JobState.FAILED,
    "superseded": JobState.SUPERSEDED,
    "skipped": JobState.SKIPPED,
}


def _named(asked: ReviewRequest | Question) -> dict[str, str | int]:
    """What every log line about a job says of it."""
    pull: dict[str, str | int] = {"repository": asked.place.repository, "number": asked.place.number}
    by = {"delivery": asked.delivery, "trace": tracing.trace_of(asked.delivery)} if asked.delivery else {}
    return {**by, **pull}


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


def _ending(plan: Plan) -> Ending:
    if plan.request is None:
        return Ending("cancelled", None, plan.reason)
    return Ending("superseded", None, f"A newer review was asked for, of {plan.request.head}")


def _cause(error: BaseException) -> PrincipalError:
    """The one error to tell of: of a group, the first that will not pass by itself, else the first."""
    if isinstance(error, PrincipalError):
        return error
    if isinstance(error, BaseExceptionGroup):
        causes = [_cause(inner) for inner in error.exceptions]
        return next((cause for cause in causes if not isinstance(cause, Transient)), causes[0])
    if not isinstance(error, Exception):
        raise error
    log.error("defect", exc_info=error)
    return Permanent(Code.INTERNAL, f"{type(error).__name__} in the job")


def _workflow_id() -> str:
    workflow_id = DBOS.workflow_id
    if workflow_id is None:
        raise Permanent(Code.INTERNAL, "a workflow's body was called outside the engine")
    return workflow_id
