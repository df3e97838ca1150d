"""What `principal demo` shows: the bot, a local GitHub, and the sample's pull request between them."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import typer
import uvicorn

from app import demo as samples
from app import main, telemetry, terminal, web
from app.errors import UserError
from app.sandbox import PullHandle, Sandbox
from app.settings import Settings

SECRET = "a secret that only this demo knows"  # noqa: S105 - it protects a server on loopback that lives for a minute
REVIEW_SECONDS = 600
LOOK_EVERY_SECONDS = 0.1


def show(*, port: int) -> None:
    """Opens the sample's pull request, waits for its review and prints it; on a terminal it stays until Ctrl-C."""
    telemetry.configure(level="ERROR")
    with tempfile.TemporaryDirectory(prefix="principal-demo-") as folder:
        asyncio.run(_run(Path(folder), port=port))


async def _run(folder: Path, *, port: int) -> None:
    sample = samples.sample()
    async with AsyncExitStack() as stack:
        github = stack.enter_context(Sandbox(port=port))
        settings = _settings(os.environ, github=github, folder=folder)
        running = await stack.enter_async_context(main.service(settings))
        server = web.server(running.app, settings)
        serving = asyncio.create_task(server.serve())
        try:
            address = await _address(server, serving)
            await _open(github, sample, webhook=f"{address}/webhooks/github", model=settings.model or "")
            if sys.stdout.isatty():
                typer.echo("Ctrl-C ends it.")
                await asyncio.Event().wait()
        finally:
            server.should_exit = True
            await serving


async def _open(github: Sandbox, sample: samples.Sample, *, webhook: str, model: str) -> None:
    repository = await asyncio.to_thread(github.create_repository, "acme/orders", files=sample.base)
    github.webhook(webhook, secret=SECRET)
    typer.echo(f"Opening “{sample.title}” and delivering its webhook …")
    pull = await asyncio.to_thread(
        repository.open_pull, files=sample.head, title=sample.title, body=sample.body, branch=sample.branch
    )
    await _until_reviewed(pull)
    _tell(pull)
    typer.echo(f"\nThe pull request with its review: {pull.url}")
    if model == "none":
        typer.echo("Reviewed by rules only. With OPENAI_API_KEY or ANTHROPIC_API_KEY set, a model reads it too.")


async def _until_reviewed(pull: PullHandle) -> None:
    async with asyncio.timeout(REVIEW_SECONDS):
        while not any(run.status == "completed" for run in pull.check_runs):  # noqa: ASYNC110 - on a thread of its own
            await asyncio.sleep(LOOK_EVERY_SECONDS)


def _tell(pull: PullHandle) -> None:
    for run in pull.check_runs:
        typer.echo(terminal.printable(f"\nCheck run: {run.output.title}"))
    for review in pull.reviews:
        typer.echo(terminal.printable(f"\n{review.body}"))
    for one in pull.review_comments:
        typer.echo(terminal.printable(f"\n{'─' * 72}\n{one.path}:{one.line}\n\n{one.body}"))


def _settings(environ: Mapping[str, str], *, github: Sandbox, folder: Path) -> Settings:
    """The person's own model settings, and everything else for this demo alone."""
    models = {
        name: value for name, value in environ.items() if name.startswith(("OPENAI_", "ANTHROPIC_", "PRINCIPAL_"))
    }
    has_key = bool(environ.get("OPENAI_API_KEY") or environ.get("ANTHROPIC_API_KEY") or environ.get("OPENAI_BASE_URL"))
    ours = {
        "GITHUB_API_URL": github.api_url,
        "GITHUB_SERVER_URL": github.server_url,
        "GITHUB_APP_ID": str(github.app.id),
        "GITHUB_PRIVATE_KEY": github.private_key,
        "GITHUB_WEBHOOK_SECRET": SECRET,
        "PRINCIPAL_DATA_DIR": str(folder),
        "DATABASE_URL": "",
        "HOST": "127.0.0.1",
        "PORT": "0",
        "PRINCIPAL_QUIET_SECONDS": "0",
    }
    model = {} if has_key else {"PRINCIPAL_MODEL": "none"}
    return Settings.load({**models, **model, **ours})


async def _address(server: uvicorn.Server, serving: asyncio.Task[None]) -> str:
    """Where the bot listens, once it does."""
    while not server.started:
        if serving.done():
            raise UserError("The bot could not listen on loopback")
        await asyncio.sleep(LOOK_EVERY_SECONDS / 10)
    listening = server.servers[0].sockets[0].getsockname()
    return f"http://{listening[0]}:{listening[1]}"
