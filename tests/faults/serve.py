"""The bot as a process whose waits are short: what the killing tests start in place of `principal serve`."""

from __future__ import annotations

import asyncio
import os

from app import main, telemetry, web
from app.settings import Settings
from tests.faults.world import TIMING


async def serve() -> None:
    settings = Settings.load(os.environ)
    telemetry.configure(level=settings.log_level)
    async with main.service(settings, timing=TIMING) as running:
        await web.server(running.app, settings).serve()


if __name__ == "__main__":
    asyncio.run(serve())
