"""Rule `input-validation`: text from a request that is parsed where nothing catches what the parser throws."""

from __future__ import annotations

import re

from ast_grep_py import SgNode

from app.analysis import calls, where
from app.analysis.context import FUNCTION_KINDS, Candidate, Match, enclosing_function
from app.analysis.refine import refines

_FROM_REQUEST = re.compile(
    r"^(?P<root>req|request|ctx|context|c)\.(?:raw|rawBody|(?:request\.|req\.)?(?:body|rawBody|query|params|headers|header|cookies))\b|"
    r"^(?P<event>event)\.(?:body|queryStringParameters|headers)\b|"
    r"^(?P<message>message|msg|record)\.(?:content|value|data|body|Body)\b"
)
_READ_WHOLE = re.compile(
    r"^await\s+(?:(?P<own>req|request|c\.req|ctx\.req|context\.request|event\.request)\.text\(\)|"
    r"[\w.$]*(?:[tT]ext|[bB]ody|[rR]aw|[sS]tring)\w*\((?P<given>req|request|ctx\.req|c\.req)(?:\s*,[^()]*)?\))$"
)
_MESSAGE_LISTENER = re.compile(r"\.(?:on|once|addListener|addEventListener|subscribe|consume)$")
_VALIDATES = re.compile(
    r"(?:^|\.)(?:parse|safeParse|parseAsync|safeParseAsync|validate\w*|assert\w*|check\w*|decode|cast|is[A-Z]\w*|sanitize\w*)$"
)
_CONVERSION = re.compile(
    r"(?:!|\s+as\s+\w+)$|\.toString\([^)]*\)$|^String\((?P<inner>.*)\)$|^Buffer\.from\((?P<bytes>.*?)(?:,[^)]*)?\)$",
    re.DOTALL,
)


@refines("input-validation.json-parse", where=where.served)
def json_parse(candidate: Candidate) -> Match | None:
    """`JSON.parse` of a part of a request or a message, with no try around it and no schema behind it."""
    if _is_caught(candidate.node):
        return None
    given = calls.arguments(candidate.node)
    handler = enclosing_function(candidate.node)
    if len(given) < 1 or handler is None:
        return None
    source = _source(given[0].text(), candidate.node, handler)
    if source is None or _is_validated(candidate.node, handler):
        return None
    return candidate.match(
        captures={"source": source},
        note=f"`{source}` comes from outside; a wrong text throws here and nothing catches it",
        why_no_patch="how a bad request is answered, and which schema the value has, is this service's decision",
    )


def _source(text: str, call: SgNode, handler: SgNode) -> str | None:
    """The expression from outside that the text stands for, followed through one local variable; None if it is none."""
    plain = _unwrapped(text)
    if re.fullmatch(r"[\w$]+", plain):
        listened = _is_what_a_listener_gets(plain, call)
        assigned = re.search(
            rf"\b(?:const|let|var)\s+{re.escape(plain)}(?:\s*:[^=\n]+)?\s*=\s*([^;\n]+)", handler.text()
        )
        if listened or assigned is None:
            return plain if listened else None
        plain = _unwrapped(assigned[1].strip())
    read = _READ_WHOLE.match(plain)
    if read is not None:
        root = (read["own"] or read["given"]).split(".")[0]
        return plain if _is_parameter(root, call) else None
    found = _FROM_REQUEST.match(plain)
    if found is None or re.search(r"\|\||\?\?|\?(?!\.)", plain):
        # A fallback beside it says that somebody thought of the odd case; what they thought cannot be seen here.
        return None
    root = found["root"] or found["event"] or found["message"]
    return plain if _is_parameter(root, call) else None


def _unwrapped(text: str) -> str:
    plain = text.strip()
    for _ in range(4):
        found = _CONVERSION.search(plain)
        if found is None:
            break
        plain = (found["inner"] or found["bytes"] or plain[: found.start()]).strip()
    return plain


def _is_parameter(name: str, node: SgNode) -> bool:
    for above in node.ancestors():
        if above.kind() in FUNCTION_KINDS:
            held = above.field("parameters") or above.field("parameter")
            if held is not None and re.search(
                rf"(?<![\w.$:]){re.escape(name)}\b(?!\s*:\s*(?:string|number)\b)", held.text()
            ):
                return True
    return False


def _is_what_a_listener_gets(name: str, node: SgNode) -> bool:
    """Whether the name is the first parameter of a function given to `on("message", …)`."""
    function = enclosing_function(node)
    held = function.parent() if function is not None else None
    call = held.parent() if held is not None else None
    if function is None or call is None or call.kind() != "call_expression":
        return False
    given = calls.arguments(call)
    if not _MESSAGE_LISTENER.search(calls.callee(call)) or not given or calls.literal_text(given[0]) != "message":
        return False
    parameters = function.field("parameters") or function.field("parameter")
    first = re.match(r"\(?\s*([\w$]+)", parameters.text()) if parameters is not None else None
    return (
        first is not None
        and first[1] == name
        and re.match(r"process|worker|parentPort|self|window|port", calls.callee(call)) is None
    )


def _is_caught(node: SgNode) -> bool:
    """Whether a try's block, or a promise chain that can catch, stands around the node."""
    inside = node
    for above in node.ancestors():
        if above.kind() == "try_statement":
            body = above.field("body")
            if body is not None and body.range().start.index <= inside.range().start.index < body.range().end.index:
                return True
        if above.kind() in ("ternary_expression", "if_statement"):
            condition = above.field("condition")
            if condition is not None and re.search(r"json\w*\(|valid\w*\(", condition.text(), re.IGNORECASE):
                return True
        if above.kind() == "call_expression" and re.search(
            r"\.then$|try|safe|catch|attempt|fromThrowable|wrap", calls.callee(above), re.IGNORECASE
        ):
            return True
        inside = above
    return False


def _is_validated(call: SgNode, handler: SgNode) -> bool:
    """Whether the parsed value goes straight into something that checks it, here or through its variable."""
    for above in call.ancestors():
        if above.kind() in FUNCTION_KINDS:
            break
        if (
            above.kind() == "call_expression"
            and calls.callee(above) != "JSON.parse"
            and _VALIDATES.search(calls.callee(above))
        ):
            return True
    holder = next((above for above in call.ancestors() if above.kind() == "variable_declarator"), None)
    name = holder.field("name") if holder is not None else None
    if name is None or not re.fullmatch(r"[\w$]+", name.text()):
        return False
    checks = r"(?:parse|[sS]afeParse|parseAsync|validate\w*|assert\w*|check\w*|decode|cast|is[A-Z]\w*)"
    return re.search(rf"{checks}\s*\([^()]*\b{re.escape(name.text())}\b", handler.text()) is not None
