"""However much comes in or out, patterns end, prompts name what they left out, and comments stay within their bounds."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator, Mapping
from re import _constants as opcodes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from types import ModuleType
from typing import Any

import pytest

import app
from app.core import budget, comment
from app.core.finding import Elsewhere
from app.core.rank import rank
from app.core.report import NotReviewed
from app.errors import Code
from tests.core.values import file, hunk, review, verified
from tests.security.rendered import active

LONG = 10_000
HOSTILE = (
    "a" * LONG + "!",
    " " * LONG + "\u2028",
    "-" * LONG + "x",
    "[" * LONG,
    "/" * LONG,
    "`" * LONG,
    "a@" * (LONG // 2),
)
OF_NAMES = ("app.core.select.", "app.git.mirrors.")
"""Patterns of paths and names, which git keeps short, and which are asked for the whole of them."""


def patterns() -> Iterator[tuple[str, re.Pattern[str]]]:
    """Every compiled pattern of every module of ours, also those inside tuples, mappings and our own values."""
    for found in pkgutil.walk_packages(app.__path__, "app."):
        if found.name.startswith(("app.sandbox", "app.demo", "app.__main__")):
            continue
        module = importlib.import_module(found.name)
        for name, value in vars(module).items():
            for pattern in _held(value, module, depth=3):
                if isinstance(pattern.pattern, str):
                    yield f"{found.name}.{name}: {pattern.pattern[:60]}", pattern


def _held(value: Any, module: ModuleType, *, depth: int) -> Iterator[re.Pattern[str]]:
    if isinstance(value, re.Pattern):
        yield value
    elif depth and isinstance(value, (tuple, list, frozenset)):
        for one in value:
            yield from _held(one, module, depth=depth - 1)
    elif depth and isinstance(value, Mapping):
        for one in value.values():
            yield from _held(one, module, depth=depth - 1)
    elif depth and type(value).__module__ == module.__name__ and hasattr(type(value), "__slots__"):
        for slot in type(value).__slots__:
            yield from _held(getattr(value, slot, None), module, depth=depth - 1)


PATTERNS = {pattern.pattern: (name, pattern) for name, pattern in patterns()}


def nested(tree: Any, *, inside: bool = False) -> bool:
    """Whether a repeat without an end stands inside another one that does not begin each round with a mark of its own."""
    for opcode, argument in tree:
        endless = opcode in (opcodes.MAX_REPEAT, opcodes.MIN_REPEAT) and argument[1] is opcodes.MAXREPEAT
        if endless and inside:
            return True
        marked = endless and argument[2][0][0] in (opcodes.LITERAL, opcodes.IN)
        if any(nested(part, inside=inside or (endless and not marked)) for part in _parts(argument)):
            return True
    return False


def _parts(argument: Any) -> Iterator[Any]:
    if isinstance(argument, parser.SubPattern):
        yield argument
    elif isinstance(argument, (tuple, list)):
        for one in argument:
            yield from _parts(one)


@pytest.mark.parametrize("source", PATTERNS, ids=[name for name, _ in PATTERNS.values()])
def test_s27_no_endless_repeat_stands_inside_another(source):
    assert not nested(parser.parse(source, PATTERNS[source][1].flags)), (
        "rewrite it with a bound or another first character"
    )


def test_s27_every_pattern_comes_to_an_end_on_hostile_text():
    """A pattern that takes more than linear time does not come back from this before the test is ended."""
    assert len(PATTERNS) > 60
    for name, pattern in PATTERNS.values():
        ask = pattern.fullmatch if name.startswith(OF_NAMES) else pattern.search
        for text in HOSTILE:
            ask(text)


def test_s06_every_hunk_of_a_noisy_change_is_read_or_named():
    noise = [file(f"src/noise{number}.ts", hunk(*["+const noise = 1;"] * 600, old=0)) for number in range(34)]
    hole = file(
        "src/auth.ts", hunk(*[f"+  if (user.isAdmin || line{number}) return true;" for number in range(30)], old=0)
    )
    files = (*noise, hole)
    batches, left = budget.cut(files, batch_tokens=12_000, most_tokens=80_000)
    read = {piece.key for batch in batches for piece in batch.pieces}
    missed = {piece.key for piece in left}
    assert read | missed == {(one.path, number) for one in files for number in range(len(one.hunks))}
    assert missed
    assert ("src/auth.ts", 0) in read | missed
    unread = tuple(NotReviewed(path, 1, "the budget is spent", Code.BUDGET_SPENT) for path, _ in sorted(missed))
    told = comment.body(review(hunks=35, hunks_reviewed=35 - len(missed), not_reviewed=unread), marker="", version="1")
    assert f"{35 - len(missed)} of 35 hunks were" in told
    assert f"{unread[0].path}" in told


def test_s49_a_thousand_findings_of_much_text_stay_within_githubs_bounds():
    much = ("word `code` @octocat " + "word " * 20) * 84
    found = [
        verified(title=f"{number} {much}", explanation=much, quote=f"q{number}", path=f"src/{number}.ts")
        for number in range(1_000)
    ]
    ranked = rank(found, comments=1_000)
    said = review(*ranked.said, folded=ranked.folded, elsewhere=tuple(Elsewhere(one.finding, 3) for one in found[:300]))
    assert len(comment.inline(said)) == 30
    body, told = comment.body(said, marker="", version="1"), comment.check(said, version="1")
    assert len(body) <= 65_536
    assert len(told.summary) <= 65_535
    assert len(told.annotations) <= 50
    assert all(len(one.body) <= 65_536 for one in comment.inline(said))
    assert "more" in body
    assert active(body) == []
