"""Findings: what a persona or a rule claims, what was proven, what was left out and why.

Finding ── verify ──► VerifiedFinding ── write the fix ──► VerifiedFinding(fix=…) ── render ──► review comment
└──────► Rejected(finding, reason)
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum


class Severity(StrEnum):
    """How bad it is when it happens. `rank` 0 is the worst."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"

    @property
    def rank(self) -> int:
        """0 for critical to 3 for low."""
        return list(Severity).index(self)

    @property
    def mark(self) -> str:
        """The one emoji a comment may carry."""
        return {"critical": "🚨", "high": "🔴", "medium": "🟡", "low": "⚪"}[self.value]


class Kind(StrEnum):
    """The three kinds of finding, each with its own answer pattern (`Fix`)."""

    BUG = "bug"
    PERFORMANCE = "performance"
    DESIGN = "design"


class Category(Enum):
    """The eight levels of the priority model; the number is the priority, 1 is first."""

    CORRECTNESS = (1, "correctness", "Correctness", "Correctness & Contracts")
    RELIABILITY = (2, "reliability", "Reliability", "Reliability & Resilience")
    SECURITY = (3, "security", "Security", "Security & Privacy")
    PERFORMANCE = (4, "performance", "Performance", "Performance & Efficiency")
    OBSERVABILITY = (5, "observability", "Observability", "Observability & Operability")
    DATA = (6, "data", "Data", "Data & Consistency")
    SCALABILITY = (7, "scalability", "Scalability", "Scalability & Evolution")
    EXPERIENCE = (8, "experience", "Experience", "Developer Experience & Testing")

    def __init__(self, priority: int, slug: str, short: str, title: str) -> None:
        self.priority = priority
        self.slug = slug
        self.short = short
        self.title = title

    @classmethod
    def from_slug(cls, slug: str) -> Category:
        """The category of that name; raises `ValueError` for another name."""
        for category in cls:
            if category.slug == slug:
                return category
        raise ValueError(f"no category {slug!r}")


class Side(StrEnum):
    """Which side of the diff an anchor stands on, in GitHub's words."""

    LEFT = "LEFT"
    RIGHT = "RIGHT"


@dataclass(frozen=True, slots=True)
class Anchor:
    """A line range inside one hunk: where a comment can stand. `start_line` equals `line` for one line."""

    path: str
    side: Side
    start_line: int
    line: int
    hunk: int


@dataclass(frozen=True, slots=True)
class Finding:
    """A claim, not yet proven. `quote` is the code it is about, verbatim; `line` only a hint.

    `source` is the persona's or the detector's name. `rule` is one of the rules' ids, or None.
    `confidence` is between 0 and 1. `scenario` is the concrete input or schedule that goes wrong.
    """

    kind: Kind
    category: Category
    severity: Severity
    confidence: float
    path: str
    quote: str
    title: str
    explanation: str
    source: str
    rule: str | None = None
    line: int | None = None
    scenario: str = ""
    assumptions: tuple[str, ...] = ()
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Patch:
    """A change to one file that was checked: `replacement` stands for lines start..end of the head file.

    `diff` is the same as a unified diff. `suggestion` says whether a person may commit it with one click; if not,
    `reason` says why not.
    """

    path: str
    start_line: int
    end_line: int
    replacement: str
    diff: str
    suggestion: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class TestFile:
    """A test that proves the finding: where it would go, and its text, with the persona's header when it is new."""

    __test__ = False  # not a test of ours, although pytest would think so

    path: str
    content: str
    language: str = ""


@dataclass(frozen=True, slots=True)
class Fix:
    """The parts of the answer pattern, by kind. An empty part is said to be missing, with its reason in `missing`.

    bug: repro, root_cause, patch, tests, risk · performance: measure, change, patch, risk · design: trade_off,
    alternative, migration, and for an API resources, versioning, paging, limits, routes.
    """

    repro: str = ""
    root_cause: str = ""
    patch: Patch | None = None
    tests: tuple[TestFile, ...] = ()
    risk: str = ""
    measure: str = ""
    change: str = ""
    trade_off: str = ""
    alternative: str = ""
    migration: str = ""
    resources: str = ""
    versioning: str = ""
    paging: str = ""
    limits: str = ""
    routes: str = ""
    missing: tuple[tuple[str, str], ...] = ()
    """(part, why it could not be given)."""


@dataclass(frozen=True, slots=True)
class VerifiedFinding:
    """A finding whose quote stands in the diff at `anchor`, and that a second look did not refute.

    `verified_by` says in a few words what the second look saw (`callers in src/routes/orders.ts`).
    """

    finding: Finding
    anchor: Anchor
    verified_by: str = ""
    sources: tuple[str, ...] = ()
    fix: Fix | None = None


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A proven finding about a line that the change does not touch: it goes into the summary, never inline."""

    finding: Finding
    line: int
    verified_by: str = ""


class Filter(StrEnum):
    """Which part of a review left a finding out."""

    PLACE = "place"
    """Its quote does not stand in what was shown of the change."""
    FORM = "form"
    """Something that makes it a finding is missing."""
    DOUBT = "doubt"
    """The sceptic refuted it, or could not be asked."""
    RANK = "rank"
    """It is not worth a person's time."""
    POLICY = "policy"
    """The repository's policy does not want it."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A finding that is not said, why, and which part of the review decided so."""

    finding: Finding
    reason: str
    by: Filter | None = None
