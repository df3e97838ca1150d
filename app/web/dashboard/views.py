"""What each page shows: the tables' values in, values for its template out. No page asks for more than it shows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from app.core.report_json import Document, RejectedEntry
from app.core.rule import Rule, Strength
from app.errors import MEANINGS, Code, Meaning
from app.jobs import JobState
from app.jobs.board import ReviewRow
from app.jobs.figures import DayOfReviews, Durations, Resolved, Spending
from app.jobs.timeline import StepTaken
from app.library import Library
from app.web import charts, shown
from app.web.charts import Chart
from app.web.dashboard import words

MODELS_APART = 5
"""In a chart; the others are drawn together."""
REPOSITORIES_DRAWN = 10
TRACK = 240.0
"""The width on which a timeline's bars are drawn."""
OUTCOMES = (
    ("done", (JobState.DONE,)),
    ("failed", (JobState.FAILED,)),
    ("superseded or cancelled", (JobState.SUPERSEDED, JobState.CANCELLED)),
    ("skipped", (JobState.SKIPPED,)),
    ("waiting or running", (JobState.WAITING, JobState.RUNNING)),
)


@dataclass(frozen=True, slots=True)
class Table:
    """A chart's numbers: the heads of its columns, and its rows."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Figure:
    """A chart and the table beside it."""

    chart: Chart
    table: Table


@dataclass(frozen=True, slots=True)
class Overview:
    """The first page's sums over its days."""

    figure: Figure
    reviews: int
    done: int
    failed: int
    durations: Durations | None
    usd: float
    unpriced_calls: int
    resolution: float | None


@dataclass(frozen=True, slots=True)
class StepLine:
    """A step on the timeline: its words, and where its bar stands on the track."""

    step: StepTaken
    name: str
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class ReviewView:
    """One review whole."""

    row: ReviewRow
    attempt: int
    lines: tuple[StepLine, ...]
    document: Document | None
    meaning: Meaning | None


@dataclass(frozen=True, slots=True)
class RuleLine:
    """A rule in force, and how many detectors see it broken."""

    rule: Rule
    strong: int
    weak: int


def overview(
    days: Sequence[DayOfReviews], durations: Durations | None, spending: Spending, resolved: Sequence[Resolved]
) -> Overview:
    """The sums and the chart of the first page."""
    legend = tuple(name for name, _ in OUTCOMES)
    data = [(one.day[5:], [_of(one, states) for _, states in OUTCOMES]) for one in days]
    table = Table(
        ("Day", *(name.capitalize() for name in legend)),
        tuple((one.day, *(f"{_of(one, states):,}" for _, states in OUTCOMES)) for one in reversed(days)),
    )
    return Overview(
        Figure(charts.columns(data, legend=legend, told=shown.count), table),
        reviews=sum(sum(one.by_state.values()) for one in days),
        done=sum(_of(one, (JobState.DONE,)) for one in days),
        failed=sum(_of(one, (JobState.FAILED,)) for one in days),
        durations=durations,
        usd=spending.total.usd,
        unpriced_calls=spending.total.unpriced_calls,
        resolution=rate(resolved),
    )


def review(row: ReviewRow, attempt: int, steps: Sequence[StepTaken], document: Document | None) -> ReviewView:
    """One review with its steps as bars on one track."""
    times = {one.place: (one.started_at, one.ended_at) for one in steps if one.started_at and one.ended_at}
    places = charts.spans({place: (begin, end) for place, (begin, end) in times.items() if begin and end}, width=TRACK)
    lines = tuple(StepLine(one, words.step(one), *places.get(one.place, (0.0, 0.0))) for one in steps)
    return ReviewView(row, attempt, lines, document, meaning(row.code))


def rejections(document: Document | None) -> tuple[tuple[str, tuple[RejectedEntry, ...]], ...]:
    """What was left out, by reason; the reason for most of them first."""
    by_reason: dict[str, list[RejectedEntry]] = defaultdict(list)
    for one in document.rejected if document else ():
        by_reason[one.reason].append(one)
    return tuple((reason, tuple(some)) for reason, some in sorted(by_reason.items(), key=lambda item: -len(item[1])))


def meaning(code: str) -> Meaning | None:
    """Why a failure of this code happens, and what to do about it."""
    return MEANINGS[Code(code)] if code in set(Code) else None


def last_days(now: float, days: int) -> tuple[str, ...]:
    """The last days, today last."""
    return tuple(shown.iso(now - shown.DAY * back)[:10] for back in reversed(range(days)))


def spending_by_day(spending: Spending, days: Sequence[str], *, budget_usd: float | None) -> Figure:
    """What each day cost, by model; with a line at the day's budget where there is one."""
    named = list(spending.by_model)
    apart = named if len(named) <= MODELS_APART + 1 else named[:MODELS_APART]
    legend = (*apart, *(("other models",) if len(apart) < len(named) else ()))
    data: list[charts.Column] = []
    for day in days:
        costs = {model: spending.by_day[day, model].usd for model in named if (day, model) in spending.by_day}
        values = [costs.pop(model, 0.0) for model in apart]
        data.append((day, [*values, sum(costs.values())] if len(apart) < len(named) else values))
    limit = (budget_usd, "the day's budget") if budget_usd else None
    chart = charts.columns([(day[5:], values) for day, values in data], legend=legend, told=shown.money, limit=limit)
    table = Table(
        ("Day", *legend), tuple((day, *(shown.money(value) for value in values)) for day, values in reversed(data))
    )
    return Figure(chart, table)


def spending_by_repository(spending: Spending) -> Chart:
    """The dearest repositories."""
    dearest = list(spending.by_repository.items())[:REPOSITORIES_DRAWN]
    return charts.rows([(_short(name), [one.usd]) for name, one in dearest], legend=("",), told=shown.money)


def by_category(resolved: Sequence[Resolved]) -> Figure:
    """What became of findings, a bar a category."""
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for one in resolved:
        for place, number in enumerate((one.addressed, one.dismissed, one.open)):
            sums[one.category.short][place] += number
    legend = ("addressed", "dismissed", "open")
    chart = charts.rows(list(sums.items()), legend=legend, told=lambda value: f"{value:,.0f}")
    heads = ("Category", "Addressed", "Dismissed", "Open", "Resolution")
    rows = tuple((name, *(f"{one:,}" for one in by), _rate_of(by[0], by[1])) for name, by in sums.items())
    return Figure(chart, Table(heads, rows))


def rate(resolved: Sequence[Resolved]) -> float | None:
    """Of all findings that people decided on, the share they addressed."""
    addressed, dismissed = sum(one.addressed for one in resolved), sum(one.dismissed for one in resolved)
    return addressed / (addressed + dismissed) if addressed + dismissed else None


def rules(library: Library) -> tuple[RuleLine, ...]:
    """The rules in force, with their detectors counted."""
    return tuple(
        RuleLine(
            rule,
            strong=sum(1 for one in rule.detectors if one.strength is Strength.STRONG),
            weak=sum(1 for one in rule.detectors if one.strength is Strength.WEAK),
        )
        for rule in library.rules
    )


def _of(day: DayOfReviews, states: Sequence[JobState]) -> int:
    return sum(day.by_state.get(state, 0) for state in states)


def _rate_of(addressed: int, dismissed: int) -> str:
    decided = addressed + dismissed
    return shown.share(addressed / decided if decided else None)


def _short(name: str, most: int = 26) -> str:
    return name if len(name) <= most else f"…{name[1 - most :]}"
