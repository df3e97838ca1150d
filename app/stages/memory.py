"""What outlives a review: the port to where it is kept, and a stand-in that keeps nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from app.core.change import Sha
from app.core.memory import Dismissed, Remembered, Said


class Memory(Protocol):
    """What is kept of pull requests between their reviews. Writing the same twice leaves the same."""

    async def of(self, repository_id: int, number: int) -> Remembered:
        """What is known of a pull request; nothing for one that was never reviewed."""
        ...

    async def dismissed(self, repository_id: int) -> tuple[Dismissed, ...]:
        """What people of this repository dismissed, the latest first, a bounded number."""
        ...

    async def reviewed(self, repository_id: int, number: int, *, head: Sha, base: Sha) -> None:
        """Keep which head was reviewed whole, and against which merge base."""
        ...

    async def said(self, repository_id: int, number: int, said: Sequence[Said]) -> None:
        """Keep findings as they stand; one that is known is replaced."""
        ...

    async def summarised(self, repository_id: int, number: int, *, comment: int, told: str) -> None:
        """Keep the id of the summary comment, and what it says the pull request does."""
        ...

    async def pause(self, repository_id: int, number: int, *, paused: bool) -> None:
        """Keep whether people want no automatic reviews of this pull request."""
        ...

    async def forget(self, repository_id: int, number: int) -> None:
        """Forget what was reviewed and said, so that the next review starts over; what was dismissed stays dismissed."""
        ...


class NoMemory:
    """For the command line: every review is the first."""

    async def of(self, repository_id: int, number: int) -> Remembered:
        """Nothing."""
        del repository_id, number
        return Remembered()

    async def dismissed(self, repository_id: int) -> tuple[Dismissed, ...]:
        """Nothing."""
        del repository_id
        return ()

    async def reviewed(self, repository_id: int, number: int, *, head: Sha, base: Sha) -> None:
        """Keep nothing."""

    async def said(self, repository_id: int, number: int, said: Sequence[Said]) -> None:
        """Keep nothing."""

    async def summarised(self, repository_id: int, number: int, *, comment: int, told: str) -> None:
        """Keep nothing."""

    async def pause(self, repository_id: int, number: int, *, paused: bool) -> None:
        """Keep nothing."""

    async def forget(self, repository_id: int, number: int) -> None:
        """There is nothing to forget."""
