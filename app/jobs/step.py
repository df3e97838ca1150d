"""`review.Step`, durably: what a step returned is remembered over crashes, and an effect happens once.

Three promises, and what keeps each:

- A finished step is never run again: the engine checkpoints its result, and a job that is tried again after a lost
  connection (a *round*) takes the results of earlier rounds from memory. Failures are checkpointed as values, so that a
  replay meets the same error as the first run did.
- A stopped job buys nothing more: a preemptible step ends when its job is cancelled, here at once, from another process
  within about a second; and no effect is sent for a job that has been ended.
- An effect happens once: see `once`.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

import sqlalchemy as sa
from dbos import DBOS
from dbos import error as engine_error
from pydantic import TypeAdapter

from app import tracing
from app.core.pace import AS_GITHUB_ASKS, Spacing
from app.errors import Code, Permanent, PrincipalError, Transient, UserError
from app.jobs.store import ACTIVE, SendState, Sent, Store
from app.jobs.vault import Vault
from app.stages.step import at_once
from app.telemetry import log

T = TypeVar("T")

SENDS_AT_MOST = 4
LOOKS_AT_MOST = 10
INLINE_AT_MOST_CHARACTERS = 8192
"""Longer results go to the artifact table: the engine would store them whole, and twice over."""

Stored = dict[str, Any]
"""How a step ended, as JSON: `{"value": sealed text}`, `{"artifact": name}` or `{"error": …}`."""


@dataclass(frozen=True, slots=True)
class Timing:
    """How long the jobs wait, in seconds, and how many may. Tests make it short; nothing else does.

    `settle_seconds`: GitHub ends a request of its own accord after 10 s, so a write whose answer was lost has either taken
    effect by then or never will. `retry_…`: the wait before a job is tried again, doubling from first to longest.
    `poll_seconds`: how often a queue is asked for work that another process has queued, or that waited for its time; a look
    costs some milliseconds of CPU, also when there is none. `tend_seconds`: how often dead jobs are looked for. On
    PostgreSQL, `look_seconds`: how often dead processes are looked for; `grace_seconds`: for how long one must be missed;
    `beat_seconds`: how often a process makes sure that it is not. `sweep_…`: when the first sweep starts, so that the
    webhook is open to what it asks for, and how often one starts; 0 for never. `spacing`: how fast one installation may
    write.
    `turn_seconds`: how long a review waits for another of the same pull request, which has not ended, before it begins
    all the same.
    `reviews_at_most` and `commands_at_most`: how many may be waited for, over all processes, before some are put off;
    the latter holds for the reviews that people ask for, and for answers;
    `asked_at_most`: how many reviews one person may ask an installation for in an hour.
    """

    settle_seconds: float = 12.0
    retry_first_seconds: float = 30.0
    retry_longest_seconds: float = 300.0
    poll_seconds: float = 0.5
    tend_seconds: float = 60.0
    look_seconds: float = 5.0
    grace_seconds: float = 10.0
    beat_seconds: float = 2.0
    sweep_after_start_seconds: float = 5.0
    sweep_seconds: float = 600.0
    spacing: Spacing = AS_GITHUB_ASKS
    turn_seconds: float = 1_800.0
    reviews_at_most: int = 1_000
    commands_at_most: int = 200
    asked_at_most: int = 30

    def retry_seconds(self, tries: int, error: Transient) -> float:
        """How long to wait after this many tries: the time that the other side named, else our own doubling wait.

        Whoever was told a time and is refused again waits longer each time as well.
        """
        named = error.retry_after_seconds
        if named is not None and tries == 0:
            return named
        doubled = self.retry_first_seconds * float(2 ** min(tries, 10))
        return max(min(doubled, self.retry_longest_seconds), named or 0.0)


class Stop:
    """The signal that a running job's work is not wanted any more. Set from any thread, awaited on the job's own loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()

    @property
    def is_set(self) -> bool:
        """Whether the job has been stopped."""
        return self._event.is_set()

    def set(self) -> None:
        """Stop the job."""
        self._loop.call_soon_threadsafe(self._event.set)

    async def guard(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of `work`, which is cancelled when the job is stopped."""
        task = asyncio.create_task(work)
        stopped = asyncio.create_task(self._event.wait())
        try:
            await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise cancelled()
            return task.result()
        finally:
            stopped.cancel()
            if not task.done():
                task.cancel()
                await asyncio.wait({task})


def _nothing_more(_connection: sa.Connection) -> None:
    """A send needs no more than to be written down."""


async def _coroutine(work: Callable[[], Awaitable[T]]) -> T:
    return await work()


def cancelled() -> BaseException:
    """The engine's word for a job that was cancelled. No `Exception`, so no story can catch it by accident."""
    return engine_error.DBOSWorkflowCancelledError("the job was cancelled")


class DurableStep:
    """The steps of one attempt of one job. Not shared between jobs."""

    def __init__(
        self,
        store: Store,
        vault: Vault,
        *,
        workflow_id: str,
        job_key: str,
        repository_id: int,
        stop: Stop,
        timing: Timing,
        run: str | None = None,
        after_send: Callable[[sa.Connection], None] = _nothing_more,
    ) -> None:
        """`run` is what marks this execution of the job; what the steps return is kept as the repository's, sealed.

        `after_send` is called after every send that may have had its effect, inside the transaction that says so.
        """
        self.workflow_id = workflow_id
        self._store = store
        self._vault = vault
        self._repository_id = repository_id
        self._after_each: Callable[[], None] | None = None
        self._run = run
        self._after_send = after_send
        self._job_key = job_key
        self._stop = stop
        self._timing = timing
        self._remembered: dict[tuple[str, int], Stored] = {}
        self._started: Counter[str] = Counter()

    def after_each(self, told: Callable[[], None]) -> None:
        """Have this called whenever one more step is remembered; what was remembered before does not count."""
        self._after_each = told

    def begin_round(self) -> None:
        """Begin the story again from its first step: what succeeded in earlier rounds is not done again."""
        self._started.clear()

    async def run(self, name: str, work: Callable[[], Awaitable[T]], result: Any, *, preemptible: bool = True) -> T:
        """See `review.Step.run`."""
        adapter: TypeAdapter[T] = _adapter(result)

        async def step() -> Stored:
            async def stored() -> Stored:
                return await self._stored(name, work, adapter)

            return await (self._stop.guard(stored()) if preemptible else stored())

        # Nothing may be awaited before the engine has numbered the step: steps are numbered in the order they start.
        return await self._remember(name, step, adapter, preemptible=preemptible)

    async def once(
        self,
        key: str,
        *,
        look: Callable[[], Awaitable[T | None]],
        send: Callable[[], Awaitable[T]],
        result: Any,
        turn: Callable[[], Awaitable[None]] = at_once,
    ) -> T:
        """See `review.Step.once`.

        The intent is committed before every send, and `look` is asked before every send. Where an answer was lost (the
        other side said nothing, or this process was killed) the next look waits until the lost request can no longer
        take effect. Rows belong to an attempt of the job; a later attempt looks again and sends only what is not there.
        """
        adapter: TypeAdapter[T] = _adapter(result)

        async def step() -> Stored:
            return await self._stored(
                key, lambda: self._once(key, turn=turn, look=look, send=send, adapter=adapter), adapter
            )

        return await self._remember(f"once:{key}", step, adapter, preemptible=False)

    async def _remember(
        self, name: str, step: Callable[[], Coroutine[Any, Any, Stored]], adapter: TypeAdapter[T], *, preemptible: bool
    ) -> T:
        place = (name, self._started[name])
        self._started[name] += 1
        stored = self._remembered.get(place)
        if stored is None:
            done = False

            async def work() -> Stored:
                nonlocal done
                with tracing.span(f"step {'once' if name.startswith('once:') else name}", step=name):
                    value = await step()
                done = True
                return value

            stored = await DBOS.run_step_async({"name": name, "preemptible": preemptible}, work)
            if done and self._after_each is not None:
                self._after_each()
            if "error" not in stored:
                self._remembered[place] = stored
        return await self._read(name, stored, adapter)

    async def _stored(self, name: str, work: Callable[[], Awaitable[T]], adapter: TypeAdapter[T]) -> Stored:
        try:
            value = await work()
        except PrincipalError as error:
            return {"error": _error_as_json(error)}
        except Exception as error:  # noqa: BLE001 - a defect must end as a value too, or a replay would end differently.
            log.exception("step_failed", step=name)
            return {"error": _error_as_json(Permanent(Code.INTERNAL, f"{type(error).__name__} in {name}"))}
        text = _as_text(adapter, value)
        if len(text) <= INLINE_AT_MOST_CHARACTERS:
            return {"value": self._vault.wrap(text)}
        of = self._repository_id
        artifact, body = await asyncio.to_thread(
            lambda: (self._vault.name(text, repository_id=of), self._vault.seal(text))
        )
        await self._store.call(self._store.keep, artifact, body, kind=name, repository_id=of)
        return {"artifact": artifact}

    async def _read(self, name: str, stored: Stored, adapter: TypeAdapter[T]) -> T:
        if "error" in stored:
            raise _error_from_json(stored["error"])
        if "artifact" in stored:
            text = await self._kept(name, stored["artifact"])
        else:
            text = self._vault.unwrap(stored["value"])
        return adapter.validate_python(json.loads(text))

    async def _kept(self, name: str, artifact: str) -> str:
        body = await self._store.call(self._store.kept, artifact)
        if body is None:
            raise Permanent(Code.INTERNAL, f"The remembered result of {name} is gone")
        return await asyncio.to_thread(self._vault.open, body)

    async def _once(
        self,
        key: str,
        *,
        turn: Callable[[], Awaitable[None]],
        look: Callable[[], Awaitable[T | None]],
        send: Callable[[], Awaitable[T]],
        adapter: TypeAdapter[T],
    ) -> T:
        lost: PrincipalError | None = None
        for _ in range(SENDS_AT_MOST):
            mine = await self._wait_until_settled(key)
            if mine and mine.state is SendState.SENT and mine.remote is not None:
                return adapter.validate_python(json.loads(mine.remote))
            await self._stop.guard(_coroutine(turn))
            found = await look()
            if found is not None:
                await self._end_send(key, _as_text(adapter, found))
                return found
            await self._store.call(self._claim_send, key)
            try:
                sent = await send()
            except PrincipalError as error:
                if error.code is not Code.GITHUB_ANSWER_UNKNOWN:
                    await self._store.call(self._store.drop_send, workflow_id=self.workflow_id, key=key)
                    raise
                log.warning("answer_lost", effect=key)
                lost = error
                await self._store.call(self._lose_answer)
            else:
                await self._end_send(key, _as_text(adapter, sent))
                return sent
        raise lost or Transient(Code.GITHUB_ANSWER_UNKNOWN, f"{key} was sent {SENDS_AT_MOST} times without an answer")

    async def _wait_until_settled(self, key: str) -> Sent | None:
        """Our own row, once no request of this effect can still be on its way, ours or an earlier attempt's."""
        rows: list[Sent] = []
        for _ in range(LOOKS_AT_MOST):
            rows = await self._store.call(self._sends, key)
            under_way = [row.sending_at for row in rows if row.state is SendState.SENDING]
            wait_seconds = max(under_way, default=0.0) + self._timing.settle_seconds - time.time()
            if not under_way or wait_seconds <= 0:
                break
            # Bounded by the wait itself, so that a clock that jumped cannot hold the job for longer.
            await self._stop.guard(asyncio.sleep(min(wait_seconds, self._timing.settle_seconds)))
        return next((row for row in rows if row.workflow_id == self.workflow_id), None)

    def _sends(self, key: str) -> list[Sent]:
        with self._store.read() as connection:
            return self._store.sends(connection, self._job_key, key)

    def _claim_send(self, key: str) -> None:
        # In one transaction with the look at the job: a process that slept through its job's end must not send.
        with self._store.begin() as connection:
            job = self._store.job(connection, self._job_key)
            if job is not None and (job.workflow_id != self.workflow_id or job.state not in ACTIVE):
                raise cancelled()
            # The same for one that was taken for dead: another process runs the job now, and will look and send.
            if self._run is not None and self._store.run_of(connection, self.workflow_id) != self._run:
                raise cancelled()
            self._store.put_send(connection, workflow_id=self.workflow_id, job_key=self._job_key, key=key)

    async def _end_send(self, key: str, remote: str) -> None:
        await self._store.call(self._write_end_of_send, key, remote)

    def _write_end_of_send(self, key: str, remote: str) -> None:
        with self._store.begin() as connection:
            self._store.end_send(
                connection, workflow_id=self.workflow_id, job_key=self._job_key, key=key, remote=remote
            )
            self._after_send(connection)

    def _lose_answer(self) -> None:
        with self._store.begin() as connection:
            self._after_send(connection)


@cache
def _adapter(result: Any) -> TypeAdapter[Any]:
    # Built once for each type: building one takes longer than all the rest of a step.
    return TypeAdapter(result)


def _as_text(adapter: TypeAdapter[Any], value: Any) -> str:
    # ASCII, so that the lone surrogates of odd file names survive a database that insists on UTF-8.
    return json.dumps(adapter.dump_python(value, mode="json"), ensure_ascii=True, separators=(",", ":"))


def _error_as_json(error: PrincipalError) -> dict[str, Any]:
    kind = next(kind for kind in _KINDS if isinstance(error, _KINDS[kind]))
    wait = error.retry_after_seconds if isinstance(error, Transient) else None
    return {"kind": kind, "code": error.code.value, "what": error.what, "retry_after_seconds": wait}


def _error_from_json(data: dict[str, Any]) -> PrincipalError:
    code = Code(data["code"]) if data["code"] in set(Code) else Code.INTERNAL
    match data["kind"]:
        case "transient":
            return Transient(code, data["what"], retry_after_seconds=data["retry_after_seconds"])
        case "user":
            return UserError(data["what"], code)
        case _:
            return Permanent(code, data["what"])


_KINDS: dict[str, type[PrincipalError]] = {"transient": Transient, "user": UserError, "permanent": PrincipalError}
