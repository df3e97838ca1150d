"""Rules and what their detectors saw.

Rule ── scan (app/analysis) ──► Evidence ── strong ──► Finding
└───── weak ────► a question in the prompt
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from app.core.finding import Category, Kind, Severity, Side


class Strength(StrEnum):
    """`strong` evidence is posted on its own; `weak` evidence is only given to the model, with the rule's question."""

    STRONG = "strong"
    WEAK = "weak"


@dataclass(frozen=True, slots=True)
class Answer:
    """The templates with which a strong detector speaks for itself. `{name}` stands for a captured metavariable.

    `replacement` is the text that replaces the matched node where the fix is mechanical; a part that cannot be given
    stands in `missing` with its reason.
    """

    title: str = ""
    explanation: str = ""
    repro: str = ""
    root_cause: str = ""
    test: str = ""
    test_path: str = ""
    risk: str = ""
    replacement: str = ""
    missing: tuple[tuple[str, str], ...] = ()


class Comparison(StrEnum):
    """What a diff-level detector looks for between base and head."""

    GONE = "gone"
    """What it matches in the base and nowhere in the head of the change, told apart by a key."""
    ADDED = "added"
    """What it matches in the head more often than in the base, told apart by a key."""
    STEP = "step"
    """What a named Python step says of the two sides (app/analysis/compare)."""


@dataclass(frozen=True, slots=True)
class Compare:
    """How a detector compares base and head. `by` is the key's template (GONE, ADDED) or the step's name (STEP)."""

    what: Comparison
    by: str


@dataclass(frozen=True, slots=True)
class Example:
    """Code that a detector must match (`match`) or must leave alone.

    A diff-level detector's example also has the file as it was (`before`, None: it is new), other paths that the change
    touches (`also`) and files that stand in the tree (`present`). `file` is the code's path, where it matters.
    """

    language: str
    code: str
    match: bool
    file: str = ""
    before: str | None = None
    also: tuple[str, ...] = ()
    present: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Detector:
    """One way a machine can see a rule broken. `ast` is an ast-grep rule object, `refine` names the Python step that
    looks at the context of each candidate, `prefilter` are literals one of which the file must contain. With `compare` it
    looks at both sides of a change, and only there.
    """

    name: str
    languages: tuple[str, ...]
    strength: Strength
    ast: dict[str, object]
    refine: str = ""
    compare: Compare | None = None
    prefilter: tuple[str, ...] = ()
    answer: Answer = field(default_factory=Answer)
    kind: Kind | None = None
    """What it finds, where that is not what the rule as a whole is about: a defect under a rule of design."""
    severity: Severity | None = None
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """One of the rules in `rules/`: what the model is told about it, and how a machine can see it."""

    id: str
    title: str
    category: Category
    kind: Kind
    severity: Severity
    languages: tuple[str, ...]
    summary: str
    why: str
    look_for: tuple[str, ...]
    do_not_flag: tuple[str, ...]
    question: str
    recommend: tuple[str, ...]
    references: tuple[str, ...] = ()
    skills: tuple[str, ...] = ()
    """Which of the skills name it: `node`, `javascript`, `typescript`."""
    detectors: tuple[Detector, ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a detector saw, on which lines of the head file (1-based, inclusive). `quote` is those lines' text.

    On the LEFT side it is what the change removed: then the lines are those of the base.

    `replacement` is the whole text that would stand for lines start_line..end_line, where the fix is mechanical.
    `captures` are the metavariables' texts, for the answer's templates.
    """

    rule: str
    detector: str
    strength: Strength
    path: str
    start_line: int
    end_line: int
    quote: str
    note: str = ""
    replacement: str = ""
    captures: tuple[tuple[str, str], ...] = ()
    side: Side = Side.RIGHT
