"""Rule `crypto`, its values: tokens from a weak generator, passwords under a quick hash, keys and vectors that never change."""

from __future__ import annotations

import re

from ast_grep_py import SgNode

from app.analysis import calls, flow, where
from app.analysis.context import FUNCTION_KINDS, Candidate, Match, enclosing_function, function_name
from app.analysis.refine import refines
from app.analysis.roles import Role

_QUIET = frozenset((Role.TEST, Role.EXAMPLE))
_SECRET_NAME = re.compile(
    r"(?:^|_|(?<=[a-z]))(?:token|secret|password|passwd|otp|salt|api_?key|csrf|verification_?code|reset_?code|invite_?code|"
    r"access_?code|pin_?code|auth_?code|recovery_?code)s?$",
    re.IGNORECASE,
)
_NOT_A_SECRET = re.compile(
    r"max|count|limit|length|tokens$|usage|cancel|placeholder|color|index|mock|fake|dummy|sample", re.IGNORECASE
)
_PASSWORD = re.compile(r"(?:^|[._\[\"'(]|(?<=[a-z]))(?:password|passwd|passphrase|pwd)\b", re.IGNORECASE)
_QUICK = frozenset(("md5", "sha1", "sha-1", "sha256", "sha-256", "sha512", "sha-512", "md4", "ripemd160"))
_DIGEST = re.compile(r"\.digest\(\s*[\"'`](?:hex|base64(?:url)?)[\"'`]\s*\)")
_SIGNATURE = re.compile(r"signature|hmac|digest|hash|mac$|sig$", re.IGNORECASE)
LEAST_ROUNDS = 10


@refines("crypto.random-secret", where=where.outside((*_QUIET, Role.CLIENT, Role.SCRIPT)))
def random_secret(candidate: Candidate) -> Match | None:
    """`Math.random()` that ends up under a name which says that nobody may guess it."""
    name = _destination(candidate.node)
    if re.search(r"faker|dummy|sample|seed|mock|predefined|variables", candidate.file.path, re.IGNORECASE):
        return None
    if name is None or not _SECRET_NAME.search(name) or _NOT_A_SECRET.search(name):
        return None
    return candidate.match(
        captures={"name": name},
        note=f"`{name}` comes from a generator whose next value can be computed",
        why_no_patch="how long the value is and which letters it may have is decided around this call",
    )


@refines("crypto.quick-password-hash", where=where.outside(_QUIET))
def quick_password_hash(candidate: Candidate) -> Match | None:
    """A password given to a hash that is made to be quick."""
    if candidate.file.role is Role.CLIENT:
        return None
    given, name = calls.arguments(candidate.node), calls.callee(candidate.node)
    if not given or not _PASSWORD.search(given[0].text()) or calls.literal_text(given[0]) is not None:
        return None
    made = (
        re.search(r"createHash\(\s*[\"'`]([\w-]+)[\"'`]\s*\)\.update$", name)
        or re.search(r"hashlib\.(\w+)$", name)
        or re.match(r"(md5|sha1|sha256)$", name)
    )
    if made is None or made[1].lower() not in _QUICK:
        return None
    if _is_first_step(candidate.node):
        return None
    around = function_name(enclosing_function(candidate.node))
    if re.search(
        r"pwned|hibp|breach|leak|legacy|migrat|compat|gravatar|cache|key",
        f"{around} {candidate.file.path}",
        re.IGNORECASE,
    ):
        return None
    if re.search(r"pwnedpasswords|pbkdf2|scrypt|bcrypt|argon2", candidate.file.text):
        return None
    return candidate.match(
        captures={"hash": made[1], "value": given[0].text()},
        note=f"`{made[1]}` of a password is guessed at billions of tries a second",
        why_no_patch="hashes that are stored already have to be carried over at the next sign-in",
    )


_OPENS_SOMETHING = re.compile(
    r"pass|pwd|secret|token|credential|user|login|auth|account|code|\bpin\b|otp", re.IGNORECASE
)


