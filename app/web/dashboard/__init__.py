"""The dashboard: what the bot did, what it does, what it costs, and whether people find it worth its noise.

    /                overview                     /spending   what models cost
    /reviews[/KEY]   every review; one of them    /findings   what people did with what was said
    /steps/…         a prompt and its reply       /library    personas and rules in force
    /queues          what waits, runs, failed     /login      the way in; without one configured, / says how to turn it on

Pages are read without a script, and everything that changes something is a form that carries its visitor's token.
"""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.jobs import Engine
from app.library import Library
from app.settings import Settings
from app.web import pages
from app.web.dashboard.acts import Acts
from app.web.dashboard.gate import Gate
from app.web.dashboard.reading import Reading


def router(settings: Settings, engine: Engine, library: Library) -> APIRouter:
    """The dashboard's routes; where no login is configured, one page that says how to turn it on."""
    routes = APIRouter()
    if not settings.dashboard_configured:
        routes.add_route("/", _off, methods=["GET"])
        return routes
    gate = Gate(settings, engine)
    for path, endpoint in gate.open_pages.items():
        routes.add_route(path, endpoint, methods=["GET"])
    for path, endpoint in gate.open_acts.items():
        routes.add_route(path, endpoint, methods=["POST"])
    for path, page in Reading(settings, engine, library).pages.items():
        routes.add_route(path, gate.page(page), methods=["GET"])
    for path, act in Acts(engine).acts.items():
        routes.add_route(path, gate.act(act), methods=["POST"])
    return routes


async def _off(_: Request) -> Response:
    return pages.answer("dashboard/off.html.j2", status=404, visitor=None)
