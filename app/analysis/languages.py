"""A path in, the language of its syntax tree out; and the trees themselves."""

from __future__ import annotations

from functools import cache, lru_cache
from pathlib import PurePosixPath

import tree_sitter
import tree_sitter_javascript
import tree_sitter_python
import tree_sitter_typescript
from ast_grep_py import SgNode, SgRoot

JAVASCRIPT, TYPESCRIPT, TSX, PYTHON = "javascript", "typescript", "tsx", "python"
SCRIPT_LANGUAGES = (JAVASCRIPT, TYPESCRIPT, TSX)

_BY_EXTENSION = {
    ".js": JAVASCRIPT,
    ".jsx": JAVASCRIPT,
    ".mjs": JAVASCRIPT,
    ".cjs": JAVASCRIPT,
    ".ts": TYPESCRIPT,
    ".mts": TYPESCRIPT,
    ".cts": TYPESCRIPT,
    ".tsx": TSX,
    ".py": PYTHON,
    ".pyi": PYTHON,
}
EXTENSIONS = {JAVASCRIPT: "js", TYPESCRIPT: "ts", TSX: "tsx", PYTHON: "py"}


@lru_cache(maxsize=4_096)
def of(path: str) -> str | None:
    """The language whose grammar reads the file, or None where there is no grammar for it."""
    return _BY_EXTENSION.get(PurePosixPath(path).suffix.lower())


def parse(text: str, language: str) -> SgNode:
    """The syntax tree for matching. JavaScript with Flow types is read as TSX, which parses it without errors."""
    root = SgRoot(text, language).root()
    if language == JAVASCRIPT and root.find({"rule": {"kind": "ERROR"}}) is not None:
        other = SgRoot(text, TSX).root()
        if other.find({"rule": {"kind": "ERROR"}}) is None:
            return other
    return root


def tree(text: str, language: str) -> tree_sitter.Tree:
    """The syntax tree that also knows of missing tokens; positions in it are bytes of the UTF-8 text."""
    data = text.encode("utf-8", "replace")
    parsed = _parser(language).parse(data)
    if language == JAVASCRIPT and parsed.root_node.has_error:
        other = _parser(TSX).parse(data)
        if not other.root_node.has_error:
            return other
    return parsed


@cache
def _parser(language: str) -> tree_sitter.Parser:
    match language:
        case "javascript":
            grammar = tree_sitter_javascript.language()
        case "typescript":
            grammar = tree_sitter_typescript.language_typescript()
        case "tsx":
            grammar = tree_sitter_typescript.language_tsx()
        case "python":
            grammar = tree_sitter_python.language()
        case _:
            raise ValueError(f"no grammar for {language!r}")
    return tree_sitter.Parser(tree_sitter.Language(grammar))
