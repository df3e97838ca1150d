"""One writer for everything that must be safe before GitHub gets its answer: what waits is committed together.

SQLite's lock is not fair: with eight writers one of them waited 2.6 s. One thread that commits whatever has gathered, up to
a hundred items a transaction, answered under the same load within 0.13 s (p99), and each commit costs one flush. Few items
are committed at once; in a burst more are on their way, and the next transaction waits for them for a moment.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import sqlalchemy as sa

from app.errors import Code, PrincipalError, Transient
from app.telemetry import log

Item = TypeVar("Item")
Result = TypeVar("Result")

ITEMS_PER_TRANSACTION = 100
GATHER_SECONDS = 0.02
"""How long a busy writer lets items gather: a transaction costs the processor as much as twenty of its items."""
BUSY_FROM_ITEMS = 8
"""So many in one transaction are a burst; fewer have only met while another one was written, and nobody waits for more."""


@dataclass(frozen=True, slots=True)
class _Waiting(Generic[Item, Result]):
    item: Item
    answer: asyncio.Future[Result]

    def fail(self, error: Exception) -> None:
        self.answer.get_loop().call_soon_threadsafe(_fail, self.answer, error)


class Writer(Generic[Item, Result]):
    """Hands items to `commit`, which writes them in one transaction and returns a result each, in the same order."""

    def __init__(self, commit: Callable[[Sequence[Item]], Sequence[Result]]) -> None:
        self._commit = commit
        self._waiting: queue.SimpleQueue[_Waiting[Item, Result] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="delivery-writer", daemon=True)
        self._thread.start()

    async def write(self, item: Item, *, timeout_seconds: float) -> Result:
        """The result of `item`, once it is committed.

        Raises `Transient` (DATABASE_BUSY) when it was not committed, or not known to be, in this time.
        """
        waiting: _Waiting[Item, Result] = _Waiting(item, asyncio.get_running_loop().create_future())
        self._waiting.put(waiting)
        try:
            async with asyncio.timeout(timeout_seconds):
                return await waiting.answer
        except TimeoutError as error:
            raise Transient(Code.DATABASE_BUSY, "The database did not take the delivery in time") from error

    def close(self) -> None:
        """Commit what waits and end the thread."""
        self._waiting.put(None)
        self._thread.join()

    def _work(self) -> None:
        running, busy = True, False
        while running:
            batch = [self._waiting.get()]
            if busy:
                time.sleep(GATHER_SECONDS)
            while len(batch) < ITEMS_PER_TRANSACTION and not self._waiting.empty():
                batch.append(self._waiting.get())
            running, busy = None not in batch, len(batch) >= BUSY_FROM_ITEMS
            # Those who gave up waiting were told so: writing their item now would be a surprise, though a harmless one.
            self._write([one for one in batch if one is not None and not one.answer.cancelled()])

    def _write(self, batch: Sequence[_Waiting[Item, Result]]) -> None:
        if not batch:
            return
        try:
            results = self._commit([one.item for one in batch])
        except sa.exc.OperationalError as error:
            # Busy, full, read-only, gone: true for every item alike, and trying one by one would only take longer.
            log.error("database_refused", what=str(error.orig))
            for one in batch:
                one.fail(Transient(Code.DATABASE_BUSY, "The database does not take writes now"))
        except Exception as error:  # noqa: BLE001 - the thread must live on, and everyone must get an answer.
            self._write_one_by_one(batch, error)
        else:
            _give_all(batch, results)

    def _write_one_by_one(self, batch: Sequence[_Waiting[Item, Result]], error: Exception) -> None:
        if len(batch) > 1:
            # One bad item must not refuse the others that happened to come with it.
            for one in batch:
                self._write([one])
            return
        log.error("delivery_not_written", exc_info=error)
        known = isinstance(error, PrincipalError)
        batch[0].fail(error if known else Transient(Code.DATABASE_BUSY, "The delivery could not be written"))


def _give_all(batch: Sequence[_Waiting[Item, Result]], results: Sequence[Result]) -> None:
    # One call per loop wakes it once for all.
    answers: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Result], Result]]] = {}
    for one, result in zip(batch, results, strict=True):
        answers.setdefault(one.answer.get_loop(), []).append((one.answer, result))
    for loop, some in answers.items():
        loop.call_soon_threadsafe(_give, some)


def _give(answers: Sequence[tuple[asyncio.Future[Result], Result]]) -> None:
    for answer, result in answers:
        if not answer.done():
            answer.set_result(result)


def _fail(answer: asyncio.Future[Result], error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)
