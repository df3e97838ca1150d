"""When more reviews are asked for than can be made soon: which of those that wait are put off, so that the queue stays bounded.

No delivery is refused for it, and no running review is ended. Whoever asks most gives way first: of the repository with the
most waiting reviews, the one that waits longest is put off, as its change is the likeliest to be looked at already.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from app.jobs.store import ACTIVE, JobState, jobs

PUT_OFF_AT_ONCE = 20
"""Each new review puts off one; more only where the bound was lowered."""


def waiting(connection: sa.Connection, queue: str) -> int:
    """How many jobs of this queue have not ended."""
    query = sa.select(sa.func.count()).select_from(jobs).where(jobs.c.queue == queue, jobs.c.state.in_(ACTIVE))
    return connection.scalar(query) or 0


def making_room(connection: sa.Connection, queue: str, *, at_most: int) -> Sequence[sa.Row[Any]]:
    """The waiting jobs of this queue that must give way to one more, locked until the transaction ends."""
    excess = min(waiting(connection, queue) + 1 - at_most, PUT_OFF_AT_ONCE)
    if excess <= 0:
        return ()
    givable = (jobs.c.queue == queue, jobs.c.state == JobState.WAITING, jobs.c.asked_by.is_(None))
    busiest = (
        sa.select(jobs.c.repository_id)
        .where(*givable)
        .group_by(jobs.c.repository_id)
        .order_by(sa.func.count().desc(), jobs.c.repository_id)
        .limit(1)
    )
    query = sa.select(jobs).where(*givable, jobs.c.repository_id == busiest.scalar_subquery())
    return connection.execute(query.order_by(jobs.c.created_at).limit(excess).with_for_update()).all()
