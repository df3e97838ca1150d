"""An event → a signed POST to the App's address, and the log of deliveries that the App API shows.

A delivery is sent once: GitHub never tries again by itself. A redelivery sends the same bytes under the same GUID.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import queue
import threading
import time
import uuid
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from app.sandbox.records import App, Delivery, Installation, Repository
from app.sandbox.state import State

ANSWER_TIMEOUT_SECONDS = 10.0
MAX_PAYLOAD_BYTES = 25 * 1024 * 1024
MAX_LOGGED_ANSWER_BYTES = 64 * 1024
HOOK_ID = 7_000_001
USER_AGENT = "GitHub-Hookshot/sandbox"


def encode(payload: dict[str, Any]) -> bytes:
    """A payload's bytes as they go over the wire."""
    return json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")


def sign(secret: str, body: bytes) -> str:
    """The value of X-Hub-Signature-256."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


class Webhooks:
    """Prepares, sends and remembers deliveries. What a REST request causes is sent from a thread of its own, in order."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._queue: queue.SimpleQueue[Delivery | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._waiting = 0
        self._settled = threading.Condition()
        self.timeout_seconds = ANSWER_TIMEOUT_SECONDS

    def prepare(
        self,
        app: App,
        event: str,
        payload: dict[str, Any],
        *,
        repository: Repository | None = None,
        installation: Installation | None = None,
        guid: str | None = None,
    ) -> Delivery | None:
        """A delivery in the log that is not sent yet; None where GitHub sends none: no address, or over 25 MiB."""
        body = encode(payload)
        if app.webhook_url is None or len(body) > MAX_PAYLOAD_BYTES:
            return None
        guid = guid or str(uuid.uuid4())
        delivery = Delivery(
            id=self._state.next_id(),
            app=app,
            guid=guid,
            event=event,
            action=payload.get("action"),
            headers=headers_of(app, event, guid),
            body=body,
            installation_id=installation.id if installation else None,
            repository_id=repository.id if repository else None,
        )
        self._state.deliveries[delivery.id] = delivery
        return delivery

    def again(self, delivery: Delivery) -> Delivery:
        """A second delivery of the same bytes under the same GUID, not sent yet."""
        repeated = Delivery(
            id=self._state.next_id(),
            app=delivery.app,
            guid=delivery.guid,
            event=delivery.event,
            action=delivery.action,
            headers=dict(delivery.headers),
            body=delivery.body,
            installation_id=delivery.installation_id,
            repository_id=delivery.repository_id,
            redelivery=True,
        )
        self._state.deliveries[repeated.id] = repeated
        return repeated

    def send(self, delivery: Delivery) -> Delivery:
        """The same delivery with its outcome filled in; a side that does not answer is an outcome, not an error."""
        app = delivery.app
        url = app.webhook_url
        delivery.delivered_at = self._state.now()
        if url is None:
            delivery.status = "No webhook URL"
            return delivery
        headers = {**delivery.headers, **_signatures(app.webhook_secret, delivery.body)}
        delivery.headers = headers
        started = time.monotonic()
        try:
            answer = _post(url, delivery.body, headers, self.timeout_seconds)
        except TimeoutError:
            delivery.status = "timed out"
        except (OSError, http.client.HTTPException):
            delivery.status = "failed to connect to host"
        else:
            delivery.status_code, delivery.response_headers, delivery.response_body = answer
            ok = delivery.succeeded
            delivery.status = "OK" if ok else f"Invalid HTTP Response: {delivery.status_code}"
        delivery.duration_seconds = time.monotonic() - started
        return delivery

    def send_all(self, deliveries: Sequence[Delivery]) -> None:
        """Sends in order and waits for each answer."""
        for delivery in deliveries:
            self.send(delivery)

    def send_later(self, deliveries: Sequence[Delivery]) -> None:
        """Hands deliveries to the sending thread."""
        if not deliveries:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="sandbox-webhooks", daemon=True)
            self._thread.start()
        for delivery in deliveries:
            with self._settled:
                self._waiting += 1
            self._queue.put(delivery)

    def settle(self, timeout_seconds: float = 30.0) -> bool:
        """Waits until nothing is left to send; False when that took longer."""
        with self._settled:
            return self._settled.wait_for(lambda: self._waiting == 0, timeout_seconds)

    def close(self) -> None:
        """Ends the sending thread after what it is sending now."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join(self.timeout_seconds)

    def _run(self) -> None:
        while (delivery := self._queue.get()) is not None:
            self.send(delivery)
            with self._settled:
                self._waiting -= 1
                self._settled.notify_all()


def headers_of(app: App, event: str, guid: str) -> dict[str, str]:
    """Every header GitHub sends with a delivery, the signatures apart."""
    return {
        "Accept": "*/*",
        "Content-Type": "application/json",
        "User-Agent": USER_AGENT,
        "X-GitHub-Delivery": guid,
        "X-GitHub-Event": event,
        "X-GitHub-Hook-ID": str(HOOK_ID),
        "X-GitHub-Hook-Installation-Target-ID": str(app.id),
        "X-GitHub-Hook-Installation-Target-Type": "integration",
    }


def _signatures(secret: str | None, body: bytes) -> dict[str, str]:
    if not secret:
        return {}
    # GitHub still sends the SHA-1 form beside the one that counts.
    old = hmac.new(secret.encode(), body, hashlib.sha1).hexdigest()
    return {"X-Hub-Signature": f"sha1={old}", "X-Hub-Signature-256": sign(secret, body)}


def _post(url: str, body: bytes, headers: dict[str, str], timeout: float) -> tuple[int, dict[str, str], str]:
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=timeout)
    try:
        connection.request("POST", (parts.path or "/") + (f"?{parts.query}" if parts.query else ""), body, headers)
        answer = connection.getresponse()
        text = answer.read(MAX_LOGGED_ANSWER_BYTES).decode("utf-8", "replace")
        return answer.status, dict(answer.getheaders()), text
    finally:
        connection.close()
