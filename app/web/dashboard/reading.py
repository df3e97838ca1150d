"""The pages that are read: what a page needs is asked of the engine's tables in one thread, and shown."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cached_property
from typing import TypeVar

from fastapi import Request
from starlette.responses import Response

from app.core.finding import Category
from app.jobs import Engine, JobState
from app.jobs.board import Board, Place, Wanted
from app.jobs.figures import Resolved, Spending
from app.library import Library
from app.settings import Settings
from app.web import pages
from app.web.dashboard import views, words
from app.web.dashboard.access import Visitor
from app.web.dashboard.gate import Page
from app.web.dashboard.kept import Kept

T = TypeVar("T")

DAYS = (7, 30, 90)
"""How far a page of sums may look back."""
OVERVIEW_DAYS = 30
LATEST = 8


class Reading:
    """The pages. Whoever shows them has made sure who reads."""

    def __init__(self, settings: Settings, engine: Engine, library: Library) -> None:
        self._settings = settings
        self._engine = engine
        self._library = library
        self._sums = Kept()

    @property
    def pages(self) -> dict[str, Page]:
        """The pages by path."""
        return {
            "/": self.overview,
            "/reviews": self.reviews,
            "/reviews/{key:path}": self.review,
            "/steps/{attempt:int}/{place:int}/{key:path}": self.step,
            "/queues": self.queues,
            "/spending": self.spending,
            "/findings": self.findings,
            "/library": self.library,
        }

    async def overview(self, _: Request, visitor: Visitor) -> Response:
        """How things stand, on one page."""
        figures, board, now = self._engine.figures, self._engine.board, time.time()
        seen, latest, queues, dead = await self._engine.look(
            lambda: (
                views.overview(
                    self._sums.get("days", lambda: figures.reviews_by_day(now=now, days=OVERVIEW_DAYS)),
                    self._sums.get("durations", figures.durations),
                    self._spending(now, OVERVIEW_DAYS),
                    self._resolution(),
                ),
                board.reviews(Wanted(), most=LATEST).rows,
                board.queues(),
                board.dead_numbers(),
            )
        )
        return self._page(
            "overview", visitor, now, seen=seen, rows=latest, queues=queues, dead=sum(dead), days=OVERVIEW_DAYS
        )

    async def reviews(self, request: Request, visitor: Visitor) -> Response:
        """Every review, newest first, a page at a time."""
        wanted = _wanted(request)
        page, names = await self._engine.look(_both(self._engine.board, wanted))
        return self._page("reviews", visitor, time.time(), page=page, wanted=wanted, repositories=names)

    async def review(self, request: Request, visitor: Visitor) -> Response:
        """One review: how it ended, what it found and left out, and its steps."""
        key, asked = request.path_params["key"], request.query_params.get("attempt", "")
        board, timeline = self._engine.board, self._engine.timeline

        def read() -> views.ReviewView | None:
            row = board.review(key)
            if row is None:
                return None
            attempt = int(asked) if asked.isdecimal() and 1 <= int(asked[:9]) <= row.attempt else row.attempt
            document = timeline.document(key, repository_id=row.repository_id)
            return views.review(row, attempt, timeline.steps(key, attempt), document)

        view = await self._engine.look(read)
        if view is None:
            return self._missing(visitor, "There is no such review, or it is not kept any more.")
        return self._page("review", visitor, time.time(), view=view, rejections=views.rejections(view.document))

    async def step(self, request: Request, visitor: Visitor) -> Response:
        """One step: the prompt and the reply, or what it returned."""
        key, attempt, place = (request.path_params[name] for name in ("key", "attempt", "place"))
        board, timeline = self._engine.board, self._engine.timeline

        def read() -> tuple[object, object] | None:
            row = board.review(key)
            opened = row and timeline.open(key, attempt, place, repository_id=row.repository_id)
            return (row, opened) if opened is not None else None

        found = await self._engine.look(read)
        if found is None:
            return self._missing(visitor, "There is no such step, or it is not kept any more.")
        row, opened = found
        return self._page("step", visitor, time.time(), row=row, opened=opened, attempt=attempt)

    async def queues(self, _: Request, visitor: Visitor) -> Response:
        """What waits, what runs, what is tried again, and what failed for good."""
        board = self._engine.board
        queues, active, again, dead, lost, numbers = await self._engine.look(
            lambda: (
                board.queues(),
                board.active(),
                board.undecided(),
                board.dead(),
                board.dead_deliveries(),
                board.dead_numbers(),
            )
        )
        return self._page(
            "queues",
            visitor,
            time.time(),
            queues=queues,
            active=active,
            again=again,
            dead=dead,
            lost=lost,
            dead_number=numbers[0],
            lost_number=numbers[1],
        )

    async def spending(self, request: Request, visitor: Visitor) -> Response:
        """What models cost."""
        now, days = time.time(), _days(request)
        spending = await self._engine.look(lambda: self._spending(now, days))
        by_day = views.spending_by_day(spending, views.last_days(now, days), budget_usd=self._settings.daily_budget_usd)
        return self._page(
            "spending",
            visitor,
            now,
            spending=spending,
            by_day=by_day,
            by_repository=views.spending_by_repository(spending),
            dearest=dict(list(spending.by_repository.items())[: views.REPOSITORIES_DRAWN]),
            others=dict(list(spending.by_repository.items())[views.REPOSITORIES_DRAWN :]),
            days=days,
            choices=DAYS,
        )

    async def findings(self, _: Request, visitor: Visitor) -> Response:
        """What people did with what was said."""
        resolved = await self._engine.look(self._resolution)
        return self._page(
            "findings",
            visitor,
            time.time(),
            resolved=resolved,
            by_category=views.by_category(resolved),
            rate=views.rate(resolved),
            retention_days=self._settings.retention_days,
        )

    async def library(self, _: Request, visitor: Visitor) -> Response:
        """The personas and rules in force."""
        return self._page("library", visitor, time.time(), categories=list(Category), **self._in_force)

    def _spending(self, now: float, days: int) -> Spending:
        return self._sums.get(("spending", days), lambda: self._engine.figures.spending(now=now, days=days))

    def _resolution(self) -> tuple[Resolved, ...]:
        return self._sums.get("resolution", self._engine.figures.resolution)

    @cached_property
    def _in_force(self) -> dict[str, object]:
        library = self._library
        return {"personas": library.personas, "rules": views.rules(library), "warnings": library.warnings}

    def _page(self, name: str, visitor: Visitor, now: float, **values: object) -> Response:
        shared = {
            "visitor": visitor,
            "here": name,
            "now": now,
            "words": words,
            "states": list(JobState),
            "github": self._settings.github_server_url,
        }
        return pages.page(f"dashboard/{name}.html.j2", shared | values)

    def _missing(self, visitor: Visitor, what: str) -> Response:
        return pages.answer("dashboard/told.html.j2", status=404, visitor=visitor, title="Not found", what=what)


def _both(board: Board, wanted: Wanted) -> Callable[[], tuple[object, tuple[str, ...]]]:
    return lambda: (board.reviews(wanted), board.repositories())


def _wanted(request: Request) -> Wanted:
    """What the address asks for; what it says wrongly counts as not said."""
    asked = request.query_params
    number = asked.get("number", "")
    return Wanted(
        state=JobState(asked["state"]) if asked.get("state") in set(JobState) else None,
        repository=asked.get("repository") or None,
        number=int(number) if number.isdecimal() and len(number) < 10 else None,
        behind=_place(asked.get("at", ""), asked.get("key", "")),
    )


def _place(at: str, key: str) -> Place | None:
    try:
        return Place(float(at), key)
    except ValueError:
        return None


def _days(request: Request) -> int:
    asked = request.query_params.get("days", "")
    return int(asked) if asked in map(str, DAYS) else OVERVIEW_DAYS
