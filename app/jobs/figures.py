"""Sums over the tables, for the dashboard's charts: reviews and money by day, findings by what people did with them.

Days are UTC's, as ISO dates. Everything blocks: call it from a thread.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import sqlalchemy as sa

from app.core.finding import Category
from app.core.memory import Standing
from app.jobs.diary import usage
from app.jobs.memory import findings
from app.jobs.store import JobState, Store, jobs

DAY_SECONDS = 86_400
TIMED_AT_MOST = 1000
"""The reviews whose durations are told: the latest ones say how it is now."""


@dataclass(frozen=True, slots=True)
class DayOfReviews:
    """How many reviews were begun on a day, by how they stand."""

    day: str
    by_state: dict[JobState, int]


@dataclass(frozen=True, slots=True)
class Durations:
    """How long the latest finished reviews took, in seconds: half of them at most `median`, all but one in twenty `p95`."""

    reviews: int
    median: float
    p95: float


@dataclass(frozen=True, slots=True)
class Spent:
    """What was used under one heading. Calls whose price is not known count in `unpriced_calls` and cost nothing here."""

    calls: int = 0
    unpriced_calls: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    usd: float = 0.0


@dataclass(frozen=True, slots=True)
class Spending:
    """What models used since a day: by day and model, and by repository and model, the dearest first."""

    total: Spent
    by_day: dict[tuple[str, str], Spent]
    by_model: dict[str, Spent]
    by_repository: dict[str, Spent]


@dataclass(frozen=True, slots=True)
class Resolved:
    """The findings said of one category and rule, by where they stand."""

    category: Category
    rule: str | None
    open: int = 0
    addressed: int = 0
    dismissed: int = 0

    @property
    def said(self) -> int:
        """All of them."""
        return self.open + self.addressed + self.dismissed

    @property
    def rate(self) -> float | None:
        """Of those that people have decided on, the share they addressed; None when they decided on none."""
        decided = self.addressed + self.dismissed
        return self.addressed / decided if decided else None


class Figures:
    """The sums."""

    def __init__(self, store: Store, *, is_sqlite: bool) -> None:
        self._store = store
        self._is_sqlite = is_sqlite

    def reviews_by_day(self, *, now: float, days: int) -> tuple[DayOfReviews, ...]:
        """Each of the last days, today last, also those without a review."""
        first = int(now // DAY_SECONDS) - days + 1
        day = self._day(jobs.c.created_at).label("day")
        query = sa.select(day, jobs.c.state, sa.func.count()).where(jobs.c.created_at >= first * DAY_SECONDS)
        with self._store.read() as connection:
            rows = connection.execute(query.group_by(day, jobs.c.state)).all()
        counted: dict[int, dict[JobState, int]] = {number: {} for number in range(first, first + days)}
        for number, state, count in rows:
            if number in counted:
                counted[number][JobState(state)] = count
        return tuple(DayOfReviews(_iso(number), by_state) for number, by_state in counted.items())

    def durations(self) -> Durations | None:
        """How long reviews take; None when none has finished."""
        query = (
            sa.select(jobs.c.ended_at - jobs.c.started_at)
            .where(jobs.c.state == JobState.DONE, jobs.c.started_at.is_not(None))
            .order_by(jobs.c.created_at.desc())
            .limit(TIMED_AT_MOST)
        )
        with self._store.read() as connection:
            seconds = sorted(connection.scalars(query))
        if not seconds:
            return None
        return Durations(
            len(seconds), seconds[len(seconds) // 2], seconds[min(len(seconds) * 95 // 100, len(seconds) - 1)]
        )

    def spending(self, *, now: float, days: int) -> Spending:
        """What models used in the last days."""
        since = _iso(int(now // DAY_SECONDS) - days + 1)
        sums = [sa.func.sum(usage.c[field.name]) for field in fields(Spent)]
        recent = usage.c.day >= since
        with self._store.read() as connection:
            by_day = connection.execute(
                sa.select(usage.c.day, usage.c.model, *sums).where(recent).group_by(usage.c.day, usage.c.model)
            ).all()
            by_repository = connection.execute(
                sa.select(sa.func.max(usage.c.repository), *sums).where(recent).group_by(usage.c.repository_id)
            ).all()
        days_spent = {(row[0], row[1]): _spent(row[2:]) for row in by_day}
        models = sorted({model for _, model in days_spent})
        by_model = {name: _total([one for (_, model), one in days_spent.items() if model == name]) for name in models}
        return Spending(
            total=_total(list(by_model.values())),
            by_day=days_spent,
            by_model=_dearest(by_model),
            by_repository=_dearest({row[0]: _spent(row[1:]) for row in by_repository}),
        )

    def resolution(self) -> tuple[Resolved, ...]:
        """What people did with the findings that are remembered, by category in its order and by rule."""
        query = sa.select(findings.c.category, findings.c.rule, findings.c.standing, sa.func.count())
        grouped = query.group_by(findings.c.category, findings.c.rule, findings.c.standing)
        with self._store.read() as connection:
            rows = connection.execute(grouped).all()
        counts: dict[tuple[str, str | None], dict[str, int]] = {}
        for category, rule, standing, count in rows:
            counts.setdefault((category, rule), {})[standing] = count
        made = [
            Resolved(
                Category.from_slug(category),
                rule,
                open=by.get(Standing.OPEN, 0),
                addressed=by.get(Standing.FIXED, 0),
                dismissed=by.get(Standing.DISMISSED, 0),
            )
            for (category, rule), by in counts.items()
        ]
        return tuple(sorted(made, key=lambda one: (one.category.priority, -one.said, one.rule or "")))

    def _day(self, seconds: sa.ColumnElement[Any]) -> sa.ColumnElement[int]:
        days = seconds / DAY_SECONDS
        # SQLite cuts off what PostgreSQL would round, and not every SQLite can `floor`.
        return sa.cast(days if self._is_sqlite else sa.func.floor(days), sa.Integer)


def _iso(day: int) -> str:
    return dt.datetime.fromtimestamp(day * DAY_SECONDS, tz=dt.UTC).date().isoformat()


def _spent(sums: Sequence[Any]) -> Spent:
    calls, unpriced, into, cached, out, usd = (value or 0 for value in sums)
    # PostgreSQL adds integers up to decimals.
    return Spent(int(calls), int(unpriced), int(into), int(cached), int(out), float(usd))


def _total(some: Sequence[Spent]) -> Spent:
    return Spent(*(sum(getattr(one, field.name) for one in some) for field in fields(Spent)))


def _dearest(by_name: dict[str, Spent]) -> dict[str, Spent]:
    return dict(sorted(by_name.items(), key=lambda item: (-item[1].usd, -item[1].input_tokens, item[0])))
