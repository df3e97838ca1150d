"""`GET /health` (alive), `GET /ready` (may be sent deliveries), `GET /metrics` (Prometheus)."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST

from app import telemetry
from app.jobs import Engine


def router(engine: Engine) -> APIRouter:
    """The routes a load balancer and a monitor ask."""
    routes = APIRouter()

    @routes.get("/health")
    async def health() -> JSONResponse:
        """The process answers; nothing more is promised."""
        return JSONResponse({"status": "alive"})

    @routes.get("/ready")
    async def ready() -> JSONResponse:
        """The database takes writes, and the process is not stopping."""
        reason = await engine.why_not_ready()
        if reason:
            return JSONResponse({"status": "not ready", "reason": reason}, status_code=503)
        return JSONResponse({"status": "ready"})

    @routes.get("/metrics")
    async def metrics() -> Response:
        """Every metric, with the depth of the queues as of now."""
        await engine.measure()
        return Response(telemetry.metrics(), media_type=CONTENT_TYPE_LATEST)

    return routes
