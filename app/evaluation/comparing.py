"""Two results over the same cases → what changed: each metric with an interval for the difference, and case by case.

The cases are drawn once for both (a paired bootstrap), because two runs over the same pulls vary together. A difference whose
interval holds 0 may be chance.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from app.errors import UserError
from app.evaluation.pairing import Measure, met
from app.evaluation.scoring import (
    METRICS,
    ROUNDS,
    SEED,
    Interval,
    Score,
    Tally,
    around,
    draws,
    is_expected,
    resampled,
    score,
)
from app.evaluation.values import SCORED, CaseRun, Run, Topic


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a comparison: a reviewer in a run."""

    name: str
    run: Run
    reviewer: str


@dataclass(frozen=True, slots=True)
class CaseChange:
    """A case on both sides: the counts, and the expected labels (by their places) that only one side met."""

    name: str
    before: Tally
    after: Tally
    gained: tuple[int, ...]
    lost: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What changed from one side to the other, over the cases both have. `left_out` names the others."""

    before: Side
    after: Side
    measure: Measure
    before_score: Score
    after_score: Score
    differences: Mapping[str, Interval]
    cases: tuple[CaseChange, ...]
    left_out: tuple[str, ...]


def compare(
    before: Side,
    after: Side,
    *,
    measure: Measure | None = None,
    scored: Collection[Topic] = SCORED,
    slack: int = 0,
    seed: int = SEED,
) -> Comparison:
    """The differences of `after` from `before`. By meaning where both were judged, else by lines.

    Raises `UserError` when they have no case in common.
    """
    old, new = _cases(before), _cases(after)
    names = [name for name in old if name in new and old[name].labels == new[name].labels]
    if not names:
        raise UserError("The two runs have no case in common with the same labels")
    chosen = measure or (Measure.MEANING if _judged(before) and _judged(after) else Measure.LINES)
    scores = [
        score(
            [cases[name] for name in names],
            side.reviewer,
            measure=chosen,
            scored=scored,
            cap=side.run.cap,
            slack=slack,
            seed=seed,
        )
        for side, cases in ((before, old), (after, new))
    ]
    return Comparison(
        before=before,
        after=after,
        measure=chosen,
        before_score=scores[0],
        after_score=scores[1],
        differences=differences(
            [scores[0].by_case[name] for name in names], [scores[1].by_case[name] for name in names], seed=seed
        ),
        cases=tuple(
            _change(
                name,
                tallies=(scores[0].by_case[name], scores[1].by_case[name]),
                met_by=(
                    _met(old[name], before.reviewer, measure=chosen, scored=scored, slack=slack),
                    _met(new[name], after.reviewer, measure=chosen, scored=scored, slack=slack),
                ),
            )
            for name in names
        ),
        left_out=tuple(sorted((set(old) | set(new)) - set(names))),
    )


def differences(
    before: list[Tally], after: list[Tally], *, seed: int = SEED, rounds: int = ROUNDS
) -> dict[str, Interval]:
    """Each metric's difference, with its interval; the two lists hold the same cases in the same order."""
    drawn = draws(len(before), seed=seed, rounds=rounds)
    pairs = list(zip(resampled(before, drawn), resampled(after, drawn), strict=True))
    whole = sum(before, Tally()), sum(after, Tally())
    return {
        name: around(_minus(metric(whole[1]), metric(whole[0])), [_minus(metric(b), metric(a)) for a, b in pairs])
        for name, metric in METRICS.items()
    }


def _cases(side: Side) -> dict[str, CaseRun]:
    return {case.name: case for case in side.run.cases if case.failure is None and side.reviewer in case.attempts}


def _judged(side: Side) -> bool:
    return any(case.attempts[side.reviewer].links is not None for case in _cases(side).values())


def _met(case: CaseRun, reviewer: str, *, measure: Measure, scored: Collection[Topic], slack: int) -> frozenset[int]:
    """The expected labels that were met."""
    meets = met(case.attempts[reviewer], case.labels, measure=measure, scored=scored, slack=slack)
    return frozenset(place for place in meets.values() if is_expected(case.labels[place], scored))


def _change(name: str, *, tallies: tuple[Tally, Tally], met_by: tuple[frozenset[int], frozenset[int]]) -> CaseChange:
    before, after = met_by
    return CaseChange(name, *tallies, gained=tuple(sorted(after - before)), lost=tuple(sorted(before - after)))


def _minus(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one - other
