"""Sums over the tables, for the dashboard's charts: reviews and money by day, findings by what people did with them.

Days are UTC's, as ISO dates. Everything blocks: call it from a thread.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import sqlalchemy as sa

from app.core.finding import Category
from app.core.memory import Standing
from app.jobs.memory import findings
from app.jobs.purse import EVERYWHERE, NO_NAME, ledger
from app.jobs.store import IS_REVIEW, JobState, Store, jobs

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

    def __init__(self, store: Store) -> None:
        self._store = store

    def reviews_by_day(self, *, now: float, days: int) -> tuple[DayOfReviews, ...]:
        """Each of the last days, today last, also those without a review."""
        first = int(now // DAY_SECONDS) - days + 1
        numbers, states = _listed(range(first, first + days)), _listed(JobState)
        begins = numbers.c.value * DAY_SECONDS
        of_day = sa.and_(jobs.c.created_at >= begins, jobs.c.created_at < begins + DAY_SECONDS, IS_REVIEW)
        counted = _number(jobs, of_day, jobs.c.state == states.c.value)
        with self._store.read() as connection:
            query = sa.select(numbers.c.value, states.c.value, counted).select_from(_every(numbers, states))
            rows = connection.execute(query).all()
        by_state: dict[int, dict[JobState, int]] = {number: {} for number in range(first, first + days)}
        for number, state, count in rows:
            by_state[number][JobState(state)] = count
        return tuple(DayOfReviews(_iso(number), by) for number, by in by_state.items())

    def durations(self) -> Durations | None:
        """How long reviews take; None when none has finished."""
        query = (
            sa.select(jobs.c.ended_at - jobs.c.started_at)
            .where(jobs.c.state == JobState.DONE, jobs.c.started_at.is_not(None), IS_REVIEW)
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
        sums = [sa.func.sum(ledger.c[field.name]) for field in fields(Spent)]
        everywhere = ledger.c.repository_id == EVERYWHERE
        by_day_and_model = sa.select(ledger.c.day, ledger.c.model, *sums).group_by(ledger.c.day, ledger.c.model)
        by_one = sa.select(sa.func.max(ledger.c.repository), *sums).group_by(ledger.c.repository_id)
        with self._store.read() as connection:
            by_day = connection.execute(by_day_and_model.where(ledger.c.day >= since, everywhere)).all()
            by_repository = connection.execute(
                by_one.where(ledger.c.day >= since, ledger.c.repository != NO_NAME)
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
        categories, standings = _listed(one.slug for one in Category), _listed(Standing)
        rules = _each(findings.c.rule)
        alike = sa.and_(findings.c.category == categories.c.value, findings.c.standing == standings.c.value)
        of_rule = _number(findings, findings.c.rule == rules.c.value, alike)
        of_none = _number(findings, findings.c.rule.is_(None), alike)
        groups = _every(categories, standings)
        named = sa.select(categories.c.value, rules.c.value, standings.c.value, of_rule).select_from(
            _every(rules, groups)
        )
        unnamed = sa.select(categories.c.value, sa.null(), standings.c.value, of_none).select_from(groups)
        with self._store.read() as connection:
            rows = [row for query in (named, unnamed) for row in connection.execute(query) if row[3]]
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


def _listed(values: Iterable[int | str]) -> sa.Subquery:
    """These values as a table of one column, `value`."""
    return sa.union_all(*(sa.select(sa.literal(value).label("value")) for value in values)).subquery()


def _every(one: sa.FromClause, other: sa.FromClause) -> sa.Join:
    """Each row of the one with each of the other."""
    return one.join(other, sa.true())


def _each(column: sa.ColumnElement[Any]) -> sa.CTE:
    """Each value of an index's first column once, by one look into it for each; `value` is null in the last row."""
    first = sa.select(sa.func.min(column).label("value")).cte(recursive=True)
    following = sa.select(sa.func.min(column)).where(column > first.c.value).scalar_subquery()
    return first.union_all(sa.select(following).where(first.c.value.is_not(None)))


def _number(table: sa.Table, *conditions: sa.ColumnElement[bool]) -> sa.ScalarSelect[int]:
    """How many rows are like that. One count for each group reads the same entries of an index as grouping them all, at a
    sixth of the time: nothing is compared or collected.
    """
    return sa.select(sa.func.count()).select_from(table).where(*conditions).correlate_except(table).scalar_subquery()


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
