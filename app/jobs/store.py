"""What is remembered beside the engine's own tables, in the same database, so that one transaction covers both.

    deliveries   what GitHub was told is safe, and what became of it
    inbox        deliveries that are not decided yet: waiting, or in the job engine's queue (inbox.py)
    jobs         a review per (repository, pull, head, trigger), an answer per question: attempt, workflow, how it ended
    outbox       effects that must not happen twice: intent, time of sending, what stands on the other side
    pace         until when each installation's turns to write are given away, and until when it is paused (book.py)
    reviews      a review's numbers for the dashboard (diary.py)
    runs         which execution of a workflow is the one that may still send
    artifacts    large results of steps, sealed (vault.py), by a name that only we can make
    usage        what models used and cost, a day, a repository and a model a row (purse.py)
    removals     repositories the App was taken away from, and when: whoever has a mirror removes it (removal.py)
    meta         the schema's version, the secret key

Raw payloads are not kept: an event's few fields are all that is used, and GitHub redelivers for three days.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ParamSpec, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import Insert as PostgresInsert
from sqlalchemy.dialects.sqlite import Insert as SqliteInsert

from app.errors import Code, UserError
from app.jobs.database import Database
from app.telemetry import log

P = ParamSpec("P")
T = TypeVar("T")

SCHEMA_VERSION = 2
PURGE_AT_MOST_ROWS = 5000
AWAY_WAIT_SECONDS = 5.0
AWAY_WAITS_AT_MOST = 4320
"""Six hours of a database that is away: as long as a review survives an outage of GitHub's, and then some."""
SCHEMA_LOCK = 7_236_121_604_351
"""Any number that no other program on the same database uses: whoever holds it makes the tables."""

QUEUES = ("ingest", "reviews", "manual")

metadata = sa.MetaData()

meta = sa.Table(
    "principal_meta",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)
