"""What the jobs need of the rest: the story they run, and the door they ask GitHub through."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from app.commands import Door as CommandDoor
from app.core.change import Sha
from app.core.pull import Pull
from app.errors import Code
from app.events import Place, Question, ReviewRequest
from app.stages.step import Step


class Outcome(Protocol):
    """How a story says it ended; `app.review.Outcome` is one."""

    @property
    def state(self) -> str:
        """`posted`, `already`, `quiet`, `superseded`, `skipped` or `failed`."""
        ...

    @property
    def code(self) -> str:
        """The error's code where it failed, else empty."""
        ...

    @property
    def detail(self) -> str:
        """One sentence for the job's record."""
        ...

    @property
    def review_id(self) -> int | None:
        """The review that stands on the pull request."""
        ...


PUT_OFF = "put off"


@dataclass(frozen=True, slots=True)
class Ending:
    """How a review ended that could not say so itself, with a code and a sentence.

    `superseded`, `cancelled`, `failed`, or `put off` until there is room. The last two may come to one that never began.
    """

    state: str
    code: Code | None
    detail: str


@dataclass(frozen=True, slots=True)
class Left:
    """What an ended job has left on the other side; nothing of it can still be on its way.

    `stands` holds what `step.once` returned, as JSON by its key. `unheard` are the keys of what was sent and never answered:
    it may stand or not. `held` is what jobs under way on the same pull request have there themselves, by key.
    """

    stands: Mapping[str, Any] = field(default_factory=dict)
    unheard: frozenset[str] = frozenset()
    held: tuple[tuple[str, Any], ...] = ()


class Story(Protocol):
    """Reviews and answers, as the jobs see them. Everything is called on the engine's own event loop, not on the web's."""

    async def review(self, request: ReviewRequest, *, pull: Pull, step: Step) -> Outcome:
        """Review the head that `request` names. `pull` was read when the review was decided on; the head may have moved.

        `Transient` raised here makes the job try again later, with the results of the steps that succeeded. Any other
        error ends it as failed, and `settle` is called.
        """
        ...

    async def answer(self, question: Question, *, step: Step) -> Outcome:
        """Answer what a person asked, where they asked it. Errors are as those of `review`."""
        ...

    async def settle(self, asked: ReviewRequest | Question, *, ending: Ending, left: Left) -> None:
        """Tell people about the end of a review or an answer that could not say so itself: no check run stays in progress.

        Called perhaps twice, perhaps for one that never reached GitHub: look, then write.
        """
        ...

    async def answer_group(self, place: Place, *, head: Sha) -> None:
        """Answer on the commit of a merge queue, which waits for every required check. May be asked twice."""
        ...


class Door(CommandDoor, Protocol):
    """What deciding needs of GitHub, beside what commands need."""

    async def pull(self, repository: str, number: int) -> Pull:
        """The pull request as it is now."""
        ...


Doors = Callable[[Place], Awaitable[Door]]
"""GitHub as the installation of this place sees it."""
