"""Where deliveries and jobs are kept: an address → an open database that is safe to promise on, or a clear refusal.

SQLite is made fit for the job before anything else touches it: WAL, a lock that refuses a second process, and a stand-in
for a function that old SQLite lacks. Measured reasons: one fair writer, and limits that two processes would break.
PostgreSQL is shared by any number of processes, so each has a name that no other ever has (presence.py).
"""

from __future__ import annotations

import fcntl
import os
import secrets
import socket
import sqlite3
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import sqlalchemy as sa
from sqlalchemy import event

from app.errors import Code, UserError

SQLITE_OLDEST = (3, 35, 0)  # The first with RETURNING, which the engine claims jobs by.
SQLITE_WITH_MILLISECONDS = (3, 42, 0)
ENGINE_BUSY_SECONDS = 30  # The engine waits and tries again by itself.
TURN_SECONDS = 2
WRITER_BUSY_SECONDS = 5  # GitHub waits ten seconds for an answer: a writer that waits longer answers nobody.


class Database:
    """An open database: `engine` for the job engine, `own` for our tables in the same database.

    `executor_id` names this process to the job engine. SQLite belongs to one process at a time, PostgreSQL to many.
    """

    def __init__(self, url: str) -> None:
        """Raises `UserError` when the database cannot be used, or when another process works on a SQLite file."""
        self.address = sa.make_url(url)
        self.is_sqlite = self.address.get_backend_name() == "sqlite"
        self._lock: IO[str] | None = None
        if self.is_sqlite:
            path = Path(self.address.database or "")
            _make_folder(path.parent)
            self._lock = _lock(path.with_name(path.name + ".lock"))
            self.executor_id = "local"
        else:
            self.address = self.address.set(drivername="postgresql+psycopg")
            self.executor_id = _unique_name()
        try:
            if self.is_sqlite:
                _prepare_sqlite(path)
            self.engine = _sql_engine(self.address, busy_seconds=ENGINE_BUSY_SECONDS, connections=8)
            self.own = _sql_engine(self.address, busy_seconds=WRITER_BUSY_SECONDS, connections=4)
            # Whoever waits for its turn to write holds a connection: who goes first must not wait for one of theirs.
            self.first = _sql_engine(self.address, busy_seconds=WRITER_BUSY_SECONDS, connections=2)
            if self.is_sqlite:
                _write_in_turn(self.engine, self.own, self.first)
        except BaseException:
            if self._lock is not None:
                self._lock.close()
            raise

    @contextmanager
    def begin(self, *, urgent: bool = False) -> Iterator[sa.Connection]:
        """A transaction that may read and then write what it decided from: on SQLite it holds the write lock from the start.

        Inside, nothing may ask for another connection: all of them may be waiting for this very transaction. An `urgent` one
        goes before all others that wait.
        """
        with (self.first if urgent else self.own).begin() as connection:
            if self.is_sqlite:
                connection.execution_options(urgent=urgent)
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection

    def close(self) -> None:
        """Give back connections and the lock."""
        self.first.dispose()
        self.own.dispose()
        self.engine.dispose()
        if self._lock is not None:
            self._lock.close()

    def is_away(self, error: sa.exc.SQLAlchemyError) -> bool:
        """Whether the error says that PostgreSQL is stopped, starting or busy: then the same work may do better later.

        SQLite has nowhere to go: what it refuses is refused.
        """
        return not self.is_sqlite and isinstance(
            error, sa.exc.OperationalError | sa.exc.InterfaceError | sa.exc.TimeoutError
        )


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise UserError(f"The folder {folder} cannot be made: {error.strerror}", Code.DATABASE_UNUSABLE) from error


def _lock(path: Path) -> IO[str]:
    # The lock lives as long as the open file, so a killed process leaves none behind.
    try:
        file = path.open("a+")
    except OSError as error:
        raise UserError(f"The lock file {path} cannot be opened: {error.strerror}", Code.DATABASE_UNUSABLE) from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        what = f"Another principal process already works on this database (it holds {path}). Stop it first."
        raise UserError(what, Code.DATABASE_UNUSABLE) from None
    return file


def _unique_name() -> str:
    # A name that came back would let a new process take over what an old one still runs: measured, steps began twice.
    return f"{socket.gethostname()[:64]}-{os.getpid()}-{secrets.token_hex(4)}"


