"""Reading: the head's files, what detectors see in them, and the code around the change that a model should see.

Change + Tree ── code ─────► Code(text of each changed file, at the head and at the base)
Code + rules ─── evidence ─► ScanResult
Batch + Tree ─── around ───► Excerpts: enclosing functions, definitions, callers, tests
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from app.analysis import Scanner
from app.core import companions, context, deceptive, diff, excerpts, obey, secrets, silence
from app.core.background import Background
from app.core.budget import Piece
from app.core.change import Change, FileDiff, FileStatus, Intent, Sha
from app.core.context import Hit, Wanted
from app.core.excerpts import Excerpt, Part, Shown
from app.core.finding import Side
from app.core.obey import Wish
from app.core.options import Options
from app.core.policy import EVERYTHING, Policies
from app.core.rule import Rule
from app.core.select import DELETED, select
from app.core.silence import Silence
from app.core.source import ScanResult, SourceFile, Span, Surroundings, Symbol
from app.git import Tree
from app.stages.step import Step

HITS_PER_NAME = 40
FILES_PER_BATCH = 16
MOST_LINES = 1_000_000
"""A bare diff may claim any line number; no file that people write is longer."""
OPENING_LINES = 40
LONGEST_TEST_LINES = 80
MOST_HISTORIES = 4
COMMITS_PER_HISTORY = 3
MOST_SCANNED_BYTES = 1_000_000
"""A larger file is not written by hand."""


@dataclass(frozen=True, slots=True)
class Code:
    """The head's text of the changed files, by path, and the base's by the same path. A deleted or unreadable file has none.

    `before` has no text of new files, and none that nobody could read.
    """

    text: Mapping[str, str]
    before: Mapping[str, str] = field(default_factory=dict)

    def lines(self) -> dict[str, list[str]]:
        """The same, by lines."""
        return {path: text.split("\n") for path, text in self.text.items()}

    def openings(self) -> str:
        """How the files begin: what a file imports says what it is, also where the diff does not show it."""
        return "\n".join(
            line for text in self.text.values() for line in text.split("\n", OPENING_LINES)[:OPENING_LINES]
        )


@dataclass(frozen=True, slots=True)
class Reading:
    """A change with all that it can be read by: the head's text, the tree (None for a bare diff), and the parsers.

    `policies` and `background` are what the repository and its people have to say about it.
    """

    change: Change
    code: Code
    tree: Tree | None
    scanner: Scanner
    options: Options = field(default_factory=Options)
    policies: Policies = EVERYTHING
    background: Background = field(default_factory=Background)

    def wishes(self, paths: Sequence[str]) -> tuple[Wish, ...]:
        """What the repository's policy tells reviewers of these files."""
        return obey.wishes(paths, self.policies)

    def silences(self) -> tuple[Silence, ...]:
        """What comments in the changed files ask to be silent about."""
        return silence.asked(self.change, text=self.code.text, before=self.code.before)


async def change(tree: Tree, *, base: Sha, head: Sha, intent: Intent) -> Change:
    """What lies between base and head, as git tells it: the files to review, and those left out with their reasons."""
    return await selected(await files(tree, base, head), tree=tree, base=base, head=head, intent=intent)


async def files(tree: Tree, base: Sha, head: Sha) -> tuple[FileDiff, ...]:
    """Every file that differs between two commits."""
    return await asyncio.to_thread(diff.parse, await tree.diff(base, head))


async def selected(
    changed: Sequence[FileDiff],
    *,
    tree: Tree,
    base: Sha,
    head: Sha,
    intent: Intent,
    exclude: Callable[[str], str] | None = None,
) -> Change:
    """The change made of these files, less those that are not worth reviewing and those that `exclude` gives a reason for."""
    facts = await tree.attributes(head, [file.path for file in changed], trusted=tree.tip or base)
    kept, skipped = select(changed, attributes=facts, exclude=exclude)
    return Change(base=base, head=head, files=kept, skipped=skipped, intent=intent)


