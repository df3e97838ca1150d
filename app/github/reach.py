"""Whether a GitHub answers at all: its REST root goes in, how it answered and what its clock says comes out."""

from __future__ import annotations

import time
from dataclasses import dataclass

from app.github.transport import Transport
from app.github.wire import Request


@dataclass(frozen=True, slots=True)
class Reached:
    """An answer of GitHub, whatever its status. `server_time` is in epoch seconds, None where it tells none."""

    status: int
    seconds: float
    server_time: float | None


async def reach(api_url: str) -> Reached:
    """The answer to the smallest of questions, asked without credentials. Raises `Transient` when no answer came."""
    request = Request("GET", "/meta", {}, "ask whether it is there")
    transport = Transport(api_url=api_url)
    began = time.monotonic()
    try:
        reply = await transport.run(lambda: transport.exchange(request, auth=None), request)
    finally:
        await transport.close()
    return Reached(reply.status, time.monotonic() - began, reply.server_time)
