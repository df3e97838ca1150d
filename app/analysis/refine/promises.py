"""Rule `async-io`, the rest: promises nobody waits for, and calls that block an event loop."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from ast_grep_py import SgNode

from app.analysis import calls, where
from app.analysis.context import FUNCTION_KINDS, Candidate, FileContext, Match, enclosing_function
from app.analysis.refine import refines
from app.analysis.roles import Role

_QUIET = frozenset((Role.TEST, Role.EXAMPLE))
_BLOCKING = re.compile(
    r"^(?:requests\.(?:get|post|put|patch|delete|head|options|request)|time\.sleep|subprocess\.(?:run|call|check_call|check_output)|"
    r"urllib\.request\.urlopen|os\.system)$"
)
_OPENS_A_WINDOW = re.compile(r"[\"'](?:xdg-open|explorer|open)[\"'\s]")
"""Hands something to the desktop of whoever runs the program, and returns at once."""
_INSTEAD = {
    "requests": "an async client (`httpx.AsyncClient`, aiohttp)",
    "time": "`await asyncio.sleep(…)`",
    "subprocess": "`await asyncio.create_subprocess_exec(…)`",
    "urllib": "an async client (`httpx.AsyncClient`, aiohttp)",
    "os": "`await asyncio.create_subprocess_exec(…)`",
}
_OTHER_LISTS = re.compile(
    r"(?:^|[.\[])(?:Rx|observable|\$|stream|pipe|page|locator|wrapper|cy|knex|db|collection)\b|\$$|Observable",
    re.IGNORECASE,
)


LONGEST_OPENING = 120
_ASYNC_MAP = re.compile(r"\.\s*map\b[^;{}]{0,400}?\basync\b")
_TAKEN = re.compile(
    r"(?:[(,=\[&|!+?]|=>|\b(?:return|await|yield|of|in|void))\s*+(?:[\w$]++\s*+(?:[?!]\s*+)?(?:\.\s*+[\w$]++\s*+)*+[?!]?)?\Z"
)
"""Before the call of a method: what takes its result, and the plain name of what it is called on."""


def _may_drop_a_map(file: FileContext) -> bool:
    """Whether a list seems to be mapped to promises by a statement of its own."""
    return any(
        not _TAKEN.search(file.text[max(0, found.start() - LONGEST_OPENING) : found.start()])
        for found in _ASYNC_MAP.finditer(file.text)
    )


@refines("async-io.predicate", where=where.outside(_QUIET))
def predicate(candidate: Candidate) -> Match | None:
    """`filter`, `some`, `every` or `find` whose callback answers with a promise, which is always truthy."""
    function = candidate.node.field("function")
    given = calls.arguments(candidate.node)
    if function is None or not given or not is_async(given[0]):
        return None
    items, verb = function.field("object"), function.field("property")
    if items is None or verb is None or len(given) > 2 or _OTHER_LISTS.search(items.text()[-60:]):
        return None
    if re.search(r"from|pipeline|Readable|async", items.text()[:40]) and "await" not in items.text():
        return None
    return candidate.match(
        captures={"verb": verb.text(), "list": items.text()},
        note=f"the callback of `{verb.text()}` returns a promise, which counts as true",
        why_no_patch="whether the tests may run all at once is this code's decision",
        focus=head_of(candidate.node, given[0]),
    )


@refines("async-io.dropped-map", where=where.outside(_QUIET), shows=_may_drop_a_map)
def dropped_map(candidate: Candidate) -> Match | None:
    """A statement that maps a list to promises and drops them."""
    call = candidate.node.child(0)
    if call is None or call.kind() != "call_expression":
        return None
    function, given = call.field("function"), calls.arguments(call)
    if function is None or function.kind() != "member_expression" or len(given) != 1 or not is_async(given[0]):
        return None
    items, verb = function.field("object"), function.field("property")
    if items is None or verb is None or verb.text() != "map" or "await" not in given[0].text():
        return None
    return candidate.match(
        captures={"list": items.text()},
        note="the promises that `map` returns are dropped",
        why_no_patch="whether the work may run all at once, and who waits for it, is this code's decision",
        focus=head_of(call, given[0]),
    )


@refines("async-io.executor", where=where.served)
def executor(candidate: Candidate) -> Match | None:
    """`new Promise(async (resolve, reject) => …)` that awaits outside a try."""
    given = calls.arguments(candidate.node)
    if len(given) != 1 or not is_async(given[0]):
        return None
    body = given[0].field("body")
    if body is None or not awaits_unguarded(body):
        return None
    return candidate.match(
        note="a rejection inside the executor settles nothing",
        why_no_patch="the function around it can be async itself, but its callbacks have to become awaits first",
        focus=head_of(candidate.node, given[0]),
    )


_ASYNC_FUNCTION = re.compile(r"async\s+function\*?\s+([\w$]+)\s*\(")
_ASYNC_VALUE = re.compile(r"\b(?:const|let)\s+([\w$]+)\s*=\s*\Z")
_ASYNC_METHOD = re.compile(r"async\s+#?([\w$]+)\s*[(<]")
_METHOD_OPENING = re.compile(r"(?:\A|\n)[ \t]+(?:(?:public|private|protected|static)\s+){0,3}\Z")
_TAKES = re.compile(r"\b(?:await|return|function|async|yield|new)\s+\Z|[\w$]\s*\.\s*\Z")
"""What before a name says that its call is no statement, or that the name is another's."""
_OWN = re.compile(r"\bthis\s*\.\s*\Z")


