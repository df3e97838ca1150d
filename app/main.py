"""The composition root: settings in, a house out. Everything else receives what it needs as arguments."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Protocol

from pydantic import TypeAdapter

from app import __version__, commands, library, tracing, web
from app.analysis import Scanner
from app.core import comment, notice
from app.core.change import Sha
from app.core.comment import CheckText
from app.core.leaks import KnownSecrets
from app.core.options import Options
from app.core.pace import Book
from app.core.pull import Pull
from app.core.report import Review
from app.errors import MEANINGS, Code, Permanent, UserError
from app.events import Place, Question, ReviewRequest
from app.git import Mirrors
from app.github import App, GitHub
from app.github import Call as GitHubCall
from app.github.transport import Transport
from app.jobs import PUT_OFF, Ending, Engine, Left, Timing
from app.llm.models import Models
from app.llm.purse import Purse
from app.llm.talk import Call as ModelCall
from app.retry import Breaker, State
from app.review import AtOnce, House, Outcome, Reviewer, Step, review_pull
from app.settings import Settings
from app.stages import post, talk
from app.stages.diary import Diary
from app.stages.memory import Memory
from app.telemetry import (
    BREAKER_OPEN,
    FINDINGS,
    GITHUB_CALLS,
    GITHUB_SECONDS,
    MODEL_CALLS,
    MODEL_COST,
    MODEL_SECONDS,
    MODEL_TOKENS,
    log,
)

DAY_SECONDS = 86_400.0
MIRROR_IDLE_SECONDS = 3600.0
"""A review may read its mirror for so long after it was filled: none is pruned before."""


@dataclass(frozen=True, slots=True)
class Service:
    """The running service: its engine, the application in front of it, and the repositories' mirrors behind it."""

    engine: Engine
    app: web.Edge


@asynccontextmanager
async def service(
    settings: Settings, *, timing: Timing | None = None, executes: bool = True, transport: Transport | None = None
) -> AsyncIterator[Service]:
    """The bot as it is served, for as long as the block lasts: deliveries in at the front, reviews out at the back.

    `transport` is another way to GitHub than the ordinary one, for a rehearsal.
    Raises `UserError` naming the variable when it is half configured, and when the database cannot be used.
    """
    # Recovered reviews run before `start` returns, so the story asks for what is kept when it needs it.
    story = PullStory(settings, kept=lambda: engine, transport=transport)
    engine = _engine(settings, story, timing=timing, executes=executes)
    application = web.build(settings, engine, library=story.library)
    async with _running(engine, story, grace_seconds=settings.grace_seconds, executes=executes):
        yield Service(engine, application)


def _engine(settings: Settings, story: PullStory, *, timing: Timing | None, executes: bool) -> Engine:
    return Engine(
        settings,
        story=story,
        github=story.door,
        app=story.app,
        tidy=story.tidy if executes else None,
        timing=timing,
        executes=executes,
    )


@asynccontextmanager
async def _running(engine: Engine, story: PullStory, *, grace_seconds: float, executes: bool) -> AsyncIterator[None]:
    with story.traced():
        try:
            if executes:
                await story.mirrors.prune()
            await engine.start()
            if executes:
                await story.scanner.start()
            yield
        finally:
            await engine.stop(grace_seconds)
            await story.close()


async def work(settings: Settings, *, timing: Timing | None = None) -> None:
    """Run the jobs that `serve` has taken on the same PostgreSQL, until SIGTERM or Ctrl-C; no port is opened.

    What does not finish within PRINCIPAL_GRACE_SECONDS then goes back to the other processes.
    """
    if settings.database_url.startswith("sqlite"):
        what = "DATABASE_URL must name a PostgreSQL database: SQLite belongs to the one process that serves"
        raise UserError(what, Code.SETTINGS_INVALID)
    if settings.app() is None:
        raise UserError("GITHUB_APP_ID is missing: a worker reviews as the GitHub App", Code.SETTINGS_INVALID)
    story = PullStory(settings, kept=lambda: engine)
    engine = _engine(settings, story, timing=timing, executes=True)
    ended = asyncio.Event()
    on_signals(ended.set)
    async with _running(engine, story, grace_seconds=settings.grace_seconds, executes=True):
        log.info("working", model=settings.model or "default", version=__version__)
        await ended.wait()
    log.info("stopped")


