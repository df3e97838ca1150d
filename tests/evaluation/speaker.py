"""A `Model` that says what it was told to say, and remembers what it was asked."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel

from app.core.prompt import Prompt
from app.core.usage import Usage
from app.errors import PrincipalError
from app.llm import Completion, Reply

USED = Usage(input_tokens=100, cached_tokens=20, output_tokens=10, cost_usd=0.01, calls=1)


class Speaker:
    """Gives its replies in order; an error among them is raised."""

    def __init__(self, *replies: BaseModel | PrincipalError, name: str = "openai:speaker") -> None:
        self.name = name
        self.asked: list[Prompt] = []
        self._replies: Sequence[BaseModel | PrincipalError] = replies

    async def complete(self, prompt: Prompt, reply: type[Reply]) -> Completion[Reply]:
        said = self._replies[len(self.asked)]
        self.asked.append(prompt)
        if isinstance(said, PrincipalError):
            raise said
        assert isinstance(said, reply)
        return Completion(said, USED, self.name)
