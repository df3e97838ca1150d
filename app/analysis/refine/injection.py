"""Rule `input-validation`: text that is joined from values and then run as SQL, a shell command, a program or a pattern."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from ast_grep_py import SgNode

from app.analysis import calls, flow, where
from app.analysis.context import Candidate, Match, enclosing_function
from app.analysis.refine import refines
from app.analysis.roles import Role

HOPS = 4
LONGEST_SHOWN = 80
_SQL = re.compile(
    r"\bselect\b[\s\S]*\bfrom\b|\binsert\s+into\b|\bupdate\b[\s\S]*\bset\b|\bdelete\s+from\b|\bwhere\b|\border\s+by\b|"
    r"\b(?:alter|drop|truncate|create)\s+(?:table|database|schema|index|user|role)\b",
    re.IGNORECASE,
)
_VALUE_PLACE = re.compile(r"(?:=|<|>|\blike|\bin\s*\(|\bvalues\s*\(|,|\()\s*[\"'%(]*\s*$", re.IGNORECASE)
_NAME_PLACE = re.compile(
    r"\b(?:from|join|into|update|table|index|by|set|select|schema|database|column|view|as|on|using|interval|lang\w*)\s*[\"'`]?$|[.\"`]$",
    re.IGNORECASE,
)
_CONSTANT = re.compile(
    r"^(?:[A-Z][A-Z0-9_]*|[\w.]*\.[A-Z][A-Z0-9_]+|\d[\d_.]*|this\.tableName|[\w.]*[tT]able(?:Name)?)$"
)
_PLACEHOLDERS = re.compile(
    r"placeholder|\.join\(|\bparams?\.length|\bescape\w*\(|\bquote\w*\(|\bformat\(|mysql\.escape|pgp\.as|\.escapeId|literal\(|\+\+|\bindex\b|"
    r"\bNumber\(|parseInt\(|\b(?:int|float)\(|\bidx\b|\bi\b|[cC]onditions?\b|[cC]lauses?\b|[cC]olumns?\b|[fF]ields?\b|[wW]here\b|[fF]ilters\b|"
    r"[sS]chema|[oO]rderBy|[jJ]oins?\b|\blimit\b|\boffset\b|prefix|alias",
)
_CHILD_PROCESS = frozenset(("exec", "execSync"))
_RUNNERS = frozenset((
    "exec", "execSync", "spawn", "spawnSync", "execFile", "execFileSync", "shell", "shellSync", "command", "commandSync",
    "execaCommand", "execaCommandSync", "$",
))  # fmt: skip
_ALIAS = re.compile(
    r"\b(?P<name>[\w$]+)\s*=\s*(?:require\([\"'](?:node:|mz/)?(?:child_process|shelljs|execa)[\"']\)\.\w+|"
    r"(?:[\w$]+\.)?promisify\([^()\n]{0,60}(?:\([^()\n]{0,60}\)[^()\n]{0,20})?exec\s*\))"
)
_PROGRAMS = frozenset(("spawn", "spawnSync", "execFile", "execFileSync"))
_REQUIRED = re.compile(
    r"require\([\"'](?:node:|mz/)?(?P<module>child_process|shelljs|execa)[\"']\)(?:\.(?P<member>\w+))?$"
)
_DOTDOT = re.compile(
    r"startsWith\(|\.relative\(|indexOf\(|includes\(\s*[\"'`](?:\.\.|/)|basename\(|\broot\s*:|isAbsolute\("
)
_TAG = re.compile(r"<[a-zA-Z!/][^>]*>?")
_ESCAPED = re.compile(r"escape|encode|sanit|purify|xss", re.IGNORECASE)
_THOUGHT_OF_ADDRESSES = re.compile(r"URL\(|startsWith\(|\ballow|\bsafe|\bvalid", re.IGNORECASE)
_DATA_PART = re.compile(r"(?:\.|\b)(?:query|body|params|cookies|param|searchParams|args|form|GET|POST|values)\b")


@dataclass(frozen=True, slots=True)
class Text:
    """A text as the code makes it: the literal pieces, and each value with the literal that stands right before it."""

    literal: str
    values: tuple[tuple[str, SgNode], ...]


_LOOKED_AT = where.outside((Role.TEST, Role.EXAMPLE, Role.CLIENT))
_OUTSIDE_SCRIPTS = where.outside((Role.TEST, Role.EXAMPLE, Role.CLIENT, Role.SCRIPT))


@refines("injection.sql-from-request", where=_LOOKED_AT)
def sql_from_request(candidate: Candidate) -> Match | None:
    """A statement with a part of a request joined into it."""
    text = _statement(candidate)
    if text is None:
        return None
    for _, value in text.values:
        source = flow.from_request(value)
        if source is not None and not _is_allow_listed(value, source):
            return _told(candidate, source, "stands in the text of a SQL statement")
    return None


@refines("injection.sql-joined", where=_OUTSIDE_SCRIPTS)
def sql_joined(candidate: Candidate) -> Match | None:
    """A statement with a value joined into it that is neither a placeholder nor plainly a constant."""
    text = _statement(candidate)
    if text is None:
        return None
    for before, value in text.values:
        plain = value.text()
        if (
            _CONSTANT.match(plain)
            or _PLACEHOLDERS.search(plain)
            or not _VALUE_PLACE.search(before)
            or _is_number(value)
        ):
            continue
        if _NAME_PLACE.search(before.rstrip("\"'`% (")) and not re.search(r"=\s*[\"']?$", before):
            continue
        return _told(candidate, plain, "is joined into a SQL statement")
    return None


@refines("injection.command-from-request", where=_LOOKED_AT)
def command_from_request(candidate: Candidate) -> Match | None:
    """A shell command with a part of a request in it."""
    command = _command(candidate)
    if command is None:
        return None
    source = next((found for part in _all_values(command) if (found := flow.from_request(part))), None)
    if source is None or flow.is_checked(source.split(".")[-1], candidate.node):
        return None
    return _told(candidate, source, "reaches a shell")


@refines("injection.command-joined", where=_OUTSIDE_SCRIPTS)
def command_joined(candidate: Candidate) -> Match | None:
    """A shell command that is not a constant."""
    command = _command(candidate)
    if command is None:
        return None
    for value in _all_values(command):
        plain = value.text()
        if _CONSTANT.match(plain) or re.search(
            r"__dirname|process\.(?:execPath|cwd|argv|platform)|quote|escape|\.join\(__", plain
        ):
            continue
        return _told(candidate, plain, "becomes part of a shell command")
    return None


@refines("injection.code-from-request", where=_LOOKED_AT)
def code_from_request(candidate: Candidate) -> Match | None:
    """A part of a request that is run as a program."""
    code = _code(candidate)
    source = flow.from_request(code) if code is not None else None
    return _told(candidate, source, "is run as a program") if source is not None else None


@refines("injection.code-joined", where=_OUTSIDE_SCRIPTS)
def code_joined(candidate: Candidate) -> Match | None:
    """A program made at run time."""
    code = _code(candidate)
    if code is None:
        return None
    text = _text(code, HOPS)
    if text is not None and not text.values:
        return None
    return _told(candidate, code.text(), "is run as a program")


@refines("injection.path-from-request", where=where.served)
def path_from_request(candidate: Candidate) -> Match | None:
    """A file path made from a request, where nothing keeps it inside a folder."""
    given = calls.arguments(candidate.node)
    if not given or not _is_file_call(candidate):
        return None
    source = flow.from_request(given[0])
    if source is None or not _DATA_PART.search(source) or _DOTDOT.search(flow.text_around(candidate.node)):
        return None
    names = (source.split(".")[-1], *([given[0].text()] if given[0].kind() == "identifier" else []))
    if any(flow.is_checked(name, candidate.node) for name in names) or (len(given) > 1 and "root" in given[1].text()):
        return None
    return _told(candidate, source, "chooses the file")


@refines("injection.redirect-from-request", where=where.served)
def redirect_from_request(candidate: Candidate) -> Match | None:
    """A redirect whose whole address comes from a request; not from its cookies, which the service itself sets."""
    given = [one for one in calls.arguments(candidate.node) if one.kind() != "number"]
    if len(given) != 1:
        return None
    target = _head(given[0], HOPS)
    source = flow.from_request(target) if target is not None else None
    if source is None or not re.search(r"\.(?:query|body|searchParams|args|form|GET|POST)\b", source):
        return None
    name = source.split(".")[-1].split("[")[0]
    if flow.is_checked(name, candidate.node) or _ESCAPED.search(given[0].text()):
        return None
    if _THOUGHT_OF_ADDRESSES.search(flow.text_around(candidate.node)):
        return None
    return _told(candidate, source, "decides where the reader is sent")


@refines("injection.html-from-request", where=where.served)
def html_from_request(candidate: Candidate) -> Match | None:
    """HTML with a part of a request in it, sent as it is."""
    given = calls.arguments(candidate.node)
    if not given:
        return None
    text = _text(given[0], HOPS)
    if text is None or not _TAG.search(text.literal) or "text/plain" in flow.text_around(candidate.node):
        return None
    for _, value in text.values:
        source = flow.from_request(value)
        if source is not None and _DATA_PART.search(source) and not _ESCAPED.search(value.text()):
            return _told(candidate, source, "becomes part of the page")
    return None


@refines("injection.pattern-from-request", where=where.served)
def pattern_from_request(candidate: Candidate) -> Match | None:
    """A regular expression made from a request."""
    given = calls.arguments(candidate.node)
    if not given:
        return None
    source = flow.from_request(given[0])
    if source is None or not _DATA_PART.search(source) or _ESCAPED.search(given[0].text()):
        return None
    if re.search(r"escape|\[\.\*\+|replace\(\s*/\[", flow.text_around(candidate.node), re.IGNORECASE):
        return None
    return _told(candidate, source, "becomes a regular expression")


@refines("injection.query-object-from-request", where=where.served)
def query_object_from_request(candidate: Candidate) -> Match | None:
    """A value of a request that becomes part of a filter, where an object would be taken as an operator."""
    given = calls.arguments(candidate.node)
    if not given or given[0].kind() != "object":
        return None
    for pair in given[0].find_all({"rule": {"kind": "pair"}}):
        value = pair.field("value")
        if value is None or value.kind() not in ("member_expression", "subscript_expression"):
            continue
        source = flow.from_request(value)
        if source is not None and re.search(r"\.(?:body|query)\b", source):
            return _told(candidate, source, "goes into a filter with whatever type the client gave it")
    return None


@refines("injection.fields-from-request", where=where.served)
def fields_from_request(candidate: Candidate) -> Match | None:
    """The whole body of a request given to something that stores it."""
    for given in calls.arguments(candidate.node):
        whole = given.text()
        spread = (
            re.search(r"\.\.\.\s*((?:req|request|ctx\.request|ctx)\.body)\b(?!\.)", whole)
            if given.kind() == "object"
            else None
        )
        if spread or re.fullmatch(r"(?:req|request|ctx\.request)\.body", whole):
            source = spread[1] if spread else whole
            return _told(candidate, source, "is stored with every field that the client sent")
    return None


@refines("injection.address-from-request", where=where.served)
def address_from_request(candidate: Candidate) -> Match | None:
    """An outbound call whose host comes from a request."""
    given = calls.arguments(candidate.node)
    if not given:
        return None
    target = _head(given[0], HOPS)
    source = flow.from_request(target) if target is not None else None
    if source is None or not re.search(r"\.(?:query|body)\b", source):
        return None
    return _told(candidate, source, "decides which address this service calls")


def _told(candidate: Candidate, source: str, what: str) -> Match:
    shown = re.sub(r"\s+", " ", source)
    shown = shown if len(shown) <= LONGEST_SHOWN else f"{shown[: LONGEST_SHOWN - 1]}…"
    start = candidate.node.range().start.index
    return candidate.match(
        captures={"source": shown},
        note=f"`{shown}` {what}",
        why_no_patch="which values are right here is this service's knowledge",
        focus=(start, min(candidate.node.range().end.index, start + 600)),
    )


def _statement(candidate: Candidate) -> Text | None:
    """The SQL text that a call runs, where it is joined from parts."""
    held = candidate.node.field("arguments")
    if held is None or held.kind() == "template_string":
        return None
    given = calls.arguments(candidate.node)
    if not given:
        return None
    first = given[0]
    if first.kind() == "object":
        first = calls.value_of(first, "text") or calls.value_of(first, "sql") or first
    text = _text(first, HOPS)
    if text is None or not text.values or not _SQL.search(text.literal):
        return None
    return text


def _command(candidate: Candidate) -> Text | None:
    """The shell command of a call, where it holds anything but constants."""
    given = calls.arguments(candidate.node)
    if not given or not _runs_a_shell(candidate, given):
        return None
    text = _text(given[0], HOPS)
    if text is None:
        if given[0].kind() in (
            "identifier",
            "member_expression",
            "subscript_expression",
            "attribute",
            "call_expression",
            "call",
        ):
            return Text("", (("", given[0]),))
        return None
    return text if text.values else None


def _runs_a_shell(candidate: Candidate, given: list[SgNode]) -> bool:
    name = calls.callee(candidate.node)
    head, _, verb = name.rpartition(".")
    imports = candidate.file.imports
    if candidate.file.language == "python":
        if name in ("os.system", "os.popen"):
            return imports.get("os") == "os"
        return (head == "subprocess" or imports.get(verb, "").startswith("subprocess.")) and any(
            one.kind() == "keyword_argument" and re.fullmatch(r"shell\s*=\s*True", one.text()) for one in given
        )
    if verb not in _RUNNERS and (head or verb not in _aliases(candidate.file.text)):
        return False
    module, member = _program_runner(head, verb, candidate)
    if module == "execa":
        return member in ("shell", "shellSync") or (
            member.startswith(("command", "execaCommand", "$")) and _has_shell(given)
        )
    if module == "shelljs":
        return member == "exec"
    if module == "child_process":
        return member in _CHILD_PROCESS or (member in _PROGRAMS and _has_shell(given))
    return not head and _is_promisified_exec(verb, candidate)


@lru_cache(maxsize=8)
def _aliases(text: str) -> frozenset[str]:
    """The names that a file gives to functions which run a shell."""
    return frozenset(found["name"] for found in _ALIAS.finditer(text))


def _program_runner(head: str, verb: str, candidate: Candidate) -> tuple[str, str]:
    """The module that a called name comes from, and its name there: by an import, or by what the name was declared as."""
    name = head or verb
    required = _REQUIRED.match(head)
    if required is not None:
        return required["module"], verb
    value = flow.declaration(name, candidate.node) if re.fullmatch(r"[\w$]+", name) else None
    declared = _REQUIRED.match(re.sub(r"\s+", "", value.text())) if value is not None else None
    if declared is not None:
        return declared["module"], verb if head else declared["member"] or verb
    module = candidate.file.imports.get(name, "").removeprefix("mz/")
    return (module, verb) if module in ("child_process", "shelljs", "execa") else ("", "")


def _has_shell(given: list[SgNode]) -> bool:
    return any(one.kind() == "object" and re.search(r"\bshell\s*:\s*(?!false)", one.text()) for one in given)


def _is_promisified_exec(name: str, candidate: Candidate) -> bool:
    if name in _CHILD_PROCESS and re.search(r"child_process", candidate.file.text):
        value = flow.declaration(name, candidate.node)
        return value is None or "child_process" in value.text() or "promisify" in value.text()
    value = flow.declaration(name, candidate.node) if re.search(r"exec", name, re.IGNORECASE) else None
    return value is not None and re.search(r"promisify\(\s*(?:\w+\.)?exec\s*\)", value.text()) is not None


def _code(candidate: Candidate) -> SgNode | None:
    """What `eval`, `new Function` or `vm` is given, where it is no constant."""
    given = [one for one in calls.arguments(candidate.node) if one.kind() != "keyword_argument"]
    constructor = candidate.node.field("constructor")
    name = calls.callee(candidate.node) or (constructor.text() if constructor is not None else "")
    if not given or (name in ("eval", "exec", "Function") and candidate.file.declares(name)):
        return None
    code = given[-1] if name == "Function" else given[0]
    if code.kind() in ("arrow_function", "function_expression", "string", "spread_element") and not _has_values(code):
        return None
    return code


def _has_values(node: SgNode) -> bool:
    text = _text(node, HOPS)
    return text is not None and bool(text.values)


def _is_file_call(candidate: Candidate) -> bool:
    head, _, verb = calls.callee(candidate.node).rpartition(".")
    if verb in ("sendFile", "download", "sendfile"):
        return re.fullmatch(r"(?:res|resp|response|reply|rep)(?:\.status\(\d+\))?", head) is not None
    module = candidate.file.imports.get((head or verb).split(".")[0], "")
    if candidate.file.language == "python":
        return verb in ("open", "send_file", "FileResponse") and (not head or head in ("io", "flask"))
    return (
        module in ("fs", "fs/promises", "fs-extra", "graceful-fs")
        or head == "Bun"
        or (not head and module.startswith("fs"))
    )


def _all_values(text: Text) -> list[SgNode]:
    return [value for _, value in text.values]


def _text(node: SgNode, hops: int) -> Text | None:
    """The pieces of a joined text; None when the node is no text that this function makes."""
    if hops <= 0:
        return None
    match node.kind():
        case "template_string":
            return _template(node)
        case "string":
            return _template(node) if _is_formatted(node) else Text(_inner(node), ())
        case "concatenated_string":
            return _merged(
                [_text(part, hops) or Text("", (("", part),)) for part in node.children() if part.is_named()]
            )
        case "binary_expression" | "binary_operator":
            return _joined(node, hops)
        case "parenthesized_expression" | "as_expression" | "await_expression" | "non_null_expression":
            inner = next((child for child in node.children() if child.is_named()), None)
            return _text(inner, hops - 1) if inner is not None else None
        case "call" | "call_expression":
            return _formatted(node, hops)
        case "identifier":
            return _named_text(node, hops)
        case _:
            return None


def _template(node: SgNode) -> Text:
    literal, values = "", []
    for child in node.children():
        match child.kind():
            case "template_substitution" | "interpolation":
                inner = next((one for one in child.children() if one.is_named()), None)
                if inner is not None:
                    values.append((literal, inner))
                    literal += " ? "
            case "string_fragment" | "string_content" | "escape_sequence":
                literal += child.text()
            case _:
                continue
    return Text(literal, tuple(values))


def _is_formatted(string: SgNode) -> bool:
    return any(child.kind() == "interpolation" for child in string.children())


def _inner(node: SgNode) -> str:
    return node.text().strip("\"'`")


def _joined(node: SgNode, hops: int) -> Text | None:
    operator = next((child.text() for child in node.children() if not child.is_named()), "")
    left, right = node.field("left"), node.field("right")
    if left is None or right is None:
        return None
    if operator == "%" and left.kind() in ("string", "concatenated_string"):
        values = [child for child in right.children() if child.is_named()] if right.kind() == "tuple" else [right]
        return Text(left.text(), tuple((left.text().split("%")[0], one) for one in values))
    if operator != "+":
        return None
    parts = [_text(one, hops) or Text("", (("", one),)) for one in (left, right)]
    merged = _merged(parts)
    return merged if merged.literal.strip(" ?") else None


def _merged(parts: list[Text]) -> Text:
    literal, values = "", []
    for part in parts:
        values += [(f"{literal}{before}", value) for before, value in part.values]
        literal += part.literal or (" ? " if part.values else "")
    return Text(literal, tuple(values))


def _formatted(node: SgNode, hops: int) -> Text | None:
    """`"…{}…".format(value)` and `util.format("… %s", value)`."""
    name, given = calls.callee(node), calls.arguments(node)
    function = node.field("function")
    held = function.field("object") if function is not None else None
    if name.endswith(".format") and held is not None and held.kind() == "string" and given:
        return Text(_inner(held), tuple((_inner(held).split("{")[0], one) for one in given))
    if name == "util.format" and given and given[0].kind() == "string":
        return Text(_inner(given[0]), tuple((_inner(given[0]).split("%")[0], one) for one in given[1:]))
    if held is not None and held.kind() == "array" and name.endswith(".join"):
        pieces = [_text(part, hops - 1) or Text("", (("", part),)) for part in held.children() if part.is_named()]
        return _merged(pieces)
    if held is not None and re.search(r"\.(?:trim|toString|strip)$", name):
        return _text(held, hops - 1)
    return None


def _named_text(node: SgNode, hops: int) -> Text | None:
    value = flow.declaration(node.text(), node)
    made = _text(value, hops - 1) if value is not None else None
    function = enclosing_function(node)
    if function is None or flow.is_python(function):
        return made
    added = [
        part
        for one in function.find_all({"rule": {"kind": "augmented_assignment_expression"}})
        if (left := one.field("left")) is not None
        and left.text() == node.text()
        and (part := one.field("right")) is not None
    ]
    if not added or made is None:
        return made
    return _merged([made, *(_text(part, hops - 1) or Text("", (("", part),)) for part in added)])


def _head(node: SgNode, hops: int) -> SgNode | None:
    """What an address begins with: the node itself, or the first piece of a joined text when that is a value."""
    if node.kind() == "string" and not _is_formatted(node):
        return None
    text = _text(node, hops)
    if text is None:
        return _leftmost(node)
    if not text.values:
        return None
    before, value = text.values[0]
    return value if not before.strip("\"'` ") else None


def _leftmost(node: SgNode) -> SgNode:
    """The first part of a sum of values; the node itself when it is none."""
    while node.kind() == "binary_expression" and (left := node.field("left")) is not None:
        operator = node.field("operator")
        if operator is None or operator.text() != "+":
            break
        node = left
    return node


def _is_allow_listed(value: SgNode, source: str) -> bool:
    """Whether the value is one of a fixed set by the time it is joined."""
    for name in {value.text(), source.rsplit(".", maxsplit=1)[-1], source}:
        if re.fullmatch(r"[\w.$]+", name) is None:
            continue
        escaped = re.escape(name)
        function = enclosing_function(value)
        if function is not None and re.search(
            rf"(?:\.(?:includes|has)|\b(?:is[A-Z]\w*|validate\w*|assert\w*))\s*\(\s*{escaped}\b|\b{escaped}\s+in\s+\w|\w\[\s*{escaped}\s*\]|"
            rf"\bswitch\s*\(\s*{escaped}\b|{escaped}\s*(?:as\s+\w+\s*)?[=!]==?\s*[\"'](?!undefined|[\"'])",
            function.text(),
        ):
            return True
    return False


def _is_number(value: SgNode) -> bool:
    plain = value.text()
    if value.kind() == "number" or re.search(r"\.length$|^\d", plain):
        return True
    declared = flow.declaration(plain, value) if value.kind() == "identifier" else None
    return (
        declared is not None
        and re.match(r"(?:Number|parseInt|parseFloat|int|float|Math\.\w+)\(|\d", declared.text()) is not None
    )
