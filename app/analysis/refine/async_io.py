"""Rule `async-io`: an async callback whose promises nobody awaits."""

from __future__ import annotations

import re

from ast_grep_py import SgNode

from app.analysis import calls, where
from app.analysis.context import FUNCTION_KINDS, Candidate, Match, enclosing_function
from app.analysis.refine import refines
from app.analysis.refine.promises import awaits_unguarded
from app.analysis.roles import Role

_SIMPLE_LIST = re.compile(r"^[\w$.()\[\]\"']+$")


_QUIET = frozenset((Role.TEST, Role.EXAMPLE, Role.CLIENT))


@refines("async-io.for-each", where=where.outside(_QUIET))
def for_each(candidate: Candidate) -> Match | None:
    """`forEach` with an async callback that awaits something, anywhere but in a page."""
    return _for_each(candidate)


@refines("async-io.for-each-elsewhere", where=where.only(Role.CLIENT))
def for_each_elsewhere(candidate: Candidate) -> Match | None:
    """The same in a page: what it draws a little later harms nobody."""
    return _for_each(candidate)


def _for_each(candidate: Candidate) -> Match | None:
    given = calls.arguments(candidate.node)
    function = candidate.node.field("function")
    items = function.field("object") if function is not None else None
    if len(given) != 1 or items is None or not _is_async(given[0]):
        return None
    body = given[0].field("body")
    if body is None or not _awaits(body) or _looks_after_itself(candidate.node, body):
        return None
    if candidate.file.role is not Role.SERVER and not awaits_unguarded(body):
        # What catches all that it awaits has nothing that could get lost.
        return None
    statement = _statement(candidate.node)
    why = _why_no_patch(items, given[0], body, candidate.node, statement)
    replaced = statement if statement is not None and not why else candidate.node
    where, callback = replaced.range(), given[0].range()
    return Match(
        where.start.index,
        where.end.index,
        captures={"list": items.text(), "item": _parameter(given[0]) or "item"},
        note="`forEach` does not wait for the promises its callback returns",
        replacement=None if why else _loop(items, given[0], body),
        why_no_patch=why,
        # The callback's body may be old; what makes the defect is its head.
        focus=(candidate.node.range().start.index, min(body.range().start.index, callback.end.index)),
    )


def _looks_after_itself(call: SgNode, body: SgNode) -> bool:
    """Whether the callback catches what it awaits and nothing follows the loop that could come too early."""
    if awaits_unguarded(body) or body.kind() != "statement_block":
        return False
    statement = _statement(call)
    after = statement.next() if statement is not None else None
    return after is None or after.kind() == "}"


def _is_async(callback: SgNode) -> bool:
    return callback.kind() in FUNCTION_KINDS and any(child.kind() == "async" for child in callback.children())


def _awaits(body: SgNode) -> bool:
    """Whether the callback itself awaits, not only a function inside it."""
    return any(_owner(found) == body.range().start.index for found in _all(body, "await_expression")) or any(
        "await" in loop.text().split("(", 1)[0] for loop in _all(body, "for_in_statement")
    )


def _all(body: SgNode, kind: str) -> list[SgNode]:
    own = [body] if body.kind() == kind else []
    return [*own, *body.find_all({"rule": {"kind": kind}})]


def _owner(node: SgNode) -> int:
    function = enclosing_function(node)
    body = function.field("body") if function is not None else None
    return body.range().start.index if body is not None else -1


def _statement(call: SgNode) -> SgNode | None:
    """The statement that consists of the call alone, awaited or not."""
    above = call.parent()
    if above is not None and above.kind() == "await_expression":
        above = above.parent()
    return above if above is not None and above.kind() == "expression_statement" else None


def _why_no_patch(items: SgNode, callback: SgNode, body: SgNode, call: SgNode, statement: SgNode | None) -> str:
    """What keeps the call from becoming a loop by a mechanical change; empty when nothing does."""
    for told in (_why_not_here(call, statement), _why_not_these(items, callback, call)):
        if told:
            return told
    if any(_owner(found) == body.range().start.index for found in _all(body, "return_statement")):
        return "the callback returns early; in a loop that becomes `continue`"
    if callback.kind() != "arrow_function" and re.search(r"\b(?:this|arguments)\b", body.text()):
        return "the callback has a `this` of its own"
    return ""


def _why_not_here(call: SgNode, statement: SgNode | None) -> str:
    outer = enclosing_function(call)
    if statement is None:
        return "the call is part of a larger expression"
    if outer is None or not any(child.kind() == "async" for child in outer.children()):
        return "the function around it is not async, so its callers have to change too"
    return ""


def _why_not_these(items: SgNode, callback: SgNode, call: SgNode) -> str:
    if not _parameter(callback):
        return "the callback takes more than the item"
    called = call.field("function")
    if called is None or not _SIMPLE_LIST.match(items.text()) or re.search(r"map\b|Map\b|\?\.", called.text()):
        return "what it loops over may not be a plain list"
    return ""


def _parameter(callback: SgNode) -> str:
    """The text of the one parameter without its type; empty when there are others, or a default."""
    single = callback.field("parameter")
    if single is not None:
        return single.text()
    held = callback.field("parameters")
    given = (
        [child for child in held.children() if child.is_named() and child.kind() != "comment"]
        if held is not None
        else []
    )
    if len(given) != 1:
        return ""
    one = given[0]
    if one.kind() in ("required_parameter", "optional_parameter"):
        pattern = one.field("pattern")
        return pattern.text() if pattern is not None and one.field("value") is None else ""
    return one.text() if one.kind() in ("identifier", "object_pattern", "array_pattern") else ""


def _loop(items: SgNode, callback: SgNode, body: SgNode) -> str:
    block = body.text() if body.kind() == "statement_block" else f"{{ {body.text()}; }}"
    return f"for (const {_parameter(callback)} of {items.text()}) {block}"
