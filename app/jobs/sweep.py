"""What was missed while nobody listened, brought back in bounded helpings: GitHub never delivers again by itself.

    failed deliveries of the last three days ─► asked for again, under their GUID
    open pulls whose head has no outcome     ─► `accept`, as if their webhook came now

Both ways end where a webhook ends, so whatever comes twice is one job: deliveries are known by their GUID, reviews by
their job's key. A sweep asks one thing after the other and leaves alone whom GitHub told to wait.
https://docs.github.com/en/webhooks/using-webhooks/handling-failed-webhook-deliveries
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from app.core.change import Sha
from app.core.installed import HookDelivery, Installation, InstalledRepository
from app.core.pull import CHECK_NAME, CheckRun, Conclusion, OpenPull
from app.errors import Code, PrincipalError, Transient
from app.events import ACTED_ON, Action, Place, PullEvent
from app.jobs import plan as planning
from app.jobs.deciding import PUT_BACK_AT_MOST
from app.jobs.delivery import Delivery, Receipt, Taken
from app.jobs.queueing import MANUAL, REVIEWS
from app.jobs.store import DeliveryState, Store
from app.telemetry import SWEEPS, SWEPT, log

DAY_SECONDS = 86_400.0
REDELIVERABLE_SECONDS = 3 * DAY_SECONDS
"""GitHub keeps a delivery for so long; Enterprise Server for a week."""
FAILURE_PAGES = 10
SUCCESS_PAGES = 3
REDELIVERIES_PER_SWEEP = 50
"""Fewer than the App's writes of a minute, so that asking never has to wait."""
PULLS_PER_SWEEP = 50
REPOSITORIES_PER_SWEEP = 100
"""Of one installation: each costs it a call, of the 5,000 it has an hour. The next sweep goes on where this one ended."""
PULL_PAGES_PER_REPOSITORY = 1
PULLS_SINCE_SECONDS = 14 * DAY_SECONDS
"""An older pull was not missed by an outage: whoever installs the App today does not ask for reviews of last year's."""
PULLS_SETTLED_SECONDS = 60.0
"""A pull that changed a moment ago still has its webhook under way, and its quiet period before it."""


class Listing(Protocol):
    """GitHub as one installation sees it, as far as a sweep asks it."""

    async def repositories(self) -> tuple[InstalledRepository, ...]:
        """The repositories that the installation covers."""
        ...

    async def open_pulls(self, repository: str, *, pages: int) -> tuple[OpenPull, ...]:
        """The open pull requests, those that changed last first."""
        ...

    async def find_check(self, repository: str, *, head: Sha, name: str, external_id: str) -> CheckRun | None:
        """The newest check run of ours on a head."""
        ...


class AppDoor(Protocol):
    """GitHub as the App sees it; `app.github.App` is one."""

    def is_paused(self, installation_id: int) -> bool:
        """Whether GitHub told this installation to wait."""
        ...

    async def hook_deliveries(self, *, succeeded: bool, since: float, pages: int) -> tuple[HookDelivery, ...]:
        """The webhook deliveries that did or did not succeed, newest first."""
        ...

    async def redeliver(self, delivery_id: int) -> None:
        """Have GitHub send a delivery again."""
        ...

    async def installations(self) -> tuple[Installation, ...]:
        """Where the App is installed."""
        ...

    async def installation(self, installation_id: int, /) -> Listing:
        """GitHub as this installation sees it."""
        ...


Accept = Callable[[Delivery], Awaitable[Receipt]]
Tidy = Callable[[Mapping[int, float]], Awaitable[None]]
"""Tidies what this process keeps on its disk; told which repositories were taken away, and when (epoch seconds)."""


@dataclass(slots=True)
class Helping:
    """How many more pulls this sweep may take."""

    left: int
    taken: int = 0


