"""A folder on disk in, what the detectors see in its files out, portion by portion, so that memory does not grow with the tree.

What nobody wrote here by hand is left out, as in a review: vendored, generated, minified and lock files, hidden folders.
"""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.analysis.scanner import Scanner
from app.core.change import FileDiff, FileStatus, Hunk
from app.core.rule import Rule
from app.core.select import OPENING_LINES, Attributes, select
from app.core.source import ScanNote, ScanResult, SourceFile

MOST_FILES = 200_000
FILES_PER_PORTION = 100
CHARACTERS_PER_PORTION = 1_000_000
LONGEST_FILE_BYTES = 1_000_000
OPENING_BYTES = 2_000
SKIPPED_FOLDERS = frozenset(("node_modules", "bower_components", "__pycache__", "site-packages", "venv"))


@dataclass(frozen=True, slots=True)
class Portion:
    """What was seen in some files of the folder, and how many of all files are done."""

    result: ScanResult
    done: int
    total: int


async def scan(root: Path, rules: Sequence[Rule], *, scanner: Scanner) -> AsyncIterator[Portion]:
    """The evidence in a folder (or one file), in the order of its paths; all of it is `new`.

    While the worker looks at one portion the next one is read. Files that cannot be read are notes of the result.
    """
    paths, notes = await asyncio.to_thread(list_paths, root)
    portions = read(root, paths)
    upcoming = asyncio.create_task(asyncio.to_thread(next, portions, None))
    yield Portion(ScanResult(notes=tuple(notes)), 0, len(paths))
    try:
        while (portion := await upcoming) is not None:
            upcoming = asyncio.create_task(asyncio.to_thread(next, portions, None))
            found = await scanner.scan(portion.files, rules)
            yield Portion(ScanResult(found.new, (), (*portion.notes, *found.notes)), portion.done, len(paths))
    finally:
        upcoming.cancel()


@dataclass(frozen=True, slots=True)
class Read:
    """Files that were read, files that could not be, and how many of all paths are done with them."""

    files: list[SourceFile]
    notes: list[ScanNote]
    done: int


def list_paths(root: Path) -> tuple[list[str], list[ScanNote]]:
    """The files below the root that people write, relative to it, and what went wrong while looking."""
    if not root.is_dir():
        return [""], []
    notes: list[ScanNote] = []
    found: list[str] = []

    def missed(error: OSError) -> None:
        notes.append(ScanNote(os.path.relpath(error.filename or root, root), f"not scanned: {error.strerror}"))

    for folder, folders, names in os.walk(root, onerror=missed):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in SKIPPED_FOLDERS)
        within = os.path.relpath(folder, root)
        paths = (name if within == "." else f"{within}/{name}" for name in sorted(names))
        found += (path for path in paths if _is_ours(path, opening=""))
        if len(found) >= MOST_FILES:
            notes.append(ScanNote(str(root), f"not scanned: more than {MOST_FILES:,} files; the rest is left out"))
            break
    return found[:MOST_FILES], notes


def read(root: Path, paths: Sequence[str]) -> Iterator[Read]:
    """The texts of the files in portions of bounded size; what is no text, too long or generated is passed over."""
    files: list[SourceFile] = []
    notes: list[ScanNote] = []
    size = 0
    for done, path in enumerate(paths, 1):
        try:
            text = _text(root / path if path else root)
        except OSError as error:
            notes.append(ScanNote(path, f"not scanned: {error.strerror or 'cannot be read'}"))
            text = None
        if text is not None and (not path or _is_ours(path, opening=text[:OPENING_BYTES])):
            files.append(SourceFile(path or root.name, text, whole=True))
            size += len(text)
        if len(files) >= FILES_PER_PORTION or size > CHARACTERS_PER_PORTION or done == len(paths):
            yield Read(files, notes, done)
            files, notes, size = [], [], 0


def _text(path: Path) -> str | None:
    """The text of a regular file; None where it is none, is too long, or holds bytes that are no text."""
    with open(path, "rb", opener=_without_waiting) as file:
        about = os.fstat(file.fileno())
        if not stat.S_ISREG(about.st_mode) or about.st_size > LONGEST_FILE_BYTES:
            return None
        data = file.read(LONGEST_FILE_BYTES)
    return None if b"\0" in data[:OPENING_BYTES] else data.decode("utf-8", "replace")


def _without_waiting(name: str, flags: int) -> int:
    return os.open(name, flags | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)


def _is_ours(path: str, *, opening: str) -> bool:
    """Whether a review would look at the file, told from its name and how it opens."""
    lines = opening.count("\n") + 1
    file = FileDiff(path, FileStatus.ADDED, (Hunk(0, 0, 1, min(lines, OPENING_LINES), "", ()),))
    kept, _ = select([file], attributes={path: Attributes(opening=opening)})
    return bool(kept)
