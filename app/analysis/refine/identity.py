"""Rules `id-generation` and `idempotency`: ids from a clock, chance or a count, and keys made anew for each try."""

from __future__ import annotations

import re

from app.analysis import calls, where
from app.analysis.context import FUNCTION_KINDS, Candidate, Match
from app.analysis.refine import refines
from app.analysis.roles import Role

_ID = re.compile(r"^(?:_id|id|uuid|uid|\w+Id|\w+_id)$")
_NOT_STORED = re.compile(
    r"request|correlation|trace|socket|timer|interval|timeout|toast|temp|tmp|client|animation|html|element|render",
    re.IGNORECASE,
)
_FRESH = re.compile(r"randomUUID\(|uuid(?:v4)?\(|nanoid\(|ulid\(|Date\.now\(|Math\.random\(")
_LOOPS = frozenset(("for_statement", "for_in_statement", "while_statement", "do_statement"))


@refines("id-generation.clock", where=where.only(Role.SERVER))
def clock(candidate: Candidate) -> Match | None:
    """An id that is the time in milliseconds."""
    name, text = _named(candidate)
    if name is None or not re.fullmatch(
        r"(?:String\()?(?:\+?newDate\(\)(?:\.getTime\(\))?|Date\.now\(\))\)?(?:\.toString\(\d*\))?|`[\w-]*\$\{Date\.now\(\)\}`|[\"'][\w-]*[\"']\+Date\.now\(\)",
        text,
    ):
        return None
    return candidate.match(
        captures={"name": name},
        note=f"two calls in one millisecond get the same `{name}`",
        why_no_patch="the type of the id is fixed by what is stored already",
    )


@refines("id-generation.count", where=where.only(Role.SERVER))
def count(candidate: Candidate) -> Match | None:
    """An id that is the length of a list plus one."""
    name, text = _named(candidate)
    if name is None or not re.fullmatch(r"(?:String\()?[\w.$]+\.length\+1\)?(?:\.toString\(\))?", text):
        return None
    return candidate.match(
        captures={"name": name, "value": text},
        note=f"`{text}` is given again after a removal, and twice by two requests",
        why_no_patch="where ids come from is this service's decision",
    )


@refines("id-generation.chance", where=where.only(Role.SERVER))
def chance(candidate: Candidate) -> Match | None:
    """An id from `Math.random()`."""
    name, text = _named(candidate)
    if name is None or "Math.random()" not in text:
        return None
    return candidate.match(
        captures={"name": name}, note=f"`{name}` comes from `Math.random()`: few values, and nothing keeps them apart"
    )


@refines("idempotency.fresh-key", where=where.served)
def fresh_key(candidate: Candidate) -> Match | None:
    """An idempotency key made inside the loop or callback that tries again, or from the clock."""
    key, value = candidate.node.field("key"), candidate.node.field("value")
    if key is None or value is None:
        return None
    if not re.search(r"idempoten", key.text(), re.IGNORECASE) or not _FRESH.search(value.text()):
        return None
    if value.kind() == "object" or re.search(r"\?\?|\|\|", value.text()):
        # A key of the caller's comes first.
        return None
    if "Date.now(" in value.text() and re.fullmatch(r"[^$+]*Date\.now\(\)[^$+]*", value.text()):
        return candidate.match(
            captures={"key": key.text()},
            note=f"`{key.text()}` is another one each millisecond",
            why_no_patch="the key has to be made where the request is first accepted, and kept with it",
        )
    for above in candidate.node.ancestors():
        retried = above.kind() == "call_expression" and re.search(
            r"retr(?:y|ies)|backoff|attempt", calls.callee(above), re.IGNORECASE
        )
        counts = above.kind() in _LOOPS and re.search(
            r"attempt|retr|tries|true", above.text().split("{", 1)[0], re.IGNORECASE
        )
        if retried or counts:
            return candidate.match(
                captures={"key": key.text()},
                note=f"each try sends another `{key.text()}`, so the other side takes each for a new request",
                why_no_patch="the key has to be made before the first try, and kept",
            )
        if above.kind() in ("function_declaration", "method_definition"):
            return None
    return None


@refines("idempotency.charge-without-key", where=where.served)
def charge_without_key(candidate: Candidate) -> Match | None:
    """A charge at Stripe without an idempotency key."""
    name, given = calls.callee(candidate.node), calls.arguments(candidate.node)
    if not re.search(
        r"(?:^|\.)stripe\w*\.(?:charges|paymentIntents|refunds|transfers|payouts|invoices|subscriptions)\.create$",
        name,
        re.IGNORECASE,
    ):
        return None
    if any("idempotencyKey" in one.text() for one in given[1:]) or len(given) > 1:
        return None
    return candidate.match(captures={"call": name}, note=f"a repeat of `{name}` after a lost answer takes effect twice")


def _named(candidate: Candidate) -> tuple[str | None, str]:
    """The name of an id and the text that it is set to, without spaces; no name where it is none that is stored."""
    key, value = candidate.node.field("key"), candidate.node.field("value")
    name = key.text().strip("\"'") if key is not None else ""
    if value is None or not _ID.match(name) or _NOT_STORED.search(name) or value.kind() in FUNCTION_KINDS:
        return None, ""
    object_text = above.text() if (above := candidate.node.parent()) is not None else ""
    if re.search(r"\burl\s*:|jsonrpc|\bmethod\s*:", object_text):
        return None, ""
    return name, re.sub(r"\s+", "", value.text())
