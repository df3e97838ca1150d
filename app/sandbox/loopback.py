"""Uvicorn on a thread of this process, on a socket that listens before the thread starts: there is nothing to wait for."""

from __future__ import annotations

import asyncio
import socket
import threading

import uvicorn
from starlette.types import ASGIApp

HOST = "127.0.0.1"
BACKLOG = 256
STOP_TIMEOUT_SECONDS = 10.0
TICK_SECONDS = 1.0


class LoopbackServer(uvicorn.Server):
    """Serves an application from `start` to `stop`."""

    def __init__(self, application: ASGIApp, listening: socket.socket) -> None:
        super().__init__(
            uvicorn.Config(
                application,
                loop="asyncio",
                lifespan="off",
                # Nothing is set up here: the loggers are the process's, and a bot may be running in it too.
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=60,
            )
        )
        self._listening = listening
        self._stop: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._running = threading.Event()
        self._thread = threading.Thread(target=self._serve_in_thread, name="sandbox", daemon=True)

    def start(self) -> None:
        """Begins to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Closes every connection and ends the thread."""
        self._running.wait(STOP_TIMEOUT_SECONDS)
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(STOP_TIMEOUT_SECONDS)

    def _serve_in_thread(self) -> None:
        asyncio.run(self.serve(sockets=[self._listening]))

    async def main_loop(self) -> None:
        """Waits for `stop`, keeping the Date header fresh."""
        self._stop, self._loop = asyncio.Event(), asyncio.get_running_loop()
        self._running.set()
        ticks = 0
        while not self._stop.is_set():
            await self.on_tick(ticks * 10)
            ticks += 1
            try:
                await asyncio.wait_for(self._stop.wait(), TICK_SECONDS)
            except TimeoutError:
                continue

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Ends at once: nobody waits for answers of a sandbox that is being closed."""
        for server in self.servers:
            server.close()
        for listening in sockets or []:
            listening.close()
        for connection in list(self.server_state.connections):
            _abort(connection)
        for task in list(self.server_state.tasks):
            task.cancel()
        await asyncio.gather(*self.server_state.tasks, return_exceptions=True)

    def cut(self, client: tuple[str, int] | None) -> None:
        """Breaks the connection that a request came on."""
        for connection in list(self.server_state.connections):
            if getattr(connection, "client", None) == client:
                _abort(connection)


def _abort(connection: object) -> None:
    transport = getattr(connection, "transport", None)
    if isinstance(transport, asyncio.Transport):
        transport.abort()
