"""Review → JSON: everything a review has to say, in a published form that other programs can hold on to.

The form is `Document`; its JSON Schema stands in `docs/schemas/review.schema.json`, and a test keeps the two equal. Every
field is always there. `version` rises when a field changes its meaning or goes; new fields may come without it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from app.core import plain
from app.core.finding import Elsewhere, Finding, Kind, Rejected, Severity, Side, VerifiedFinding
from app.core.fingerprint import fingerprint
from app.core.report import Review

VERSION: Literal[1] = 1
SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def render(review: Review) -> dict[str, Any]:
    """The review as JSON values that satisfy `schema()`: nothing is left out but the values of secrets."""
    return _document(review).model_dump(mode="json")


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of what `render` returns."""
    return {"$schema": SCHEMA_DIALECT, **Document.model_json_schema(mode="serialization")}


def _said(value: Any) -> Any:
    return plain.said(value) if isinstance(value, str) else value


def _well_formed(value: Any) -> Any:
    return plain.well_formed(value) if isinstance(value, str) else value


Text = Annotated[str, BeforeValidator(_said)]
Code = Annotated[str, BeforeValidator(_well_formed)]
"""Text that somebody will run or commit: stars in it would break it."""


def _parts_missing(value: Any) -> Any:
    return [MissingEntry(part=part, reason=reason) for part, reason in value]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", from_attributes=True)


class PatchEntry(_Entry):
    """A change to one file that was checked."""

    path: Text
    start_line: int = Field(description="First line of the head file that is replaced, 1-based.")
    end_line: int = Field(description="Last line of the head file that is replaced, inclusive.")
    replacement: Code = Field(description="The text that stands for these lines, without the last newline.")
    diff: Text = Field(description="The same as a unified diff.")
    suggestion: bool = Field(
        description="Whether it may be committed as it is: it applies, parses, and stays in its hunk."
    )
    reason: Text = Field(description="Why it is no suggestion; empty when it is one.")


class TestEntry(_Entry):
    """A test that proves the finding."""

    __test__ = False  # not a test of ours, although pytest would think so

    path: Text
    content: Text
    language: Text


class MissingEntry(_Entry):
    """A part of the answer pattern that could not be given."""

    part: Text
    reason: Text


class FixEntry(_Entry):
    """The parts of the answer pattern. Which of them belong to a finding follows from its kind; the others are empty."""

    repro: Text
    root_cause: Text
    patch: PatchEntry | None
    tests: list[TestEntry]
    risk: Text
    measure: Text
    change: Text
    trade_off: Text
    alternative: Text
    migration: Text
    resources: Text
    versioning: Text
    paging: Text
    limits: Text
    routes: Text
    missing: Annotated[list[MissingEntry], BeforeValidator(_parts_missing)]


class ClaimEntry(_Entry):
    """What somebody says is wrong."""

    kind: Kind
    category: Literal[
        "correctness", "reliability", "security", "performance", "observability", "data", "scalability", "experience"
    ]
    priority: int = Field(description="The category's place in the priority model; 1 is first.", ge=1, le=8)
    severity: Severity
    confidence: float = Field(description="Between 0 and 1.")
    rule: Text | None
    title: Text
    explanation: Text
    scenario: Text = Field(description="The concrete input or schedule that goes wrong.")
    assumptions: list[Text] = Field(description="What was taken for granted because the fact was not to be seen.")
    path: Text = Field(description="Relative to the repository's root; bytes that are not UTF-8 are written \\xNN.")
    quote: Text = Field(description="The code it is about, verbatim but for secrets, which are masked everywhere.")
    source: Text = Field(description="The persona or the detector that says so.")
    strong: bool = Field(description="Whether a detector that speaks for itself found it.")


class FindingEntry(ClaimEntry):
    """A claim whose quote was found in the code, and that a second look did not refute."""

    fingerprint: Text = Field(description="Stays the same when lines move; the name to track a finding by.")
    placement: Literal["inline", "folded", "elsewhere", "pre_existing"] = Field(
        description="inline: said as a comment. folded: over the cap. elsewhere: on a line the change does not touch. "
        "pre_existing: a rule saw it in a changed file, on a line the change left alone."
    )
    side: Side = Field(description="RIGHT: the lines are the head's. LEFT: they are the base's, and were removed.")
    start_line: int
    end_line: int
    sources: list[Text] = Field(description="Everyone who found it.")
    verified_by: Text
    fix: FixEntry | None


