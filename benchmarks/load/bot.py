"""The bot as it is shipped, in a process of its own, and what it costs the machine."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from app.sandbox import Sandbox

ROOT = Path(__file__).parents[2]
SECRET = "a secret of the benchmark"
WAIT_SECONDS = 120.0
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Cost:
    """What a process and its children have used so far, and hold now."""

    cpu_seconds: float
    resident_mib: float
    own_mib: float
    at: float

    def cpu_share(self, before: Cost) -> float:
        """Of one core, since then."""
        return (self.cpu_seconds - before.cpu_seconds) / (self.at - before.at)


class Bot:
    """`principal serve` or `principal worker`, ready once it is entered."""

    def __init__(self, environ: dict[str, str], folder: Path, *, command: tuple[str, ...] = ("serve",)) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.command = command
        self._said = folder / f"{command[0]}-{self.port}.log"
        clean = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        self._environ = clean | {"PYTHONPATH": str(ROOT), "PORT": str(self.port), "HOST": "127.0.0.1"} | environ

    def __enter__(self) -> Self:
        with self._said.open("wb") as said:
            program = [sys.executable, "-P", "-m", "app", *self.command]
            self.process = subprocess.Popen(program, env=self._environ, cwd="/", stderr=said, stdout=said)
        until(self.is_ready, f"the bot did not become ready: {self._said}")
        return self

    def __exit__(self, *_: object) -> None:
        # What it has under way is of no interest any more.
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(WAIT_SECONDS)

    @property
    def pid(self) -> int:
        return self.process.pid

    def is_ready(self) -> bool:
        if self.process.poll() is not None:
            raise SystemExit(f"the bot ended: {self.said()[-2000:]}")
        if self.command == ("worker",):
            return '"working"' in self.said()
        try:
            with urllib.request.urlopen(f"{self.url}/ready", timeout=1) as reply:
                return bool(reply.status == 200)
        except OSError:
            return False

    def said(self) -> str:
        """Its log."""
        return self._said.read_text(errors="replace")

    def cost(self) -> Cost:
        """Its own and its children's. A child that has ended counts where its parent has waited for it."""
        family = [self.pid, *descendants(self.pid)]
        resident = {pid: resident_mib(pid) for pid in family}
        return Cost(sum(map(cpu_seconds, family)), sum(resident.values()), resident[self.pid], time.monotonic())


def environment(github: Sandbox, folder: Path, **more: str) -> dict[str, str]:
    """The variables an operator would set."""
    return {
        "GITHUB_API_URL": github.api_url,
        "GITHUB_SERVER_URL": github.server_url,
        "GITHUB_APP_ID": str(github.app.id),
        "GITHUB_PRIVATE_KEY": github.private_key,
        "GITHUB_WEBHOOK_SECRET": SECRET,
        "PRINCIPAL_DATA_DIR": str(folder / "data"),
    } | more


def until(condition: Callable[[], Any], why: str, *, seconds: float = WAIT_SECONDS, look_seconds: float = 0.05) -> Any:
    """The first true value of the condition; the benchmark ends when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise SystemExit(why)
        time.sleep(look_seconds)
    return value


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def descendants(pid: int) -> list[int]:
    found: list[int] = []
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in map(int, (task / "children").read_text().split()):
                found += [child, *descendants(child)]
    except OSError:
        pass  # It ended while we looked.
    return found


def cpu_seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    own_and_waited_for = sum(map(int, fields[11:15]))
    return own_and_waited_for / TICKS


def resident_mib(pid: int) -> float:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS")), 0.0)
