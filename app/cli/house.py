"""The command line's own house: a reviewer without a server, a key kept in the user's cache, a pull request by its address.

Kept apart from `app.main`, and importing what it needs when it needs it: a person at a terminal waits for every import.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from app import __version__, library
from app.analysis import Scanner
from app.core.leaks import KnownSecrets
from app.core.options import Options
from app.core.report import Review
from app.errors import Code, UserError
from app.events import Place, ReviewRequest
from app.git import Mirrors
from app.llm.models import Models
from app.review import AtOnce, House, Reviewer, governed, read_pull, review, review_pull
from app.settings import Settings

if TYPE_CHECKING:
    from app.core.pull import Pull
    from app.github import GitHub

KEY_BYTES = 32


@asynccontextmanager
async def reviewer(settings: Settings, *, secret_key: bytes) -> AsyncIterator[Reviewer]:
    """What a review is made with, for as long as the block lasts."""
    models = Models.build(settings)
    scanner = Scanner()
    try:
        yield Reviewer(
            library=library.load(skills=settings.skills, rules=settings.rules),
            models=models,
            scanner=scanner,
            secret_key=secret_key,
            version=__version__,
            clock=time.monotonic,
            most_tokens=settings.max_tokens_per_review,
            options=Options(effort=settings.effort.value),
            known_secrets=KnownSecrets.of((*settings.secret_values(), secret_key)),
        )
    finally:
        await scanner.close()
        await models.close()


def shelf(environ: Mapping[str, str]) -> library.Library:
    """The shipped personas, rules and prompts, with the operator's own folders."""
    settings = Settings.load(environ)
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
    from app.github import GitHub, parse_pull_url  # noqa: PLC0415 - half a second that only an address is worth

    repository, number = parse_pull_url(address, settings.github_server_url)
    if settings.github_token is None:
        raise UserError("GITHUB_TOKEN is needed to read a pull request", Code.SETTINGS_INVALID)
    async with GitHub.with_token(settings.github_token.get_secret_value(), api_url=settings.github_api_url) as github:
        pull = await github.pull(repository, number)
        mirrors = Mirrors(settings.data_dir / "mirrors", settings.github_server_url)

        async def door(_: Place) -> GitHub:
            return github

        house = House(reviewer, door, mirrors)
        if not post:
            reading = await read_pull(pull, github=github, mirrors=mirrors, step=step)
            policies = reading.policy.policies
            made, _ = governed(reviewer, reading)
            return await review(
                reading.change,
                tree=reading.tree,
                reviewer=made,
                step=step,
                asked=asked,
                policies=policies,
                background=reading.background,
            )
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
        asked_by="the command line",
        arguments=asked,
    )
    outcome = await review_pull(request, pull=pull, house=house, step=step, told=made.append)
    if not made or outcome.state not in ("posted", "already"):
        raise UserError(
            f"Nothing was posted: {outcome.detail or outcome.state}", Code(outcome.code or Code.INPUT_INVALID)
        )
    return made[0]
