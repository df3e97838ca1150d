"""Two results over the same cases: what changed, and whether it may be chance."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import UserError
from app.evaluation.comparing import Side, compare, differences
from app.evaluation.pairing import Measure
from app.evaluation.scoring import Tally
from app.evaluation.values import PRINCIPAL
from tests.evaluation.values import case, comment, label, links, run

LABELS = (label(1), label(2), label(3))
BEFORE = run(
    case("both", labels=LABELS, comments=(comment(1), comment(9)), links=links((0, 0))),
    case("old", labels=LABELS),
)
AFTER = run(
    case("both", labels=LABELS, comments=(comment(2), comment(3)), links=links((0, 1), (1, 2))),
    case("new", labels=LABELS),
)


def test_differences_are_counted_over_the_cases_both_have():
    """Before: 1 of 2 comments right, 1 of 3 found. After: 2 of 2 and 2 of 3. So precision +1/2, recall +1/3."""
    found = compare(Side("before", BEFORE, PRINCIPAL), Side("after", AFTER, PRINCIPAL))
    assert found.measure is Measure.MEANING
    assert found.differences["precision"].value == 0.5
    assert found.differences["recall"].value == pytest.approx(1 / 3)
    assert found.differences["f1"].value == pytest.approx(4 / 5 - 2 / 5)
    assert found.left_out == ("new", "old")


def test_what_was_gained_and_lost_is_named_label_by_label():
    (both,) = compare(Side("before", BEFORE, PRINCIPAL), Side("after", AFTER, PRINCIPAL)).cases
    assert (both.gained, both.lost) == ((1, 2), (0,))


def test_a_run_that_nobody_judged_is_compared_by_lines():
    unjudged = run(case("both", labels=LABELS, comments=(comment(1),)))
    found = compare(Side("before", unjudged, PRINCIPAL), Side("after", AFTER, PRINCIPAL))
    assert found.measure is Measure.LINES


def test_runs_over_other_labels_are_not_compared():
    other = run(case("both", labels=(label(5),)))
    with pytest.raises(UserError, match="no case in common"):
        compare(Side("before", BEFORE, PRINCIPAL), Side("after", other, PRINCIPAL))


TALLIES = st.lists(
    st.builds(
        lambda comments, expected: Tally(cases=1, comments=comments, expected=expected, met=min(comments, expected)),
        st.integers(0, 5),
        st.integers(1, 5),
    ),
    min_size=1,
    max_size=5,
)


@given(TALLIES)
def test_a_run_does_not_differ_from_itself(tallies):
    for one in differences(tallies, tallies, rounds=50).values():
        assert one.value in (0.0, None)
        assert (one.low, one.high) in ((0.0, 0.0), (None, None))