deliveries = sa.Table(
    "principal_deliveries",
    metadata,
    sa.Column("guid", sa.String(64), primary_key=True),
    sa.Column("event", sa.String(64), nullable=False),
    sa.Column("repository", sa.String(201), nullable=False),
    sa.Column("installation", sa.BigInteger),
    sa.Column("received_at", sa.Float, nullable=False, index=True),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("put_back", sa.Integer, nullable=False),
    sa.Column("workflow_id", sa.String(128)),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("job_key", sa.String(200), index=True),
    sa.Index("principal_deliveries_of_state", "state", "received_at"),
)
inbox = sa.Table(
    "principal_inbox",
    metadata,
    sa.Column("place", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("guid", sa.String(64), nullable=False, unique=True),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("repository_id", sa.BigInteger, nullable=False),
    sa.Column("number", sa.BigInteger, nullable=False),
    sa.Column("by_hand", sa.Boolean, nullable=False),
    sa.Column("event", sa.Text, nullable=False),
    sa.Column("queued", sa.Boolean, nullable=False),
    sa.Index("principal_inbox_of_pull", "queued", "repository_id", "number"),
)
jobs = sa.Table(
    "principal_jobs",
    metadata,
    sa.Column("key", sa.String(200), primary_key=True),
    sa.Column("repository", sa.String(201), nullable=False),
    sa.Column("repository_id", sa.BigInteger, nullable=False),
    sa.Column("number", sa.BigInteger, nullable=False),
    sa.Column("head", sa.String(64), nullable=False),
    sa.Column("trigger", sa.String(100), nullable=False),
    sa.Column("installation", sa.BigInteger),
    sa.Column("asked_by", sa.String(100)),
    sa.Column("request", sa.Text, nullable=False),
    sa.Column("queue", sa.String(32), nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("workflow_id", sa.String(220), nullable=False, unique=True),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("code", sa.String(64), nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("review_id", sa.BigInteger),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("started_at", sa.Float),
    sa.Column("ended_at", sa.Float),
    sa.Index("principal_jobs_of_pull", "repository_id", "number"),
    # What the dashboard lists, newest first; the second one holds all that its counts ask for, the key's first letters too.
    sa.Index("principal_jobs_by_time", "created_at", "state"),
    sa.Index("principal_jobs_by_state", "state", "created_at", "key"),
    sa.Index("principal_jobs_of_repository", "repository", "created_at"),
)
IS_REVIEW = jobs.c.key.startswith("review:")
"""Not an answer: those stand beside the reviews (answers.py)."""
outbox = sa.Table(
    "principal_outbox",
    metadata,
    sa.Column("workflow_id", sa.String(220), primary_key=True),
    sa.Column("key", sa.String(200), primary_key=True),
    sa.Column("job_key", sa.String(200), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("sending_at", sa.Float, nullable=False),
    sa.Column("remote", sa.Text),
    sa.Index("principal_outbox_of_job", "job_key", "key"),
)
runs = sa.Table(
    "principal_runs",
    metadata,
    sa.Column("workflow_id", sa.String(220), primary_key=True),
    sa.Column("token", sa.String(32), nullable=False),
    sa.Column("began_at", sa.Float, nullable=False, index=True),
)
artifacts = sa.Table(
    "principal_artifacts",
    metadata,
    sa.Column("sha256", sa.String(64), primary_key=True),
    sa.Column("kind", sa.String(64), nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("created_at", sa.Float, nullable=False, index=True),
    sa.Column("repository_id", sa.BigInteger, nullable=False, server_default="0"),
)


class DeliveryState(StrEnum):
    """What became of a delivery."""

    IGNORED = "ignored"
    TAKEN = "taken"
    DONE = "done"
    FAILED = "failed"


class JobState(StrEnum):
    """Where a review stands. `WAITING` and `RUNNING` are active; the rest are ends."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    SUPERSEDED = "superseded"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"
    """Not wanted as things stood: when something changes it is decided on anew."""


class Start(StrEnum):
    """What became of the wish to start a job: it may begin, it must wait for another of its pull request, or it has ended."""

    STARTED = "started"
    BEHIND = "behind"
    ENDED = "ended"


ACTIVE = (JobState.WAITING, JobState.RUNNING)


class SendState(StrEnum):
    """Where an effect stands: asked for but perhaps not done, or known to stand."""

    SENDING = "sending"
    SENT = "sent"


@dataclass(frozen=True, slots=True)
class Sent:
    """An outbox row: an effect's state, when it was last sent (epoch seconds), and the JSON of what stands there."""

    workflow_id: str
    state: SendState
    sending_at: float
    remote: str | None


@dataclass(frozen=True, slots=True)
class Standing:
    """How a queue stands: how many have not ended, and for how long the one has waited that waits longest."""

    depth: int
    oldest_seconds: float


class Store:
    """The verbs on our tables. All of them block: call them from a thread. Those with `connection` join its transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.begin = database.begin
        self.read = database.own.connect
        self.read_first = database.first.connect

    async def call(self, verb: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """What the verb returns, called in a thread; while PostgreSQL is away it is waited for, and the verb called again.

        So the verb must bear being called twice: a commit whose answer was lost may have happened.
        """
        wait = AWAY_WAIT_SECONDS / 32
        for _ in range(AWAY_WAITS_AT_MOST):
            try:
                return await asyncio.to_thread(verb, *args, **kwargs)
            except sa.exc.SQLAlchemyError as error:
                if not self._database.is_away(error):
                    raise
                log.warning("database_away", what=str(getattr(error, "orig", error)))
            await asyncio.sleep(wait)
            wait = min(2 * wait, AWAY_WAIT_SECONDS)
        return await asyncio.to_thread(verb, *args, **kwargs)

    @contextmanager
    def begin_alone(self, lock: int) -> Iterator[sa.Connection]:
        """A transaction that no other one with the same lock runs beside, in this process or another."""
        with self.begin() as connection:
            if not self._database.is_sqlite:  # On SQLite every writer is alone.
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(lock)))
            yield connection

    def open(self) -> None:
        """Make the tables, or refuse a database that a newer version has changed."""
        # Processes that start together would all find no table and all make it.
        with self.begin_alone(SCHEMA_LOCK) as connection:
            metadata.create_all(connection)
            _add_new_columns(connection)
            _add_new_indexes(connection)
            known = connection.scalar(sa.select(meta.c.value).where(meta.c.name == "schema"))
            if known is not None and int(known) > SCHEMA_VERSION:
                what = f"The database was made by a newer version (schema {known}, this one knows {SCHEMA_VERSION})"
                raise UserError(what, Code.DATABASE_UNUSABLE)
            self._put_meta(connection, "schema", str(SCHEMA_VERSION))

    def secret_key(self) -> bytes:
        """The key that signs markers and sessions: made once, then always the same."""
        made = self.insert(meta).values(name="secret_key", value=secrets.token_hex(32))
        with self.begin() as connection:
            # Several processes may start at once: the first key stays, and everyone reads it.
            connection.execute(made.on_conflict_do_nothing())
            found: str = connection.scalars(sa.select(meta.c.value).where(meta.c.name == "secret_key")).one()
        return bytes.fromhex(found)

    def touch(self) -> None:
        """Write something, to know that writing works."""
        with self.begin() as connection:
            self._put_meta(connection, "touched", str(int(time.time())))

    def take_lease(self, name: str, *, holder: str, seconds: float) -> bool:
        """Whether `holder` may do what the lease is for, for so long; another one may not until its time is over."""
        name, now = f"lease:{name}", time.time()
        with self.begin() as connection:
            row = connection.scalar(sa.select(meta.c.value).where(meta.c.name == name).with_for_update())
            held_by, _, until = (row or "").rpartition(" ")
            if held_by not in ("", holder) and float(until) > now:
                return False
            self._put_meta(connection, name, f"{holder} {now + seconds}")
            return True

    # Deliveries.

    def deliveries(self, connection: sa.Connection, guids: Iterable[str]) -> dict[str, sa.Row[Any]]:
        """The rows of these deliveries, locked until the transaction ends."""
        # In one order everywhere, so that two processes with the same deliveries never wait for each other in a circle.
        query = (
            sa.select(deliveries)
            .where(deliveries.c.guid.in_(list(guids)))
            .order_by(deliveries.c.guid)
            .with_for_update()
        )
        return {row.guid: row for row in connection.execute(query)}

    def add_deliveries(self, connection: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> set[str]:
        """The ids of those that were added; the others had been added by another process first."""
        if not rows:
            return set()
        added = self.insert(deliveries).on_conflict_do_nothing().returning(deliveries.c.guid)
        return set(connection.scalars(added, list(rows)))

    def change_delivery(self, connection: sa.Connection, guid: str, **values: Any) -> None:
        """Change columns of a delivery."""
        connection.execute(sa.update(deliveries).where(deliveries.c.guid == guid).values(**values))

    def reword_deliveries(self, connection: sa.Connection, job_key: str, *, reason: str, now: str) -> bool:
        """Whether deliveries of this job gave that reason; they give the new one now."""
        of_job = (deliveries.c.job_key == job_key, deliveries.c.reason == reason)
        return connection.execute(sa.update(deliveries).where(*of_job).values(reason=now)).rowcount > 0

    def taken_deliveries(self, connection: sa.Connection) -> Sequence[sa.Row[Any]]:
        """Every delivery that a workflow is to decide on, and has not yet."""
        waiting = sa.select(inbox.c.guid).where(~inbox.c.queued)
        query = sa.select(deliveries).where(
            deliveries.c.state == DeliveryState.TAKEN, deliveries.c.guid.not_in(waiting)
        )
        return connection.execute(query).all()

    def end_delivery(
        self, guid: str, workflow_id: str, *, state: DeliveryState, reason: str, job_key: str | None
    ) -> None:
        """Record what became of a delivery, unless a later attempt has taken it over."""
        with self.begin() as connection:
            ended = connection.execute(
                sa.update(deliveries)
                .where(deliveries.c.guid == guid, deliveries.c.workflow_id == workflow_id)
                .values(state=state, reason=reason, job_key=job_key)
            )
            if ended.rowcount:
                self.leave_inbox(connection, [guid])

    # The inbox.

    def enter_inbox(self, connection: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Let deliveries wait, in this order."""
        if rows:
            connection.execute(sa.insert(inbox), [{**row, "queued": False} for row in rows])

    def pulls_in_turn(self, *, most: int, queued_at_most: int) -> list[tuple[int, int]]:
        """The pulls (repository id, number) whose waiting deliveries come next.

        A person's command first, then the repositories in turn. A pull that has one in the queue waits for it, and all wait
        while so many are in the queue.
        """
        queued = inbox.alias("queued")
        has_one = sa.exists().where(
            queued.c.queued, queued.c.repository_id == inbox.c.repository_id, queued.c.number == inbox.c.number
        )
        first = sa.func.min(inbox.c.place).label("first")
        by_hand = sa.func.max(sa.cast(inbox.c.by_hand, sa.Integer)).label("by_hand")
        pull = (inbox.c.repository_id, inbox.c.number)
        pulls = sa.select(*pull, first, by_hand).where(~inbox.c.queued, ~has_one).group_by(*pull).subquery()
        turn = sa.func.row_number().over(partition_by=pulls.c.repository_id, order_by=pulls.c.first)
        query = sa.select(pulls.c.repository_id, pulls.c.number).order_by(pulls.c.by_hand.desc(), turn, pulls.c.first)
        with self.read() as connection:
            under_way = connection.scalar(sa.select(sa.func.count()).where(inbox.c.queued)) or 0
            room = min(most, queued_at_most - under_way)
            return [(row[0], row[1]) for row in connection.execute(query.limit(room))] if room > 0 else []

    def waiting(self, connection: sa.Connection, pull: tuple[int, int], *, most: int) -> Sequence[sa.Row[Any]]:
        """What waits for this pull, in order, locked; what another process is about to queue is left out."""
        repository_id, number = pull
        query = sa.select(inbox).where(
            ~inbox.c.queued, inbox.c.repository_id == repository_id, inbox.c.number == number
        )
        return connection.execute(query.order_by(inbox.c.place).limit(most).with_for_update(skip_locked=True)).all()

    def are_waiting(self, connection: sa.Connection, guids: Iterable[str]) -> set[str]:
        """Those of these deliveries that wait, and are not in the queue."""
        return set(connection.scalars(sa.select(inbox.c.guid).where(~inbox.c.queued, inbox.c.guid.in_(list(guids)))))

    def mark_queued(self, connection: sa.Connection, guids: Sequence[str]) -> None:
        """These have come into the job engine's queue."""
        connection.execute(sa.update(inbox).where(inbox.c.guid.in_(guids)).values(queued=True))

    def leave_inbox(self, connection: sa.Connection, guids: Sequence[str]) -> None:
        """These are decided, or will be tried again later."""
        connection.execute(sa.delete(inbox).where(inbox.c.guid.in_(guids)))

    def end_with(self, connection: sa.Connection, decided_by: Mapping[str, str]) -> None:
        """Deliveries that another one decides: they are done."""
        if not decided_by:
            return
        self.leave_inbox(connection, list(decided_by))
        done = sa.update(deliveries).where(deliveries.c.guid == sa.bindparam("of"))
        done = done.values(state=DeliveryState.DONE, reason=sa.bindparam("why"))
        why = "a later delivery decides: {}".format
        connection.execute(done, [{"of": guid, "why": why(decider)} for guid, decider in decided_by.items()])

    # Jobs.

    def job(self, connection: sa.Connection, key: str) -> sa.Row[Any] | None:
        """The job with this key, locked until the transaction ends."""
        return connection.execute(sa.select(jobs).where(jobs.c.key == key).with_for_update()).one_or_none()

    def job_of(self, connection: sa.Connection, workflow_id: str) -> sa.Row[Any] | None:
        """The job whose present attempt is this workflow, locked until the transaction ends."""
        query = sa.select(jobs).where(jobs.c.workflow_id == workflow_id).with_for_update()
        return connection.execute(query).one_or_none()

    def jobs_of_pull(self, connection: sa.Connection, repository_id: int, number: int) -> Sequence[sa.Row[Any]]:
        """Every review of a pull request, locked until the transaction ends; answers to questions are none."""
        query = sa.select(jobs).where(jobs.c.repository_id == repository_id, jobs.c.number == number, IS_REVIEW)
        return connection.execute(query.order_by(jobs.c.created_at).with_for_update()).all()

    def asked_since(self, connection: sa.Connection, *, installation: int | None, asked_by: str, since: float) -> int:
        """How many reviews and answers this person has asked the installation for since this time (epoch seconds)."""
        theirs = sa.and_(jobs.c.installation == installation, jobs.c.asked_by == asked_by, jobs.c.created_at >= since)
        return connection.scalar(sa.select(sa.func.count()).select_from(jobs).where(theirs)) or 0

    def put_job(self, connection: sa.Connection, values: Mapping[str, Any]) -> None:
        """Add a job, or begin the next attempt of the one that has this key."""
        statement = self.insert(jobs).values(**values)
        changed = {name: value for name, value in values.items() if name != "key"}
        connection.execute(statement.on_conflict_do_update(index_elements=[jobs.c.key], set_=changed))

    def end_jobs(
        self, connection: sa.Connection, workflow_ids: Sequence[str], *, state: JobState, code: str, detail: str
    ) -> list[str]:
        """The workflow ids among these whose job was active and is now ended."""
        active = sa.select(jobs.c.workflow_id).where(jobs.c.workflow_id.in_(workflow_ids), jobs.c.state.in_(ACTIVE))
        ended = list(connection.scalars(active.with_for_update()))
        values = {"state": state, "code": code, "detail": detail, "ended_at": time.time()}
        connection.execute(sa.update(jobs).where(jobs.c.workflow_id.in_(ended)).values(**values))
        return ended

    def start_job(self, workflow_id: str, run: str, *, patient: bool = True) -> Start:
        """Mark a job as running, by this run and no earlier one, unless it was ended or, if `patient`, is not the next."""
        values = {"token": run, "began_at": time.time()}
        statement = self.insert(runs).values(workflow_id=workflow_id, **values)
        with self.begin() as connection:
            row = self.job_of(connection, workflow_id)
            if row is None or row.state not in ACTIVE:
                return Start.ENDED
            if patient and row.state == JobState.WAITING and self._another_runs(connection, row):
                return Start.BEHIND
            connection.execute(statement.on_conflict_do_update(index_elements=["workflow_id"], set_=values))
            changed = connection.execute(
                sa.update(jobs)
                .where(jobs.c.workflow_id == workflow_id, jobs.c.state.in_(ACTIVE))
                .values(state=JobState.RUNNING, started_at=sa.func.coalesce(jobs.c.started_at, time.time()))
            )
            return Start.STARTED if changed.rowcount else Start.ENDED

    def _another_runs(self, connection: sa.Connection, row: sa.Row[Any]) -> bool:
        """Whether a review of the same pull request runs. What it says must be remembered before the next one looks."""
        if not self._database.is_sqlite:
            # Two that look at once would both see nobody. SQLite has one writer anyway.
            key = sa.func.hashtextextended(f"principal pull {row.repository_id} {row.number}", 0)
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(key)))
        running = sa.select(jobs.c.key).where(
            jobs.c.repository_id == row.repository_id,
            jobs.c.number == row.number,
            jobs.c.state == JobState.RUNNING,
            IS_REVIEW,
        )
        return connection.scalar(running.limit(1)) is not None

    def run_of(self, connection: sa.Connection, workflow_id: str) -> str | None:
        """The run that was the last to begin this workflow."""
        return connection.scalar(sa.select(runs.c.token).where(runs.c.workflow_id == workflow_id).with_for_update())

    def finish_job(
        self,
        workflow_id: str,
        *,
        state: JobState,
        code: str,
        detail: str,
        review_id: int | None,
        then: Callable[[sa.Connection], None],
    ) -> None:
        """Record how a job ended, and do what follows from it, unless it was ended from outside first."""
        with self.begin() as connection:
            ended = connection.execute(
                sa.update(jobs)
                .where(jobs.c.workflow_id == workflow_id, jobs.c.state.in_(ACTIVE))
                .values(state=state, code=code, detail=detail, review_id=review_id, ended_at=time.time())
            )
            if ended.rowcount:
                then(connection)

    def active_jobs(self, connection: sa.Connection) -> Sequence[sa.Row[Any]]:
        """Every job that has not ended."""
        return connection.execute(sa.select(jobs).where(jobs.c.state.in_(ACTIVE))).all()

    def queues(self, *, now: float) -> dict[str, Standing]:
        """How the queues stand, by name, also those that are empty; deliveries that are not yet decided count as `ingest`."""
        waits = sa.case((jobs.c.state == JobState.WAITING, jobs.c.created_at))
        of_jobs = sa.select(jobs.c.queue, sa.func.count(), sa.func.min(waits)).where(jobs.c.state.in_(ACTIVE))
        undecided = sa.select(sa.literal("ingest"), sa.func.count(), sa.func.min(deliveries.c.received_at))
        with self._database.own.connect() as connection:
            rows = [
                *connection.execute(undecided.where(deliveries.c.state == DeliveryState.TAKEN)),
                *connection.execute(of_jobs.group_by(jobs.c.queue)),
            ]
        standing = {name: Standing(depth, max(0.0, now - since) if since else 0.0) for name, depth, since in rows}
        return dict.fromkeys(QUEUES, Standing(0, 0.0)) | standing

    # Outbox.

    def sends(self, connection: sa.Connection, job_key: str, key: str) -> list[Sent]:
        """Every row of this effect, one per attempt of the job that came so far."""
        query = sa.select(outbox).where(outbox.c.job_key == job_key, outbox.c.key == key).with_for_update()
        return [_sent(row) for row in connection.execute(query)]

    def put_send(self, connection: sa.Connection, *, workflow_id: str, job_key: str, key: str) -> None:
        """Record the intent to send now."""
        now = {"state": SendState.SENDING, "sending_at": time.time(), "remote": None}
        statement = self.insert(outbox).values(workflow_id=workflow_id, job_key=job_key, key=key, **now)
        connection.execute(statement.on_conflict_do_update(index_elements=["workflow_id", "key"], set_=now))

    def end_send(self, connection: sa.Connection, *, workflow_id: str, job_key: str, key: str, remote: str) -> None:
        """Record what stands on the other side."""
        values = {"state": SendState.SENT, "remote": remote}
        statement = self.insert(outbox).values(
            workflow_id=workflow_id, job_key=job_key, key=key, sending_at=time.time(), **values
        )
        connection.execute(statement.on_conflict_do_update(index_elements=["workflow_id", "key"], set_=values))

    def drop_send(self, *, workflow_id: str, key: str) -> None:
        """Forget an intent that was refused: nothing stands there."""
        with self.begin() as connection:
            connection.execute(sa.delete(outbox).where(outbox.c.workflow_id == workflow_id, outbox.c.key == key))

    def effects(self, workflow_id: str) -> dict[str, Sent]:
        """The effects of one attempt of a job, by key."""
        with self._database.own.connect() as connection:
            rows = connection.execute(sa.select(outbox).where(outbox.c.workflow_id == workflow_id))
            return {row.key: _sent(row) for row in rows}

    def effects_beside(self, workflow_id: str, *, repository_id: int, number: int) -> list[tuple[str, str]]:
        """Key and JSON of what the other jobs under way on this pull request have on the other side."""
        others = (jobs.c.repository_id == repository_id, jobs.c.number == number, jobs.c.state.in_(ACTIVE))
        query = (
            sa.select(outbox.c.key, outbox.c.remote)
            .join(jobs, jobs.c.workflow_id == outbox.c.workflow_id)
            .where(*others, outbox.c.workflow_id != workflow_id, outbox.c.remote.is_not(None))
        )
        with self._database.own.connect() as connection:
            return [(row.key, row.remote) for row in connection.execute(query)]

    # Artifacts.

    def keep(self, name: str, body: bytes, *, kind: str, repository_id: int) -> None:
        """Keep a large result of a review of this repository under its name."""
        values = {"kind": kind[:64], "body": body, "created_at": time.time(), "repository_id": repository_id}
        with self.begin() as connection:
            statement = self.insert(artifacts).values(sha256=name, **values)
            connection.execute(statement.on_conflict_do_update(index_elements=["sha256"], set_=values))

    def kept(self, name: str) -> bytes | None:
        """A kept result, or None when retention has removed it."""
        with self._database.own.connect() as connection:
            body: bytes | None = connection.scalar(sa.select(artifacts.c.body).where(artifacts.c.sha256 == name))
        return body

    # Retention.

    def purge(self, *, before: float) -> int:
        """Remove what ended before this time (epoch seconds), a bounded number of rows. Returns how many went."""
        ended = sa.select(jobs.c.key).where(jobs.c.ended_at < before, jobs.c.state.not_in(ACTIVE))
        old = sa.select(deliveries.c.guid).where(
            deliveries.c.received_at < before, deliveries.c.state != DeliveryState.TAKEN
        )
        stale = sa.select(artifacts.c.sha256).where(artifacts.c.created_at < before)
        sent = sa.select(outbox.c.workflow_id).where(outbox.c.sending_at < before)
        run = sa.select(runs.c.workflow_id).where(runs.c.began_at < before)
        with self.begin() as connection:
            return sum(
                connection.execute(sa.delete(table).where(column.in_(query.limit(PURGE_AT_MOST_ROWS)))).rowcount
                for table, column, query in (
                    (outbox, outbox.c.workflow_id, sent),
                    (jobs, jobs.c.key, ended),
                    (deliveries, deliveries.c.guid, old),
                    (artifacts, artifacts.c.sha256, stale),
                    (runs, runs.c.workflow_id, run),
                )
            )

    def _put_meta(self, connection: sa.Connection, name: str, value: str) -> None:
        statement = self.insert(meta).values(name=name, value=value)
        connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"value": value}))

    def insert(self, table: sa.Table) -> SqliteInsert | PostgresInsert:
        """An insert that can say what to do on a conflict, as this database says it."""
        return sqlite.insert(table) if self._database.is_sqlite else postgresql.insert(table)


_NEW_COLUMNS = (
    ("principal_artifacts", "repository_id", "BIGINT NOT NULL DEFAULT 0"),
    ("principal_pulls", "told", "TEXT"),
)
"""What tables of an older version lack."""


def _add_new_columns(connection: sa.Connection) -> None:
    """Bring the tables of an older version up to date: making tables leaves those alone that are there."""
    for table, column, kind in _NEW_COLUMNS:
        if table not in metadata.tables:
            continue
        known = {one["name"] for one in sa.inspect(connection).get_columns(table)}
        if column not in known:
            connection.exec_driver_sql(f"ALTER TABLE {table} ADD COLUMN {column} {kind}")


def _add_new_indexes(connection: sa.Connection) -> None:
    """Give the tables of an older version the indexes they lack: making tables leaves those alone that are there."""
    for table in metadata.sorted_tables:
        for index in table.indexes:
            index.create(connection, checkfirst=True)


def _sent(row: sa.Row[Any]) -> Sent:
    return Sent(row.workflow_id, SendState(row.state), row.sending_at, row.remote)
