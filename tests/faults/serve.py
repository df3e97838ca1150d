"""The bot as processes whose waits are short: what the killing tests start in place of `principal serve` and `worker`.

python -m tests.faults.serve              deliveries and reviews
python -m tests.faults.serve accept       deliveries alone
python -m tests.faults.serve work         reviews alone
"""

from __future__ import annotations

import asyncio
import os
import sys

from app.loading import undisturbed

with undisturbed():
    from app import main, telemetry, web
    from app.settings import Settings
    from tests.faults.timing import SOON


async def serve(settings: Settings, *, executes: bool) -> None:
    async with main.service(settings, timing=SOON, executes=executes) as running:
        await web.server(running.app, settings).serve()


if __name__ == "__main__":
    wanted = Settings.load(os.environ)
    telemetry.configure(level=wanted.log_level)
    match sys.argv[1:]:
        case ["work"]:
            asyncio.run(main.work(wanted, timing=SOON))
        case part:
            asyncio.run(serve(wanted, executes=part != ["accept"]))
