"""How often a job is begun again after its process died: who stops the server is given up, who only stood near goes on.

    begun before? ─► how many processes died at the step where it is now ─► at once · alone · given up

A process takes everything that runs in it along, so its death says little about one job. What counts is where: a job that
remembers one more step than at its last beginning counts anew. At whose step two processes died is a suspect, and suspects
are begun one at a time until they get somewhere, those with the fewest deaths first: so each death that follows counts
against one of them alone. The last chance is taken when nothing else runs.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

import sqlalchemy as sa
from dbos import DBOSClient

from app.errors import Code, Permanent
from app.jobs.step import DurableStep
from app.jobs.store import Store, metadata
from app.telemetry import log

RECOVERIES_AT_MOST = 3
SUSPECT_FROM = 2
QUIET_WAIT_SECONDS = 600.0
BREATH_SECONDS = 2.0
"""When a process starts, all it has to go on with begins within less."""
DIED = "The job stopped the server's process several times and is not tried again"

begins = sa.Table(
    "principal_begins",
    metadata,
    sa.Column("workflow_id", sa.String(220), primary_key=True),
    sa.Column("steps", sa.Integer, nullable=False),
    sa.Column("deaths", sa.Integer, nullable=False),
    sa.Column("began_at", sa.Float, nullable=False, index=True),
)


def deaths(before: tuple[int, int] | None, *, steps: int) -> int:
    """How many processes in a row died while the job was where it is now.

    `before` is (steps, deaths) as they were when it was last begun, None for a new job; `steps` are remembered by now.
    """
    if before is None:
        return 0
    steps_then, deaths_then = before
    return deaths_then + 1 if steps <= steps_then else 1


class Chances:
    """The beginnings of this process's jobs. Used on the engine's own loop."""

    def __init__(self, store: Store, client: DBOSClient) -> None:
        self._store = store
        self._client = client
        self._alone = _OneAtATime()
        self._quiet = _Quiet()

    @asynccontextmanager
    async def begin(self, step: DurableStep) -> AsyncIterator[None]:
        """The time in which the job whose step this is may work. Raises `Permanent` when it has had its chances."""
        workflow_id = step.workflow_id
        died, steps = await self._store.call(self._look, workflow_id)
        if died > RECOVERIES_AT_MOST:
            raise Permanent(Code.INTERNAL, DIED)
        if died < SUSPECT_FROM:
            await self._store.call(self._note, workflow_id, steps=steps, died=died)
            with self._quiet.work():
                yield
            return
        log.warning("job_is_a_suspect", job=workflow_id, deaths=died)
        if died == RECOVERIES_AT_MOST:
            await self._quiet.wait(seconds=QUIET_WAIT_SECONDS)
        async with self._alone.turn(died) as done:
            # Noted only now: whoever waits for its turn has not begun, and is not to blame if the process dies.
            await self._store.call(self._note, workflow_id, steps=steps, died=died)
            step.after_each(done)
            with self._quiet.work():
                yield

    def _look(self, workflow_id: str) -> tuple[int, int]:
        with self._store.read() as connection:
            row = connection.execute(sa.select(begins).where(begins.c.workflow_id == workflow_id)).one_or_none()
        if row is None:
            return 0, 0
        steps = len(self._client.list_workflow_steps(workflow_id))
        return deaths((row.steps, row.deaths), steps=steps), steps

    def _note(self, workflow_id: str, *, steps: int, died: int) -> None:
        values: dict[str, Any] = {"steps": steps, "deaths": died, "began_at": time.time()}
        statement = self._store.insert(begins).values(workflow_id=workflow_id, **values)
        with self._store.begin() as connection:
            connection.execute(statement.on_conflict_do_update(index_elements=["workflow_id"], set_=values))


class _Quiet:
    """Whether any job works, and the wait for a moment when none does."""

    def __init__(self) -> None:
        self._working = self._begun = 0
        self._none = asyncio.Event()
        self._none.set()

    @contextmanager
    def work(self) -> Iterator[None]:
        """A job works as long as the block lasts."""
        self._working += 1
        self._begun += 1
        self._none.clear()
        try:
            yield
        finally:
            self._working -= 1
            if not self._working:
                self._none.set()

    async def wait(self, *, seconds: float, breath_seconds: float = BREATH_SECONDS) -> None:
        """Until no job works, nor begins to in the time of a breath; not longer than `seconds`, as that may never be."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while True:
                    await self._none.wait()
                    begun = self._begun
                    await asyncio.sleep(breath_seconds)
                    if self._none.is_set() and self._begun == begun:
                        return


class _OneAtATime:
    """A turn that one holds at a time; of those who wait, the lowest rank is next."""

    def __init__(self) -> None:
        self._busy = False
        self._arrivals = itertools.count()
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []

    @asynccontextmanager
    async def turn(self, rank: int) -> AsyncIterator[Callable[[], None]]:
        """The turn; what is yielded gives it up before the block ends."""
        await self._wait(rank)
        held = True

        def done() -> None:
            nonlocal held
            if held:
                held = False
                self._next()

        try:
            yield done
        finally:
            done()

    async def _wait(self, rank: int) -> None:
        if not self._busy:
            self._busy = True
            return
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (rank, next(self._arrivals), mine))
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():
                self._next()
            raise

    def _next(self) -> None:
        while self._waiting:
            *_, waiting = heapq.heappop(self._waiting)
            if not waiting.done():
                waiting.set_result(None)
                return
        self._busy = False
