"""The edge: prove who sent a request, hand it over, answer. Nothing is decided here.

`build(settings, engine)` is the application, `Setup(settings, …).application()` the one before there is an App, and
`server(app, settings)` what serves either. Limits: webhook.py for one request, here for connections.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from app import __version__
from app.errors import Code, UserError
from app.jobs import Engine
from app.library import Library
from app.settings import Settings
from app.web import dashboard, deadline, health, pages, setup, webhook
from app.web.setup import Setup
from app.web.webhook import Limits, Webhook

__all__ = ["Edge", "Limits", "Server", "Setup", "build", "listen", "server"]

CONNECTIONS_AT_MOST = 1000
"""Beyond these the server answers 503 at once: GitHub delivers again when asked, and the process keeps its memory."""
KEEP_ALIVE_SECONDS = 10
WAITING_CONNECTIONS = 2048
STOP_SECONDS = 5
"""What is being answered when the server stops has so long: all work has come to rest before."""


class Edge:
    """The application: webhooks go their own way, everything else through the framework."""

    def __init__(self, webhooks: Webhook, others: FastAPI) -> None:
        self._webhooks = webhooks
        self._others = others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        is_webhook = scope["type"] == "http" and scope["path"] == webhook.PATH and scope["method"] == "POST"
        await (self._webhooks if is_webhook else self._others)(scope, receive, send)


def build(settings: Settings, engine: Engine, *, library: Library | None = None, limits: Limits | None = None) -> Edge:
    """The application, over an engine that main starts and stops. With a library it has a dashboard.

    Raises `UserError` naming the variable when the App is half configured: an edge that cannot prove is not opened.
    """
    others = FastAPI(title="Principal", version=__version__, openapi_url=None, docs_url=None, redoc_url=None)
    others.include_router(health.router(engine))
    others.include_router(pages.assets())
    others.add_api_route(setup.PATH, setup.closed, methods=["GET"])
    if library is not None:
        others.include_router(dashboard.router(settings, engine, library))
    return Edge(Webhook(settings, engine, limits or Limits()), others)


@contextmanager
def listen(settings: Settings) -> Iterator[socket.socket]:
    """The server's port, held open from one application to the next: who knocks in between waits and is answered.

    Raises `UserError` naming the variable when the port cannot be had.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        door = socket.create_server((settings.host, settings.port), family=family, backlog=WAITING_CONNECTIONS)
    except OSError as error:
        what = f"PORT: {settings.host} port {settings.port} cannot be served on: {error.strerror or error}"
        raise UserError(what, Code.SETTINGS_INVALID) from error
    with door:
        yield door


class Server(uvicorn.Server):
    """Serves until `should_exit`. Signals are left to whoever runs it: uvicorn would raise them again after serving, and the
    process would end before the jobs have.
    """

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Captures none."""
        yield


def server(app: ASGIApp, settings: Settings, *, limits: Limits | None = None) -> Server:
    """What serves the application; `await server.serve()` returns after `should_exit` is set.

    A slow client is cut off: while it sends a request's head by the connection's deadline, while it sends a body by the
    webhook's, and between two requests by the keep-alive.
    """
    limits = limits or Limits()
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        http=deadline.protocol(head_seconds=limits.head_seconds),
        lifespan="off",
        limit_concurrency=CONNECTIONS_AT_MOST,
        backlog=WAITING_CONNECTIONS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    return Server(config)
