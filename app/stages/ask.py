"""Asking a model: one prompt, one remembered answer, and what it cost."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from pydantic import BaseModel

from app.core.prompt import Prompt
from app.core.usage import Usage
from app.errors import PrincipalError
from app.llm import Model
from app.llm.talk import Unanswered
from app.stages.step import Step

Form = TypeVar("Form", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Remembered:
    """An answer as it is stored: the hash of its prompt, the reply as JSON, or the code and words of a failure."""

    prompt: str
    reply: str = ""
    usage: Usage = field(default_factory=Usage)
    model: str = ""
    code: str = ""
    what: str = ""


@dataclass(frozen=True, slots=True)
class Answer(Generic[Form]):
    """What came of a question: the filled-in form, or None with a code and a sentence."""

    reply: Form | None
    usage: Usage
    model: str
    code: str = ""
    what: str = ""


async def ask(step: Step, name: str, *, model: Model, prompt: Prompt, form: type[Form]) -> Answer[Form]:
    """The model's answer to one prompt.

    A failed call is an answer too: it is remembered, so that a crash neither buys it again nor turns it into silence.
    """
    wanted = digest(prompt)

    async def work() -> Remembered:
        return await _call(model, prompt, form, wanted)

    kept = await step.run(name, work, Remembered)
    if kept.prompt != wanted:
        # A remembered answer to another prompt belongs to another finding. Asking anew is the only honest thing.
        kept = await work()
    if not kept.reply:
        return Answer(None, kept.usage, kept.model, kept.code, kept.what)
    return Answer(form.model_validate_json(kept.reply), kept.usage, kept.model)


async def ask_all(
    step: Step, stage: str, questions: Sequence[tuple[Model, Prompt]], form: type[Form]
) -> list[Answer[Form]]:
    """The answers to many prompts, asked at once. Their steps start in the order of the list, so that a replay finds them."""
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(ask(step, f"{stage} {number}", model=model, prompt=prompt, form=form))
            for number, (model, prompt) in enumerate(questions, start=1)
        ]
    return [task.result() for task in tasks]


def digest(prompt: Prompt) -> str:
    """The name of a prompt: a hash of everything the model reads."""
    said = f"{prompt.purpose}\0{prompt.system}\0{prompt.shared}\0{prompt.body}\0{prompt.task}"
    return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()


def total(answers: Sequence[Answer[Form]]) -> Usage:
    """What several answers used together."""
    return sum((answer.usage for answer in answers), Usage())


async def _call(model: Model, prompt: Prompt, form: type[Form], wanted: str) -> Remembered:
    try:
        completion = await model.complete(prompt, form)
    except Unanswered as error:
        return Remembered(wanted, model=model.name, code=error.code, what=error.what, usage=error.usage)
    except PrincipalError as error:
        return Remembered(wanted, model=model.name, code=error.code, what=error.what)
    return Remembered(wanted, reply=completion.reply.model_dump_json(), usage=completion.usage, model=completion.model)
