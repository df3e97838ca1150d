"""Rules `secrets` and `data-min`: literals where a key belongs, defaults for secrets, and secrets or people in a log."""

from __future__ import annotations

import re

from ast_grep_py import SgNode

from app.analysis import calls, flow, needed, where
from app.analysis.context import Candidate, Match, enclosing_function, function_name
from app.analysis.refine import refines
from app.analysis.refine.crypto import only_in_development
from app.analysis.roles import Role
from app.core import secrets
from app.core.secrets import Certainty, Secret

_QUIET = frozenset((Role.TEST, Role.EXAMPLE, Role.CLIENT))
_SECRET_VARIABLE = re.compile(
    r"(?:SECRET|SECRET_KEY|PASSWORD|PASSWD|PRIVATE_KEY|SIGNING_KEY|ENCRYPTION_KEY|API_KEY|AUTH_TOKEN|ACCESS_TOKEN|JWT_KEY|SESSION_KEY|SALT)(?:_\d+)?$"
)
_HARMLESS_DEFAULT = re.compile(
    r"^(?:|undefined|null|none|test|dummy|unset|not[-_ ]?(?:set|used|needed|required)|missing|empty|x+|\*+|<.*>|"
    r".*your[-_ ].*|process\.env.*)$",
    re.IGNORECASE,
)
_LOGGER = re.compile(
    r"^(?:console|(?:this\.)?_?(?:log|logger)|(?:req|request|fastify|app|server|ctx)\.log(?:ger)?|winston|pino|Sentry)\.(?:log|info|debug|warn|error|trace|fatal|verbose|silly|captureMessage)$"
)
_ANSWERS = re.compile(r"(?:res|response|reply)(?:\.status\(\d+\))?\.(?:json|send)$")
_PYTHON_LOGGER = re.compile(
    r"^(?:print|(?:self\.)?_?(?:log|logger|logging|LOG|LOGGER)\.(?:info|debug|warning|error|critical|exception|warn))$"
)
_SECRET_WORD = re.compile(
    r"(?:^|[._])(?:password|passwd|accessToken|access_token|refreshToken|refresh_token|clientSecret|client_secret|privateKey|private_key|apiSecret|api_secret|"
    r"jwtSecret|sessionToken|authToken|auth_token|secretKey|secret_key|cardNumber|cvv)$"
)
_LOGGERS = needed.names(_LOGGER) | needed.names(_PYTHON_LOGGER)
_WHOLE_REQUEST = re.compile(
    r"(?:JSON\.stringify\()?((?:req|request|ctx|ctx\.request|event)\.(?:body|headers|rawHeaders|cookies|json|form|data))(?:\s*,[^()]*)?\)?"
)
_ONLY_HASHES = re.compile(r"hash|digest|fingerprint|etag|checksum|cache", re.IGNORECASE)
LINES_BESIDE = 8
_GUARDS_THIS = re.compile(
    r"(?:^|_)(?:JWT|SESSION|COOKIE|CSRF|ENCRYPTION|CRYPTO|SIGN|SIGNING|SIGNATURE|HASH|HMAC|ADMIN|SUPER|SUPERUSER|ROOT|MASTER|STATE|STORAGE)_|"
    r"^(?:APP_|API_|AUTH_|SERVER_|NEXTAUTH_|BETTER_AUTH_)?(?:SECRET|SECRET_KEY|TOKEN_SECRET|SALT)$"
)
"""Says that the value guards the service's own doors."""
_OF_A_STORE = re.compile(
    r"(?:^|_)(?:DB|DATABASE|PG|POSTGRES\w*|MYSQL|MARIADB|MONGO\w*|REDIS|TYPEORM|SMTP|E?MAIL)_(?:\w+_)?PASSW(?:OR)?D$"
)
_SAYS_ON_PURPOSE = re.compile(
    r"\b(?:default|initial|generated|temporary|one-?time|development|redacted)\b", re.IGNORECASE
)
"""Of what a line logs: a password that a person has to read there once."""
_SESSIONS = frozenset(
    ("express-session", "cookie-session", "koa-session", "@fastify/session", "@fastify/secure-session")
)
_KEYED = _SESSIONS | {"jsonwebtoken", "crypto", "cookie-parser"}
"""Modules whose functions take a key."""
_KEY_POSITION = re.compile(r"(?:^|\.)(?:sign|verify)$")


