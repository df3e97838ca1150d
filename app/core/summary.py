"""The one summary comment of a pull request, edited in place: what changes where, the risk, and what became of what was found.

change + Review + everything said ── render ──► Markdown, with the hidden line by which it is found again
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from app.core import diagram, gate
from app.core.change import Change, FileDiff
from app.core.finding import Severity
from app.core.gate import Outgoing
from app.core.memory import Said, Standing
from app.core.report import Review

MOST_GROUPS = 12
MOST_FILES_NAMED = 4
MOST_FINDINGS = 40
LONGEST_OVERVIEW = 600
LINES_A_MINUTE = 10
"""How fast people read a diff with care, for the estimate of the effort."""
LARGE_LINES = 1_000
_ORDER = [Standing.OPEN, Standing.FIXED, Standing.SILENCED, Standing.DISMISSED]


def story(review: Review) -> Outgoing:
    """What a review that read all of a pull request says it does: a sentence or two, and the flow that it alters."""
    parts = [f"**What this pull request changes**{_overview(review)}", diagram.draw(review.flow)]
    return gate.release("\n\n".join(part for part in parts if part))


def render(
    change: Change, review: Review, said: Sequence[Said], *, marker: str, version: str, told: str = ""
) -> Outgoing:
    """The comment's text. `change` is the whole pull request; `said` is everything that was said on it, as it stands.

    `told` is the story of the last review that read all of it, when this one read only what was new.
    """
    parts = [
        told or story(review),
        f"**Last push**{_overview(review)}" if told and review.overview else "",
        _walkthrough(change.files),
        f"**Risk** {_risk(change, said)} · **Effort to review** {_effort(change)} · **Findings** {_counts(said)}",
        _findings(said),
        f"<sub>Kept up to date by principal {version} · reviewed {gate.span(review.head[:7])}</sub>",
        marker,
    ]
    return gate.release("\n\n".join(part for part in parts if part))


def _overview(review: Review) -> str:
    said = gate.line(review.overview, longest=LONGEST_OVERVIEW)
    return f" — {said}" if said else ""


def _walkthrough(files: Sequence[FileDiff]) -> str:
    """A line for each part of the tree, the most changed first."""
    groups: dict[str, list[FileDiff]] = {}
    for file in files:
        groups.setdefault(_group(file.path), []).append(file)
    if not groups:
        return "Nothing here is read by the reviewer."
    ordered = sorted(groups.items(), key=lambda one: (-_lines(one[1]), one[0]))
    more = len(ordered) - MOST_GROUPS
    rows = ["| Where | Lines | Files |", "|---|---|---|", *(_row(name, some) for name, some in ordered[:MOST_GROUPS])]
    return "\n".join(rows) + (f"\n\n… and {more} more folders." if more > 0 else "")


def _group(path: str) -> str:
    """The first two folders: deep enough to tell parts apart, shallow enough to read."""
    folders = PurePosixPath(path).parts[:-1][:2]
    return f"{'/'.join(folders)}/" if folders else "./"


def _row(name: str, files: Sequence[FileDiff]) -> str:
    largest = sorted(files, key=lambda file: (-_lines([file]), file.path))
    named = ", ".join(gate.cell(gate.span(PurePosixPath(file.path).name)) for file in largest[:MOST_FILES_NAMED])
    more = len(files) - MOST_FILES_NAMED
    added, removed = sum(file.added for file in files), sum(file.removed for file in files)
    return f"| {gate.cell(gate.span(name))} | +{added} −{removed} | {named}{f' and {more} more' if more > 0 else ''} |"


def _lines(files: Iterable[FileDiff]) -> int:
    return sum(file.added + file.removed for file in files)


def _risk(change: Change, said: Sequence[Said]) -> str:
    worst = min((one.severity for one in said if one.standing is Standing.OPEN), key=lambda one: one.rank, default=None)
    lines = _lines(change.files)
    if worst in (Severity.CRITICAL, Severity.HIGH):
        return f"high: a finding of {worst} severity is open"
    if lines > LARGE_LINES:
        return f"medium: {lines:,} lines change at once"
    return "medium: a finding of medium severity is open" if worst is Severity.MEDIUM else "low"


def _effort(change: Change) -> str:
    minutes = max(5, 5 * round(_lines(change.files) / LINES_A_MINUTE / 5))
    hours = round(minutes / 60)
    return f"about {minutes} minutes" if minutes < 90 else f"about {hours} hours"


def _counts(said: Sequence[Said]) -> str:
    counted = Counter(one.standing for one in said)
    return ", ".join(f"{counted[standing]} {standing}" for standing in _ORDER if counted[standing]) or "none"


def _findings(said: Sequence[Said]) -> str:
    if not said:
        return ""
    ordered = sorted(said, key=lambda one: (_ORDER.index(one.standing), one.severity.rank, one.path, one.title))
    rows = ["| | | Where | What |", "|---|---|---|---|", *(_finding(one) for one in ordered[:MOST_FINDINGS])]
    more = len(ordered) - MOST_FINDINGS
    return "\n".join(rows) + (f"\n\n… and {more} more." if more > 0 else "")


def _finding(one: Said) -> str:
    title = gate.cell(one.title)
    what = title if one.standing is Standing.OPEN else f"~~{title}~~"
    return f"| {one.severity.mark} | {one.standing} | {gate.cell(gate.span(one.path))} | {what} |"
