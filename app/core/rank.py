"""Which findings are said, in which order: merge what is the same, leave out what is not worth it, order, cap.

The order is the priority model's: critical first; then category priority (1 first), severity, confidence. The cap keeps by
severity before that order, so nothing critical is ever folded away.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from app.core.finding import Category, Filter, Finding, Rejected, Severity, VerifiedFinding
from app.core.fingerprint import fingerprint, similar

COMMENTS = 5
"""Inline comments of one review, unless the policy says otherwise."""
MOST_COMMENTS = 30
"""Beyond this GitHub takes a review for spam, whatever the policy says."""
LEAST_CONFIDENCE = 0.5

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Ranked:
    """What is said inline, what is folded into the summary, and what is left out with its reason."""

    said: tuple[VerifiedFinding, ...]
    folded: tuple[VerifiedFinding, ...]
    rejected: tuple[Rejected, ...]


def rank(found: Sequence[VerifiedFinding], *, comments: int = COMMENTS, nits: bool = False) -> Ranked:
    """The findings in the order they are said, cut at the cap."""
    worth, rejected = _worth_saying(found, nits=nits)
    kept = _keep(worth, comments=min(comments, MOST_COMMENTS))
    ordered = sorted(worth, key=order)
    return Ranked(
        said=tuple(one for one in ordered if id(one) in kept),
        folded=tuple(one for one in ordered if id(one) not in kept),
        rejected=tuple(rejected),
    )


def order(found: VerifiedFinding) -> tuple[int, int, int, float, str, int]:
    """The sort key of the priority model; path and line make it total."""
    finding = found.finding
    return (
        0 if finding.severity is Severity.CRITICAL else 1,
        finding.category.priority,
        finding.severity.rank,
        -finding.confidence,
        finding.path,
        found.anchor.line,
    )


def merge(found: Sequence[VerifiedFinding]) -> tuple[VerifiedFinding, ...]:
    """One finding for each problem: of those that are the same, the strongest speaks, and names who else saw it."""
    return tuple(
        replace(group[0], sources=tuple(dict.fromkeys(source for one in group for source in _sources(one))))
        for group in _groups(sorted(found, key=_strength), _same)
    )


def merge_candidates(found: Sequence[Finding]) -> tuple[Finding, ...]:
    """One candidate for each quote and claim, before anything is spent on verifying it."""
    by_name: dict[str, Finding] = {}
    for finding in sorted(found, key=lambda one: (not one.strong, -one.confidence)):
        by_name.setdefault(fingerprint(finding), finding)
    return tuple(by_name.values())


def _sources(found: VerifiedFinding) -> tuple[str, ...]:
    return found.sources or (found.finding.source,)


def _strength(found: VerifiedFinding) -> tuple[bool, int, float, str, int]:
    finding = found.finding
    return not finding.strong, finding.severity.rank, -finding.confidence, finding.path, found.anchor.line


def _same(one: VerifiedFinding, other: VerifiedFinding) -> bool:
    first, second = one.anchor, other.anchor
    overlap = (
        first.path == second.path
        and first.side is second.side
        and first.start_line <= second.line
        and second.start_line <= first.line
    )
    return overlap and similar(one.finding, other.finding)


def _groups(items: Sequence[Item], same: Callable[[Item, Item], bool]) -> list[list[Item]]:
    groups: list[list[Item]] = []
    for item in items:
        home = next((group for group in groups if same(group[0], item)), None)
        if home is None:
            groups.append([item])
        else:
            home.append(item)
    return groups


def _worth_saying(found: Sequence[VerifiedFinding], *, nits: bool) -> tuple[list[VerifiedFinding], list[Rejected]]:
    worth: list[VerifiedFinding] = []
    rejected: list[Rejected] = []
    for one in found:
        finding = one.finding
        if finding.confidence < LEAST_CONFIDENCE:
            rejected.append(Rejected(finding, "not sure enough to take your time", Filter.RANK))
        elif _is_nit(finding) and not nits:
            rejected.append(Rejected(finding, "a nit", Filter.RANK))
        else:
            worth.append(one)
    return worth, rejected


def _is_nit(finding: Finding) -> bool:
    return finding.severity is Severity.LOW and finding.category is Category.EXPERIENCE


def _keep(found: Sequence[VerifiedFinding], *, comments: int) -> set[int]:
    """Which findings are said inline (by identity): the worst by severity first; every critical one up to the hard cap.

    A low one is always folded: it is worth a line in the summary, not a notification.
    """
    by_severity = sorted(found, key=lambda one: (one.finding.severity.rank, order(one)))
    critical = sum(1 for one in found if one.finding.severity is Severity.CRITICAL)
    room = min(max(comments, critical), MOST_COMMENTS)
    worth_a_comment = [one for one in by_severity if one.finding.severity is not Severity.LOW]
    return {id(one) for one in worth_a_comment[:room]}
