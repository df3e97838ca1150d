"""Rule `api-contracts`: errors that leave their contract."""

from __future__ import annotations

import re

from ast_grep_py import SgNode

from app.analysis import calls, flow, where
from app.analysis.context import FUNCTION_KINDS, Candidate, Match
from app.analysis.refine import refines
from app.analysis.roles import Role

_DEVELOPMENT = re.compile(
    r"NODE_ENV|isDev|isProd|development|debug|DEBUG|verbose|showStack|exposeStack|env\b", re.IGNORECASE
)
_SAYS_FAILED = re.compile(r"^(?:error|err|errors|failed|failure)$")


@refines("api-contracts.stack-in-reply", where=where.served)
def stack_in_reply(candidate: Candidate) -> Match | None:
    """The stack of an error sent to the client."""
    if _DEVELOPMENT.search(flow.text_around(candidate.node)):
        return None
    for given in calls.arguments(candidate.node):
        found = re.search(r"\b(?:e|err|error|ex|exception|reason)\??\.stack\b", given.text())
        if found is not None and given.kind() not in FUNCTION_KINDS:
            return candidate.match(
                captures={"stack": found[0]},
                note=f"`{found[0]}` tells a stranger the files, versions and queries of this service",
                why_no_patch="what clients of this service expect in an error is its contract's decision",
            )
    return None


@refines("api-contracts.error-as-success", where=where.served)
def error_as_success(candidate: Candidate) -> Match | None:
    """An answer from a catch that says `error` and leaves the status at 200."""
    caught = _catch_around(candidate.node)
    given = calls.arguments(candidate.node)
    if caught is None or len(given) != 1 or given[0].kind() != "object":
        return None
    keys = calls.keys(given[0]) or frozenset()
    success = calls.value_of(given[0], "success") or calls.value_of(given[0], "ok")
    says_failed = any(_SAYS_FAILED.match(key) for key in keys) or (success is not None and success.text() == "false")
    held = calls.callee(candidate.node).rpartition(".")[0]
    if not says_failed or not flow.is_parameter(held, candidate.node):
        return None
    before = caught.text()[: candidate.node.range().start.index - caught.range().start.index]
    if re.search(r"\.status\(|statusCode|\.code\(|writeHead|sendStatus", before) or re.search(
        rf"\b{re.escape(held)}\.status\(", _before_try(caught)
    ):
        return None
    if re.search(r"graphql|jsonrpc|rpc\b", candidate.file.path + given[0].text(), re.IGNORECASE):
        return None
    whole, base = candidate.node.text(), candidate.node.range().start.index
    at = held and candidate.node.text().index(".")
    return candidate.match(
        captures={"call": calls.callee(candidate.node)},
        note="the answer says `error` and its status says 200",
        replacement=f"{whole[:at]}.status(500){whole[at:]}" if base >= 0 and at else None,
    )


@refines("api-contracts.no-error-handler", where=where.only(Role.SERVER))
def no_error_handler(candidate: Candidate) -> Match | None:
    """An Express service that listens, in a file without the one function that answers every error."""
    text = candidate.file.text
    if candidate.file.imports.get("express") != "express" or ".listen(" not in text:
        return None
    if re.search(
        r"\(\s*_?(?:err|error|e|ex)\w*(?:\s*:[^,()]+)?\s*,\s*_?req\w*|errorHandler|errorMiddleware|handleErrors?\b|onError",
        text,
    ):
        return None
    return candidate.match(note="no function with four parameters answers errors in this file")


def _catch_around(node: SgNode) -> SgNode | None:
    for above in node.ancestors():
        if above.kind() == "catch_clause":
            return above
        if above.kind() in FUNCTION_KINDS:
            return None
    return None


def _before_try(caught: SgNode) -> str:
    above = caught.parent()
    function = next((one for one in caught.ancestors() if one.kind() in FUNCTION_KINDS), None)
    if above is None or function is None:
        return ""
    return function.text()[: above.range().start.index - function.range().start.index]
