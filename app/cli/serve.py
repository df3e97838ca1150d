"""`principal serve`: the GitHub App's server. Alone it does everything; with PostgreSQL, workers may do the reviews."""

from __future__ import annotations

import asyncio
import os

import typer

from app import telemetry
from app.settings import Settings


def serve(
    accept_only: bool = typer.Option(
        False, "--accept-only", help="Take deliveries and leave the reviews to `principal worker` (PostgreSQL only)."
    ),
) -> None:
    """Serve the GitHub App: webhooks in, reviews out. Everything is set by the environment; see the README's settings."""
    from app import main  # noqa: PLC0415 - the job engine and the server take seconds to load

    settings = Settings.load(os.environ)
    telemetry.configure(level=settings.log_level)
    if not settings.app_configured:
        typer.echo(
            "No GitHub App is configured: webhooks are answered with 503 until GITHUB_APP_ID, GITHUB_PRIVATE_KEY_PATH and "
            "GITHUB_WEBHOOK_SECRET are set.",
            err=True,
        )
    asyncio.run(main.serve(settings, executes=not accept_only))
