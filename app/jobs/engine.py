"""The engine room: deliveries go in and are safe when `accept` returns; reviews happen, whatever crashes in between.

    accept ─► writer ─► one transaction: delivery rows + inbox ─► hand over: `on_delivery` in the queue ─► deciding.py

SQLite is one executing process, held by a lock; PostgreSQL is any number of them (presence.py). The engine runs its
workflows on a loop of its own, so that a busy review never slows a webhook's answer; the story and everything it opens
lives on that loop.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import sqlalchemy as sa
from dbos import DBOS, DBOSClient, DBOSConfig, DBOSPortableJSONSerializer

from app import retry
from app.core.pace import Book
from app.core.purse import Limits
from app.errors import Code, PrincipalError, Transient, UserError
from app.events import Actionable, Event, Ignored, Place, RemovedEvent
from app.jobs import plan as planning
from app.jobs.anew import Anew
from app.jobs.answers import ANSWERS
from app.jobs.board import Board
from app.jobs.book import PaceBook
from app.jobs.database import Database
from app.jobs.deciding import Deciding, Deliveries, delivery_workflow_id
from app.jobs.delivery import Delivery, Receipt, Taken
from app.jobs.desk import Desk
from app.jobs.diary import StoredDiary
from app.jobs.endings import Endings
from app.jobs.figures import Figures
from app.jobs.inbox import HandOver, Inbox, Waiting
from app.jobs.memory import StoredMemory
from app.jobs.nudge import Nudge
from app.jobs.placing import Placing
from app.jobs.presence import Presence, Reaper, Watch, checked_in
from app.jobs.purse import StoredPurse
from app.jobs.purse import purge as purge_spending
from app.jobs.queueing import INGEST, MANUAL, REVIEWS
from app.jobs.removal import Removal
from app.jobs.runs import Runs
from app.jobs.step import Timing
from app.jobs.store import ACTIVE, DeliveryState, JobState, Store
from app.jobs.story import Doors, Story
from app.jobs.sweep import AppDoor, Sweep, Tidy
from app.jobs.timeline import Timeline
from app.jobs.vault import Vault
from app.jobs.workflows import Workflows
from app.jobs.writer import Writer
from app.settings import Settings
from app.telemetry import QUEUE_AGE, QUEUE_DEPTH, SWEEPS, log

T = TypeVar("T")

APPLICATION = "principal"
APPLICATION_VERSION = "1"
"""Pinned: by default the engine would take the hash of the sources, and strand running work at every upgrade.

It stays the same over releases; changed workflows follow the patching rule in workflows.py.
"""
NO_QUEUE = "-"
"""What a process listens to that runs no jobs: an empty list would mean all."""
RECOVERIES_AT_MOST = 50
"""Where the engine gives a job up by itself, blindly; long before, chances.py has looked at whether it gets anywhere."""
INGEST_SLOTS = 20
MANUAL_SLOTS = 8
ANSWER_SLOTS = 8
ENGINE_THREADS = 32
ACCEPT_SECONDS = 8.0
"""GitHub waits ten seconds: a delivery that is not safe by then gets a 503, which GitHub shows as failed."""
READY_SECONDS = 2.0
QUEUES_STOP_SECONDS = 5.0
STOP_LOOK_SECONDS = 0.02
PURGE_SECONDS = 3600.0
SWEEP_AT_MOST_SECONDS = 480.0
LEASE_SPARE_SECONDS = 60.0
PURGE_AT_MOST_WORKFLOWS = 1000

_only_one = threading.Lock()
"""The engine below is one per process: a second one here would quietly take over the first one's jobs."""


@dataclass(frozen=True, slots=True)
class JobRecord:
    """A job as it stands, for tests and the dashboard."""

    key: str
    state: JobState
    attempt: int
    workflow_id: str
    code: str
    detail: str
    review_id: int | None

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.state not in ACTIVE


@dataclass(frozen=True, slots=True)
class DeliveryRecord:
    """A delivery as it stands: decided or not, why, and the job that reviews what it was about."""

    guid: str
    state: DeliveryState
    reason: str
    attempt: int
    job_key: str | None


