"""What a reviewer is told besides the change: `Background`, and how it is picked out of what others have written.

    description ── linked ─► numbers of the issues that it says it settles
    threads, remarks ── points ─► what people have raised already, which is not said again
    a finding, points ── raised ─► the point that says the same of the same lines, or None

All of it was written by others. A model reads it between fences; it changes no rule, no severity and no form of an answer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from app.core.finding import Side, VerifiedFinding
from app.core.fingerprint import telling_words
from app.core.policy_files import Source
from app.core.pull import FailedCheck, LinkedIssue, Remark, ReviewThread
from app.core.untrusted import Untrusted

ENGLISH = "English"
MOST_ISSUES = 2
"""Each is a request to GitHub."""
MOST_POINTS = 20
LONGEST_BODY = 20_000
LONGEST_POINT = 500
NEAR_LINES = 3
"""How far a person's remark may stand from the lines it is about."""
LEAST_WORDS = 2
SHARE_OF_WORDS = 0.4
_LINKED = re.compile(
    r"\b(?:close[sd]?|fix(?:e[sd])?|resolve[sd]?)\b:?[ \t]{1,3}(?:([\w.-]{1,100}/[\w.-]{1,100})?#|"
    r"https?://[\w.:-]{1,200}/([\w.-]{1,100}/[\w.-]{1,100})/issues/)(\d{1,9})\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Point:
    """Something that a person has raised on the pull request; on a line of the head, or in the conversation (no path)."""

    author: str
    text: Untrusted
    path: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class Background:
    """What a reviewer is told besides the change. `language` is the one that its answers are written in."""

    issues: tuple[LinkedIssue, ...] = ()
    failed: tuple[FailedCheck, ...] = ()
    points: tuple[Point, ...] = ()
    guidance: tuple[Source, ...] = ()
    language: str = ENGLISH


def linked(body: Untrusted, *, repository: str) -> tuple[int, ...]:
    """The issues of this repository that a description says it settles, in GitHub's words for it; at most `MOST_ISSUES`."""
    found = (
        int(number)
        for short, long, number in _LINKED.findall(body.text[:LONGEST_BODY])
        if (short or long or repository).casefold() == repository.casefold()
    )
    return tuple(dict.fromkeys(found))[:MOST_ISSUES]


def points(threads: Sequence[ReviewThread], remarks: Sequence[Remark]) -> tuple[Point, ...]:
    """What people began threads with and said in the conversation, the threads first; commands and bots are no points."""
    on_lines = [_point(thread.remarks[0], thread.path, thread.line or 0) for thread in threads if thread.remarks]
    in_talk = [_point(remark) for remark in remarks]
    return tuple(one for one in (*on_lines, *in_talk) if one is not None)[:MOST_POINTS]


def raised(found: VerifiedFinding, points: Sequence[Point]) -> Point | None:
    """The point of a person that says the same of the same lines. The conversation names no lines, so it never does."""
    if found.anchor.side is not Side.RIGHT:
        return None
    finding = found.finding
    said = telling_words(f"{finding.title} {finding.explanation} {finding.quote} {finding.rule or ''}")
    for one in points:
        near = found.anchor.start_line - NEAR_LINES <= one.line <= found.anchor.line + NEAR_LINES
        if one.path == finding.path and near and _says(one, said):
            return one
    return None


def _says(point: Point, said: frozenset[str]) -> bool:
    words = telling_words(point.text.text)
    return len(words & said) >= max(LEAST_WORDS, SHARE_OF_WORDS * len(words))


def _point(remark: Remark, path: str = "", line: int = 0) -> Point | None:
    text = remark.body.text.strip()
    if remark.author_is_bot or not text or text.startswith("/"):
        return None
    return Point(remark.author, Untrusted(text[:LONGEST_POINT]), path, line)
