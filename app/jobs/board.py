"""What stands in the tables about reviews, in the order an operator asks for it: lists for the dashboard.

    reviews   every review, newest first, a page at a time
    queues    what waits and what runs, and since when
    dead      what failed for good: reviews, and deliveries nobody could decide on

All of it blocks: call it from a thread. Each query reads a bounded number of rows by an index.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import sqlalchemy as sa

from app.jobs.diary import reviews
from app.jobs.store import ACTIVE, IS_REVIEW, DeliveryState, JobState, Store, deliveries, jobs

ROWS_A_PAGE = 50
REPOSITORIES_AT_MOST = 500


@dataclass(frozen=True, slots=True)
class ReviewRow:
    """A review as it stands. Times are epoch seconds; what it came to is None until it is finished once.

    `usd` is None when the price of a model is not known as well.
    """

    key: str
    repository: str
    repository_id: int
    number: int
    head: str
    trigger: str
    asked_by: str | None
    queue: str
    state: JobState
    code: str
    detail: str
    attempt: int
    review_id: int | None
    created_at: float
    started_at: float | None
    ended_at: float | None
    said: int | None
    folded: int | None
    rejected: int | None
    hunks: int | None
    hunks_reviewed: int | None
    calls: int | None
    input_tokens: int | None
    cached_tokens: int | None
    output_tokens: int | None
    usd: float | None

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.state not in ACTIVE


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """A delivery as it stands: how often it was begun, and how often it was put back because something was away."""

    guid: str
    event: str
    repository: str
    received_at: float
    attempt: int
    put_back: int
    reason: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page of reviews ends: the next one begins behind it."""

    created_at: float
    key: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which reviews to list: of one state, one repository, one pull request of it; from the newest, or from a place on."""

    state: JobState | None = None
    repository: str | None = None
    number: int | None = None
    behind: Place | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Some reviews, newest first, and where to go on if there are more."""

    rows: tuple[ReviewRow, ...]
    next: Place | None


@dataclass(frozen=True, slots=True)
class Queue:
    """How many jobs of a queue wait and run, and since when the oldest of them waits (epoch seconds)."""

    name: str
    waiting: int
    running: int
    oldest_at: float | None


