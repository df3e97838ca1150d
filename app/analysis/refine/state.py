"""Rules `stateless`, `config`, `backpressure`, `partitioning`: state of a process, settings as they come, endless queues."""

from __future__ import annotations

import re

from ast_grep_py import SgNode

from app.analysis import calls, flow, where
from app.analysis.context import Candidate, Match, enclosing_function
from app.analysis.refine import refines
from app.analysis.roles import Role

_QUIET = frozenset((Role.TEST, Role.EXAMPLE, Role.CLIENT))
_FLAG = re.compile(
    r"(?:^|_)(?:ENABLED?|DISABLED?|IS|USE|ALLOW|SKIP|DEBUG|VERBOSE|FLAG|FORCE|SECURE|REQUIRE|DRY_RUN)(?:_|$)"
)
_COMPARED = re.compile(r"\bprocess\.env\.\w+\s*[!=]==[\s(]*(?:true|false|[\d.])")
_PERSONAL = re.compile(
    r"\b(?:req|request|ctx|context)\.(?:user|session|body|query|params|headers|auth|state|ip|cookies)\b"
)
_VARIABLE_OF_MODULE = re.compile(r"^(?:export\s+)?(?:let|var)\s", re.MULTILINE)


@refines(
    "stateless.request-in-module",
    where=where.served,
    shows=where.holds(_VARIABLE_OF_MODULE),
)
def request_in_module(candidate: Candidate) -> Match | None:
    """A variable of the module set from the request that is being answered."""
    left, right = candidate.node.field("left"), candidate.node.field("right")
    if left is None or right is None or left.kind() != "identifier":
        return None
    if flow.handler_around(candidate.node) is None or not _PERSONAL.match(right.text()):
        return None
    name = re.escape(left.text())
    if not re.search(rf"^(?:export\s+)?(?:let|var)\s+{name}\b", candidate.file.text, re.MULTILINE):
        return None
    if any(
        re.search(rf"\b(?:let|var|const)\s+{name}\b", scope.text())
        for scope in flow.scopes(candidate.node)
        if scope.kind() != "program"
    ):
        return None
    return candidate.match(
        captures={"name": left.text(), "value": right.text()},
        note=f"`{left.text()}` belongs to the whole process, and `{right.text()}` to one request",
        why_no_patch="what reads the variable has to be given the value instead",
    )


@refines("stateless.session-in-memory", where=where.outside(_QUIET))
def session_in_memory(candidate: Candidate) -> Match | None:
    """express-session without a store."""
    name, given = calls.callee(candidate.node), calls.arguments(candidate.node)
    if candidate.file.imports.get(name) != "express-session" or len(given) != 1:
        return None
    seen = calls.keys(given[0])
    if (
        seen is None
        or "store" in seen
        or re.search(r"secret:[^,]*(?:random|uuid|generate)", given[0].text(), re.IGNORECASE)
    ):
        return None
    return candidate.match(
        note="sessions live in the memory of this process",
        why_no_patch="which store this service has is not in the code",
    )


@refines("stateless.python-mutable-default")
def python_mutable_default(candidate: Candidate) -> Match | None:
    """A mutable default argument that the function changes or hands out."""
    found = _mutable_default(candidate)
    if found is None:
        return None
    name, body = found
    verbs = "append|extend|insert|add|update|setdefault|pop|remove|clear|sort"
    changed = rf"\b{name}\.(?:{verbs})\(|\b{name}\[[^\]\n]*\]\s*[+\-|]?=[^=]|\b{name}\s*[+|]=|\bdel\s+{name}\["
    if re.search(changed, body.text()) is None:
        return None
    if re.search(rf"^\s*{name}\s*=[^=]", body.text(), re.MULTILINE):
        return None
    return candidate.match(
        captures={"name": name, "default": candidate.node.text()},
        note=f"`{name}` is made once, and every call changes the same one",
        why_no_patch="the default becomes None, and the function makes a new one in its first line",
    )


