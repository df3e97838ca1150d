"""How the server is served: environment in, a port open until it is told to stop. Without an App, it is set up first.

no App ─ set_up ─► variables ─┐
App ──────────────────────────┴─► service ─► stop: the work ends, then the door closes
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Callable, Mapping

from app import __version__, main, web
from app.errors import Code, UserError
from app.jobs import Engine
from app.settings import Settings
from app.telemetry import log

SWITCH_SECONDS = 0.0001
"""A webhook's answer asks for the interpreter's lock some ten times, and waits up to so long for every busy thread each time."""


async def serve(environ: Mapping[str, str], *, tell: Callable[[str], None], executes: bool = True) -> None:
    """Serve until SIGTERM or Ctrl-C, then let what runs finish within PRINCIPAL_GRACE_SECONDS.

    Without an App the server is set up first: `tell` is given the address to open.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    stop = asyncio.Event()
    main.on_signals(stop.set)
    await serve_until(stop, environ, tell=tell, executes=executes)


async def serve_until(
    stop: asyncio.Event, environ: Mapping[str, str], *, tell: Callable[[str], None], executes: bool = True
) -> None:
    """Serve until `stop`, as `serve` does; for callers who do not own the process."""
    settings = Settings.load(environ)
    if settings.app_configured:
        await _serve(settings, stop, executes=executes)
        return
    with web.listen(settings) as door:
        made = await set_up(settings, door, stop, tell=tell)
        if made is not None:
            await _serve(Settings.load({**environ, **made}), stop, executes=executes, door=door)


async def set_up(
    settings: Settings,
    door: socket.socket,
    stop: asyncio.Event,
    *,
    tell: Callable[[str], None],
    answers: Mapping[str, str] | None = None,
) -> Mapping[str, str] | None:
    """The variables of the App that a person set up in the browser, at the address that `tell` is given; None if stopped before.

    Raises `UserError` when a webhook secret is set already: it would stay in force over the App's own.
    """
    if settings.github_webhook_secrets:
        what = "GITHUB_WEBHOOK_SECRET is set without GITHUB_APP_ID: set both, or neither to set the App up at /setup"
        raise UserError(what, Code.SETTINGS_INVALID)
    made: asyncio.Future[Mapping[str, str]] = asyncio.get_running_loop().create_future()
    setup = web.Setup(settings, done=made.set_result, answers=answers)
    server = web.server(setup.application(), settings)
    serving = asyncio.create_task(server.serve([door.dup()]))
    stopped = asyncio.create_task(stop.wait())
    tell(setup.link(settings.public_url or _root(settings, door)))
    log.info("waiting_for_setup", port=door.getsockname()[1])
    await asyncio.wait((made, stopped, serving), return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    await serving
    stopped.cancel()
    return made.result() if made.done() else None


def _root(settings: Settings, door: socket.socket) -> str:
    """Where a person on this machine reaches the server."""
    everywhere = settings.host in ("0.0.0.0", "::", "")  # noqa: S104 - compared, not bound.
    name = "localhost" if everywhere else f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{name}:{door.getsockname()[1]}"


async def _serve(settings: Settings, stop: asyncio.Event, *, executes: bool, door: socket.socket | None = None) -> None:
    async with main.service(settings, executes=executes) as running:
        log.info(
            "serving",
            host=settings.host,
            port=settings.port,
            model=settings.model or "default",
            version=__version__,
            executes=executes,
        )
        server = web.server(running.app, settings)
        stopping = asyncio.create_task(_stop(stop, running.engine, server, grace_seconds=settings.grace_seconds))
        await server.serve([door.dup()] if door else None)
        stopping.cancel()
    log.info("stopped")


async def _stop(stop: asyncio.Event, engine: Engine, server: web.Server, *, grace_seconds: float) -> None:
    """Let the work end before the door closes: whoever balances the load hears of it, and what still comes in is kept."""
    await stop.wait()
    log.info("stopping")
    try:
        await engine.stop(grace_seconds)
    finally:
        server.should_exit = True
