"""What is written down about a review, or an answer, for whoever runs the bot: the port, and a stand-in that writes nothing.

Nothing of it is needed to make a review. Every verb may come twice, after a crash, and leaves the same.
"""

from __future__ import annotations

from typing import Protocol

from app.core.prompt import Prompt
from app.core.report import Review
from app.events import Question, ReviewRequest
from app.llm import Completion, Model, Reply
from app.stages.ask import digest


class Diary(Protocol):
    """Where reviews are written down."""

    async def asked(self, request: ReviewRequest | Question, prompt: Prompt, *, name: str) -> None:
        """A model is asked; `name` is the prompt's digest, by which the answer's step knows it."""
        ...

    async def reviewed(self, request: ReviewRequest, found: Review) -> None:
        """The review is finished, and not yet posted."""
        ...


class NoDiary:
    """For the command line: the person sees it all."""

    async def asked(self, request: ReviewRequest | Question, prompt: Prompt, *, name: str) -> None:
        """Write nothing."""

    async def reviewed(self, request: ReviewRequest, found: Review) -> None:
        """Write nothing."""


class Noted:
    """A `Model` in front of another one: what it is asked is written down, also where no answer comes."""

    def __init__(self, model: Model, diary: Diary, request: ReviewRequest | Question) -> None:
        self._model = model
        self._diary = diary
        self._request = request

    @property
    def name(self) -> str:
        """The name of the model behind."""
        return self._model.name

    async def complete(self, prompt: Prompt, reply: type[Reply]) -> Completion[Reply]:
        """The reply of the model behind, or what it raises."""
        await self._diary.asked(self._request, prompt, name=digest(prompt))
        return await self._model.complete(prompt, reply)
