"""What people may type on a pull request: a file per verb, found by its name; its docstring is its help text.

    event ── hear ──► ReviewRequest         a review, made as every other
                      Question ── answer ──► words, said once, where the person asked
                      Refused               nothing is said

A verb's module has one function: `review(event) -> ReviewRequest`, or `answer(call) -> Reply`. To add a verb, add a file.
"""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Literal, Protocol

from app.core import deceptive, notice
from app.core.pull import Permission, Pull
from app.core.rule import Rule
from app.core.usage import Usage
from app.errors import Code, Permanent, PrincipalError, Transient
from app.events import CommandEvent, Prompted, Question, ReplyEvent, ReviewRequest
from app.llm import Model
from app.llm.guarded import Guarded
from app.review import House, Outcome, envelope_for, read_pull
from app.stages import talk
from app.stages.answer import Asked, respond
from app.stages.read import Reading, code
from app.stages.step import Step
from app.stages.talk import Talker
from app.telemetry import COMMANDS, log

if TYPE_CHECKING:
    from app.github import GitHub

Reaction = Literal["eyes", "rocket", "confused"]


@dataclass(frozen=True, slots=True)
class Refused:
    """Something that is not answered, and why, for the record: nothing is said to the person."""

    reason: str


@dataclass(frozen=True, slots=True)
class Call:
    """A question, and what it may be answered with."""

    question: Question
    house: House
    github: GitHub
    step: Step

    @property
    def talker(self) -> Talker:
        """Who answers it."""
        return Talker(self.question.place, self.github, self.house.memory, self.house.reviewer.secret_key)

    async def reading(self) -> Reading:
        """The change as it is now, with all that it can be read by, under the policy in force."""
        place, house = self.question.place, self.house
        pull = await self.step.run("pull", lambda: self.github.pull(place.repository, place.number), Pull)
        found = await read_pull(pull, github=self.github, mirrors=house.mirrors, step=self.step)
        return Reading(
            change=found.change,
            code=await code(found.change, tree=found.tree),
            tree=found.tree,
            scanner=house.reviewer.scanner,
            options=house.reviewer.options,
            policies=found.policy.policies,
            background=found.background,
        )

    def model(self) -> Model | None:
        """The model that answers: its calls are paid and written down, its replies read for our own secrets first."""
        reviewer = self.house.reviewer_of(self.question)
        return reviewer.models.through(lambda model: Guarded(model, reviewer.known_secrets)).review

    async def respond(self, asked: Asked) -> Reply:
        """What a model answers; without a model, that there is none, and in a thread of ours what can be asked instead."""
        reviewer, model = self.house.reviewer, self.model()
        if model is None:
            ours = asked.thread is not None and self.talker.began(asked.thread)
            return Reply(f"{NO_MODEL} {INSTEAD}" if ours else NO_MODEL, well=False)
        reading = await self.reading()
        answered = await respond(
            asked,
            reading=reading,
            model=model,
            task=reviewer.library.tasks["answer"],
            envelope=envelope_for(reading.change, reviewer),
            step=self.step,
        )
        return Reply(answered.text, usage=answered.usage)

    def rules(self) -> dict[str, Rule]:
        """Every rule that may have found something, by its id: those of the library, and the service's own."""
        return {rule.id: rule for rule in (*self.house.reviewer.library.rules, *deceptive.RULES)}

    @property
    def pull(self) -> tuple[int, int]:
        """The repository's id and the pull's number, as its memory knows it."""
        return self.question.place.repository_id, self.question.place.number


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered: our own words, and what the gate has defused. `well` is whether the person got what they asked."""

    text: str
    well: bool = True
    usage: Usage = field(default_factory=Usage)


class Door(Protocol):
    """What hearing needs of GitHub."""

    async def permission(self, repository: str, login: str) -> Permission:
        """What this person may do, as GitHub confirms it."""
        ...

    async def react_to_comment(
        self, repository: str, comment_id: int, content: Reaction = "eyes", *, in_thread: bool = False
    ) -> None:
        """Put a reaction on a comment of the conversation, or of a thread."""
        ...


@dataclass(frozen=True, slots=True)
class Verb:
    """A command: its help text, and the one of the two that it does."""

    help: str
    review: Callable[[CommandEvent], ReviewRequest] | None = None
    answer: Callable[[Call], Awaitable[Reply | Refused]] | None = None


NO_MODEL = (
    "Not answered: answers are written by a language model, and this server reviews by rules alone. "
    "Whoever runs it can name one in `PRINCIPAL_MODEL`."
)
INSTEAD = "`/explain` in this thread tells what the finding's rule says."
RESUME = "resume"
HELP, ASK = "help", "ask"
"""The verbs that also answer what is no command: unknown ones, and questions in a thread."""


@cache
def verbs() -> dict[str, Verb]:
    """Every command by its name, in the order of their help."""
    modules = {one.name: import_module(f"{__name__}.{one.name}") for one in pkgutil.iter_modules(__path__)}
    return {
        name: Verb(
            help=inspect.cleandoc(module.__doc__ or ""),
            review=getattr(module, "review", None),
            answer=getattr(module, "answer", None),
        )
        for name, module in modules.items()
    }


async def hear(event: CommandEvent | ReplyEvent, github: Door) -> ReviewRequest | Question | Refused:
    """What the person wants. Refused when GitHub does not confirm write permission or better: answers cost money too.

    The association that a payload carries is not asked: it calls private members of an organisation strangers. A command
    gets its 👀 at once; of anything else it is not known yet whether it is meant for us.
    """
    verb = event.verb if isinstance(event, CommandEvent) else "reply"
    known = verbs().get(verb)
    permission = await github.permission(event.place.repository, event.author)
    COMMANDS.labels(
        verb if known or verb == "reply" else "unknown", "obeyed" if permission.may_write else "denied"
    ).inc()
    log.info("command_heard", verb=verb, author=event.author, obeyed=permission.may_write)
    if not permission.may_write:
        return Refused(f"{event.author} has {permission} permission, and commands need write")
    if isinstance(event, ReplyEvent):
        return _question(event, verb=ASK, words="", prompted=Prompted.REPLY)
    if known is None:
        return _question(event, verb=HELP, words=verb, prompted=Prompted.UNKNOWN)
    await github.react_to_comment(event.place.repository, event.comment, "eyes", in_thread=event.thread is not None)
    if known.review is not None:
        return known.review(event)
    return _question(event, verb=verb, words=event.words, prompted=Prompted.COMMAND)


async def answer(question: Question, *, house: House, step: Step) -> Outcome:
    """The question answered where it was asked, once, and 🚀 or 😕 on it. What may go better later is raised as `Transient`."""
    call = Call(question, house, await house.github(question.place), step)
    try:
        reply = await _reply(call)
    except Transient:
        raise
    except PrincipalError as error:
        return await apologise(question, error, house=house, step=step)
    if isinstance(reply, Refused):
        return Outcome("quiet", detail=reply.reason)
    said = await call.talker.say(question, reply.text, step=step)
    await talk.react(question, "rocket" if reply.well else "confused", github=call.github, step=step)
    log.info("question_answered", verb=question.verb, tokens=reply.usage.tokens, cost_usd=reply.usage.cost_usd)
    return Outcome("posted", review_id=said)


async def apologise(question: Question, error: PrincipalError, *, house: House, step: Step) -> Outcome:
    """Why there is no answer, said where it was asked: what, why, what to do, and the code the docs explain."""
    call = Call(question, house, await house.github(question.place), step)
    failed = Outcome("failed", code=error.code, detail=error.what)
    if question.prompted is Prompted.UNKNOWN:
        return failed
    try:
        text = notice.not_answered(code=error.code, what=error.what, meaning=error.meaning)
        await call.talker.say(question, text, step=step, failed=True)
        await talk.react(question, "confused", github=call.github, step=step)
    except Permanent as silenced:
        log.warning("question_not_answered", code=silenced.code, what=silenced.what)
    return failed


async def _reply(call: Call) -> Reply | Refused:
    verb = verbs()[call.question.verb]
    if verb.answer is None:
        raise AssertionError("a verb that reviews asks no question")
    reply = await verb.answer(call)
    if isinstance(reply, Reply) and call.house.reviewer.known_secrets.leaks(reply.text):
        log.error("output_blocked")
        raise Permanent(Code.OUTPUT_BLOCKED_SECRET, "The answer would have repeated one of this server's own secrets")
    return reply


def _question(event: CommandEvent | ReplyEvent, *, verb: str, words: str, prompted: Prompted) -> Question:
    return Question(
        place=event.place,
        verb=verb,
        words=words,
        comment=event.comment,
        thread=event.thread,
        asked_by=event.author,
        prompted=prompted,
    )
