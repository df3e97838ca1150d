"""How much a text of ours speaks of some code: by the code words that it names itself.

A rule's guidance, or a section of a persona's reference, names the calls and words it is about between backticks. It applies
where they stand in the changed lines; words that stand in all code say nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

LEAST = 2
"""Code words in common that are no chance."""

_WORD = re.compile(r"[A-Za-z_$][\w$]*")
_CODE_SPAN = re.compile(r"`([^`\n]{2,60})`")


def words(code: str) -> frozenset[str]:
    """The words of some code that can be a signal."""
    return frozenset(_WORD.findall(code))


def count(texts: Iterable[str], *, code: frozenset[str]) -> int:
    """How many different code spans of the texts stand in the code, all of their words."""
    named = {tuple(_WORD.findall(span)) for text in texts for span in _CODE_SPAN.findall(text)}
    return sum(
        1 for parts in named if any(part not in EVERYWHERE for part in parts) and all(part in code for part in parts)
    )


EVERYWHERE = frozenset((
    "any", "as", "async", "await", "break", "case", "catch", "class", "const", "continue", "data", "def", "default", "else",
    "except", "export", "extends", "false", "finally", "for", "from", "func", "function", "get", "id", "if", "import", "in",
    "interface", "key", "let", "log", "map", "name", "new", "nil", "none", "None", "null", "number", "object", "of", "or",
    "pass", "path", "raise", "return", "self", "set", "static", "status", "string", "switch", "this", "throw", "true", "try",
    "type", "undefined", "user", "value", "var", "void", "while", "with", "yield",
))  # fmt: skip
"""Words of so many programs that they tell nothing about one."""
