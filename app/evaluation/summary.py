"""Run → what is said of it in numbers: every score of every reviewer, as values and as JSON for other programs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import TypeAdapter

from app.evaluation.comparing import Comparison, Side, compare
from app.evaluation.scoring import METRICS, Scores, Tally, scores
from app.evaluation.values import PRINCIPAL, SCORED, SINGLE, Run, Topic

_SCORES = TypeAdapter(Scores)


@dataclass(frozen=True, slots=True)
class Summary:
    """A run with its scores, and what the story adds to one plain prompt where both were run."""

    run: Run
    scored: tuple[Topic, ...]
    slack: int
    by_reviewer: Mapping[str, Scores]
    added: Comparison | None


def summarise(run: Run, *, scored: Collection[Topic] = SCORED, slack: int = 0) -> Summary:
    """Everything that can be counted in a run. Nobody is asked for it."""
    by_reviewer = {name: scores(run, name, scored=scored, slack=slack) for name in run.reviewers}
    both = set(by_reviewer) >= {PRINCIPAL, SINGLE}
    added = (
        compare(Side("one plain prompt", run, SINGLE), Side("principal", run, PRINCIPAL), scored=scored, slack=slack)
        if both
        else None
    )
    return Summary(run, tuple(scored), slack, by_reviewer, added)


def document(summary: Summary) -> dict[str, Any]:
    """The summary as JSON values: counts with the rates that follow from them."""
    run = summary.run
    return {
        "version": 1,
        "program": run.program,
        "model": run.model,
        "judge": run.judge,
        "options": list(run.options),
        "cap": run.cap,
        "cases": len(run.cases),
        "scored": [str(topic) for topic in summary.scored],
        "slack_lines": summary.slack,
        "troubles": list(run.troubles),
        "reviewers": {
            name: _with_rates(_SCORES.dump_python(one, mode="json"), one) for name, one in summary.by_reviewer.items()
        },
        "added": differences(summary.added) if summary.added is not None else None,
    }


def differences(comparison: Comparison) -> dict[str, Any]:
    """A comparison as JSON values."""
    return {
        "before": comparison.before.name,
        "after": comparison.after.name,
        "measure": str(comparison.measure),
        "metrics": {name: asdict(interval) for name, interval in comparison.differences.items()},
        "cases": [asdict(case) for case in comparison.cases],
        "left_out": list(comparison.left_out),
    }


def rates(tally: Tally) -> dict[str, float | None]:
    """What follows from the counts."""
    return {
        **{name: metric(tally) for name, metric in METRICS.items()},
        "best_f1": tally.best_f1,
        "comments_per_clean_case": tally.comments_per_clean_case,
    }


def _with_rates(values: dict[str, Any], one: Scores) -> dict[str, Any]:
    for measure, score in one.scores.items():
        values["scores"][str(measure)]["rates"] = rates(score.total)
    return values
