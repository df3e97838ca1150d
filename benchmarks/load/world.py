"""The other side of the load: repositories with open pull requests on a sandbox GitHub, and a model that takes its time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

from app.sandbox import Sandbox
from app.sandbox.verbs import PullHandle
from tests.fakes.models import FakeModels

MODEL = "openai:gpt-6.1-sol"
REPLY = {"overview": "It renames a part.", "findings": []}


@dataclass(frozen=True)
class World:
    """GitHub, and its open pulls: each repository belongs to an installation of its own."""

    github: Sandbox
    pulls: tuple[PullHandle, ...]

    @property
    def heads(self) -> dict[tuple[int, int], str]:
        """The newest head of each pull, by repository id and number."""
        return {(pull.repository.id, pull.number): pull.head_sha for pull in self.pulls}

    def payloads(self, action: str) -> list[str]:
        """The webhook of each pull, with its newest head."""
        return [self.github.payload(action, pull).decode() for pull in self.pulls]

    def reviewed(self) -> int:
        """How many pulls have exactly one review."""
        return sum(len(pull.reviews) == 1 for pull in self.pulls)


@contextmanager
def world(*, repositories: int, pulls_each: int) -> Iterator[World]:
    """So many installations of one repository each."""
    with Sandbox() as github:
        pulls: list[PullHandle] = []
        for number in range(repositories):
            name = f"owner{number}/shop"
            repository = github.create_repository(name, files={"part.ts": f"// {name}\n"}, private=True)
            for nth in range(pulls_each):
                change = f"// {name}\nexport const part = {nth};\n"
                pulls.append(repository.open_pull(files={"part.ts": change}))
        yield World(github, tuple(pulls))


class SlowModel:
    """A model whose reviews take so many seconds, or until `let_go`. Everything else it answers at once."""

    def __init__(self, *, seconds: float | None = None) -> None:
        self._seconds = seconds
        self._gone = threading.Event()
        self._models = FakeModels()
        self._models.answers_instantly({"review": self._review})

    def __enter__(self) -> Self:
        self._models.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.let_go()
        self._models.stop()

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PRINCIPAL_MODEL": MODEL,
            "PRINCIPAL_MODEL_TIMEOUT_SECONDS": "900",
            **self._models.environment("openai"),
        }

    @property
    def asked(self) -> int:
        """How many reviews it was asked for."""
        return len(self._models.requests)

    def let_go(self) -> None:
        """Answer everybody who waits."""
        self._gone.set()

    def _review(self, _request: Any) -> dict[str, Any]:
        self._gone.wait(self._seconds)
        return REPLY
