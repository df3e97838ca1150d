"""Where a value comes from, within one function: followed through local names, joins and unwrapping calls to a request.

It never looks into another function, so what it says is seen and what it does not say is unknown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from ast_grep_py import SgNode

from app.analysis import calls
from app.analysis.context import FUNCTION_KINDS, FileContext, enclosing_function

HOPS = 12
"""How many steps a value is followed; each step is a name, a join or a call."""

_REQUEST = re.compile(
    r"^(?:(?P<root>req|request|ctx|context|c)(?:\.request|\.req)?"
    r"[.?!]*\.(?:body|rawBody|query|params|param|headers|header|cookies|originalUrl|url|path|files?)\b|"
    r"(?P<event>event)[.?!]*\.(?:body|queryStringParameters|pathParameters|headers)\b|"
    r"(?P<call>req|request|ctx|c\.req|c)\.(?:param|query|header|get|json|text|formData)\()"
)
_WHOLE_PART = re.compile(r"\.(?:body|query|params|headers|cookies)$")
"""Of a request: a name that was taken out of it by a pattern is told with it."""
_PYTHON_REQUEST = re.compile(
    r"^(?:self\.)?(?P<root>request|req)\.(?:args|form|json|get_json|GET|POST|values|data|files|query_params|path_params|"
    r"headers|cookies|body|match_info|rel_url|query|params)\b"
)


def _as_written(pattern: re.Pattern[str]) -> re.Pattern[str]:
    """A pattern of an expression without spaces, for a text that holds the expression anywhere, with spaces around its signs."""
    anywhere = pattern.pattern.replace("^", r"(?<![\w$])")
    joined = anywhere.replace(r"[.?!]*\.", r"(?=[?!\s]*+[.])[.?!\s]*+")
    return re.compile(joined.replace(r"\.", r"\s*+\.\s*+").replace(r"\(", r"\s*+\("))


_REQUEST_AS_WRITTEN, _PYTHON_REQUEST_AS_WRITTEN = _as_written(_REQUEST), _as_written(_PYTHON_REQUEST)
_ROOT = re.compile(r"(?:req|request|ctx|context|c|event)\s*[.?!]")
"""What each of them begins with: no more than a few places of a text are worth a closer look."""
_HANDLER_PARAMETERS = re.compile(
    r"^\(?\s*(?:_?req|_?request|\{[^}]*\}\s*:\s*(?:\w+\.)?Request\w*)\b[^,]*,\s*_?(?:res|resp|response|reply|h|rep)\b|"
    r"^\(?\s*ctx\s*(?::\s*(?:\w+\.)?(?:Context|ParameterizedContext)\b[^,]*)?(?:,\s*next\b.*)?\)?$|"
    r"^\(\s*(?:req|request)\s*:\s*(?:\w+\.)?(?:Next)?Request\b",
    re.DOTALL,
)
_ROUTE_VERBS = frozenset(("get", "post", "put", "patch", "delete", "del", "all", "use", "route", "head", "options"))
_ROUTE_HOLDERS = re.compile(r"(?:^|[._])(?:app|router|server|fastify|api|routes?|express\(\)|\w*[rR]outer|\w*App)$")
_PASSES_ON = re.compile(
    r"(?:^|\.)(?:String|decodeURIComponent|decodeURI|unescape|from|toString|trim|trimStart|trimEnd|toLowerCase|toUpperCase|substring|"
    r"substr|slice|replace|replaceAll|concat|join|resolve|normalize|format|stringify|split|padStart|padEnd|strip|lower|upper|decode|"
    r"get_json|valueOf)$"
)
_TAKES_FROM = re.compile(r"\.(?:get|param|query|header|json|text|flat|filter|reverse|at|pop|shift)$")
"""A call whose result comes from what it is called on, and not from its arguments."""
_HARMLESS = re.compile(
    r"(?:^|[._])(?:Number|parseInt|parseFloat|BigInt|Boolean|int|float|bool|basename|encodeURIComponent|encodeURI|escape\w*|sanitize\w*|"
    r"validate\w*|assert\w*|safe\w*|clean\w*|quote\w*|parse|safeParse|hash\w*|isValid\w*|slugify|secure_filename|ObjectId|toObjectId|UUID|"
    r"len|min|max|clamp)$",
    re.IGNORECASE,
)


def reads_a_request(file: FileContext) -> bool:
    """Whether anything in the file reads as a part of a request, so that a value in it may come from one."""
    return _shows_a_request(file.text)


@lru_cache(maxsize=2)
def _shows_a_request(text: str) -> bool:
    return any(
        _REQUEST_AS_WRITTEN.match(text, root.start()) or _PYTHON_REQUEST_AS_WRITTEN.match(text, root.start())
        for root in _ROOT.finditer(text)
    )


def from_request(node: SgNode) -> str | None:
    """The part of a request that a value is, or is joined from, as far as this function shows; None when it shows none."""
    return _trace(node, HOPS)


def is_handler(function: SgNode | None) -> bool:
    """Whether a function answers requests: by its parameters, by its decorator, or by being given to a route."""
    if function is None or function.kind() not in FUNCTION_KINDS:
        return False
    if function.kind() == "function_definition":
        return _is_python_handler(function)
    held = function.field("parameters") or function.field("parameter")
    text = re.sub(r"\s+", " ", held.text()) if held is not None else ""
    return _HANDLER_PARAMETERS.match(text) is not None or _is_route(function) or _is_decorated_route(function)


def handler_around(node: SgNode) -> SgNode | None:
    """The innermost function around a node that answers requests, when no other named function stands between."""
    for above in node.ancestors():
        if above.kind() in FUNCTION_KINDS:
            if is_handler(above):
                return above
            if above.kind() in ("function_declaration", "method_definition", "function_definition"):
                return None
    return None


def declaration(name: str, node: SgNode) -> SgNode | None:
    """The value a name was last declared or first set with, in the functions around a node or at the file's top."""
    for scope in scopes(node):
        found = _declared_in(scope, name, node.range().start.index)
        if found is not None:
            return found
        if scope.kind() in FUNCTION_KINDS and name in parameter_names(scope):
            return None
    return None


