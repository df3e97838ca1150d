"""Run → Scores: counts first, rates from them, and how far each could have come out otherwise.

    precision   expected labels met ÷ comments          recall   expected labels met ÷ expected labels
    useful      valid labels met ÷ comments             F1       2 · met ÷ (comments + expected labels)

All of them are of the whole run (each comment and each label counts the same), with an interval from a bootstrap over cases:
the cases are drawn again with replacement, seeded, so that the same run gives the same interval.
"""

from __future__ import annotations

import operator
import random
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import pairwise

from app.core.usage import Usage
from app.evaluation.pairing import Measure, met
from app.evaluation.values import SCORED, Attempt, CaseRun, Comment, Conduct, Funnel, Label, Prefixes, Run, Spent, Topic

SEED = 20_07
ROUNDS = 2_000
OUTSIDE = 0.025
"""The share of drawn results left out on either side of an interval: 95 % lie inside."""
BINS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts; they add up. `met` are expected labels, `also_met` other valid ones, `invalid_met` those judged not valid.

    `attainable` is how many expected labels a reviewer that is always right meets within the cap. `clean` counts cases with
    nothing to find, `clean_comments` what was said there.
    """

    cases: int = 0
    comments: int = 0
    expected: int = 0
    met: int = 0
    also_met: int = 0
    invalid_met: int = 0
    attainable: int = 0
    clean: int = 0
    clean_comments: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(*map(operator.add, _COUNTS(self), _COUNTS(other)))

    @property
    def precision(self) -> float | None:
        """Of the comments, those that meet an expected label; None without comments."""
        return _share(self.met, self.comments)

    @property
    def useful(self) -> float | None:
        """Of the comments, those that meet any valid label."""
        return _share(self.met + self.also_met, self.comments)

    @property
    def invalid(self) -> float | None:
        """Of the comments, those that say what people judged not valid."""
        return _share(self.invalid_met, self.comments)

    @property
    def recall(self) -> float | None:
        """Of the expected labels, those that were met; None when nothing is expected."""
        return _share(self.met, self.expected)

    @property
    def f1(self) -> float | None:
        """The harmonic mean of precision and recall; None when there is nothing to say and nothing was said."""
        return _share(2 * self.met, self.comments + self.expected)

    @property
    def best_f1(self) -> float | None:
        """The highest F1 within the cap: every comment right, and in each case as many as fit."""
        return _share(2 * self.attainable, self.attainable + self.expected)

    @property
    def comments_per_case(self) -> float | None:
        """Comments a pull request."""
        return _share(self.comments, self.cases)

    @property
    def comments_per_clean_case(self) -> float | None:
        """Comments a pull request in which there is nothing to find."""
        return _share(self.clean_comments, self.clean)


_COUNTS = operator.attrgetter(*(one.name for one in fields(Tally)))

METRICS: Mapping[str, Callable[[Tally], float | None]] = {
    "precision": lambda tally: tally.precision,
    "recall": lambda tally: tally.recall,
    "f1": lambda tally: tally.f1,
    "useful": lambda tally: tally.useful,
    "invalid": lambda tally: tally.invalid,
    "comments_per_case": lambda tally: tally.comments_per_case,
}
"""What is said with an interval, and compared between runs."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A value and the range in which the bootstrap puts it. All None when it cannot be said."""

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Bin:
    """Comments whose confidence lies from `low` up to `high`: how many, what they promised, how many met a valid label."""

    low: float
    high: float
    comments: int
    promised: float | None
    kept: float | None


@dataclass(frozen=True, slots=True)
class StageCost:
    """What one stage used: tokens and money as they were when bought, and how many of its replies were replayed."""

    stage: str
    usage: Usage
    seconds: float
    replayed: int
    failed: int


@dataclass(frozen=True, slots=True)
class Score:
    """One reviewer's result over all cases by one measure."""

    total: Tally
    intervals: Mapping[str, Interval]
    by_case: Mapping[str, Tally]
    by_language: Mapping[str, Tally]
    by_topic: Mapping[str, Tally]
    """Of the valid labels, scored or not: how many there are and how many were met."""
    by_context: Mapping[str, Tally]
    """The same, by how much a reviewer has to see (diff, file, repository), as far as the labels tell."""
    by_severity: Mapping[str, Tally]
    """Of the comments, as the reviewer rated them."""
    by_category: Mapping[str, Tally]
    """Of the comments, as the reviewer named them."""
    reliability: tuple[Bin, ...]


