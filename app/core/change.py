"""What a pull request changes, as values.

Change ── files ──► FileDiff ── hunks ──► Hunk ── lines() ──► Line

@@ -10,3 +10,4 @@ charge()     Hunk(old_start=10, old_count=3, new_start=10, new_count=4, heading="charge()")
10  10    const a = 1;               Line(mark=" ", old=10, new=10, text="const a = 1;")
11      - const b = 2;               Line(mark="-", old=11, new=None, …)
11  + const b = 3;               Line(mark="+", old=None, new=11, …)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import NewType

from app.core import glob
from app.core.untrusted import Untrusted

Sha = NewType("Sha", str)
"""A full commit (or tree) id in lower-case hex."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a hunk: its mark (` `, `+`, `-`), its text without mark and newline, its number on each side."""

    mark: str
    text: str
    old: int | None
    new: int | None


@dataclass(frozen=True, slots=True)
class Hunk:
    """A run of changed lines with their context. `body` holds each line with its mark, as git printed it."""

    old_start: int
    old_count: int
    new_start: int
    new_count: int
    heading: str
    body: tuple[str, ...]
    old_ends_without_newline: bool = False
    new_ends_without_newline: bool = False

    def lines(self) -> Iterator[Line]:
        """Every line with its numbers; computed, so that a large diff stays small in memory."""
        old, new = self.old_start, self.new_start
        for raw in self.body:
            mark, text = raw[:1], raw[1:]
            match mark:
                case "+":
                    yield Line(mark, text, None, new)
                    new += 1
                case "-":
                    yield Line(mark, text, old, None)
                    old += 1
                case _:
                    yield Line(" ", text, old, new)
                    old += 1
                    new += 1

    def changed_spans(self) -> tuple[tuple[int, int], ...]:
        """The runs of changed lines: first and last line at the head; where lines only went, the line that follows them."""
        spans: list[tuple[int, int]] = []
        after_change = False
        following = self.new_start
        for line in self.lines():
            if line.mark == " ":
                after_change = False
            elif not after_change:
                spans.append((following, following))
                after_change = True
            if line.mark == "+":
                spans[-1] = (spans[-1][0], following)
            following += line.mark != "-"
        return tuple(spans)

    @property
    def new_end(self) -> int:
        """The last line of the hunk on the head side; `new_start - 1` when the head side is empty."""
        return self.new_start + self.new_count - 1

    @property
    def old_end(self) -> int:
        """The last line of the hunk on the base side; `old_start - 1` when the base side is empty."""
        return self.old_start + self.old_count - 1


class FileStatus(StrEnum):
    """What happened to a file."""

    ADDED = "added"
    DELETED = "deleted"
    MODIFIED = "modified"
    RENAMED = "renamed"
    COPIED = "copied"
    TYPE_CHANGED = "type_changed"


@dataclass(frozen=True, slots=True)
class FileDiff:
    """One file's part of a change. `path` is the head's path; for a deleted file the base's.

    Bytes of a path that are not UTF-8 are kept as surrogates (`os.fsdecode`). Modes are git's six octal digits.
    """

    path: str
    status: FileStatus
    hunks: tuple[Hunk, ...] = ()
    old_path: str | None = None
    old_mode: str | None = None
    new_mode: str | None = None
    binary: bool = False

    @property
    def added(self) -> int:
        """Lines added."""
        return sum(1 for hunk in self.hunks for raw in hunk.body if raw.startswith("+"))

    @property
    def removed(self) -> int:
        """Lines removed."""
        return sum(1 for hunk in self.hunks for raw in hunk.body if raw.startswith("-"))

    @property
    def is_symlink(self) -> bool:
        """Whether either side is a symbolic link."""
        return "120000" in (self.old_mode, self.new_mode)

    @property
    def is_submodule(self) -> bool:
        """Whether either side is a submodule."""
        return "160000" in (self.old_mode, self.new_mode)


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that is not sent to a model, and why, in words a person reads (`generated`, `lock file`, `binary`)."""

    path: str
    reason: str
    hunks: int = 0


@dataclass(frozen=True, slots=True)
class Intent:
    """What the author says the change is for. All of it is untrusted."""

    title: Untrusted = field(default_factory=lambda: Untrusted(""))
    body: Untrusted = field(default_factory=lambda: Untrusted(""))
    commits: tuple[Untrusted, ...] = ()
    branch: Untrusted = field(default_factory=lambda: Untrusted(""))
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """Everything between base and head: the files to review, the files skipped with a reason, and the intent.

    `base` is the merge base. `files` holds only what is to be reviewed; `skipped` names the rest.
    """

    base: Sha
    head: Sha
    files: tuple[FileDiff, ...]
    skipped: tuple[Skipped, ...] = ()
    intent: Intent = field(default_factory=Intent)

    @property
    def hunks(self) -> int:
        """How many hunks are to be reviewed."""
        return sum(len(file.hunks) for file in self.files)

    def file(self, path: str) -> FileDiff | None:
        """The diff of the file that has this path on the head side, if it is part of the change."""
        return next((file for file in self.files if file.path == path), None)


def narrow(change: Change, asked: str) -> Change:
    """The part of the change that a request names: a file, a folder, or a pattern. All of it when it names none.

    The files that were not asked for are skipped with that reason, so that nothing of the change goes unmentioned.
    """
    words = [word.removeprefix("./").rstrip("/") for word in asked.split()]
    wanted = {file.path for file in change.files if any(_is_named(file.path, word) for word in words)}
    if not wanted:
        return change
    left_out = tuple(
        Skipped(file.path, "not asked for", len(file.hunks)) for file in change.files if file.path not in wanted
    )
    return replace(
        change,
        files=tuple(file for file in change.files if file.path in wanted),
        skipped=(*change.skipped, *left_out),
    )


def _is_named(path: str, word: str) -> bool:
    return bool(word) and (path == word or path.startswith(f"{word}/") or ("*" in word and glob.matches(path, word)))