@lru_cache(maxsize=2)
def _asynchronous(text: str) -> frozenset[str]:
    """How the file's own async functions and methods are called, as far as they can be seen."""
    found: set[str] = set()
    for place in _places(text, "async"):
        before = text[max(0, place - LONGEST_OPENING) : place]
        if function := _ASYNC_FUNCTION.match(text, place) or _ASYNC_VALUE.search(before):
            found.add(function[1])
        elif (method := _ASYNC_METHOD.match(text, place)) and _METHOD_OPENING.search(before):
            found.add(f"this.{method[1]}")
    return frozenset(found)


def _calls_its_own(file: FileContext) -> bool:
    """Whether the file seems to call one of its own async functions as a statement."""
    return any(_seems_dropped(file.text, name) for name in _asynchronous(file.text))


def _seems_dropped(text: str, name: str) -> bool:
    """Whether the name stands somewhere, ready to be called, and nothing before it takes what the call gives."""
    owner, _, bare = name.rpartition(".")
    for place in _places(text, bare):
        after = text[place + len(bare) : place + len(bare) + 1]
        before = text[max(0, place - LONGEST_OPENING) : place]
        if after.isspace() or after in "(<?":
            if owner and (own := _OWN.search(before)) is not None:
                before = before[: own.start()]
            elif owner:
                continue
            if not _TAKES.search(before) and not before[-1:].isalnum():
                return True
    return False


def _places(text: str, word: str) -> Iterator[int]:
    place = text.find(word)
    while place >= 0:
        yield place
        place = text.find(word, place + len(word))


@refines("async-io.floating", where=where.served, shows=_calls_its_own)
def floating(candidate: Candidate) -> Match | None:
    """A call of an async function of this file whose promise is neither awaited, returned, nor given a catch."""
    asynchronous = _asynchronous(candidate.file.text)
    call = candidate.node.child(0)
    if call is None or call.kind() != "call_expression":
        return None
    name = calls.callee(call)
    if name not in asynchronous or enclosing_function(candidate.node) is None:
        return None
    return candidate.match(
        captures={"call": name}, note=f"nobody waits for `{name}`, which is async, and nobody hears its rejection"
    )


@refines("async-io.listener", where=where.only(Role.SERVER))
def listener(candidate: Candidate) -> Match | None:
    """An async listener of an emitter that awaits outside a try: its rejection goes nowhere."""
    given = calls.arguments(candidate.node)
    if len(given) != 2 or not is_async(given[1]):
        return None
    body = given[1].field("body")
    if body is None or not awaits_unguarded(body):
        return None
    return candidate.match(
        captures={"event": given[0].text()},
        note=f"the listener for {given[0].text()} is async and nothing catches its rejection",
        focus=head_of(candidate.node, given[1]),
    )


@refines("async-io.returned-in-try", where=where.served)
def returned_in_try(candidate: Candidate) -> Match | None:
    """`return call()` inside a try of an async function: its catch never sees the rejection."""
    value = next((child for child in candidate.node.children() if child.is_named()), None)
    function = enclosing_function(candidate.node)
    if value is None or value.kind() != "call_expression" or function is None:
        return None
    if not is_async(function) or not re.search(
        r"(?:^|\.)(?:fetch|axios|query|save|findOne|create|update|send|request)$", calls.callee(value)
    ):
        return None
    for above in candidate.node.ancestors():
        if above.kind() in FUNCTION_KINDS:
            return None
        if above.kind() == "try_statement":
            body = above.field("body")
            inside = (
                body is not None
                and body.range().start.index <= candidate.node.range().start.index < body.range().end.index
            )
            if inside and above.field("handler") is not None:
                return candidate.match(note="the catch below does not see what this promise rejects with")
    return None