@dataclass(frozen=True, slots=True)
class Scores:
    """Everything about one reviewer in a run: the score by each measure, the funnel, and what it took."""

    reviewer: str
    measure: Measure
    """The one to read first: by meaning where a judge was asked, else by lines."""
    scores: Mapping[Measure, Score]
    funnel: Funnel
    conduct: Conduct
    stages: tuple[StageCost, ...]
    usage: Usage
    model_seconds: float
    seconds: float
    judging: Usage
    """What the judge used for it, which is no part of `usage`."""
    bought: Usage
    """What this run paid itself, judge included; the rest were stored replies."""
    failed: int
    hunks: int
    hunks_reviewed: int
    prefixes: Prefixes = field(default_factory=Prefixes)
    cached_share: float | None = None
    """Of the prompt tokens, those the provider took from its cache."""
    common_share: float | None = None
    """Of the prompt tokens, those in prefixes that several calls of a review have."""
    repeated_share: float | None = None
    """Of the prompt tokens, those in prefixes that a call before had sent."""

    @property
    def score(self) -> Score:
        """By the measure to read first."""
        return self.scores[self.measure]


def scores(run: Run, reviewer: str, *, scored: Collection[Topic] = SCORED, slack: int = 0, seed: int = SEED) -> Scores:
    """What the reviewer reached in the run. A case it failed counts as one about which it said nothing."""
    cases = [case for case in run.cases if case.failure is None and reviewer in case.attempts]
    attempts = [case.attempts[reviewer] for case in cases]
    judged = any(attempt.links is not None or attempt.unjudged is not None for attempt in attempts)
    measures = list(Measure) if judged else [Measure.LINES]
    usage = _used(one for attempt in attempts for one in attempt.spent)
    shared = sum((attempt.prefixes for attempt in attempts), Prefixes())
    return Scores(
        reviewer=reviewer,
        measure=measures[0],
        scores={
            measure: score(cases, reviewer, measure=measure, scored=scored, cap=run.cap, slack=slack, seed=seed)
            for measure in measures
        },
        funnel=sum((attempt.funnel for attempt in attempts), Funnel()),
        conduct=sum((attempt.conduct for attempt in attempts), Conduct()),
        stages=stage_costs(one for attempt in attempts for one in attempt.spent),
        usage=usage,
        model_seconds=sum(one.seconds for attempt in attempts for one in attempt.spent),
        seconds=sum(attempt.seconds for attempt in attempts),
        judging=_used(one for attempt in attempts for one in attempt.judging),
        bought=_used(one for attempt in attempts for one in (*attempt.spent, *attempt.judging) if not one.replayed),
        failed=sum(1 for attempt in attempts if attempt.failure is not None),
        hunks=sum(attempt.hunks for attempt in attempts),
        hunks_reviewed=sum(attempt.hunks_reviewed for attempt in attempts),
        prefixes=shared,
        cached_share=_share(usage.cached_tokens, usage.input_tokens),
        common_share=_share(shared.common, shared.tokens),
        repeated_share=_share(shared.repeated, shared.tokens),
    )


def score(
    cases: Sequence[CaseRun],
    reviewer: str,
    *,
    measure: Measure,
    scored: Collection[Topic] = SCORED,
    cap: int,
    slack: int = 0,
    seed: int = SEED,
) -> Score:
    """The reviewer's result over these cases by one measure."""
    views = {case.name: _view(case, reviewer, measure=measure, scored=scored, slack=slack) for case in cases}
    by_case = {name: tally(view, scored=scored, cap=cap) for name, view in views.items()}
    tallies = list(by_case.values())
    drawn = resampled(tallies, draws(len(tallies), seed=seed))
    remarks = [(comment, label) for view in views.values() for comment, label in view.remarks]
    return Score(
        total=sum(tallies, Tally()),
        intervals={name: interval(tallies, metric, drawn) for name, metric in METRICS.items()},
        by_case=by_case,
        by_language=_grouped((case.language or "unknown", by_case[case.name]) for case in cases),
        by_topic=_of_labels(views.values(), lambda label: str(label.topic)),
        by_context=_of_labels(views.values(), lambda label: label.context),
        by_severity=_of_comments(remarks, lambda one: str(one.severity), scored),
        by_category=_of_comments(remarks, lambda one: one.category, scored),
        reliability=reliability(
            [(comment.confidence, label is not None and label.valid) for comment, label in remarks]
        ),
    )


@dataclass(frozen=True, slots=True)
class View:
    """A case as one reviewer left it: each inline comment with the label it meets, and the labels that are expected."""

    remarks: tuple[tuple[Comment, Label | None], ...]
    labels: tuple[Label, ...]


def tally(view: View, *, scored: Collection[Topic], cap: int) -> Tally:
    """The counts of one case."""
    expected = sum(1 for label in view.labels if is_expected(label, scored))
    is_clean = expected == 0
    said = _tally_of([label for _, label in view.remarks], scored)
    return said + Tally(
        cases=1,
        expected=expected,
        attainable=min(expected, cap),
        clean=int(is_clean),
        clean_comments=len(view.remarks) if is_clean else 0,
    )


