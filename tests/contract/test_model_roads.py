"""The roads to a model's server: through a proxy, and to a server whose certificate only a private authority signed."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import socket
import ssl
import threading
from pathlib import Path
from typing import Self

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import BaseModel

from app.core.prompt import Prompt
from app.errors import Code, PrincipalError
from app.llm.models import Models
from app.settings import Settings
from tests.fakes.models import FakeModels, Provider

PROMPT = Prompt("system", "shared", "body", 100, "review")


class Note(BaseModel):
    text: str


class Proxy:
    """An HTTP proxy that knows CONNECT and remembers where it was asked to go."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []
        self._accepting = threading.Thread(target=self._accept)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._accepting.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        for one in self._sockets:
            one.close()
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._sockets.append(client)
            self._start(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(65_536)
        method, target, _ = head.split(b"\r\n")[0].decode().split(" ")
        assert method == "CONNECT"
        self.asked.append(target)
        host, _, port = target.rpartition(":")
        server = socket.create_connection((host, int(port)))
        self._sockets.append(server)
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        self._start(self._pump, client, server)
        self._start(self._pump, server, client)

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65_536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            return  # closed at the end of the test

    def _start(self, target: object, *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()


@pytest.fixture
def authority(tmp_path: Path) -> tuple[Path, ssl.SSLContext]:
    """A private certificate authority's file, and the TLS settings of a server on loopback that it vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "House authority")])
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    certificate = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file, pair = tmp_path / "authority.pem", tmp_path / "server.pem"
    file.write_bytes(certificate)
    pair.write_bytes(private + certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair)
    return file, context


@pytest.fixture(params=["openai", "anthropic"])
def provider(request: pytest.FixtureRequest) -> Provider:
    name: Provider = request.param
    return name


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def ask(server: FakeModels, provider: Provider) -> str:
    async def story() -> str:
        async with Models.build(Settings.load(server.environment(provider)), random=lambda: 0.0) as models:
            assert models.review is not None
            return (await models.review.complete(PROMPT, Note)).reply.text

    return asyncio.run(story())


def test_a_private_authority_is_trusted_when_the_environment_names_it(
    provider: Provider, authority: tuple[Path, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    file, tls = authority
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    with FakeModels(tls=tls) as server:
        server.will_reply({"text": "hello"})
        assert ask(server, provider) == "hello"


def test_an_unknown_authority_is_not_trusted_and_the_failure_says_what_to_do(
    provider: Provider, authority: tuple[Path, ssl.SSLContext]
) -> None:
    with FakeModels(tls=authority[1]) as server:
        server.will_reply({"text": "hello"})
        with pytest.raises(PrincipalError) as failure:
            ask(server, provider)
        assert failure.value.code is Code.MODEL_UNAVAILABLE
        assert "SSL_CERT_FILE" in failure.value.what
        assert server.requests == []


def test_calls_go_through_the_proxy_of_the_environment(
    provider: Provider, authority: tuple[Path, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    file, tls = authority
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    with Proxy() as proxy, FakeModels(tls=tls) as server:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        server.will_reply({"text": "hello"})
        assert ask(server, provider) == "hello"
        assert proxy.asked == [server.url.removeprefix("https://")]


def test_a_host_that_needs_no_proxy_is_reached_directly(
    provider: Provider, authority: tuple[Path, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    file, tls = authority
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    with Proxy() as proxy, FakeModels(tls=tls) as server:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        server.will_reply({"text": "hello"})
        assert ask(server, provider) == "hello"
        assert proxy.asked == []
