"""What a review did not look at, left out, or left to others, and why: the lines that stand below what it found."""

from __future__ import annotations

import re
from collections.abc import Sequence

from app.core import gate
from app.core.change import Skipped
from app.core.report import NotReviewed, Review
from app.core.silence import LONGEST_REASON, Silenced
from app.core.telling import place_of, shortened
from app.core.wording import counted, grouped, listed
from app.errors import MEANINGS, Code

MOST_NAMED = 12
"""Files named one by one in a line; the rest is counted."""
MOST_NOTES = 6
WHY_REFUSED = (
    "A comment needs a reason (`principal-ignore RULE -- reason`), and a change cannot silence what is critical or about "
    "security in itself: that counts once the comment is merged."
)
_TYPEABLE = re.compile(r"[\w./@+-]{1,160}", re.ASCII)


def gaps(review: Review) -> list[str]:
    """What no one looked at, and why; what was left out on purpose; and what else a reader should know."""
    by_people = listed([f"{place_of(one)} {gate.line(one.finding.title)}" for one in review.raised], MOST_NAMED)
    missed = [_missed(some) for some in grouped(review.not_reviewed, lambda one: (one.reason, one.code))]
    by_reason = grouped(review.skipped, lambda one: (one.reason,))
    left_out = "; ".join(_left_out(some, named=max(MOST_NAMED // len(by_reason), 1)) for some in by_reason)
    notes = [f"{gate.line(note, longest=500).rstrip('.')}." for note in review.notes]
    silenced = listed([_silenced(one) for one in review.silenced], MOST_NAMED)
    refused = listed([_silenced(one) for one in review.refused], MOST_NAMED)
    return [
        f"Silenced by comments in the code: {silenced}." if silenced else "",
        f"Said although a comment asks for silence: {refused}. {WHY_REFUSED}" if refused else "",
        f"Not repeated, because people have raised it there: {by_people}." if by_people else "",
        *_first(missed, "more reasons why hunks were not reviewed"),
        f"Left out: {left_out}." if left_out else "",
        *_first(notes, "more notes"),
    ]


def _silenced(one: Silenced) -> str:
    """Which rule, where, why, and whether this change says so of itself."""
    place = gate.span(f"{shortened(one.by.path)}:{one.by.place}")
    reason = gate.line(one.by.reason, longest=LONGEST_REASON) or "no reason given"
    since = "; added by this change" if one.by.by_change else ""
    return f"{gate.span(one.found.finding.rule or '')} at {place} ({reason}{since})"


def _missed(some: Sequence[NotReviewed]) -> str:
    """Hunks that were missed for one reason: which, why, and what to do about it."""
    first = some[0]
    files = listed([f"{counted(one.hunks, 'hunk')} of {gate.span(shortened(one.path))}" for one in some], MOST_NAMED)
    said = f"Not reviewed: {files} ({gate.line(first.reason)}, {gate.span(first.code)})."
    code = Code.__members__.get(first.code)
    return f"{said} {_action(MEANINGS[code].action, some)}" if code is not None else said


def _action(action: str, some: Sequence[NotReviewed]) -> str:
    """What to do, with the path filled in where there is one and it can be typed as it is."""
    path = some[0].path
    return action.replace("PATH", path) if len(some) == 1 and _TYPEABLE.fullmatch(path) else action


def _left_out(some: Sequence[Skipped], *, named: int) -> str:
    return f"{listed([gate.span(shortened(one.path)) for one in some], named)} ({gate.line(some[0].reason)})"


def _first(items: Sequence[str], noun: str) -> list[str]:
    more = len(items) - MOST_NOTES
    return [*items[:MOST_NOTES], f"… and {more} {noun}."] if more > 0 else list(items)