class Engine:
    """The jobs of one process. Only one may be started at a time: the engine below is a singleton.

    With `executes` off it takes deliveries and runs none of the jobs: other processes on the same PostgreSQL do.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        story: Story,
        github: Doors,
        app: AppDoor | None = None,
        tidy: Tidy | None = None,
        timing: Timing | None = None,
        executes: bool = True,
    ) -> None:
        """`app` lets it look for what was missed; `tidy` is done with every sweep, and when repositories were taken away."""
        self._settings = settings
        self._executes = executes
        self._presence: Presence | None = None
        self._watch: Watch | None = None
        self._story = story
        self._github = github
        self._app = app
        self._tidy = tidy
        self._timing = timing or Timing()
        self._app_configured = settings.app_configured
        self._database: Database | None = None
        self._dbos: DBOS | None = None
        self._writer: Writer[Delivery, Receipt] | None = None
        self._hand_over: HandOver | None = None
        self._nudge: Nudge | None = None
        self._tending: list[asyncio.Task[None]] = []
        self._started = False
        self._stopping = False

    async def start(self) -> None:
        """Open the database and begin to work, first on what an earlier process left behind.

        Raises `UserError` when the database cannot be used or another process works on it.
        """
        if not _only_one.acquire(blocking=False):
            raise UserError("This process runs an engine already", Code.DATABASE_UNUSABLE)
        try:
            await asyncio.to_thread(self._open)
        except BaseException as error:
            await asyncio.to_thread(self._close, 0)
            _only_one.release()
            if isinstance(error, sa.exc.DBAPIError):
                raise UserError(f"The database cannot be used: {error.orig}", Code.DATABASE_UNUSABLE) from error
            raise
        self._started = True
        self._tending = [asyncio.create_task(self._tend()), asyncio.create_task(self._sweep())]

    async def stop(self, grace_seconds: float = 30.0) -> None:
        """Begin nothing new, let what runs finish for so long, and leave the rest for the next start. May be called twice.

        `why_not_ready` says so at once; deliveries that still come are taken until the end.
        """
        self._stopping = True
        for task in self._tending:
            task.cancel()
        if self._tending:
            await asyncio.wait(self._tending)
        if self._started:
            self._started = False
            try:
                await asyncio.to_thread(self._close, grace_seconds)
            finally:
                _only_one.release()

    async def accept(self, delivery: Delivery) -> Receipt:
        """What happened to the delivery; when this returns, it is on the disk.

        Raises `Transient` (DATABASE_BUSY) when it is not: then GitHub must not be told that it is.
        """
        if self._writer is None or self._hand_over is None:
            raise Transient(Code.DATABASE_BUSY, "The server is starting or stopping")
        with self._hand_over.waited_for():
            return await self._writer.write(delivery, timeout_seconds=ACCEPT_SECONDS)

    async def why_not_ready(self) -> str:
        """Why no delivery should be sent here now; empty when all is well."""
        if self._stopping or self._writer is None:
            return "stopping" if self._stopping else "starting"
        try:
            async with asyncio.timeout(READY_SECONDS):
                await asyncio.to_thread(self._store.touch)
        except TimeoutError:
            return "the database is busy"
        except sa.exc.DBAPIError as error:
            return f"the database cannot be written: {error.orig}"
        return ""

    async def delivery(self, guid: str) -> DeliveryRecord | None:
        """The delivery with this id, or None."""

        def read() -> DeliveryRecord | None:
            with self._store.read() as connection:
                row = self._store.deliveries(connection, [guid]).get(guid)
            return row and DeliveryRecord(row.guid, DeliveryState(row.state), row.reason, row.attempt, row.job_key)

        return await asyncio.to_thread(read)

    async def job(self, key: str) -> JobRecord | None:
        """The job with this key (`ReviewRequest.key`), or None."""

        def read() -> JobRecord | None:
            with self._store.read() as connection:
                row = self._store.job(connection, key)
            return row and _record(row)

        return await asyncio.to_thread(read)

    async def jobs(self, repository_id: int, number: int) -> list[JobRecord]:
        """Every job of a pull request, oldest first."""

        def read() -> list[JobRecord]:
            with self._store.read() as connection:
                return [_record(row) for row in self._store.jobs_of_pull(connection, repository_id, number)]

        return await asyncio.to_thread(read)

    async def measure(self) -> None:
        """Bring the metrics of the queues up to date."""
        for name, standing in (await asyncio.to_thread(self._store.queues, now=time.time())).items():
            QUEUE_DEPTH.labels(name).set(standing.depth)
            QUEUE_AGE.labels(name).set(standing.oldest_seconds)

    @property
    def secret_key(self) -> bytes:
        """The key that signs markers: the operator's, else the one kept in the database. Known once started."""
        return self._secret_key

    @property
    def book(self) -> Book:
        """Where the pace of the installations is kept. Known once started."""
        return self._book

    @property
    def memory(self) -> StoredMemory:
        """What outlives a review. Known once started."""
        return StoredMemory(self._store, Vault(self._secret_key))

    def purse(self, place: Place) -> StoredPurse:
        """What pays for the models that a repository's reviews ask. Known once started."""
        settings = self._settings
        return StoredPurse(
            self._store,
            Limits(settings.daily_budget_usd, settings.repository_budget_usd),
            place=place,
            longest_call_seconds=retry.longest_seconds(settings.model_timeout_seconds),
        )

    @property
    def diary(self) -> StoredDiary:
        """What is written down about reviews. Known once started."""
        keeps_prompts = self._settings.dashboard_configured
        return StoredDiary(self._store, Vault(self._secret_key), keeps_prompts=keeps_prompts)

    async def look(self, read: Callable[[], T]) -> T:
        """What an operator wants to see, read in a thread. Raises `Transient` when the database does not answer."""
        try:
            return await asyncio.to_thread(read)
        except sa.exc.SQLAlchemyError as error:
            what = f"The database does not answer: {getattr(error, 'orig', error)}"
            raise Transient(Code.DATABASE_BUSY, what) from error

    @property
    def board(self) -> Board:
        """What an operator may read: the lists. Known once started."""
        return Board(self._store)

    @property
    def timeline(self) -> Timeline:
        """What an operator may read: one review, step by step. Known once started."""
        return Timeline(self._store, Vault(self._secret_key), self._client)

    @property
    def figures(self) -> Figures:
        """What an operator may read: the sums. Known once started."""
        return Figures(self._store)

    @property
    def desk(self) -> Desk:
        """What an operator may do. Known once started."""
        return Desk(self._store, self._client, accept=self.accept, stop=self._endings.stop_review)

    @property
    def executor_id(self) -> str:
        """The name of this process in the job engine's tables. Known once started."""
        return self._executor_id

    # Opening and closing: blocking, in a thread, so that the engine below does not adopt the caller's event loop.

    def _open(self) -> None:
        self._database = Database(self._settings.database_url)
        self._executor_id = self._database.executor_id
        if self._database.is_sqlite and not self._executes:
            what = (
                "SQLite belongs to one process, so it must run the jobs; DATABASE_URL must name a PostgreSQL database"
            )
            raise UserError(what, Code.SETTINGS_INVALID)
        self._store = Store(self._database)
        self._store.open()
        self._book = PaceBook(self._database, self._store, spacing=self._timing.spacing)
        given = self._settings.secret_key
        self._secret_key = given.get_secret_value().encode() if given else self._store.secret_key()
        # Lazy because it must not connect before the tables are there; and it may not wait, because GitHub does not.
        self._client = DBOSClient(
            system_database_engine=self._database.own,
            serializer=DBOSPortableJSONSerializer(),
            application_name=APPLICATION,
            lazy=True,
            retry_connection_errors=False,
        )
        self._removal = Removal(self._store, self._client)
        self._compose(Vault(self._secret_key))
        if not self._database.is_sqlite:
            # Before anything is claimed: whoever claims without a lock looks dead.
            self._presence = checked_in(self._database.address, self._executor_id)
        self._launch(self._database)
        if self._presence is not None:
            self._watch = self._watched(self._presence)
        self._hand_over = HandOver(self._inbox.hand_over, on_queued=lambda: self._ring(INGEST))
        self._writer = Writer(self._commit)

    def _compose(self, vault: Vault) -> None:
        """Put together what the workflows are made of."""
        store, client, timing = self._store, self._client, self._timing
        deliveries = Deliveries(client)
        self._inbox = Inbox(store, deliveries.enqueue)
        self._runs = runs = Runs(store, vault, client, timing=timing)
        self._endings = endings = Endings(store, client, runs, timing=timing)
        anew = Anew(store, self._inbox)
        self._deciding = Deciding(
            store=store,
            deliveries=deliveries,
            removal=self._removal,
            story=self._story,
            github=self._github,
            runs=runs,
            endings=endings,
            placing=Placing(store, vault, client, endings, anew, timing=timing),
            quiet_seconds=self._settings.quiet_seconds,
            timing=timing,
            ring=self._ring,
            tidy=self._tidy_up,
        )
        self._workflows = Workflows(
            store, vault, self._story, runs=runs, endings=endings, anew=anew, timing=timing, ring=self._ring
        )

    def _launch(self, database: Database) -> None:
        _quieten()
        config: DBOSConfig = {
            "name": APPLICATION,
            "application_version": APPLICATION_VERSION,
            "executor_id": database.executor_id,
            "system_database_engine": database.engine,
            "serializer": DBOSPortableJSONSerializer(),
            "max_executor_threads": ENGINE_THREADS,
            "log_level": "WARNING",
        }
        self._dbos = DBOS(config=config)
        _register(self._deciding, self._workflows)
        # The tables and the queues come first: a queue that appears after the launch is only noticed a second later.
        DBOS.migrate(self._settings.database_url)
        self._register_queues()
        if not self._executes:
            DBOS.listen_queues([NO_QUEUE])
        DBOS.launch()
        self._nudge = Nudge(self._dbos.background_thread_stop_events)

    def _register_queues(self) -> None:
        poll = self._timing.poll_seconds
        # One at a time per pull: each decision sees what the one before has done.
        self._client.register_queue(
            INGEST, partition_concurrency=1, worker_concurrency=INGEST_SLOTS, polling_interval_sec=poll
        )
        # One at a time per lane (lanes.py): that is what bounds an installation, and a repository within it.
        self._client.register_queue(
            REVIEWS,
            partition_concurrency=1,
            worker_concurrency=self._settings.reviews_at_once,
            polling_interval_sec=poll,
        )
        self._client.register_queue(
            MANUAL, partition_concurrency=1, worker_concurrency=MANUAL_SLOTS, polling_interval_sec=poll
        )
        self._client.register_queue(
            ANSWERS, partition_concurrency=1, worker_concurrency=ANSWER_SLOTS, polling_interval_sec=poll
        )

    def _watched(self, presence: Presence) -> Watch:
        reaper = Reaper(
            presence,
            executor_id=self._executor_id,
            claims=self._claims,
            give_back=_give_back,
            grace_seconds=self._timing.grace_seconds,
        )
        timing = self._timing
        return Watch(presence, reaper, look_seconds=timing.look_seconds, beat_seconds=timing.beat_seconds)

    def _claims(self) -> set[str]:
        """The executors that have work claimed."""
        claimed = self._client.list_workflows(status="PENDING", load_input=False, load_output=False)
        return {workflow.executor_id for workflow in claimed if workflow.executor_id}

    def _close(self, grace_seconds: float) -> None:
        if self._hand_over is not None:
            # What is taken from now on stays in the inbox, for the other processes or the next start.
            self._hand_over.end()
        if self._watch is not None:
            self._watch.end()
            self._watch = None
        if self._dbos is not None:
            self._drain(self._dbos, grace_seconds)
            self._dbos = None
        if self._writer is not None:
            writer, self._writer = self._writer, None
            writer.close()
        self._hand_over = None
        if self._presence is not None:
            self._presence.leave()
            self._presence = None
        if self._database is not None:
            self._database.close()
            self._database = None

    def _drain(self, dbos: DBOS, grace_seconds: float) -> None:
        # The engine's own way waits whole seconds even when nothing runs, and without a wait it may drop a job that it
        # has just claimed. So its queues are stopped first, then what runs gets its time; what is left stays claimed
        # in the database and is taken up by the next start.
        for stopping in dbos.background_thread_stop_events:
            stopping.set()
        _wait_while(_queues_work, QUEUES_STOP_SECONDS)
        _wait_while(lambda: self._runs.are_running, grace_seconds)
        self._release()
        DBOS.destroy(workflow_completion_timeout_sec=0, destroy_registry=True)

    def _release(self) -> None:
        """Hand what is left to the other processes at once, so that they need not wait until this one counts as dead."""
        if self._presence is None:
            return
        try:
            # Asked first, because the giving back below would wait for a database that is away.
            self._store.touch()
            left = _give_back(self._executor_id)
        except sa.exc.SQLAlchemyError as error:
            log.warning("jobs_not_released", what=str(error))
        else:
            log.info("jobs_released", number=left)

    # Accepting: on the writer's thread.

    def _commit(self, deliveries: Sequence[Delivery]) -> list[Receipt]:
        guids = {delivery.guid for delivery in deliveries}
        failed = self._failed(guids)
        with self._store.begin(urgent=True) as connection:
            known = self._store.deliveries(connection, guids)
            taken = self._take_new(connection, [one for one in deliveries if one.guid not in known])
            receipts: list[Receipt] = []
            for one in deliveries:
                receipt = taken.pop(one.guid, None)
                if receipt is None:
                    row = self._store.deliveries(connection, [one.guid])[one.guid]
                    receipt = self._take_known(connection, one, row, failed=one.guid in failed)
                    failed.discard(one.guid)
                receipts.append(receipt)
        if self._hand_over is not None:
            self._hand_over.ring()
        return receipts

    def _ring(self, queue: str) -> None:
        """Something has come into this queue, or left it."""
        if self._nudge is not None:
            self._nudge.ring(queue)
        if queue == INGEST and self._hand_over is not None:
            self._hand_over.ring()

    def _failed(self, guids: Collection[str]) -> set[str]:
        """Those of these deliveries whose decision, or whose review, ended without success and not for a newer one."""
        with self._store.read_first() as connection:
            rows = self._store.deliveries(connection, guids).values()
            if not rows:
                return set()
            reviews = {row.guid: self._store.job(connection, row.job_key) for row in rows if row.job_key}
            waiting = self._store.are_waiting(connection, guids)
        under_way = {
            row.guid: row.workflow_id for row in rows if row.state == DeliveryState.TAKEN and row.guid not in waiting
        }
        under_way |= {guid: job.workflow_id for guid, job in reviews.items() if job and job.state in ACTIVE}
        statuses = self._endings.statuses(under_way.values())
        return {
            *(row.guid for row in rows if row.state == DeliveryState.FAILED),
            *(guid for guid, job in reviews.items() if job and job.state == JobState.FAILED),
            *(guid for guid, workflow_id in under_way.items() if statuses[workflow_id] in planning.DEAD),
        }

    def _take_new(self, connection: sa.Connection, deliveries: Sequence[Delivery]) -> dict[str, Receipt]:
        """The receipts of those that nobody had taken before, by id. One statement each for all: this is the bursts' way."""
        receipts: dict[str, Receipt] = {}
        rows: list[dict[str, Any]] = []
        waiting: list[Waiting] = []
        for delivery in deliveries:
            if delivery.guid in receipts:
                continue
            event, ignored = delivery.event, self._why_ignored(delivery.event)
            if ignored or not isinstance(event, Actionable):
                receipts[delivery.guid] = Receipt(Taken.IGNORED, ignored)
            else:
                workflow_id = delivery_workflow_id(delivery.guid, 1)
                receipts[delivery.guid] = Receipt(Taken.ACCEPTED, "queued", workflow_id)
                waiting.append(Waiting(delivery.guid, 1, event))
            rows.append(_row(delivery, receipts[delivery.guid]))
        # In one order everywhere, so that two processes with the same deliveries never wait for each other in a circle.
        added = self._store.add_deliveries(connection, sorted(rows, key=lambda row: str(row["guid"])))
        self._inbox.put(connection, [one for one in waiting if one.guid in added])
        return {guid: receipt for guid, receipt in receipts.items() if guid in added}

    def _take_known(self, connection: sa.Connection, delivery: Delivery, row: Any, *, failed: bool) -> Receipt:
        event, ignored = delivery.event, self._why_ignored(delivery.event)
        if row.state != DeliveryState.IGNORED and not failed:
            return Receipt(Taken.DUPLICATE, "this delivery is known", row.workflow_id)
        if ignored or not isinstance(event, Actionable):
            return Receipt(Taken.IGNORED, ignored)
        # It failed, or was ignored under other settings: GitHub redelivers under the same id, so it is begun again.
        attempt = row.attempt + 1
        workflow_id = delivery_workflow_id(delivery.guid, attempt)
        self._inbox.put_again(connection, Waiting(delivery.guid, attempt, event))
        values = {
            "attempt": attempt,
            "workflow_id": workflow_id,
            "state": DeliveryState.TAKEN,
            "reason": "",
            "put_back": 0,
        }
        self._store.change_delivery(connection, delivery.guid, **values)
        return Receipt(Taken.RETAKEN, "it failed before and is tried again", workflow_id)

    def _why_ignored(self, event: Event) -> str:
        if isinstance(event, Ignored):
            return event.reason
        if isinstance(event, RemovedEvent):
            return ""
        if not planning.is_served(event.place.repository, self._settings.repositories):
            return "the repository is not in PRINCIPAL_REPOSITORIES"
        if self._app_configured and event.place.installation is None:
            return "the event names no installation"
        return ""

    # Tending

    async def _tend(self) -> None:
        """Look after what no workflow looks after: jobs that died, and rows that are old."""
        purge_at = 0.0
        while True:
            try:
                buried = await asyncio.to_thread(self._endings.bury)
                if buried:
                    log.warning("jobs_buried", number=buried)
                if time.monotonic() >= purge_at:
                    await asyncio.to_thread(self._purge)
                    purge_at = time.monotonic() + PURGE_SECONDS
            except (sa.exc.DBAPIError, PrincipalError) as error:
                log.warning("tending_failed", what=str(error))
            except Exception:  # noqa: BLE001 - the next turn may do better, and nobody else would look.
                log.exception("tending_failed")
            await asyncio.sleep(self._timing.tend_seconds)

    async def _sweep(self) -> None:
        """Look again and again for what was missed, and tidy. Of several processes on one database, one looks."""
        every = self._timing.sweep_seconds
        if not every or self._database is None:
            return
        holder = self._database.executor_id
        sweep = Sweep(self._store, app=self._app, accept=self.accept, served=self._settings.repositories)
        await asyncio.sleep(self._timing.sweep_after_start_seconds)
        while True:
            began = time.monotonic()
            try:
                lease = every + LEASE_SPARE_SECONDS
                if await asyncio.to_thread(self._store.take_lease, "sweeps", holder=holder, seconds=lease):
                    async with asyncio.timeout(SWEEP_AT_MOST_SECONDS):
                        await sweep.run(every_seconds=every)
                await self._tidy_up()
            except (sa.exc.DBAPIError, PrincipalError, TimeoutError) as error:
                SWEEPS.labels("failed").inc()
                log.warning("sweep_failed", what=str(error) or "it took too long")
            except Exception:  # noqa: BLE001 - the next sweep may do better, and nobody else would look.
                SWEEPS.labels("failed").inc()
                log.exception("sweep_failed")
            await asyncio.sleep(max(0.0, every - (time.monotonic() - began)))

    async def _tidy_up(self) -> None:
        """Tidy the disk of this process: every one that reviews has one of its own to look after."""
        if self._tidy is not None:
            await self._tidy(await self._store.call(self._removal.removed))

    def _purge(self) -> None:
        before = time.time() - self._settings.retention_days * 86_400
        ended = self._client.list_workflows(
            completed_before=datetime.fromtimestamp(before, UTC).isoformat(),
            status=["SUCCESS", *sorted(planning.DEAD)],
            limit=PURGE_AT_MOST_WORKFLOWS,
            load_input=False,
            load_output=False,
        )
        if ended:
            self._client.delete_workflows([workflow.workflow_id for workflow in ended])
        removed = self._store.purge(before=before) + self.memory.purge(before=before)
        removed += self.diary.purge(before=before)
        removed += purge_spending(self._store, now=time.time())
        self._removal.purge(before=before)
        if ended or removed:
            log.info("old_rows_removed", workflows=len(ended), rows=removed)


