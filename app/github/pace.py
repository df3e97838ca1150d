"""How fast one installation may go: calls ask for their turn, and what GitHub said about “too fast” counts for all of them.

    turn(kind) ─► at once · after a short wait · or `Transient(GITHUB_RATE_LIMITED)` with the time to come back

The book (app/core/pace.py) spaces the writes and knows the pauses, for every process that acts for the installation.
GitHub also bounds what is spent in a minute and in an hour, and bans who goes on after being told to wait; what this process
spends stays below.
https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable

from app.core import pace
from app.core.pace import AS_GITHUB_ASKS, Book, Kind, Page, Spacing, Turn
from app.errors import Code, Transient
from app.github import errors
from app.github.wire import Reply

WRITE_POINTS = 5
PATIENCE_SECONDS = 20.0
"""A longer wait is the caller's to decide about: it holds a job that other work could overtake."""
TURNS_ASKED = 20

Sleep = Callable[[float], Awaitable[None]]


class Window:
    """What was spent in the last `seconds`."""

    def __init__(self, *, seconds: float) -> None:
        self._seconds = seconds
        self._spent: deque[tuple[float, int]] = deque()
        self._sum = 0

    def wait_seconds(self, cost: int, *, bound: int, now: float) -> float:
        """How long until `cost` fits under the bound; 0 when it fits now."""
        while self._spent and self._spent[0][0] <= now - self._seconds:
            self._sum -= self._spent.popleft()[1]
        excess = self._sum + cost - bound
        for moment, amount in self._spent:
            if excess <= 0:
                break
            excess -= amount
            if excess <= 0:
                return moment + self._seconds - now
        return 0.0

    def spend(self, cost: int, *, now: float) -> None:
        """Note that `cost` was spent."""
        if cost:
            self._spent.append((now, cost))
            self._sum += cost


class Memory:
    """The book of one process that shares nothing with others."""

    def __init__(self, spacing: Spacing = AS_GITHUB_ASKS, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._spacing = spacing
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._pages: defaultdict[int, Page] = defaultdict(Page)

    @property
    def spacing(self) -> Spacing:
        """See `Book.spacing`."""
        return self._spacing

    async def take(self, installation: int, kind: Kind, *, patience_seconds: float) -> Turn:
        """See `Book.take`."""
        with self._lock:
            page, now = self._pages[installation], self._monotonic()
            turn, self._pages[installation] = pace.take(
                page, kind, spacing=self._spacing, now=now, patience_seconds=patience_seconds
            )
        return turn

    async def pause(self, installation: int, seconds: float) -> None:
        """See `Book.pause`."""
        with self._lock:
            page = self._pages[installation]
            self._pages[installation] = pace.paused(page, seconds, now=self._monotonic())


class Pace:
    """The pace of one installation, shared by all in this process who act for it."""

    def __init__(
        self,
        installation: int = 0,
        *,
        book: Callable[[], Book] | None = None,
        sleep: Sleep = asyncio.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`book` is asked for at every turn: the one in the database is opened after this is made."""
        memory = Memory(monotonic=monotonic)
        self._installation = installation
        self._book = book or (lambda: memory)
        self._sleep = sleep
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._closed_until = 0.0
        self._points = Window(seconds=60)
        self._minute, self._hour = Window(seconds=60), Window(seconds=3_600)

    async def turn(self, kind: Kind) -> None:
        """Wait for the turn of one request. Raises `Transient` with the time to come back when that is long."""
        asked, counted = kind, False
        for _ in range(TURNS_ASKED):
            wait = 0.0 if counted else self._count(kind)
            if wait <= 0:
                counted = True
                turn = await self._book().take(self._installation, asked, patience_seconds=PATIENCE_SECONDS)
                wait = turn.wait_seconds
                if turn.mine and wait <= 0:
                    return
                # Whoever waited for a turn of theirs asks again only whether GitHub wants quiet since: as a read does.
                asked = Kind.READ if turn.mine else kind
            if wait > PATIENCE_SECONDS:
                break
            await self._sleep(wait)
        raise Transient(
            Code.GITHUB_RATE_LIMITED, "GitHub asked this installation to slow down", retry_after_seconds=wait
        )

    async def paced(self, kind: Kind, send: Callable[[], Awaitable[Reply]], *, in_turn: bool = False) -> Reply:
        """The reply to one request sent in its turn; what it says about limits counts for all that come after.

        With `in_turn` its turn has come already (`turn`), and only a pause holds it.
        """
        await self.turn(Kind.READ if in_turn else kind)
        try:
            reply = await send()
        except Transient as error:
            if error.code is Code.GITHUB_RATE_LIMITED:
                await self.pause(error.retry_after_seconds or errors.SECONDARY_WAIT_SECONDS)
            raise
        exhausted_for = errors.reset_seconds(reply)
        if exhausted_for is not None:
            await self.pause(exhausted_for)
        return reply

    @property
    def is_paused(self) -> bool:
        """Whether GitHub told this installation to wait, as far as this process heard, and the time is not over."""
        with self._lock:
            return self._closed_until > self._monotonic()

    async def pause(self, seconds: float) -> None:
        """Let no request pass for so long, of this process or another."""
        with self._lock:
            self._closed_until = max(self._closed_until, self._monotonic() + seconds)
        await self._book().pause(self._installation, seconds)

    def _count(self, kind: Kind) -> float:
        """How long this request must wait for what this process has spent; when that is 0, it is counted."""
        points, write = (1, 0) if kind is Kind.READ else (WRITE_POINTS, 1)
        spacing = self._book().spacing
        with self._lock:
            now = self._monotonic()
            wait = max(
                self._closed_until - now,
                self._points.wait_seconds(points, bound=spacing.points_per_minute, now=now),
                self._minute.wait_seconds(write, bound=spacing.writes_per_minute, now=now),
                self._hour.wait_seconds(write, bound=spacing.writes_per_hour, now=now),
            )
            if wait <= 0:
                self._points.spend(points, now=now)
                self._minute.spend(write, now=now)
                self._hour.spend(write, now=now)
            return wait
