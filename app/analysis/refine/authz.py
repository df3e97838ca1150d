"""Rule `authz`: origins that are let in, tokens that are not checked, and objects loaded by an id alone."""

from __future__ import annotations

import re

from ast_grep_py import SgNode

from app.analysis import calls, flow, where
from app.analysis.context import Candidate, Match, enclosing_function, function_name
from app.analysis.refine import refines
from app.analysis.refine.crypto import only_in_development
from app.analysis.roles import Role

_QUIET = frozenset((Role.TEST, Role.EXAMPLE, Role.CLIENT))
_OWNER = re.compile(
    r"owner|tenant|user|account|org|team|workspace|project|author|member|session|auth|permission|can\(|policy|guard|ability|role|admin|access",
    re.IGNORECASE,
)
_SAYS_DEVELOPMENT = re.compile(r"\bdev(?:elopment)?\b|\blocal(?:host)?\b", re.IGNORECASE)
_PRIVILEGE = re.compile(r"^(?:role|roles|isAdmin|is_admin|admin|permissions|tenantId|tenant_id|ownerId|owner_id)$")


@refines("authz.reflected-origin", where=where.outside(_QUIET))
def reflected_origin(candidate: Candidate) -> Match | None:
    """`cors({ origin: true, credentials: true })`, or an origin function that lets everybody in."""
    given = calls.arguments(candidate.node)
    options = next((one for one in given if one.kind() == "object"), None)
    name = calls.callee(candidate.node)
    if options is None or not _is_cors(candidate, name, given):
        return None
    origin, credentials = calls.value_of(options, "origin"), calls.value_of(options, "credentials")
    if origin is None or credentials is None or credentials.text() != "true" or not _lets_everybody_in(origin):
        return None
    if only_in_development(candidate.node) or _SAYS_DEVELOPMENT.search(_beside(candidate)):
        return None
    return candidate.match(
        captures={"origin": " ".join(origin.text().split())},
        note="any site may send requests with the reader's cookies and read the answers",
        why_no_patch="which origins may call this service is not in the code",
    )


@refines("authz.reflected-header", where=where.outside(_QUIET))
def reflected_header(candidate: Candidate) -> Match | None:
    """`Access-Control-Allow-Origin` set to the request's own origin, beside allowed credentials."""
    given = calls.arguments(candidate.node)
    if len(given) != 2:
        return None
    if (calls.literal_text(given[0]) or "").lower() != "access-control-allow-origin":
        return None
    around = flow.text_around(candidate.node)
    value = re.sub(r"\s+", "", given[1].text())
    if given[1].kind() == "identifier":
        declared = flow.declaration(given[1].text(), candidate.node)
        value = re.sub(r"\s+", "", declared.text()) if declared is not None else value
    if not re.match(
        r"(?:req|request|ctx\.req|ctx)\.(?:headers?(?:\.origin\b|\[[\"']origin[\"']\]|\([\"']origin[\"']\))|get\([\"']origin[\"']\))",
        value,
        re.IGNORECASE,
    ):
        return None
    if not re.search(r"allow-credentials[\"'`]\s*,\s*(?:[\"'`]true|true)", around, re.IGNORECASE):
        return None
    if re.search(r"includes\(|\.has\(|\.test\(|indexOf\(|allow\w*\[|===|isAllowed|match\(", around, re.IGNORECASE):
        return None
    return candidate.match(
        captures={"origin": value},
        note="any site may send requests with the reader's cookies and read the answers",
        why_no_patch="which origins may call this service is not in the code",
    )


