"""Rule `crypto`: verification of certificates switched off, and ciphers that protect nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ast_grep_py import SgNode

from app.analysis import calls, flow, languages, where
from app.analysis.context import FUNCTION_KINDS, Candidate, FileContext, Match
from app.analysis.refine import refines, searches
from app.analysis.roles import Role

_HARMLESS_ROLES = frozenset((Role.TEST, Role.EXAMPLE))
_DEVELOPMENT = re.compile(
    r"NODE_ENV|\bis_?dev|is_?local|is_?test|is_?prod|development|__DEV__|insecure|unsafe|bypass|verify|ssl|tls|secure\b|self_?signed|unauthori[sz]ed|certificate|strict|(?:skip|no)[-_]?(?:tls|ssl|verif)|(?:accept|allow)[-_]?(?:invalid|insecure|self|any)|DEBUG",
    re.IGNORECASE,
)
LONGEST_FUNCTION = 6_000
_LOOKS_AT_IT = re.compile(r"\bgetPeerCertificate\(|\bperformance\.now\(|\b(?:connect|tls)(?:Start|Time)\b")
_ASKS_ITSELF = re.compile(r"health-?check", re.IGNORECASE)
_OLD_PROTOCOL = re.compile(r"ntlm|lmhash|desfire|emv|mifare|legacy|rfc3394|keywrap", re.IGNORECASE)
_PYTHON_CLIENTS = re.compile(
    r"^(?:requests|httpx|aiohttp|urllib3|session|self\.session|self\._session|client|self\.client)\b", re.IGNORECASE
)
_SWITCHED_OFF_IN_TEXT = re.compile(
    r"(?P<what>NODE_TLS_REJECT_UNAUTHORIZED[\"']?\s{0,4}[=:]\s{0,4}[\"']?0(?![0-9.])|PYTHONHTTPSVERIFY[\"']?\s{0,4}[=:]\s{0,4}[\"']?0(?![0-9.])|"
    r"GIT_SSL_NO_VERIFY[\"']?\s{0,4}[=:]\s{0,4}[\"']?(?:1|true)\b|npm config set strict-ssl false|"
    r"git config (?:--global )?http\.sslVerify[ =]+false)"
)
_TEXT_ONLY_ENDINGS = (".md", ".mdx", ".rst", ".txt", ".adoc", ".lock", ".snap", ".svg", ".map")


_CONNECTS = re.compile(
    r"(?:Agent|Pool|Client|Sequelize|DataSource|Redis|Cluster|Kafka|Mailer|WebSocket|Connection|Dispatcher)$|"
    r"(?:^|\.)(?:knex|request|get|post|put|patch|delete|connect|fetch|axios|got|create(?:Transport|Pool|Connection|Client)?)$"
)


@refines("crypto.tls-option")
def tls_option(candidate: Candidate) -> Match | None:
    """`rejectUnauthorized: false` or `strictSSL: false`, given to a client that connects with it."""
    return _tls_option(candidate) if _is_told_by_itself(candidate) else None


@refines("crypto.tls-option-elsewhere")
def tls_option_elsewhere(candidate: Candidate) -> Match | None:
    """The same in scripts, where a condition decides or the certificate is looked at, and among values to be overruled."""
    return _tls_option(candidate) if not _is_told_by_itself(candidate) else None


def _is_told_by_itself(candidate: Candidate) -> bool:
    if candidate.file.role is Role.SCRIPT or _LOOKS_AT_IT.search(flow.text_around(candidate.node)[:LONGEST_FUNCTION]):
        return False
    return _connects_with_it(candidate.node)


def _connects_with_it(node: SgNode) -> bool:
    """Whether the option stands in what a client is given, or in values under no condition that may go to one."""
    given = True
    for above in node.ancestors():
        match above.kind():
            case "object" | "pair" | "arguments" | "parenthesized_expression" | "as_expression":
                continue
            case "call_expression" | "new_expression" if given:
                called = above.field("function") or above.field("constructor")
                return called is not None and _CONNECTS.search(called.text()) is not None
            case "if_statement" | "ternary_expression" | "switch_case":
                return False
            case kind if kind in FUNCTION_KINDS:
                break
            case _:
                given = False
    return True


def _tls_option(candidate: Candidate) -> Match | None:
    key, value = candidate.node.field("key"), candidate.node.field("value")
    if key is None or value is None or not _counts(candidate):
        return None
    siblings = candidate.node.parent()
    beside = calls.keys(siblings) if siblings is not None else None
    if beside and "requestCert" in beside:
        return None
    around = siblings.text() if siblings is not None else ""
    if re.search(r"\bhost(?:name)?:\s*[\"'](?:localhost|127\.)", around):
        return None
    name = key.text().strip("\"'")
    whole, base = candidate.node.text(), candidate.node.range().start.index
    fixed = f"{whole[: value.range().start.index - base]}true"
    return candidate.match(
        captures={"option": name}, note=f"`{name}: false` accepts any certificate", replacement=fixed
    )


@refines("crypto.tls-environment")
def tls_environment(candidate: Candidate) -> Match | None:
    """`process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0"`."""
    left, right = candidate.node.field("left"), candidate.node.field("right")
    if left is None or right is None or candidate.file.role is Role.SCRIPT or not _counts(candidate):
        return None
    if not re.fullmatch(
        r"process\.env(?:\.NODE_TLS_REJECT_UNAUTHORIZED|\[[\"']NODE_TLS_REJECT_UNAUTHORIZED[\"']\])", left.text()
    ):
        return None
    if right.text().strip("\"'`") != "0":
        return None
    return candidate.match(
        captures={"option": "NODE_TLS_REJECT_UNAUTHORIZED"},
        note="every TLS connection of the process accepts any certificate",
        why_no_patch="the fix is to delete the statement, and whatever needed it has to be told its authority",
    )


@searches("crypto.tls-text")
def tls_text(file: FileContext) -> Iterable[Match]:
    """Verification switched off in configuration, scripts and images."""
    if file.role in _HARMLESS_ROLES or file.path.lower().endswith(_TEXT_ONLY_ENDINGS) or file.language in _PARSED:
        return
    for found in _SWITCHED_OFF_IN_TEXT.finditer(file.text):
        line = file.lines[file.line_of(found.start()) - 1]
        if re.match(r"\s*(?:#|//|;|rem\b)", line, re.IGNORECASE):
            continue
        name = re.split(r"[\"'=:\s]", found["what"])[0]
        option = name if name.isupper() else found["what"]
        yield Match(
            found.start(),
            found.end(),
            captures={"option": option},
            note="certificates are not checked",
            why_no_patch="the fix is to delete the setting, and whatever needed it has to be told its authority",
        )


_SENDS = re.compile(r"\b(?:auth|headers|data|json|cookies|cert|files)\s*=")
_PARSED = frozenset((*languages.SCRIPT_LANGUAGES, languages.PYTHON))


@refines("crypto.weak-cipher", where=where.outside(_HARMLESS_ROLES))
def weak_cipher(candidate: Candidate) -> Match | None:
    """`createCipher` without an IV, or any cipher in ECB mode, from Node's crypto. Deciphers read what there is already."""
    if _OLD_PROTOCOL.search(candidate.file.path):
        return None
    name = calls.callee(candidate.node)
    head, _, verb = name.rpartition(".")
    given = calls.arguments(candidate.node)
    module = candidate.file.imports.get(head or verb)
    if module != "crypto" or not given:
        return None
    algorithm = (calls.literal_text(given[0]) or "").lower()
    if verb == "createCipher":
        reason = "derives the key with one round of MD5 and uses no IV; Node 22 removed it"
    elif verb == "createCipheriv" and re.search(r"-ecb$", algorithm):
        reason = "encrypts equal blocks to equal blocks"
    else:
        return None
    return candidate.match(
        captures={"cipher": verb if not algorithm.endswith("ecb") else algorithm, "reason": reason}, note=reason
    )