def on_signals(stop: Callable[[], None]) -> None:
    """Call this on SIGTERM and Ctrl-C, from now on."""
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, stop)


class Kept(Protocol):
    """What the job engine keeps for the story. Known once it has started."""

    @property
    def secret_key(self) -> bytes:
        """What markers are signed with."""
        ...

    @property
    def book(self) -> Book:
        """The pace of the installations."""
        ...

    @property
    def memory(self) -> Memory:
        """What outlives a review."""
        ...

    @property
    def diary(self) -> Diary:
        """What is written down about reviews."""
        ...

    def purse(self, place: Place) -> Purse:
        """What pays for the models that a repository's reviews ask."""
        ...


class PullStory:
    """The story as the job engine sees it: `app.review` with this process's doors."""

    def __init__(self, settings: Settings, *, kept: Callable[[], Kept], transport: Transport | None = None) -> None:
        self._settings = settings
        self._kept = kept
        self.library = library.load(skills=settings.skills, rules=settings.rules)
        for warning in self.library.warnings:
            log.warning("library_warning", what=str(warning))
        self._models = _priced(Models.build(settings, on_call=_count_model_call), settings)
        for name, breaker in self._models.breakers.items():
            BREAKER_OPEN.labels(name).set_function(partial(_is_open, breaker))
        self.scanner = Scanner()
        self.mirrors = Mirrors(settings.data_dir / "mirrors", settings.github_server_url)
        self.app = _github_app(settings, lambda: kept().book, transport)

    def traced(self) -> AbstractContextManager[None]:
        """Traces are sent in the block, where the operator has said where to."""
        settings = self._settings
        return tracing.exporting(settings.traces_endpoint, service=settings.otel_service_name, version=__version__)

    async def door(self, place: Place) -> GitHub:
        """GitHub as the installation of this place sees it."""
        if self.app is None or place.installation is None:
            raise Permanent(Code.GITHUB_GONE, "The delivery names no installation of this App")
        return await self.app.installation(place.installation, place.repository_id)

    async def review(self, request: ReviewRequest, *, pull: Pull, step: Step) -> Outcome:
        """The pull request reviewed and answered on GitHub."""
        return await review_pull(request, pull=pull, house=self._house(), step=step, told=_count_findings)

    async def answer(self, question: Question, *, step: Step) -> Outcome:
        """The question answered where it was asked."""
        return await commands.answer(question, house=self._house(), step=step)

    async def settle(self, asked: ReviewRequest | Question, *, ending: Ending, left: Left) -> None:
        """People told how a review or an answer ended that could not say so itself."""
        is_bad = ending.state in ("failed", PUT_OFF)
        if isinstance(asked, ReviewRequest):
            await self._settle_review(asked, ending=ending, left=left)
            if is_bad:
                await talk.react(asked, "confused", github=await self.door(asked.place), step=AtOnce())
        elif is_bad:
            error = Permanent(ending.code or Code.INTERNAL, ending.detail)
            await commands.apologise(asked, error, house=self._house(), step=AtOnce())

    async def _settle_review(self, request: ReviewRequest, *, ending: Ending, left: Left) -> None:
        """The check run of a review that ended from outside, ended as well; one of its own where it had none to tell with."""
        key, text = f"{post.CHECK_KEY}{request.key}", _ending_text(ending)
        must_be_told = ending.state in ("failed", PUT_OFF)
        if not (key in left.stands or key in left.unheard or must_be_told):
            return
        github = await self.door(request.place)
        if key in left.stands:
            await post.finish_check(text, check=_CHECK.validate_python(left.stands[key]), github=github)
            return
        held = {_CHECK.validate_python(one).id for name, one in left.held if name.startswith(post.CHECK_KEY)}
        ended = key in left.unheard and await post.end_unheard(text, request=request, held=held, github=github)
        if must_be_told and not ended:
            await post.tell(text, request=request, github=github)

    async def answer_group(self, place: Place, *, head: Sha) -> None:
        """A check run on the head of a merge group, which says where its pull requests were reviewed."""
        request = ReviewRequest(
            place.repository, place.repository_id, place.number, place.installation, head=head, trigger="merge group"
        )
        await post.tell(notice.in_a_merge_group(), request=request, github=await self.door(place))

    async def tidy(self, removed: Mapping[int, float]) -> None:
        """The mirrors without those of repositories that were taken away, or that nobody used for as long as anything is kept,
        and brought back to their size. Runs on another loop than the reviews: lock files keep them apart.
        """
        beside = Mirrors(self._settings.data_dir / "mirrors", self._settings.github_server_url)
        await beside.forget(removed, unused_since=time.time() - self._settings.retention_days * DAY_SECONDS)
        await beside.prune(idle_seconds=MIRROR_IDLE_SECONDS)

    async def close(self) -> None:
        """End the worker and close the connections."""
        await self.scanner.close()
        await self._models.close()
        if self.app is not None:
            await self.app.close()

    @cached_property
    def _known_secrets(self) -> KnownSecrets:
        """What no review may say. Asked for after the start, when the key is known."""
        return KnownSecrets.of((*self._settings.secret_values(), self._kept().secret_key))

    def _house(self) -> House:
        reviewer = Reviewer(
            library=self.library,
            models=self._models,
            scanner=self.scanner,
            secret_key=self._kept().secret_key,
            version=__version__,
            clock=time.monotonic,
            most_tokens=self._settings.max_tokens_per_review,
            options=Options(effort=self._settings.effort.value),
            known_secrets=self._known_secrets,
        )
        kept = self._kept()
        return House(reviewer, self.door, self.mirrors, kept.memory, kept.diary, kept.purse)


