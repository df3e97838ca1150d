"""What outlives a review comes back as it was kept, on the real database, after a new start too."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from app.core.finding import Severity
from app.core.memory import Remembered, Said, Standing
from app.jobs.database import Database
from app.jobs.memory import StoredMemory
from app.jobs.store import Store
from app.jobs.vault import Vault
from tests.core.values import BASE, HEAD, finding

SHOP, PULL = 42, 7
ONE = Said.of(finding(), head=HEAD)
TWO = Said.of(finding(quote="const c = 3;", rule=None, severity=Severity.LOW), head=HEAD)


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/principal.db"


def told(url, *stories, secret=b"a key of the tests"):
    """What each story returns, told one after the other by one process; the next call is another process."""
    database = Database(url)
    try:
        store = Store(database)
        store.open()
        memory = StoredMemory(store, Vault(secret))

        async def telling():
            return [await story(memory) for story in stories]

        return asyncio.run(telling())
    finally:
        database.close()


def test_a_pull_that_was_never_seen_is_unknown(url):
    assert told(url, lambda memory: memory.of(SHOP, PULL)) == [Remembered()]


def test_what_was_reviewed_and_said_is_known_after_a_new_start(url):
    told(
        url,
        lambda memory: memory.reviewed(SHOP, PULL, head=HEAD, base=BASE),
        lambda memory: memory.said(SHOP, PULL, [ONE, TWO]),
        lambda memory: memory.summarised(SHOP, PULL, comment=2**40, told="It **charges**."),
        lambda memory: memory.pause(SHOP, PULL, paused=True),
    )
    (known,) = told(url, lambda memory: memory.of(SHOP, PULL))
    assert known == Remembered(
        head=HEAD, base=BASE, said=known.said, summary=2**40, paused=True, told="It **charges**."
    )
    assert set(known.said) == {ONE, TWO}
    assert told(url, lambda memory: memory.of(SHOP, 8)) == [Remembered()]


def test_keeping_the_same_twice_leaves_the_same_and_a_change_replaces_it(url):
    closed = replace(ONE, standing=Standing.FIXED, thread="PRRT_x", comment=2**41)
    told(url, lambda memory: memory.said(SHOP, PULL, [ONE]), lambda memory: memory.said(SHOP, PULL, [ONE]))
    (known,) = told(url, lambda memory: memory.said(SHOP, PULL, [closed]), lambda memory: memory.of(SHOP, PULL))[1:]
    assert known.said == (closed,)


def test_starting_over_forgets_everything_but_what_people_dismissed(url):
    dismissed = replace(TWO, standing=Standing.DISMISSED)
    *_, known, unwanted, elsewhere = told(
        url,
        lambda memory: memory.reviewed(SHOP, PULL, head=HEAD, base=BASE),
        lambda memory: memory.said(SHOP, PULL, [ONE, dismissed]),
        lambda memory: memory.forget(SHOP, PULL),
        lambda memory: memory.of(SHOP, PULL),
        lambda memory: memory.dismissed(SHOP),
        lambda memory: memory.dismissed(43),
    )
    assert known == Remembered(said=(dismissed,))
    assert [(one.path, one.title, one.rule) for one in unwanted] == [(TWO.path, TWO.title, None)]
    assert elsewhere == ()


def test_any_text_of_a_stranger_can_be_kept(url):
    odd = replace(ONE, path="src/\udcff.ts", quote="a\0b", title="x" * 5000)
    (_, known) = told(url, lambda memory: memory.said(SHOP, PULL, [odd]), lambda memory: memory.of(SHOP, PULL))
    assert known.said[0].quote == "a\x00b"


def test_what_another_secret_sealed_is_forgotten_and_stops_nobody(url):
    dismissed = replace(TWO, standing=Standing.DISMISSED)
    told(url, lambda memory: memory.said(SHOP, PULL, [ONE, dismissed]))
    known, unwanted = told(
        url, lambda memory: memory.of(SHOP, PULL), lambda memory: memory.dismissed(SHOP), secret=b"another key"
    )
    assert (known.said, unwanted) == ((), ())
