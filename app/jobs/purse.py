"""What models cost: the purse that all processes on this database share, and the one ledger, which the dashboard shows.

    set_aside ─► a row with the most that a call can cost ─► the call ─► pay: the row goes, what it cost is added to the ledger

The ledger has a row for each day, repository and model, and one for all repositories together, so that sums over hundreds of
repositories are sums over a few rows. A process that dies leaves its row behind; it counts until the call must have ended. When a
repository is taken away its rows lose its name and stay: taking the App away and bringing it back fills no purse.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from app.core import purse
from app.core.purse import Amount, Limits, Verdict
from app.core.usage import Usage
from app.errors import Code, Permanent
from app.events import Place
from app.jobs.store import Store, metadata
from app.telemetry import REFUSED_FOR_MONEY

DAYS_KEPT = 400
"""A year to look back on, and a month to look at it."""
DAY_SECONDS = 86_400
LOOK_AGAIN_SECONDS = 0.25
LOOKS_AT_MOST = 1200
"""Five minutes for the calls under way to leave something."""
PURSE_LOCK = 7_236_121_604_352
"""Beside the store's: whoever holds it on PostgreSQL may set aside and pay."""

EVERYWHERE = 0
"""No repository's id: the rows of all of them together."""
NO_NAME = ""
"""In the rows of all repositories, and of those that were taken away."""
MODEL_MAX_CHARACTERS = 150

