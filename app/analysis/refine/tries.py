"""Rules `retries`, `circuit-breakers`, `invariants`, `outbox`: what happens after a failure, and between two steps."""

from __future__ import annotations

import re

from ast_grep_py import SgNode

from app.analysis import calls, flow, where
from app.analysis.context import FUNCTION_KINDS, Candidate, FileContext, Match, enclosing_function, function_name
from app.analysis.refine import refines
from app.analysis.roles import Role

_QUIET = frozenset((Role.TEST, Role.EXAMPLE))
_PAUSES = re.compile(r"sleep|delay|setTimeout|(?<!a)wait|pause|backoff|timeout|jitter|pRetry|Bluebird", re.IGNORECASE)
_COUNTS = re.compile(r"attempt|retr(?:y|ies)|tries|count|remaining|max|depth|left", re.IGNORECASE)
_LOOP_HEAD = re.compile(r"(?:for|while)\b[^{]*")
_TRIES = re.compile(r"attempt|retr|tries", re.IGNORECASE)
_PUBLISHES = re.compile(
    r"(?:^|\.)(?:publish|publishBatch|sendToQueue|sendMessage|sendMessageBatch|produce|dispatchEvent|emitAsync)$|"
    r"(?:[qQ]ueue|producer|[bB]us|[bB]roker|sns|sqs|kafka|pubsub|topic|nats)\w*\.(?:add|addJob|send|emit|publish|push|enqueue)$"
)
_STORES = re.compile(
    r"\.(?:create|insert|insertOne|update|updateOne|save|upsert|destroy|delete|deleteOne|createMany|findByIdAndUpdate|findOneAndUpdate)$"
)
_NOT_A_STORE = re.compile(r"(?:^|\.)(?:cache|redis|map|hash|storage|crypto|queue\w*|list|set|url)\.\w+$", re.IGNORECASE)
_NOTHING = r"(?:return(?:\s+(?:\[\]|\{\}|null|undefined|false|true|0|\"\"|''))?;?)?"
_DOES_NOTHING = re.compile(rf"catch\b\s*+(?:\([^)]{{0,400}}\)\s*+)?\{{\s*+{_NOTHING}\s*+[{{}}]")
_CREATES = re.compile(r"(?P<store>[\w$.]+)\.(?:create|insertOne|insert|save)$")
_MONEY = re.compile(
    r"(?:^|[._])(?:price|amount|total|balance|cost|fee|subtotal|salary|payment|refund)\w*$", re.IGNORECASE
)


@refines("retries.endless", where=where.outside((*_QUIET, Role.CLIENT)))
def endless(candidate: Candidate) -> Match | None:
    """`while (true)` around a try whose catch goes straight on to the next try."""
    condition, body = candidate.node.field("condition"), candidate.node.field("body")
    if condition is None or body is None or condition.text().strip("() ") not in ("true", "1"):
        return None
    for attempt in body.find_all({"rule": {"kind": "try_statement"}}):
        handler = attempt.field("handler")
        block = attempt.field("body")
        if handler is None or block is None or _loop_around(attempt) != candidate.node or "await" not in block.text():
            continue
        if not re.search(r"\breturn\b|\bbreak\b", block.text()):
            continue
        if re.search(r"\b(?:throw|return|break)\b", handler.text()) or _PAUSES.search(body.text()):
            continue
        return candidate.match(
            note="after a failure it tries again at once, for as long as the failure lasts",
            why_no_patch="how often it may try, and what follows then, is this service's decision",
            focus=(handler.range().start.index, handler.range().end.index),
        )
    return None


@refines("retries.recursive", where=where.outside((*_QUIET, Role.CLIENT)))
def recursive(candidate: Candidate) -> Match | None:
    """A catch that calls its own function again, with neither a count nor a pause."""
    function = enclosing_function(candidate.node)
    body = candidate.node.field("body")
    if function is None or body is None:
        return None
    name = function_name(function)
    if not re.fullmatch(r"[\w$]+", name):
        return None
    again = re.search(rf"\b(?:return\s+|await\s+)+(?:this\.)?{re.escape(name)}\(([^()]*)\)", body.text())
    if (
        again is None
        or _PAUSES.search(body.text())
        or _COUNTS.search(function.text().split("{", 1)[0])
        or _COUNTS.search(again[1])
    ):
        return None
    given = {part.strip() for part in again[1].split(",") if part.strip()}
    if not given <= flow.parameter_names(function):
        # Other arguments make it another call: a fallback, not a repeat.
        return None
    if re.search(r"\bif\s*\(|\bswitch\s*\(|\?[^.?]", body.text()):
        return None
    return candidate.match(
        captures={"name": name},
        note=f"`{name}` calls itself again after each failure, at once and without end",
        why_no_patch="how often it may try, and what follows then, is this service's decision",
    )


