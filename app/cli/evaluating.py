"""What `principal eval` does: models, replies and cases put together, a run made, stored, scored, shown."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from app import __version__, library
from app.analysis import Scanner
from app.cli import house
from app.cli.eval import Format
from app.core import options
from app.core.options import Options
from app.errors import UserError
from app.evaluation import cases, comparing, page, running, store, summary
from app.evaluation import show as tables
from app.evaluation.comparing import Side
from app.evaluation.replies import ByHand, Replies, write_whole
from app.evaluation.values import CaseRun, Run, Topic
from app.llm import prices
from app.llm.models import Models
from app.settings import Settings

COMPLETE, INCOMPLETE = 0, 2
WIDTH = 140
"""Columns of a table that is not written to a terminal."""
SCORES, REPORT = "scores.json", "report.html"


@dataclass(frozen=True, slots=True)
class Wish:
    """What the person asked for."""

    cases: tuple[Path, ...]
    effort: str | None
    without: tuple[str, ...]
    given: tuple[str, ...]
    baseline: bool
    judge: str | None
    by_hand: bool
    replies: Path | None
    repositories: Path | None
    out: Path | None
    at_once: int


def run(wish: Wish, *, topics: str, slack: int, form: Format, against: Path | None) -> int:
    """The run made, stored and shown; 0 when all of it could be done, 2 when not."""
    settings = Settings.load(house.with_cache_folder(os.environ))
    scored = _topics(topics)
    made = _options(wish, settings)
    found = cases.read(wish.cases, repositories=wish.repositories)
    earlier = store.read(against) if against is not None else None
    done, folder = asyncio.run(_run(wish, found, made=made, settings=settings))
    whole = summary.summarise(done, scored=scored, slack=slack)
    _write(folder / SCORES, json.dumps(summary.document(whole), indent=2, ensure_ascii=False) + "\n")
    _write(folder / REPORT, page.render(whole))
    _say(whole, form)
    if earlier is not None:
        _compare(Side("before", earlier, "principal"), Side("now", done, "principal"), whole, form)
    typer.echo(f"{folder / store.RUN}\n{folder / SCORES}\n{folder / REPORT}", err=True)
    return INCOMPLETE if done.troubles else COMPLETE


def show(place: Path, *, topics: str, slack: int, form: Format) -> None:
    """A stored run, scored again; its report is written anew."""
    whole = summary.summarise(store.read(place), scored=_topics(topics), slack=slack)
    folder = place if place.is_dir() else place.parent
    _write(folder / REPORT, page.render(whole))
    _say(whole, form)
    typer.echo(str(folder / REPORT), err=True)


def compare(before: Path, after: Path, *, reviewer: str, topics: str, slack: int, form: Format) -> None:
    """Two stored runs beside each other."""
    old, new = store.read(before), store.read(after)
    for one in (old, new):
        if reviewer not in one.reviewers:
            raise UserError(f"--reviewer {reviewer}: the runs were made by {', '.join(one.reviewers) or 'nobody'}")
    names = (before.name, after.name) if before.name != after.name else (str(before), str(after))
    found = comparing.compare(
        Side(names[0], old, reviewer), Side(names[1], new, reviewer), scored=_topics(topics), slack=slack
    )
    _say_comparison(found, form)


async def _run(
    wish: Wish, found: tuple[cases.Case | cases.Unreadable, ...], *, made: Options, settings: Settings
) -> tuple[Run, Path]:
    """The run and the folder it lies in; it is stored after every case, so that an ended one can be looked at."""
    replies = Replies(wish.replies or settings.data_dir / "eval" / "replies")
    async with _models(wish, settings, replies) as models, Scanner() as scanner:
        judge = models.review if wish.judge is None else models.set_by("--judge", wish.judge)
        kit = running.Kit(
            library=library.load(skills=settings.skills, rules=settings.rules),
            models=models,
            judge=judge,
            replies=replies,
            scanner=scanner,
            version=__version__,
            most_tokens=settings.max_tokens_per_review,
            clock=time.monotonic,
        )
        plan = running.Plan(made, baseline=wish.baseline, at_once=wish.at_once)
        name = models.review.name if models.review is not None else "none"
        folder = wish.out or settings.data_dir / "eval" / "runs" / _slug(name, made)

        def told(so_far: Run, last: CaseRun) -> None:
            store.write(so_far, folder)
            typer.echo(tables.progress(so_far, cases=len(found), name=last.name), err=True)

        done = await running.run(found, kit=kit, plan=plan, told=told)
        store.write(done, folder)
        return done, folder


@asynccontextmanager
async def _models(wish: Wish, settings: Settings, replies: Replies) -> AsyncIterator[Models]:
    """The models of the settings, or one whose answers are files."""
    if not wish.by_hand:
        async with Models.build(settings) as models:
            yield models
        return
    async with Models((), prices.load(settings.prices)) as models:
        models.review = models.verify = ByHand(replies)
        yield models


def _options(wish: Wish, settings: Settings) -> Options:
    effort = [f"effort={wish.effort or settings.effort}"]
    try:
        return options.changed(Options(), without=wish.without, settings=[*effort, *wish.given])
    except ValueError as error:
        raise UserError(str(error)) from error


def _topics(words: str) -> tuple[Topic, ...]:
    if words.strip().lower() == "all":
        return tuple(Topic)
    try:
        return tuple(Topic(word.strip().lower()) for word in words.split(",") if word.strip())
    except ValueError as error:
        raise UserError(f"--topics {words}: there are {', '.join(Topic)}, and all") from error


def _slug(model: str, made: Options) -> str:
    """A folder's name that says what a run was: its model and its differences from the defaults."""
    said = "-".join((model, *(options.differences(made) or ("defaults",))))
    return re.sub(r"[^A-Za-z0-9._=]+", "-", said).strip("-.")[:120]


def _say(whole: summary.Summary, form: Format) -> None:
    if form is Format.JSON:
        _print_json(summary.document(whole))
    else:
        tables.show(whole, console=_console())


def _compare(before: Side, after: Side, whole: summary.Summary, form: Format) -> None:
    found = comparing.compare(before, after, scored=whole.scored, slack=whole.slack)
    _say_comparison(found, form)


def _say_comparison(found: comparing.Comparison, form: Format) -> None:
    if form is Format.JSON:
        _print_json(summary.differences(found))
    else:
        tables.show_comparison(found, console=_console())


def _console() -> Console:
    return Console(file=sys.stdout, width=None if sys.stdout.isatty() else WIDTH, highlight=False, markup=False)


def _print_json(value: dict[str, Any]) -> None:
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def _write(path: Path, text: str) -> None:
    write_whole(path, text.encode("utf-8", "replace"))
