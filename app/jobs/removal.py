"""Taken away from repositories → nothing is known of them: jobs end, then rows, artifacts, and the engine's own records go.

    RemovedEvent ─ scope ─► Scope(repositories, what runs) ─ forget ─► removals: whoever has a mirror of them removes it

Every table with a `repository_id` is emptied of them, so that a new table needs no line here; the ledger keeps its numbers.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from dbos import DBOSClient

from app.events import RemovedEvent
from app.jobs import purse
from app.jobs.store import ACTIVE, Store, deliveries, inbox, jobs, metadata, outbox, runs

ROWS_PER_HELPING = 200
HELPINGS_AT_MOST = 10_000
REPOSITORIES_AT_MOST = 50_000

removals = sa.Table(
    "principal_removals",
    metadata,
    sa.Column("repository_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("removed_at", sa.Float, nullable=False, index=True),
)
KEPT = (removals, purse.ledger)
"""What was removed and when; and what it cost, without its name."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What is to be forgotten: the repositories, and the whole installation if `installation` is set; what is under way."""

    repositories: tuple[int, ...]
    installation: int | None
    under_way: tuple[str, ...]


class Removal:
    """The verbs of forgetting. All of them block, and bear being called twice."""

    def __init__(self, store: Store, client: DBOSClient) -> None:
        self._store = store
        self._client = client

    def scope(self, event: RemovedEvent) -> Scope:
        """What the event takes away, as far as anything is known of it."""
        whole = None if event.repositories else event.place.installation
        under_way: list[str] = []
        with self._store.read() as connection:
            repositories = event.repositories or _repositories_of(connection, whole)
            for some in _batches(repositories):
                active = sa.select(jobs.c.workflow_id).where(jobs.c.state.in_(ACTIVE), jobs.c.repository_id.in_(some))
                under_way += connection.scalars(active)
        return Scope(repositories, whole, tuple(under_way))

    def forget(self, scope: Scope) -> None:
        """Leave nothing of these repositories, but that they were removed."""
        for some in _batches(scope.repositories):
            self._forget_repositories(some)
        if scope.installation is not None:
            # Its own delivery names no repository, and stays.
            of_it = sa.and_(deliveries.c.installation == scope.installation, deliveries.c.repository != "")
            self._forget_deliveries(of_it)

    def removed(self) -> Mapping[int, float]:
        """The repositories that were taken away, and when (epoch seconds)."""
        with self._store.read() as connection:
            return {row.repository_id: row.removed_at for row in connection.execute(sa.select(removals))}

    def purge(self, *, before: float) -> None:
        """Forget what was removed before this time (epoch seconds): an unused mirror is gone by then as well."""
        with self._store.begin() as connection:
            connection.execute(sa.delete(removals).where(removals.c.removed_at < before))

    def _forget_repositories(self, repositories: Sequence[int]) -> None:
        of_them = jobs.c.repository_id.in_(repositories)
        with self._store.read() as connection:
            names = connection.scalars(sa.select(jobs.c.repository).where(of_them).distinct()).all()
        waiting = sa.select(inbox.c.guid).where(inbox.c.repository_id.in_(repositories))
        self._forget_deliveries(sa.or_(deliveries.c.guid.in_(waiting), deliveries.c.repository.in_(names)))
        for rows in self._helpings(sa.select(jobs.c.key, jobs.c.attempt).where(of_them)):
            self._forget_jobs(rows)
        with self._store.begin() as connection:
            for table in metadata.sorted_tables:
                if table not in KEPT and "repository_id" in table.c:
                    connection.execute(sa.delete(table).where(table.c.repository_id.in_(repositories)))
            purse.forget_names(connection, repositories)
            for repository in repositories:
                values = {"removed_at": time.time()}
                statement = self._store.insert(removals).values(repository_id=repository, **values)
                connection.execute(statement.on_conflict_do_update(index_elements=["repository_id"], set_=values))

    def _forget_jobs(self, rows: Sequence[sa.Row[Any]]) -> None:
        reviews = [f"{row.key}:{attempt}" for row in rows for attempt in range(1, row.attempt + 1)]
        self._delete_workflows([*reviews, *(f"settle:{one}{again}" for one in reviews for again in ("", ":late"))])
        keys = [row.key for row in rows]
        with self._store.begin() as connection:
            connection.execute(sa.delete(outbox).where(outbox.c.job_key.in_(keys)))
            connection.execute(sa.delete(runs).where(runs.c.workflow_id.in_(reviews)))
            connection.execute(sa.delete(jobs).where(jobs.c.key.in_(keys)))

    def _forget_deliveries(self, which: sa.ColumnElement[bool]) -> None:
        for rows in self._helpings(sa.select(deliveries.c.guid, deliveries.c.attempt).where(which)):
            self._delete_workflows([f"delivery:{row.guid}:{n}" for row in rows for n in range(1, row.attempt + 1)])
            guids = [row.guid for row in rows]
            with self._store.begin() as connection:
                self._store.leave_inbox(connection, guids)
                connection.execute(sa.delete(deliveries).where(deliveries.c.guid.in_(guids)))

    def _helpings(self, query: sa.Select[Any]) -> Iterator[Sequence[sa.Row[Any]]]:
        for _ in range(HELPINGS_AT_MOST):
            with self._store.read() as connection:
                rows = connection.execute(query.limit(ROWS_PER_HELPING)).all()
            if not rows:
                return
            yield rows

    def _delete_workflows(self, ids: Sequence[str]) -> None:
        known = self._client.list_workflows(workflow_ids=list(ids), load_input=False, load_output=False)
        if known:
            self._client.delete_workflows([workflow.workflow_id for workflow in known])


def _batches(repositories: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(repositories), ROWS_PER_HELPING):
        yield repositories[start : start + ROWS_PER_HELPING]


def _repositories_of(connection: sa.Connection, installation: int | None) -> tuple[int, ...]:
    query = sa.select(jobs.c.repository_id).where(jobs.c.installation == installation).distinct()
    return tuple(connection.scalars(query.limit(REPOSITORIES_AT_MOST)))
