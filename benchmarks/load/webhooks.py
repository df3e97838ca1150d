"""Webhooks: a burst of 10,000 in ten seconds, and a steady stream, of pushes to the pulls of 100 repositories.

Lost is a delivery that was answered 2xx and is not in the database, or that nothing decided on, and a pull whose newest head
has not exactly one job.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.load.bot import ROOT, SECRET, Bot, until
from benchmarks.load.client import Load, Sent

DECIDED_WITHIN_SECONDS = 300.0


@dataclass(frozen=True)
class Kept:
    """What the database says of one load's deliveries."""

    rows: int
    states: dict[str, int]
    jobs: dict[tuple[int, int], list[str]]

    @property
    def are_decided(self) -> bool:
        return "taken" not in self.states


def send(url: str, payloads: list[str], *, number: int, per_second: float, prefix: str) -> Sent:
    """Send from a process of its own."""
    load = Load(url=url, secret=SECRET, number=number, per_second=per_second, prefix=prefix, payloads=payloads)
    said = subprocess.run(
        [sys.executable, "-m", "benchmarks.load.client"],
        input=json.dumps(asdict(load)).encode(),
        stdout=subprocess.PIPE,
        cwd=ROOT,
        check=True,
    )
    return Sent(**json.loads(said.stdout))


def baseline(payloads: list[str], *, number: int, per_second: float) -> Sent:
    """The same against a server that does nothing."""
    command = [sys.executable, "-m", "benchmarks.load.bare"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as server:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        try:
            url = f"http://127.0.0.1:{port}/webhooks/github"
            return send(url, payloads, number=number, per_second=per_second, prefix="bare")
        finally:
            server.kill()


def address(bot: Bot) -> str:
    return f"{bot.url}/webhooks/github"


def kept(database: Path, prefix: str) -> Kept:
    """Read without disturbing the bot."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        query = "SELECT state, count(*) FROM principal_deliveries WHERE guid LIKE ? GROUP BY state"
        states = dict(connection.execute(query, [f"{prefix}-%"]).fetchall())
        jobs: dict[tuple[int, int], list[str]] = {}
        for repository, number, head in connection.execute(
            "SELECT repository_id, number, head FROM principal_jobs WHERE state NOT IN ('superseded', 'cancelled')"
        ):
            jobs.setdefault((repository, number), []).append(head)
    return Kept(sum(states.values()), states, jobs)


def decided(database: Path, prefix: str) -> Kept:
    """The same, once every delivery is decided."""

    def look() -> Kept | None:
        now = kept(database, prefix)
        return now if now.are_decided else None

    why = "the deliveries were not decided"
    found: Kept = until(look, why, seconds=DECIDED_WITHIN_SECONDS, look_seconds=0.5)
    return found


def without_their_one_job(found: Kept, heads: dict[tuple[int, int], str]) -> int:
    """How many of these pulls have not exactly one job, of their head."""
    return sum(found.jobs.get(pull) != [head] for pull, head in heads.items())


def refused(sent: Sent) -> int:
    """Requests that were not answered with 2xx."""
    answered = Counter(sent.statuses)
    return sent.unanswered + sum(number for status, number in answered.items() if not status.startswith("2"))
