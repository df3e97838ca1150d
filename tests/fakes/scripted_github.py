"""A GitHub that answers as told: for the ways the wire can fail, which no well-behaved server shows.

with ScriptedGitHub() as github:
    github.will("POST", "/repos/acme/shop/pulls/7/reviews", Cut(), json(200, {"id": 1}))   # first lost, then answered
    …
    assert len(github.seen("POST", "/repos/acme/shop/pulls/7/reviews")) == 2

It hands out installation tokens like GitHub: against a JWT signed with the App's key, valid by the server's own clock.
"""

from __future__ import annotations

import json as jsonlib
import socket
import ssl
import struct
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, ClassVar, Self
from urllib.parse import parse_qsl, urlsplit

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID

KEY = generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
PUBLIC_PEM = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
APP_ID = "4711"


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    body: Any
    connection: int

    @property
    def token(self) -> str:
        """What stands after the scheme of the Authorization header."""
        return self.headers.get("authorization", " ").split(" ", 1)[1]


@dataclass(frozen=True, slots=True)
class Sent:
    """An answer, exactly as its bytes go out. `claims` is the length it claims to have."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    claims: int | None = None


@dataclass(frozen=True, slots=True)
class Cut:
    """No answer: the connection ends (by a reset if `reset`) after the request was read."""

    reset: bool = False


@dataclass(frozen=True, slots=True)
class Drip:
    """An answer that never ends: a byte, again and again, until the other side leaves."""

    every_seconds: float = 0.02


@dataclass(frozen=True, slots=True)
class Held:
    """No answer until `until` is set."""

    until: threading.Event
    then: Sent


Answer = Sent | Cut | Drip | Held
Script = Answer | Callable[[Seen], Answer]


def json(status: int, body: object, **headers: str) -> Sent:
    """A JSON answer; `retry_after="7"` becomes the header `retry-after`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Sent(status, jsonlib.dumps(body).encode(), {"content-type": "application/json; charset=utf-8", **named})


class ScriptedGitHub:
    """The server. It hands out tokens by itself; every other path needs a script, or gets a 404."""

    def __init__(self, *, prefix: str = "", tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Seen] = []
        self.tokens: dict[str, tuple[int, dict[str, Any]]] = {}
        self.ahead_seconds = 0.0
        """How far this server's clock is ahead of ours."""
        self.token_lives_seconds = 3_600.0
        self.token_form: Callable[[int, int], str] = lambda installation, count: (
            f"ghs_{installation}.{count}-" + "x" * 500
        )
        self.otherwise: Callable[[Seen], Answer] = lambda seen: json(404, {"message": "Not Found"})
        """What it says to a request that no script foresaw."""
        self._prefix = prefix
        self._scripts: dict[tuple[str, str], deque[Script]] = defaultdict(deque)
        self._lock = threading.Condition()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.github = self
        self._scheme = "https" if tls else "http"
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """The root of its REST API."""
        return f"{self._scheme}://127.0.0.1:{self._server.server_port}{self._prefix}"

    def will(self, method: str, path: str, *answers: Script) -> None:
        """Give these answers in this order; the last one again and again."""
        self._scripts[method, path].extend(answers)

    def seen(self, method: str, path: str | None = None) -> list[Seen]:
        """The requests that arrived so far."""
        with self._lock:
            return [one for one in self.requests if one.method == method and path in (None, one.path)]

    def wait_for(self, method: str, path: str, count: int = 1) -> None:
        """Block until so many such requests have arrived; fails after ten seconds."""
        with self._lock:
            arrived = self._lock.wait_for(lambda: len(self.seen(method, path)) >= count, timeout=90)
        assert arrived, f"{method} {path} did not arrive {count} times"

    @property
    def token_requests(self) -> list[Seen]:
        """The requests for installation tokens."""
        return [one for one in self.seen("POST") if one.path.endswith("/access_tokens")]

    def now(self) -> float:
        """This server's clock, in seconds since the epoch."""
        return time.time() + self.ahead_seconds

    def answer(self, seen: Seen) -> Answer:
        """What the script, or else the token desk, says to this request."""
        with self._lock:
            self.requests.append(seen)
            self._lock.notify_all()
            script = self._scripts.get((seen.method, seen.path))
            chosen = (script.popleft() if len(script) > 1 else script[0]) if script else None
        if chosen is None and seen.path.endswith("/access_tokens"):
            return self.token_answer(seen)
        if chosen is None:
            return self.otherwise(seen)
        return chosen(seen) if callable(chosen) else chosen

    def token_answer(self, seen: Seen) -> Sent:
        """What GitHub says to this request for a token."""
        refused = self._refuse_jwt(seen.token)
        if refused:
            return json(401, {"message": refused})
        installation = int(seen.path.split("/")[-2])
        with self._lock:
            token = self.token_form(installation, len(self.tokens) + 1)
            self.tokens[token] = (installation, seen.body)
        ends = datetime.fromtimestamp(self.now(), UTC) + timedelta(seconds=self.token_lives_seconds)
        return json(201, {"token": token, "expires_at": ends.strftime("%Y-%m-%dT%H:%M:%SZ")})

    def _refuse_jwt(self, token: str) -> str:
        try:
            claims = jwt.decode(
                token, PUBLIC_PEM, algorithms=["RS256"], options={"verify_exp": False, "verify_iat": False}
            )
        except jwt.InvalidTokenError:
            return "A JSON web token could not be decoded"
        if claims["iss"] != APP_ID:
            return "Issuer unknown"
        if claims["iat"] > self.now():
            return "'Issued at' claim ('iat') is in the future"
        if not self.now() < claims["exp"] <= self.now() + 600:
            return "'Expiration time' claim ('exp') must be a numeric value representing the future time"
        return ""


