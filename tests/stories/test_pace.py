"""The pace in the database: what one process takes or hears counts for the others, and for whoever starts next."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.core.pace import AS_GITHUB_ASKS, Kind, Rate, Spacing, Turn
from app.github import App
from app.github.pace import PATIENCE_SECONDS, Pace
from app.jobs.book import PaceBook
from app.jobs.database import Database
from app.jobs.store import Store
from app.sandbox import Sandbox
from tests.fakes import postgres
from tests.fakes.contract import described_github
from tests.fakes.ledger import Ledger
from tests.fakes.service import SECRET, Service, environment, until

INSTALLATION = 7
SLOW = Spacing(write=Rate(seconds=30))
"""So slow that the time a test takes does not matter."""


class Clock:
    """Time that passes only where somebody sleeps; `meanwhile` happens in the next sleep."""

    def __init__(self) -> None:
        self.seconds = 1_000.0
        self.naps: list[float] = []
        self.meanwhile: Callable[[], Awaitable[None]] | None = None

    def __call__(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.seconds += seconds
        happens, self.meanwhile = self.meanwhile, None
        if happens is not None:
            await happens()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@contextmanager
def book_at(address: str, clock: Callable[[], float], spacing: Spacing = AS_GITHUB_ASKS) -> Iterator[PaceBook]:
    """The book as a process opens it."""
    database = Database(address)
    try:
        store = Store(database)
        store.open()
        yield PaceBook(database, store, spacing=spacing, clock=clock)
    finally:
        database.close()


@pytest.fixture
def address(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'principal.db'}"


def take(book: PaceBook, kind: Kind, installation: int = INSTALLATION) -> Turn:
    return asyncio.run(book.take(installation, kind, patience_seconds=PATIENCE_SECONDS))


def test_turns_are_given_away_over_a_restart(address, clock):
    with book_at(address, clock) as book:
        assert [take(book, Kind.WRITE).wait_seconds for _ in range(4)] == [0, 0, 0, 1]
    with book_at(address, clock) as book:
        assert take(book, Kind.WRITE).wait_seconds == 2
        assert take(book, Kind.WRITE, installation=8).wait_seconds == 0
        assert take(book, Kind.READ) == Turn(0, mine=True)


def test_a_pause_outlives_the_process_that_heard_of_it(address, clock):
    with book_at(address, clock) as book:
        asyncio.run(book.pause(INSTALLATION, 120))
    clock.seconds += 60
    with book_at(address, clock) as book:
        assert [take(book, kind) for kind in Kind] == [Turn(60, mine=False)] * 3
        assert take(book, Kind.NOTICE, installation=8).mine
        clock.seconds += 60
        assert take(book, Kind.NOTICE).mine


def test_r16_an_app_that_starts_again_asks_nothing_before_the_time_that_github_named(address, clock):
    """The limit is heard by one process; the next one, on the same database, sends no request before it is over."""
    with described_github() as github:
        repository = github.create_repository("acme/shop", files={"a.ts": "1\n"})
        pull = repository.open_pull(files={"a.ts": "2\n"})
        github.faults.limit(429, "GET", "/repos/*", retry_after_seconds=300)
        for _ in range(2):
            with book_at(address, clock) as book:
                assert waiting_seconds(github, repository, pull, book, clock) == 300
        clock.seconds += 299
        with book_at(address, clock) as book:
            assert waiting_seconds(github, repository, pull, book, clock) is None
        assert clock.naps == [1]
        assert [one.status for one in github.requests.rest] == [429, 200]


def waiting_seconds(github: Sandbox, repository, pull, book: PaceBook, clock: Clock) -> float | None:
    """How long a read of the pull must wait, by an App that has just started; None when it was answered."""

    async def read() -> float | None:
        app = App(
            app_id=github.app.id,
            private_key_pem=github.private_key,
            api_url=github.api_url,
            book=lambda: book,
            sleep=clock.sleep,
            monotonic=clock,
        )
        async with app:
            door = await app.installation(github.installation().id, repository.id)
            try:
                await door.pull(repository.full_name, pull.number)
            except Exception as error:  # noqa: BLE001 - what it is does not matter to the one who waits.
                return getattr(error, "retry_after_seconds", None)
            return None

    return asyncio.run(read())


def test_whoever_waits_for_a_turn_hears_of_a_pause_meanwhile(address, clock):
    with book_at(address, clock) as book:
        pace = Pace(INSTALLATION, book=lambda: book, sleep=clock.sleep, monotonic=clock)

        async def story() -> None:
            await pace.turn(Kind.NOTICE)
            clock.meanwhile = lambda: book.pause(INSTALLATION, 15)
            await pace.turn(Kind.NOTICE)

        asyncio.run(story())
        assert clock.naps == [3, 15]


def test_threads_share_the_turns_of_an_installation(address, clock):
    with book_at(address, clock) as book, concurrent.futures.ThreadPoolExecutor(8) as threads:
        turns = list(threads.map(lambda _: take(book, Kind.WRITE), range(12)))
    assert sorted(turn.wait_seconds for turn in turns) == [0, 0, 0, *range(1, 10)]


# On PostgreSQL, with the server's own clock.


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Postgres | None]:
    if os.environ.get("TEST_DATABASE_URL"):
        yield None
        return
    with postgres.server() as private:
        yield private


def test_processes_on_one_postgresql_share_turns_and_pauses(server, clock):
    with (
        postgres.address(server) as address,
        book_at(address, clock, SLOW) as first,
        book_at(address, clock, SLOW) as second,
        concurrent.futures.ThreadPoolExecutor(8) as threads,
    ):
        barrier = threading.Barrier(8)

        def race(number: int) -> Turn:
            barrier.wait()
            book = (first, second)[number % 2]
            return asyncio.run(book.take(INSTALLATION, Kind.WRITE, patience_seconds=300))

        turns = list(threads.map(race, range(8)))
        # The server's clock goes on between the turns, so each wait is a little shorter than its place in the row says.
        assert sorted(round(turn.wait_seconds / SLOW.write.seconds) for turn in turns) == list(range(8))
        asyncio.run(first.pause(INSTALLATION, 3_600))
        paused = take(second, Kind.READ)
        assert not paused.mine
        assert 0 < paused.wait_seconds <= 3_600


# The whole service


def test_a_limit_while_posting_pauses_the_installation_and_the_review_is_posted_once_after_it(tmp_path):
    with (
        described_github() as github,
        Ledger() as models,
        Service(environment(github, tmp_path, models.url)) as service,
    ):
        github.webhook(f"{service.url}/webhooks/github", secret=SECRET)
        repository = github.create_repository("acme/shop", files={"a.ts": "1\n"})
        github.faults.limit(403, "POST", "*/reviews", retry_after_seconds=1)
        pull = repository.open_pull(files={"a.ts": "2\n"})
        until(lambda: service.jobs(pull) and service.jobs(pull)[0].is_over)
        refused, taken = github.requests.find("POST", "/reviews")
        assert (refused.status, taken.status) == (403, 200)
        between = [one for one in github.requests.rest if refused.number < one.number < taken.number]
        assert [one.method for one in between] == ["GET"] * len(between)
        assert len(pull.reviews) == 1
