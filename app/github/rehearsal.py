"""GitHub for a dress rehearsal: reads are real, writes go nowhere and are told to whoever listens, as if they had been done.

Its tokens are asked for with every permission at `read`, so that not even a mistake here could write.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from github.Auth import Auth

from app.github.transport import Transport
from app.github.wire import Effect, Reply, Request

TOKENS_ROUTE = "/app/installations/{installation}/access_tokens"


@dataclass(frozen=True, slots=True)
class Held:
    """A write that was held back: what it would have done, where, and with which words."""

    doing: str
    method: str
    path: str
    body: Mapping[str, Any]


class Rehearsal(Transport):
    """A way to GitHub on which nothing changes there."""

    def __init__(self, *, api_url: str, held: Callable[[Held], None]) -> None:
        super().__init__(api_url=api_url)
        self._held = held
        self._ids = itertools.count(1)

    def exchange(self, request: Request, *, auth: Auth | None) -> Reply:
        """The reply to a read; for a write, the shape of success."""
        if request.route == TOKENS_ROUTE:
            return super().exchange(_may_only_read(request), auth=auth)
        if request.effect is Effect.READ:
            return super().exchange(request, auth=auth)
        self._held(Held(request.doing, request.method, request.path, request.body or {}))
        return Reply(200, {}, {"id": next(self._ids), "data": {}})


def _may_only_read(request: Request) -> Request:
    body = dict(request.body or {})
    permissions = body.get("permissions")
    if isinstance(permissions, Mapping):
        body["permissions"] = dict.fromkeys(permissions, "read")
    return replace(request, body=body)