ledger = sa.Table(
    "principal_usage",
    metadata,
    sa.Column("day", sa.String(10), primary_key=True),
    sa.Column("repository_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("model", sa.String(MODEL_MAX_CHARACTERS), primary_key=True),
    sa.Column("repository", sa.String(201), nullable=False),
    sa.Column("calls", sa.BigInteger, nullable=False),
    sa.Column("unpriced_calls", sa.BigInteger, nullable=False),
    sa.Column("input_tokens", sa.BigInteger, nullable=False),
    sa.Column("cached_tokens", sa.BigInteger, nullable=False),
    sa.Column("output_tokens", sa.BigInteger, nullable=False),
    sa.Column("usd", sa.Float, nullable=False),
    sa.Index("principal_usage_of_repository", "repository_id", "day"),
)
under_way = sa.Table(
    "principal_spending_under_way",
    metadata,
    sa.Column("name", sa.String(32), primary_key=True),
    sa.Column("day", sa.String(10), nullable=False, index=True),
    sa.Column("repository", sa.BigInteger, nullable=False),
    sa.Column("usd", sa.Float, nullable=False),
    sa.Column("until", sa.Float, nullable=False),
)


class StoredPurse:
    """`app.llm.purse.Purse` of one repository, kept in the tables above."""

    def __init__(self, store: Store, limits: Limits, *, place: Place, longest_call_seconds: float) -> None:
        self._store = store
        self._limits = limits
        self._place = place
        self._longest_call_seconds = longest_call_seconds

    async def set_aside(self, model: str, most_usd: float | None) -> str:
        """A name for `pay`, empty where nothing is limited. Waits for calls under way when only they stand in the way."""
        if not self._limits.any:
            return ""
        if most_usd is None:
            raise Permanent(Code.BUDGET_SPENT, f"The price of {model} is not known, so it cannot be kept to a budget")
        name = secrets.token_hex(16)
        for _ in range(LOOKS_AT_MOST):
            verdict = await self._store.call(self._set_aside, name, most_usd)
            if verdict.why:
                REFUSED_FOR_MONEY.inc()
                raise Permanent(Code.BUDGET_SPENT, verdict.why)
            if verdict.granted:
                return name
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
        raise Permanent(Code.BUDGET_SPENT, "What is left of today's budget (UTC) is set aside for other calls")

    async def pay(self, name: str, model: str, usage: Usage) -> None:
        """Today's rows with what the call has cost; all that was set aside for it where the reply counted nothing."""
        await self._store.call(self._pay, name, model, usage)

    def _set_aside(self, name: str, most_usd: float) -> Verdict:
        now = time.time()
        day = _day(now)
        row = {"name": name, "day": day, "repository": self._place.repository_id, "usd": most_usd}
        with self._store.begin_alone(PURSE_LOCK) as connection:
            if connection.scalar(sa.select(under_way.c.name).where(under_way.c.name == name)):
                return purse.GRANTED  # The commit's answer was lost, and this is the second try.
            spent = self._spent(connection, day)
            aside = self._aside(connection, day, now)
            verdict = purse.judge(self._limits, spent=spent, aside=aside, most_usd=most_usd)
            if verdict.granted:
                connection.execute(sa.insert(under_way).values(**row, until=now + self._longest_call_seconds))
        return verdict

    def _pay(self, name: str, model: str, usage: Usage) -> None:
        # Alone as well: whoever sums up must not see the row gone and its cost not yet there.
        with self._store.begin_alone(PURSE_LOCK) as connection:
            aside = connection.execute(
                sa.delete(under_way).where(under_way.c.name == name).returning(under_way.c.day, under_way.c.usd)
            ).one_or_none()
            if name and aside is None:
                return  # Paid before: the commit's answer was lost.
            day, most_usd = (aside.day, aside.usd) if aside is not None else (_day(time.time()), None)
            if usage.calls:
                usd = most_usd if usage.cost_usd is None else usage.cost_usd
                for repository_id, named in (
                    (EVERYWHERE, NO_NAME),
                    (self._place.repository_id, self._place.repository),
                ):
                    key = {"day": day, "repository_id": repository_id, "model": model[:MODEL_MAX_CHARACTERS]}
                    self._add(connection, key, usage, usd=usd, named=named)

    def _add(
        self, connection: sa.Connection, key: Mapping[str, str | int], usage: Usage, *, usd: float | None, named: str
    ) -> None:
        amounts = {
            "calls": usage.calls,
            "unpriced_calls": usage.calls if usd is None else 0,
            "input_tokens": usage.input_tokens,
            "cached_tokens": usage.cached_tokens,
            "output_tokens": usage.output_tokens,
            "usd": usd or 0.0,
        }
        sums: dict[str, Any] = {name: ledger.c[name] + amount for name, amount in amounts.items()}
        statement = self._store.insert(ledger).values(**key, **amounts, repository=named)
        changed = sums | {"repository": named}
        connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_=changed))

    def _spent(self, connection: sa.Connection, day: str) -> Amount:
        of_whom = ledger.c.repository_id
        query = sa.select(of_whom, sa.func.sum(ledger.c.usd)).group_by(of_whom)
        wanted = (EVERYWHERE, self._place.repository_id)
        by_whom = {row[0]: row[1] for row in connection.execute(query.where(ledger.c.day == day, of_whom.in_(wanted)))}
        return Amount(*(by_whom.get(whose, 0.0) for whose in wanted))

    def _aside(self, connection: sa.Connection, day: str, now: float) -> Amount:
        own = sa.case((under_way.c.repository == self._place.repository_id, under_way.c.usd), else_=0.0)
        query = sa.select(sa.func.sum(under_way.c.usd), sa.func.sum(own))
        everything, of_repository = connection.execute(
            query.where(under_way.c.day == day, under_way.c.until > now)
        ).one()
        return Amount(everything or 0.0, of_repository or 0.0)


def forget_names(connection: sa.Connection, repositories: Sequence[int]) -> None:
    """Leave nothing of these repositories in the ledger but numbers."""
    connection.execute(sa.update(ledger).where(ledger.c.repository_id.in_(repositories)).values(repository=NO_NAME))


def purge(store: Store, *, now: float) -> int:
    """Forget days that are over for longer than anybody looks back, and what dead calls left. Returns how many rows went."""
    with store.begin() as connection:
        days = connection.execute(sa.delete(ledger).where(ledger.c.day < _day(now - DAYS_KEPT * DAY_SECONDS)))
        calls = connection.execute(sa.delete(under_way).where(under_way.c.day < _day(now - 2 * DAY_SECONDS)))
        return days.rowcount + calls.rowcount


def _day(now: float) -> str:
    return dt.datetime.fromtimestamp(now, tz=dt.UTC).date().isoformat()