class Sweep:
    """Sweeps, one at a time. Raises nothing of GitHub's: what could not be asked now is asked by the next one."""

    def __init__(
        self,
        store: Store,
        *,
        app: AppDoor | None,
        accept: Accept,
        served: Collection[str],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._app = app
        self._accept = accept
        self._served = served
        self._clock = clock
        self._went_on_after: dict[int, int] = {}

    async def run(self, *, every_seconds: float) -> None:
        """One sweep. `every_seconds` is the first wait before a delivery that failed again is asked for again."""
        if self._app is None:
            return
        redelivered = await self._whole(self._redeliver(self._app, every_seconds), "deliveries")
        taken = await self._whole(self._take_pulls(self._app), "pulls")
        SWEPT.labels("delivery").inc(redelivered or 0)
        SWEPT.labels("pull").inc(taken or 0)
        SWEEPS.labels("done" if None not in (redelivered, taken) else "partial").inc()
        log.info("swept", deliveries=redelivered, pulls=taken)

    async def _whole(self, part: Awaitable[int], name: str) -> int | None:
        try:
            return await part
        except PrincipalError as error:
            log.warning("sweep_stopped", part=name, code=error.code, what=error.what)
            return None

    # Deliveries

    async def _redeliver(self, app: AppDoor, every_seconds: float) -> int:
        now = self._clock()
        since = now - REDELIVERABLE_SECONDS
        failed = await app.hook_deliveries(succeeded=False, since=since, pages=FAILURE_PAGES)
        wanted = due([one for one in failed if one.event in ACTED_ON], now=now, every_seconds=every_seconds)
        wanted = [one for one in wanted if one.installation_id is None or not app.is_paused(one.installation_id)]
        known = await asyncio.to_thread(self._known, [one.guid for one in wanted])
        wanted = [one for one in wanted if one.guid not in known]
        if wanted:
            # What once succeeded is in our database, unless that was lost or set back.
            passed = await app.hook_deliveries(succeeded=True, since=since, pages=SUCCESS_PAGES)
            passed_guids = {one.guid for one in passed}
            wanted = [one for one in wanted if one.guid not in passed_guids]
        for one in wanted[:REDELIVERIES_PER_SWEEP]:
            await app.redeliver(one.id)
        return len(wanted[:REDELIVERIES_PER_SWEEP])

    def _known(self, guids: Sequence[str]) -> set[str]:
        with self._store.read() as connection:
            return set(self._store.deliveries(connection, guids))

    # Pulls

    async def _take_pulls(self, app: AppDoor) -> int:
        queues = await asyncio.to_thread(self._store.queues, now=time.time())
        helping = Helping(PULLS_PER_SWEEP - queues[REVIEWS].depth - queues[MANUAL].depth)
        for installation in await app.installations():
            if helping.left <= 0:
                log.info("sweep_full", taken=helping.taken)
                break
            if installation.suspended or app.is_paused(installation.id):
                continue
            try:
                await self._of_installation(app, installation.id, helping)
            except PrincipalError as error:
                if isinstance(error, Transient) and error.code is Code.DATABASE_BUSY:
                    raise
                log.warning("sweep_left_out", installation=installation.id, code=error.code, what=error.what)
        return helping.taken

    async def _of_installation(self, app: AppDoor, installation: int, helping: Helping) -> None:
        github = await app.installation(installation)
        covered = await github.repositories()
        served = [one for one in covered if not one.archived and planning.is_served(one.full_name, self._served)]
        for repository in in_turn(served, after=self._went_on_after.get(installation, 0))[:REPOSITORIES_PER_SWEEP]:
            for pull in await github.open_pulls(repository.full_name, pages=PULL_PAGES_PER_REPOSITORY):
                if helping.left <= 0:
                    return
                await self._take(github, installation, repository, pull, helping)
            self._went_on_after[installation] = repository.id

    async def _take(
        self, github: Listing, installation: int, repository: InstalledRepository, pull: OpenPull, helping: Helping
    ) -> None:
        now = self._clock()
        if pull.draft or not now - PULLS_SINCE_SECONDS <= pull.updated_at <= now - PULLS_SETTLED_SECONDS:
            return
        guid = await asyncio.to_thread(self._guid_if_missed, repository.id, pull)
        if guid is None or await _was_answered(github, repository.full_name, pull):
            return
        event = PullEvent(
            place=Place(repository.full_name, repository.id, pull.number, installation),
            action=Action.OPENED,
            head=pull.head_sha,
            base=pull.base_sha,
        )
        receipt = await self._accept(Delivery(guid=guid, name="sweep", event=event, received_at=now))
        if receipt.taken in (Taken.ACCEPTED, Taken.RETAKEN):
            helping.left -= 1
            helping.taken += 1
            log.info("missed_pull_taken", repository=repository.full_name, number=pull.number, delivery=guid)

    def _guid_if_missed(self, repository_id: int, pull: OpenPull) -> str | None:
        """The id under which the pull's head is taken; None when it has an outcome, or was taken and refused for good."""
        with self._store.read() as connection:
            rows = self._store.jobs_of_pull(connection, repository_id, pull.number)
            if planning.has_outcome(pull.head_sha, rows):
                return None
            # An attempt that came to nothing (superseded, closed) makes the next one another delivery.
            attempts = sum(row.attempt for row in rows if row.head == pull.head_sha)
            name = f"{repository_id}:{pull.number}:{pull.head_sha}:{attempts}"
            guid = f"sweep-{hashlib.sha256(name.encode()).hexdigest()[:32]}"
            row = self._store.deliveries(connection, [guid]).get(guid)
        # One that waited out its whole patience met an outage, which may be over; other failures are for good.
        again = row is None or (row.state == DeliveryState.FAILED and row.put_back >= PUT_BACK_AT_MOST)
        return guid if again else None


def due(failed: Iterable[HookDelivery], *, now: float, every_seconds: float) -> list[HookDelivery]:
    """The latest failure of each delivery that should be asked for now: commands first, then what failed longest ago.

    The first failure is due at once; with each further one the wait doubles, so that what can never be taken is asked for
    about ten times in its three days.
    """
    tries: dict[str, list[HookDelivery]] = defaultdict(list)
    for one in failed:
        tries[one.guid].append(one)
    latest = [(max(same, key=lambda one: (one.delivered_at, one.id)), len(same)) for same in tries.values()]
    ready = [one for one, count in latest if count == 1 or now >= one.delivered_at + every_seconds * 2 ** (count - 2)]
    # A command is found nowhere else; a missed push is seen on its pull as well.
    return sorted(ready, key=lambda one: (one.event != "issue_comment", one.delivered_at, one.id))


def in_turn(repositories: Iterable[InstalledRepository], *, after: int) -> list[InstalledRepository]:
    """The repositories, those whose id comes after `after` first."""
    return sorted(repositories, key=lambda one: (one.id <= after, one.id))


async def _was_answered(github: Listing, repository: str, pull: OpenPull) -> bool:
    """Whether our check run on the head tells an outcome that our database has forgotten: by retention, or a restore."""
    check = await github.find_check(repository, head=pull.head_sha, name=CHECK_NAME, external_id=str(pull.number))
    return check is not None and check.conclusion not in _NO_OUTCOME


_NO_OUTCOME = frozenset({None, Conclusion.CANCELLED, Conclusion.SKIPPED})
"""Overtaken, or closed in the meantime: the pull is open, so its head was not reviewed yet."""
