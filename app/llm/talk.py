"""One model, asked until it has answered in form: prompt → completion, with tries, one repair, and an account of each call."""

from __future__ import annotations

import asyncio
import copy
import random as randomness
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Generic

from app import retry
from app.core.prompt import Prompt
from app.core.usage import Usage
from app.errors import Code, Permanent, PrincipalError
from app.llm import Completion, Reply, form
from app.llm.form import Misread, Read
from app.llm.prices import Prices
from app.llm.provider import Answer, Ending, Provider, Question
from app.llm.purse import OwnPocket, Purse

THINKING_TOKENS = 16_000
"""Added to a reply's limit for models that think before they answer, because their thoughts count against it."""
LONGER_BY = 2
"""How much longer a reply may be after it was cut off."""
QUOTED_CHARACTERS = 20_000
"""So much of a bad reply is shown to the model again."""

DECLINED = (
    "That was not an answer to the task. It is a review of source code for the people who own it. "
    "Reply in the form that was asked for."
)
CUT_OFF = (
    "That reply was cut off because it was too long. Reply again from the start, shorter: the most important entries "
    "first, each in few words, and fewer entries where need be, so that the JSON object is complete."
)
BROKEN = (
    "That reply could not be read: {reason}. Reply again with one complete JSON object of the form that was asked for, "
    "and nothing else."
)


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP call to a model, for metrics and budgets. `outcome` is `ok` or the code of what went wrong."""

    model: str
    purpose: str
    usage: Usage
    seconds: float
    outcome: str


OnCall = Callable[[Call], None]


class Unanswered(Permanent):
    """The model answered, twice, and neither answer was one: refused, cut off or broken. `usage` is what that cost."""

    def __init__(self, code: Code, what: str, *, usage: Usage) -> None:
        super().__init__(code, what)
        self.usage = usage


@dataclass(frozen=True, slots=True)
class _Heard(Generic[Reply]):
    """An answer's text, what it cost, and its reply, or what is wrong with it: a code, a sentence, and words for the model."""

    text: str
    usage: Usage
    reply: Reply | None = None
    code: Code = Code.MODEL_REPLY_BROKEN
    what: str = ""
    complaint: str = ""


class Talk:
    """A `Model`: one name at one provider. Safe to use from several event loops."""

    def __init__(
        self,
        provider: Provider[Any],
        model: str,
        *,
        prices: Prices,
        breaker: retry.Breaker | None = None,
        on_call: OnCall | None = None,
        purse: Purse | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        random: Callable[[], float] = randomness.random,
    ) -> None:
        self._provider = provider
        self._model = model
        self._prices = prices
        self._breaker = breaker
        self._on_call = on_call
        self._purse = purse or OwnPocket()
        self._clock = clock
        self._sleep = sleep
        self._random = random

    @property
    def name(self) -> str:
        """`provider:model`."""
        return f"{self._provider.name}:{self._model}"

    def paid_by(self, purse: Purse) -> Talk:
        """The same model, its calls paid by this purse."""
        paid = copy.copy(self)
        paid._purse = purse  # noqa: SLF001 - of the same class
        return paid

    async def complete(self, prompt: Prompt, reply: type[Reply]) -> Completion[Reply]:
        """The model's reply in its form. Raises `Transient`, or `Permanent` (`Unanswered` after the one repair try)."""
        limit = self._limit(prompt.max_output_tokens)
        question = Question(prompt=_sendable(prompt), form=reply, max_output_tokens=limit)
        first = await self._hear(question, reply)
        if first.reply is not None:
            return Completion(first.reply, first.usage, self.name)
        second = await self._hear(self._repaired(question, first), reply)
        usage = first.usage + second.usage
        if second.reply is None:
            raise Unanswered(second.code, second.what, usage=usage)
        return Completion(second.reply, usage, self.name)

    def _repaired(self, question: Question, heard: _Heard[Reply]) -> Question:
        limit = question.max_output_tokens
        if heard.code is Code.MODEL_TRUNCATED:
            price = self._prices.price(self._model)
            limit = min(limit * LONGER_BY, (price.max_output_tokens if price else None) or limit * LONGER_BY)
        said = heard.text[:QUOTED_CHARACTERS]
        return replace(question, said=said, complaint=heard.complaint, max_output_tokens=limit)

    def _limit(self, tokens: int) -> int:
        price = self._prices.price(self._model)
        if price is None:
            return tokens
        wanted = tokens + THINKING_TOKENS if price.thinks else tokens
        return min(wanted, price.max_output_tokens or wanted)

    async def _hear(self, question: Question, reply: type[Reply]) -> _Heard[Reply]:
        # One sum for all tries: only the last of them has an answer that costs something.
        aside = await self._purse.set_aside(self.name, self._most_usd(question))
        usage = Usage()
        try:
            heard = await retry.call(
                lambda: self._call(question, reply), breaker=self._breaker, sleep=self._sleep, random=self._random
            )
            usage = heard.usage
        finally:
            await self._purse.pay(aside, self.name, usage)
        return heard

    def _most_usd(self, question: Question) -> float | None:
        prompt = question.prompt
        said = (
            prompt.system,
            prompt.shared,
            prompt.body,
            question.said,
            question.complaint,
            form.in_words(question.form),
        )
        size = sum(len(text.encode("utf-8", "replace")) for text in said)
        return self._prices.most_usd(self._model, prompt_bytes=size, output_tokens=question.max_output_tokens)

    async def _call(self, question: Question, reply: type[Reply]) -> _Heard[Reply]:
        started = self._clock()
        try:
            answer = await self._provider.ask(self._model, question)
        except PrincipalError as error:
            self._account(question, Usage(), started, error.code)
            raise
        heard = self._judge(answer, reply)
        self._account(question, heard.usage, started, "ok" if heard.reply is not None else heard.code)
        return heard

    def _judge(self, answer: Answer, reply: type[Reply]) -> _Heard[Reply]:
        usage = self._prices.usage(self._model, answer.tokens)
        heard: _Heard[Reply] = _Heard(answer.text, usage)
        match answer.ending:
            case Ending.DECLINED:
                what = f"{self.name} declined to answer"
                return replace(heard, code=Code.MODEL_REFUSED, what=what, complaint=DECLINED)
            case Ending.CUT_OFF:
                what = f"the reply of {self.name} was cut off"
                return replace(heard, code=Code.MODEL_TRUNCATED, what=what, complaint=CUT_OFF)
        try:
            read: Read[Reply] = form.read(answer.text, reply)
        except Misread as misread:
            self._provider.distrust_schema(self._model)
            what = f"the reply of {self.name} was not in the form asked for: {misread}"
            return replace(heard, what=what, complaint=BROKEN.format(reason=misread))
        if not read.plain:
            self._provider.distrust_schema(self._model)
        return replace(heard, reply=read.reply)

    def _account(self, question: Question, usage: Usage, started: float, outcome: str) -> None:
        if self._on_call is not None:
            self._on_call(Call(self.name, question.prompt.purpose, usage, self._clock() - started, str(outcome)))


def _sendable(prompt: Prompt) -> Prompt:
    """The prompt without halves of surrogate pairs, which code may hold and no request can."""
    parts = {name: getattr(prompt, name).encode("utf-8", "replace").decode() for name in ("system", "shared", "body")}
    return replace(prompt, **parts)
