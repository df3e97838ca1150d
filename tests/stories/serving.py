"""`principal serve` on a thread of this process, from the very beginning: also before there is an App."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from app import serving
from app.sandbox import Sandbox

WAIT_SECONDS = 90


class Serving:
    """`link` is the address that a person is told to open; `url` the server's root."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = {"HOST": "127.0.0.1", "PORT": "0", **environ}
        self._told = threading.Event()
        self._stop: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="serving", daemon=True)
        self.failure: BaseException | None = None
        self.link = ""

    @property
    def url(self) -> str:
        return self.link.partition("/setup")[0]

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._told.wait(WAIT_SECONDS), "it did not start"
        if self.failure is not None:
            raise self.failure
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._loop is not None and self._stop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(WAIT_SECONDS)
        assert not self._thread.is_alive(), "it did not stop"

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as failure:  # noqa: BLE001 - raised again where the test can see it.
            self.failure = failure
        self._told.set()

    async def _serve(self) -> None:
        self._stop, self._loop = asyncio.Event(), asyncio.get_running_loop()
        await serving.serve_until(self._stop, self._environ, tell=self._tell)

    def _tell(self, link: str) -> None:
        self.link = link
        self._told.set()


def unconfigured(folder: Path, **more: str) -> dict[str, str]:
    """Settings of somebody who has only just started: where data goes, and no model."""
    return {"PRINCIPAL_DATA_DIR": str(folder), "PRINCIPAL_QUIET_SECONDS": "0", "PRINCIPAL_MODEL": "none", **more}


def a_repository(github: Sandbox):
    """A repository of an organisation on which no App is installed, and a change to it that the rules find fault with."""
    repository = github.create_repository("acme/shop", files={"src/a.ts": "export {};\n"}, install=False)
    change = 'import axios from "axios";\n\nexport async function charge(order: string) {\n'
    change += '  const reply = await axios.post("https://pay.example/charge", { order });\n  return reply.data;\n}\n'
    return repository, {"src/a.ts": change}
