"""`principal worker`: one more process that does the reviews, beside `principal serve` on the same PostgreSQL."""

from __future__ import annotations

import os

import typer

from app import telemetry
from app.cli import leaving
from app.loading import undisturbed
from app.settings import Settings


def worker(
    metrics_port: int | None = typer.Option(
        None,
        "--metrics-port",
        min=0,
        max=65535,
        help="Serve /metrics on this port of HOST. Without it no port is opened.",
    ),
) -> None:
    """Review what `principal serve` has taken. As many as wanted, with the same settings and one PostgreSQL."""
    with undisturbed():
        from app import main  # noqa: PLC0415 - the job engine takes seconds to load

    settings = Settings.load(os.environ)
    telemetry.configure(level=settings.log_level)
    with telemetry.served(settings.host, metrics_port):
        leaving.run(main.work(settings))
