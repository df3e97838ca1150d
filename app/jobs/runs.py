"""What runs in this process: the signal that stops a job, its steps, and the rounds in which its story is told.

stoppable(id) ─► Stop ─ step(…) ─► DurableStep ─ in_rounds(story) ─► outcome, however often the connection was lost
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from dbos import DBOS, DBOSClient
from dbos import error as engine_error

from app.errors import Code, Permanent, PrincipalError, Transient
from app.jobs.chances import Chances
from app.jobs.step import DurableStep, Stop, Timing
from app.jobs.store import Store
from app.jobs.vault import Vault
from app.telemetry import log

ROUNDS_AT_MOST = 60
"""With the longest wait of five minutes, a delivery or a review survives an outage of about five hours."""


class Runs:
    """The jobs that run in this process. Used on the engine's own loop, but for `stop`."""

    def __init__(self, store: Store, vault: Vault, client: DBOSClient, *, timing: Timing) -> None:
        self._store = store
        self._vault = vault
        self._timing = timing
        self._running: dict[str, Stop] = {}
        self.chances = Chances(store, client)

    def stop(self, workflow_ids: Iterable[str]) -> None:
        """Stop those of these jobs that run here. From any thread."""
        for workflow_id in workflow_ids:
            if stop := self._running.get(workflow_id):
                stop.set()

    @property
    def are_running(self) -> bool:
        """Whether any workflow runs in this process."""
        return bool(self._running)

    async def in_rounds(self, story: Callable[[], Awaitable[Any]], step: DurableStep, stop: Stop) -> Any:
        """The story's outcome; it is told again after every `Transient`, and what succeeded is not done again."""
        for tries in range(ROUNDS_AT_MOST):
            step.begin_round()
            try:
                return await story()
            except BaseExceptionGroup as group:
                cause = cause_of(group)
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

    @contextmanager
    def stoppable(self, workflow_id: str) -> Iterator[Stop]:
        """The time in which this workflow runs here, and the signal that stops it."""
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

    def step(self, workflow_id: str, job_key: str, repository_id: int, stop: Stop, **more: Any) -> DurableStep:
        """The steps of a workflow under that signal; `more` is as `DurableStep` takes it."""
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


def cause_of(error: BaseException) -> PrincipalError:
    """The one error to tell of: of a group, the first that will not pass by itself, else the first."""
    if isinstance(error, PrincipalError):
        return error
    if isinstance(error, BaseExceptionGroup):
        causes = [cause_of(inner) for inner in error.exceptions]
        return next((cause for cause in causes if not isinstance(cause, Transient)), causes[0])
    if not isinstance(error, Exception):
        raise error
    log.error("defect", exc_info=error)
    return Permanent(Code.INTERNAL, f"{type(error).__name__} in the job")


def workflow_id_here() -> str:
    """The id of the workflow whose body this is."""
    workflow_id = DBOS.workflow_id
    if workflow_id is None:
        raise Permanent(Code.INTERNAL, "a workflow's body was called outside the engine")
    return workflow_id
