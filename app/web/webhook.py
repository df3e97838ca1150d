"""`POST /webhooks/github`: bytes → proven → event → safe on the disk → 2xx. In this order, and nothing before the proof.

    202 accepted or taken up again · 200 known already, or ignored with a reason
    401 not signed by us · 400 not GitHub's payload · 408 too slow · 413 too large · 415 encoded · 503 not safe on the disk

Nothing is answered with 2xx that is not in the database: GitHub does not try again by itself.
https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
"""

from __future__ import annotations

import asyncio
import hmac
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from app import telemetry, tracing
from app.errors import PrincipalError
from app.events import Event, InvalidPayload, parse
from app.jobs import Delivery, Engine, Receipt, Taken
from app.settings import Settings
from app.telemetry import WEBHOOK_SECONDS, WEBHOOKS, log

PATH = "/webhooks/github"
BODY_AT_MOST_BYTES = 25 * 1024 * 1024
"""GitHub sends no more: a larger event is not delivered at all."""
BODY_ALWAYS_BYTES = 256 * 1024
BODIES_AT_MOST_BYTES = 128 * 1024 * 1024
AT_ONCE_BYTES = 64 * 1024
"""Larger bodies are hashed and parsed in a thread: it takes a tenth of a second, in which nobody else would be answered."""

P = ParamSpec("P")
T = TypeVar("T")

