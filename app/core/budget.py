"""Token budgets: what a text costs, and how a change is cut into batches that a model can read.

A batch is a run of pieces; a piece is a hunk, or a part of one that is too long. Every hunk of the change is in some batch,
or it is returned as left over, so that it can be named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.core.change import FileDiff, Hunk

CHARACTERS_PER_TOKEN = 3.5
"""Code tokenises at 3 to 4 characters; a low figure errs on the safe side."""
LINE_OVERHEAD_CHARACTERS = 8
"""A line number and a mark stand before each line, and a newline behind it."""
SHORTEST_PART_LINES = 20


@dataclass(frozen=True, slots=True)
class Piece:
    """Lines `start` (inclusive) to `end` (exclusive) of the body of one hunk of one file."""

    file: FileDiff
    hunk: int
    start: int
    end: int

    @property
    def key(self) -> tuple[str, int]:
        """Which hunk of the change it belongs to."""
        return self.file.path, self.hunk

    def cut(self) -> Hunk:
        """The piece as a hunk of its own, with right numbers."""
        whole = self.file.hunks[self.hunk]
        before, body = whole.body[: self.start], whole.body[self.start : self.end]
        return Hunk(
            old_start=whole.old_start + sum(1 for raw in before if not raw.startswith("+")),
            old_count=sum(1 for raw in body if not raw.startswith("+")),
            new_start=whole.new_start + sum(1 for raw in before if not raw.startswith("-")),
            new_count=sum(1 for raw in body if not raw.startswith("-")),
            heading=whole.heading,
            body=body,
        )


@dataclass(frozen=True, slots=True)
class Batch:
    """Pieces that are read together, and about how many tokens their diff takes."""

    pieces: tuple[Piece, ...]
    tokens: int

    @property
    def paths(self) -> tuple[str, ...]:
        """The files of the batch, in order, each once."""
        return tuple(dict.fromkeys(piece.file.path for piece in self.pieces))


def estimate_tokens(text: str) -> int:
    """About how many tokens a text takes, rounded up."""
    return int(len(text) / CHARACTERS_PER_TOKEN) + 1


def tokens_of(piece: Piece) -> int:
    """About how many tokens a piece takes in a prompt."""
    body = piece.file.hunks[piece.hunk].body[piece.start : piece.end]
    return sum(_line_tokens(raw) for raw in body)


def _line_tokens(raw: str) -> int:
    return int((len(raw) + LINE_OVERHEAD_CHARACTERS) / CHARACTERS_PER_TOKEN) + 1


def cut(files: Sequence[FileDiff], *, batch_tokens: int, most_tokens: int) -> tuple[list[Batch], list[Piece]]:
    """The change in batches of at most `batch_tokens`, and the pieces that did not fit into `most_tokens` in all.

    Files stay together and in order where they can; the files that matter most for correctness come first, so that a
    budget leaves out tests and texts before it leaves out code.
    """
    batches: list[Batch] = []
    left_over: list[Piece] = []
    current: list[Piece] = []
    filled = spent = 0
    for piece, tokens in _pieces(sorted(files, key=_importance), batch_tokens):
        if spent + tokens > most_tokens:
            left_over.append(piece)
            continue
        if current and filled + tokens > batch_tokens:
            batches.append(Batch(tuple(current), filled))
            current, filled = [], 0
        current.append(piece)
        filled += tokens
        spent += tokens
    if current:
        batches.append(Batch(tuple(current), filled))
    return batches, left_over


def _pieces(files: Sequence[FileDiff], batch_tokens: int) -> list[tuple[Piece, int]]:
    pieces: list[tuple[Piece, int]] = []
    for file in files:
        for number, hunk in enumerate(file.hunks):
            pieces += [(Piece(file, number, start, end), tokens) for start, end, tokens in _parts(hunk, batch_tokens)]
    return pieces


def _parts(hunk: Hunk, batch_tokens: int) -> list[tuple[int, int, int]]:
    """(start, end, tokens) of the parts of a hunk, each at most a batch, though never shorter than a few lines."""
    parts: list[tuple[int, int, int]] = []
    start, filled = 0, 0
    for position, raw in enumerate(hunk.body):
        tokens = _line_tokens(raw)
        if filled + tokens > batch_tokens and position - start >= SHORTEST_PART_LINES:
            parts.append((start, position, filled))
            start, filled = position, 0
        filled += tokens
    parts.append((start, len(hunk.body), filled))
    return parts


_TEXTS = (".md", ".rst", ".txt", ".adoc", ".csv", ".svg")
_DATA = (".json", ".yml", ".yaml", ".toml", ".ini", ".cfg", ".xml", ".html", ".css", ".scss")


def _importance(file: FileDiff) -> int:
    """0 for code, 1 for data and configuration, 2 for tests, 3 for texts; files of one rank keep their order."""
    path = file.path.lower()
    if path.endswith(_TEXTS):
        return 3
    if is_test(path):
        return 2
    return 1 if path.endswith(_DATA) else 0


def is_test(path: str) -> bool:
    """Whether a path names a test by the habits of the common languages."""
    *folders, name = path.lower().split("/")
    return (
        any(folder in {"test", "tests", "__tests__", "spec", "specs", "e2e"} for folder in folders)
        or name.startswith("test_")
        or any(mark in name for mark in (".test.", ".spec.", "_test.", "_spec."))
    )
