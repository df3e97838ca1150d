"""The composition root: settings in, a house out. Everything else receives what it needs as arguments."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from pydantic import TypeAdapter

from app import __version__, library, web
from app.analysis import Scanner
from app.core import comment
from app.core.comment import CheckText
from app.core.pull import Pull
from app.core.report import Review
from app.errors import MEANINGS, Code, Permanent, UserError
from app.events import Place, ReviewRequest
from app.git import Mirrors
from app.github import App, GitHub, parse_pull_url
from app.github import Call as GitHubCall
from app.jobs import Ending, Engine, Timing
from app.llm.models import Models
from app.llm.talk import Call as ModelCall
from app.review import AtOnce, House, Outcome, Reviewer, Step, read_pull, review, review_pull, settle
from app.settings import Settings
from app.stages import post
from app.telemetry import FINDINGS, GITHUB_CALLS, MODEL_CALLS, MODEL_COST, MODEL_TOKENS, log

KEY_BYTES = 32
GRACE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Service:
    """The running service: its engine, the application in front of it, and the repositories' mirrors behind it."""

    engine: Engine
    app: FastAPI


@asynccontextmanager
async def service(settings: Settings, *, timing: Timing | None = None) -> AsyncIterator[Service]:
    """The bot as it is served, for as long as the block lasts: deliveries in at the front, reviews out at the back.

    Raises `UserError` naming the variable when it is half configured, and when the database cannot be used.
    """
    # Recovered reviews run before `start` returns, so the story asks for the key when it needs it.
    story = PullStory(settings, key=lambda: engine.secret_key)
    engine = Engine(settings, story=story, github=story.door, timing=timing)
    application = web.build(settings, engine)
    try:
        await engine.start()
        await story.scanner.start()
        yield Service(engine, application)
    finally:
        await engine.stop(GRACE_SECONDS)
        await story.close()


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM or Ctrl-C, then let what runs finish within half a minute."""
    async with service(settings) as running:
        log.info(
            "serving", host=settings.host, port=settings.port, model=settings.model or "default", version=__version__
        )
        await web.server(running.app, settings).serve()


class PullStory:
    """The story as the job engine sees it: `app.review` with this process's doors."""

    def __init__(self, settings: Settings, *, key: Callable[[], bytes]) -> None:
        self._settings = settings
        self._key = key
        self._library = library_of(settings)
        for warning in self._library.warnings:
            log.warning("library_warning", what=str(warning))
        self._models = Models.build(settings, on_call=_count_model_call)
        self.scanner = Scanner()
        self._mirrors = Mirrors(settings.data_dir / "mirrors", settings.github_server_url)
        self._app = _github_app(settings)

    async def door(self, place: Place) -> GitHub:
        """GitHub as the installation of this place sees it."""
        if self._app is None or place.installation is None:
            raise Permanent(Code.GITHUB_GONE, "The delivery names no installation of this App")
        return await self._app.installation(place.installation, place.repository_id)

    async def review(self, request: ReviewRequest, *, pull: Pull, step: Step) -> Outcome:
        """The pull request reviewed and answered on GitHub."""
        return await review_pull(request, pull=pull, house=self._house(), step=step, told=_count_findings)

    async def settle(self, request: ReviewRequest, *, ending: Ending, effects: Mapping[str, Any]) -> None:
        """The check run of a review that ended from outside, ended as well."""
        standing = effects.get(f"{post.CHECK_KEY}{request.key}")
        if standing is None:
            return
        check = TypeAdapter(post.Check).validate_python(standing)
        await settle(request, _ending_text(ending), check=check, house=self._house())

    async def close(self) -> None:
        """End the worker and close the connections."""
        await self.scanner.close()
        await self._models.close()
        if self._app is not None:
            await self._app.close()

    def _house(self) -> House:
        reviewer = Reviewer(
            library=self._library,
            models=self._models,
            scanner=self.scanner,
            secret_key=self._key(),
            version=__version__,
            clock=time.monotonic,
            most_tokens=self._settings.max_tokens_per_review,
        )
        return House(reviewer, self._of_request, self._mirrors)

    async def _of_request(self, request: ReviewRequest) -> GitHub:
        return await self.door(Place(request.repository, request.repository_id, request.number, request.installation))


def _github_app(settings: Settings) -> App | None:
    identity = settings.app()
    if identity is None:
        return None
    return App(
        app_id=identity.id,
        private_key_pem=identity.private_key.get_secret_value(),
        api_url=settings.github_api_url,
        on_call=_count_github_call,
    )


