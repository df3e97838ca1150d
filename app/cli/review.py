"""`principal review`: what the bot would say, before anybody pushes."""

from __future__ import annotations

import asyncio
import io
import json
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from app import __version__, terminal
from app.cli import house
from app.core import comment, diff, report_json, sarif
from app.core.change import Change, Intent, Skipped
from app.core.finding import Severity
from app.core.report import Review
from app.core.select import select
from app.errors import UserError
from app.git import Checkout, Tree, sha_of_diff
from app.review import AtOnce, Reviewer
from app.review import review as review_change
from app.settings import Settings
from app.stages import read

T = TypeVar("T")
CLEAN, FOUND, INCOMPLETE = 0, 1, 2
LARGEST_DIFF_BYTES = 256 * 1024 * 1024


class Format(StrEnum):
    """How the review is written."""

    TEXT = "text"
    MARKDOWN = "markdown"
    JSON = "json"
    SARIF = "sarif"


def review(
    what: Annotated[
        str | None,
        typer.Argument(
            help="A range (house...HEAD), or the address of a pull request. Default: what this branch adds."
        ),
    ] = None,
    *,
    staged: Annotated[bool, typer.Option("--staged", help="Only what is staged.")] = False,
    diff_file: Annotated[
        str | None, typer.Option("--diff", metavar="FILE", help="A unified diff from a file, or - for standard input.")
    ] = None,
    persona: Annotated[str | None, typer.Option("--persona", help="Only this persona.")] = None,
    post: Annotated[bool, typer.Option("--post", help="With a pull request's address: post the review there.")] = False,
    form: Annotated[Format, typer.Option("--format", help="How to write it.")] = Format.TEXT,
    output: Annotated[Path | None, typer.Option("--output", help="Write it to this file.")] = None,
    fail_on: Annotated[
        Severity | None, typer.Option("--fail-on", help="Exit with 1 if a finding is at least this severe.")
    ] = None,
) -> None:
    """Review a change in this checkout, a diff, or a pull request.

    Without arguments: everything this branch adds to its upstream, uncommitted changes included.
    Exit code 0: nothing at or above --fail-on; 1: something is; 2: not all of it could be reviewed.
    """
    if sum((staged, diff_file is not None, what is not None)) > 1:
        raise UserError("Give one of: a range, a pull request's address, --staged, or --diff")
    if post and not _is_address(what):
        raise UserError("--post needs the address of a pull request")
    settings = Settings.load(house.with_cache_folder(os.environ))
    asked = f"persona {persona}" if persona else ""
    with terminal.Progress(stream=sys.stderr, environ=os.environ) as progress:
        step = Shown(progress)
        if what is not None and _is_address(what):
            found = asyncio.run(_pull(what, settings=settings, step=step, asked=asked, post=post))
        elif diff_file is not None:
            found = asyncio.run(_diff(_bytes_of(diff_file), settings=settings, step=step, asked=asked))
        else:
            found = asyncio.run(_checkout(what, staged=staged, settings=settings, step=step, asked=asked))
    _write(found, form=form, output=output)
    raise typer.Exit(exit_code(found, fail_on=fail_on))


def exit_code(found: Review, *, fail_on: Severity | None) -> int:
    """0 clean, 1 findings at or above the severity, 2 not all of it could be reviewed."""
    worst = found.worst()
    if fail_on is not None and worst is not None and worst.rank <= fail_on.rank:
        return FOUND
    return CLEAN if found.complete else INCOMPLETE


class Shown(AtOnce):
    """Runs each step at once and shows how far the review is."""

    def __init__(self, progress: terminal.Progress) -> None:
        self._progress = progress
        self._begun: dict[str, int] = {}
        self._done: dict[str, int] = {}

    async def run(self, name: str, work: Callable[[], Awaitable[T]], result: type[T], *, preemptible: bool = True) -> T:
        """The result of `work`, with its stage's count moved on."""
        stage = STAGES.get(name.split(" ", maxsplit=1)[0], "")
        self._tell(stage, begun=1)
        try:
            return await super().run(name, work, result, preemptible=preemptible)
        finally:
            self._tell(stage, done=1)

    def _tell(self, stage: str, *, begun: int = 0, done: int = 0) -> None:
        if stage:
            self._begun[stage] = self._begun.get(stage, 0) + begun
            self._done[stage] = self._done.get(stage, 0) + done
            self._progress.stage(stage, self._done[stage], self._begun[stage])


