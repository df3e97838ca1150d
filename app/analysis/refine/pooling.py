"""Rule `pooling`: connections made for each request, and connections never given back."""

from __future__ import annotations

import re

from ast_grep_py import SgNode

from app.analysis import calls, flow, needed, where
from app.analysis.context import FUNCTION_KINDS, Candidate, Match, enclosing_function, function_name
from app.analysis.refine import refines
from app.analysis.roles import Role

_MAKERS = re.compile(
    r"^(?:PrismaClient|(?:pg\.)?Pool|MongoClient|Sequelize|(?:pg\.)?Client|IORedis|Redis|Kafka|mysql2?\.createPool|createPool|"
    r"mongoose\.(?:connect|createConnection)|MongoClient\.connect|redis\.createClient|amqp\.connect|mysql2?\.createConnection)$"
)
_CLIENT_MODULES = re.compile(
    r"^(?:pg|mysql2?(?:/promise)?|mongodb|mongoose|ioredis|redis|@prisma/client|sequelize|kafkajs|amqplib)$"
)
_MADE_HERE = (needed.called(_MAKERS), needed.names(_CLIENT_MODULES))
_PROGRAMS = where.outside((Role.TEST, Role.EXAMPLE, Role.CLIENT, Role.SCRIPT))
_MAKES_ON_PURPOSE = re.compile(
    r"(?i:connect|create|init|open|setup|make|build|start|bootstrap|main|constructor|factory|provide)|^get[A-Z]?\w*"
)


@refines("pooling.client-per-request", where=where.served, needs=_MADE_HERE)
def client_per_request(candidate: Candidate) -> Match | None:
    """A database or queue client made inside the function that answers a request."""
    name = _made(candidate)
    if name is None or flow.handler_around(candidate.node) is None or _is_kept(candidate.node):
        return None
    return candidate.match(
        captures={"client": name},
        note=f"`{name}` is made anew for each request",
        why_no_patch="where the one client of the process lives is this project's decision",
    )


@refines("pooling.client-per-call", where=where.served, needs=_MADE_HERE)
def client_per_call(candidate: Candidate) -> Match | None:
    """A database or queue client made inside a function that is not there to make it."""
    name, function = _made(candidate), enclosing_function(candidate.node)
    if name is None or function is None or _is_kept(candidate.node):
        return None
    if _MAKES_ON_PURPOSE.search(function_name(function)):
        return None
    return candidate.match(captures={"client": name}, note=f"`{name}` is made each time this function runs")


@refines("pooling.never-released", where=_PROGRAMS)
def never_released(candidate: Candidate) -> Match | None:
    """A connection taken from a pool in a function that neither gives it back nor hands it on."""
    name, function = _taken(candidate), enclosing_function(candidate.node)
    if name is None or function is None:
        return None
    rest = function.text()[candidate.node.range().end.index - function.range().start.index :]
    word = re.escape(name)
    if re.search(
        rf"\b{word}\s*[.?!]*\.(?:release|end|destroy|close|done|\[Symbol)|\breturn\b[^;\n]*\b{word}\b(?!\.)|[({{,]\s*{word}\s*[,}})]",
        rest,
    ):
        return None
    if re.search(rf"\bthis\.\w+\s*=\s*{word}\b|\b\w+\s*=\s*{word}\b(?!\.)|releaseConnection|finally", rest):
        return None
    return candidate.match(
        captures={"name": name},
        note=f"`{name}` is never given back to its pool",
        why_no_patch="the lines up to the last use have to move into a `try` whose `finally` gives the connection back",
    )


@refines("pooling.released-on-success", where=_PROGRAMS)
def released_on_success(candidate: Candidate) -> Match | None:
    """A connection that is given back, but not in a `finally`."""
    name, function = _taken(candidate), enclosing_function(candidate.node)
    if name is None or function is None or re.search(r"\bfinally\b|\.finally\(", function.text()):
        return None
    released = re.findall(rf"\b{re.escape(name)}\.release\(", function.text())
    caught = "catch" in function.text()
    if not released or (caught and len(released) > 1):
        return None
    return candidate.match(
        captures={"name": name}, note=f"an error between here and `{name}.release()` keeps the connection"
    )


def _made(candidate: Candidate) -> str | None:
    constructor = candidate.node.field("constructor")
    name = constructor.text() if constructor is not None else calls.callee(candidate.node)
    if not _MAKERS.match(name):
        return None
    module = candidate.file.imports.get(name.split(".")[0], "")
    return name if _CLIENT_MODULES.match(module) else None


def _is_kept(node: SgNode) -> bool:
    """Whether the client is stored outside the function, so that it is made once."""
    for above in node.ancestors():
        match above.kind():
            case "assignment_expression" | "augmented_assignment_expression":
                return True
            case "return_statement" | "pair" | "public_field_definition":
                return True
            case "variable_declarator":
                return False
            case kind if kind in FUNCTION_KINDS:
                return False
            case _:
                continue
    return False


def _taken(candidate: Candidate) -> str | None:
    """The variable that holds a connection taken from a pool by this declaration."""
    name, value = candidate.node.field("name"), candidate.node.field("value")
    if name is None or value is None or name.kind() != "identifier":
        return None
    taken = re.match(r"await\s+([\w$.]+)\.(connect|getConnection)\(\s*\)$", value.text())
    if taken is None or not re.search(r"pool", taken[1], re.IGNORECASE):
        return None
    return name.text()
