"""What the operator sees: one JSON line per event on standard error, and metrics with bounded labels.

A line can neither be forged nor flooded from outside: control characters are escaped by JSON, and no field is longer
than `FIELD_MAX_CHARACTERS`. Delivery, repository and number are bound once at the edge and appear on every line after.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any, TextIO

import structlog
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
    start_http_server,
)

from app import __version__
from app.errors import Code

FIELD_MAX_CHARACTERS = 2048
FIELDS_DEEP_AT_MOST = 4
ITEMS_AT_MOST = 50

HEADERS_LOGGED = (
    "content-length",
    "content-type",
    "user-agent",
    "x-github-delivery",
    "x-github-event",
    "x-github-hook-id",
)
"""The only headers that may be logged: GitHub itself has sent webhook secrets in a header by mistake."""

NAME = "principal"
log: structlog.typing.FilteringBoundLogger = structlog.get_logger(NAME)

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)

Gauge("principal_build_info", "1, with the version that runs", ["version"], registry=REGISTRY).labels(__version__).set(
    1
)
WEBHOOKS = Counter("principal_webhooks", "Webhook requests, by outcome", ["outcome"], registry=REGISTRY)
WEBHOOK_SECONDS = Histogram(
    "principal_webhook_seconds",
    "Time from the first byte of a webhook request to its answer",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    registry=REGISTRY,
)
JOBS = Counter("principal_jobs", "Finished jobs, by kind and outcome", ["kind", "outcome"], registry=REGISTRY)
FAILURES = Counter(
    "principal_failures",
    "Reviews and deliveries that came to nothing, by error code",
    ["kind", "code"],
    registry=REGISTRY,
)
JOB_SECONDS = Histogram(
    "principal_job_seconds",
    "Time from the start of a review to its end",
    buckets=(0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800),
    registry=REGISTRY,
)
SWEEPS = Counter("principal_sweeps", "Sweeps, by outcome", ["outcome"], registry=REGISTRY)
SWEPT = Counter(
    "principal_swept",
    "What sweeps brought back: deliveries sent again, heads nobody had reviewed",
    ["kind"],
    registry=REGISTRY,
)
SLOW_CLIENTS = Counter(
    "principal_slow_clients", "Connections closed because a request's head did not come in time", registry=REGISTRY
)
QUEUE_AGE = Gauge(
    "principal_queue_oldest_seconds",
    "How long the job has waited that waits longest and has not begun, by queue; 0 when none does",
    ["queue"],
    registry=REGISTRY,
)
QUEUE_DEPTH = Gauge("principal_queue_depth", "Jobs that are not finished, by queue", ["queue"], registry=REGISTRY)
COMMANDS = Counter(
    "principal_commands", "Commands people typed, by verb and outcome", ["verb", "outcome"], registry=REGISTRY
)
MODEL_CALLS = Counter(
    "principal_model_calls", "Calls to language models, by outcome", ["model", "outcome"], registry=REGISTRY
)
MODEL_TOKENS = Counter("principal_model_tokens", "Tokens, by direction", ["model", "direction"], registry=REGISTRY)
MODEL_COST = Counter("principal_model_cost_usd", "Cost of model calls in US dollars", ["model"], registry=REGISTRY)
MODEL_SECONDS = Histogram(
    "principal_model_seconds",
    "Time of one call to a language model, answered or not",
    ["model"],
    buckets=(0.5, 1, 2, 5, 10, 20, 40, 80, 120, 300),
    registry=REGISTRY,
)
BREAKER_OPEN = Gauge(
    "principal_model_breaker_open", "1 while calls to this provider are paused, else 0", ["provider"], registry=REGISTRY
)
REFUSED_FOR_MONEY = Counter(
    "principal_budget_refusals", "Calls to models that were not made because a budget is used up", registry=REGISTRY
)
GITHUB_SECONDS = Histogram(
    "principal_github_seconds",
    "Time of one call to GitHub, answered or not",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    registry=REGISTRY,
)
GITHUB_CALLS = Counter(
    "principal_github_calls", "Calls to GitHub, by operation and outcome", ["operation", "outcome"], registry=REGISTRY
)
FINDINGS = Counter(
    "principal_findings", "Findings posted, by category and severity", ["category", "severity"], registry=REGISTRY
)


# A counter that appears with its first event cannot be seen to rise: what alerts look at is there from the start.
for _code in Code:
    for _kind in ("delivery", "review"):
        FAILURES.labels(_kind, _code)
for _outcome in ("done", "partial", "failed"):
    SWEEPS.labels(_outcome)
for _outcome in ("accepted", "duplicate", "ignored", "refused_401", "refused_503"):
    WEBHOOKS.labels(_outcome)


def configure(*, level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send our own events and those of the libraries to `stream` (standard error by default), a JSON line each."""
    logging.raiseExceptions = False
    stream = stream or sys.stderr
    told: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    written: list[structlog.typing.Processor] = [
        structlog.processors.format_exc_info,
        _bound_fields,
        structlog.processors.JSONRenderer(ensure_ascii=True),
    ]
    # Our own events go straight to the stream: a log record of the standard library would cost more than all the rest.
    structlog.configure(
        processors=[structlog.processors.add_log_level, _add_name, *told, *written],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=lambda *_: _Lines(stream),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_log_level, structlog.stdlib.add_logger_name, *told],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *written],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)


class _Lines:
    """Writes lines. A full disk or a closed pipe behind the log must never stop the work (R-44)."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def msg(self, line: str) -> None:
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            pass

    debug = info = warning = error = critical = exception = msg


def _add_name(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    event["logger"] = NAME
    return event


@contextmanager
def bind(**fields: Any) -> Iterator[None]:
    """Put these fields on every line that is logged inside, also from tasks and threads started inside."""
    with structlog.contextvars.bound_contextvars(**fields):
        yield


def headers(given: Mapping[str, str]) -> dict[str, str]:
    """The headers that may be logged."""
    return {name: given[name] for name in HEADERS_LOGGED if name in given}


@contextmanager
def served(host: str, port: int | None) -> Iterator[int | None]:
    """Every metric at `/metrics` of this port, for a process that serves nothing else; 0 takes a free one, None opens none."""
    if port is None:
        yield None
        return
    server, thread = start_http_server(port, addr=host, registry=REGISTRY)
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def metrics() -> bytes:
    """Every metric in Prometheus' text format."""
    return generate_latest(REGISTRY)


def _bound_fields(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if "exception" in event:  # The end of a stack trace says what happened, its beginning only where it started.
        event["exception"] = str(event["exception"])[-FIELD_MAX_CHARACTERS:]
    return {_short(str(key)): _bounded(value, FIELDS_DEEP_AT_MOST) for key, value in event.items()}


def _bounded(value: Any, depth: int) -> Any:
    match value:
        case str():
            return _short(value)
        case None | bool() | float():
            return value
        case int():
            return value if abs(value) < 2**63 else _short(hex(value))
        case Mapping() if depth:
            pairs = list(value.items())[:ITEMS_AT_MOST]
            return {_short(str(key)): _bounded(item, depth - 1) for key, item in pairs}
        case list() | tuple() | set() | frozenset() if depth:
            return [_bounded(item, depth - 1) for item in list(value)[:ITEMS_AT_MOST]]
        case _:
            return _short(str(value))


def _short(text: str) -> str:
    return text if len(text) <= FIELD_MAX_CHARACTERS else text[: FIELD_MAX_CHARACTERS - 1] + "…"
