"""THE STORY. (Being written; the ports below are final.)"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

T = TypeVar("T")


class Step(Protocol):
    """How the story's steps are run: at once, or durably by the job engine."""

    async def run(
        self, name: str, work: Callable[[], Awaitable[T]], result: type[T], *, preemptible: bool = True
    ) -> T:
        """The result of `work`, remembered: after a crash the remembered one is returned and `work` is not run again.

        Steps must start in the same order on every run. A preemptible step is stopped when its job is cancelled.
        """
        ...

    async def once(
        self,
        key: str,
        *,
        look: Callable[[], Awaitable[T | None]],
        send: Callable[[], Awaitable[T]],
        result: type[T],
    ) -> T:
        """The result of an effect that happens once: `look` is asked before every `send`, also after a lost answer."""
        ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a review ended, for the job's record."""

    state: Literal["posted", "already", "superseded", "skipped", "failed"]
    code: str = ""
    detail: str = ""
    review_id: int | None = None