@refines("crypto.python-verify")
def python_verify(candidate: Candidate) -> Match | None:
    """`verify=False` (or aiohttp's `ssl=False`, `verify_ssl=False`) in a call of an HTTP client."""
    if not _counts(candidate) or candidate.file.role is Role.SCRIPT:
        return None
    key, value = candidate.node.field("name"), candidate.node.field("value")
    held = candidate.node.parent()
    call = held.parent() if held is not None else None
    if key is None or value is None or call is None or value.text() != "False" or _only_asks(call):
        return None
    if _says_why(candidate):
        return None
    client = calls.callee(call)
    name, imports = key.text(), candidate.file.imports
    modules = {module.split(".")[0] for module in imports.values()}
    if name == "verify" and not (_PYTHON_CLIENTS.match(client) and modules & {"requests", "httpx"}):
        return None
    if name in ("ssl", "verify_ssl") and not (
        "aiohttp" in modules and re.search(r"(?:TCPConnector|\.(?:get|post|put|patch|delete|request))$", client)
    ):
        return None
    return candidate.match(
        captures={"option": f"{name}=False"},
        note=f"`{name}=False` accepts any certificate",
        replacement=f"{name}=True",
    )


def _says_why(candidate: Candidate) -> bool:
    """Whether a comment stands beside the call or above it; whether its reason holds is a question for a person."""
    line = candidate.file.line_of(candidate.node.range().start.index)
    return any("#" in one for one in candidate.file.lines[max(0, line - 2) : line])