STAGES = {"scan": "Checking rules", "review": "Reading", "verify": "Verifying", "fix": "Writing fixes"}


async def _checkout(what: str | None, *, staged: bool, settings: Settings, step: AtOnce, asked: str) -> Review:
    async with house.reviewer(settings, secret_key=house.local_key(settings)) as reviewer:
        checkout = await Checkout.find(Path.cwd())
        async with checkout.resolve(what, staged=staged) as resolved:
            intent = await resolved.intent()
            change = await read.change(resolved.tree, base=resolved.base, head=resolved.head, intent=intent)
            unread = tuple(
                Skipped(path, "not read: git would run a filter, or too large") for path in resolved.left_out
            )
            change = replace(change, skipped=(*change.skipped, *unread))
            return await _review(change, tree=resolved.tree, reviewer=reviewer, step=step, asked=asked)


async def _diff(data: bytes, *, settings: Settings, step: AtOnce, asked: str) -> Review:
    try:
        files = diff.parse(data)
    except ValueError as error:
        raise UserError(f"This is not a diff that can be read: {error}") from error
    if not files:
        raise UserError("There is no diff in the input")
    kept, skipped = select(files)
    base, head = sha_of_diff(data)
    change = Change(base=base, head=head, files=kept, skipped=skipped, intent=Intent())
    async with house.reviewer(settings, secret_key=house.local_key(settings)) as reviewer:
        return await _review(change, tree=None, reviewer=reviewer, step=step, asked=asked)


async def _review(change: Change, *, tree: Tree | None, reviewer: Reviewer, step: AtOnce, asked: str) -> Review:
    return await review_change(change, tree=tree, reviewer=reviewer, step=step, asked=asked)


async def _pull(address: str, *, settings: Settings, step: AtOnce, asked: str, post: bool) -> Review:
    async with house.reviewer(settings, secret_key=house.local_key(settings)) as reviewer:
        return await house.review_address(
            address, settings=settings, reviewer=reviewer, step=step, asked=asked, post=post
        )


def _is_address(what: str | None) -> bool:
    return what is not None and what.startswith(("https://", "http://"))


def _bytes_of(name: str) -> bytes:
    if name == "-":
        data = sys.stdin.buffer.read(LARGEST_DIFF_BYTES + 1)
    else:
        try:
            with Path(name).open("rb") as file:
                data = file.read(LARGEST_DIFF_BYTES + 1)
        except OSError as error:
            raise UserError(f"Cannot read {name}: {error.strerror}") from error
    if len(data) > LARGEST_DIFF_BYTES:
        raise UserError(f"The diff is larger than {LARGEST_DIFF_BYTES // 1024 // 1024} MiB")
    return data


def _write(found: Review, *, form: Format, output: Path | None) -> None:
    if form is Format.TEXT and output is None:
        terminal.show(found, stream=sys.stdout, environ=os.environ)
        return
    text = _rendered(found, form)
    if output is None:
        sys.stdout.write(text)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"Cannot write {output}: {error.strerror}") from error


def _rendered(found: Review, form: Format) -> str:
    match form:
        case Format.TEXT:
            page = io.StringIO()
            terminal.show(found, stream=page, environ=os.environ)
            return page.getvalue()
        case Format.MARKDOWN:
            return comment.document(found, version=__version__)
        case Format.JSON:
            return json.dumps(report_json.render(found), indent=2, ensure_ascii=False) + "\n"
        case Format.SARIF:
            rules = {rule.id: rule for rule in house.shelf(os.environ).rules}
            return (
                json.dumps(sarif.render(found, rules=rules, version=__version__), indent=2, ensure_ascii=False) + "\n"
            )
