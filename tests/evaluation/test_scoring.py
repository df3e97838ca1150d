"""Scores of runs small enough to be counted by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.finding import Severity
from app.core.usage import Usage
from app.evaluation.pairing import Measure
from app.evaluation.scoring import (
    METRICS,
    Tally,
    around,
    draws,
    interval,
    reliability,
    resampled,
    scores,
    stage_costs,
)
from app.evaluation.values import PRINCIPAL, Attempt, CaseRun, Failure, Spent, Topic
from tests.evaluation.values import case, comment, label, links, run

HAND_COUNTED = run(
    case(
        "charge",
        labels=(
            label(10),
            label(20, topic=Topic.SECURITY),
            label(30),
            label(40, topic=Topic.MAINTAINABILITY),
            label(50, valid=False),
        ),
        comments=(
            comment(10, severity=Severity.CRITICAL, confidence=0.95),
            comment(21, severity=Severity.HIGH, category="security", confidence=0.85),
            comment(40, severity=Severity.MEDIUM, confidence=0.75),
            comment(50, severity=Severity.MEDIUM, confidence=0.72),
            comment(10, severity=Severity.HIGH, confidence=0.65),
            comment(30, placement="folded"),
        ),
        links=links((0, 0), (1, 1), (2, 3), (3, 4), (4, 0), (5, 2)),
    ),
    case(
        "orders",
        labels=tuple(label(line) for line in range(1, 8)),
        comments=(comment(1, confidence=0.9), comment(99, confidence=0.55)),
        links=links((0, 0)),
    ),
    case("typo", labels=(label(3, valid=False),), comments=(comment(7, confidence=0.5),), links=()),
)
"""Three pulls under a cap of five comments.

charge   expected: 10, 20, 30 (40 is valid, but not scored; 50 is not valid).
         Five comments: the first meets 10, the second 20, the third 40, the fourth what is not valid, the fifth says 10 again
         and so meets nothing. The folded one is none of them, so 30 is missed.
orders   expected: seven, of which a cap of five allows five. Two comments: one meets a label, one meets nothing.
typo     nothing expected. One comment, which meets nothing.

By meaning: 8 comments, 10 expected, 3 met, 1 also met, 1 not valid. Attainable: 3 + 5 + 0 = 8.
precision 3/8   recall 3/10   F1 2·3/(8+10) = 1/3   useful 4/8   invalid 1/8   comments a pull 8/3   best F1 16/18
clean pulls: 1, with 1 comment.

