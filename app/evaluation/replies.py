"""Replies of models, kept by what was asked: the same question is bought once, whatever run, case or stage asks it.

    KEY.json        question's stage, model, reply, what it took when it was bought        (`Replies`)
    KEY.prompt.md   a question that waits for an answer by hand      KEY.reply.md   that answer      (`ByHand`)

KEY is a hash of everything a model reads and of the form it fills in. So a run that was killed goes on where it was, a run
that is made again costs nothing, and the change of one prompt asks anew only what that prompt touches.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, TypeAdapter, ValidationError

from app.core.budget import estimate_tokens
from app.core.prompt import Prompt
from app.core.usage import Usage
from app.errors import Code, Permanent, PrincipalError, UserError
from app.evaluation import prefixes
from app.evaluation.prefixes import Asked
from app.evaluation.values import Spent
from app.llm import Completion, Model, Reply, form
from app.llm.talk import Unanswered

LARGEST_REPLY_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Kept:
    """A reply as it is kept: as JSON of its form, and what it took when it was bought."""

    stage: str
    model: str
    reply: str
    usage: Usage
    seconds: float


_KEPT = TypeAdapter(Kept)


def key(model: str, prompt: Prompt, reply: type[BaseModel]) -> str:
    """The name of a question: a hash of the model's name, everything it reads, how long it may answer, and the form."""
    asked = (model, prompt.system, *prompt.user, prompt.max_output_tokens, form.strict_schema(reply))
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:32]


class Replies:
    """A folder of replies. Each is written whole or not at all, so that a kill leaves no half one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"{folder} cannot be made: {error.strerror}") from error

    def find(self, name: str) -> Kept | None:
        """The reply of that name; None when there is none, or none that can be read."""
        data = self.read(f"{name}.json")
        if data is None:
            return None
        try:
            return _KEPT.validate_json(data)
        except ValidationError:
            return None

    def keep(self, name: str, kept: Kept) -> None:
        """Stores a reply under its name."""
        self.write(f"{name}.json", _KEPT.dump_json(kept, indent=1))

    def read(self, name: str) -> bytes | None:
        """A file of the folder, None when it is not there."""
        try:
            with (self.folder / name).open("rb") as file:
                return file.read(LARGEST_REPLY_BYTES)
        except FileNotFoundError:
            return None

    def write(self, name: str, data: bytes) -> None:
        """Writes a file of the folder, at once and whole."""
        write_whole(self.folder / name, data)


class Remembering:
    """A `Model` that asks another only what nobody has asked yet, and keeps an account of every question.

    `replies` is None for a model whose answers are not to be kept. A failed call is not kept: it is asked anew next time.
    """

    def __init__(
        self,
        model: Model,
        *,
        replies: Replies | None,
        told: Callable[[Spent], None],
        heard: Callable[[BaseModel], None] = lambda _: None,
        asked: Callable[[Asked], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._model = model
        self._replies = replies
        self._told = told
        self._heard = heard
        self._asked = asked
        self._clock = clock

    @property
    def name(self) -> str:
        """The other model's name."""
        return self._model.name

    async def complete(self, prompt: Prompt, reply: type[Reply]) -> Completion[Reply]:
        """The kept reply, else the model's own, which is kept from then on."""
        name = key(self.name, prompt, reply)
        self._asked(prefixes.asked(prompt, reply))
        completion = await self._remembered(name, prompt, reply) or await self._bought(name, prompt, reply)
        self._heard(completion.reply)
        return completion

    async def _remembered(self, name: str, prompt: Prompt, reply: type[Reply]) -> Completion[Reply] | None:
        kept = await asyncio.to_thread(self._replies.find, name) if self._replies is not None else None
        if kept is None:
            return None
        try:
            said = reply.model_validate_json(kept.reply)
        except ValidationError:
            return None
        self._told(Spent(prompt.purpose, kept.model, kept.usage, kept.seconds, replayed=True))
        return Completion(said, kept.usage, kept.model)

    async def _bought(self, name: str, prompt: Prompt, reply: type[Reply]) -> Completion[Reply]:
        started = self._clock()
        try:
            completion = await self._model.complete(prompt, reply)
        except PrincipalError as error:
            usage = error.usage if isinstance(error, Unanswered) else Usage()
            seconds = self._clock() - started
            self._told(Spent(prompt.purpose, self.name, usage, seconds, replayed=False, outcome=error.code))
            raise
        seconds = self._clock() - started
        if self._replies is not None:
            said = completion.reply.model_dump_json()
            kept = Kept(prompt.purpose, completion.model, said, completion.usage, seconds)
            await asyncio.to_thread(self._replies.keep, name, kept)
        self._told(Spent(prompt.purpose, completion.model, completion.usage, seconds, replayed=False))
        return completion


class ByHand:
    """A `Model` whose answers are files: for developing prompts without an account, with whoever can read and write.

    A question without an answer is written down and fails; the next run, with the answer beside it, goes one stage further.
    """

    name = "by hand"

    def __init__(self, replies: Replies) -> None:
        self._replies = replies

    async def complete(self, prompt: Prompt, reply: type[Reply]) -> Completion[Reply]:
        """What stands in KEY.reply.md. Raises `Permanent` when it is not there yet, or not in the form asked for."""
        name = key(self.name, prompt, reply)
        answer = await asyncio.to_thread(self._replies.read, f"{name}.reply.md")
        if answer is None:
            await asyncio.to_thread(self._replies.write, f"{name}.prompt.md", _question(prompt, reply).encode())
            raise Permanent(Code.MODEL_UNAVAILABLE, f"nobody has written {name}.reply.md yet")
        said = answer.decode("utf-8", "replace")
        try:
            read = form.read(said, reply)
        except form.Misread as error:
            raise Permanent(
                Code.MODEL_REPLY_BROKEN, f"{name}.reply.md is not in the form asked for: {error}"
            ) from error
        schema = json.dumps(form.strict_schema(reply), separators=(",", ":"))
        asked = sum(map(estimate_tokens, (schema, prompt.system, *prompt.user)))
        usage = Usage(input_tokens=asked, output_tokens=estimate_tokens(said), cost_usd=None, calls=1)
        return Completion(read.reply, usage, self.name)


def write_whole(path: Path, data: bytes) -> None:
    """The file with this content, or as it was before: never half of it. Raises `UserError` when it cannot be written."""
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            file.write(data)
        os.replace(file.name, path)  # noqa: PTH105 - the function whose promise is wanted here
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}") from error


def _question(prompt: Prompt, reply: type[BaseModel]) -> str:
    schema = json.dumps(form.strict_schema(reply), indent=1, ensure_ascii=False)
    ending = f"Reply with one JSON object of this schema, and nothing else:\n\n{schema}\n"
    parts = [prompt.system, *prompt.user, ending]
    return "\n\n---\n\n".join(parts).encode("utf-8", "replace").decode()
