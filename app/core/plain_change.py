"""Which hunks need no model: those that change nothing but white space and comments.

A comment that speaks to a tool (`eslint-disable`, `noqa`, `go:build`, `@ts-ignore`) is code, and so is indentation where it means
something.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from app.core.change import Change, Hunk

INDENTED = frozenset(
    (".py", ".pyi", ".yml", ".yaml", ".haml", ".pug", ".sass", ".coffee", ".nim", ".md", ".mdx", ".rst")
)
_HASH = frozenset((".py", ".pyi", ".rb", ".sh", ".bash", ".toml", ".ex", ".exs", ".pl", ".r"))
_SLASH = frozenset((
    ".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx", ".mts", ".cts", ".go", ".rs", ".java", ".kt", ".scala", ".swift", ".c", ".h",
    ".cc", ".cpp", ".hpp", ".cs", ".dart",
))  # fmt: skip
_TO_A_TOOL = re.compile(
    r"@|#!|coding[:=]|\b(?:eslint|tslint|biome|prettier|istanbul|c8|v8|noqa|nosec|nolint|type:|pyright|mypy|pylint|ruff|go:|"
    r"cgo|pragma|rubocop|shellcheck|webpack|vite|jsx|sourceMappingURL|swift-tools|clang|NOSONAR|codeql|lgtm|principal)",
    re.IGNORECASE,
)


def plain(change: Change) -> frozenset[tuple[str, int]]:
    """The hunks (path, number) of which nothing is left when white space and comments are taken away."""
    return frozenset(
        (file.path, number)
        for file in change.files
        for number, hunk in enumerate(file.hunks)
        if _is_plain(hunk, PurePosixPath(file.path).suffix.casefold())
    )


def _is_plain(hunk: Hunk, ending: str) -> bool:
    before = [raw[1:] for raw in hunk.body if raw.startswith("-")]
    after = [raw[1:] for raw in hunk.body if raw.startswith("+")]
    return bool(before or after) and _code(before, ending) == _code(after, ending)


def _code(lines: list[str], ending: str) -> list[str]:
    keep_indent = ending in INDENTED or ending not in (_HASH | _SLASH)
    stripped = (line.rstrip() if keep_indent else line.strip() for line in lines)
    return [line for line in stripped if line.strip() and not _is_comment(line.strip(), ending)]


def _is_comment(line: str, ending: str) -> bool:
    starts = (ending in _HASH and line.startswith("#")) or (ending in _SLASH and line.startswith("//"))
    return starts and _TO_A_TOOL.search(line) is None
