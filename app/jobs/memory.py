"""What outlives a review, in the database of the jobs: which head was reviewed, what was said, what people dismissed.

Quotes and titles are code and words of the repository's people: they are kept sealed, like the prompts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa

from app.core.change import Sha
from app.core.finding import Category, Kind, Severity
from app.core.memory import Dismissed, Remembered, Said, Standing
from app.errors import Permanent
from app.jobs.store import Store, metadata
from app.jobs.vault import Vault
from app.telemetry import log

T = TypeVar("T")

DISMISSED_AT_MOST = 500
SAID_AT_MOST = 1000
LONGEST_QUOTE = 20_000
LONGEST_TITLE = 1000

pulls = sa.Table(
    "principal_pulls",
    metadata,
    sa.Column("repository_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("head", sa.String(64)),
    sa.Column("base", sa.String(64)),
    sa.Column("summary", sa.BigInteger),
    sa.Column("told", sa.Text),
    sa.Column("paused", sa.Boolean, nullable=False, default=False),
    sa.Column("changed_at", sa.Float, nullable=False, index=True),
)
findings = sa.Table(
    "principal_findings",
    metadata,
    sa.Column("repository_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("fingerprint", sa.String(32), primary_key=True),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("quote", sa.Text, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("rule", sa.String(100)),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("category", sa.String(32), nullable=False),
    sa.Column("severity", sa.String(16), nullable=False),
    sa.Column("standing", sa.String(16), nullable=False),
    sa.Column("head", sa.String(64), nullable=False),
    sa.Column("thread", sa.String(200)),
    sa.Column("comment", sa.BigInteger),
    sa.Column("said_at", sa.Float, nullable=False),
    sa.Column("changed_at", sa.Float, nullable=False, index=True),
    sa.Index("principal_findings_of_repository", "repository_id", "standing"),
    # All that the dashboard counts, so that it need not read the rows.
    sa.Index("principal_findings_by_rule", "rule", "category", "standing"),
)


class StoredMemory:
    """`app.stages.memory.Memory`, kept in the tables above."""

    def __init__(self, store: Store, vault: Vault) -> None:
        self._store = store
        self._vault = vault

    async def of(self, repository_id: int, number: int) -> Remembered:
        """What is known of a pull request; nothing for one that was never reviewed."""
        return await self._store.call(self._of, repository_id, number)

    async def dismissed(self, repository_id: int) -> tuple[Dismissed, ...]:
        """What people of this repository dismissed, the latest first, a bounded number."""
        return await self._store.call(self._dismissed, repository_id)

    async def reviewed(self, repository_id: int, number: int, *, head: Sha, base: Sha) -> None:
        """Keep which head was reviewed whole, and against which merge base."""
        await self._store.call(self._put_pull, repository_id, number, {"head": head, "base": base})

    async def said(self, repository_id: int, number: int, said: Sequence[Said]) -> None:
        """Keep findings as they stand; one that is known is replaced."""
        await self._store.call(self._put_findings, repository_id, number, tuple(said[:SAID_AT_MOST]))

    async def summarised(self, repository_id: int, number: int, *, comment: int, told: str) -> None:
        """Keep the id of the summary comment, and what it says the pull request does."""
        kept = {"summary": comment, "told": self._vault.wrap(_sound(told))}
        await self._store.call(self._put_pull, repository_id, number, kept)

    async def pause(self, repository_id: int, number: int, *, paused: bool) -> None:
        """Keep whether people want no automatic reviews of this pull request."""
        await self._store.call(self._put_pull, repository_id, number, {"paused": paused})

    async def forget(self, repository_id: int, number: int) -> None:
        """Forget what was reviewed and said, so that the next review starts over; what was dismissed stays dismissed."""
        await self._store.call(self._forget, repository_id, number)

    def purge(self, *, before: float) -> int:
        """Forget what nothing has happened to since then (epoch seconds). Blocks; returns how many rows went."""
        with self._store.begin() as connection:
            old = [sa.delete(table).where(table.c.changed_at < before) for table in (pulls, findings)]
            return sum(connection.execute(statement).rowcount for statement in old)

    # On a thread of the store's.

    def _of(self, repository_id: int, number: int) -> Remembered:
        with self._store.read() as connection:
            pull = connection.execute(sa.select(pulls).where(_is_of(pulls, repository_id, number))).one_or_none()
            query = sa.select(findings).where(_is_of(findings, repository_id, number))
            said = connection.execute(query.order_by(findings.c.said_at).limit(SAID_AT_MOST)).all()
        if pull is None:
            return Remembered(said=self._opened(self._said, said))
        return Remembered(
            head=Sha(pull.head) if pull.head else None,
            base=Sha(pull.base) if pull.base else None,
            said=self._opened(self._said, said),
            summary=pull.summary,
            paused=pull.paused,
            told=next(iter(self._opened(self._told, [pull])), ""),
        )

    def _dismissed(self, repository_id: int) -> tuple[Dismissed, ...]:
        query = (
            sa.select(findings)
            .where(findings.c.repository_id == repository_id, findings.c.standing == Standing.DISMISSED)
            .order_by(findings.c.changed_at.desc())
            .limit(DISMISSED_AT_MOST)
        )
        with self._store.read() as connection:
            rows = connection.execute(query).all()
        return self._opened(self._dismissal, rows)

    def _opened(self, read: Callable[[Any], T], rows: Sequence[Any]) -> tuple[T, ...]:
        """The rows as values, without those that another secret sealed: an operator may change it, and reviews go on."""
        opened: list[T] = []
        for row in rows:
            try:
                opened.append(read(row))
            except Permanent as error:
                log.warning("memory_not_opened", what=error.what, number=row.number)
        return tuple(opened)

    def _told(self, row: Any) -> str:
        return self._vault.unwrap(row.told) if row.told else ""

    def _dismissal(self, row: Any) -> Dismissed:
        return Dismissed(row.path, self._vault.unwrap(row.title), Category.from_slug(row.category), row.rule)

    def _put_pull(self, repository_id: int, number: int, values: dict[str, Any]) -> None:
        values = values | {"changed_at": time.time()}
        row = {"repository_id": repository_id, "number": number, "paused": False} | values
        statement = self._store.insert(pulls).values(**row)
        with self._store.begin() as connection:
            connection.execute(statement.on_conflict_do_update(index_elements=_KEY, set_=values))

    def _put_findings(self, repository_id: int, number: int, said: Sequence[Said]) -> None:
        if not said:
            return
        now = time.time()
        # A review that began before somebody dismissed a finding ends after it, and must not take that back.
        was_dismissed = findings.c.standing == Standing.DISMISSED
        with self._store.begin() as connection:
            for one in said:
                row = self._row(one) | {"changed_at": now}
                key = {"repository_id": repository_id, "number": number, "fingerprint": one.fingerprint}
                statement = self._store.insert(findings).values(**key, **row, said_at=now)
                changed = row | {"standing": sa.case((was_dismissed, Standing.DISMISSED), else_=one.standing)}
                connection.execute(statement.on_conflict_do_update(index_elements=[*_KEY, "fingerprint"], set_=changed))

    def _forget(self, repository_id: int, number: int) -> None:
        with self._store.begin() as connection:
            forgotten = {"head": None, "base": None, "changed_at": time.time()}
            connection.execute(sa.update(pulls).where(_is_of(pulls, repository_id, number)).values(**forgotten))
            said = _is_of(findings, repository_id, number) & (findings.c.standing != Standing.DISMISSED)
            connection.execute(sa.delete(findings).where(said))

    def _row(self, one: Said) -> dict[str, Any]:
        return {
            "path": _sound(one.path),
            "quote": self._vault.wrap(_sound(one.quote[:LONGEST_QUOTE])),
            "title": self._vault.wrap(_sound(one.title[:LONGEST_TITLE])),
            "rule": one.rule,
            "kind": one.kind,
            "category": one.category.slug,
            "severity": one.severity,
            "standing": one.standing,
            "head": one.head,
            "thread": one.thread,
            "comment": one.comment,
        }

    def _said(self, row: Any) -> Said:
        return Said(
            fingerprint=row.fingerprint,
            path=row.path,
            quote=self._vault.unwrap(row.quote),
            title=self._vault.unwrap(row.title),
            kind=Kind(row.kind),
            category=Category.from_slug(row.category),
            severity=Severity(row.severity),
            head=Sha(row.head),
            rule=row.rule,
            standing=Standing(row.standing),
            thread=row.thread,
            comment=row.comment,
        )


_KEY = ["repository_id", "number"]


def _is_of(table: sa.Table, repository_id: int, number: int) -> sa.ColumnElement[bool]:
    return sa.and_(table.c.repository_id == repository_id, table.c.number == number)


def _sound(text: str) -> str:
    """The text without halves of surrogate pairs, which nothing can keep."""
    return text.encode("utf-8", "replace").decode()
