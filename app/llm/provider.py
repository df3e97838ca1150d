"""What all providers share: a question is sent, less is asked of a server that cannot take all of it, an answer comes back.

A provider's own file says how a request is put together, sent and read, and which parts of it a server may lack.
"""

from __future__ import annotations

import asyncio
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, ClassVar, Generic

from pydantic import BaseModel

from app.core.prompt import Prompt
from app.errors import Code, Permanent
from app.llm import failure
from app.llm.client import CALLS_AT_ONCE, Client, Lane, Lanes
from app.llm.failure import Rejection
from app.llm.prices import Tokens

Json = dict[str, Any]

NO_KEY = "none"
"""Sent to the operator's own server when no key is set: the SDKs insist on one, such servers do not look at it."""
SHORTEST_OUTPUT_TOKENS = 256


class Ending(Enum):
    """Why a reply ended."""

    DONE = "done"
    CUT_OFF = "cut off"
    DECLINED = "declined"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model said, why it stopped, and what its reply counted."""

    text: str
    ending: Ending
    tokens: Tokens


@dataclass(frozen=True, slots=True)
class Question:
    """A prompt, the form of the reply, how long it may be; for a second try also what was said and what is wrong with it."""

    prompt: Prompt
    form: type[BaseModel]
    max_output_tokens: int
    said: str = ""
    complaint: str = ""


@dataclass(slots=True)
class Abilities:
    """What was learned about one model on one server: fields it refuses, whether the schema must stand in the prompt."""

    lacking: set[str] = field(default_factory=set)
    schema_in_words: bool = False
    most_output_tokens: int | None = None


class Provider(ABC, Generic[Client]):
    """One provider's server. Calls are bounded in number and in time; nothing is tried twice here."""

    name: ClassVar[str]
    home: ClassVar[str]
    """The provider's own address."""
    optional: ClassVar[Mapping[str, tuple[str, ...]]]
    """Fields that a compatible server may not have, each with the words by which its refusal names it."""
    schema_field: ClassVar[str]

    def __init__(
        self, *, key: str | None, base_url: str | None, timeout_seconds: float, calls_at_once: int = CALLS_AT_ONCE
    ) -> None:
        self.base_url = (base_url or self.home).rstrip("/")
        self.timeout_seconds = timeout_seconds
        self._key = key
        self._abilities: dict[str, Abilities] = {}
        self._lanes: Lanes[Client] = Lanes(self._client, calls_at_once=calls_at_once)

    @property
    def at_home(self) -> bool:
        """Whether this is the provider's own server, and not one that speaks its language."""
        return self.base_url == self.home

    @property
    def configured(self) -> bool:
        """Whether it can be asked: with a key, or without one on a server of the operator's."""
        return bool(self._key) or not self.at_home

    def warm(self) -> None:
        """Imports and reads now what the first call would keep the event loop waiting for: about half a second."""
        self._client()

    async def ask(self, model: str, question: Question) -> Answer:
        """The model's answer. Raises `Transient` or `Permanent` with a MODEL_… code.

        A server that refuses an optional field is asked again without it, and not with it any more.
        """
        abilities = self.abilities(model)
        for _ in range(len(self.optional) + 2):
            request = self._request(model, question, abilities)
            try:
                return await self._exchange(request)
            except _Refused as refused:
                if not self._learned(refused.rejection, request, abilities):
                    raise refused.failure from refused.cause
        raise Permanent(Code.MODEL_REJECTED, f"{self.name} refused every form of the request")

    def abilities(self, model: str) -> Abilities:
        """What is known of a model here."""
        return self._abilities.setdefault(model, Abilities())

    def distrust_schema(self, model: str) -> None:
        """A reply was not in its form: where schemas may be read over, say them in words as well from now on."""
        if not self.at_home:
            self.abilities(model).schema_in_words = True

    async def close(self) -> None:
        """Closes its connections."""
        await self._lanes.close()

    @abstractmethod
    def _client(self) -> Client:
        """An SDK client for the running event loop, without retries of its own."""

    @abstractmethod
    def _request(self, model: str, question: Question, abilities: Abilities) -> Json:
        """The arguments of the SDK's call."""

    @abstractmethod
    async def _send(self, client: Client, request: Json) -> bytes:
        """The body of a good answer. Raises what `_refused`, `failure.silent` and `failure.unreachable` give."""

    @abstractmethod
    def _read(self, data: bytes) -> Answer:
        """The answer in a body. Raises `ValueError` for a body of another kind."""

    async def _exchange(self, request: Json) -> Answer:
        lane: Lane[Client] = self._lanes.here()
        async with lane.turns:
            try:
                # The SDK's timeouts bound each wait for a byte; this one bounds their sum.
                async with asyncio.timeout(self.timeout_seconds):
                    data = await self._send(lane.client, request)
            except TimeoutError as error:
                raise failure.silent(self.name, self.timeout_seconds) from error
        try:
            return self._read(data)
        except (ValueError, RecursionError) as error:
            raise failure.garbled(self.name) from error

    def _refused(
        self, status: int, headers: Mapping[str, str], body: object, cause: BaseException | None = None
    ) -> _Refused:
        """The refusal that an HTTP error stands for, with what may be learned from it."""
        known = {name.lower(): value for name, value in headers.items()}
        return _Refused(
            Rejection(self.name, status, known, body), secrets=(self._key,) if self._key else (), cause=cause
        )

    def _learned(self, rejection: Rejection, request: Json, abilities: Abilities) -> bool:
        """Whether the refusal says what to leave out or to shorten, and that is not known yet."""
        if rejection.status not in {400, 422, 500, 501}:
            return False
        limit = _named_limit(rejection.text)
        if limit is not None and (abilities.most_output_tokens or limit + 1) > limit:
            abilities.most_output_tokens = limit
            return True
        for name, words in self.optional.items():
            if name in request and any(word in rejection.text for word in words):
                abilities.lacking.add(name)
                abilities.schema_in_words |= name == self.schema_field
                return True
        return False


class _Refused(Exception):
    """A refusal on its way to `Provider.ask`, which learns from it or raises its failure."""

    def __init__(self, rejection: Rejection, *, secrets: tuple[str, ...], cause: BaseException | None) -> None:
        self.rejection = rejection
        self.failure = failure.rejected(rejection, now=time.time(), secrets=secrets)
        # An SDK's error holds the provider's words about the key, which a logged stack would show.
        self.cause = None if self.failure.code is Code.MODEL_UNAUTHORIZED else cause
        super().__init__(self.failure.what)


def _named_limit(text: str) -> int | None:
    """The most output tokens that a refusal says the model has (`at most 16384 completion tokens`, `> 8192, which is …`)."""
    found = re.search(r"at most (\d{2,7}) (?:completion|output) tokens|> (\d{2,7}), which is the maximum allowed", text)
    limit = int(next(filter(None, found.groups()))) if found else None
    return limit if limit is not None and limit >= SHORTEST_OUTPUT_TOKENS else None


def limited(question: Question, abilities: Abilities) -> int:
    """How long the reply may be, in tokens, as far as the server allows it."""
    return min(question.max_output_tokens, abilities.most_output_tokens or question.max_output_tokens)
