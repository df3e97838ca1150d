"""How long each page of the dashboard takes with a hundred thousand reviews stored, printed as a table.

    python -m benchmarks.dashboard [--reviews 100000] [--postgres] [--keep FOLDER]

The server is a process of its own, as shipped; each page is asked for over HTTP by one client, which is logged in, so many
times after one that does not count. On a busy machine the times say more of the machine than of the pages: what one page costs
the server's processor stands beside them (without PostgreSQL's own share), and the load average below.
With `--keep` the folder stays, for `benchmarks.dashboard.look`.
"""

from __future__ import annotations

import argparse
import http.client
import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from rich.console import Console
from rich.table import Table

from app.jobs.board import Board, Wanted
from app.jobs.database import Database
from app.jobs.store import JobState, Store
from benchmarks.dashboard.fill import Size, fill
from benchmarks.load.bot import Bot
from tests.fakes import postgres

ASKED = 40
AIM_MS = 100.0
NOWHERE = "http://127.0.0.1:9"
KEY = "a key of the benchmark, thirty-two characters"
PASSWORD = "a password of the benchmark"


def main() -> None:
    """Fill, serve, ask, print."""
    wanted = argparse.ArgumentParser(prog="benchmarks.dashboard", description=__doc__)
    wanted.add_argument("--reviews", type=int, default=100_000)
    wanted.add_argument("--postgres", action="store_true")
    wanted.add_argument("--keep", type=Path)
    asked = wanted.parse_args()
    console = Console()
    with _folder(asked.keep) as folder, _address(folder, postgres_wanted=asked.postgres) as address:
        environ = environment(folder, address)
        if not (folder / "filled").exists():
            began = time.monotonic()
            with Bot(environ, folder):
                pass  # It makes the tables, its own and the engine's.
            fill(address, KEY.encode(), Size(asked.reviews), now=time.time())
            (folder / "filled").touch()
            console.print(f"{asked.reviews:,} reviews written in {time.monotonic() - began:.0f} s")
        pages = pages_of(address)
        with Bot(environ, folder) as bot:
            console.print(_table(_measured(bot, pages), "PostgreSQL" if asked.postgres else "SQLite", asked.reviews))
        console.print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


def environment(folder: Path, address: str) -> dict[str, str]:
    """The settings of a server with a dashboard, and an App of its own that nobody knows."""
    return {
        "GITHUB_APP_ID": "1",
        "GITHUB_PRIVATE_KEY": _private_key(),
        "GITHUB_WEBHOOK_SECRET": "a secret of the benchmark",
        "GITHUB_API_URL": NOWHERE,
        "PRINCIPAL_DATA_DIR": str(folder),
        "DATABASE_URL": address,
        "PRINCIPAL_SECRET_KEY": KEY,
        "PRINCIPAL_DASHBOARD_PASSWORD": PASSWORD,
        "PRINCIPAL_DAILY_BUDGET_USD": "12",
        "PRINCIPAL_RETENTION_DAYS": "31",
        "LOG_LEVEL": "WARNING",
    }


@cache
def _private_key() -> str:
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return made.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()


def pages_of(address: str) -> dict[str, str]:
    """The pages to look at, by name; reviews in the middle of things are taken from the database."""
    database = Database(address)
    try:
        board = Board(Store(database))
        done = board.reviews(Wanted(state=JobState.DONE)).rows[5]
        failed = board.dead()[0]
        deep = Wanted(behind=board.reviews(Wanted(), most=50).next)
        for _ in range(20):
            deep = Wanted(behind=board.reviews(deep, most=500).next)
    finally:
        database.close()
    assert deep.behind is not None
    behind = urlencode({"at": deep.behind.created_at, "key": deep.behind.key})
    return {
        "overview": "/",
        "reviews": "/reviews",
        "reviews, ten thousand back": f"/reviews?{behind}",
        "reviews that failed": "/reviews?state=failed",
        "reviews of a repository": f"/reviews?repository={quote(done.repository, safe='')}",
        "reviews of one pull request": f"/reviews?repository={quote(done.repository, safe='')}&number={done.number}",
        "a review": f"/reviews/{quote(done.key, safe='')}",
        "a review that failed": f"/reviews/{quote(failed.key, safe='')}",
        "a step: prompt and reply": f"/steps/1/6/{quote(done.key, safe='')}",
        "queues": "/queues",
        "spending": "/spending",
        "spending, 90 days": "/spending?days=90",
        "findings": "/findings",
        "library": "/library",
    }


class Reader:
    """A client that is logged in."""

    def __init__(self, url: str) -> None:
        where = urlsplit(url)
        self._connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=60)
        form = urlencode({"password": PASSWORD})
        self._connection.request("POST", "/login", form, {"Content-Type": "application/x-www-form-urlencoded"})
        answer = self._connection.getresponse()
        answer.read()
        self._cookie = (answer.getheader("Set-Cookie") or "").partition(";")[0]

    def get(self, path: str) -> tuple[float, bytes]:
        """Milliseconds from asking to the last byte, and the page."""
        began = time.perf_counter()
        self._connection.request("GET", path, headers={"Cookie": self._cookie})
        answer = self._connection.getresponse()
        body = answer.read()
        assert answer.status == 200, (path, answer.status, body[:300])
        return (time.perf_counter() - began) * 1000, body


@dataclass(frozen=True)
class Measured:
    """One page: the times of its answers, the server's processor time for one of them, and its size."""

    times_ms: list[float]
    cpu_ms: float
    size: int


def _measured(bot: Bot, pages: Mapping[str, str]) -> dict[str, Measured]:
    reader = Reader(bot.url)
    found: dict[str, Measured] = {}
    for name, path in pages.items():
        _, body = reader.get(path)
        before = bot.cost().cpu_seconds
        times = sorted(reader.get(path)[0] for _ in range(ASKED))
        cpu_ms = (bot.cost().cpu_seconds - before) / ASKED * 1000
        found[name] = Measured(times, cpu_ms, len(body))
    return found


def _table(measured: Mapping[str, Measured], database: str, reviews: int) -> Table:
    table = Table(title=f"{database}, {reviews:,} reviews: {ASKED} times each, aim p95 ≤ {AIM_MS:g} ms")
    for head in ("page", "p50 ms", "p95 ms", "longest ms", "CPU ms", "KiB", "aim"):
        table.add_column(head, justify="left" if head == "page" else "right")
    for name, one in measured.items():
        p95 = one.times_ms[len(one.times_ms) * 95 // 100]
        numbers = (statistics.median(one.times_ms), p95, one.times_ms[-1], one.cpu_ms, one.size / 1024)
        table.add_row(name, *(f"{number:.1f}" for number in numbers), "yes" if p95 <= AIM_MS else "NO")
    return table


@contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="principal-dashboard-") as made:
        yield Path(made)


@contextmanager
def _address(folder: Path, *, postgres_wanted: bool) -> Iterator[str]:
    if not postgres_wanted:
        yield f"sqlite:///{folder / 'principal.db'}"
        return
    given = os.environ.get("TEST_DATABASE_URL")
    with nullcontext(None) if given else postgres.server() as private, postgres.address(private) as address:
        yield address


if __name__ == "__main__":
    main()