class _Server(ThreadingHTTPServer):
    github: ScriptedGitHub
    daemon_threads = True
    block_on_close = True
    request_queue_size = 128

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._open: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def server_close(self) -> None:
        # Threads that wait for the next request of a kept-alive connection would wait for ever.
        for connection in list(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        super().server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that left is no news here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # Head and body leave together, or the kernel holds the second back for 40 ms.
    server: _Server
    _numbers: ClassVar[Iterator[int]] = iter(range(1, 1_000_000))

    def setup(self) -> None:
        super().setup()
        self.number = next(self._numbers)

    def _serve(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length", 0)))
        target = urlsplit(self.path)
        github = self.server.github
        seen = Seen(
            method=self.command,
            path=target.path.removeprefix(github._prefix),
            query=dict(parse_qsl(target.query)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=jsonlib.loads(raw) if raw else None,
            connection=self.number,
        )
        self._give(github.answer(seen))

    do_GET = do_POST = do_PATCH = _serve  # noqa: N815 - the names `http.server` looks for.

    def _give(self, answer: Answer) -> None:
        match answer:
            case Sent():
                self._send(answer)
            case Held(until, then):
                until.wait(90)
                self._send(then)
            case Cut(reset):
                if reset:
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.close_connection = True
            case Drip(every_seconds):
                self._drip(every_seconds)

    def _send(self, sent: Sent) -> None:
        self.send_response_only(sent.status)
        headers = {"date": formatdate(self.server.github.now(), usegmt=True), **sent.headers}
        length = len(sent.body) if sent.claims is None else sent.claims
        for name, value in {**headers, "content-length": str(length)}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(sent.body)
        self.wfile.flush()
        if sent.claims is not None:
            self.close_connection = True

    def _drip(self, every_seconds: float) -> None:
        self.send_response_only(200)
        self.send_header("content-length", "1000000")
        self.end_headers()
        pause = threading.Event()
        while not pause.wait(every_seconds):
            try:
                self.wfile.write(b" ")
                self.wfile.flush()
            except OSError:
                break
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Silence."""


def self_signed(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A TLS context for 127.0.0.1 that no authority vouches for, and the file with its certificate."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(KEY.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(KEY, hashes.SHA256())
    )
    trusted, both = folder / "authority.pem", folder / "server.pem"
    trusted.write_bytes(certificate.public_bytes(Encoding.PEM))
    both.write_bytes(PEM.encode() + trusted.read_bytes())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    return context, trusted


@contextmanager
def closed_port() -> Iterator[int]:
    """A port of loopback on which nobody listens, while the block runs."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]