def _ending_text(ending: Ending) -> CheckText:
    match ending.state:
        case "superseded":
            return comment.superseded()
        case "cancelled":
            return comment.skipped(ending.detail or "the pull request was closed or became a draft")
        case _:
            code = ending.code or Code.INTERNAL
            meaning = MEANINGS[code]
            return comment.failed(code=code, what=ending.detail, why=meaning.why, action=meaning.action)


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
    MODEL_TOKENS.labels(call.model, "in").inc(call.usage.input_tokens)
    MODEL_TOKENS.labels(call.model, "out").inc(call.usage.output_tokens)
    MODEL_COST.labels(call.model).inc(call.usage.cost_usd or 0.0)


def _count_github_call(call: GitHubCall) -> None:
    GITHUB_CALLS.labels(f"{call.method} {call.route}", str(call.status or "no answer")).inc()


@asynccontextmanager
async def reviewer(settings: Settings, *, secret_key: bytes) -> AsyncIterator[Reviewer]:
    """What a review is made with, for as long as the block lasts."""
    models = Models.build(settings)
    scanner = Scanner()
    try:
        yield Reviewer(
            library=library_of(settings),
            models=models,
            scanner=scanner,
            secret_key=secret_key,
            version=__version__,
            clock=time.monotonic,
            most_tokens=settings.max_tokens_per_review,
        )
    finally:
        await scanner.close()
        await models.close()


def library_of(settings: Settings) -> library.Library:
    """The shipped personas, rules and prompts, with the operator's own folders."""
    return library.load(skills=settings.skills, rules=settings.rules)


def with_cache_folder(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment with the data folder in the user's cache, unless one was chosen: a checkout is never written to."""
    cache = Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "principal"
    return {"PRINCIPAL_DATA_DIR": str(cache), **{name: value for name, value in environ.items() if value}}


def local_key(settings: Settings) -> bytes:
    """The key of this machine's command line: the operator's, else one made once in the data folder, readable by its owner."""
    if settings.secret_key is not None:
        return hashlib.sha256(settings.secret_key.get_secret_value().encode()).digest()
    file = settings.data_dir / "secret.key"
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        with contextlib.suppress(FileExistsError):
            handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as made:
                made.write(secrets.token_bytes(KEY_BYTES))
        key = file.read_bytes()
    except OSError as error:
        raise UserError(
            f"PRINCIPAL_DATA_DIR: {settings.data_dir} cannot be used: {error.strerror}", Code.SETTINGS_INVALID
        ) from error
    if len(key) != KEY_BYTES:
        raise UserError(f"{file} is damaged; delete it and a new one is made", Code.SETTINGS_INVALID)
    return key


async def review_address(
    address: str, *, settings: Settings, reviewer: Reviewer, step: AtOnce, asked: str, post: bool
) -> Review:
    """The review of a pull request named by its address, read with GITHUB_TOKEN; posted there as well if so wished."""
    repository, number = parse_pull_url(address, settings.github_server_url)
    if settings.github_token is None:
        raise UserError("GITHUB_TOKEN is needed to read a pull request", Code.SETTINGS_INVALID)
    async with GitHub.with_token(settings.github_token.get_secret_value(), api_url=settings.github_api_url) as github:
        pull = await github.pull(repository, number)
        mirrors = Mirrors(settings.data_dir / "mirrors", settings.github_server_url)

        async def door(_: ReviewRequest) -> GitHub:
            return github

        house = House(reviewer, door, mirrors)
        if not post:
            change, tree = await read_pull(pull, github=github, house=house, step=step)
            return await review(change, tree=tree, reviewer=reviewer, step=step, asked=asked)
        return await _posted(pull, house=house, step=step, asked=asked)


async def _posted(pull: Pull, *, house: House, step: AtOnce, asked: str) -> Review:
    made: list[Review] = []
    request = ReviewRequest(
        repository=pull.repository,
        repository_id=pull.repository_id,
        number=pull.number,
        installation=None,
        head=pull.head_sha,
        trigger="command line",
        arguments=asked,
    )
    outcome = await review_pull(request, pull=pull, house=house, step=step, told=made.append)
    if not made or outcome.state not in ("posted", "already"):
        raise UserError(
            f"Nothing was posted: {outcome.detail or outcome.state}", Code(outcome.code or Code.INPUT_INVALID)
        )
    return made[0]
