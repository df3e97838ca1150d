"""One comment meets at most one label, and as much is met as can be."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.finding import Side
from app.evaluation.pairing import Measure, assign, met, overlap
from app.evaluation.values import SCORED, Attempt, Topic
from tests.evaluation.values import comment, label, links

MATRICES = st.integers(0, 4).flatmap(
    lambda columns: st.lists(st.lists(st.integers(0, 30), min_size=columns, max_size=columns), max_size=4)
)


def best_by_trying_all(weights: list[list[int]]) -> int:
    """The largest sum, found by trying every way to give each row a column or none."""
    columns = len(weights[0]) if weights else 0
    choices = itertools.product([None, *range(columns)], repeat=len(weights))
    return max(
        sum(weights[row][column] for row, column in enumerate(choice) if column is not None)
        for choice in choices
        if len({column for column in choice if column is not None}) == sum(column is not None for column in choice)
    )


@given(MATRICES)
def test_the_assignment_is_the_best_there_is(weights):
    found = assign(weights)
    assert len(set(found.values())) == len(found)
    assert all(weights[row][column] > 0 for row, column in found.items())
    assert sum(weights[row][column] for row, column in found.items()) == best_by_trying_all(weights)


@given(MATRICES, st.randoms(use_true_random=False))
def test_the_order_of_comments_does_not_change_what_can_be_met(weights, source):
    turned = list(weights)
    source.shuffle(turned)
    assert sum(weights[a][b] for a, b in assign(weights).items()) == sum(
        turned[a][b] for a, b in assign(turned).items()
    )


def test_a_comment_that_fits_two_labels_leaves_one_to_the_comment_that_fits_only_that():
    """Greedy would give the first comment the first label, and the second comment nothing."""
    attempt = Attempt(comments=(comment(1), comment(2)), links=links((0, 0), (0, 1), (1, 0)))
    assert met(attempt, [label(1), label(2)], measure=Measure.MEANING, scored=SCORED) == {0: 1, 1: 0}


def test_two_comments_on_one_label_meet_it_once():
    attempt = Attempt(comments=(comment(1), comment(1)), links=links((0, 0), (1, 0)))
    assert len(met(attempt, [label(1)], measure=Measure.MEANING, scored=SCORED)) == 1


def test_an_expected_label_is_met_before_another_valid_one_and_that_before_an_invalid_one():
    labels = [label(1, valid=False), label(1, topic=Topic.MAINTAINABILITY), label(9)]
    everything = links((0, 0), (0, 1), (0, 2))
    attempt = Attempt(comments=(comment(1),), links=everything)
    assert met(attempt, labels, measure=Measure.MEANING, scored=SCORED) == {0: 2}
    assert met(attempt, labels[:2], measure=Measure.MEANING, scored=SCORED) == {0: 1}
    assert met(attempt, labels[:1], measure=Measure.MEANING, scored=SCORED) == {0: 0}


def test_among_labels_that_count_the_same_the_one_on_the_same_lines_is_met():
    attempt = Attempt(comments=(comment(9),), links=links((0, 0), (0, 1)))
    assert met(attempt, [label(1), label(9)], measure=Measure.MEANING, scored=SCORED) == {0: 1}


@pytest.mark.parametrize(
    ("measure", "expected"),
    [(Measure.LINES, {0: 0}), (Measure.MEANING, {1: 1}), (Measure.BOTH, {})],
)
def test_lines_and_meaning_are_measured_apart(measure, expected):
    attempt = Attempt(comments=(comment(1), comment(5)), links=links((1, 1)))
    assert met(attempt, [label(1), label(40)], measure=measure, scored=SCORED) == expected


def test_what_is_folded_meets_nothing():
    attempt = Attempt(comments=(comment(1, placement="folded"),), links=links((0, 0)))
    assert met(attempt, [label(1)], measure=Measure.MEANING, scored=SCORED) == {}


def test_by_meaning_nothing_is_met_where_no_judge_looked():
    assert met(Attempt(comments=(comment(1),)), [label(1)], measure=Measure.MEANING, scored=SCORED) == {}


@pytest.mark.parametrize(
    ("changes", "slack", "touches"),
    [
        ({"from_line": 10, "to_line": 12}, 0, True),
        ({"from_line": 13, "to_line": 14}, 0, False),
        ({"from_line": 13, "to_line": 14}, 1, True),
        ({"from_line": 15, "to_line": 15}, 2, False),
        ({"path": "b.ts"}, 50, False),
        ({"side": Side.LEFT}, 50, False),
    ],
)
def test_lines_touch_when_they_are_shared_or_near_enough(changes, slack, touches):
    assert (overlap(comment(12, start_line=11), label(12, **changes), slack=slack) > 0) is touches


@given(*(st.tuples(st.integers(1, 30), st.integers(0, 5)) for _ in range(2)), st.integers(0, 3))
def test_overlap_is_a_share_and_whole_only_for_the_same_lines(first, second, slack):
    one = comment(sum(first), start_line=first[0])
    other = label(1, from_line=second[0], to_line=sum(second))
    share = overlap(one, other, slack=slack)
    assert 0 <= share <= 1
    assert (share == 1) == (first == second)