def _only_asks(call: SgNode) -> bool:
    """Whether nothing is sent along and the answer is dropped: a look whether somebody is there."""
    above = call.parent()
    return above is not None and above.kind() == "expression_statement" and not _SENDS.search(call.text())


@refines("crypto.python-context")
def python_context(candidate: Candidate) -> Match | None:
    """`ssl._create_unverified_context`, or a context told not to ask for a certificate."""
    if not _counts(candidate) or candidate.file.role is Role.SCRIPT or candidate.file.imports.get("ssl") != "ssl":
        return None
    text = re.sub(r"\s+", " ", candidate.node.text())
    if candidate.node.kind() == "assignment" and not re.search(
        r"\.verify_mode = ssl\.CERT_NONE$|= ssl\._create_unverified_context$", text
    ):
        return None
    option = "ssl.CERT_NONE" if text.endswith("CERT_NONE") else "ssl._create_unverified_context"
    return candidate.match(
        captures={"option": option},
        note=f"`{option}` accepts any certificate",
        why_no_patch="the right one depends on the authority that signs the peer: `ssl.create_default_context(cafile=…)`",
    )


@refines("crypto.python-ecb", where=where.outside(_HARMLESS_ROLES))
def python_ecb(candidate: Candidate) -> Match | None:
    """ECB mode in PyCryptodome or cryptography."""
    modules = {module.split(".")[0] for module in candidate.file.imports.values()}
    if not modules & {"Crypto", "Cryptodome", "cryptography"}:
        return None
    return candidate.match(
        captures={"cipher": candidate.node.text(), "reason": "encrypts equal blocks to equal blocks"},
        note="ECB encrypts equal blocks to equal blocks",
    )


def _counts(candidate: Candidate) -> bool:
    if candidate.file.role in _HARMLESS_ROLES or _ASKS_ITSELF.search(candidate.file.path):
        return False
    return not only_in_development(candidate.node)


def only_in_development(node: SgNode) -> bool:
    """Whether a condition around the node speaks of development, tests or an explicit wish for less safety."""
    for above in node.ancestors():
        match above.kind():
            case "if_statement" | "ternary_expression" | "conditional_expression" | "elif_clause":
                condition = above.field("condition")
                if _DEVELOPMENT.search(condition.text() if condition is not None else above.text()[:200]):
                    return True
            case "switch_case":
                value = above.field("value")
                if value is not None and _DEVELOPMENT.search(value.text()):
                    return True
            case "binary_expression" if re.search(r"&&|\|\|", above.text()):
                left = above.field("left")
                if left is not None and _DEVELOPMENT.search(left.text()):
                    return True
            case _:
                continue
    return False