@refines("secrets.literal-key", where=where.outside(_QUIET), needs=(needed.imports(_KEYED),))
def literal_key(candidate: Candidate) -> Match | None:
    """A literal where a signing key belongs: `jwt.sign(claims, "…")`, `session({ secret: "…" })`, `createHmac("sha256", "…")`."""
    head, _, verb = calls.callee(candidate.node).rpartition(".")
    module = candidate.file.imports.get(head or verb, "")
    if module not in _KEYED:
        return None
    given, around = calls.arguments(candidate.node), function_name(enclosing_function(candidate.node))
    value, use = _key_argument(module, verb, given, around=around)
    if value is None:
        return None
    value = _literal(value, candidate)
    text = calls.literal_text(value) if value is not None else None
    if value is None or text is None or len(text) < 3 or "${" in text:
        return None
    if re.search(r"-----BEGIN (?:RSA |EC )?PUBLIC|\.pem$", text):
        return None
    where = value.range()
    return Match(
        where.start.index,
        where.end.index,
        captures={"use": use, "call": calls.callee(candidate.node)},
        note=f"the key that {use} is a literal",
        quote=_masked(candidate, value, around=value),
        why_no_patch="the value has to be replaced where it is used already, and a patch would repeat it here",
    )


@refines("secrets.default", where=where.outside((*_QUIET, Role.SCRIPT)))
def default(candidate: Candidate) -> Match | None:
    """`process.env.JWT_SECRET || "literal"` for what this service itself trusts: keys that sign, seal and let people in."""
    return _default_of(candidate, guards=True)


@refines("secrets.default-elsewhere", where=where.outside((*_QUIET, Role.SCRIPT)))
def default_elsewhere(candidate: Candidate) -> Match | None:
    """The same for what is shown to another service, which refuses a made-up value, or whose use its name does not say."""
    return _default_of(candidate, guards=False)


def _default_of(candidate: Candidate, *, guards: bool) -> Match | None:
    left, right = candidate.node.field("left"), candidate.node.field("right")
    operator = next((child.text() for child in candidate.node.children() if not child.is_named()), "")
    if left is None or right is None or operator not in ("||", "??"):
        return None
    named = re.fullmatch(r"process\.env(?:\.(\w+)|\[[\"'](\w+)[\"']\])!?", left.text())
    text = calls.literal_text(right)
    if named is None or text is None or _HARMLESS_DEFAULT.match(text):
        return None
    name = named[1] or named[2]
    if (
        not _SECRET_VARIABLE.search(name)
        or only_in_development(candidate.node)
        or _is_for_this_machine(candidate, name)
    ):
        return None
    return _default(candidate, name, right) if guards is (_GUARDS_THIS.search(name) is not None) else None


@refines("secrets.python-default", where=where.outside((*_QUIET, Role.SCRIPT)))
def python_default(candidate: Candidate) -> Match | None:
    """`os.environ.get("SECRET_KEY", "literal")`."""
    given = calls.arguments(candidate.node)
    if len(given) != 2:
        return None
    name, text = calls.literal_text(given[0]), calls.literal_text(given[1])
    if name is None or text is None or not _SECRET_VARIABLE.search(name) or _HARMLESS_DEFAULT.match(text):
        return None
    return _default(candidate, name, given[1])


@refines(
    "secrets.logged",
    where=where.outside((*_QUIET, Role.SCRIPT)),
    needs=(_LOGGERS, needed.names(_SECRET_WORD)),
)
def logged(candidate: Candidate) -> Match | None:
    """A password, token or key among the arguments of a logger."""
    name = calls.callee(candidate.node)
    if not (_LOGGER.match(name) or (candidate.file.language == "python" and _PYTHON_LOGGER.match(name))):
        return None
    for value in _values(candidate.node):
        text = value.text()
        if _SECRET_WORD.search(text) and _SAYS_ON_PURPOSE.search(candidate.node.text()):
            return None
        if _SECRET_WORD.search(text) and not re.search(r"\.length$|^!|typeof|mask|redact|hidden", text, re.IGNORECASE):
            return candidate.match(
                captures={"value": text, "call": name},
                note=f"`{text}` is written to the log",
                why_no_patch="what the line needs instead (an id, a length, nothing) depends on who reads it",
            )
    return None


@refines("data-min.logged-request", where=where.served, needs=(_LOGGERS, needed.names(_WHOLE_REQUEST)))
def logged_request(candidate: Candidate) -> Match | None:
    """The whole body or all headers of a request given to a logger."""
    name = calls.callee(candidate.node)
    if not (_LOGGER.match(name) or (candidate.file.language == "python" and _PYTHON_LOGGER.match(name))):
        return None
    if only_in_development(candidate.node):
        return None
    for value in _values(candidate.node):
        whole = _WHOLE_REQUEST.fullmatch(value.text())
        if whole is None:
            continue
        return candidate.match(
            captures={"value": whole[1], "call": name},
            note=f"all of `{whole[1]}` is written to the log, with whatever people sent",
            why_no_patch="which fields the line needs depends on who reads it",
        )
    return None