@refines("crypto.few-rounds", where=where.outside(_QUIET))
def few_rounds(candidate: Candidate) -> Match | None:
    """Bcrypt with fewer rounds than ten."""
    head, _, verb = calls.callee(candidate.node).rpartition(".")
    if candidate.file.imports.get(head or verb, "") not in (
        "bcrypt",
        "bcryptjs",
        "bcrypt-nodejs",
    ):
        return None
    given = calls.arguments(candidate.node)
    position = 0 if verb.startswith("genSalt") else 1
    if len(given) <= position or given[position].kind() != "number" or not given[position].text().isdigit():
        return None
    rounds, whole = int(given[position].text()), candidate.node.text()
    if position and calls.literal_text(given[0]) is not None:
        # Somebody invented for a demonstration.
        return None
    if rounds >= LEAST_ROUNDS or not re.match(r"hash|genSalt", verb):
        return None
    if position and not _OPENS_SOMETHING.search(f"{candidate.file.path} {whole} {flow.text_around(candidate.node)}"):
        # What is hashed is the id of something, and slow hashing would only cost time.
        return None
    number, base = given[position].range(), candidate.node.range().start.index
    return candidate.match(
        captures={"rounds": str(rounds), "call": calls.callee(candidate.node)},
        note=f"{rounds} rounds of bcrypt are {2 ** (LEAST_ROUNDS - rounds)} times quicker to guess than ten",
        replacement=f"{whole[: number.start.index - base]}12{whole[number.end.index - base :]}",
    )


@refines("crypto.constant-vector", where=where.outside(_QUIET))
def constant_vector(candidate: Candidate) -> Match | None:
    """A cipher whose initialisation vector is a literal, or a buffer of zeros."""
    head, _, verb = calls.callee(candidate.node).rpartition(".")
    given = calls.arguments(candidate.node)
    if candidate.file.imports.get(head or verb) != "crypto" or verb != "createCipheriv" or len(given) < 3:
        return None
    if "ecb" in given[0].text().lower() or not _is_constant(given[2], candidate):
        return None
    return candidate.match(
        captures={"vector": " ".join(given[2].text().split())},
        note="the initialisation vector never changes",
        why_no_patch="the vector has to be stored beside the text, and what is stored already needs the old one",
    )


@refines("crypto.compared-signature", where=where.outside((*_QUIET, Role.CLIENT, Role.SCRIPT)))
def compared_signature(candidate: Candidate) -> Match | None:
    """A signature computed here and compared with `===`, which takes longer the more of it is right."""
    left, right = candidate.node.field("left"), candidate.node.field("right")
    operator = next((child.text() for child in candidate.node.children() if not child.is_named()), "")
    if left is None or right is None or operator not in ("===", "!==", "==", "!="):
        return None
    computed, other = (left, right) if _is_digest(left, candidate) else (right, left)
    if not _is_digest(computed, candidate) or other.kind() in (
        "string",
        "null",
        "undefined",
        "number",
        "true",
        "false",
    ):
        return None
    if _is_digest(other, candidate) or not re.search(
        r"sig|hmac|mac|header|hub|x-|token|digest", other.text(), re.IGNORECASE
    ):
        return None
    return candidate.match(
        captures={"computed": " ".join(computed.text().split()), "other": other.text(), "operator": operator},
        note=f"`{operator}` stops at the first letter that differs, which a sender can measure",
        why_no_patch="both sides have to become buffers of the same length first",
    )


@refines("crypto.python-random-secret", where=where.outside(_QUIET))
def python_random_secret(candidate: Candidate) -> Match | None:
    """`random` where `secrets` belongs."""
    head = calls.callee(candidate.node).partition(".")[0]
    if candidate.file.imports.get(head) != "random":
        return None
    name = next(
        (
            left.text()
            for above in candidate.node.ancestors()
            if above.kind() == "assignment" and (left := above.field("left")) is not None
        ),
        "",
    )
    function = function_name(enclosing_function(candidate.node))
    name = name.rpartition(".")[2]
    shown = name if _SECRET_NAME.search(name) else function
    if not _SECRET_NAME.search(shown) or _NOT_A_SECRET.search(shown) or "SystemRandom" in candidate.file.text:
        return None
    return candidate.match(
        captures={"name": shown, "call": calls.callee(candidate.node)},
        note=f"`{shown}` comes from a generator whose next value can be computed",
        why_no_patch="how long the value is and which letters it may have is decided around this call",
    )


