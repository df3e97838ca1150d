"""Language models: one verb, `complete(prompt, reply type) → reply + usage`, and a file per provider.

`Model` is one of the house's two ports, because two things stand behind it: `openai.py` and `anthropic.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from pydantic import BaseModel

from app.core.prompt import Prompt
from app.core.usage import Usage

Reply = TypeVar("Reply", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Completion(Generic[Reply]):
    """A reply that obeys its type, what it used, and the model that gave it (`openai:NAME`)."""

    reply: Reply
    usage: Usage
    model: str


class Model(Protocol):
    """A language model, or a chain of them."""

    @property
    def name(self) -> str:
        """`openai:NAME`, `anthropic:NAME`, or the first of a chain."""
        ...

    async def complete(self, prompt: Prompt, reply: type[Reply]) -> Completion[Reply]:
        """The model's reply as a value of the type asked for.

        Bounded by a timeout per try and by at most four tries. Raises `Transient` or `Permanent` with a MODEL_… code:
        a refused, truncated, empty or broken reply has had its one repair try by then.
        """
        ...
