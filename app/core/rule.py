"""Rules and what their detectors saw.

Rule ── scan (app/analysis) ──► Evidence ── strong ──► Finding
└───── weak ────► a question in the prompt
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from app.core.finding import Category, Kind, Severity


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


@dataclass(frozen=True, slots=True)
class Example:
    """Code that a detector must match (`match`) or must leave alone."""

    language: str
    code: str
    match: bool


@dataclass(frozen=True, slots=True)
class Detector:
    """One way a machine can see a rule broken. `ast` is an ast-grep rule object, `refine` names the Python step that
    looks at the context of each candidate, `prefilter` is a literal that the file must contain.
    """

    name: str
    languages: tuple[str, ...]
    strength: Strength
    ast: dict[str, object]
    refine: str = ""
    prefilter: tuple[str, ...] = ()
    answer: Answer = field(default_factory=Answer)
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
