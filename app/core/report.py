"""A finished review, as a value: what is said, what is folded, what was not reviewed and why."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.core.change import Sha, Skipped
from app.core.diagram import FlowStep
from app.core.finding import Elsewhere, Rejected, Severity, VerifiedFinding
from app.core.memory import Recall
from app.core.silence import Silenced
from app.core.usage import Usage


@dataclass(frozen=True, slots=True)
class NotReviewed:
    """Hunks of a file that no model and no person looked at, and why. `code` is one of `app.errors.Code`."""

    path: str
    hunks: int
    reason: str
    code: str


@dataclass(frozen=True, slots=True)
class Review:
    """Everything a review has to say, in the order it is said.

    `said` are the comments, most important first, at most the cap; `folded` is what the cap left over. `raised` was found
    too, but people had raised it before; comments in the code silence what is `silenced` and ask in vain about what is
    `refused`. `pre_existing` is what rules saw in the changed files on lines that the change left
    alone: named, counted nowhere. `by_rules` is True when no
    model took part. `hunks_reviewed` of `hunks` were looked at by every stage that had to.
    """

    base: Sha
    head: Sha
    said: tuple[VerifiedFinding, ...]
    folded: tuple[VerifiedFinding, ...] = ()
    elsewhere: tuple[Elsewhere, ...] = ()
    raised: tuple[VerifiedFinding, ...] = ()
    silenced: tuple[Silenced, ...] = ()
    refused: tuple[Silenced, ...] = ()
    pre_existing: tuple[Elsewhere, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    not_reviewed: tuple[NotReviewed, ...] = ()
    hunks: int = 0
    hunks_reviewed: int = 0
    overview: str = ""
    flow: tuple[FlowStep, ...] = ()
    personas: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    by_rules: bool = False
    notes: tuple[str, ...] = ()
    usage: Usage = field(default_factory=Usage)
    seconds: float = 0.0
    recalled: Recall = field(default_factory=lambda: Recall(()))

    @property
    def complete(self) -> bool:
        """Whether every hunk was reviewed."""
        return not self.not_reviewed

    @property
    def findings(self) -> tuple[VerifiedFinding, ...]:
        """Said and folded together, in order."""
        return self.said + self.folded

    @property
    def open_before(self) -> int:
        """How many findings of earlier reviews are open."""
        return len(self.recalled.standing) + len(self.recalled.back)

    @property
    def says_something(self) -> bool:
        """Whether it holds anything that was not said before."""
        return bool(self.findings or self.elsewhere or self.not_reviewed)

    @property
    def changes_something(self) -> bool:
        """Whether a person who knows all that was said before would learn anything from it."""
        recalled = self.recalled
        return bool(self.hunks or recalled.gone or recalled.back or recalled.hushed)

    def worst(self) -> Severity | None:
        """The severity of the worst finding that is open, wherever it stands; None when there is none."""
        severities = [one.finding.severity for one in (*self.findings, *self.raised)]
        severities += [one.finding.severity for one in self.elsewhere]
        severities += [one.severity for one in self.recalled.standing]
        severities += [found.finding.severity for _, found in self.recalled.back]
        return min(severities, key=lambda severity: severity.rank) if severities else None
