"""The four workflows. Each is a story of its own, and each of its lines may be its last: a crash continues it there.

    on_delivery   event ─► what is to be done about it, queued: in deciding.py
    review_pull   request ─► the story, step by step ─► how it ended
    answer        question ─► words, said where it was asked
    settle        a job ended from outside ─► its check run or its thread says so (endings.py)

The patching rule: a workflow begun before an upgrade must find its steps as it left them. Whoever changes the order or the
names of steps puts the new order behind `DBOS.patch_async(NAME)`, and removes the old one when no job from before is left.
"""

from __future__ import annotations

import asyncio
import functools
import math
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from app import tracing
from app.errors import PrincipalError
from app.events import Question, ReviewRequest
from app.jobs import answers
from app.jobs.anew import Anew
from app.jobs.endings import ASKED, ENDING, Endings
from app.jobs.placing import PULL, REQUEST
from app.jobs.queueing import INGEST, MANUAL, REVIEWS
from app.jobs.runs import Runs, cause_of, workflow_id_here
from app.jobs.step import Stop, Timing
from app.jobs.store import JobState, Start, Store
from app.jobs.story import Ending, Outcome, Story
from app.jobs.vault import Vault
from app.telemetry import FAILURES, JOB_SECONDS, JOBS, bind, log


class Workflows:
    """The bodies of the last three. The engine registers all four under their own names."""

    def __init__(
        self,
        store: Store,
        vault: Vault,
        story: Story,
        *,
        runs: Runs,
        endings: Endings,
        anew: Anew,
        timing: Timing,
        ring: Callable[[str], None],
    ) -> None:
        """`ring` hears that something has come into a queue, or has left it."""
        self._store = store
        self._vault = vault
        self._story = story
        self._runs = runs
        self._endings = endings
        self._anew = anew
        self._timing = timing
        self._ring = ring

    async def review_pull(self, request_json: dict[str, Any], pull_json: str) -> str:
        """One attempt of one review. Returns the state it ended in."""
        request = REQUEST.validate_python(request_json)
        pull = PULL.validate_json(self._vault.unwrap(pull_json))
        tell = functools.partial(self._story.review, request, pull=pull)
        return await self._attempt(request, tell, kind="review", queue=MANUAL if request.by_hand else REVIEWS)

    async def answer(self, question_json: dict[str, Any]) -> str:
        """One attempt at one answer. Returns the state it ended in."""
        question = answers.QUESTION.validate_python(question_json)
        tell = functools.partial(self._story.answer, question)
        return await self._attempt(question, tell, kind="answer", queue=answers.ANSWERS)

    async def _attempt(
        self, asked: ReviewRequest | Question, tell: Callable[..., Awaitable[Outcome]], *, kind: str, queue: str
    ) -> str:
        """One attempt of one job. Whatever happens, it ends in a state, and somebody is told."""
        workflow_id, place = workflow_id_here(), asked.place
        with (
            tracing.job("review_pull" if kind == "review" else kind, asked.delivery, workflow=workflow_id),
            bind(job=workflow_id, **_named(asked)),
            self._runs.stoppable(workflow_id) as stop,
        ):
            run = secrets.token_hex(16)
            if not await self._its_turn(workflow_id, run, stop, patient=isinstance(asked, ReviewRequest)):
                return JobState.SUPERSEDED.value
            began = time.monotonic()
            late = functools.partial(self._endings.tell_if_ended, workflow_id=workflow_id, asked=asked)
            step = self._runs.step(workflow_id, asked.key, place.repository_id, stop, run=run, after_send=late)
            try:
                async with self._runs.chances.begin(step):
                    outcome = await self._runs.in_rounds(functools.partial(tell, step=step), step, stop)
                state = _JOB_STATES.get(outcome.state, JobState.DONE)
                end = {"code": outcome.code, "detail": outcome.detail, "review_id": outcome.review_id}
            except Exception as error:  # noqa: BLE001 - a job must end in a state, whatever happened.
                cause = cause_of(error)
                state, end = JobState.FAILED, {"code": cause.code.value, "detail": cause.what, "review_id": None}
                await self._store.call(self._endings.fail, workflow_id, Ending("failed", cause.code, cause.what))
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

    async def settle(self, workflow_id: str, request_json: dict[str, Any], ending_json: dict[str, Any]) -> None:
        """Tell about a review or an answer that could not say itself how it ended."""
        request = ASKED.validate_python(request_json)
        ending = ENDING.validate_python(ending_json)
        own_id = workflow_id_here()

        async def tell() -> None:
            left = await self._store.call(self._endings.left, workflow_id, request.place)
            await self._story.settle(request, ending=ending, left=left)

        with (
            tracing.job("settle", request.delivery, workflow=own_id),
            bind(job=workflow_id, **_named(request)),
            self._runs.stoppable(own_id) as stop,
        ):
            step = self._runs.step(own_id, own_id, request.place.repository_id, stop)
            try:
                async with self._runs.chances.begin(step):
                    telling = functools.partial(step.run, "tell", tell, type(None), preemptible=False)
                    await self._runs.in_rounds(telling, step, stop)
            except PrincipalError as error:
                log.error("settle_failed", code=error.code, what=error.what)


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
