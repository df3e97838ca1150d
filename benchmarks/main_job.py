"""Webhook accepted → review posted, with a model that answers at once: time, REST calls, memory, coverage.

    python benchmarks/main_job.py [--lines 500] [--runs 5]

The bot is a process of its own, as shipped; GitHub is the sandbox and the model a server on loopback, both in this
process. Time runs from the webhook's 202 to the moment the review stands on the pull request; the first run includes the
first fetch. Memory is the bot's and its worker's resident set, sampled every 50 ms, at its highest.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from app.sandbox import Sandbox  # noqa: E402
from tests.fakes.models import FakeModels  # noqa: E402

SECRET = "a secret of the benchmark"
LINES_PER_FILE = 50
WAIT_SECONDS = 300


def code(number: int, lines: int, word: str) -> str:
    body = "".join(f"  const {word}{n} = await load{number}(input.part{n}, {n});\n" for n in range(lines - 2))
    return f"export async function task{number}(input: Input) {{\n{body}}}\n"


def memory_kib(pid: int) -> int:
    """The resident sets of a process and its children. A child that has not yet begun its program still shares its parent's."""
    total = own_kib(pid)
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                begun = Path(f"/proc/{child}/cmdline").read_bytes() != command
                total += memory_kib(int(child)) if begun else 0
    except OSError:
        pass  # It ended while we looked.
    return total


def own_kib(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    except (OSError, StopIteration):
        return 0


class Watch(threading.Thread):
    """The highest memory seen of a process."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid, self.own, self.all, self.stopped = pid, 0, 0, threading.Event()

    def run(self) -> None:
        while not self.stopped.wait(0.05):
            self.own = max(self.own, own_kib(self.pid))
            self.all = max(self.all, memory_kib(self.pid))


def start_bot(github: Sandbox, models: FakeModels, folder: str, port: int) -> subprocess.Popen[bytes]:
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "GITHUB_API_URL": github.api_url,
        "GITHUB_SERVER_URL": github.server_url,
        "GITHUB_APP_ID": str(github.app.id),
        "GITHUB_PRIVATE_KEY": github.private_key,
        "GITHUB_WEBHOOK_SECRET": SECRET,
        "PRINCIPAL_DATA_DIR": folder,
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "LOG_LEVEL": "WARNING",
        "PRINCIPAL_MODEL": "openai:gpt-6.1-sol",
        **models.environment("openai"),
    }
    return subprocess.Popen([sys.executable, "-P", "-m", "app", "serve"], env=environ, cwd="/")


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def wait(what, why: str):
    deadline = time.monotonic() + WAIT_SECONDS
    while not (value := what()):
        if time.monotonic() > deadline:
            raise SystemExit(why)
        time.sleep(0.002)
    return value


def answering(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/ready", timeout=1) as reply:
            return bool(reply.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def measure(lines: int, runs: int) -> dict[str, object]:
    seconds, calls = [], []
    with Sandbox() as github, FakeModels() as models, tempfile.TemporaryDirectory() as folder:
        models.answers_instantly({"review": {"overview": "It loads parts.", "findings": []}})
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        bot = start_bot(github, models, folder, port)
        watch = Watch(bot.pid)
        watch.start()
        try:
            wait(lambda: answering(url), "the bot did not start")
            idle = own_kib(bot.pid)
            files = max(1, lines // (LINES_PER_FILE * 2))
            github.webhook(f"{url}/webhooks/github", secret=SECRET)
            for run in range(runs):
                base = {f"src/task{n}.ts": code(n, LINES_PER_FILE, "a") for n in range(files)}
                head = {f"src/task{n}.ts": code(n, LINES_PER_FILE, f"b{run}") for n in range(files)}
                repository = github.create_repository(f"acme{run}/shop", files=base, private=True)
                github.requests.clear()
                pull = repository.open_pull(files=head, title="Load parts", body="As agreed")
                accepted = time.perf_counter()
                assert pull.delivery.status_code == 202, pull.delivery.status_code
                wait(lambda pull=pull: pull.reviews, "no review was posted")
                seconds.append(time.perf_counter() - accepted)
                wait(
                    lambda pull=pull: all(one.status == "completed" for one in pull.check_runs), "the check stayed open"
                )
                calls.append(len(github.requests.rest))
                posts = sum(1 for one in github.requests.rest if one.method == "POST" and one.path.endswith("/reviews"))
                assert posts == 1, [str(one) for one in github.requests.rest]
            body = pull.reviews[0].body
        finally:
            watch.stopped.set()
            bot.terminate()
            bot.wait(60)
    return {
        "changed_lines": files * (LINES_PER_FILE - 2) * 2,
        "runs": runs,
        "first_seconds": round(seconds[0], 3),
        "median_seconds": round(statistics.median(seconds), 3),
        "rest_calls": max(calls),
        "create_review_calls": 1,
        "idle_mib": idle // 1024,
        "peak_mib_service": watch.own // 1024,
        "peak_mib_with_worker": watch.all // 1024,
        "model_calls_last_run": len(models.requests) // runs,
        "coverage": next((part for part in body.split(" · ") if "hunks" in part), body[:200]),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, default=500)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    print(json.dumps(measure(arguments.lines, arguments.runs), indent=2))
