"""From claim to proof: a finding is placed by its quote, judged by the sceptic, and only then called verified.

Claim ── claimed ──► Finding ── place ──► Placed ── judge ──► VerifiedFinding
│                    │  └───► Beside ── judge ──► Elsewhere          (proven, but not on a changed line)
└────────────────────┴──────────────────────────► Rejected(reason)
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from app.core import anchor, context
from app.core.change import Change, FileDiff
from app.core.finding import Anchor, Category, Elsewhere, Filter, Finding, Kind, Rejected, Severity, VerifiedFinding
from app.core.reply import Claim, Verdict
from app.core.rule import Rule

LEAST_CLAIMED_CONFIDENCE = 0.3
"""Below this a claim is not worth a sceptic's time."""

_CODE = re.compile(r"`([^`\n]{1,200})`")
_NAME = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]{3,60}")


@dataclass(frozen=True, slots=True)
class Placed:
    """A finding whose quote stands in the diff, at `anchor`; not yet judged."""

    finding: Finding
    anchor: Anchor


@dataclass(frozen=True, slots=True)
class Beside:
    """A finding whose quote stands in the head file at `line`, but on no line that the diff shows."""

    finding: Finding
    line: int


def claimed(claim: Claim, *, source: str, rules: Mapping[str, Rule]) -> Finding:
    """The claim as a finding. A rule that does not exist is dropped; a rule that does brings its own category."""
    rule = rules.get(claim.rule.strip().strip("`"))
    return Finding(
        kind=Kind(claim.kind),
        category=rule.category if rule is not None else Category.from_slug(claim.category),
        severity=Severity(claim.severity),
        confidence=claim.confidence,
        path=claim.path.strip(),
        quote=claim.quote,
        title=" ".join(claim.title.split()).rstrip("."),
        explanation=claim.explanation.strip(),
        source=source,
        rule=rule.id if rule is not None else None,
        line=claim.line if claim.line > 0 else None,
        scenario=claim.scenario.strip(),
        assumptions=tuple(text.strip() for text in claim.assumptions if text.strip()),
    )


def names(findings: Iterable[Finding]) -> tuple[str, ...]:
    """The names of code that claims speak of, in their order: what their sentences set in backticks."""
    spans = (text for one in findings for text in _CODE.findall(f"{one.title}\n{one.explanation}\n{one.scenario}"))
    told = (name for text in spans for name in _NAME.findall(text) if context.is_telling(name))
    return tuple(dict.fromkeys(told))


def place(
    finding: Finding, *, change: Change, shown: Collection[tuple[str, int]], head: Mapping[str, Sequence[str]]
) -> Placed | Beside | Rejected:
    """Where the finding's quote stands.

    `shown` are the hunks (path, number) the model was shown; `head` the head files' lines, where they could be read.
    Nothing is believed: a file that is not part of the change, a quote that stands nowhere, or no scenario reject it.
    """
    file = _file(change, finding.path)
    if file is None:
        return Rejected(finding, "about a file that is not part of the change", Filter.PLACE)
    finding = replace(finding, path=file.path)
    reason = _unworthy(finding)
    if reason:
        return Rejected(finding, reason, Filter.FORM)
    found = anchor.locate(finding.quote, file=file, head_lines=head.get(file.path), hint=finding.line)
    match found:
        case anchor.Outside(line=line):
            return Beside(finding, line)
        case anchor.Missing():
            return Rejected(finding, "its quote does not stand in the file", Filter.PLACE)
        case _:
            if (file.path, found.hunk) not in shown:
                return Rejected(finding, "its quote stands in a part that was not shown", Filter.PLACE)
            return Placed(finding, found)


def judge(placed: Placed | Beside, verdict: Verdict | None) -> VerifiedFinding | Elsewhere | Rejected:
    """What the sceptic's verdict makes of the candidate; without a verdict nothing is proven."""
    finding = placed.finding
    if verdict is None:
        return Rejected(finding, "the sceptic gave no verdict", Filter.DOUBT)
    if verdict.verdict != "confirmed":
        return Rejected(finding, f"{verdict.verdict}: {_sentence(verdict.reason)}", Filter.DOUBT)
    if not verdict.failing_case.strip():
        return Rejected(finding, "no failing case could be given", Filter.DOUBT)
    if verdict.pre_existing:
        return Rejected(finding, "stood there before this change", Filter.DOUBT)
    proven = replace(
        finding,
        severity=Severity(verdict.severity),
        confidence=round(verdict.confidence, 2),
        scenario=verdict.failing_case.strip(),
    )
    saw = _sentence(verdict.saw)
    if isinstance(placed, Beside):
        return Elsewhere(proven, placed.line, verified_by=saw)
    return VerifiedFinding(proven, placed.anchor, verified_by=saw, sources=(finding.source,))


def by_number(verdicts: Sequence[Verdict], candidates: int) -> list[Verdict | None]:
    """The verdict of each candidate in order; the first one given for a number counts, other numbers are ignored."""
    given: dict[int, Verdict] = {}
    for verdict in verdicts:
        given.setdefault(verdict.id, verdict)
    return [given.get(number) for number in range(1, candidates + 1)]


def _file(change: Change, path: str) -> FileDiff | None:
    """The file a claim names, also when it kept the diff's own prefix or dropped leading folders."""
    for name in (path, path.removeprefix("a/"), path.removeprefix("b/"), path.removeprefix("./")):
        file = change.file(name)
        if file is not None:
            return file
    endings = [file for file in change.files if path and file.path.endswith(f"/{path}")]
    return endings[0] if len(endings) == 1 else None


def _unworthy(finding: Finding) -> str:
    if not finding.quote.strip():
        return "no quote"
    if not finding.title or not finding.explanation:
        return "no title or no explanation"
    if not finding.scenario:
        return "no scenario"
    if finding.confidence < LEAST_CLAIMED_CONFIDENCE:
        return "its own author doubted it"
    return ""


def _sentence(text: str) -> str:
    return " ".join(text.split())
