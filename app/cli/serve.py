"""`principal serve`: the GitHub App's server. Alone it does everything; with PostgreSQL, workers may do the reviews."""

from __future__ import annotations

import os

import typer

from app import telemetry
from app.cli import leaving
from app.loading import undisturbed
from app.settings import Settings


def serve(
    accept_only: bool = typer.Option(
        False, "--accept-only", help="Take deliveries and leave the reviews to `principal worker` (PostgreSQL only)."
    ),
) -> None:
    """Serve the GitHub App: webhooks in, reviews out. Everything is set by the environment; see the README's settings.

    Without an App it prints the address of a page that creates one, and serves as soon as it is there.
    """
    with undisturbed():
        from app import serving  # noqa: PLC0415 - the job engine and the server take seconds to load

    telemetry.configure(level=Settings.load(os.environ).log_level)
    leaving.run(serving.serve(os.environ, tell=_tell, executes=not accept_only))


def _tell(address: str) -> None:
    # On standard output, beside the log: the token in it must not stay where logs are kept.
    typer.echo(f"No GitHub App is configured. Open this address to create one; it works once:\n\n  {address}\n")