def _prepare_sqlite(path: Path) -> None:
    if sqlite3.sqlite_version_info < SQLITE_OLDEST:
        what = f"SQLite {sqlite3.sqlite_version} is too old: 3.35 or newer is needed"
        raise UserError(what, Code.DATABASE_UNUSABLE)
    try:
        connection = sqlite3.connect(path, timeout=WRITER_BUSY_SECONDS)
        try:
            # WAL persists in the file. Without it every reader would wait for the writer.
            (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise UserError(f"The database {path} cannot be opened: {error}", Code.DATABASE_UNUSABLE) from error
    if mode != "wal":
        what = f"The database {path} stands on a disk without shared memory (a network share?): SQLite needs WAL here"
        raise UserError(what, Code.DATABASE_UNUSABLE)
    os.chmod(path, 0o600)  # noqa: PTH101 - it holds the key that signs our markers.


def _sql_engine(address: sa.URL, *, busy_seconds: int, connections: int) -> sa.Engine:
    if address.get_backend_name() != "sqlite":
        return sa.create_engine(
            address,
            pool_size=connections,
            max_overflow=connections,
            pool_timeout=busy_seconds,
            pool_pre_ping=True,
            connect_args={"connect_timeout": WRITER_BUSY_SECONDS},
        )
    # Few connections: each keeps its own page cache, and beyond these they only wait for one another.
    engine = sa.create_engine(
        address, pool_size=connections, max_overflow=connections, connect_args={"timeout": busy_seconds}
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = "IMMEDIATE"
        connection.execute(f"PRAGMA busy_timeout={busy_seconds * 1000}")
        connection.execute("PRAGMA foreign_keys=ON")
        if sys.version_info >= (3, 12) and sqlite3.sqlite_version_info < SQLITE_WITH_MILLISECONDS:
            # From Python 3.12 on the engine asks SQLite for milliseconds, which only 3.42 and later can tell.
            connection.create_function("unixepoch", -1, _unixepoch)

    return engine


class Turn:
    """The right to write, held by one thread at a time. The urgent get it before all others: GitHub waits for them."""

    def __init__(self) -> None:
        self._free = threading.Condition()
        self._is_taken = False
        self._urgent: deque[threading.Lock] = deque()

    def acquire(self, *, urgent: bool, timeout_seconds: float) -> bool:
        """Whether it was had in this time."""
        if urgent:
            return self._acquire_first(timeout_seconds)
        with self._free:
            had = self._free.wait_for(lambda: not self._is_taken, timeout_seconds)
            self._is_taken = True
            return had

    @property
    def urgent_waiting(self) -> int:
        """How many urgent ones wait."""
        return len(self._urgent)

    def release(self) -> None:
        """Pass it on."""
        with self._free:
            if self._urgent:
                self._urgent.popleft().release()
            else:
                self._is_taken = False
                self._free.notify()

    def _acquire_first(self, timeout_seconds: float) -> bool:
        with self._free:
            if not self._is_taken:
                self._is_taken = True
                return True
            handed = threading.Lock()
            handed.acquire()
            self._urgent.append(handed)
        if handed.acquire(timeout=timeout_seconds):
            return True
        with self._free:
            if handed not in self._urgent:
                return True  # It was handed over at the last moment.
            self._urgent.remove(handed)
            return False


def _write_in_turn(*engines: sa.Engine) -> None:
    """Let one thread of this process write at a time, and the others wait for it to finish.

    SQLite lets writers that meet nap and try again, the luckiest first: with twenty of them most of the time went by in
    naps. Waiting for each other here, they pass the lock on at once.
    """
    turn = Turn()

    def wait(connection: sa.Connection, cursor: Any, statement: str, *_: Any) -> None:
        begins = not cursor.connection.in_transaction and statement.lstrip()[:6].upper() in _WRITES
        # A wait that was in vain is SQLite's to decide on: it will say that it is busy. Whoever gets SQLite's lock that
        # way must not wait here again before it has given it back.
        if (
            begins
            and "has_turn" not in connection.info
            and turn.acquire(
                urgent=connection.get_execution_options().get("urgent", False), timeout_seconds=TURN_SECONDS
            )
        ):
            connection.info["has_turn"] = True

    def pass_on(_connection: Any, record: Any, *_: Any) -> None:
        if record.info.pop("has_turn", False):
            turn.release()

    for engine in engines:
        event.listen(engine, "before_cursor_execute", wait)
        for end in ("checkin", "invalidate", "close"):
            event.listen(engine, end, pass_on)


_WRITES = frozenset({"INSERT", "UPDATE", "DELETE", "BEGIN "})


def _unixepoch(*modifiers: object) -> float | int:
    now = time.time()
    return now if "subsec" in modifiers or "subsecond" in modifiers else int(now)
