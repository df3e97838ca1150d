"""Rule `tests`: code that changed while no test did."""

from __future__ import annotations

import re
from collections.abc import Iterable

from app.analysis import languages
from app.analysis.compare import compares
from app.analysis.context import Match, Pair
from app.analysis.roles import Role
from app.core import budget, context

LEAST_ADDED_LINES = 8
"""Of code, without which nobody would write a test."""

_SERVED = frozenset((Role.SERVER, Role.UNKNOWN))
_NO_CODE = re.compile(r"\s*(?:$|//|/?\*|#|import\b|from\b|export \* |\}|\]|\)|@|export (?:type|interface)\b)")


@compares("tests.source-without-test")
def source_without_test(pair: Pair) -> Iterable[Match]:
    """Served code grew, and the change touches no test at all, or not the one that stands beside this file."""
    if languages.of(pair.path) is None or pair.head.role not in _SERVED or pair.path.endswith((".d.ts", ".pyi")):
        return
    code = [number for number, line in pair.added() if not _NO_CODE.match(line)]
    if len(code) < LEAST_ADDED_LINES:
        return
    if any(budget.is_test(path) for path in pair.around.touched):
        return
    own = [path for path in context.test_paths(pair.path) if path in pair.around.present]
    yield pair.on_line(code[0], captures={"lines": str(len(code)), "test": own[0] if own else ""})