@refines("crypto.secure-headers", where=where.only(Role.SERVER))
def secure_headers(candidate: Candidate) -> Match | None:
    """An Express service that listens, in a file that sets none of the headers which browsers guard people by."""
    text = candidate.file.text
    if candidate.file.imports.get("express") != "express" or ".listen(" not in text:
        return None
    if re.search(
        r"helmet|strict-transport-security|content-security-policy|lusca|x-content-type-options", text, re.IGNORECASE
    ):
        return None
    return candidate.match(note="no header that makes browsers keep to TLS, types and frames is set in this file")


def _is_first_step(node: SgNode) -> bool:
    """Whether the quick hash takes the password's own place, as it does before a slow one that reads few bytes."""
    for above in node.ancestors():
        if above.kind() in ("assignment_expression", "assignment"):
            left = above.field("left")
            return left is not None and _PASSWORD.search(left.text()) is not None
        if above.kind() in FUNCTION_KINDS:
            return False
    return False


def _destination(node: SgNode) -> str | None:
    """The name under which a value ends up: of a variable, a key, or the function that returns it."""
    for above in node.ancestors():
        match above.kind():
            case "variable_declarator":
                return _last_name(above.field("name"))
            case "assignment_expression":
                return _last_name(above.field("left"))
            case "augmented_assignment_expression":
                return _last_name(above.field("left"))
            case "pair":
                return _last_name(above.field("key"))
            case "return_statement":
                return (
                    re.sub(
                        r"^(?:generate|create|make|new|get|random)_?",
                        "",
                        function_name(enclosing_function(above)),
                        flags=re.IGNORECASE,
                    )
                    or None
                )
            case "subscript_expression" | "if_statement" | "statement_block":
                return None
            case kind if kind in FUNCTION_KINDS:
                return None
            case _:
                continue
    return None


def _last_name(node: SgNode | None) -> str | None:
    return re.split(r"[.\[]", node.text())[-1].strip("\"']") if node is not None and len(node.text()) < 80 else None


def _is_constant(vector: SgNode, candidate: Candidate) -> bool:
    text = re.sub(r"\s+", "", vector.text())
    if vector.kind() == "identifier":
        declared = re.search(rf"\bconst\s+{re.escape(vector.text())}\s*=\s*([^;\n]+)", candidate.file.text)
        text = re.sub(r"\s+", "", declared[1]) if declared is not None else ""
    return (
        re.fullmatch(
            r"Buffer\.alloc\(\d+(?:,0)?\)|Buffer\.from\([\"'`][^\"'`$]*[\"'`](?:,[\"'`]\w+[\"'`])?\)|[\"'`][^\"'`$]{4,}[\"'`]|newUint8Array\(\d+\)",
            text,
        )
        is not None
    )


def _is_digest(node: SgNode, candidate: Candidate) -> bool:
    """Whether a value is the hex or base64 text of an HMAC that this code computes."""
    text = node.text()
    if (
        node.kind() == "identifier"
        and _SIGNATURE.search(text) is None
        and not re.search(r"expected|computed|calculated", text, re.IGNORECASE)
    ):
        return False
    if node.kind() == "identifier":
        function = enclosing_function(node)
        declared = re.search(
            rf"\b(?:const|let|var)\s+{re.escape(text)}(?:\s*:\s*string)?\s*=\s*([\s\S]{{0,400}}?);",
            function.text() if function is not None else "",
        )
        text = declared[1] if declared is not None else ""
    return "createHmac(" in text and _DIGEST.search(text) is not None
