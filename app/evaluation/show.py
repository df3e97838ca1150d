"""Summary and comparison → tables on a terminal, the sentence that matters last."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.evaluation.comparing import Comparison
from app.evaluation.pairing import Measure
from app.evaluation.scoring import Interval, Scores, Tally
from app.evaluation.summary import Summary
from app.evaluation.values import PRINCIPAL, Attempt, Run
from app.terminal import printable

MEASURED = {
    Measure.MEANING: "a judge says that comment and label tell of the same problem",
    Measure.LINES: "comment and label share lines",
    Measure.BOTH: "comment and label share lines, and a judge says that they tell of the same problem",
}
TITLES = {
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1",
    "useful": "Comments that meet any valid label",
    "invalid": "Comments that people judged not valid",
    "comments_per_case": "Comments a pull request",
}
COUNTS = frozenset({"comments_per_case"})
"""Metrics that are numbers, not shares."""


def show(summary: Summary, *, console: Console) -> None:
    """Writes the results: rates, cases, where findings went, what it cost, how far confidence can be trusted, troubles."""
    for table in (
        _rates(summary),
        *((_other_measures(summary),) if _several(summary) else ()),
        _cases(summary),
        *_groups(summary),
        _funnel(summary),
        *((_conduct(summary),) if _models_spoke(summary) else ()),
        *(_stages(name, one) for name, one in summary.by_reviewer.items() if one.stages),
        *(_reliability(name, one) for name, one in summary.by_reviewer.items()),
    ):
        console.print(table)
        console.print()
    if summary.added is not None:
        _differences(summary.added, console)
    for trouble in summary.run.troubles:
        console.print(Text(f"! {printable(trouble)}", style="yellow"), soft_wrap=True)
    console.print(_verdict(summary), soft_wrap=True)


def show_comparison(comparison: Comparison, *, console: Console) -> None:
    """Writes what changed from one side to the other."""
    table = _table("Case", comparison.before.name, comparison.after.name, "gained", "lost")
    for case in comparison.cases:
        table.add_row(
            printable(case.name),
            met_of(case.before),
            met_of(case.after),
            str(len(case.gained) or ""),
            str(len(case.lost) or ""),
        )
    console.print(table)
    console.print()
    _differences(comparison, console)
    if comparison.left_out:
        console.print(Text(f"! Only on one side: {printable(', '.join(comparison.left_out))}", style="yellow"))


def percent(value: float | None) -> str:
    """A share as a person reads it."""
    return "–" if value is None else f"{value:.0%}"


def ranged(interval: Interval, *, is_count: bool = False, signed: bool = False) -> str:
    """A value with its interval: 62% (50–74)."""
    if interval.value is None:
        return "–"
    if is_count:
        shape = "{:+.2f}" if signed else "{:.2f}"
        ends = [] if interval.low is None or interval.high is None else [interval.low, interval.high]
        inside = f" ({shape.format(ends[0])} to {shape.format(ends[1])})" if ends else ""
        return shape.format(interval.value) + inside
    shape = "{:+.0f}" if signed else "{:.0f}"
    value = shape.format(interval.value * 100) + (" points" if signed else "%")
    if interval.low is None or interval.high is None:
        return value
    return f"{value} ({shape.format(interval.low * 100)} to {shape.format(interval.high * 100)})"


def _table(first: str, *columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(printable(first))
    for column in columns:
        table.add_column(printable(column), justify="right")
    return table


def _rates(summary: Summary) -> Table:
    names = list(summary.by_reviewer)
    table = _table("", *names)
    chosen = [one.score for one in summary.by_reviewer.values()]
    for metric, title in TITLES.items():
        table.add_row(title, *(ranged(one.intervals[metric], is_count=metric in COUNTS) for one in chosen))
    table.add_row("Highest F1 within the cap", *(percent(one.total.best_f1) for one in chosen))
    table.add_row(
        "Comments where there is nothing to find, a pull request",
        *(_number(one.total.comments_per_clean_case) for one in chosen),
    )
    for title, each in A_PULL:
        table.add_row(title, *(each(one) for one in summary.by_reviewer.values()))
    return table


def a_pull(total: float | None, scores: Scores, shape: str) -> str:
    """A sum over the cases as it is for one of them."""
    cases = scores.score.total.cases
    return "–" if total is None or not cases else shape.format(total / cases)


A_PULL: tuple[tuple[str, Callable[[Scores], str]], ...] = (
    ("Tokens a pull request", lambda one: a_pull(one.usage.tokens, one, "{:,.0f}")),
    ("Prompt tokens in prefixes that several calls have", lambda one: percent(one.common_share)),
    ("Prompt tokens in prefixes that were sent before", lambda one: percent(one.repeated_share)),
    ("US$ a pull request", lambda one: a_pull(one.usage.cost_usd, one, "${:.3f}")),
    ("Model seconds a pull request", lambda one: a_pull(one.model_seconds, one, "{:.0f}")),
    ("Hunks reviewed", lambda one: f"{one.hunks_reviewed} of {one.hunks}"),
)


def _several(summary: Summary) -> bool:
    return any(len(one.scores) > 1 for one in summary.by_reviewer.values())


def _other_measures(summary: Summary) -> Table:
    table = _table("A label is met when …", *(f"{name}: P, R, F1" for name in summary.by_reviewer))
    for measure, words in MEASURED.items():
        cells = [one.scores.get(measure) for one in summary.by_reviewer.values()]
        table.add_row(words, *(_three(one.total) if one is not None else "–" for one in cells))
    return table


def _three(tally: Tally) -> str:
    return ", ".join(percent(value) for value in (tally.precision, tally.recall, tally.f1))


def _cases(summary: Summary) -> Table:
    names = list(summary.by_reviewer)
    table = _table("Case", "expected", *(f"{name}: met of comments" for name in names), "")
    for case in summary.run.cases:
        tallies = [summary.by_reviewer[name].score.by_case.get(case.name) for name in names]
        expected = next((tally.expected for tally in tallies if tally is not None), None)
        states = [_state(case.attempts[name]) for name in names if name in case.attempts]
        table.add_row(
            printable(case.name),
            "–" if expected is None else str(expected),
            *(met_of(tally) if tally is not None else "–" for tally in tallies),
            "not read" if case.failure else ", ".join(dict.fromkeys(state for state in states if state)),
        )
    return table


def _state(attempt: Attempt) -> str:
    if attempt.failure is not None:
        return "failed"
    if attempt.unjudged is not None:
        return "not judged"
    return "incomplete" if attempt.gaps else ""


def met_of(tally: Tally) -> str:
    """What was met of what was said: expected, other valid (+), judged not valid (−)."""
    extra = f" +{tally.also_met}" if tally.also_met else ""
    wrong = f" −{tally.invalid_met}" if tally.invalid_met else ""
    return f"{tally.met}{extra}{wrong} of {tally.comments}"


def _groups(summary: Summary) -> list[Table]:
    """The story's results by language, topic, severity and category."""
    one = summary.by_reviewer.get(PRINCIPAL)
    if one is None:
        return []
    score = one.score
    labels: tuple[tuple[str, Mapping[str, Tally]], ...] = (
        ("Language", score.by_language),
        ("Topic of the label", score.by_topic),
        ("Needs to see", score.by_context),
    )
    remarks = (("Severity", score.by_severity), ("Category", score.by_category))
    tables = [
        _group(title, groups, "expected", lambda tally: tally.expected, percent_of_recall) for title, groups in labels
    ]
    tables += [
        _group(title, groups, "comments", lambda tally: tally.comments, percent_useful) for title, groups in remarks
    ]
    return [table for table in tables if table.rows]