_SIGNATURE = re.compile(rb"sha256=([0-9a-f]{64})", re.ASCII)
_GUID = re.compile(r"[A-Za-z0-9-]{1,64}", re.ASCII)
_EVENT = re.compile(r"[a-z_]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a request may take: its head `head_seconds` from the first byte or the connection, its body `read_seconds`."""

    read_seconds: float = 10.0
    head_seconds: float = 10.0


class Refused(Exception):
    """A request that is not let in: its status, and one sentence for whoever sent it."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Room:
    """The memory that bodies may take before they are proven, over all requests. A small body always finds room."""

    def __init__(self) -> None:
        self._taken_bytes = 0

    @contextmanager
    def body(self) -> Iterator[Callable[[int], None]]:
        """A function to call with the size that one body has reached. Raises `Refused` when there is no room for it."""
        taken = 0

        def grown_to(size: int) -> None:
            nonlocal taken
            more = max(0, size - BODY_ALWAYS_BYTES) - taken
            if self._taken_bytes + more > BODIES_AT_MOST_BYTES:
                raise Refused(503, "Too many large bodies at once")
            taken += more
            self._taken_bytes += more

        try:
            yield grown_to
        finally:
            self._taken_bytes -= taken


class Webhook:
    """The webhook as an ASGI application of its own: a framework around it would cost as much as all the rest of an answer."""

    def __init__(self, settings: Settings, engine: Engine, limits: Limits) -> None:
        """Raises `UserError` when the App is half configured."""
        app = settings.app()
        secrets = tuple(secret.get_secret_value().encode() for secret in app.webhook_secrets) if app else ()
        self._gate = _Gate(secrets=secrets, engine=engine, limits=limits, room=Room())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """GitHub delivers here."""
        began = time.monotonic()
        request = Request(scope, receive)
        try:
            receipt = await self._gate.answer(request)
            status = 202 if receipt.taken in (Taken.ACCEPTED, Taken.RETAKEN) else 200
            content = {"status": receipt.taken.value, "reason": receipt.reason, "job": receipt.job}
        except Refused as refused:
            status = refused.status
            content = {"status": f"refused_{status}", "reason": refused.reason}
            log.warning("webhook_refused", status=status, reason=refused.reason, **telemetry.headers(request.headers))
        WEBHOOKS.labels(content["status"]).inc()
        WEBHOOK_SECONDS.observe(time.monotonic() - began)
        # After a refusal the rest of the body may still be on its way: it is not read, the connection ends.
        end = {"connection": "close"} if status in (408, 413, 415, 503) else {}
        await JSONResponse(content, status_code=status, headers=end)(scope, receive, send)


@dataclass(frozen=True, slots=True)
class _Gate:
    """The way of one request, from its first byte to its receipt."""

    secrets: Sequence[bytes]
    engine: Engine
    limits: Limits
    room: Room

    async def answer(self, request: Request) -> Receipt:
        if not self.secrets:
            what = "This server is not connected to a GitHub App yet: set GITHUB_APP_ID and GITHUB_WEBHOOK_SECRET"
            raise Refused(503, what)
        if request.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
            raise Refused(415, "Encoded bodies are not accepted: GitHub sends none")
        with self.room.body() as grown_to:
            body = await self._body(request, grown_to)
            signatures = request.headers.getlist("x-hub-signature-256")
            if not await _off_the_loop(len(body), is_signed, body, signatures, self.secrets):
                raise Refused(401, "The signature does not match")
            guid = _header(request, "x-github-delivery", _GUID)
            name = _header(request, "x-github-event", _EVENT)
            event = await _event(request, name, body)
        with (
            tracing.webhook(guid, event=name),
            telemetry.bind(delivery=guid, trace=tracing.trace_of(guid), event_name=name),
        ):
            receipt = await self._accepted(Delivery(guid=guid, name=name, event=event, received_at=time.time()))
            log.info("webhook_taken", taken=receipt.taken.value, reason=receipt.reason, job=receipt.job)
        return receipt

    async def _body(self, request: Request, grown_to: Callable[[int], None]) -> bytes:
        """The raw body, bounded in size and time, whether its length was announced or not."""
        announced = request.headers.get("content-length", "0")
        if not announced.isdecimal() or int(announced[:20]) > BODY_AT_MOST_BYTES:
            raise Refused(413, f"The body is larger than {BODY_AT_MOST_BYTES} bytes")
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self.limits.read_seconds):
                async for part in request.stream():
                    size += len(part)
                    if size > BODY_AT_MOST_BYTES:
                        raise Refused(413, f"The body is larger than {BODY_AT_MOST_BYTES} bytes")
                    grown_to(size)
                    parts.append(part)
        except TimeoutError:
            raise Refused(408, f"The body did not arrive within {self.limits.read_seconds:g} seconds") from None
        except ClientDisconnect:
            raise Refused(400, "The connection ended before the body did") from None
        return b"".join(parts)

    async def _accepted(self, delivery: Delivery) -> Receipt:
        try:
            return await self.engine.accept(delivery)
        except PrincipalError as error:
            log.error("delivery_not_taken", code=error.code, what=error.what)
            raise Refused(503, error.what) from error


def is_signed(body: bytes, signatures: Sequence[str], secrets: Sequence[bytes]) -> bool:
    """Whether exactly one well-formed signature is there and one of the secrets made it. Compares in constant time."""
    if len(signatures) != 1:
        return False
    # Bytes, because comparing text with characters beyond ASCII raises.
    given = _SIGNATURE.fullmatch(signatures[0].encode("latin-1", "replace"))
    if given is None:
        return False
    digest = bytes.fromhex(given[1].decode())
    matches = [hmac.compare_digest(hmac.digest(secret, body, "sha256"), digest) for secret in secrets]
    return any(matches)


def _header(request: Request, name: str, form: re.Pattern[str]) -> str:
    value = request.headers.get(name, "")
    if not form.fullmatch(value):
        raise Refused(400, f"The header {name} is missing or malformed")
    return value


async def _event(request: Request, name: str, body: bytes) -> Event:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refused(415, "Set the webhook's content type to application/json")
    try:
        return await _off_the_loop(len(body), parse, name, body)
    except InvalidPayload as error:
        raise Refused(400, error.what) from None


async def _off_the_loop(size: int, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    return await asyncio.to_thread(work, *args, **kwargs) if size > AT_ONCE_BYTES else work(*args, **kwargs)
