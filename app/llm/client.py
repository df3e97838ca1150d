"""How a provider's server is reached: one HTTP client per event loop, bounded in time, size and number of calls.

Proxies (`HTTPS_PROXY`, `NO_PROXY`) and certificate authorities (`SSL_CERT_FILE`, `SSL_CERT_DIR`) come from the
environment. Redirects are not followed: the key would travel with them.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar
from weakref import WeakKeyDictionary

import httpx2

CONNECT_SECONDS = 10.0
CLOSE_SECONDS = 5.0
CALLS_AT_ONCE = 32
"""Calls to one provider that are under way at a time; more wait for their turn."""
ANSWER_AT_MOST_BYTES = 16 * 1024 * 1024

# At DEBUG the SDKs write whole requests to the log: prompts, that is other people's code.
for _library in ("openai", "anthropic"):
    logging.getLogger(_library).setLevel(logging.INFO)


class Closable(Protocol):
    """What an SDK's client is to this module."""

    async def close(self) -> None:
        """Close its connections."""
        ...


Client = TypeVar("Client", bound=Closable)


class BoundedClient(httpx2.AsyncClient):
    """An HTTP client that reads an answer whole, up to a bound that compression cannot get around."""

    async def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        """The complete answer. Raises `httpx2.ReadError` for one that is larger than ANSWER_AT_MOST_BYTES."""
        options["stream"] = True
        answer = await super().send(request, **options)
        try:
            body = await _body(answer)
        finally:
            await answer.aclose()
        headers = [(name, value) for name, value in answer.headers.multi_items() if name not in _ABOUT_THE_WIRE]
        return httpx2.Response(answer.status_code, headers=headers, content=body, request=request)


_ABOUT_THE_WIRE = frozenset({"content-encoding", "content-length", "transfer-encoding"})
"""Headers that describe the bytes as they travelled, not as they were read."""


async def _body(answer: httpx2.Response) -> bytes:
    body = bytearray()
    async for part in answer.aiter_bytes():
        body += part
        if len(body) > ANSWER_AT_MOST_BYTES:
            raise httpx2.ReadError("the answer is larger than any reply can be")
    return bytes(body)


def http_client(timeout_seconds: float) -> httpx2.AsyncClient:
    """A client with our bounds. `timeout_seconds` bounds each wait; the caller bounds the whole."""
    timeout = httpx2.Timeout(timeout_seconds, connect=min(CONNECT_SECONDS, timeout_seconds))
    trust = _trust(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))
    # Whoever calls has waited for their turn already: a second bound here would only be a silent one.
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=CALLS_AT_ONCE)
    return BoundedClient(timeout=timeout, verify=trust, follow_redirects=False, limits=limits)


@functools.cache
def _trust(file: str | None, folder: str | None) -> ssl.SSLContext:
    """The certificate authorities that the environment names, else the system's; reading them takes a fifth of a second."""
    del file, folder  # they only say when another answer is needed
    return httpx2.create_ssl_context()


@dataclass(frozen=True, slots=True)
class Lane(Generic[Client]):
    """One event loop's way to a provider: its client, and the turns that are left."""

    client: Client
    turns: asyncio.Semaphore


class Lanes(Generic[Client]):
    """A lane for each event loop, made when first asked for: connections belong to the loop that opened them.

    The job engine runs its work on a loop of its own, beside that of the web server.
    """

    def __init__(self, make: Callable[[], Client], *, calls_at_once: int) -> None:
        self._make = make
        self._calls_at_once = calls_at_once
        self._lanes: WeakKeyDictionary[asyncio.AbstractEventLoop, Lane[Client]] = WeakKeyDictionary()
        self._keepers: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Task[None]] = WeakKeyDictionary()
        self._lock = threading.Lock()

    def here(self) -> Lane[Client]:
        """The lane of the running loop."""
        loop = asyncio.get_running_loop()
        with self._lock:
            lane = self._lanes.get(loop)
            if lane is None:
                client = self._make()
                lane = self._lanes[loop] = Lane(client, asyncio.Semaphore(self._calls_at_once))
                # The loop's end cancels what still waits on it: the last moment to close a connection.
                self._keepers[loop] = loop.create_task(_keep(client))
            return lane

    async def close(self) -> None:
        """Closes every client on the loop it belongs to; a loop that has ended has closed its own."""
        with self._lock:
            keepers = list(self._keepers.items())
            self._keepers.clear()
            self._lanes.clear()
        for loop, keeper in keepers:
            if loop is asyncio.get_running_loop():
                await _dismiss(keeper)
            elif loop.is_running():
                async with asyncio.timeout(CLOSE_SECONDS):
                    await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(_dismiss(keeper), loop))


async def _keep(client: Closable) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        await client.close()


async def _dismiss(keeper: asyncio.Task[None]) -> None:
    keeper.cancel()
    await asyncio.wait([keeper], timeout=CLOSE_SECONDS)