@refines("data-min.whole-person", where=where.only(Role.SERVER))
def whole_person(candidate: Candidate) -> Match | None:
    """A whole user record given to a logger or sent as the answer."""
    name = calls.callee(candidate.node)
    if not (_LOGGER.match(name) or _ANSWERS.match(name)):
        return None
    for value in _values(candidate.node):
        text = value.text()
        if re.fullmatch(
            r"(?:\w+\.)?(?:user|users|customer|customers|account|profile|patient|employee)", text
        ) and value.kind() in ("identifier", "member_expression", "shorthand_property_identifier"):
            declared = flow.declaration(text, candidate.node) if value.kind() == "identifier" else None
            if declared is not None and re.search(
                r"select|pick|omit|toPublic|serialize|sanitize|toJSON|present|dto", declared.text(), re.IGNORECASE
            ):
                continue
            return candidate.match(
                captures={"value": text, "call": name}, note=f"all fields of `{text}` go to `{name}`"
            )
    return None


def _is_for_this_machine(candidate: Candidate, name: str) -> bool:
    """Whether the password goes to a store or a mail server on the developer's own machine, as the host beside it says."""
    line = candidate.file.line_of(candidate.node.range().start.index)
    around = "\n".join(candidate.file.lines[max(0, line - LINES_BESIDE) : line + LINES_BESIDE])
    return _OF_A_STORE.search(name) is not None and re.search(r"localhost|127\.0\.0\.1", around) is not None


def _default(candidate: Candidate, name: str, literal: SgNode) -> Match:
    return candidate.match(
        captures={"name": name},
        note=f"where `{name}` is not set, a value that everybody can read in the source takes its place",
        quote=_masked(candidate, literal, around=candidate.node),
        why_no_patch="what this service does without the value (refuse to start) belongs to its configuration",
    )


def _masked(candidate: Candidate, literal: SgNode, *, around: SgNode) -> str:
    """The lines of the match with the literal's text masked."""
    where, file = literal.range(), candidate.file
    node = around.range()
    first, last = file.line_of(node.start.index), file.line_of(max(node.start.index, node.end.index - 1))
    lines = "\n".join(file.lines[first - 1 : last])
    start = file.start_of(first)
    shown = Secret("secret", where.start.index + 1 - start, where.end.index - 1 - start, Certainty.LIKELY)
    return secrets.mask(lines, (shown,))


def _key_argument(module: str, verb: str, given: list[SgNode], *, around: str) -> tuple[SgNode | None, str]:
    if module == "jsonwebtoken" and _KEY_POSITION.search(verb) and len(given) >= 2:
        return given[1], "signs and checks tokens"
    if module == "crypto" and verb == "createHmac" and len(given) == 2 and not _ONLY_HASHES.search(around):
        return given[1], "makes the signature"
    if module == "crypto" and verb in ("createCipheriv", "createDecipheriv") and len(given) >= 2:
        return _inside_buffer(given[1]), "encrypts"
    if module in _SESSIONS and given and given[0].kind() == "object":
        return calls.value_of(given[0], "secret") or calls.value_of(given[0], "keys"), "signs session cookies"
    if module == "cookie-parser" and given:
        return given[0], "signs cookies"
    return None, ""


def _inside_buffer(value: SgNode) -> SgNode:
    given = calls.arguments(value) if value.kind() == "call_expression" and calls.callee(value) == "Buffer.from" else []
    return given[0] if given else value


def _literal(value: SgNode, candidate: Candidate) -> SgNode | None:
    """The literal that a key is: itself, or that of a constant of this file."""
    if value.kind() == "array":
        value = next((child for child in value.children() if child.is_named()), value)
    if value.kind() == "identifier":
        declared = flow.declaration(value.text(), candidate.node)
        return declared if declared is not None and declared.kind() == "string" else None
    return value if value.kind() in ("string", "template_string") else None


def _values(call: SgNode) -> list[SgNode]:
    """The values a logging call writes: its arguments, what stands in templates and joins, and the members of objects."""
    found: list[SgNode] = []
    for given in calls.arguments(call):
        match given.kind():
            case "template_string" | "string":
                for part in given.children():
                    if part.kind() in ("template_substitution", "interpolation"):
                        found += [child for child in part.children() if child.is_named()]
            case "binary_expression" | "binary_operator":
                found += [side for side in (given.field("left"), given.field("right")) if side is not None]
            case "object":
                for pair in given.children():
                    if pair.kind() == "pair" and (value := pair.field("value")) is not None:
                        found.append(value)
                    elif pair.kind() == "shorthand_property_identifier":
                        found.append(pair)
            case _:
                found.append(given)
    return found