@refines("stateless.python-class-state", where=where.outside(_QUIET))
def python_class_state(candidate: Candidate) -> Match | None:
    """A mutable attribute of a class that its methods change through `self`."""
    left, right = candidate.node.field("left"), candidate.node.field("right")
    holder = next(
        (above for above in candidate.node.ancestors() if above.kind() in ("class_definition", "function_definition")),
        None,
    )
    if left is None or right is None or holder is None or holder.kind() != "class_definition":
        return None
    if left.kind() != "identifier" or not re.fullmatch(
        r"\[\]|\{\}|set\(\)|dict\(\)|list\(\)|defaultdict\(\w*\)", right.text()
    ):
        return None
    name = re.escape(left.text())
    if re.search(rf"self\.{name}\s*(?::[^=\n]+)?=[^=]", holder.text()) or not re.search(
        rf"self\.{name}(?:\.(?:append|extend|add|update|setdefault|pop)\(|\[[^\]\n]*\]\s*=[^=])", holder.text()
    ):
        return None
    if left.text().isupper() or re.search(r"BaseModel|@dataclass|Enum\b|NamedTuple|TypedDict", holder.text()[:300]):
        return None
    return candidate.match(
        captures={"name": left.text()},
        note=f"`{left.text()}` belongs to the class: all its objects change the same one",
    )


@refines("config.flag", where=where.outside(_QUIET))
def flag(candidate: Candidate) -> Match | None:
    """`Boolean(process.env.ENABLE_X)`: the text "false" is true."""
    given = calls.arguments(candidate.node)
    if len(given) != 1:
        return None
    return _flag(candidate, given[0].text())


def _is_compared_with_text_too(comparison: SgNode, variable: str) -> bool:
    """Whether the condition around a comparison compares the variable with a text as well."""
    whole = comparison
    for above in comparison.ancestors():
        if above.kind() not in ("binary_expression", "parenthesized_expression"):
            break
        whole = above
    return re.search(rf"{re.escape(variable)}\s*[!=]==?\s*[\"'`]", whole.text()) is not None


@refines("config.compared-flag", where=where.outside((Role.TEST, Role.EXAMPLE)), shows=where.holds(_COMPARED))
def compared_flag(candidate: Candidate) -> Match | None:
    """`process.env.X === true`: an environment holds texts only."""
    left, right = candidate.node.field("left"), candidate.node.field("right")
    operator = next((child.text() for child in candidate.node.children() if not child.is_named()), "")
    if left is None or right is None or operator not in ("===", "!=="):
        return None
    name = re.fullmatch(r"process\.env\.(\w+)", left.text())
    if name is None or right.kind() not in ("true", "false", "number"):
        return None
    if _is_compared_with_text_too(candidate.node, name[0]):
        # Then this comparison is dead and harms nobody.
        return None
    return candidate.match(
        captures={
            "name": name[1],
            "value": right.text(),
            "operator": operator,
            "answer": "never" if operator == "===" else "always",
        },
        note=f"`{left.text()}` is text or undefined, so this is {'never' if operator == '===' else 'always'} true",
        replacement=f'{left.text()} {operator} "{right.text()}"',
    )


@refines("config.python-flag", where=where.outside(_QUIET))
def python_flag(candidate: Candidate) -> Match | None:
    """`bool(os.environ.get("DEBUG"))`: the text "false" is true."""
    given = calls.arguments(candidate.node)
    if len(given) != 1:
        return None
    name = re.fullmatch(r"os\.(?:environ\.get|getenv)\(\s*[\"'](\w+)[\"'][^()]*\)", given[0].text()) or re.fullmatch(
        r"os\.environ\[[\"'](\w+)[\"']\]", given[0].text()
    )
    if name is not None and not _FLAG.search(name[1]):
        return None
    if name is None:
        return None
    return candidate.match(
        captures={"name": name[1]},
        note=f"`{name[1]}=false` counts as true",
        why_no_patch="which texts mean yes is this service's decision",
    )


@refines("config.number", where=where.outside((*_QUIET, Role.SCRIPT)))
def number(candidate: Candidate) -> Match | None:
    """`Number(process.env.X)` with neither a default nor a check."""
    given = calls.arguments(candidate.node)
    if not given:
        return None
    name = re.fullmatch(r"process\.env\.(\w+)!?(?: as string)?", given[0].text())
    if name is None:
        return None
    above = candidate.node.parent()
    if above is not None and above.kind() in ("binary_expression", "ternary_expression"):
        return None
    holder = next(
        (
            one.field("name") or one.field("key")
            for one in candidate.node.ancestors()
            if one.kind() in ("variable_declarator", "pair")
        ),
        None,
    )
    if holder is not None and re.search(
        rf"isNaN\([^)]*{re.escape(holder.text())}|isFinite\([^)]*{re.escape(holder.text())}|isInteger\([^)]*{re.escape(holder.text())}",
        candidate.file.text,
    ):
        return None
    return candidate.match(captures={"name": name[1]}, note=f"without `{name[1]}` this is NaN, and nothing says so")


