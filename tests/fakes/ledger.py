"""A model server that writes down what is asked of it, so that a test can say what was bought and how often."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

WAIT_SECONDS = 90


class Ledger:
    """Answers `GET /HEAD/N` with words, after `release` when it holds. `asked` lists every request in order."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []
        self._changed = threading.Condition()
        self._open = threading.Event()
        self._open.set()
        self._held: int | None = None
        self._broken = 0
        ledger = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                _, head, number = self.path.split("/")
                broken = ledger._write_down(head, int(number))
                if ledger._held in (None, int(number)):
                    ledger._open.wait(WAIT_SECONDS)
                self.send_response(500 if broken else 200)
                self.send_header("content-length", "5")
                self.end_headers()
                self.wfile.write(b"words")

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A client that was killed or cancelled is what the tests are about."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.set()
        self._server.shutdown()
        self._server.server_close()

    def hold(self, number: int | None = None) -> None:
        """Let nobody have an answer until `release`, or nobody who asks this one."""
        self._held = number
        self._open.clear()

    def release(self) -> None:
        """Answer those who wait, and everyone after."""
        self._open.set()

    def break_next(self, times: int = 1) -> None:
        """Answer the next requests with a server error."""
        with self._changed:
            self._broken = times

    def of(self, head: str) -> list[int]:
        """What was asked about this head, in order."""
        with self._changed:
            return [number for asked, number in self.asked if asked == head]

    def wait_for(self, head: str, count: int) -> None:
        """Wait until this head was asked about so often."""
        deadline = time.monotonic() + WAIT_SECONDS
        with self._changed:
            while sum(asked == head for asked, _ in self.asked) < count:
                assert self._changed.wait(deadline - time.monotonic()), f"asked only {self.asked}"

    def _write_down(self, head: str, number: int) -> bool:
        with self._changed:
            self.asked.append((head, number))
            self._changed.notify_all()
            broken, self._broken = self._broken > 0, max(0, self._broken - 1)
            return broken
