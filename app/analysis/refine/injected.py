"""What the steps about injection share: where they look, and how they tell what they found."""

from __future__ import annotations

import re

from app.analysis import where
from app.analysis.context import Candidate, Match
from app.analysis.roles import Role

LONGEST_SHOWN = 80
CONSTANT = re.compile(
    r"^(?:[A-Z][A-Z0-9_]*|[\w.]*\.[A-Z][A-Z0-9_]+|\d[\d_.]*|this\.tableName|[\w.]*[tT]able(?:Name)?)$"
)
IN_PROGRAMS = where.outside((Role.TEST, Role.EXAMPLE, Role.CLIENT))
OUTSIDE_SCRIPTS = where.outside((Role.TEST, Role.EXAMPLE, Role.CLIENT, Role.SCRIPT))

_LAST_NAME = re.compile(r"[A-Za-z_][\w-]*(?=[\"'\])]*$)")
"""Of a source: `next` in `req.query.next` and in `request.args["next"]`."""


def told(candidate: Candidate, source: str, what: str) -> Match:
    """The match of a call to which a value gets that should not get there so."""
    shown = re.sub(r"\s+", " ", source)
    shown = shown if len(shown) <= LONGEST_SHOWN else f"{shown[: LONGEST_SHOWN - 1]}…"
    start, last = candidate.node.range().start.index, _LAST_NAME.search(source)
    return candidate.match(
        captures={"source": shown, "parameter": last[0] if last is not None else "value"},
        note=f"`{shown}` {what}",
        why_no_patch="which values are right here is this service's knowledge",
        focus=(start, min(candidate.node.range().end.index, start + 600)),
    )