class RejectedEntry(_Entry):
    """A claim that is not said, and why."""

    claim: ClaimEntry
    line: int | None = Field(description="Where the claim said it was; not checked.")
    reason: Text


class SkippedEntry(_Entry):
    """A file that was not to be reviewed, and why."""

    path: Text
    reason: Text
    hunks: int


class NotReviewedEntry(_Entry):
    """Hunks of a file that should have been reviewed and were not, and why."""

    path: Text
    hunks: int
    reason: Text
    code: Text = Field(description="The failure's stable name; docs/errors.md explains each.")


class UsageEntry(_Entry):
    """What the model calls used. `input_tokens` includes the cached ones; `cost_usd` is null when the price is not known."""

    calls: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    cost_usd: float | None


class Document(_Entry):
    """A review by Principal. Findings stand in the order they are said, most important first."""

    model_config = ConfigDict(title="Principal review")

    version: Literal[1]
    base: Text = Field(description="The merge base's commit id.")
    head: Text = Field(description="The reviewed commit id.")
    complete: bool = Field(description="Whether every hunk was reviewed. If not, no finding does not mean no problem.")
    hunks: int
    hunks_reviewed: int
    worst: Severity | None = Field(description="The severity of the worst finding.")
    overview: Text
    findings: list[FindingEntry]
    rejected: list[RejectedEntry]
    skipped: list[SkippedEntry]
    not_reviewed: list[NotReviewedEntry]
    personas: list[Text]
    models: list[Text]
    by_rules: bool = Field(description="Whether rules alone reviewed, with no model.")
    notes: list[Text]
    usage: UsageEntry
    seconds: float


def _document(review: Review) -> Document:
    return Document(
        version=VERSION,
        base=review.base,
        head=review.head,
        complete=review.complete,
        hunks=review.hunks,
        hunks_reviewed=review.hunks_reviewed,
        worst=review.worst(),
        overview=review.overview,
        findings=_findings(review),
        rejected=[_rejected(one) for one in review.rejected],
        skipped=[SkippedEntry.model_validate(one) for one in review.skipped],
        not_reviewed=[NotReviewedEntry.model_validate(one) for one in review.not_reviewed],
        personas=list(review.personas),
        models=list(review.models),
        by_rules=review.by_rules,
        notes=list(review.notes),
        usage=UsageEntry.model_validate(review.usage),
        seconds=review.seconds,
    )


def _findings(review: Review) -> list[FindingEntry]:
    return [
        *(_verified(one, placement="inline") for one in review.said),
        *(_verified(one, placement="folded") for one in review.folded),
        *(_elsewhere(one, placement="elsewhere") for one in review.elsewhere),
        *(_elsewhere(one, placement="pre_existing") for one in review.pre_existing),
    ]


def _verified(found: VerifiedFinding, *, placement: Literal["inline", "folded"]) -> FindingEntry:
    return FindingEntry(
        **_claim(found.finding),
        fingerprint=fingerprint(found.finding),
        placement=placement,
        side=found.anchor.side,
        start_line=found.anchor.start_line,
        end_line=found.anchor.line,
        sources=list(found.sources or (found.finding.source,)),
        verified_by=found.verified_by,
        fix=FixEntry.model_validate(found.fix) if found.fix is not None else None,
    )


def _elsewhere(found: Elsewhere, *, placement: Literal["elsewhere", "pre_existing"]) -> FindingEntry:
    return FindingEntry(
        **_claim(found.finding),
        fingerprint=fingerprint(found.finding),
        placement=placement,
        side=Side.RIGHT,
        start_line=found.line,
        end_line=found.line,
        sources=[found.finding.source],
        verified_by=found.verified_by,
        fix=None,
    )


def _rejected(rejected: Rejected) -> RejectedEntry:
    return RejectedEntry(
        claim=ClaimEntry(**_claim(rejected.finding)), line=rejected.finding.line, reason=rejected.reason
    )


def _claim(finding: Finding) -> dict[str, Any]:
    return {
        "kind": finding.kind,
        "category": finding.category.slug,
        "priority": finding.category.priority,
        "severity": finding.severity,
        "confidence": finding.confidence,
        "rule": finding.rule,
        "title": finding.title,
        "explanation": finding.explanation,
        "scenario": finding.scenario,
        "assumptions": list(finding.assumptions),
        "path": finding.path,
        "quote": finding.quote,
        "source": finding.source,
        "strong": finding.strong,
    }
