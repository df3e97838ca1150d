"""Charts: what the drawing says is what the numbers say, and nothing stands outside it."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.web import charts, shown
from app.web.dashboard.kept import Kept

VALUES = st.lists(
    st.tuples(st.text(max_size=5), st.lists(st.floats(0, 1e9), min_size=2, max_size=2)), min_size=1, max_size=40
)


@given(VALUES)
@example([("a", [0.0, 2.2e-311])])
@settings(max_examples=100)
def test_columns_stand_on_their_ground_in_the_drawing_and_are_as_high_as_their_values(data):
    chart = charts.columns(data, legend=("a", "b"), told=str)
    ground = charts.HEIGHT - charts.BOTTOM
    scale = {round(bar.height / value, 6) for bar, value in zip(chart.bars, _positive(data), strict=True) if value > 1}
    assert len(scale) <= 1 or max(scale) - min(scale) < 1e-5
    for bar in chart.bars:
        assert charts.LEFT <= bar.x <= bar.x + bar.width <= charts.WIDTH
        assert charts.TOP - 1e-6 <= bar.y <= bar.y + bar.height <= ground + 1e-6
    assert all(charts.TOP - 1e-6 <= line.y <= ground for line in chart.lines)
    assert len(chart.lines) <= charts.LINES_AT_MOST + 2


@given(VALUES)
@settings(max_examples=100)
def test_rows_leave_room_for_their_sums(data):
    chart = charts.rows(data, legend=("a", "b"), told=str)
    assert all(bar.x + bar.width <= charts.WIDTH - 80 for bar in chart.bars)
    assert all(bar.y + bar.height <= chart.height for bar in chart.bars)
    assert len(chart.names) == len(chart.lines) == len(data)


@given(st.floats(1e-6, 1e12))
@settings(max_examples=100)
def test_a_step_is_round_and_few_of_them_reach_the_top(highest):
    step = charts.nice_step(highest)
    assert f"{step:.0e}"[0] in "125"
    assert highest <= step * charts.LINES_AT_MOST * (1 + 1e-6)


def test_what_has_no_values_is_still_a_drawing():
    assert charts.columns([("mon", [0.0])], legend=("a",), told=str).bars == ()
    assert charts.rows([], legend=("a",), told=str).bars == ()
    assert charts.spans({}, width=100) == {}


def test_spans_share_one_line_of_time():
    assert charts.spans({1: (10.0, 20.0), 2: (20.0, 30.0), 3: (30.0, 30.0)}, width=100) == {
        1: (0.0, 50.0),
        2: (50.0, 50.0),
        3: (98, 2),
    }


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (shown.money(0), "$0.00"),
        (shown.money(0.0071), "$0.0071"),
        (shown.money(0.00001), "under $0.0001"),
        (shown.money(1234.5), "$1,234.50"),
        (shown.money(None), "price not known"),
        (shown.count(999), "999"),
        (shown.count(18_234), "18.2 k"),
        (shown.seconds(0.42), "0.4 s"),
        (shown.seconds(200), "3 min 20 s"),
        (shown.seconds(7_500), "2 h 5 min"),
        (shown.seconds(-1), "0.0 s"),
        (shown.ago(0, 59), "just now"),
        (shown.ago(0, 90_000), "25 h ago"),
        (shown.ago(0, 300_000), "3 days ago"),
        (shown.utc(0), "1970-01-01 00:00:00 UTC"),
        (shown.share(0.826), "83 %"),
        (shown.plural(1, "delivery", "deliveries"), "1 delivery"),
        (shown.plural(2_000, "review"), "2,000 reviews"),
        (shown.pretty('{"a": "é"}'), '{\n  "a": "é"\n}'),
        (shown.pretty("no json"), "no json"),
    ],
)
def test_numbers_and_times_are_said_as_people_say_them(said, expected):
    assert said == expected


def test_a_sum_is_made_once_until_it_is_old():
    now = [0.0]
    made = []
    sums = Kept(seconds=60, clock=lambda: now[0])

    def make():
        made.append(now[0])
        return len(made)

    assert [sums.get("a", make), sums.get("a", make), sums.get("b", make)] == [1, 1, 2]
    now[0] = 60.0
    assert sums.get("a", make) == 3


def _positive(data):
    return [value for _, values in data for value in values if value > 0]
