"""Talking: what a question is about, and the answer said once where it was asked.

question ── topic ──► our thread and the finding it is about, or why there is none
text ────── say ────► a comment in that thread or in the conversation, found again by its marker
comment ─── react ──► 🚀 or 😕 on it
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from app.core import fingerprint, gate
from app.core.memory import Said, Thread, updated
from app.core.pull import Remark, ReviewThread
from app.errors import Permanent
from app.events import Place, Question, ReviewRequest
from app.stages import recall, threads
from app.stages.memory import Memory
from app.stages.step import Step
from app.telemetry import log

if TYPE_CHECKING:
    from app.github import GitHub

_OPTIONAL_THREAD: Any = ReviewThread | None


@dataclass(frozen=True, slots=True)
class Topic:
    """One of our threads, and the finding it is about, as people have left it."""

    thread: ReviewThread
    said: Said


class NoTopic(Enum):
    """Why a question is about no finding."""

    CONVERSATION = "belongs in the thread of a finding: type it there as an answer."
    FOREIGN = "works in the threads that this reviewer began, and this is none of them."
    FORGOTTEN = "finds nothing: what was said here is no longer remembered. Resolve the thread by hand."

    def why(self, command: str) -> str:
        """The sentence that a person reads."""
        return f"{gate.span(command)} {self.value}"


@dataclass(frozen=True, slots=True)
class Talker:
    """Who talks about a pull request: through which door, with which memory, under which key its words are known again."""

    place: Place
    github: GitHub = field(repr=False)
    memory: Memory
    key: bytes = field(repr=False)

    async def thread(self, question: Question, *, step: Step) -> ReviewThread | None:
        """The thread a question was asked in, ours or not; None in the conversation."""

        async def read() -> ReviewThread | None:
            return next((one for one in await self._threads() if one.remarks[0].id == question.thread), None)

        return await step.run("thread", read, _OPTIONAL_THREAD) if question.in_thread else None

    def began(self, thread: ReviewThread) -> bool:
        """Whether we began the thread."""
        return self._ours(thread) is not None

    def has_answered(self, question: Question, thread: ReviewThread) -> bool:
        """Whether the answer stands in the thread already."""
        return _marked(thread.remarks, self._mark(question.about)) is not None

    async def topic(self, question: Question, *, step: Step) -> Topic | NoTopic:
        """The finding of the thread that the question was asked in, or why there is none."""
        asked_in = await self.thread(question, step=step)
        if asked_in is None:
            return NoTopic.FOREIGN if question.in_thread else NoTopic.CONVERSATION
        if self._ours(asked_in) is None:
            return NoTopic.FOREIGN

        async def read() -> tuple[Topic, ...]:
            return await self._remembered([asked_in])

        return next(iter(await step.run("topic", read, tuple[Topic, ...])), NoTopic.FORGOTTEN)

    async def topics(self, *, step: Step) -> tuple[Topic, ...]:
        """Every thread of ours whose finding is remembered."""

        async def read() -> tuple[Topic, ...]:
            return await self._remembered(await self._threads())

        return await step.run("topics", read, tuple[Topic, ...])

    async def close(self, closing: Sequence[ReviewThread], *, step: Step) -> None:
        """The threads resolved, or folded away where the App may not resolve."""
        for number, one in enumerate(closing):
            await step.run(f"close {number}", partial(threads.close, one, github=self.github), bool, preemptible=False)

    async def say(self, question: Question, text: str, *, step: Step, failed: bool = False) -> int:
        """The id of the comment with this text, where the question was asked; said once.

        That an answer failed is not the answer: a later try may still say it.
        """
        place, about = self.place, f"{question.about} failed" if failed else question.about
        mark = self._mark(about)
        body = gate.release(f"{text}\n\n{mark}")

        async def look() -> int | None:
            return _marked(await self._said_around(question), mark)

        async def send() -> int:
            if question.thread is None:
                return await self.github.comment(place.repository, place.number, body)
            return await self.github.talk.reply(place.repository, place.number, to=question.thread, body=body)

        return await step.once(f"answer {about}", look=look, send=send, result=int)

    async def _said_around(self, question: Question) -> Sequence[Remark]:
        if question.thread is None:
            return await self.github.talk.remarks(self.place.repository, self.place.number)
        return [
            one for thread in await self._threads() if thread.remarks[0].id == question.thread for one in thread.remarks
        ]

    async def _threads(self) -> tuple[ReviewThread, ...]:
        return await self.github.talk.threads(self.place.repository, self.place.number)

    async def _remembered(self, found: Sequence[ReviewThread]) -> tuple[Topic, ...]:
        marked = [(one, ours) for one in found if (ours := self._ours(one)) is not None]
        known = await self.memory.of(self.place.repository_id, self.place.number)
        said = {one.fingerprint: one for one in updated(known.said, [ours for _, ours in marked])}
        return tuple(Topic(one, said[ours.fingerprint]) for one, ours in marked if ours.fingerprint in said)

    def _mark(self, about: str) -> str:
        repository_id, number = self.place.repository_id, self.place.number
        return fingerprint.answer_marker(about, key=self.key, repository_id=repository_id, number=number)

    def _ours(self, one: ReviewThread) -> Thread | None:
        return recall.ours(one, key=self.key, repository_id=self.place.repository_id, number=self.place.number)


def _marked(said: Sequence[Remark], mark: str) -> int | None:
    return next((one.id for one in said if one.author_is_bot and mark in one.body.text), None)


async def react(
    asked: Question | ReviewRequest, content: Literal["eyes", "rocket", "confused"], *, github: GitHub, step: Step
) -> None:
    """Show on the comment that it was heard, or how what it asked for has ended. Nothing, where there is no such comment."""
    comment = asked.comment
    if comment is None:
        return

    async def show() -> None:
        try:
            await github.react_to_comment(asked.place.repository, comment, content, in_thread=asked.in_thread)
        except Permanent as error:
            log.warning("reaction_not_shown", code=error.code, what=error.what)

    await step.run(f"react {content}", show, type(None), preemptible=False)