def _has_counted_loop(file: FileContext) -> bool:
    """Whether the head of a loop says that it counts tries."""
    return any(_TRIES.search(head.group()) for head in _LOOP_HEAD.finditer(file.text))


@refines("retries.no-pause", where=where.outside((*_QUIET, Role.CLIENT)), shows=_has_counted_loop)
def no_pause(candidate: Candidate) -> Match | None:
    """A counted loop of tries without a pause between them."""
    head, body = candidate.node.text().split("{", 1)[0], candidate.node.field("body")
    if body is None or not _TRIES.search(head):
        return None
    if "await" not in body.text() or "catch" not in body.text() or _PAUSES.search(body.text()):
        return None
    return candidate.match(
        note="the tries follow one another without a pause",
        focus=(candidate.node.range().start.index, body.range().start.index + 1),
    )


@refines("retries.forever-option", where=where.outside((*_QUIET, Role.CLIENT)))
def forever_option(candidate: Candidate) -> Match | None:
    """`retries: Infinity` or `forever: true` in the options of a retrying library."""
    key, value = candidate.node.field("key"), candidate.node.field("value")
    if key is None or value is None:
        return None
    name, text = key.text().strip("\"'"), value.text()
    if not (
        (
            name in ("retries", "maxRetries", "maxAttempts", "numOfAttempts", "attempts")
            and text in ("Infinity", "Number.POSITIVE_INFINITY", "Number.MAX_SAFE_INTEGER")
        )
        or (name in ("forever", "retryForever") and text == "true")
    ):
        return None
    around = next(
        (above.text() for above in candidate.node.ancestors() if above.kind() in ("call_expression", "new_expression")),
        "",
    )
    if re.search(r"socket|reconnect|connection|redis|broker|amqp|kafka|mqtt", around, re.IGNORECASE):
        return None
    return candidate.match(
        captures={"option": f"{name}: {text}"},
        note=f"`{name}: {text}` never gives up",
        why_no_patch="how often it may try, and what follows then, is this service's decision",
    )


@refines("circuit-breakers.per-call", where=where.outside(_QUIET))
def per_call(candidate: Candidate) -> Match | None:
    """A breaker made where the call is made, so that it never counts two failures."""
    constructor, name = candidate.node.field("constructor"), calls.callee(candidate.node)
    made = constructor.text() if constructor is not None else name
    module = candidate.file.imports.get(made.split(".")[0], "")
    function = enclosing_function(candidate.node)
    if module not in ("opossum", "cockatiel", "brakes") or function is None:
        return None
    if made not in ("CircuitBreaker", "circuitBreaker", "Brakes") and not made.endswith("circuitBreaker"):
        return None
    holder = candidate.node.parent()
    if holder is None or holder.kind() != "variable_declarator" or holder.field("name") is None:
        fired = re.match(
            r"\.\s*(?:fire|execute)\(", candidate.file.text[candidate.node.range().end.index :].lstrip(")")
        )
        return _breaker(candidate, made) if fired else None
    variable = holder.field("name")
    word = re.escape(variable.text()) if variable is not None else ""
    if not re.search(rf"\b{word}\.(?:fire|execute|exec)\(", function.text()) or re.search(
        rf"\breturn\s+{word}\b(?!\.)|\.set\([^)]*\b{word}\b|=\s*{word}\b(?!\.)", function.text()
    ):
        return None
    used_later = re.search(
        rf"(?:=>|function\b[^{{]*\{{)[^}}]*\b{word}\.(?:fire|execute|exec)\(",
        function.text()[candidate.node.range().end.index - function.range().start.index :],
    )
    return None if used_later else _breaker(candidate, made)


