"""Deliveries that are safe and not yet in the job engine's queue: GitHub's answer costs two rows, and no more.

    writer ─► a row in the inbox ─► hand over, pull by pull ─► `on_delivery` in the queue
                                         └─► a push that a later push replaced is decided by it

Queuing a workflow costs the processor ten times what a row does. In calm times a delivery is handed over at once; while a
burst comes in, the burst goes first. Rows stay until they are handed over, so that whoever starts next finds them.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import sqlalchemy as sa
from pydantic import TypeAdapter

from app.events import Action, Actionable, CommandEvent, PullEvent, ReplyEvent, RerunEvent
from app.jobs.store import Store
from app.telemetry import JOBS, log

PULLS_PER_HELPING = 10
"""As many as are queued in some ten milliseconds: on SQLite, who commits a delivery waits for them."""
ROWS_PER_PULL = 1000
QUEUED_AT_MOST = 64
"""Over all processes: enough that every slot finds the next one waiting."""
BURST_PER_SECOND = 100
BURST_WAITING = 16
YIELD_AT_MOST_SECONDS = 15.0
"""A stream that never ends is not a burst: after so long both share the processor."""
YIELD_SECONDS = 0.1
LOOK_SECONDS = 5.0
"""How often what another process left behind is looked for."""

EVENT: TypeAdapter[Actionable] = TypeAdapter(Actionable)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A delivery that waits: its id, the attempt it is in, and what it says."""

    guid: str
    attempt: int
    event: Actionable


class Enqueue(Protocol):
    """Queues the workflow that decides on a delivery, inside a transaction."""

    def __call__(self, connection: sa.Connection, *, guid: str, attempt: int, event: Actionable) -> None:
        """Once it returns, the workflow is there if the transaction is."""
        ...


class Inbox:
    """The deliveries that wait. Few are in the queue at a time: what waits here can still be decided by one that comes later."""

    def __init__(self, store: Store, enqueue: Enqueue) -> None:
        self._store = store
        self._enqueue = enqueue

    def put(self, connection: sa.Connection, waiting: Sequence[Waiting]) -> None:
        """Let these wait, in this order."""
        self._store.enter_inbox(connection, [_row(one) for one in waiting])

    def put_again(self, connection: sa.Connection, waiting: Waiting) -> None:
        """Let one wait that came to nothing before."""
        self._store.leave_inbox(connection, [waiting.guid])
        self.put(connection, [waiting])

    def hand_over(self) -> int:
        """Queue what is next. Returns how many deliveries left or moved on; 0 when none waits, or the queue is full."""
        pulls = self._store.pulls_in_turn(most=PULLS_PER_HELPING, queued_at_most=QUEUED_AT_MOST)
        if not pulls:
            return 0
        with self._store.begin() as connection:
            return sum(self._hand_over(connection, pull) for pull in pulls)

    def _hand_over(self, connection: sa.Connection, pull: tuple[int, int]) -> int:
        rows = self._store.waiting(connection, pull, most=ROWS_PER_PULL)
        waiting = [Waiting(row.guid, row.attempt, EVENT.validate_json(row.event)) for row in rows]
        deciders = decided_by(waiting)
        decide = [one for one in waiting if one.guid not in deciders]
        for one in decide:
            self._enqueue(connection, guid=one.guid, attempt=one.attempt, event=one.event)
        self._store.mark_queued(connection, [one.guid for one in decide])
        self._store.end_with(connection, deciders)
        JOBS.labels("delivery", "decided_by_later").inc(len(deciders))
        return len(rows)


