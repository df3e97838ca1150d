"""`principal eval`: how good the reviewer is on labelled pull requests, and what changed between two runs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup


class _RunUnlessNamed(TyperGroup):
    """`principal eval CASES` is `principal eval run CASES`: what is no command's name is a folder."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] != "--help":
            args = ["run", *args]
        return super().parse_args(ctx, args)


cli = typer.Typer(
    cls=_RunUnlessNamed,
    no_args_is_help=True,
    help="Measure the reviewer on labelled pull requests: `principal eval CASES` (docs/evaluation.md).",
)


class Format(StrEnum):
    """How results are written on standard output."""

    TEXT = "text"
    JSON = "json"


Topics = Annotated[
    str, typer.Option("--topics", help="What ought to be found, comma-separated; `all` for every valid label.")
]
Slack = Annotated[int, typer.Option("--slack", min=0, max=50, help="Lines apart that still count as the same place.")]
Form = Annotated[Format, typer.Option("--format", help="How to write the results.")]
DEFAULT_TOPICS = "defect,security"


@cli.command()
def run(
    cases: Annotated[list[Path], typer.Argument(help="Case folders, or folders that hold them.", metavar="CASES")],
    *,
    effort: Annotated[str | None, typer.Option("--effort", help="quick, standard or deep.")] = None,
    without: Annotated[
        list[str] | None, typer.Option("--without", metavar="PART", help="Leave a part out, as in context.callers.")
    ] = None,
    given: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Set an option, as in comments=3.")
    ] = None,
    baseline: Annotated[
        bool, typer.Option("--baseline/--no-baseline", help="Also ask one plain prompt of the same model.")
    ] = True,
    judge: Annotated[
        str | None,
        typer.Option("--judge", metavar="MODEL", help="Who decides what means the same; `none`: only lines count."),
    ] = None,
    by_hand: Annotated[
        bool, typer.Option("--by-hand", help="Ask no server: questions and answers are files among the replies.")
    ] = False,
    replies: Annotated[
        Path | None, typer.Option("--replies", help="Where replies are kept. Default: in the cache folder.")
    ] = None,
    repositories: Annotated[
        Path | None, typer.Option("--repositories", help="Clones as OWNER/NAME, for cases that name one.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Where run.json, scores.json and report.html go.")] = None,
    against: Annotated[
        Path | None, typer.Option("--against", metavar="RUN", help="Also say what changed since that run.")
    ] = None,
    at_once: Annotated[int, typer.Option("--at-once", min=1, max=64, help="Cases under review at a time.")] = 4,
    topics: Topics = DEFAULT_TOPICS,
    slack: Slack = 0,
    form: Form = Format.TEXT,
) -> None:
    """Review every case, judge and score it, and write a report.

    A reply that was bought once is never bought again: a second run costs nothing, and one that was ended goes on.
    Exit code 0: every case was reviewed and judged; 2: something could not be done, and it is said what.
    """
    from app.cli import evaluating  # noqa: PLC0415 - a second of imports that only this command is worth

    wish = evaluating.Wish(
        cases=tuple(cases),
        effort=effort,
        without=tuple(without or ()),
        given=tuple(given or ()),
        baseline=baseline,
        judge=judge,
        by_hand=by_hand,
        replies=replies,
        repositories=repositories,
        out=out,
        at_once=at_once,
    )
    raise typer.Exit(evaluating.run(wish, topics=topics, slack=slack, form=form, against=against))


@cli.command()
def show(place: Path, *, topics: Topics = DEFAULT_TOPICS, slack: Slack = 0, form: Form = Format.TEXT) -> None:
    """Score a stored run again and show it. Nobody is asked."""
    from app.cli import evaluating  # noqa: PLC0415 - as above

    evaluating.show(place, topics=topics, slack=slack, form=form)


@cli.command()
def compare(
    before: Path,
    after: Path,
    *,
    reviewer: Annotated[
        str, typer.Option("--reviewer", help="Whose results are compared: principal or single.")
    ] = "principal",
    topics: Topics = DEFAULT_TOPICS,
    slack: Slack = 0,
    form: Form = Format.TEXT,
) -> None:
    """Say what changed between two runs over the same cases, with intervals: a difference may be chance."""
    from app.cli import evaluating  # noqa: PLC0415 - as above

    evaluating.compare(before, after, reviewer=reviewer, topics=topics, slack=slack, form=form)