async def code(change: Change, *, tree: Tree | None) -> Code:
    """Both texts of every file that is to be reviewed: where they cannot be read, what the hunks show, on its right lines."""
    if tree is None:
        return Code(_shown(change.files, Side.RIGHT), _before(change))
    heads = [file.path for file in change.files if file.status is not FileStatus.DELETED]
    blobs = await tree.read_many(change.head, heads)
    text = {path: data.decode("utf-8", "replace") for path, data in blobs.items()}
    if not await tree.holds(change.base):
        return Code(text, _before(change))
    bases = {file.path: file.old_path or file.path for file in change.files if _was_there(file)}
    old = await tree.read_many(change.base, bases.values())
    before = {path: old[place].decode("utf-8", "replace") for path, place in bases.items() if place in old}
    return Code(text, before)


def _before(change: Change) -> dict[str, str]:
    return _shown([file for file in change.files if _was_there(file)], Side.LEFT)


def _shown(files: Sequence[FileDiff], side: Side) -> dict[str, str]:
    return {file.path: _as_far_as_shown(file, side) for file in files if _ends(file) <= MOST_LINES}


async def evidence(reading: Reading, *, rules: Sequence[Rule], step: Step) -> ScanResult:
    """What the rules' detectors see, and what deceives a reader.

    The former is remembered, because what follows depends on it and time budgets may end it early.
    """

    async def scan() -> ScanResult:
        around = await surroundings(reading.change, tree=reading.tree)
        return await reading.scanner.scan(_scanned(reading), rules, around=around)

    seen = await step.run("scan", scan, ScanResult)
    return replace(seen, new=(*deceptive.evidence(reading.change), *seen.new))


async def surroundings(change: Change, *, tree: Tree | None) -> Surroundings:
    """The paths around a change that detectors may ask for: what else it touches, which lock files and tests stand there."""
    touched = frozenset((*(file.path for file in change.files), *(one.path for one in change.skipped)))
    deleted = frozenset(one.path for one in change.skipped if one.reason == DELETED)
    present = frozenset[str]()
    if tree is not None:
        present = await tree.present(change.head, companions.of([file.path for file in change.files]))
    return Surroundings(touched=touched, deleted=deleted, present=present)


def _scanned(reading: Reading) -> list[SourceFile]:
    text, before = reading.code.text, reading.code.before
    return [
        SourceFile.of(file, text[file.path], before=before.get(file.path))
        for file in reading.change.files
        if file.path in text and len(text[file.path]) <= MOST_SCANNED_BYTES
    ]


async def around(
    pieces: Sequence[Piece],
    *,
    reading: Reading,
    budget_tokens: int,
    tests: bool = False,
    told: Mapping[str, Collection[int]] | None = None,
    named: Sequence[str] = (),
    beside: Sequence[tuple[str, int]] = (),
) -> tuple[Excerpt, ...]:
    """The code around some pieces that they do not show themselves, most useful first, within the budget.

    `told` are lines, by path, that are shown besides. `named` are looked up before what the pieces call, and the functions
    around the lines `beside` them (path and number) are shown first. Nothing is fetched: it is the head's tree.
    """
    if reading.tree is None:
        return ()
    tree, head, known = reading.tree, reading.change.head, reading.code.text
    shown = reading.options.context
    enclosing = await _enclosing(pieces, beside, reading) if shown.enclosing else []
    names = context.wanted(pieces, around=[line for one in enclosing for line in one.text.split("\n")], named=named)
    names = Wanted(
        defined=names.defined if shown.callers or shown.tests or shown.siblings else (),
        used=names.used if shown.definitions else (),
    )
    past = await _history(pieces, reading) if shown.history else []
    hits = {
        name: [Hit(hit.path, hit.line, hit.text) for hit in found]
        for name, found in (await tree.grep_many(head, (*names.used, *names.defined), limit=HITS_PER_NAME)).items()
    }
    places = context.choose_files(hits, names, shown={piece.file.path for piece in pieces})
    places = tuple(place for place in places if getattr(shown, place.part))
    paths = list(dict.fromkeys(place.path for place in places))[:FILES_PER_BATCH]
    wanted_tests = (
        [path for piece in pieces for path in context.test_paths(piece.file.path)] if tests and shown.tests else []
    )
    blobs = await tree.read_many(head, [path for path in (*paths, *wanted_tests) if path not in known])
    read = {**{path: data.decode("utf-8", "replace") for path, data in blobs.items()}, **known}
    texts = {path: read[path].split("\n") for path in (*paths, *wanted_tests) if path in read}
    found = [context.excerpt(place, texts[place.path]) for place in places if place.path in texts]
    found_tests = [
        Shown(Part.TESTS, Excerpt(path, 1, "\n".join(texts[path][:LONGEST_TEST_LINES]), "tests of it"))
        for path in wanted_tests
        if path in texts
    ]
    around_it = [Shown(Part.ENCLOSING, one) for one in enclosing]
    own = {path: known[path].split("\n") for path in {one.path for one in enclosing}}
    safe = await asyncio.to_thread(
        excerpts.without_secrets, (*around_it, *found_tests, *found), {**texts, **own}, secrets.redact
    )
    return excerpts.share_out((*safe, *past), budget_tokens=budget_tokens, seen=excerpts.seen(pieces, told))


