"""What an evaluation is made of, as values: cases with their labels, what was said about them, and what that took."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from app.core.finding import Severity, Side
from app.core.usage import Usage

PRINCIPAL, SINGLE = "principal", "single"
"""The two reviewers: the whole story, and one plain prompt to the same model."""

Placement = Literal["inline", "folded", "elsewhere"]


class Topic(StrEnum):
    """What a label is about."""

    DEFECT = "defect"
    SECURITY = "security"
    PERFORMANCE = "performance"
    MAINTAINABILITY = "maintainability"
    OTHER = "other"


SCORED = (Topic.DEFECT, Topic.SECURITY)
"""What a reviewer is expected to find, unless one asks for more."""


@dataclass(frozen=True, slots=True)
class Label:
    """A remark that people judged: `valid` ones ought to be made, the others ought not."""

    path: str
    side: Side
    from_line: int
    to_line: int
    topic: Topic
    valid: bool
    text: str
    severity: str = ""
    context: str = ""


@dataclass(frozen=True, slots=True)
class ShownHunk:
    """A hunk as the report shows it."""

    old_start: int
    new_start: int
    heading: str
    body: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ShownFile:
    """A file's part of the diff as the report shows it."""

    path: str
    hunks: tuple[ShownHunk, ...]


@dataclass(frozen=True, slots=True)
class Comment:
    """What a reviewer says about some lines. Only inline ones are counted as comments; the others stand in the body."""

    path: str
    side: Side
    start_line: int
    line: int
    title: str
    text: str
    severity: Severity
    category: str
    confidence: float
    source: str
    placement: Placement = "inline"


@dataclass(frozen=True, slots=True)
class Spent:
    """One question to a model: which stage asked, what it took when it was bought, and whether a stored reply answered it.

    `outcome` is `ok` or the code of what went wrong.
    """

    stage: str
    model: str
    usage: Usage
    seconds: float
    replayed: bool
    outcome: str = "ok"


@dataclass(frozen=True, slots=True)
class Funnel:
    """How many findings came through each part of a review.

    claimed + by_rules = misplaced + unformed + refuted + unsure + unwanted + merged + folded + elsewhere + said
    """

    claimed: int = 0
    by_rules: int = 0
    misplaced: int = 0
    """The quote was not found: no anchor."""
    unformed: int = 0
    refuted: int = 0
    unsure: int = 0
    unwanted: int = 0
    """The repository's policy does not want it."""
    merged: int = 0
    folded: int = 0
    elsewhere: int = 0
    said: int = 0

    def __add__(self, other: Funnel) -> Funnel:
        return Funnel(**{name: getattr(self, name) + getattr(other, name) for name in self.__slots__})


@dataclass(frozen=True, slots=True)
class Conduct:
    """Whether a review keeps its form: how many quotes are copied as they stand, how many answers have all their parts.

    `whole` of `answered` findings have every part of their kind, or say why one is missing; of `patches`, `suggestions` apply,
    parse and stay in their hunk, so that they can be committed with one click.
    """

    quotes: int = 0
    exact_quotes: int = 0
    answered: int = 0
    whole: int = 0
    patches: int = 0
    suggestions: int = 0

    def __add__(self, other: Conduct) -> Conduct:
        return Conduct(**{name: getattr(self, name) + getattr(other, name) for name in self.__slots__})


@dataclass(frozen=True, slots=True)
class Failure:
    """Why something could not be done: a stable code and a sentence."""

    code: str
    what: str


@dataclass(frozen=True, slots=True)
class Link:
    """The judge's word that a comment (by its place among the attempt's comments) says what a label says."""

    comment: int
    label: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Prefixes:
    """Prompt tokens of some calls: all, those in a prefix that several calls have, and those that were sent before."""

    tokens: int = 0
    common: int = 0
    repeated: int = 0

    def __add__(self, other: Prefixes) -> Prefixes:
        return Prefixes(self.tokens + other.tokens, self.common + other.common, self.repeated + other.repeated)


@dataclass(frozen=True, slots=True)
class Attempt:
    """What one reviewer made of one case.

    `failure`: nothing came of it. `gaps`: parts that were not reviewed, in words. `links` is None when no judge was asked
    or the judge failed (`unjudged`). `seconds` is this run's own time on the clock.
    """

    comments: tuple[Comment, ...] = ()
    funnel: Funnel = field(default_factory=Funnel)
    conduct: Conduct = field(default_factory=Conduct)
    spent: tuple[Spent, ...] = ()
    prefixes: Prefixes = field(default_factory=Prefixes)
    seconds: float = 0.0
    hunks: int = 0
    hunks_reviewed: int = 0
    failure: Failure | None = None
    gaps: tuple[str, ...] = ()
    links: tuple[Link, ...] | None = None
    unjudged: Failure | None = None
    judging: tuple[Spent, ...] = ()
    """What the judge took, which is no part of the review's own cost."""

    @property
    def inline(self) -> tuple[tuple[int, Comment], ...]:
        """The comments proper, with their places."""
        return tuple((place, one) for place, one in enumerate(self.comments) if one.placement == "inline")


@dataclass(frozen=True, slots=True)
class CaseRun:
    """One case: what it is, what was expected, and what each reviewer made of it. `failure`: it could not be read."""

    name: str
    language: str = ""
    kind: str = ""
    title: str = ""
    labels: tuple[Label, ...] = ()
    files: tuple[ShownFile, ...] = ()
    attempts: dict[str, Attempt] = field(default_factory=dict)
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """An evaluation as it is stored. `options` are the differences from the defaults, in the command line's words."""

    version: Literal[1]
    program: str
    model: str
    judge: str
    options: tuple[str, ...]
    cap: int
    cases: tuple[CaseRun, ...]

    @property
    def reviewers(self) -> tuple[str, ...]:
        """Who reviewed, the story first."""
        return tuple(name for name in (PRINCIPAL, SINGLE) if any(name in case.attempts for case in self.cases))

    @property
    def troubles(self) -> tuple[str, ...]:
        """Everything that could not be done, a sentence each."""
        return tuple(trouble for case in self.cases for trouble in _troubles(case))


def _troubles(case: CaseRun) -> list[str]:
    found = [f"{case.name}: {case.failure.what} ({case.failure.code})"] if case.failure else []
    for name, attempt in case.attempts.items():
        if attempt.failure:
            found.append(f"{case.name}, {name}: {attempt.failure.what} ({attempt.failure.code})")
        found += [f"{case.name}, {name}: {gap}" for gap in attempt.gaps]
        if attempt.unjudged:
            found.append(f"{case.name}, {name}: not judged: {attempt.unjudged.what} ({attempt.unjudged.code})")
    return found
