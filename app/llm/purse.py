"""The port to the money: what one repository's calls may cost, asked before each call and told after it."""

from __future__ import annotations

from typing import Protocol

from app.core.usage import Usage


class Purse(Protocol):
    """Pays for the calls of one repository."""

    async def set_aside(self, model: str, most_usd: float | None) -> str:
        """Sets aside the most that a call can cost, None where the price is not known. Returns a name for `pay`.

        Raises `Permanent` (BUDGET_SPENT) when there is not so much left.
        """
        ...

    async def pay(self, name: str, model: str, usage: Usage) -> None:
        """What the call of this model has used, in place of what was set aside for it; nothing for a call without an answer."""
        ...


class OwnPocket:
    """For the command line, whose user pays as they go and sees what it cost."""

    async def set_aside(self, model: str, most_usd: float | None) -> str:
        """Nothing."""
        del model, most_usd
        return ""

    async def pay(self, name: str, model: str, usage: Usage) -> None:
        """Nothing is written down."""
