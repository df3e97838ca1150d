"""Who may see the dashboard: signed sessions, the token that every form carries, and an end to guessing.

A session is a cookie that says who logged in and when, signed with a key that is derived from the server's and from the
login that is configured: whoever changes the password, or the organisation, ends every session.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass

SESSION_SECONDS = 12 * 3600.0
TRIES_AT_MOST = 5
TRIES_SECONDS = 60.0
ADDRESSES_AT_MOST = 10_000
NAME_AT_MOST_CHARACTERS = 100
COOKIE_AT_MOST_CHARACTERS = 1000


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who is logged in, and the token that their forms carry."""

    name: str
    token: str


class Sessions:
    """Opens sessions and knows them again. Nothing is kept here: any process with the same key knows them."""

    def __init__(self, secret: bytes, *, login: str, clock: Callable[[], float] = time.time) -> None:
        """`login` is the configured way in, in any form that differs when it changes."""
        self._key = hmac.new(secret, b"principal: sessions\0" + login.encode(), hashlib.sha256).digest()
        self._clock = clock

    def open(self, name: str) -> str:
        """The cookie of a new session."""
        said = json.dumps([name[:NAME_AT_MOST_CHARACTERS], self._clock(), secrets.token_hex(8)])
        body = base64.urlsafe_b64encode(said.encode()).decode()
        return f"{body}.{self._sign('session', body)}"

    def visitor(self, cookie: str | None) -> Visitor | None:
        """Who this cookie belongs to; None when it is not ours, was changed, or is over."""
        body, _, mac = (cookie or "")[:COOKIE_AT_MOST_CHARACTERS].partition(".")
        if not body or not _equal(mac, self._sign("session", body)):
            return None
        try:
            name, opened_at, _ = json.loads(base64.urlsafe_b64decode(body))
        except (ValueError, binascii.Error):
            return None
        if not 0 <= self._clock() - opened_at < SESSION_SECONDS:
            return None
        return Visitor(name, self._sign("form", body))

    def state(self) -> str:
        """A word for a way through another site, to be brought back from there by the same browser."""
        nonce = secrets.token_urlsafe(16)
        return f"{nonce}.{self._sign('state', nonce)}"

    def knows_state(self, given: str, cookie: str | None) -> bool:
        """Whether the word that came back is the one this browser went with."""
        nonce, _, mac = given.partition(".")
        return _equal(given, cookie or "") and _equal(mac, self._sign("state", nonce))

    def _sign(self, purpose: str, text: str) -> str:
        return hmac.new(self._key, f"{purpose}\0{text}".encode(), hashlib.sha256).hexdigest()


class Tries:
    """How often each address may still try to log in. Each process counts for itself."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failed: OrderedDict[str, deque[float]] = OrderedDict()

    def wait_seconds(self, address: str) -> float:
        """How long this address must wait before it may try again; 0 for not at all."""
        failed = self._failed.get(address)
        if failed is None or len(failed) < TRIES_AT_MOST:
            return 0.0
        return max(0.0, failed[0] + TRIES_SECONDS - self._clock())

    def failed(self, address: str) -> None:
        """It tried in vain."""
        tries = self._failed.setdefault(address, deque(maxlen=TRIES_AT_MOST))
        tries.append(self._clock())
        self._failed.move_to_end(address)
        if len(self._failed) > ADDRESSES_AT_MOST:
            self._failed.popitem(last=False)


def is_password(given: str, expected: str) -> bool:
    """Whether it is the password; takes as long whatever was given."""
    return _equal(hashlib.sha256(given.encode()).hexdigest(), hashlib.sha256(expected.encode()).hexdigest())


def _equal(one: str, other: str) -> bool:
    # Bytes, because comparing text with characters beyond ASCII raises.
    return hmac.compare_digest(one.encode(), other.encode())
