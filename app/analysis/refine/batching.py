"""Rules `batching` and `cache`: a round trip for each item of a list, and collections that only grow."""

from __future__ import annotations

import re

from ast_grep_py import SgNode

from app.analysis import calls, where
from app.analysis.context import FUNCTION_KINDS, Candidate, Match, enclosing_function
from app.analysis.refine import refines
from app.analysis.roles import Role

_ROUND_TRIP = re.compile(
    r"^(?:fetch|axios(?:\.\w+)?|got(?:\.\w+)?)$|\.(?:query|execute|findOne|findById|findUnique|findFirst|findByPk|findMany|find|create|insert|"
    r"insertOne|update|updateOne|upsert|save|destroy|delete|deleteOne|count|hget|hset|sendMail|sendMessage|getObject)$"
)
_MEMORY = re.compile(
    r"(?:^|\.)(?:map|set|cache|list|array|items|params|headers|searchParams|hash|seen|lru|urlParams|form)\.\w+$",
    re.IGNORECASE,
)
_PAGES = re.compile(r"cursor|nextPage|hasMore|page\b|offset|attempt|retr(?:y|ies)|chunk|batch", re.IGNORECASE)


@refines("batching.await-in-loop", where=where.only(Role.SERVER))
def await_in_loop(candidate: Candidate) -> Match | None:
    """A query or request awaited for each item of a list."""
    call = next((child for child in candidate.node.children() if child.is_named()), None)
    if call is None or call.kind() != "call_expression":
        return None
    name = calls.callee(call)
    if not _ROUND_TRIP.search(name) or _MEMORY.search(name):
        return None
    loop = _loop(candidate.node)
    if loop is None:
        return None
    head = loop.text().split("{", 1)[0]
    items = loop.field("right")
    if _PAGES.search(head) or (items is not None and items.kind() in ("array", "await_expression")):
        return None
    return candidate.match(
        captures={"call": name},
        note=f"`{name}` is awaited once for each turn of `{' '.join(head.split())[:70]}`",
    )


@refines("cache.only-grows", where=where.served)
def only_grows(candidate: Candidate) -> Match | None:
    """A map at the top of a served file that functions fill and nothing empties."""
    name, value = candidate.node.field("name"), candidate.node.field("value")
    if name is None or value is None or enclosing_function(candidate.node) is not None:
        return None
    word, text = re.escape(name.text()), candidate.file.text
    if value.kind() == "new_expression":
        if not re.match(r"new (?:Map|Set)(?:<[^()]*>)?\(\s*\)$", value.text()):
            return None
        grows = re.search(rf"\b{word}\.(?:set|add)\(", text)
    elif value.kind() == "object" and value.text().strip("{} \n") == "":
        grows = re.search(rf"^[ \t]+{word}\[[^\]\n]+\]\s*(?:=|\?\?=|\|\|=)[^=]", text, re.MULTILINE)
    else:
        return None
    if grows is None or re.search(
        rf"\b{word}\.(?:delete|clear|size)\b|delete\s+{word}\b|\b{word}\s*=[^=]|Object\.keys\(\s*{word}\s*\)\.length",
        text[candidate.node.range().end.index :],
    ):
        return None
    if not _grows_in_function(candidate, grows.start()):
        return None
    return candidate.match(
        captures={"name": name.text()}, note=f"`{name.text()}` grows with each new key, and nothing here takes keys out"
    )


def _grows_in_function(candidate: Candidate, offset: int) -> bool:
    return any(
        inside.range().start.index <= offset < inside.range().end.index
        for kind in ("function_declaration", "arrow_function", "function_expression", "method_definition")
        for inside in (
            candidate.file.root.find_all({"rule": {"kind": kind}}) if candidate.file.root is not None else []
        )
    )


def _loop(node: SgNode) -> SgNode | None:
    """The loop around a node within its own function; not `for await`, which pages through a source."""
    for above in node.ancestors():
        if above.kind() in FUNCTION_KINDS:
            return None
        if above.kind() in ("for_in_statement", "for_statement"):
            body = above.field("body")
            inside = body is not None and body.range().start.index <= node.range().start.index
            return above if inside and not re.match(r"for\s+await\b", above.text()) else None
    return None