def _priced(models: Models, settings: Settings) -> Models:
    """The models, each with a price where a budget is set: else nobody could keep to it. Raises `UserError` otherwise."""
    limited = settings.daily_budget_usd is not None or settings.repository_budget_usd is not None
    if limited and models.unpriced:
        what = f"A budget is set, and the price of {models.unpriced[0]} is not known: name it in PRINCIPAL_PRICES"
        raise UserError(what, Code.SETTINGS_INVALID)
    return models


def _github_app(settings: Settings, book: Callable[[], Book], transport: Transport | None) -> App | None:
    identity = settings.app()
    if identity is None:
        return None
    return App(
        app_id=identity.id,
        private_key_pem=identity.private_key.get_secret_value(),
        api_url=settings.github_api_url,
        on_call=_count_github_call,
        book=book,
        transport=transport,
    )


_CHECK = TypeAdapter(post.Check)


def _ending_text(ending: Ending) -> CheckText:
    match ending.state:
        case "superseded":
            return comment.superseded()
        case "cancelled":
            return comment.skipped(ending.detail or "the pull request was closed or became a draft")
        case state:
            code = ending.code or Code.INTERNAL
            meaning = MEANINGS[code]
            told = comment.deferred if state == PUT_OFF else comment.failed
            return told(code=code, what=ending.detail, why=meaning.why, action=meaning.action)


def _is_open(breaker: Breaker) -> float:
    return float(breaker.state is not State.CLOSED)


def _count_findings(found: Review) -> None:
    for one in found.findings:
        FINDINGS.labels(one.finding.category.slug, one.finding.severity).inc()
    log.info(
        "reviewed",
        said=len(found.said),
        folded=len(found.folded),
        rejected=len(found.rejected),
        hunks=found.hunks,
        hunks_reviewed=found.hunks_reviewed,
        tokens=found.usage.tokens,
        cost_usd=found.usage.cost_usd,
        seconds=round(found.seconds, 3),
    )


def _count_model_call(call: ModelCall) -> None:
    MODEL_CALLS.labels(call.model, call.outcome).inc()
    MODEL_SECONDS.labels(call.model).observe(call.seconds)
    MODEL_TOKENS.labels(call.model, "in").inc(call.usage.input_tokens)
    MODEL_TOKENS.labels(call.model, "out").inc(call.usage.output_tokens)
    MODEL_COST.labels(call.model).inc(call.usage.cost_usd or 0.0)
    tracing.call(
        f"model {call.purpose}",
        seconds=call.seconds,
        failed=call.outcome != "ok",
        model=call.model,
        outcome=call.outcome,
        input_tokens=call.usage.input_tokens,
        output_tokens=call.usage.output_tokens,
    )


def _count_github_call(call: GitHubCall) -> None:
    operation, outcome = f"{call.method} {call.route}", str(call.status or "no answer")
    GITHUB_CALLS.labels(operation, outcome).inc()
    GITHUB_SECONDS.observe(call.seconds)
    failed = call.status is None or call.status >= 400
    tracing.call(f"github {operation}", seconds=call.seconds, failed=failed, outcome=outcome)