def percent_of_recall(tally: Tally) -> str:
    """How many of the labels were met."""
    return f"{percent(tally.recall)} met"


def percent_useful(tally: Tally) -> str:
    """How many of the comments meet a valid label."""
    return f"{percent(tally.useful)} right"


def _group(
    title: str, groups: Mapping[str, Tally], what: str, count: Callable[[Tally], int], rate: Callable[[Tally], str]
) -> Table:
    table = _table(title, what, "")
    for name, tally in groups.items():
        if count(tally):
            table.add_row(printable(name), str(count(tally)), rate(tally))
    return table


FUNNEL = (
    ("claimed", "Claimed by a model"),
    ("by_rules", "Found by rules"),
    ("misplaced", "− quote not found (no anchor)"),
    ("unformed", "− a part was missing"),
    ("refuted", "− verified away"),
    ("unsure", "− ranked away"),
    ("unwanted", "− not wanted by the policy"),
    ("merged", "− merged with another"),
    ("elsewhere", "on lines the change does not touch"),
    ("folded", "folded by the cap"),
    ("said", "said inline"),
)


def _funnel(summary: Summary) -> Table:
    table = _table("Where findings went", *summary.by_reviewer)
    for name, title in FUNNEL:
        table.add_row(title, *(str(getattr(one.funnel, name)) for one in summary.by_reviewer.values()))
    return table