def scopes(node: SgNode) -> Iterator[SgNode]:
    """The functions around a node from the inside out, then the file."""
    last = node
    for above in node.ancestors():
        if above.kind() in FUNCTION_KINDS:
            yield above
        last = above
    yield last


def text_around(node: SgNode) -> str:
    """The text of the outermost function around a node; empty outside functions."""
    functions = [scope for scope in scopes(node) if scope.kind() in FUNCTION_KINDS]
    return functions[-1].text() if functions else ""


def parameter_names(function: SgNode) -> frozenset[str]:
    """The names that a function's parameters bind, those inside patterns too."""
    held = function.field("parameters") or function.field("parameter")
    if held is None:
        return frozenset()
    if held.kind() == "identifier":
        return frozenset((held.text(),))
    kinds = ("identifier",) if is_python(function) else ("identifier", "shorthand_property_identifier_pattern")
    return frozenset(one.text() for kind in kinds for one in held.find_all({"rule": {"kind": kind}}))


def is_python(scope: SgNode) -> bool:
    """Whether a function or file is Python's; the matcher refuses kinds that its language does not have."""
    return scope.kind() in ("function_definition", "module")


def is_parameter(name: str, node: SgNode) -> bool:
    """Whether a name is a parameter of a function around a node."""
    return any(scope.kind() in FUNCTION_KINDS and name in parameter_names(scope) for scope in scopes(node))


def is_checked(text: str, node: SgNode) -> bool:
    """Whether the functions around a node test a value by an allow-list, a pattern or a validator."""
    name = re.escape(text)
    test = re.compile(
        rf"(?:\.(?:includes|has|test|indexOf|hasOwn|every|some|exec)|\b(?:is[A-Z]\w*|valid\w*|check\w*|assert\w*|verify\w*|allow\w*|sanit\w*|"
        rf"ensure\w*|escape\w*|safe\w*))\s*\([^()]*{name}\b|\b{name}\s+in\s+\w|\bswitch\s*\(\s*{name}\b|"
        rf"\b{name}\s*(?:\)\s*)?[=!]==?\s*[\"'`](?!undefined)\w|[A-Za-z_]\w*\[\s*{name}\s*\]|\b{name}\.(?:startsWith|match|isdigit|isalnum)\b",
        re.IGNORECASE,
    )
    return any(scope.kind() in FUNCTION_KINDS and test.search(scope.text()) for scope in scopes(node))


def _trace(node: SgNode, hops: int) -> str | None:
    if hops <= 0:
        return None
    text = re.sub(r"\s+", "", node.text()) if len(node.text()) < 400 else ""
    if text and _is_from_request(text, node):
        return text
    found = next((found for part in _parts(node) if (found := _trace(part, hops - 1))), None)
    if found is not None and node.kind() == "identifier" and _WHOLE_PART.search(found):
        return f"{found}.{node.text()}"
    return found


def _is_from_request(text: str, node: SgNode) -> bool:
    if node.kind() not in (
        "member_expression",
        "subscript_expression",
        "call_expression",
        "attribute",
        "call",
        "subscript",
    ):
        return False
    if node.kind() in ("call_expression", "call") and _HARMLESS.search(calls.callee(node)):
        return False
    found = _REQUEST.match(text) or _PYTHON_REQUEST.match(text)
    if found is None or not _is_one_access(text):
        return False
    groups = found.groupdict()
    root = (groups.get("root") or groups.get("event") or groups.get("call") or "").split(".")[0]
    if node.kind() in ("attribute", "call", "subscript"):
        return True
    return is_parameter(root, node)


def _is_one_access(text: str) -> bool:
    """Whether a text is one chain of accesses, not a join that begins with one."""
    return re.search(r"\+|\|\||\?\?|`|=>", text) is None


