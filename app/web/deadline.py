"""A connection whose request does not begin, or whose head does not end, is closed: it would hold its place for ever.

    connected ─ deadline ─► head complete ─► the answer ─► idle (uvicorn's keep-alive) ─ first byte, deadline ─► …

uvicorn waits without end for the rest of a head, one byte a minute is enough to keep it (slowloris), and it bounds the head's
size only for its other parser. A body has the webhook's own deadline.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.telemetry import SLOW_CLIENTS

HEAD_AT_MOST_BYTES = 64 * 1024


def protocol(*, head_seconds: float, head_bytes: int = HEAD_AT_MOST_BYTES) -> type[asyncio.Protocol]:
    """What uvicorn serves a connection with: each request's head must be complete after so many seconds and bytes."""

    class Deadline(HttpToolsProtocol):
        _timer: asyncio.TimerHandle | None = None
        _head_bytes = 0

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's own
            super().connection_made(transport)
            self._await_head()

        def data_received(self, data: bytes) -> None:
            # Also a byte that begins no request ends uvicorn's own wait between two requests.
            if self._timer is None and (self.cycle is None or self.cycle.response_complete):
                self._await_head()
            super().data_received(data)
            if self._timer is not None:
                self._head_bytes += len(data)
                if self._head_bytes > head_bytes:
                    self._give_up()

        def on_headers_complete(self) -> None:
            self._head_came()
            super().on_headers_complete()

        def connection_lost(self, exc: Exception | None) -> None:
            self._head_came()
            super().connection_lost(exc)

        def _await_head(self) -> None:
            self._head_bytes = 0
            self._timer = self.loop.call_later(head_seconds, self._give_up)

        def _head_came(self) -> None:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

        def _give_up(self) -> None:
            self._head_came()
            SLOW_CLIENTS.inc()
            # Whoever does not even finish asking gets no answer: it might not be read, and would have to be waited for.
            self.transport.abort()

    return Deadline