async def _history(pieces: Sequence[Piece], reading: Reading) -> list[Shown]:
    """The commits that last touched the lines which the pieces change, as the base knows them."""
    if reading.tree is None:
        return []
    spans = {
        (piece.file.old_path or piece.file.path): (hunk.old_start, hunk.old_end)
        for piece in pieces[:MOST_HISTORIES]
        for hunk in [piece.cut()]
        if _was_there(piece.file) and hunk.old_count
    }
    found: list[Shown] = []
    for path, span in spans.items():
        told = await reading.tree.history(reading.change.base, path, span, most=COMMITS_PER_HISTORY)
        if told:
            text = "\n".join(told)
            found.append(Shown(Part.HISTORY, Excerpt(path, span[0], text, "commits that last touched these lines")))
    return found


async def _enclosing(pieces: Sequence[Piece], beside: Sequence[tuple[str, int]], reading: Reading) -> list[Excerpt]:
    """The functions and classes around the changed lines, and those beside them; of long ones what stands near."""
    text = reading.code.text
    wanted: dict[str, list[Span]] = {}
    for path, line in beside:
        if path in text:
            wanted.setdefault(path, []).append((line, line))
    for piece in pieces:
        if piece.file.path in text:
            wanted.setdefault(piece.file.path, []).extend(piece.cut().changed_spans())
    found: list[Excerpt] = []
    for path, spans in wanted.items():
        symbols = await reading.scanner.symbols(SourceFile(path, text[path]), spans)
        around: dict[Symbol, list[Span]] = {}
        for span, symbol in zip(spans, symbols, strict=True):
            if symbol is not None:
                around.setdefault(symbol, []).append(span)
        for symbol, some in around.items():
            what = f"{symbol.kind} {symbol.name}".strip()
            whole = Excerpt(path, symbol.start_line, symbol.text, f"{what}, around the change")
            found += excerpts.around_a_change(whole, some)
    return found


def _ends(file: FileDiff) -> int:
    return max((max(hunk.new_end, hunk.old_end) for hunk in file.hunks), default=0)


def _was_there(file: FileDiff) -> bool:
    return file.status not in (FileStatus.ADDED, FileStatus.COPIED)


def _as_far_as_shown(file: FileDiff, side: Side) -> str:
    """One side's lines that the hunks show, with empty ones in between, so that every line keeps its number."""
    numbered = (
        (line.new if side is Side.RIGHT else line.old, line.text) for hunk in file.hunks for line in hunk.lines()
    )
    shown = {number: text for number, text in numbered if number is not None}
    return "\n".join(shown.get(number, "") for number in range(1, max(shown, default=0) + 1)) + "\n"
