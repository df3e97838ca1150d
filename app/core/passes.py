"""How thoroughly a change is read: the effort that people choose, as the passes and filters it stands for.

quick     one pass, no sceptic, no fixes: only what the reviewer is rather sure of is said
standard  one pass, a sceptic who judges several candidates of a batch at a time, the fixes of several findings at a time
deep      a pass for each lens, votes, a sceptic for each candidate alone, a second look where no pass spoke, each fix
          written alone, and somebody who tries to break it
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from app.core.options import Effort

GENERAL = "review"
SECOND_LOOK = "second-look"
CLAIMS = "claims"
"""How a finding is written: the end of every task that asks for some."""
LENSES = ("lens-data-flow", "lens-order", "lens-contracts", "lens-security", "lens-tests")
"""Tasks of the deep review, one pass each."""


@dataclass(frozen=True, slots=True)
class Passes:
    """What an effort stands for. `tasks` names the prompts that are asked about every batch."""

    tasks: tuple[str, ...]
    sceptic: bool = True
    candidates_per_prompt: int = 12
    second_look: bool = False
    fixes: bool = True
    findings_per_fix: int = 5
    """How many findings' fixes are asked for at a time."""
    least_confidence: float = 0.0
    """A claim that no sceptic judges must be as certain as this."""
    breaker: bool = False
    """Somebody else tries to break each patch; one that breaks is left out."""
    alone: float = 0.0
    """Of several passes, one that claims something alone must be as certain as this."""

    @property
    def many(self) -> bool:
        """Whether a batch is read more than once, so that the same problem may be claimed more than once."""
        return len(self.tasks) > 1

    def share_a_prefix(self, batches: int) -> bool:
        """Whether all calls about a batch begin with all that was read of it.

        Where there are several batches or passes, a provider's cache pays for the repetition. A change that is read in one
        call is too small for that: its sceptic reads what the candidates are about, and nothing twice.
        """
        return self.many or batches > 1


def passes(effort: Effort) -> Passes:
    """The passes of an effort."""
    match effort:
        case "quick":
            return Passes((GENERAL,), sceptic=False, fixes=False, least_confidence=0.5)
        case "standard":
            return Passes((GENERAL,))
        case "deep":
            return Passes(
                (GENERAL, *LENSES),
                candidates_per_prompt=1,
                second_look=True,
                findings_per_fix=1,
                breaker=True,
                alone=0.5,
            )


def asked_for(asked: str) -> Effort | None:
    """The effort that a person named after `/review`; None when they named none, or several."""
    efforts: tuple[Effort, ...] = get_args(Effort)
    named = [effort for effort in efforts if effort in asked.casefold().split()]
    return named[0] if len(named) == 1 else None
