"""Where a review waits: an installation has a few lanes, a repository only some of them, and in a lane all take turns.

    seat(taken, repository, number) ─► Seat(lane, place)  the queue runs one review a lane, by place

So one installation never takes all slots of a process, and one repository never all lanes of its installation. Who comes to
a lane that is full of another's reviews waits for the one that runs and one more, not for all. The places are the start
tags of fair queuing: each repository counts on from its own last place, and from what the lane serves now. The reviews of one
pull request stand in one lane, because they are made one after the other (`Store.start_job`).
https://en.wikipedia.org/wiki/Fair_queuing
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from app.jobs.store import ACTIVE, jobs, metadata

SEATS_LOCK = 7_236_122
"""The first half of the locks on PostgreSQL under which an installation's seats are given; the second is a hash of its id."""

seats = sa.Table(
    "principal_seats",
    metadata,
    sa.Column("workflow_id", sa.String(220), primary_key=True),
    sa.Column("installation", sa.BigInteger, nullable=False, index=True),
    sa.Column("repository_id", sa.BigInteger, nullable=False),
    sa.Column("queue", sa.String(32), nullable=False),
    sa.Column("lane", sa.Integer, nullable=False),
    sa.Column("place", sa.Integer, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Lanes:
    """How many reviews of one installation run at once, and how many of these may be one repository's."""

    of_installation: int
    of_repository: int


@dataclass(frozen=True, slots=True)
class Seat:
    """A review's lane, and its place there: smaller ones go first."""

    repository_id: int
    number: int
    lane: int
    place: int


def seat(taken: Sequence[Seat], repository_id: int, number: int, *, lanes: Lanes) -> Seat:
    """The seat of one more review of this pull request, beside those of its installation that wait or run."""
    own = {one.lane for one in taken if one.repository_id == repository_id}
    same_pull = [one.lane for one in taken if (one.repository_id, one.number) == (repository_id, number)]
    allowed = same_pull or (range(lanes.of_installation) if len(own) < lanes.of_repository else sorted(own))
    lane = min(allowed, key=lambda number: (_held(taken, number, repository_id), _held(taken, number), number))
    places = [one.place for one in taken if one.lane == lane]
    served = min(places, default=0)
    last = max((one.place for one in taken if one.lane == lane and one.repository_id == repository_id), default=0)
    return Seat(repository_id, number, lane, max(served, last) + 1)


def take_seat(
    connection: sa.Connection,
    *,
    installation: int,
    repository_id: int,
    number: int,
    queue: str,
    workflow_id: str,
    lanes: Lanes,
) -> Seat:
    """The seat of this review, written down inside this transaction."""
    if connection.dialect.name == "postgresql":
        # Two that look for a free lane at once would both take the same one. SQLite has one writer anyway.
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(SEATS_LOCK, sa.func.hashint8(installation))))
    active = sa.select(jobs.c.workflow_id).where(jobs.c.state.in_(ACTIVE))
    connection.execute(sa.delete(seats).where(seats.c.installation == installation, seats.c.workflow_id.not_in(active)))
    rows = connection.execute(
        sa.select(seats, jobs.c.number)
        .join(jobs, jobs.c.workflow_id == seats.c.workflow_id)
        .where(seats.c.installation == installation, seats.c.queue == queue)
    )
    taken = [Seat(row.repository_id, row.number, row.lane, row.place) for row in rows]
    given = seat(taken, repository_id, number, lanes=lanes)
    connection.execute(
        sa.insert(seats).values(
            workflow_id=workflow_id,
            installation=installation,
            repository_id=repository_id,
            queue=queue,
            lane=given.lane,
            place=given.place,
        )
    )
    return given


def _held(taken: Iterable[Seat], lane: int, repository_id: int | None = None) -> int:
    return sum(one.lane == lane and repository_id in (None, one.repository_id) for one in taken)