@refines("authz.unverified-token", where=where.outside(_QUIET))
def unverified_token(candidate: Candidate) -> Match | None:
    """A token verified with the check of its time or of its algorithm switched off."""
    given = calls.arguments(candidate.node)
    head, _, verb = calls.callee(candidate.node).rpartition(".")
    if candidate.file.imports.get(head or verb) != "jsonwebtoken" or verb != "verify" or len(given) < 3:
        return None
    if given[2].kind() != "object":
        return None
    around = f"{function_name(enclosing_function(candidate.node))} {flow.text_around(candidate.node)}"
    ignored, algorithms = calls.value_of(given[2], "ignoreExpiration"), calls.value_of(given[2], "algorithms")
    if ignored is not None and ignored.text() == "true":
        if re.search(r"refresh|renew|logout|revoke", around, re.IGNORECASE):
            return None
        option = "ignoreExpiration: true"
    elif algorithms is not None and re.search(r"[\"']none[\"']", algorithms.text(), re.IGNORECASE):
        option = 'algorithms: ["none"]'
    else:
        return None
    return candidate.match(
        captures={"option": option},
        note=f"`{option}` accepts tokens that are no longer, or never were, valid",
        why_no_patch="what the code behind it does with an expired token has to be decided first",
    )


@refines("authz.decoded-only", where=where.only(Role.SERVER))
def decoded_only(candidate: Candidate) -> Match | None:
    """`jwt.decode` in a file that never verifies."""
    head, _, verb = calls.callee(candidate.node).rpartition(".")
    module = candidate.file.imports.get(head or verb, "")
    if module not in ("jsonwebtoken", "jwt-decode", "jose") or re.search(r"\bverify\w*\(", candidate.file.text):
        return None
    if verb not in ("decode", "jwtDecode", "decodeJwt", "jwt_decode"):
        return None
    return candidate.match(note="the token is read, and nothing in this file checks its signature")


@refines("authz.by-id-alone", where=where.outside(_QUIET), shows=flow.reads_a_request)
def by_id_alone(candidate: Candidate) -> Match | None:
    """An object loaded or changed by an id from the request, in a handler that names no owner."""
    given = calls.arguments(candidate.node)
    handler = flow.handler_around(candidate.node)
    if not given or handler is None:
        return None
    source = flow.from_request(given[0])
    if source is None or not re.search(r"\.(?:params|query|body)\b.*id\b|\.params\.\w+$", source, re.IGNORECASE):
        return None
    parent = handler.parent()
    around = f"{handler.text()} {parent.text()[:400] if parent is not None else ''}"
    if _OWNER.search(around.replace(calls.callee(candidate.node), "")):
        return None
    return candidate.match(
        captures={"source": source}, note=f"`{source}` alone decides which object is used; no owner is compared here"
    )


@refines("authz.privilege-from-request", where=where.served, shows=flow.reads_a_request)
def privilege_from_request(candidate: Candidate) -> Match | None:
    """A role, tenant or owner taken from the body of a request."""
    key, value = candidate.node.field("key"), candidate.node.field("value")
    if key is None or value is None or not _PRIVILEGE.match(key.text().strip("\"'")):
        return None
    source = flow.from_request(value)
    if source is None or not re.search(r"\.(?:body|query|headers?)\b", source):
        return None
    return candidate.match(
        captures={"source": source, "field": key.text()}, note=f"`{key.text()}` is what the client says: `{source}`"
    )


def _beside(candidate: Candidate) -> str:
    """The lines right before a call, where somebody may say what it is for."""
    line = candidate.file.line_of(candidate.node.range().start.index)
    return "\n".join(candidate.file.lines[max(0, line - 4) : line])


def _is_cors(candidate: Candidate, name: str, given: list[SgNode]) -> bool:
    if name.endswith("enableCors"):
        return True
    if candidate.file.imports.get(name, "") in ("cors", "@koa/cors", "koa2-cors", "hono/cors"):
        return True
    return (
        name.endswith(".register")
        and bool(given)
        and candidate.file.imports.get(given[0].text(), "") in ("@fastify/cors", "fastify-cors")
    )


def _lets_everybody_in(origin: SgNode) -> bool:
    text = re.sub(r"\s+", "", origin.text())
    if text == "true" or re.fullmatch(r"/\.\*/\w*", text):
        return True
    return re.fullmatch(
        r"(?:function)?\(?[\w$:|]+(?:,[\w$:|]+)?\)?(?:=>)?\{?(?:return)?[\w$]*\(?(?:null,(?:true|origin)|true|origin)?\)?;?\}?",
        text,
    ) is not None and (re.search(r"\(null,(?:true|origin)\)", text) is not None)
