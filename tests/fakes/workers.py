"""`principal worker` with a short story in place of the review, in a process that a test may kill."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from typing import Self

from app import telemetry
from app.settings import Settings
from tests.fakes.service import ROOT, WAIT_SECONDS, working


class Worker:
    """A worker on the PostgreSQL of its settings, ready once entered. `name` is what the database knows it by."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        clean = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the process.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fakes.workers"],
            cwd=ROOT,
            env=clean | dict(environ),
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
        )

    def __enter__(self) -> Self:
        assert self._process.stdout is not None
        self.name = self._process.stdout.readline().strip()
        assert self.name, self.said()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._said.close()

    def kill(self) -> None:
        """End it as a crash or the kernel would."""
        self._process.kill()
        self._process.wait(WAIT_SECONDS)

    def pause(self) -> None:
        """Freeze it: it holds its lock and its connections, and does nothing."""
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it run again."""
        self._process.send_signal(signal.SIGCONT)

    def terminate(self) -> int:
        """Its exit status after SIGTERM."""
        self._process.terminate()
        return self._process.wait(WAIT_SECONDS)

    def said(self) -> str:
        """What it wrote to its log."""
        self._said.seek(0)
        return self._said.read().decode(errors="replace")


async def main(environ: Mapping[str, str]) -> None:
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    grace_seconds = float(environ.get("GRACE_SECONDS", "0"))
    settings = Settings.load(environ)
    async with working(settings, environ["LEDGER_URL"], executes=True, grace_seconds=grace_seconds) as engine:
        print(engine.executor_id, flush=True)
        await ended.wait()


if __name__ == "__main__":
    telemetry.configure()
    asyncio.run(main(os.environ))
