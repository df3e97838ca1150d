"""Rule `load-shedding`: amounts of work that the client chooses."""

from __future__ import annotations

import re

from ast_grep_py import SgNode

from app.analysis import calls, flow, needed, where
from app.analysis.context import FUNCTION_KINDS, Candidate, Match, enclosing_function
from app.analysis.refine import refines
from app.analysis.roles import Role

_IO = re.compile(
    r"\b(?:fetch|axios(?:\.\w+)?|got(?:\.\w+)?|request|query|execute|findOne|findById|findUnique|findByPk|create|update|save|insert|send\w*|upload|"
    r"download|get|post|put|delete\w*|load\w*|readFile|writeFile|remove\w*|process\w*)\("
)
_OUTBOUND = re.compile(r"\b(?:fetch|axios(?:\.\w+)?|got(?:\.\w+)?|upload|download|sendMail|sendEmail)\(")
_LIMITED = re.compile(
    r"p-?[lL]imit|limit\(|[cC]oncurren|chunk|batch|\.slice\(|semaphore|queue|throttle|Bottleneck|MAX_|max\w*\b|\.length\s*[<>]",
    re.IGNORECASE,
)
_CHOSEN = re.compile(
    r"^(?:\+|(?:Number|parseInt|Number\.parseInt)\(\s*)?(?:String\()?(?P<source>(?:req|request|ctx(?:\.request)?|c\.req)\.(?:query|body|params)[\w.\[\]\"']*)"
)
_CAPPED = re.compile(
    r"Math\.min|clamp|\bmax\b|MAX|_max|[mM]axi?\w*|schema|validate|\.parse\(|safeParse|coerce|celebrate|joi|zod|ajv|isInt|[<>]=?\s*\d|[<>]=?\s*[A-Z]{2}"
)
_SENSITIVE = re.compile(
    r"/(?:log-?in|sign-?in|sign-?up|register|password|forgot|reset|otp|verify|2fa|mfa|token)\b",
    re.IGNORECASE,
)
_LIMITER = re.compile(r"rate.?limit|limiter|throttl|slow.?down|brute|captcha|turnstile", re.IGNORECASE)


@refines("load-shedding.fan-out-from-request", where=where.served, shows=flow.reads_a_request)
def fan_out_from_request(candidate: Candidate) -> Match | None:
    """`Promise.all(list.map(…))` over a list that the client sent, with I/O for each item."""
    found = _fan_out(candidate)
    if found is None:
        return None
    items, callback = found
    source = flow.from_request(items)
    if source is None or _LIMITED.search(flow.text_around(candidate.node)) or flow.is_checked(source, candidate.node):
        return None
    return candidate.match(
        captures={"list": items.text(), "source": source},
        note=f"as many calls at once as `{source}` has items",
        why_no_patch="how many items one request may name is this service's decision",
        focus=(candidate.node.range().start.index, callback.range().start.index + 1),
    )


@refines("load-shedding.fan-out", where=where.only(Role.SERVER), needs=(needed.names(_OUTBOUND),))
def fan_out(candidate: Candidate) -> Match | None:
    """`Promise.all(list.map(…))` with an outbound call for each item of a list that has no bound in sight."""
    found = _fan_out(candidate)
    if found is None:
        return None
    items, callback = found
    if not _OUTBOUND.search(callback.text()):
        return None
    if items.kind() == "array" or _LIMITED.search(flow.text_around(candidate.node)):
        return None
    return candidate.match(
        captures={"list": items.text()},
        note=f"as many outbound calls at once as `{items.text()[:60]}` has items",
        focus=(candidate.node.range().start.index, callback.range().start.index + 1),
    )


@refines("load-shedding.page-size", where=where.served)
def page_size(candidate: Candidate) -> Match | None:
    """A page size that the client chooses, with no upper bound in sight."""
    value = _size(candidate.node)
    if value is None or not _is_in_a_query(candidate.node):
        return None
    if value.kind() == "identifier":
        value = flow.declaration(value.text(), candidate.node) or value
    chosen = _CHOSEN.match(re.sub(r"\s+", "", value.text()))
    if chosen is None or _CAPPED.search(flow.text_around(candidate.node)):
        return None
    root = chosen["source"].split(".")[0]
    if not flow.is_parameter(root, candidate.node):
        return None
    return candidate.match(
        captures={"source": chosen["source"]},
        note=f"`{chosen['source']}` may ask for any number of rows",
        why_no_patch="how large a page may be is this service's decision",
    )


@refines("load-shedding.login-without-limit", where=where.only(Role.SERVER), shows=where.holds(_SENSITIVE))
def login_without_limit(candidate: Candidate) -> Match | None:
    """A route that guesses passwords or sends mail, in a file that knows no rate limit."""
    given = calls.arguments(candidate.node)
    if len(given) < 2 or _LIMITER.search(candidate.file.text):
        return None
    path = calls.literal_text(given[0]) or ""
    holder = calls.callee(candidate.node).rpartition(".")[0]
    if (
        not path.startswith("/")
        or not _SENSITIVE.search(path)
        or not re.search(r"(?:app|router|server|fastify|routes?)$", holder, re.IGNORECASE)
    ):
        return None
    return candidate.match(captures={"path": path}, note=f"no rate limit for `{path}` is in this file")


@refines("load-shedding.limiter-in-memory", where=where.served)
def limiter_in_memory(candidate: Candidate) -> Match | None:
    """express-rate-limit without a store counts in the memory of one process."""
    name, given = calls.callee(candidate.node), calls.arguments(candidate.node)
    if candidate.file.imports.get(name) != "express-rate-limit" or len(given) != 1:
        return None
    seen = calls.keys(given[0])
    if seen is None or "store" in seen:
        return None
    return candidate.match(note="the counts live in the memory of one process, and start at nothing with each restart")


def _fan_out(candidate: Candidate) -> tuple[SgNode, SgNode] | None:
    """The list and the callback of `Promise.all(list.map(callback))`, when the callback does I/O."""
    given = calls.arguments(candidate.node)
    if len(given) != 1 or given[0].kind() != "call_expression":
        return None
    function = given[0].field("function")
    inner = calls.arguments(given[0])
    if (
        function is None
        or function.kind() != "member_expression"
        or len(inner) != 1
        or inner[0].kind() not in FUNCTION_KINDS
    ):
        return None
    items, verb = function.field("object"), function.field("property")
    if items is None or verb is None or verb.text() != "map" or not _IO.search(inner[0].text()):
        return None
    return (items, inner[0]) if enclosing_function(candidate.node) is not None else None


def _is_in_a_query(node: SgNode) -> bool:
    """Whether a size is set in a call that reads rows: `find().limit(…)`, `findMany({ take })`."""
    if node.kind() != "pair":
        return re.search(r"find|select|query|where|from|sort|aggregate|[A-Z]\w*\.", calls.callee(node)) is not None
    for above in node.ancestors():
        if above.kind() == "call_expression":
            return (
                re.search(
                    r"(?:find|select|query|list|search|paginate|aggregate)\w*$", calls.callee(above), re.IGNORECASE
                )
                is not None
            )
        if above.kind() in FUNCTION_KINDS:
            return False
    return False


def _size(node: SgNode) -> SgNode | None:
    """The page size that a call or a pair sets."""
    if node.kind() == "pair":
        return node.field("value")
    given = calls.arguments(node)
    return given[0] if len(given) == 1 else None
