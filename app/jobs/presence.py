"""Who is alive: on PostgreSQL each process holds a lock in its name, and the work of one whose lock is gone goes to the others.

    Presence   holds this process's lock on a connection of its own, and takes it again after the database was away
    Reaper     looks whose work is claimed and whose lock is gone, and gives that work back to the queues

The server lets go of a lock when the connection ends, so a killed process needs nobody to tell of it. One look is no proof:
a restarted database has forgotten every lock. Death is two looks without the lock, with a grace between them that is longer
than a living process needs to take it again. A process that was declared dead by mistake does no harm: it can record no
step any more and send nothing (`DurableStep`).
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterable

import sqlalchemy as sa

from app.errors import Code, UserError
from app.telemetry import log

ANSWER_SECONDS = 5
"""A server that does not answer the lock's connection for so long is taken for gone, and connected to anew."""
SILENCE_SECONDS = 15
"""After so long without a sign of life from a machine, PostgreSQL ends its connection, and with it the lock."""


class Presence:
    """The lock of one process. Blocking; `hold`, `living` and `leave` may be called from any thread."""

    def __init__(self, address: sa.URL, executor_id: str) -> None:
        self._key = lock_key(executor_id)
        self._engine = sa.create_engine(
            address,
            poolclass=sa.NullPool,
            isolation_level="AUTOCOMMIT",
            connect_args={"connect_timeout": ANSWER_SECONDS, "tcp_user_timeout": 1000 * ANSWER_SECONDS},
        )
        self._guard = threading.Lock()
        self._connection: sa.Connection | None = None
        self._held = False

    def hold(self) -> None:
        """Take the lock, or make sure that it is still held. Raises SQLAlchemy's errors while the database is away."""
        with self._guard:
            try:
                connection = self._connected()
                if self._held:
                    connection.execute(sa.text("SELECT 1"))
                else:
                    # False while the server has not noticed that the connection before is gone: then that one still holds it.
                    self._held = bool(
                        connection.scalar(sa.text("SELECT pg_try_advisory_lock(:key)"), {"key": self._key})
                    )
            except sa.exc.SQLAlchemyError:
                self._drop()
                raise

    def living(self) -> frozenset[int]:
        """The keys (`lock_key`) of all locks that are held now."""
        with self._guard:
            try:
                return frozenset(self._connected().scalars(_HELD))
            except sa.exc.SQLAlchemyError:
                self._drop()
                raise

    def leave(self) -> None:
        """Give the lock back."""
        with self._guard:
            self._drop()
            self._engine.dispose()

    def _connected(self) -> sa.Connection:
        if self._connection is None:
            self._connection = self._engine.connect()
            for setting in _LINE_SETTINGS:
                self._connection.execute(sa.text(setting))
        return self._connection

    def _drop(self) -> None:
        connection, self._connection, self._held = self._connection, None, False
        if connection is not None:
            connection.invalidate()
            connection.close()


_HELD = sa.text(
    "SELECT (classid::bigint << 32) | objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 AND granted"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
_LINE_SETTINGS = (
    f"SET statement_timeout = '{ANSWER_SECONDS}s'",
    f"SET tcp_keepalives_idle = {SILENCE_SECONDS // 3}",
    f"SET tcp_keepalives_interval = {SILENCE_SECONDS // 3}",
    "SET tcp_keepalives_count = 2",
)


def lock_key(executor_id: str) -> int:
    """The number of the advisory lock that belongs to this executor: 64 bits with a sign, as PostgreSQL has them."""
    return int.from_bytes(hashlib.sha256(f"principal executor {executor_id}".encode()).digest()[:8], "big", signed=True)


class Reaper:
    """Gives back what dead processes have claimed.

    `claims` names the executors that have work claimed now; `give_back` returns how many jobs of one it gave back.
    """

    def __init__(
        self,
        presence: Presence,
        *,
        executor_id: str,
        claims: Callable[[], Iterable[str]],
        give_back: Callable[[str], int],
        grace_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._presence = presence
        self._executor_id = executor_id
        self._claims = claims
        self._give_back = give_back
        self._grace_seconds = grace_seconds
        self._clock = clock
        self._missed_since: dict[str, float] = {}

    def look(self) -> list[str]:
        """Look once. Returns the executors that are dead, whose work has been given back."""
        try:
            # The claims first: whoever claims has its lock already, so it is seen among the living that are read after.
            others = set(self._claims()) - {self._executor_id}
            living = self._presence.living()
        except sa.exc.SQLAlchemyError:
            # What was missed before the database went away proves nothing after it.
            self._missed_since.clear()
            raise
        now = self._clock()
        missed = {one for one in others if lock_key(one) not in living}
        self._missed_since = {one: self._missed_since.get(one, now) for one in missed}
        dead = sorted(one for one, since in self._missed_since.items() if now - since >= self._grace_seconds)
        for one in dead:
            log.warning("executor_dead", executor=one, jobs=self._give_back(one))
            self._missed_since.pop(one)
        return dead


class Watch:
    """Keeps the lock and looks for the dead, each on a thread of its own: a look may wait for the database, the lock may not."""

    def __init__(self, presence: Presence, reaper: Reaper, *, look_seconds: float, beat_seconds: float) -> None:
        self._presence = presence
        self._ended = threading.Event()
        self._threads = [
            threading.Thread(target=self._repeat, args=(presence.hold, beat_seconds), name="presence", daemon=True),
            threading.Thread(target=self._repeat, args=(reaper.look, look_seconds), name="reaper", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Stop looking; the lock stays held until `Presence.leave`."""
        self._ended.set()
        for thread in self._threads:
            thread.join(2 * ANSWER_SECONDS)

    def _repeat(self, work: Callable[[], object], seconds: float) -> None:
        while not self._ended.wait(seconds):
            try:
                work()
            except sa.exc.SQLAlchemyError as error:
                log.warning("presence_unknown", what=str(getattr(error, "orig", error)))
            except Exception:  # noqa: BLE001 - the next look may do better, and nobody else would look.
                log.exception("presence_failed")


def checked_in(address: sa.URL, executor_id: str) -> Presence:
    """The lock of this process, held. Raises `UserError` when it cannot be had: then others would take it for dead."""
    presence = Presence(address, executor_id)
    try:
        presence.hold()
        held = lock_key(executor_id) in presence.living()
    except sa.exc.SQLAlchemyError:
        presence.leave()
        raise
    if not held:
        presence.leave()
        what = "PostgreSQL keeps no session locks for this connection (a pooler in transaction mode?)"
        raise UserError(what, Code.DATABASE_UNUSABLE)
    return presence
