"""Rule `time-utc`: local parts of a time, seconds mixed with milliseconds, durations from a clock that is corrected."""

from __future__ import annotations

import re

from app.analysis import calls, where
from app.analysis.context import Candidate, Match, enclosing_function, function_name
from app.analysis.refine import refines
from app.analysis.roles import Role

_SHOWN = re.compile(r"format|display|render|print|label|text|greet|pretty|human|file_?name|log", re.IGNORECASE)


@refines("time-utc.token-in-milliseconds", where=where.outside((Role.TEST, Role.EXAMPLE)))
def token_in_milliseconds(candidate: Candidate) -> Match | None:
    """`exp: Date.now() + …`, where a token counts in seconds."""
    key, value = candidate.node.field("key"), candidate.node.field("value")
    if key is None or value is None or key.text().strip("\"'") not in ("exp", "nbf", "iat"):
        return None
    text = re.sub(r"\s+", "", value.text())
    if not re.match(
        r"(?:\+?newDate\(\)(?:\.getTime\(\))?|Date\.now\(\)|newDate\(\)\.valueOf\(\))(?:$|[+\-*])", text
    ) or re.search(r"/1_?000|/1e3", text):
        return None
    if not re.search(r"jwt|jsonwebtoken|jose|\bclaims\b", candidate.file.text, re.IGNORECASE):
        return None
    if re.search(r"Date\.now\(\)\s*[<>]=?\s*[\w.]*\.exp\b|\.exp\s*[<>]=?\s*Date\.now\(\)", candidate.file.text):
        return None
    return candidate.match(
        captures={"claim": key.text()},
        note=f"`{key.text()}` counts seconds, and this is milliseconds",
        why_no_patch="the whole sum has to be turned into seconds, and what is added may be in either unit",
    )


@refines("time-utc.local-parts", where=where.only(Role.SERVER))
def local_parts(candidate: Candidate) -> Match | None:
    """Local parts of a time in a service's code, where they decide something."""
    if _SHOWN.search(function_name(enclosing_function(candidate.node))):
        return None
    function = candidate.node.field("function")
    verb = function.field("property") if function is not None else None
    if verb is None or (calls.arguments(candidate.node) and verb.text().startswith("get")):
        return None
    return candidate.match(captures={"call": verb.text()}, note=f"`{verb.text()}` answers in the zone of the machine")


@refines("time-utc.wall-clock-duration", where=where.only(Role.SERVER))
def wall_clock_duration(candidate: Candidate) -> Match | None:
    """`Date.now() - started` in a service's code."""
    left, right = candidate.node.field("left"), candidate.node.field("right")
    if left is None or right is None:
        return None
    if re.sub(r"\s+", "", left.text()) != "Date.now()" or not re.search(
        r"start|began|begin|t0|before", right.text(), re.IGNORECASE
    ):
        return None
    return candidate.match(note="a duration from the wall clock is wrong when the clock is corrected meanwhile")


@refines("time-utc.python-naive", where=where.outside((Role.TEST, Role.EXAMPLE, Role.SCRIPT)))
def python_naive(candidate: Candidate) -> Match | None:
    """`datetime.now()` or `utcnow()` without a zone."""
    name, given = calls.callee(candidate.node), calls.arguments(candidate.node)
    verb = name.rpartition(".")[2]
    if given and verb in ("now", "utcnow"):
        return None
    if verb == "fromtimestamp" and len(given) != 1:
        return None
    if candidate.file.imports.get(name.split(".")[0], "").split(".")[0] != "datetime":
        return None
    zone = "UTC but does not say so" if verb.startswith("utc") else "the zone of the machine"
    return candidate.match(captures={"call": name}, note=f"`{name}` gives a time without a zone: {zone}")