def _give_back(executor_id: str) -> int:
    """Put what this executor has claimed back into its queues. Returns how many jobs that was."""
    # Its public verbs forget how often a job was begun, and would revive one that was cancelled in between. A contract
    # test pins this one.
    return len(DBOS._recover_pending_workflows([executor_id]))  # noqa: SLF001


def _queues_work() -> bool:
    return any(thread.name.startswith("queue-worker-") and thread.is_alive() for thread in threading.enumerate())


def _wait_while(condition: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while condition() and time.monotonic() < end:
        time.sleep(STOP_LOOK_SECONDS)


def _register(deciding: Deciding, workflows: Workflows) -> None:
    # Plain functions around the bound methods: the engine hangs its marks on what it decorates.
    @DBOS.workflow(name="on_delivery", max_recovery_attempts=RECOVERIES_AT_MOST)
    async def on_delivery(guid: str, event: dict[str, Any]) -> str:
        return await deciding.on_delivery(guid, event)

    @DBOS.workflow(name="review_pull", max_recovery_attempts=RECOVERIES_AT_MOST)
    async def review_pull(request: dict[str, Any], pull: str) -> str:
        return await workflows.review_pull(request, pull)

    @DBOS.workflow(name="answer", max_recovery_attempts=RECOVERIES_AT_MOST)
    async def answer(question: dict[str, Any]) -> str:
        return await workflows.answer(question)

    @DBOS.workflow(name="settle", max_recovery_attempts=RECOVERIES_AT_MOST)
    async def settle(workflow_id: str, request: dict[str, Any], ending: dict[str, Any]) -> None:
        await workflows.settle(workflow_id, request, ending)


class _Expected(logging.Filter):
    """Takes out what the engine says when a job is superseded or the process stops: both are meant."""

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        return not any(
            part in text
            for part in (
                "was cancelled during execution",
                "outcome was not recorded",
                "Asyncio task cancelled",
                "Exception encountered in asynchronous workflow",
                "Exception encountered in background workflow",
            )
        )


def _quieten() -> None:
    logger = logging.getLogger("dbos")
    # A handler of our own keeps the engine from adding its console handler, so that its lines are JSON like all others.
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    if not any(isinstance(one, _Expected) for one in logger.filters):
        logger.addFilter(_Expected())


def _row(delivery: Delivery, receipt: Receipt) -> dict[str, Any]:
    """A new delivery as it is remembered."""
    event = delivery.event
    return {
        "guid": delivery.guid,
        "event": delivery.name,
        "repository": event.repository if isinstance(event, Ignored) else event.place.repository,
        "installation": event.installation if isinstance(event, Ignored) else event.place.installation,
        "received_at": delivery.received_at,
        "attempt": 1,
        "put_back": 0,
        "workflow_id": receipt.job,
        "state": DeliveryState.IGNORED if receipt.taken is Taken.IGNORED else DeliveryState.TAKEN,
        "reason": receipt.reason if receipt.taken is Taken.IGNORED else "",
        "job_key": None,
    }


def _record(row: Any) -> JobRecord:
    return JobRecord(
        key=row.key,
        state=JobState(row.state),
        attempt=row.attempt,
        workflow_id=row.workflow_id,
        code=row.code,
        detail=row.detail,
        review_id=row.review_id,
    )