By lines the second comment (21) does not meet 20, and the others stay: 2 met, so precision 2/8, recall 2/10, F1 4/18.
With a slack of one line it does again; in `orders` the comment on line 1 still meets one label, since it is one comment.
"""


def test_the_scores_of_three_pulls_are_those_counted_by_hand():
    found = scores(HAND_COUNTED, PRINCIPAL)
    assert found.measure is Measure.MEANING
    total = found.score.total
    assert total == Tally(
        cases=3,
        comments=8,
        expected=10,
        met=3,
        also_met=1,
        invalid_met=1,
        attainable=8,
        clean=1,
        clean_comments=1,
    )
    assert (total.precision, total.recall, total.f1) == (3 / 8, 3 / 10, 6 / 18)
    assert (total.useful, total.invalid) == (4 / 8, 1 / 8)
    assert (total.comments_per_case, total.comments_per_clean_case) == (8 / 3, 1.0)
    assert total.best_f1 == 16 / 18


def test_by_lines_and_by_both_they_are_counted_by_hand_too():
    found = scores(HAND_COUNTED, PRINCIPAL)
    by_lines, by_both = found.scores[Measure.LINES].total, found.scores[Measure.BOTH].total
    assert (by_lines.met, by_lines.also_met, by_lines.invalid_met) == (2, 1, 1)
    assert (by_lines.precision, by_lines.recall, by_lines.f1) == (2 / 8, 2 / 10, 4 / 18)
    assert (by_both.met, by_both.also_met, by_both.invalid_met) == (2, 1, 1)
    assert scores(HAND_COUNTED, PRINCIPAL, slack=1).scores[Measure.LINES].total.met == 3


def test_the_parts_are_those_counted_by_hand():
    """Of the comments: critical 1 right of 1; high 2 right of 5 (charge 1 of 2, orders 1 of 2, typo 0 of 1); medium 1 of 2."""
    score = scores(HAND_COUNTED, PRINCIPAL).score
    assert {name: (tally.met + tally.also_met, tally.comments) for name, tally in score.by_severity.items()} == {
        "critical": (1, 1),
        "high": (2, 5),
        "medium": (1, 2),
    }
    assert {name: (tally.met, tally.comments) for name, tally in score.by_category.items()} == {
        "correctness": (2, 7),
        "security": (1, 1),
    }
    assert {name: (tally.met, tally.expected) for name, tally in score.by_topic.items()} == {
        "defect": (2, 9),
        "maintainability": (1, 1),
        "security": (1, 1),
    }
    assert {name: (tally.met, tally.comments) for name, tally in score.by_case.items()} == {
        "charge": (2, 5),
        "orders": (1, 2),
        "typo": (0, 1),
    }
    assert score.by_language["TypeScript"] == score.total


def test_labels_are_told_apart_by_what_a_reviewer_needs_to_see():
    labels = (label(1, context="Diff Level"), label(2, context="Repo Level"), label(3))
    score = scores(run(case(labels=labels, comments=(comment(1),))), PRINCIPAL).score
    assert {name: (tally.met, tally.expected) for name, tally in score.by_context.items()} == {
        "Diff Level": (1, 1),
        "Repo Level": (0, 1),
    }


def test_confidence_is_held_against_what_was_right():
    """Bins: 0.5–0.6 two, none right; 0.6–0.7 one, not right; 0.7–0.8 two, one right; 0.8–0.9 one, right; 0.9–1 two, right."""
    bins = [one for one in scores(HAND_COUNTED, PRINCIPAL).score.reliability if one.comments]
    assert [(one.low, one.comments, one.kept) for one in bins] == [
        (0.5, 2, 0.0),
        (0.6, 1, 0.0),
        (0.7, 2, 0.5),
        (0.8, 1, 1.0),
        (0.9, 2, 1.0),
    ]
    assert bins[0].promised == pytest.approx(0.525)


def test_more_topics_are_expected_when_asked_for():
    found = scores(HAND_COUNTED, PRINCIPAL, scored=tuple(Topic)).score.total
    assert (found.expected, found.met, found.also_met) == (11, 4, 0)


def test_without_a_judge_only_lines_are_compared():
    found = scores(run(case(labels=(label(1),), comments=(comment(1),))), PRINCIPAL)
    assert found.measure is Measure.LINES
    assert list(found.scores) == [Measure.LINES]
    assert found.score.total.f1 == 1.0


def test_a_case_that_failed_counts_as_one_about_which_nothing_was_said():
    failed = case("failed", labels=(label(1),), failure=Failure("MODEL_BUSY", "the model was busy"))
    found = scores(run(failed, case("fine", labels=(label(1),), comments=(comment(1),))), PRINCIPAL)
    assert (found.failed, found.score.total.expected, found.score.total.met) == (1, 2, 1)
    assert run(failed).troubles == ("failed, principal: the model was busy (MODEL_BUSY)",)


def test_a_case_that_could_not_be_read_is_reported_and_not_counted():
    unread = CaseRun("broken", failure=Failure("INPUT_INVALID", "it is not YAML"))
    made = run(unread, case(labels=(label(1),), comments=(comment(1),)))
    assert scores(made, PRINCIPAL).score.total.cases == 1
    assert made.troubles == ("broken: it is not YAML (INPUT_INVALID)",)


def test_an_attempt_that_nobody_judged_is_reported_and_its_comments_are_not_right():
    unjudged = case("a", labels=(label(1),), comments=(comment(1),), unjudged=Failure("MODEL_BUSY", "busy"))
    judged = case("b", labels=(label(1),), comments=(comment(1),), links=links((0, 0)))
    made = run(unjudged, judged)
    assert scores(made, PRINCIPAL).score.total.met == 1
    assert made.troubles == ("a, principal: not judged: busy (MODEL_BUSY)",)


def test_nothing_to_say_and_nothing_said_is_no_rate():
    total = scores(run(case()), PRINCIPAL).score.total
    assert (total.precision, total.recall, total.f1, total.best_f1) == (None, None, None, None)


def test_what_stages_used_is_added_up_by_stage_and_replays_are_told_apart():
    used = Usage(input_tokens=100, cached_tokens=60, output_tokens=10, cost_usd=0.5, calls=1)
    spent = (
        Spent("review", "m", used, 2.0, replayed=False),
        Spent("verify", "m", used, 1.0, replayed=True),
        Spent("review", "m", used, 3.0, replayed=True),
        Spent("fix", "m", Usage(), 1.0, replayed=False, outcome="MODEL_BUSY"),
    )
    stages = stage_costs(spent)
    assert [(one.stage, one.usage.calls, one.seconds, one.replayed, one.failed) for one in stages] == [
        ("review", 2, 5.0, 1, 0),
        ("verify", 1, 1.0, 1, 0),
        ("fix", 0, 1.0, 0, 1),
    ]
    found = scores(run(case(spent=spent, judging=(Spent("judge", "m", used, 1.0, replayed=False),))), PRINCIPAL)
    assert (found.usage.cost_usd, found.bought.cost_usd, found.judging.cost_usd) == (1.5, 1.0, 0.5)
    assert found.cached_share == 0.6


# --- intervals --------------------------------------------------------------------------------------------------------

TALLIES = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=6).map(
    lambda pairs: [Tally(cases=1, comments=a, expected=b, met=min(a, b) // 2) for a, b in pairs]
)


@given(TALLIES, st.sampled_from(sorted(METRICS)))
def test_an_interval_lies_among_what_can_come_out(tallies, name):
    metric = METRICS[name]
    found = interval(tallies, metric, resampled(tallies, draws(len(tallies), seed=1, rounds=50)))
    if found.low is not None and found.high is not None:
        single = [value for tally in tallies if (value := metric(tally)) is not None]
        assert found.low <= found.high
        # A rate of cases put together is a mean of their rates, so no draw leaves their range; F1 and counts included.
        assert min(single) - 1e-9 <= found.low
        assert found.high <= max(single) + 1e-9


def test_the_same_run_gives_the_same_interval_and_another_seed_another():
    one = scores(HAND_COUNTED, PRINCIPAL, seed=1).score.intervals
    assert one == scores(HAND_COUNTED, PRINCIPAL, seed=1).score.intervals
    assert draws(5, seed=1) != draws(5, seed=2)


def test_cases_that_are_all_alike_leave_no_doubt():
    alike = [Tally(cases=1, comments=4, expected=2, met=1)] * 5
    found = interval(alike, METRICS["precision"], resampled(alike, draws(5, seed=1, rounds=100)))
    assert (found.value, found.low, found.high) == (0.25, 0.25, 0.25)


def test_the_interval_of_a_hundred_draws_leaves_out_the_outermost():
    """Of 0 … 100, 2.5 % of 101 values lie outside on each side: from the third to the third last."""
    found = around(50.0, [float(value) for value in range(101)])
    assert (found.low, found.high) == (2.0, 98.0)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=40))
def test_every_comment_is_in_one_bin(remarks):
    bins = reliability(remarks)
    assert sum(one.comments for one in bins) == len(remarks)
    assert all(one.promised is None or one.low <= one.promised <= one.high + 1e-9 for one in bins)


def test_an_attempt_counts_its_inline_comments_only():
    attempt = Attempt(comments=(comment(1), comment(2, placement="elsewhere"), comment(3, placement="folded")))
    assert [place for place, _ in attempt.inline] == [0]
