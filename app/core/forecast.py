"""What a review is going to cost, told before it is begun: the prompts that are ready → `Forecast`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Ready:
    """One prompt that is ready to be sent: to which model, and about how many tokens it has."""

    model: str
    input_tokens: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """About what a whole review takes: calls that read the change, tokens in all, dollars (None where a price is not known)."""

    calls: int
    tokens: int
    usd: float | None


class Cost(Protocol):
    """What a call to a model costs, in US dollars; None when its price is not known."""

    def __call__(self, model: str, *, input_tokens: int, output_tokens: int) -> float | None:
        """The cost of so many tokens."""
        ...


def forecast(readings: Sequence[Ready], *, reply_tokens: int, share: float, cost: Cost) -> Forecast:
    """The forecast. A reply takes `reply_tokens` on average; reading is that `share` of all, the sceptic and fixes the rest."""
    tokens = sum(one.input_tokens + reply_tokens for one in readings)
    costs = [cost(one.model, input_tokens=one.input_tokens, output_tokens=reply_tokens) for one in readings]
    known = [one for one in costs if one is not None]
    usd = sum(known) / share if len(known) == len(costs) else None
    return Forecast(calls=len(readings), tokens=round(tokens / share), usd=usd)
