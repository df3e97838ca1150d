"""A payload, delivered to a server as GitHub does it: signed, with its headers, under an id."""

from __future__ import annotations

import hashlib
import hmac
import http.client
from collections.abc import Mapping
from urllib.parse import urlsplit

from app.errors import Code, UserError

ANSWER_SECONDS = 30.0
ANSWER_AT_MOST_BYTES = 64 * 1024


def headers(*, event: str, guid: str, body: bytes, secret: str) -> dict[str, str]:
    """The headers of a delivery, its signature among them."""
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {
        "Content-Type": "application/json",
        "User-Agent": "principal",
        "X-GitHub-Delivery": guid,
        "X-GitHub-Event": event,
        "X-Hub-Signature-256": f"sha256={signature}",
    }


def deliver(url: str, body: bytes, given: Mapping[str, str]) -> tuple[int, str]:
    """The status and text that the server answers. Raises `UserError` when it does not."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=ANSWER_SECONDS)
    try:
        connection.request("POST", parts.path or "/", body, dict(given))
        answer = connection.getresponse()
        return answer.status, answer.read(ANSWER_AT_MOST_BYTES).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        raise UserError(f"{url} did not answer: is the server running there?", Code.INPUT_INVALID) from error
    finally:
        connection.close()