@refines("config.python-debug", where=where.outside(_QUIET))
def python_debug(candidate: Candidate) -> Match | None:
    """`app.run(debug=True)`: the debugger runs code for whoever reaches it."""
    if not re.search(r"debug\s*=\s*True\b", candidate.node.text()):
        return None
    if not any(
        module.split(".")[0] in ("flask", "fastapi", "uvicorn", "dash") for module in candidate.file.imports.values()
    ):
        return None
    return candidate.match(note="the debugger of a page of errors runs code for whoever reaches it")


@refines("backpressure.python-queue", where=where.outside((*_QUIET, Role.SCRIPT)))
def python_queue(candidate: Candidate) -> Match | None:
    """`asyncio.Queue()` or `queue.Queue()` without a size."""
    if calls.arguments(candidate.node):
        return None
    head = calls.callee(candidate.node).split(".")[0]
    if candidate.file.imports.get(head, "").split(".")[0] not in ("asyncio", "queue"):
        return None
    return candidate.match(note="a queue without `maxsize` takes whatever comes, until the memory ends")


@refines("backpressure.overlapping-interval", where=where.only(Role.SERVER))
def overlapping_interval(candidate: Candidate) -> Match | None:
    """`setInterval` with an async callback: the next turn starts while the last one still works."""
    given = calls.arguments(candidate.node)
    if len(given) != 2 or "await" not in given[0].text():
        return None
    if not any(child.kind() == "async" for child in given[0].children()):
        return None
    if re.search(r"\b(?:is)?[rR]unning\b|inFlight|in_flight|busy|lock|working|isProcessing", given[0].text()):
        return None
    return candidate.match(
        note="a turn that takes longer than the interval runs beside the next one",
        focus=(candidate.node.range().start.index, given[0].range().start.index + 20),
    )


@refines("backpressure.consume-without-prefetch", where=where.served)
def consume_without_prefetch(candidate: Candidate) -> Match | None:
    """`channel.consume` in a file that sets no prefetch: the broker sends everything it has."""
    given = calls.arguments(candidate.node)
    if len(given) < 2 or ".prefetch(" in candidate.file.text or "noAck: true" in candidate.node.text():
        return None
    if not re.search(r"[cC]hannel|^ch$|\.ch$", calls.callee(candidate.node).rpartition(".")[0]):
        return None
    if "amqp" not in candidate.file.text:
        return None
    return candidate.match(note="no `prefetch` in this file: the broker sends all it has, and the process holds it")


@refines("partitioning.python-hash", where=where.outside((Role.TEST, Role.EXAMPLE)))
def python_hash(candidate: Candidate) -> Match | None:
    """`hash(key) % n`: the hash of a text is another one in each process."""
    left, right = candidate.node.field("left"), candidate.node.field("right")
    operator = next((child.text() for child in candidate.node.children() if not child.is_named()), "")
    if left is None or right is None or operator != "%":
        return None
    if left.kind() == "parenthesized_expression":
        left = next((child for child in left.children() if child.is_named()), left)
    if left.kind() != "call" or calls.callee(left) not in ("hash", "abs"):
        return None
    if calls.callee(left) == "abs" and not re.match(r"abs\(\s*hash\(", left.text()):
        return None
    if (
        enclosing_function(candidate.node) is not None
        and "__hash__" in (enclosing_function(candidate.node) or candidate.node).text()[:60]
    ):
        return None
    if candidate.file.declares("hash"):
        return None
    return candidate.match(
        captures={"value": left.text(), "count": right.text()},
        note="`hash` of a text is salted anew in each process",
        why_no_patch="keys that were placed so far have to be moved",
    )


def _flag(candidate: Candidate, text: str) -> Match | None:
    name = re.fullmatch(r"process\.env\.(\w+)", text)
    if name is None or not _FLAG.search(name[1]):
        return None
    return candidate.match(
        captures={"name": name[1]},
        note=f"`{name[1]}=false` counts as true",
        replacement=f'{text} === "true"',
    )


def _mutable_default(candidate: Candidate) -> tuple[str, SgNode] | None:
    name, value = candidate.node.field("name"), candidate.node.field("value")
    function = enclosing_function(candidate.node)
    body = function.field("body") if function is not None else None
    if candidate.file.role in _QUIET or name is None or value is None or body is None:
        return None
    if not re.fullmatch(r"\[\]|\{\}|set\(\)|dict\(\)|list\(\)", value.text()):
        return None
    return re.escape(name.text()), body
