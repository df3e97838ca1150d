"""Charts: numbers in, the places of their bars out. The template draws them as SVG; a table with the numbers stands beside each.

All lengths are the drawing's own units; it is scaled to the width it finds. A bar's `series` is its place in the legend, from
which the style sheet takes its colour in the light and in the dark.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

WIDTH, HEIGHT = 760.0, 220.0
LEFT, RIGHT, TOP, BOTTOM = 52.0, 8.0, 14.0, 26.0
ROW, ROW_BAR, ROW_LABEL = 34.0, 16.0, 190.0
LEAST_VALUE = 1e-9
"""Less than a billionth of a dollar or of anything else that is counted here is nothing."""
LINES_AT_MOST = 4
DAYS_LABELLED = 6
GAP_SHARE = 0.22


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle, and what it says when pointed at."""

    x: float
    y: float
    width: float
    height: float
    series: int
    says: str


@dataclass(frozen=True, slots=True)
class Label:
    """A text at a place."""

    x: float
    y: float
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing: its bars, the lines behind them with what they stand for, the names below, and the legend."""

    width: float
    height: float
    bars: tuple[Bar, ...]
    lines: tuple[Label, ...] = ()
    names: tuple[Label, ...] = ()
    legend: tuple[str, ...] = ()
    limit: Label | None = None
    left: float = LEFT
    right: float = field(default=WIDTH - RIGHT)


Column = tuple[str, Sequence[float]]
"""A name, and the values of its series in the legend's order."""


def columns(
    data: Sequence[Column],
    *,
    legend: Sequence[str],
    told: Callable[[float], str],
    limit: tuple[float, str] | None = None,
) -> Chart:
    """A column for each name, its series on top of each other. `limit` is a value to draw a line at, with what it is."""
    highest = max([sum(values) for _, values in data] + ([limit[0]] if limit else []), default=0.0)
    step = nice_step(highest)
    top = max(step, math.ceil(highest / step) * step)
    ground = HEIGHT - BOTTOM
    scale = (ground - TOP) / top
    room = (WIDTH - LEFT - RIGHT) / max(len(data), 1)
    bars: list[Bar] = []
    for place, (name, values) in enumerate(data):
        x, y = LEFT + room * (place + GAP_SHARE / 2), ground
        for series, value in enumerate(values):
            if value > 0:
                height = value * scale
                y -= height
                bars.append(
                    Bar(x, y, room * (1 - GAP_SHARE), height, series, f"{name}: {told(value)} {legend[series]}")
                )
    every = max(1, math.ceil(len(data) / DAYS_LABELLED))
    return Chart(
        WIDTH,
        HEIGHT,
        bars=tuple(bars),
        lines=tuple(
            Label(LEFT, ground - step * number * scale, told(step * number)) for number in range(round(top / step) + 1)
        ),
        names=tuple(
            Label(LEFT + room * (place + 0.5), HEIGHT - 8, name)
            for place, (name, _) in enumerate(data)
            if (len(data) - 1 - place) % every == 0
        ),
        legend=tuple(legend),
        limit=Label(LEFT, ground - limit[0] * scale, limit[1]) if limit else None,
    )


def rows(data: Sequence[Column], *, legend: Sequence[str], told: Callable[[float], str]) -> Chart:
    """A bar to the right for each name, its series behind each other, and what they come to."""
    longest = max((sum(values) for _, values in data), default=0.0) or 1.0
    room = WIDTH - ROW_LABEL - 90
    bars: list[Bar] = []
    names: list[Label] = []
    sums: list[Label] = []
    for place, (name, values) in enumerate(data):
        x, y = ROW_LABEL, place * ROW + (ROW - ROW_BAR) / 2
        names.append(Label(0, y + ROW_BAR - 3, name))
        for series, value in enumerate(values):
            if value > 0:
                # The share first: the room over a vanishing sum would be infinite.
                width = value / longest * room
                bars.append(Bar(x, y, width, ROW_BAR, series, f"{name}: {told(value)} {legend[series]}".strip()))
                x += width
        sums.append(Label(x + 8, y + ROW_BAR - 3, told(sum(values))))
    return Chart(WIDTH, max(len(data), 1) * ROW, tuple(bars), tuple(sums), tuple(names), tuple(legend))


def nice_step(highest: float) -> float:
    """A round distance between lines (1, 2 or 5 and zeros), so that a few of them reach the highest value."""
    if highest < LEAST_VALUE:
        return 1.0
    rough = highest / LINES_AT_MOST
    size = 10.0 ** math.floor(math.log10(rough))
    return next(size * by for by in (1, 2, 5, 10) if size * by >= rough * (1 - 1e-9))


def spans(times: Mapping[int, tuple[float, float]], *, width: float) -> dict[int, tuple[float, float]]:
    """Where on a line of this width each span of time stands: its left edge and its length, at least a sliver."""
    if not times:
        return {}
    first, last = min(begin for begin, _ in times.values()), max(end for _, end in times.values())
    scale = width / max(last - first, 1e-9)
    return {
        place: (min((begin - first) * scale, width - 2), max((end - begin) * scale, 2))
        for place, (begin, end) in times.items()
    }