def _parts(node: SgNode) -> list[SgNode]:
    """What a value is made of, one step further back."""
    match node.kind():
        case "identifier":
            value = declaration(node.text(), node)
            return [value] if value is not None else []
        case "ternary_expression" | "conditional_expression":
            return [
                part for name in ("consequence", "alternative") if (part := node.field(name)) is not None
            ] or _named(node)
        case "call_expression" | "call":
            return _parts_of_call(node)
        case "member_expression" | "subscript_expression" | "attribute" | "subscript":
            held = node.field("object") or node.field("value")
            return [held] if held is not None else []
        case "pair":
            value = node.field("value")
            return [value] if value is not None else []
        case "keyword_argument":
            value = node.field("value")
            return [value] if value is not None else []
        case (
            "binary_expression" | "template_string" | "template_substitution" | "parenthesized_expression" | "as_expression"
            | "non_null_expression" | "await_expression" | "array" | "object" | "spread_element" | "binary_operator" | "string"
            | "interpolation" | "await" | "list" | "tuple" | "concatenated_string" | "boolean_operator" | "satisfies_expression"
        ):  # fmt: skip
            return _named(node)
        case _:
            return []


def _parts_of_call(call: SgNode) -> list[SgNode]:
    name = calls.callee(call)
    function = call.field("function")
    held = function.field("object") if function is not None else None
    if held is not None and _TAKES_FROM.search(name):
        return [held]
    if _HARMLESS.search(name) or not _PASSES_ON.search(name):
        return []
    return [*([held] if held is not None else []), *calls.arguments(call)]


def _named(node: SgNode) -> list[SgNode]:
    return [child for child in node.children() if child.is_named()]


def _declared_in(scope: SgNode, name: str, before: int) -> SgNode | None:
    """The value given to a name in a scope, the one nearest before the use."""
    if not _mentions(scope.text(), name):
        return None
    found: list[tuple[int, SgNode]] = []
    kind, target, value = (
        ("assignment", "left", "right") if is_python(scope) else ("variable_declarator", "name", "value")
    )
    for one in scope.find_all({"rule": {"kind": kind}}):
        left, right = one.field(target), one.field(value)
        if left is None or right is None or one.range().start.index > before:
            continue
        if _binds(left, name) and _owner(one) in (None, scope.range().start.index):
            found.append((one.range().start.index, right))
    return max(found, key=lambda pair: pair[0])[1] if found else None


def _mentions(text: str, name: str) -> bool:
    """Whether the name stands in the text as a word of its own; without a pattern, of which each name would need its own."""
    if not name.isidentifier():
        return re.search(rf"\b{re.escape(name)}\b", text) is not None
    at = text.find(name)
    while at >= 0:
        end = at + len(name)
        if not (_is_of_word(text[at - 1 : at]) or _is_of_word(text[end : end + 1])):
            return True
        at = text.find(name, end)
    return False


def _is_of_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def _owner(node: SgNode) -> int | None:
    function = enclosing_function(node)
    return function.range().start.index if function is not None else None


def _binds(target: SgNode, name: str) -> bool:
    if target.kind() == "identifier":
        return target.text() == name
    if target.kind() != "object_pattern":
        return False
    return re.search(rf"[{{,]\s*(?:[\w$]+\s*:\s*)?{re.escape(name)}\s*(?:[,}}=])", target.text()) is not None


def _is_route(function: SgNode) -> bool:
    """Whether a function is an argument of `app.get("/path", …)`."""
    held = function.parent()
    call = held.parent() if held is not None else None
    return call is not None and call.kind() == "call_expression" and is_route_call(call)


def is_route_call(call: SgNode) -> bool:
    """Whether a call hands its functions to a route: `app.get("/path", …)`, `router.use(…)`."""
    holder, _, verb = calls.callee(call).rpartition(".")
    given = calls.arguments(call)
    if verb not in _ROUTE_VERBS or not _ROUTE_HOLDERS.search(holder) or not given:
        return False
    return (calls.literal_text(given[0]) or "").startswith("/") or verb == "use"


def _is_decorated_route(function: SgNode) -> bool:
    """Whether a method carries a route decorator (NestJS and its like)."""
    if function.kind() != "method_definition":
        return False
    before = function.prev()
    for _ in range(8):
        if before is None or before.kind() != "decorator":
            return False
        if re.match(r"@(?:Get|Post|Put|Patch|Delete|All|Query|Mutation|MessagePattern)\s*\(", before.text()):
            return True
        before = before.prev()
    return False


def _is_python_handler(function: SgNode) -> bool:
    above = function.parent()
    if above is not None and above.kind() == "decorated_definition":
        for child in above.children():
            if child.kind() == "decorator" and re.match(
                r"@[\w.]+\.(?:get|post|put|patch|delete|route|websocket|api_route)\b|@(?:api_view|require_\w+|csrf_exempt)\b",
                child.text(),
            ):
                return True
    held = function.field("parameters")
    return held is not None and re.match(r"\(\s*(?:self\s*,\s*)?request\b", held.text()) is not None