class Board:
    """The lists."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def reviews(self, wanted: Wanted, *, most: int = ROWS_A_PAGE) -> Page:
        """A page of reviews."""
        query = _query()
        if wanted.state is not None:
            query = query.where(jobs.c.state == wanted.state)
        if wanted.repository is not None:
            query = query.where(jobs.c.repository == wanted.repository)
        if wanted.behind is not None:
            at, key = wanted.behind.created_at, wanted.behind.key
            query = query.where(jobs.c.created_at <= at, sa.or_(jobs.c.created_at < at, jobs.c.key < key))
        query = query.order_by(jobs.c.created_at.desc(), jobs.c.key.desc()).limit(most + 1)
        with self._store.read() as connection:
            if wanted.number is not None and wanted.repository is not None:
                of_pull = _is_pull(connection, wanted.repository, wanted.number)
                if of_pull is None:
                    return Page((), None)
                query = query.where(of_pull)
            rows = _rows(connection.execute(query))
        last = rows[most - 1] if len(rows) > most else None
        return Page(rows[:most], Place(last.created_at, last.key) if last else None)

    def review(self, key: str) -> ReviewRow | None:
        """The review of this key."""
        with self._store.read() as connection:
            return next(iter(_rows(connection.execute(_query().where(jobs.c.key == key)))), None)

    def repositories(self) -> tuple[str, ...]:
        """The names of the repositories that anything was reviewed in, a bounded number."""
        # One look into the index for each name: reading all names and taking each once would read every row.
        first = sa.select(sa.func.min(jobs.c.repository).label("name")).cte(recursive=True)
        following = sa.select(sa.func.min(jobs.c.repository)).where(jobs.c.repository > first.c.name).scalar_subquery()
        names = first.union_all(sa.select(following).where(first.c.name.is_not(None)))
        query = sa.select(names.c.name).where(names.c.name.is_not(None)).limit(REPOSITORIES_AT_MOST)
        with self._store.read() as connection:
            return tuple(connection.scalars(query))

    def queues(self) -> tuple[Queue, ...]:
        """Every queue that anything is in; deliveries nobody has decided on yet are the queue `ingest`."""
        undecided = sa.select(sa.func.count(), sa.func.min(deliveries.c.received_at))
        counted = sa.select(jobs.c.queue, jobs.c.state, sa.func.count(), sa.func.min(jobs.c.created_at))
        with self._store.read() as connection:
            taken = connection.execute(undecided.where(deliveries.c.state == DeliveryState.TAKEN)).one()
            rows = connection.execute(
                counted.where(jobs.c.state.in_(ACTIVE)).group_by(jobs.c.queue, jobs.c.state)
            ).all()
        names = sorted({row[0] for row in rows})
        return (Queue("ingest", taken[0], 0, taken[1]), *(_queue(name, rows) for name in names))

    def active(self, *, most: int = ROWS_A_PAGE) -> tuple[ReviewRow, ...]:
        """What waits and runs, the oldest first."""
        # Ordered by a sum, which no index has: to spare the sort, all reviews would be read by their time.
        query = _query().where(jobs.c.state.in_(ACTIVE)).order_by(jobs.c.created_at + 0).limit(most)
        with self._store.read() as connection:
            return _rows(connection.execute(query))

    def undecided(self, *, most: int = ROWS_A_PAGE) -> tuple[DeliveryRow, ...]:
        """Deliveries that were put back because something was away, the oldest first: they are tried again."""
        again = sa.and_(deliveries.c.state == DeliveryState.TAKEN, deliveries.c.put_back > 0)
        return self._deliveries(again, deliveries.c.received_at, most)

    def dead(self, *, most: int = ROWS_A_PAGE) -> tuple[ReviewRow, ...]:
        """Reviews that failed for good, the latest first."""
        query = _query().where(jobs.c.state == JobState.FAILED).order_by(jobs.c.created_at.desc()).limit(most)
        with self._store.read() as connection:
            return _rows(connection.execute(query))

    def dead_deliveries(self, *, most: int = ROWS_A_PAGE) -> tuple[DeliveryRow, ...]:
        """Deliveries that could not be decided on, the latest first."""
        failed = deliveries.c.state == DeliveryState.FAILED
        return self._deliveries(failed, deliveries.c.received_at.desc(), most)

    def dead_numbers(self) -> tuple[int, int]:
        """How many reviews and how many deliveries failed for good."""
        reviews_dead = sa.select(sa.func.count()).select_from(jobs).where(jobs.c.state == JobState.FAILED, IS_REVIEW)
        lost = sa.select(sa.func.count()).select_from(deliveries).where(deliveries.c.state == DeliveryState.FAILED)
        with self._store.read() as connection:
            return connection.scalar(reviews_dead) or 0, connection.scalar(lost) or 0

    def _deliveries(
        self, which: sa.ColumnElement[bool], order: sa.ColumnElement[Any], most: int
    ) -> tuple[DeliveryRow, ...]:
        named = [deliveries.c[field.name] for field in fields(DeliveryRow)]
        with self._store.read() as connection:
            rows = connection.execute(sa.select(*named).where(which).order_by(order).limit(most)).all()
        return tuple(DeliveryRow(*row) for row in rows)


def _query() -> sa.Select[Any]:
    names = [field.name for field in fields(ReviewRow)]
    columns = (jobs.c[name] if name in jobs.c else reviews.c[name] for name in names)
    return sa.select(*columns).outerjoin(reviews, reviews.c.job_key == jobs.c.key).where(IS_REVIEW)


def _rows(found: sa.Result[Any]) -> tuple[ReviewRow, ...]:
    return tuple(ReviewRow(**{**row, "state": JobState(row["state"])}) for row in found.mappings())


def _is_pull(connection: sa.Connection, repository: str, number: int) -> sa.ColumnElement[bool] | None:
    """The condition of being of this pull request, by the repository's id, which is what the index knows."""
    known = sa.select(jobs.c.repository_id).where(jobs.c.repository == repository).limit(1)
    repository_id = connection.scalar(known)
    if repository_id is None:
        return None
    return sa.and_(jobs.c.repository_id == repository_id, jobs.c.number == number)


def _queue(name: str, rows: Sequence[Any]) -> Queue:
    counts = {row[1]: row[2] for row in rows if row[0] == name}
    waiting = [row[3] for row in rows if row[0] == name and row[1] == JobState.WAITING]
    return Queue(name, counts.get(JobState.WAITING, 0), counts.get(JobState.RUNNING, 0), min(waiting, default=None))
