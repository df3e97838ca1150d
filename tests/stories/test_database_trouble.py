"""A disk that is full, a database that is broken or cannot be written: no false success, and nothing lost."""

from __future__ import annotations

import resource
import sqlite3
from contextlib import closing

import pytest

from tests.fakes.deliveries import PING, get, post, rows
from tests.fakes.ledger import Ledger
from tests.fakes.service import SECRET, Process, environment, until


@pytest.fixture
def models():
    with Ledger() as ledger:
        yield ledger


def open_pull(github, name="acme/shop"):
    repository = github.create_repository(name, files={"a.ts": "1\n"})
    return repository.open_pull(files={"a.ts": f"// {name}\n"}, deliver=False)


def test_on_a_full_disk_deliveries_are_refused_and_taken_when_there_is_room_again(github, models, tmp_path):
    with Process(environment(github, tmp_path, models.url)) as bot:
        github.webhook(f"{bot.url}/webhooks/github", secret=SECRET)
        before, after = open_pull(github, "acme/before"), open_pull(github, "acme/after")
        models.hold(1)
        assert github.deliver(before.delivery).status_code == 202
        models.wait_for(before.head_sha, 2)
        with no_room_for(bot._process.pid):
            assert get(bot, "/ready")[0] == 503
            status, text = post(bot, PING, guid="no-room")
            assert (status, "database" in text) == (503, True)
            assert github.deliver(after.delivery).status_code == 503
            assert get(bot, "/health")[0] == 200
            models.release()
        until(lambda: get(bot, "/ready")[0] == 200)
        assert rows(tmp_path, "no-room") == []
        assert github.redeliver(after.delivery.guid).status_code == 202
        until(lambda: len(after.reviews) == 1)
        until(lambda: len(before.reviews) == 1)
    assert models.of(after.head_sha) == [0, 1, 2]


def test_a_file_that_is_no_database_is_refused_at_the_start_and_left_as_it_is(github, tmp_path):
    (tmp_path / "principal.db").write_bytes(b"these are somebody's notes, and no database at all\n" * 100)
    status, said = said_at_start(environment(github, tmp_path))
    assert status != 0
    assert "principal.db cannot be opened: file is not a database" in said
    assert (tmp_path / "principal.db").read_bytes().startswith(b"these are somebody's notes")


def test_a_folder_that_cannot_be_written_is_refused_at_the_start(github, tmp_path):
    status, said = said_at_start(environment(github, tmp_path, DATABASE_URL="sqlite:////proc/principal/principal.db"))
    assert status != 0
    assert "The folder /proc/principal cannot be made" in said


def test_a_database_that_breaks_while_it_runs_refuses_every_delivery(github, tmp_path):
    with Process(environment(github, tmp_path)) as bot:
        assert post(bot, PING, guid="before")[0] == 200
        path = tmp_path / "principal.db"
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with path.open("r+b") as file:
            size = path.stat().st_size
            file.seek(4096)
            file.write(b"\xff" * (size - 4096))
        until(lambda: post(bot, PING, guid="after")[0] == 503)
        assert get(bot, "/ready")[0] == 503
        assert get(bot, "/health")[0] == 200


class no_room_for:  # noqa: N801 - it reads as a sentence.
    """No file that this process writes may grow, as on a full disk, for as long as the block lasts."""

    def __init__(self, pid):
        self._pid = pid

    def __enter__(self):
        self._before = resource.prlimit(self._pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))

    def __exit__(self, *_):
        resource.prlimit(self._pid, resource.RLIMIT_FSIZE, self._before)


def said_at_start(environ):
    """(exit status, what it said) of a service that does not come up."""
    bot = Process(environ)
    return bot.ended()