def _models_spoke(summary: Summary) -> bool:
    return any(one.conduct.quotes or one.conduct.answered for one in summary.by_reviewer.values())


def _conduct(summary: Summary) -> Table:
    """Only the story has a form to keep."""
    found = summary.by_reviewer[PRINCIPAL].conduct
    table = _table("Form", "", "of")
    table.add_row("quotes copied as they stand", str(found.exact_quotes), str(found.quotes))
    table.add_row("answers with every part, or the reason why not", str(found.whole), str(found.answered))
    table.add_row("patches that can be committed with one click", str(found.suggestions), str(found.patches))
    return table


def _stages(name: str, scores: Scores) -> Table:
    table = _table(
        f"{name}: stage", "calls", "replayed", "prompt tokens", "from cache", "reply tokens", "US$", "model seconds"
    )
    for stage in scores.stages:
        used = stage.usage
        table.add_row(
            stage.stage,
            str(used.calls),
            str(stage.replayed),
            f"{used.input_tokens:,}",
            percent(used.cached_tokens / used.input_tokens if used.input_tokens else None),
            f"{used.output_tokens:,}",
            money(used.cost_usd),
            f"{stage.seconds:.0f}",
        )
    return table


def _reliability(name: str, scores: Scores) -> Table:
    table = _table(f"{name}: confidence", "comments", "promised", "right")
    for one in scores.score.reliability:
        if one.comments:
            table.add_row(f"{one.low:.1f}–{one.high:.1f}", str(one.comments), percent(one.promised), percent(one.kept))
    return table


def _differences(comparison: Comparison, console: Console) -> None:
    table = _table(
        f"{comparison.after.name} against {comparison.before.name}", "difference (95% of draws)", "may be chance"
    )
    for metric, title in TITLES.items():
        difference = comparison.differences[metric]
        table.add_row(title, ranged(difference, is_count=metric in COUNTS, signed=True), _chance(difference))
    console.print(table)
    console.print()


def _chance(difference: Interval) -> str:
    if difference.low is None or difference.high is None:
        return ""
    return "yes" if difference.low <= 0 <= difference.high else ""


def _verdict(summary: Summary) -> Text:
    """The one line to take away."""
    run = summary.run
    parts = [f"{len(run.cases)} cases, model {printable(run.model)}, judge {printable(run.judge)}"]
    parts += [printable(", ".join(run.options))] if run.options else []
    for name, one in summary.by_reviewer.items():
        total = one.score.total
        parts.append(
            f"{name} F1 {percent(total.f1)} by {one.measure} at {_number(total.comments_per_case)} comments a pull"
        )
    bought = [one.bought for one in summary.by_reviewer.values()]
    parts.append(
        f"{sum(used.calls for used in bought)} calls bought for {money(_sum([one.cost_usd for one in bought]))}"
    )
    parts += [f"{len(run.troubles)} things went wrong"] if run.troubles else []
    return Text(" · ".join(parts), style="bold")


def money(value: float | None) -> str:
    """US dollars; a dash when the price is not known."""
    return "–" if value is None else f"${value:.2f}"


def _sum(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def progress(run: Run, *, cases: int, name: str) -> str:
    """One line about the case that was finished last."""
    return f"{len(run.cases)} of {cases}: {printable(name)}"
