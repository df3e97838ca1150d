"""Rule `input-validation`: what a request chooses besides commands and SQL: files, addresses, pages, patterns, fields."""

from __future__ import annotations

import re

from ast_grep_py import SgNode

from app.analysis import calls, flow, where
from app.analysis.context import FUNCTION_KINDS, Candidate, Match
from app.analysis.refine import refines
from app.analysis.refine.injected import told
from app.analysis.texts import HOPS, is_formatted, text_of

_DOTDOT = re.compile(
    r"startsWith\(|\.relative\(|indexOf\(|includes\(\s*[\"'`](?:\.\.|/)|basename\(|\broot\s*:|isAbsolute\("
)
_TAG = re.compile(r"<[a-zA-Z!/][^>]*>?")
_ESCAPED = re.compile(r"escape|encode|sanit|purify|xss", re.IGNORECASE)
_THOUGHT_OF_ADDRESSES = re.compile(r"URL\(|startsWith\(|\ballow|\bsafe|\bvalid", re.IGNORECASE)
_JOINED = frozenset(("ternary_expression", "template_string", "binary_expression", "string"))
_DATA_PART = re.compile(r"(?:\.|\b)(?:query|body|params|cookies|param|searchParams|args|form|GET|POST|values)\b")


@refines("injection.path-from-request", where=where.served, shows=flow.reads_a_request)
def path_from_request(candidate: Candidate) -> Match | None:
    """A file path made from a request, where nothing keeps it inside a folder."""
    given = calls.arguments(candidate.node)
    if not given or not _is_file_call(candidate):
        return None
    source = flow.from_request(given[0])
    if source is None or not _DATA_PART.search(source) or _DOTDOT.search(flow.text_around(candidate.node)):
        return None
    names = (source.split(".")[-1], *([given[0].text()] if given[0].kind() == "identifier" else []))
    if any(flow.is_checked(name, candidate.node) or _is_looked_up(name, candidate.node) for name in names) or (
        len(given) > 1 and "root" in given[1].text()
    ):
        return None
    return told(candidate, source, "chooses the file")


@refines("injection.redirect-from-request", where=where.served, shows=flow.reads_a_request)
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
    return told(candidate, source, "decides where the reader is sent")


@refines("injection.html-from-request", where=where.served, shows=flow.reads_a_request)
def html_from_request(candidate: Candidate) -> Match | None:
    """HTML with a part of a request in it, sent as it is."""
    given = calls.arguments(candidate.node)
    if not given:
        return None
    text = text_of(given[0], HOPS)
    if text is None or not _TAG.search(text.literal) or "text/plain" in flow.text_around(candidate.node):
        return None
    for _, value in text.values:
        source = flow.from_request(value)
        if source is not None and _DATA_PART.search(source) and not _ESCAPED.search(value.text()):
            return told(candidate, source, "becomes part of the page")
    return None


@refines("injection.pattern-from-request", where=where.served, shows=flow.reads_a_request)
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
    return told(candidate, source, "becomes a regular expression")


@refines("injection.query-object-from-request", where=where.served, shows=flow.reads_a_request)
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
            return told(candidate, source, "goes into a filter with whatever type the client gave it")
    return None


@refines("injection.fields-from-request", where=where.served, shows=flow.reads_a_request)
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
            return told(candidate, source, "is stored with every field that the client sent")
    return None


@refines("injection.address-from-request", where=where.served, shows=flow.reads_a_request)
def address_from_request(candidate: Candidate) -> Match | None:
    """An outbound call whose host comes from a request."""
    given = calls.arguments(candidate.node)
    if not given:
        return None
    target = _head(given[0], HOPS)
    source = flow.from_request(target) if target is not None else None
    if source is None or not re.search(r"\.(?:query|body)\b", source):
        return None
    return told(candidate, source, "decides which address this service calls")


def _is_looked_up(name: str, node: SgNode) -> bool:
    """Whether the value goes to something before that knows which there are, or who may ask, and throws for others."""
    held = rf"(?:get|find|lookup|auth|decode|verify)\w*\(\s*{re.escape(name)}\b"
    around, here = flow.text_around(node), node.range().start.index
    outermost = [scope for scope in flow.scopes(node) if scope.kind() in FUNCTION_KINDS]
    before = around[: here - outermost[-1].range().start.index] if outermost else ""
    return re.search(held, before, re.IGNORECASE) is not None


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


def _head(node: SgNode, hops: int) -> SgNode | None:
    """What an address begins with: the node itself, or the first piece of a joined text when that is a value."""
    if hops <= 0 or (node.kind() == "string" and not is_formatted(node)):
        return None
    if node.kind() == "ternary_expression":
        branches = (node.field("consequence"), node.field("alternative"))
        return next(
            (found for one in branches if one is not None and (found := _head(one, hops - 1)) is not None), None
        )
    declared = flow.declaration(node.text(), node) if node.kind() == "identifier" else None
    if declared is not None and declared.kind() in _JOINED:
        return _head(declared, hops - 1)
    text = text_of(node, hops)
    if text is None:
        return _leftmost(node)
    if not text.values:
        return None
    before, value = text.values[0]
    if before.strip("\"'` "):
        return None
    return _head(value, hops - 1) if value.kind() == "identifier" else value


def _leftmost(node: SgNode) -> SgNode:
    """The first part of a sum of values; the node itself when it is none."""
    while node.kind() == "binary_expression" and (left := node.field("left")) is not None:
        operator = node.field("operator")
        if operator is None or operator.text() != "+":
            break
        node = left
    return node
