"""The book of the installations' pace, in the database: what one process writes or hears, all of them know, also the next.

    take(installation, kind) ─► one transaction: the page, locked ─ core.pace ─► the turn, and the page after it

Times are the database server's on PostgreSQL, so that no two processes need to agree about the time of day; SQLite has one
process, and its clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import sqlalchemy as sa

from app.core import pace
from app.core.pace import Kind, Page, Spacing, Turn
from app.jobs.database import Database
from app.jobs.store import Store, metadata

pages = sa.Table(
    "principal_pace",
    metadata,
    sa.Column("installation", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("write_until", sa.Float, nullable=False),
    sa.Column("notice_until", sa.Float, nullable=False),
    sa.Column("paused_until", sa.Float, nullable=False),
)


class PaceBook:
    """`core.pace.Book` over the database. Waits for a PostgreSQL that is away, as everything does that jobs write."""

    def __init__(
        self, database: Database, store: Store, *, spacing: Spacing, clock: Callable[[], float] = time.time
    ) -> None:
        self._database = database
        self._store = store
        self._spacing = spacing
        self._clock = clock

    @property
    def spacing(self) -> Spacing:
        """See `Book.spacing`."""
        return self._spacing

    async def take(self, installation: int, kind: Kind, *, patience_seconds: float) -> Turn:
        """See `Book.take`."""
        if kind is Kind.READ:
            return await self._store.call(self._look, installation)
        return await self._store.call(self._take, installation, kind, patience_seconds)

    async def pause(self, installation: int, seconds: float) -> None:
        """See `Book.pause`."""
        await self._store.call(self._pause, installation, seconds)

    def _look(self, installation: int) -> Turn:
        # Every request asks, so this one writes nothing and waits for nobody.
        with self._store.read() as connection:
            page, now = self._page(connection, installation), self._now(connection)
        turn, _ = pace.take(page, Kind.READ, spacing=self._spacing, now=now, patience_seconds=0)
        return turn

    def _take(self, installation: int, kind: Kind, patience_seconds: float) -> Turn:
        with self._store.begin() as connection:
            page, now = self._locked(connection, installation)
            turn, after = pace.take(page, kind, spacing=self._spacing, now=now, patience_seconds=patience_seconds)
            if after != page:
                self._write(connection, installation, after)
        return turn

    def _pause(self, installation: int, seconds: float) -> None:
        with self._store.begin() as connection:
            page, now = self._locked(connection, installation)
            self._write(connection, installation, pace.paused(page, seconds, now=now))

    def _locked(self, connection: sa.Connection, installation: int) -> tuple[Page, float]:
        """The page, which nobody else can read to write before this transaction ends, and the time after that wait."""
        if not self._database.is_sqlite:
            key = sa.func.hashtextextended(f"principal pace {installation}", 0)
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(key)))
        return self._page(connection, installation), self._now(connection)

    def _page(self, connection: sa.Connection, installation: int) -> Page:
        row = connection.execute(sa.select(pages).where(pages.c.installation == installation)).one_or_none()
        return Page(row.write_until, row.notice_until, row.paused_until) if row else Page()

    def _write(self, connection: sa.Connection, installation: int, page: Page) -> None:
        values = {
            "write_until": page.write_until,
            "notice_until": page.notice_until,
            "paused_until": page.paused_until,
        }
        changed = connection.execute(sa.update(pages).where(pages.c.installation == installation).values(**values))
        if not changed.rowcount:
            connection.execute(sa.insert(pages).values(installation=installation, **values))

    def _now(self, connection: sa.Connection) -> float:
        if self._database.is_sqlite:
            return self._clock()
        return float(connection.scalar(sa.select(sa.func.extract("epoch", sa.func.clock_timestamp()))) or 0.0)
