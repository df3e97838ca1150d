"""What was asked of the sandbox, in order: tests count requests here and hold them against GitHub's description."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What a request was for. TOKEN is the exchange of an App's JWT for a token, kept apart so it can be left out."""

    REST = "rest"
    TOKEN = "token"  # noqa: S105 - a word, not a secret.
    GRAPHQL = "graphql"
    GIT = "git"
    PAGE = "page"


@dataclass(eq=False, slots=True)
class Request:
    """One request. `path` is without the server's prefix, `operation` GitHub's name for it (`pulls/create-review`).

    `status` is None until the answer, and stays so where the connection was cut.
    """

    number: int
    kind: Kind
    method: str
    path: str
    query: str
    body: Any
    headers: tuple[str, ...]
    identity: str = "anonymous"
    operation: str | None = None
    status: int | None = None

    @property
    def target(self) -> str:
        """Path and query as they stood in the request line."""
        return f"{self.path}?{self.query}" if self.query else self.path

    def __str__(self) -> str:
        return f"{self.method} {self.target} → {self.status}"


@dataclass(slots=True)
class Ledger:
    """Every request so far. Iterates in the order of arrival."""

    _requests: list[Request] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def __iter__(self) -> Iterator[Request]:
        return iter(list(self._requests))

    def __len__(self) -> int:
        return len(self._requests)

    def __getitem__(self, index: int) -> Request:
        return self._requests[index]

    def open(
        self, kind: Kind, method: str, path: str, *, query: str, body: object, headers: tuple[str, ...]
    ) -> Request:
        """A new entry."""
        with self._changed:
            request = Request(len(self._requests) + 1, kind, method, path, query, body, headers)
            self._requests.append(request)
            self._changed.notify_all()
            return request

    def close(self, request: Request, status: int | None) -> None:
        """Notes how a request was answered; None where the connection was cut."""
        with self._changed:
            request.status = status
            self._changed.notify_all()

    def clear(self) -> None:
        """Forgets what was asked so far."""
        with self._changed:
            self._requests.clear()

    def of(self, *kinds: Kind) -> list[Request]:
        """The requests of some kinds."""
        return [request for request in self if request.kind in kinds]

    @property
    def rest(self) -> list[Request]:
        """The REST requests, those for tokens left out."""
        return self.of(Kind.REST)

    @property
    def writes(self) -> list[Request]:
        """The REST requests that change something."""
        return [request for request in self.rest if request.method != "GET"]

    def find(self, method: str, ending: str) -> list[Request]:
        """The requests of a method whose path ends so."""
        return [request for request in self if request.method == method and request.path.endswith(ending)]

    def wait_for(self, method: str, ending: str, *, count: int = 1, timeout_seconds: float = 10.0) -> list[Request]:
        """The same, once there are `count` answered ones.

        Raises:
            TimeoutError: there were not in time.

        """

        def answered() -> list[Request]:
            return [request for request in self.find(method, ending) if request.status is not None]

        with self._changed:
            if not self._changed.wait_for(lambda: len(answered()) >= count, timeout_seconds):
                seen = "\n".join(map(str, self))
                raise TimeoutError(f"no {count} answered {method} …{ending} within {timeout_seconds} s; seen:\n{seen}")
            return answered()