def is_expected(label: Label, scored: Collection[Topic]) -> bool:
    """Whether a reviewer ought to find it."""
    return label.valid and label.topic in scored


def draws(cases: int, *, seed: int, rounds: int = ROUNDS) -> list[list[int]]:
    """Which cases each round of the bootstrap takes. Two runs over the same cases are compared with the same draws."""
    source = random.Random(seed)  # noqa: S311 - it draws cases, not keys
    return [source.choices(range(cases), k=cases) for _ in range(rounds)] if cases else []


def resampled(tallies: Sequence[Tally], drawn: Sequence[Sequence[int]]) -> list[Tally]:
    """The counts of each draw."""
    return [sum((tallies[place] for place in places), Tally()) for places in drawn]


def interval(tallies: Sequence[Tally], metric: Callable[[Tally], float | None], drawn: Sequence[Tally]) -> Interval:
    """The metric of all cases together, and the range of it over the draws (`resampled`)."""
    return around(metric(sum(tallies, Tally())), [metric(one) for one in drawn])


def around(value: float | None, values: Iterable[float | None]) -> Interval:
    """The value with the middle 95 % of the drawn ones; draws in which nothing can be said are left out."""
    known = sorted(one for one in values if one is not None)
    if value is None or not known:
        return Interval(value)
    outside = int(OUTSIDE * len(known))
    return Interval(value, known[outside], known[-1 - outside])


def reliability(remarks: Sequence[tuple[float, bool]], bins: Sequence[float] = BINS) -> tuple[Bin, ...]:
    """What confidence promised and what it kept, bin by bin; (confidence, whether a valid label was met) in."""
    made: list[Bin] = []
    for low, high in pairwise(bins):
        is_last = high == bins[-1]
        inside = [(sure, right) for sure, right in remarks if low <= sure < high or (is_last and sure == high)]
        count = len(inside)
        made.append(
            Bin(
                low,
                high,
                count,
                promised=sum(sure for sure, _ in inside) / count if count else None,
                kept=_share(sum(1 for _, right in inside if right), count),
            )
        )
    return tuple(made)


def stage_costs(spent: Iterable[Spent]) -> tuple[StageCost, ...]:
    """What each stage used, in the order in which they first asked."""
    grouped: dict[str, list[Spent]] = {}
    for one in spent:
        grouped.setdefault(one.stage, []).append(one)
    return tuple(
        StageCost(
            stage=stage,
            usage=_used(some),
            seconds=sum(one.seconds for one in some),
            replayed=sum(1 for one in some if one.replayed),
            failed=sum(1 for one in some if one.outcome != "ok"),
        )
        for stage, some in grouped.items()
    )


def _view(case: CaseRun, reviewer: str, *, measure: Measure, scored: Collection[Topic], slack: int) -> View:
    attempt: Attempt = case.attempts[reviewer]
    meets = met(attempt, case.labels, measure=measure, scored=scored, slack=slack)
    remarks = tuple(
        (comment, case.labels[meets[place]] if place in meets else None) for place, comment in attempt.inline
    )
    return View(remarks, case.labels)


def _tally_of(labels: Sequence[Label | None], scored: Collection[Topic]) -> Tally:
    """The counts of some comments, each given by the label it meets."""
    valid = [label for label in labels if label is not None and label.valid]
    hits = sum(1 for label in valid if label.topic in scored)
    return Tally(
        comments=len(labels),
        met=hits,
        also_met=len(valid) - hits,
        invalid_met=sum(1 for label in labels if label is not None and not label.valid),
    )


def _grouped(parts: Iterable[tuple[str, Tally]]) -> dict[str, Tally]:
    groups: dict[str, Tally] = {}
    for name, one in parts:
        groups[name] = groups.get(name, Tally()) + one
    return dict(sorted(groups.items()))


def _of_comments(
    remarks: Sequence[tuple[Comment, Label | None]], name: Callable[[Comment], str], scored: Collection[Topic]
) -> dict[str, Tally]:
    return _grouped((name(comment), _tally_of([label], scored)) for comment, label in remarks)


def _of_labels(views: Iterable[View], name: Callable[[Label], str]) -> dict[str, Tally]:
    """Of the valid labels of each group, how many there are and how many were met. A label without a name is in none."""
    parts: list[tuple[str, Tally]] = []
    for view in views:
        parts += [(name(label), Tally(expected=1)) for label in view.labels if label.valid]
        parts += [(name(label), Tally(met=1)) for _, label in view.remarks if label is not None and label.valid]
    return _grouped(part for part in parts if part[0])


def _used(spent: Iterable[Spent]) -> Usage:
    return sum((one.usage for one in spent), Usage())


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None
