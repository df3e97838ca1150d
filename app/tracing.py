"""One trace a delivery: webhook → job → step → call, sent to the operator's collector by OTLP over HTTP.

Off unless the standard variables say where to (`Settings.traces_endpoint`); the rest of them (OTEL_EXPORTER_OTLP_HEADERS,
OTEL_TRACES_SAMPLER, …) are read by the SDK itself. A trace's id follows from the delivery's: nothing has to be carried through
the database, a job that goes on after a crash goes on in its trace, and a log line names the trace whether or not it is sent.
https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, StatusCode, TraceFlags, Tracer

from app.errors import PrincipalError
from app.telemetry import NAME

LAST_SPANS_SECONDS = 1.0
"""How long the process waits at its end for the collector to take the last spans."""

Value = str | int | float | bool


@dataclass(frozen=True, slots=True)
class _Sending:
    """What makes spans, and whether those of a trace are wanted, by its id."""

    tracer: Tracer
    samples: Callable[[int], bool]


_sending: _Sending | None = None
_beginning: ContextVar[str] = ContextVar("beginning", default="")
"""The delivery whose first span is being made."""


def trace_of(delivery: str) -> str:
    """The trace of a delivery in 32 hex digits. A hash, because samplers need every bit of it to be as good as random."""
    return hashlib.sha256(b"trace\0" + delivery.encode()).hexdigest()[:32]


@contextmanager
def webhook(delivery: str, **attributes: Value) -> Iterator[None]:
    """The first span of a delivery's trace."""
    if _sending is None:
        yield
        return
    token = _beginning.set(delivery)
    try:
        begun = _sending.tracer.start_span("webhook", context=Context(), kind=SpanKind.SERVER, attributes=attributes)
    finally:
        _beginning.reset(token)
    with _ending(begun):
        yield


@contextmanager
def job(name: str, delivery: str, **attributes: Value) -> Iterator[None]:
    """A job's span, in the trace of the delivery that asked for it. One that no delivery asked for begins a trace of its own."""
    if _sending is None:
        yield
        return
    context = _after_webhook(delivery, _sending) if delivery else Context()
    with _ending(_sending.tracer.start_span(name, context=context, kind=SpanKind.CONSUMER, attributes=attributes)):
        yield


@contextmanager
def span(name: str, **attributes: Value) -> Iterator[None]:
    """A part of what is under way."""
    if _sending is None:
        yield
        return
    with _ending(_sending.tracer.start_span(name, attributes=attributes)):
        yield


def call(name: str, *, seconds: float, failed: bool, **attributes: Value) -> None:
    """A call to another server that has just ended and took so long."""
    if _sending is None:
        return
    now = time.time_ns()
    past = _sending.tracer.start_span(
        name, kind=SpanKind.CLIENT, attributes=attributes, start_time=now - int(seconds * 1_000_000_000)
    )
    if failed:
        past.set_status(StatusCode.ERROR)
    past.end(now)


@contextmanager
def exporting(endpoint: str | None, *, service: str, version: str) -> Iterator[None]:
    """Send the spans of the block to the collector at this address, the last ones at its end; None for no spans at all."""
    global _sending  # noqa: PLW0603 - as there is one log of a process, there is one place for its traces.
    if endpoint is None:
        yield
        return
    # Half a second of imports that nobody needs who does not export.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator  # noqa: PLC0415
    from opentelemetry.sdk.trace.sampling import Decision  # noqa: PLC0415

    class Ids(RandomIdGenerator):
        """Random ids, but for the first span of a delivery, which others must find without being told."""

        def generate_trace_id(self) -> int:
            delivery = _beginning.get()
            return int(trace_of(delivery), 16) if delivery else super().generate_trace_id()

        def generate_span_id(self) -> int:
            delivery = _beginning.get()
            return _webhook_span(delivery) if delivery else super().generate_span_id()

    resource = Resource.create({"service.name": service, "service.version": version})
    provider = TracerProvider(resource=resource, id_generator=Ids(), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))

    def samples(trace_id: int) -> bool:
        return provider.sampler.should_sample(None, trace_id, "webhook").decision is Decision.RECORD_AND_SAMPLE

    _sending = _Sending(provider.get_tracer(NAME, version), samples)
    try:
        yield
    finally:
        _sending = None
        # In a thread that nobody waits for any longer: a collector that is away would hold up the end of the process.
        last = threading.Thread(target=provider.shutdown, name="last-spans", daemon=True)
        last.start()
        last.join(LAST_SPANS_SECONDS)


@contextmanager
def _ending(begun: Span) -> Iterator[None]:
    """The span is current in the block, and says with which code it failed; an error's own words may hold others' code."""
    with trace.use_span(begun, end_on_exit=True, record_exception=False, set_status_on_exception=False):
        try:
            yield
        except Exception as error:
            begun.set_attribute("error.type", error.code if isinstance(error, PrincipalError) else type(error).__name__)
            begun.set_status(StatusCode.ERROR)
            raise


def _after_webhook(delivery: str, sending: _Sending) -> Context:
    trace_id = int(trace_of(delivery), 16)
    flags = TraceFlags(TraceFlags.SAMPLED if sending.samples(trace_id) else TraceFlags.DEFAULT)
    first = SpanContext(trace_id, _webhook_span(delivery), is_remote=True, trace_flags=flags)
    return trace.set_span_in_context(NonRecordingSpan(first), Context())


def _webhook_span(delivery: str) -> int:
    return int.from_bytes(hashlib.sha256(b"webhook\0" + delivery.encode()).digest()[:8]) or 1
