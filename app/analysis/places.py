"""A node in, how a reader would say where it stands: a function's name, the route that it answers, what it is given to.

load                      export async function load() { … here … }
createOrder               exports.createOrder = catching(async (req, res) => { … here … })
GET /orders               router.get("/orders", async (req, res) => { … here … })
queue.on("drained")       queue.on("drained", async () => { … here … })
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ast_grep_py import SgNode

from app.analysis import calls, flow
from app.analysis.context import FUNCTION_KINDS, function_name, own_name

LONGEST_CALLEE = 48
_VERBS = frozenset(("get", "post", "put", "patch", "delete", "del", "all", "head", "options"))
_WORKS_ON_ITEMS = frozenset((
    "map", "filter", "forEach", "reduce", "flatMap", "some", "every", "find", "findIndex", "sort", "then", "catch", "finally",
    "from", "setTimeout", "setInterval", "setImmediate", "nextTick", "replace",
))  # fmt: skip
"""What runs its callback as a part of the function around it, whose name says more."""
_PLAIN_CALLEE = re.compile(r"(?:this\.)?#?[\w$]+(?:\.#?[\w$]+)*")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a node stands; of the three at most one is given."""

    function: str = ""
    handles: str = ""
    """`GET /orders`: the route that the code answers."""
    given_to: str = ""
    """`queue.on("drained")`: the call that is given the function."""


def place_of(node: SgNode) -> Place:
    """The nearest name that a reader knows the code by; an empty place at the top of a file."""
    given_to = ""
    for function in (above for above in node.ancestors() if above.kind() in FUNCTION_KINDS):
        call = _taker(function)
        route = _route(call) or _route(_taker(call)) or _route_of_options(function)
        if route:
            return Place(handles=route)
        name = own_name(function) or (_name_of_result(call) if call is not None else "")
        if name:
            return Place(function=name)
        given_to = given_to or _plain(call)
    return Place(given_to=given_to)


def captures(node: SgNode) -> dict[str, str]:
    """What templates may name of the place: `function` is always the nearest function's name, as code knows it."""
    place = place_of(node)
    named = place.function or function_name(
        next((one for one in node.ancestors() if one.kind() in FUNCTION_KINDS), None)
    )
    return {"function": named, "handles": place.handles, "given_to": place.given_to}


def _taker(given: SgNode | None) -> SgNode | None:
    """The call that is given a function, or what a wrapper makes of it, as an argument; or None."""
    held = given.parent() if given is not None else None
    call = held.parent() if held is not None and held.kind() == "arguments" else None
    return call if call is not None and call.kind() == "call_expression" else None


def _route(call: SgNode | None) -> str:
    """`GET /orders` for `router.get("/orders", …)`, or empty."""
    verb = calls.callee(call).rpartition(".")[2] if call is not None else ""
    given = calls.arguments(call) if call is not None and verb in _VERBS else []
    path = calls.literal_text(given[0]) if len(given) > 1 else None
    if call is None or path is None or not path.startswith("/") or not flow.is_route_call(call):
        return ""
    return f"{'DELETE' if verb == 'del' else verb.upper()} {path}"


def _route_of_options(function: SgNode) -> str:
    """The same for `server.route({ method: "GET", path: "/orders", handler: … })`."""
    pair = function.parent()
    options = pair.parent() if pair is not None and pair.kind() == "pair" else None
    key = pair.field("key") if pair is not None and options is not None else None
    if options is None or key is None or key.text() != "handler":
        return ""
    method, path = (
        calls.literal_text(value) if value is not None else None
        for value in (
            calls.value_of(options, "method"),
            calls.value_of(options, "path") or calls.value_of(options, "url"),
        )
    )
    return f"{method.upper()} {path}" if method and path and path.startswith("/") else ""


def _name_of_result(call: SgNode) -> str:
    """The name under which others know what a wrapper makes of a function: a field's, an export's, a module's variable's."""
    if calls.callee(call).rpartition(".")[2] in _WORKS_ON_ITEMS:
        return ""
    for held in _wrapped(call):
        match held.kind():
            case "pair":
                key = held.field("key")
                return key.text().strip("\"'") if key is not None else ""
            case "assignment_expression":
                left = held.field("left")
                return left.text() if left is not None and _PLAIN_CALLEE.fullmatch(left.text()) else ""
            case "variable_declarator" if not any(above.kind() in FUNCTION_KINDS for above in held.ancestors()):
                name = held.field("name")
                return name.text() if name is not None and name.kind() == "identifier" else ""
    return ""


def _wrapped(call: SgNode) -> Iterator[SgNode]:
    """What a call's result goes into, through further wrappers, up to the first thing that is none."""
    above = call.parent()
    while above is not None and above.kind() in ("arguments", "call_expression"):
        above = above.parent()
    if above is not None:
        yield above


def _plain(call: SgNode | None) -> str:
    """The call as a reader would quote it, with the event that it names; empty when there is nothing short to quote."""
    callee = calls.callee(call) if call is not None else ""
    if call is None or not _PLAIN_CALLEE.fullmatch(callee) or len(callee) > LONGEST_CALLEE:
        return ""
    if callee.rpartition(".")[2] in _WORKS_ON_ITEMS:
        return ""
    first = calls.arguments(call)[0]
    event = calls.literal_text(first) if first.kind() == "string" else None
    return f'{callee}("{event}")' if event and len(callee) + len(event) < LONGEST_CALLEE else callee
