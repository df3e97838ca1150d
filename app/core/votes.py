"""Several passes over one change, and what they agree on: candidates in, each problem once out, most votes first."""

from __future__ import annotations

from collections.abc import Sequence

from app.core.finding import Filter, Rejected
from app.core.fingerprint import similar
from app.core.verify import Beside, Placed

Candidate = Placed | Beside


def elect(candidates: Sequence[Candidate], *, alone: float) -> tuple[list[Candidate], list[Rejected]]:
    """One candidate for each problem, the surest of those that tell of it; `alone` is how sure a lonely one has to be."""
    kept: list[tuple[int, Candidate]] = []
    rejected: list[Rejected] = []
    for group in _problems(sorted(candidates, key=lambda one: -one.finding.confidence)):
        first = group[0]
        if len(group) == 1 and first.finding.confidence < alone:
            rejected.append(Rejected(first.finding, "one pass alone claimed it, and was not sure", Filter.DOUBT))
        else:
            kept.append((len(group), first))
    kept.sort(key=lambda pair: (-pair[0], -pair[1].finding.confidence))
    return [candidate for _, candidate in kept], rejected


def _problems(candidates: Sequence[Candidate]) -> list[list[Candidate]]:
    groups: list[list[Candidate]] = []
    for candidate in candidates:
        home = next((group for group in groups if _same(group[0], candidate)), None)
        if home is None:
            groups.append([candidate])
        else:
            home.append(candidate)
    return groups


def _same(one: Candidate, other: Candidate) -> bool:
    if one.finding.path != other.finding.path or not similar(one.finding, other.finding):
        return False
    match one, other:
        case Placed(), Placed():
            first, second = one.anchor, other.anchor
            return first.side is second.side and first.start_line <= second.line and second.start_line <= first.line
        case Beside(), Beside():
            return one.line == other.line
        case _:
            return False
