"""Rules `api-contracts` and `versioning`: routes, events, and the fields of types and schemas that other programs rely on."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ast_grep_py import SgNode

from app.analysis import calls, where
from app.analysis.context import Candidate, FileContext, Match
from app.analysis.refine import refines
from app.analysis.roles import Role

_CONTRACT_NAME = re.compile(
    r"(?:Request|Response|Reply|Body|Payload|Dto|DTO|Query|Params|Input|Output|Event|Message)(?:Schema)?$",
    re.IGNORECASE,
)
_CONTRACT_FILE = re.compile(
    r"(?:^|/)(?:apis?|dtos?|schemas?|contracts?|events)(?:/|\.)|\.(?:dto|schema|contract)\.[cm]?ts$"
)
_SCHEMA = re.compile(r"^(?:z|zod|Joi|yup|t|Type|v|s)\.(?:object|strictObject|looseObject|Object)$")
_ROUTE = re.compile(r"\b(?:get|post|put|patch|delete|all)\s*+(?:<[^\n]{0,200}>\s*+)?\(\s*+[\"'`]/")
_EVENT = re.compile(r"\b(?:publish|emit|add|send|addJob)\s*+(?:<[^\n]{0,200}>\s*+)?\(\s*+[\"'`][\w.:/-]+[\"'`]")
_NAMES_CONTRACT = re.compile(rf"{_CONTRACT_NAME.pattern[:-1]}\s*(?:[=:!{{<]|extends\b)", re.IGNORECASE)
_OWNERS = frozenset(("interface_declaration", "type_alias_declaration", "variable_declarator"))


@refines("api-contracts.route", shows=where.holds(_ROUTE))
def route(candidate: Candidate) -> Match | None:
    """A route, as its pattern found it."""
    return candidate.match()


@refines("versioning.event", shows=where.holds(_EVENT))
def event(candidate: Candidate) -> Match | None:
    """An event that is published, as its pattern found it."""
    return candidate.match()


def _may_hold_a_contract(file: FileContext) -> bool:
    return _CONTRACT_FILE.search(file.path) is not None or _NAMES_CONTRACT.search(file.text) is not None


@refines(
    "api-contracts.field",
    where=where.outside((Role.TEST, Role.EXAMPLE, Role.CLIENT)),
    shows=_may_hold_a_contract,
)
def field(candidate: Candidate) -> Match | None:
    """A field of an exported type or schema that a request, an answer or an event has; with `{owner}` and `{field}`."""
    node = candidate.node
    if node.kind() == "pair" and not _is_of_schema(node):
        return None
    owner = next((above for above in node.ancestors() if above.kind() in _OWNERS), None)
    name = owner.field("name") if owner is not None else None
    if owner is None or name is None or not _is_exported(owner):
        return None
    if not (_CONTRACT_NAME.search(name.text()) or _CONTRACT_FILE.search(candidate.file.path)):
        return None
    path = ".".join(reversed([*_names(node, owner)]))
    return candidate.match(captures={"owner": name.text(), "field": path}, note=f"`{name.text()}` loses `{path}`")


def _names(node: SgNode, owner: SgNode) -> Iterator[str]:
    """The names of the field and of those that hold it, from the inside out."""
    for one in (node, *node.ancestors()):
        if one.range() == owner.range() and one.kind() == owner.kind():
            return
        named = one.field("name") if one.kind() == "property_signature" else None
        named = one.field("key") if one.kind() == "pair" else named
        if named is not None:
            yield named.text().strip("\"'")


def _is_of_schema(pair: SgNode) -> bool:
    """Whether the pair is a member of the object that a schema is built from."""
    literal = pair.parent()
    given = literal.parent() if literal is not None else None
    call = given.parent() if given is not None else None
    return call is not None and call.kind() == "call_expression" and _SCHEMA.match(calls.callee(call)) is not None


def _is_exported(owner: SgNode) -> bool:
    return any(above.kind() == "export_statement" for above in owner.ancestors())
