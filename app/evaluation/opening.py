"""Case → the change it holds, the tree to read code in, and its labels on their lines, for as long as a block lasts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from app.core import anchor, diff, plain
from app.core.change import Change, FileDiff, Intent, Sha
from app.core.finding import Anchor, Side
from app.core.select import select
from app.errors import UserError
from app.evaluation.cases import Case, Diff, Expectation, Folders, Repository
from app.evaluation.values import Label, ShownFile, ShownHunk
from app.git import Checkout, Tree, folders, sha_of_diff
from app.stages import read

LARGEST_DIFF_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Opened:
    """A case that can be reviewed. `tree` is None where only the diff is known."""

    change: Change
    tree: Tree | None
    labels: tuple[Label, ...]


@asynccontextmanager
async def opened(case: Case) -> AsyncIterator[Opened]:
    """The case's change, tree and labels. Raises `UserError` or `Permanent` when it cannot be read."""
    async with _change(case) as (change, tree):
        code = await read.code(change, tree=tree)
        lines = code.lines()
        labels = tuple(_label(one, change, lines.get(one.path)) for one in case.expectations)
        yield Opened(change, tree, labels)


def shown(change: Change) -> tuple[ShownFile, ...]:
    """The diff as the report shows it, secrets masked."""
    return tuple(ShownFile(plain.said(file.path), tuple(_hunks(file))) for file in change.files)


def _hunks(file: FileDiff) -> list[ShownHunk]:
    return [
        ShownHunk(
            hunk.old_start,
            hunk.new_start,
            plain.said(hunk.heading),
            tuple(plain.said(raw) for raw in hunk.body),
        )
        for hunk in file.hunks
    ]


@asynccontextmanager
async def _change(case: Case) -> AsyncIterator[tuple[Change, Tree | None]]:
    match case.source:
        case Folders(base=before, head=after):
            async with folders(before, after) as (tree, (base, head)):
                yield await read.change(tree, base=base, head=head, intent=case.intent), tree
        case Repository(path=path, base=before, head=after):
            checkout = await Checkout.find(path)
            async with checkout.resolve(f"{before}...{after}") as resolved:
                intent = case.intent if _says_something(case.intent) else await resolved.intent()
                change = await read.change(resolved.tree, base=resolved.base, head=resolved.head, intent=intent)
                yield change, resolved.tree
        case Diff(tree=None) as source:
            yield await _bare(source, case.intent), None
        case Diff(tree=folder) as source if folder is not None and _is_repository(folder):
            checkout = await Checkout.find(folder)
            async with checkout.resolve(f"{source.head or 'HEAD'}...{source.head or 'HEAD'}") as resolved:
                change = await _bare(source, case.intent)
                yield replace(change, head=resolved.head), resolved.tree
        case Diff(tree=folder) as source if folder is not None:
            async with folders(folder) as (tree, (head,)):
                change = await _bare(source, case.intent)
                yield replace(change, head=head), tree


async def _bare(source: Diff, intent: Intent) -> Change:
    """The change of a diff in a file, under the commits' own ids where they are known."""
    data = await asyncio.to_thread(_bytes, source.path)
    try:
        files = await asyncio.to_thread(diff.parse, data)
    except ValueError as error:
        raise UserError(f"{source.path.name} is not a diff that can be read: {error}") from error
    kept, skipped = select(files)
    base, head = sha_of_diff(data)
    return Change(
        base=Sha(source.base or base), head=Sha(source.head or head), files=kept, skipped=skipped, intent=intent
    )


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_DIFF_BYTES + 1)
    except OSError as error:
        raise UserError(f"{path.name} cannot be read: {error.strerror}") from error
    if len(data) > LARGEST_DIFF_BYTES:
        raise UserError(f"{path.name} is larger than {LARGEST_DIFF_BYTES // 1024 // 1024} MiB")
    return data


def _is_repository(folder: Path) -> bool:
    return (folder / ".git").exists() or ((folder / "objects").is_dir() and (folder / "HEAD").is_file())


def _says_something(intent: Intent) -> bool:
    return bool(intent.title) or bool(intent.body) or bool(intent.commits)


def _label(one: Expectation, change: Change, head_lines: list[str] | None) -> Label:
    side, (first, last) = (one.side, one.lines) if one.lines is not None else _placed(one, change, head_lines)
    return Label(
        path=one.path,
        side=side,
        from_line=first,
        to_line=last,
        topic=one.topic,
        valid=one.valid,
        text=plain.said(one.text),
        severity=one.severity,
        context=one.context,
    )


def _placed(one: Expectation, change: Change, head_lines: list[str] | None) -> tuple[Side, tuple[int, int]]:
    """Where the quote of a label stands. A label that stands nowhere would silently lower every score."""
    file = change.file(one.path)
    found = anchor.locate(one.quote, file=file, head_lines=head_lines, hint=None) if file is not None else None
    match found:
        case Anchor():
            return found.side, (found.start_line, found.line)
        case anchor.Outside(line=line):
            return Side.RIGHT, (line, line)
        case _:
            raise UserError(f"a label's quote does not stand in {one.path}: {one.quote.strip().splitlines()[0][:80]!r}")
