"""Channels as smee.io has them: what is posted to an address comes out of it as a stream, for a machine nobody can reach.

GET /new ─► a new channel
POST /channels/NAME ─► every GET /channels/NAME that asks for `text/event-stream` is told the headers and the parsed body

https://github.com/probot/smee.io describes the service. Everything here runs on the server's one event loop.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import time
from collections import defaultdict
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse

PATH = re.compile(r"/channels/(?P<name>[A-Za-z0-9_-]{1,64})")


class Channels:
    """Passes on what is posted, to whoever listens at that moment; nothing is kept."""

    def __init__(self) -> None:
        self._listening: defaultdict[str, set[asyncio.Queue[str]]] = defaultdict(set)

    def serve(self, request: Request, data: bytes) -> Response | None:
        """The answer, where the path is a channel's."""
        if request.url.path == "/new":
            return RedirectResponse(f"{request.base_url}channels/{secrets.token_urlsafe(12)}", 302)
        match = PATH.fullmatch(request.url.path)
        if match is None:
            return None
        if request.method == "POST":
            return self._pass_on(request, data, match["name"])
        return StreamingResponse(self._events(match["name"]), media_type="text/event-stream")

    def _pass_on(self, request: Request, data: bytes, name: str) -> Response:
        try:
            body = json.loads(data)
        except ValueError:
            return PlainTextResponse("Only JSON is passed on.", 400)
        told = {**request.headers, "body": body, "query": {}, "timestamp": int(time.time() * 1000)}
        text = f"id: {int(time.time() * 1000)}\ndata: {json.dumps(told, ensure_ascii=False)}\n\n"
        for queue in self._listening[name]:
            queue.put_nowait(text)
        return PlainTextResponse("OK")

    async def _events(self, name: str) -> AsyncIterator[str]:
        queue: asyncio.Queue[str] = asyncio.Queue()
        self._listening[name].add(queue)
        try:
            yield "event: ready\ndata: {}\n\n"
            while True:
                yield await queue.get()
        finally:
            self._listening[name].discard(queue)