def decided_by(waiting: Sequence[Waiting]) -> dict[str, str]:
    """The deliveries that need no decision of their own, and the later one of the same pull that is decided in their place.

    Deciding asks GitHub how the pull is now, so of events about one head the last is enough, and a push answers for the
    one whose head it replaced. A changed base is a reason of its own for a review, and a command is a person's question.
    """
    found: dict[str, str] = {}
    by_push: dict[tuple[int, int, str], str] = {}
    by_any: dict[tuple[int, int, str], str] = {}
    for one in reversed(waiting):
        event = one.event
        if not isinstance(event, PullEvent):
            continue
        head = (event.place.repository_id, event.place.number, event.head)
        # Only a push knows that GitHub may still show the head from before it.
        is_push = event.action is Action.SYNCHRONIZE
        decider = by_push.get(head) or (None if is_push else by_any.get(head))
        if decider is not None and event.action is not Action.BASE_CHANGED:
            found[one.guid] = decider
            if not is_push:
                continue
        if event.action.decides_skips_anew:
            # It begins no review of its own, so it cannot answer for an event that does.
            continue
        by_any[head] = decider or one.guid
        if is_push:
            by_push[head] = decider or one.guid
            if event.before is not None:
                by_push[(*head[:2], event.before)] = decider or one.guid
    return found


def _row(waiting: Waiting) -> dict[str, Any]:
    place = waiting.event.place
    return {
        "guid": waiting.guid,
        "attempt": waiting.attempt,
        "repository_id": place.repository_id,
        "number": place.number,
        "by_hand": isinstance(waiting.event, CommandEvent | ReplyEvent | RerunEvent),
        "event": EVENT.dump_json(waiting.event).decode(),
    }


class Door:
    """Whether a burst comes in: many deliveries of late, or many that wait for their answer. `clock` is in monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._came: deque[float] = deque(maxlen=BURST_PER_SECOND)
        self._waiting = 0
        self._burst_since: float | None = None

    @contextmanager
    def open(self) -> Iterator[None]:
        """Somebody waits for an answer as long as the block lasts."""
        self._came.append(self._clock())
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1

    def goes_first(self) -> bool:
        """Whether everything else should make way, which it does for a while."""
        now = self._clock()
        many = len(self._came) == BURST_PER_SECOND and self._came[0] > now - 1.0
        if not many and self._waiting < BURST_WAITING:
            self._burst_since = None
            return False
        if self._burst_since is None:
            self._burst_since = now
        return now - self._burst_since < YIELD_AT_MOST_SECONDS


class HandOver:
    """A thread that hands over what waits, as soon as it is told of it."""

    def __init__(self, hand_over: Callable[[], int], *, on_queued: Callable[[], None]) -> None:
        """`on_queued` hears that something was queued; it may ring."""
        self._hand_over = hand_over
        self._on_queued = on_queued
        self._door = Door()
        self._bell = threading.Event()
        self._ended = False
        self._thread = threading.Thread(target=self._work, name="hand-over", daemon=True)
        self._thread.start()

    def waited_for(self) -> AbstractContextManager[None]:
        """To be held while a delivery is accepted: while many are, nothing is handed over."""
        return self._door.open()

    def ring(self) -> None:
        """Something waits that did not before, or there is room in the queue that was not."""
        self._bell.set()

    def end(self) -> None:
        """Stop; what still waits stays in the database."""
        self._ended = True
        self._bell.set()
        self._thread.join()

    def _work(self) -> None:
        self._bell.set()  # An earlier process may have left something.
        while not self._ended:
            told = self._bell.wait(LOOK_SECONDS)
            self._bell.clear()
            if told and self._door.goes_first():
                # The bell stays rung, so that what waits is not left to the next delivery.
                time.sleep(YIELD_SECONDS)
                self._bell.set()
                continue
            self._one_helping()

    def _one_helping(self) -> None:
        try:
            moved = self._hand_over()
        except sa.exc.SQLAlchemyError as error:
            log.warning("hand_over_failed", what=str(getattr(error, "orig", error)))
        except Exception:  # noqa: BLE001 - the next look may do better, and nobody else would hand over.
            log.exception("hand_over_failed")
        else:
            if moved:
                self._on_queued()
