"""What the operator lets models cost in a day, and whether one more call fits. Days are UTC's; money is US dollars.

A call is paid in two parts: the most it can cost is set aside before it is made, what it has cost takes that place afterwards.
So calls that are made at the same time cannot spend the same dollar, and a limit holds to the cent.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What all repositories together, and what one of them, may cost in a day; None for no limit."""

    daily_usd: float | None = None
    repository_usd: float | None = None

    @property
    def any(self) -> bool:
        """Whether something is limited."""
        return self.daily_usd is not None or self.repository_usd is not None


@dataclass(frozen=True, slots=True)
class Amount:
    """Money of one day: of all repositories together, and the share of the one that is asked about."""

    all_usd: float = 0.0
    repository_usd: float = 0.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a call may be paid. Neither granted nor a reason: not now, but calls under way may leave something."""

    granted: bool = False
    why: str = ""


GRANTED = Verdict(granted=True)
LATER = Verdict()


def judge(limits: Limits, *, spent: Amount, aside: Amount, most_usd: float) -> Verdict:
    """Whether a call that costs `most_usd` at most may be made, given what is spent and what is set aside for others."""
    budgets = (
        ("This repository's budget", limits.repository_usd, spent.repository_usd, aside.repository_usd),
        ("The budget", limits.daily_usd, spent.all_usd, aside.all_usd),
    )
    verdict = GRANTED
    for name, limit_usd, spent_usd, aside_usd in budgets:
        if limit_usd is None or spent_usd + aside_usd + most_usd <= limit_usd:
            continue
        if spent_usd + most_usd > limit_usd:
            return Verdict(why=f"{name} of ${limit_usd:.2f} for today (UTC) is used up")
        verdict = LATER
    return verdict
