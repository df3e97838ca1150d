"""What a model sees beside the diff: which words are worth looking up, and the excerpts that were found.

Decisions only; `app.stages.read` does the looking.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app.core.budget import Piece, estimate_tokens

WORDS_PER_BATCH = 12
_IDENTIFIER = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]{2,60}")
_CALL = re.compile(r"([A-Za-z_$][A-Za-z0-9_$]{2,60})\s*\(")
_KEYWORDS = r"function\*?|class|interface|type|enum|def|func|fn|struct|trait|const|let|var"
_MODIFIERS = "export|public|private|protected|static|async|override"
_DEFINED = re.compile(rf"(?:{_KEYWORDS})\s+([A-Za-z_$][\w$]{{2,60}})")
_NO_NAMES = frozenset(
    [
        "abstract",
        "and",
        "any",
        "arguments",
        "array",
        "as",
        "assert",
        "async",
        "await",
        "bool",
        "boolean",
        "break",
        "byte",
        "case",
        "catch",
        "char",
        "class",
        "const",
        "continue",
        "console",
        "def",
        "default",
        "defer",
        "del",
        "delete",
        "elif",
        "else",
        "enum",
        "error",
        "except",
        "export",
        "extends",
        "false",
        "final",
        "finally",
        "float",
        "for",
        "from",
        "func",
        "function",
        "global",
        "goto",
        "has",
        "if",
        "implements",
        "import",
        "in",
        "int",
        "interface",
        "is",
        "lambda",
        "let",
        "length",
        "long",
        "map",
        "match",
        "module",
        "namespace",
        "new",
        "nil",
        "none",
        "not",
        "null",
        "number",
        "object",
        "only",
        "open",
        "or",
        "override",
        "package",
        "pass",
        "print",
        "private",
        "promise",
        "protected",
        "public",
        "raise",
        "range",
        "readonly",
        "ref",
        "require",
        "result",
        "return",
        "self",
        "set",
        "short",
        "static",
        "str",
        "string",
        "struct",
        "super",
        "switch",
        "symbol",
        "then",
        "this",
        "throw",
        "throws",
        "true",
        "try",
        "type",
        "typeof",
        "undefined",
        "union",
        "unknown",
        "unsigned",
        "use",
        "using",
        "value",
        "var",
        "void",
        "volatile",
        "when",
        "where",
        "while",
        "with",
        "yield",
        "describe",
        "test",
        "expect",
        "it",
        "log",
        "push",
        "slice",
        "forEach",
        "filter",
        "reduce",
        "join",
        "split",
        "toString",
        "json",
        "text",
        "body",
        "status",
        "send",
        "get",
        "post",
        "put",
        "headers",
        "url",
    ]
)


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Lines of a file at the head, and in a few words why they are shown (`defines chargeCard`, `calls chargeCard`)."""

    path: str
    start_line: int
    text: str
    why: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """The words of a batch that are worth looking up: names it defines (who calls them?) and names it uses (what are they?)."""

    defined: tuple[str, ...]
    used: tuple[str, ...]


def wanted(pieces: Sequence[Piece]) -> Wanted:
    """The names most worth looking up: what the changed lines define, then what they call most often."""
    changed = [
        raw[1:]
        for piece in pieces
        for raw in piece.file.hunks[piece.hunk].body[piece.start : piece.end]
        if raw[0] in "+-"
    ]
    defined = _most_telling(name for text in changed for name in _DEFINED.findall(text))
    headings = _most_telling(
        name for piece in pieces for name in _DEFINED.findall(piece.file.hunks[piece.hunk].heading)
    )
    called = _most_telling(name for text in changed for name in _CALL.findall(text))
    known = (*defined, *(name for name in headings if name not in defined))[: WORDS_PER_BATCH // 2]
    used = tuple(name for name in called if name not in known)[: WORDS_PER_BATCH - len(known)]
    return Wanted(defined=known, used=used)


def is_definition(name: str, text: str) -> bool:
    """Whether a line looks like the place where the name is defined: after a keyword, or as a method with a body."""
    escaped = re.escape(name)
    by_keyword = rf"\b(?:{_KEYWORDS})\s+{escaped}\b"
    as_method = rf"^\s*(?:(?:{_MODIFIERS})\s+)*{escaped}\s*\([^;]*\{{\s*$"
    return re.search(by_keyword, text) is not None or re.search(as_method, text) is not None


def fit(excerpts: Iterable[Excerpt], *, budget_tokens: int) -> tuple[Excerpt, ...]:
    """The excerpts that fit, in order, none of them twice."""
    kept: list[Excerpt] = []
    left = budget_tokens
    seen: set[tuple[str, int]] = set()
    for excerpt in excerpts:
        tokens = estimate_tokens(excerpt.text)
        if tokens <= left and (excerpt.path, excerpt.start_line) not in seen:
            kept.append(excerpt)
            left -= tokens
            seen.add((excerpt.path, excerpt.start_line))
    return tuple(kept)


def _most_telling(names: Iterable[str]) -> tuple[str, ...]:
    """Names by how often they stand there, longer ones first: a long name is more likely the project's own."""
    counted = Counter(name for name in names if name.lower() not in _NO_NAMES)
    return tuple(sorted(counted, key=lambda name: (-counted[name], -len(name), name)))
