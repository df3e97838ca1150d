"""The bot as it is shipped, on a thread of its own: real HTTP in front, a sandbox GitHub and fake models behind."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from app import main, web
from app.jobs import Engine, Timing
from app.sandbox import Sandbox
from app.settings import Settings
from tests.fakes.service import FREELY

ROOT = Path(__file__).parents[2]
SECRET = "a webhook secret for the tests"
START_SECONDS = 90
WAIT_SECONDS = 90
READY_SECONDS = 180
"""A process of its own loads everything anew: seconds on a quiet machine, a minute on one with thirty busy processes."""


class Bot:
    """Starts with the settings given, stops at the end of the block; `url` is where its webhook is."""

    def __init__(self, environ: Mapping[str, str], *, timing: Timing | None = None) -> None:
        self._environ = {"HOST": "127.0.0.1", "PORT": "0", **environ}
        self._timing = timing or Timing(
            settle_seconds=0.2, retry_first_seconds=0.2, retry_longest_seconds=1.0, sweep_seconds=0, spacing=FREELY
        )
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bot", daemon=True)
        self._server: Any = None
        self._failure: BaseException | None = None
        self.url = ""
        self.engine: Engine

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(START_SECONDS), "the bot did not start"
        if self._failure is not None:
            raise self._failure
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        if self._server is not None:
            self._server.should_exit = True
        self._thread.join(START_SECONDS)
        assert not self._thread.is_alive(), "the bot did not stop"

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as failure:
            self._failure = failure
            self._started.set()
            if not isinstance(failure, Exception):
                raise

    async def _serve(self) -> None:
        settings = Settings.load(self._environ)
        async with main.service(settings, timing=self._timing) as running:
            self.engine = running.engine
            await self._answer(running.app, settings)

    async def _answer(self, app: web.Edge, settings: Settings) -> None:
        """Serve until the block ends."""
        self._server = web.server(app, settings)
        serving = asyncio.create_task(self._server.serve())
        while not self._server.started and not serving.done():  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.005)
        host, port = self._server.servers[0].sockets[0].getsockname()[:2]
        self.url = f"http://{host}:{port}"
        self._started.set()
        await serving


def environment(github: Sandbox, folder: Path, **more: str) -> dict[str, str]:
    """Settings of an App on the sandbox, with its data in `folder`, reviewing by rules unless `more` says otherwise."""
    return {
        "GITHUB_API_URL": github.api_url,
        "GITHUB_SERVER_URL": github.server_url,
        "GITHUB_APP_ID": str(github.app.id),
        "GITHUB_PRIVATE_KEY": github.private_key,
        "GITHUB_WEBHOOK_SECRET": SECRET,
        "PRINCIPAL_DATA_DIR": str(folder),
        "PRINCIPAL_QUIET_SECONDS": "0",
        "PRINCIPAL_MODEL": "none",
        **more,
    }


def wait_for(what: Callable[[], Any], *, why: str, seconds: float = WAIT_SECONDS) -> Any:
    """What the callable returns once it is truthy; fails with `why` after the deadline."""
    deadline = time.monotonic() + seconds
    while not (value := what()):
        assert time.monotonic() < deadline, why
        time.sleep(0.02)
    return value


def completed(pull: Any, runs: int = 1) -> Any:
    """The pull's check runs, once so many of them are completed."""
    return wait_for(
        lambda: [run for run in pull.check_runs if run.status == "completed"][runs - 1 :] and pull.check_runs,
        why=f"no {runs} completed check runs on pull {pull.number}",
    )


class BotProcess:
    """The bot as a process of its own, that can be killed without a chance to tidy up."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self._environ = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "HOST": "127.0.0.1",
            "PORT": str(port),
            "LOG_LEVEL": "WARNING",
            **environ,
        }
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def start(self) -> None:
        """Starts it and waits until it says that it is ready."""
        self.process = subprocess.Popen([sys.executable, "-P", "-m", "app", "serve"], env=self._environ, cwd="/")
        wait_for(self.is_ready, why="the bot did not become ready", seconds=READY_SECONDS)

    def is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, "the bot ended"
        try:
            with urllib.request.urlopen(f"{self.url}/ready", timeout=5) as reply:
                return bool(reply.status == 200)
        except OSError:
            return False

    def kill(self) -> None:
        """SIGKILL, and wait for the end."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(START_SECONDS)

    def terminate(self) -> int:
        """SIGTERM, and the exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(START_SECONDS)