@refines("async-io.python-blocking", where=where.served)
def python_blocking(candidate: Candidate) -> Match | None:
    """A blocking call directly in an `async def`."""
    name = calls.callee(candidate.node)
    head = name.partition(".")[0]
    whole = name.replace(head, candidate.file.imports.get(head, head), 1)
    if not _BLOCKING.match(whole) or head not in candidate.file.imports:
        return None
    function = enclosing_function(candidate.node)
    if function is None or not _is_async_def(function) or _OPENS_A_WINDOW.search(candidate.node.text()):
        return None
    if any(above.kind() == "lambda" for above in candidate.node.ancestors()):
        return None
    return candidate.match(
        captures={"call": name, "instead": _INSTEAD[whole.partition(".")[0]]},
        note=f"`{name}` blocks the event loop of an async function",
        replacement=_awaited_sleep(candidate, whole),
        why_no_patch="the async counterpart is another library's, and its results are read differently",
    )


@refines("async-io.python-unawaited")
def python_unawaited(candidate: Candidate) -> Match | None:
    """`asyncio.sleep(1)` as a statement: it makes a coroutine and drops it."""
    call = candidate.node.child(0)
    if call is None or call.kind() != "call":
        return None
    name = calls.callee(call)
    if name not in ("asyncio.sleep", "asyncio.gather", "asyncio.wait_for", "asyncio.wait", "asyncio.to_thread"):
        return None
    function = enclosing_function(candidate.node)
    if candidate.file.imports.get("asyncio") != "asyncio" or function is None or not _is_async_def(function):
        return None
    if name == "asyncio.gather":
        return None
    where, inner = candidate.node.range(), call.text()
    return Match(
        where.start.index,
        where.end.index,
        captures={"call": name},
        note=f"`{name}` without `await` does nothing",
        replacement=f"await {inner}",
    )


@refines("async-io.python-dropped-task", where=where.outside(_QUIET))
def python_dropped_task(candidate: Candidate) -> Match | None:
    """A task whose only reference is dropped, so that it may be collected before it ends."""
    call = candidate.node.child(0)
    if call is None or call.kind() != "call":
        return None
    if not re.search(r"^(?:asyncio|loop|self\.loop)\.(?:create_task|ensure_future)$", calls.callee(call)):
        return None
    return candidate.match(note="the loop keeps only a weak reference to the task, and nobody hears its exception")


def is_async(function: SgNode) -> bool:
    """Whether a JavaScript function carries `async`."""
    return function.kind() in FUNCTION_KINDS and any(child.kind() == "async" for child in function.children())


def head_of(call: SgNode, callback: SgNode) -> tuple[int, int]:
    """The offsets from a call's start to its callback's body: what makes the defect, without the work inside."""
    body = callback.field("body")
    start = call.range().start.index
    return start, max(start + 1, body.range().start.index if body is not None else callback.range().end.index)


def _is_async_def(function: SgNode) -> bool:
    return function.kind() == "function_definition" and function.text().lstrip().startswith("async")


def _awaited_sleep(candidate: Candidate, whole: str) -> str | None:
    if whole != "time.sleep" or candidate.file.imports.get("asyncio") != "asyncio":
        return None
    given = calls.arguments(candidate.node)
    above = candidate.node.parent()
    if len(given) != 1 or above is None or above.kind() != "expression_statement":
        return None
    return f"await asyncio.sleep({given[0].text()})"


def awaits_unguarded(body: SgNode) -> bool:
    """Whether the body itself awaits something outside a try with a catch, and not as a call that is given a catch."""
    for found in body.find_all({"rule": {"kind": "await_expression"}}):
        owner = enclosing_function(found)
        inner = owner.field("body") if owner is not None else None
        if inner is None or inner.range().start.index != body.range().start.index:
            continue
        if re.match(r"await\s+(?:setTimeout|sleep|delay|wait|pause)\(", found.text()):
            continue
        if not _is_guarded(found, body) and ".catch(" not in found.text():
            return True
    return False


def _is_guarded(node: SgNode, limit: SgNode) -> bool:
    for above in node.ancestors():
        if above.range().start.index <= limit.range().start.index and above.kind() in FUNCTION_KINDS:
            return False
        if above.kind() == "try_statement" and above.field("handler") is not None:
            return True
    return False
