"""How a server's process ends: at once, when what it has to keep is kept."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Coroutine
from typing import Any


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run a server until its work ends, and the process with it. What the work raises is raised here."""
    asyncio.run(_to_the_end(work))


async def _to_the_end(work: Coroutine[Any, Any, None]) -> None:
    await work
    # Python would first wait for every thread, one that waits half a minute for GitHub's answer too, and then spend seconds
    # on collecting all objects. Whatever such a thread was at is taken up by the next start, as after a kill.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