@refines("invariants.check-then-create", where=where.only(Role.SERVER))
def check_then_create(candidate: Candidate) -> Match | None:
    """A `create` after a look whether there is one already, with nothing that holds the two together."""
    call = next((child for child in candidate.node.children() if child.is_named()), None)
    if call is None or call.kind() != "call_expression":
        return None
    made = _CREATES.match(calls.callee(call))
    function = enclosing_function(candidate.node) if made is not None else None
    if (
        made is None
        or function is None
        or re.search(
            r"transaction|\btrx?\b|\btx\b|P2002|11000|23505|Unique|Duplicate|lock|upsert|ON CONFLICT",
            function.text(),
            re.IGNORECASE,
        )
    ):
        return None
    store = made["store"]
    looked = re.search(
        rf"\b{re.escape(store)}\.(?:findOne|findFirst|findUnique|exists|count|findBy\w*)\(",
        function.text()[: candidate.node.range().start.index - function.range().start.index],
    )
    if looked is None:
        return None
    return candidate.match(
        captures={"store": store}, note=f"two requests at once both find no `{store}` and both make one"
    )


@refines("invariants.money-in-floats", where=where.only(Role.SERVER))
def money_in_floats(candidate: Candidate) -> Match | None:
    """`parseFloat` of an amount of money in served code."""
    given = calls.arguments(candidate.node)
    if not given or not _MONEY.search(given[0].text()):
        return None
    return candidate.match(
        captures={"value": given[0].text()},
        note=f"`{given[0].text()}` becomes a binary fraction, which most amounts are not",
    )


@refines("invariants.swallowed", where=where.only(Role.SERVER), shows=where.holds(_DOES_NOTHING))
def swallowed(candidate: Candidate) -> Match | None:
    """A catch that does nothing at all, or answers with an empty value, in served code."""
    body = candidate.node.field("body")
    if body is None:
        return None
    inside = re.sub(r"\s+", " ", body.text().strip("{} \n\t"))
    if (
        "//" in inside
        or "/*" in inside
        or not re.fullmatch(r"|return(?: (?:\[\]|\{\}|null|undefined|false|true|0|\"\"|''))?;?", inside)
    ):
        return None
    attempt = candidate.node.parent()
    tried = attempt.field("body") if attempt is not None else None
    if re.match(r"(?:is|has|can|exists|try|check)", function_name(enclosing_function(candidate.node)), re.IGNORECASE):
        return None
    if tried is None or not re.search(r"\bawait\b", tried.text()):
        return None
    what = f"`{inside.rstrip(';')}`" if inside else "nothing"
    return candidate.match(note=f"after any error the answer is {what}, as if there had been none")


@refines("outbox.write-then-publish", where=where.only(Role.SERVER))
def write_then_publish(candidate: Candidate) -> Match | None:
    """A publish after a write in one function, with nothing that ties them."""
    call = (
        next((child for child in candidate.node.children() if child.is_named()), None)
        if candidate.node.kind() == "await_expression"
        else candidate.node
    )
    if call is None or call.kind() != "call_expression":
        return None
    name = calls.callee(call)
    function = enclosing_function(candidate.node) if _PUBLISHES.search(name) else None
    if function is None or re.search(r"outbox", function.text(), re.IGNORECASE):
        return None
    for one in function.find_all({"rule": {"kind": "await_expression"}}):
        inner = next((child for child in one.children() if child.is_named()), None)
        if (
            inner is None
            or inner.kind() != "call_expression"
            or one.range().start.index >= candidate.node.range().start.index
        ):
            continue
        stored = calls.callee(inner)
        if (
            _STORES.search(stored)
            and not _NOT_A_STORE.search(stored)
            and not _PUBLISHES.search(stored)
            and enclosing_function(one) == function
        ):
            return candidate.match(
                captures={"write": stored, "publish": name},
                note=f"a crash between `{stored}` and `{name}` loses the event",
            )
    return None


def _breaker(candidate: Candidate, made: str) -> Match:
    return candidate.match(
        captures={"breaker": made},
        note="each call has a breaker of its own, which never sees a second failure",
        why_no_patch="where the one breaker of this dependency lives is this service's decision",
    )


def _loop_around(node: SgNode) -> SgNode | None:
    for above in node.ancestors():
        if above.kind() in ("while_statement", "for_statement", "for_in_statement", "do_statement"):
            return above
        if above.kind() in FUNCTION_KINDS:
            return None
    return None
