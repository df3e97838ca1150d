"""How thoroughly a change is read: the effort that people choose, as the passes and filters it stands for.

quick     one pass, no sceptic, no fixes: only what the reviewer is nearly certain of is said
standard  one pass, a sceptic who judges several candidates of a batch at a time, fixes
deep      a pass for each lens, votes, a sceptic for each candidate alone, a second look where no pass spoke, fixes
"""

from __future__ import annotations

from dataclasses import dataclass

from app.core.options import Effort

GENERAL = "review"
SECOND_LOOK = "second-look"
LENSES = ("lens-data-flow", "lens-order", "lens-contracts", "lens-security", "lens-tests")
"""Tasks of the deep review, one pass each."""


@dataclass(frozen=True, slots=True)
class Passes:
    """What an effort stands for. `tasks` names the prompts that are asked about every batch."""

    tasks: tuple[str, ...]
    sceptic: bool = True
    candidates_per_prompt: int = 6
    second_look: bool = False
    fixes: bool = True
    least_confidence: float = 0.0
    """A claim that no sceptic judges must be as certain as this."""


def passes(effort: Effort) -> Passes:
    """The passes of an effort."""
    match effort:
        case "quick":
            return Passes((GENERAL,), sceptic=False, fixes=False, least_confidence=0.75)
        case "standard":
            return Passes((GENERAL,))
        case "deep":
            return Passes(LENSES, candidates_per_prompt=1, second_look=True)
