"""`principal worker`: one more process that does the reviews, beside `principal serve` on the same PostgreSQL."""

from __future__ import annotations

import asyncio
import os

from app import telemetry
from app.settings import Settings


def worker() -> None:
    """Review what `principal serve` has taken. As many as wanted, with the same settings and one PostgreSQL; opens no port."""
    from app import main  # noqa: PLC0415 - the job engine takes seconds to load

    settings = Settings.load(os.environ)
    telemetry.configure(level=settings.log_level)
    asyncio.run(main.work(settings))
