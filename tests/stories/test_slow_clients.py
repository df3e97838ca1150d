"""R-35: clients that connect and say nothing, or never finish, lose their connection; the others do not notice."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.fakes.deliveries import get
from tests.fakes.service import Service, environment, until

HEALTH = b"GET /health HTTP/1.1\r\nHost: bot\r\n\r\n"
PARTIAL = b"POST /webhooks/github HTTP/1.1\r\nHost: bot\r\nX-Slow: "
CLOSED_SECONDS = 15
"""Far longer than the limit of this service: whoever is still connected then would be so for ever."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    data = tmp_path_factory.mktemp("slow")
    with Service(environment(None, data, HEAD_SECONDS="0.5", READ_SECONDS="0.5")) as running:
        yield running


def connect(service: Service) -> socket.socket:
    address = urlsplit(service.url)
    assert address.hostname
    assert address.port
    return socket.create_connection((address.hostname, address.port), timeout=CLOSED_SECONDS)


def read_to_end(connection: socket.socket) -> bytes:
    """Everything until the server closes; a server that does not close in time fails the test."""
    parts = []
    try:
        while part := connection.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


@pytest.mark.parametrize(
    "said", [b"", b"\r\n", b"G", PARTIAL, HEALTH[:-2]], ids=["nothing", "newline", "letter", "header", "end"]
)
def test_r35_a_request_that_is_not_begun_or_not_finished_is_closed_without_an_answer(
    service: Service, said: bytes
) -> None:
    with connect(service) as slow:
        slow.sendall(said)
        assert read_to_end(slow) == b""


def test_r35_one_byte_at_a_time_does_not_keep_the_connection(service: Service) -> None:
    with connect(service) as slow:
        slow.sendall(PARTIAL)
        slow.settimeout(0.05)
        sent = 0

        def closed() -> bool:
            nonlocal sent
            try:
                slow.sendall(b"x")
                sent += 1
                return slow.recv(1) == b""
            except TimeoutError:
                return False
            except OSError:
                return True

        until(closed)
        assert sent > 1


def test_r35_a_second_request_on_a_kept_connection_has_the_same_deadline(service: Service) -> None:
    with connect(service) as slow:
        slow.sendall(HEALTH)
        assert b"alive" in answer_of(slow)
        slow.sendall(PARTIAL)
        assert read_to_end(slow) == b""


def test_r35_newlines_between_requests_do_not_keep_a_connection(service: Service) -> None:
    with connect(service) as slow:
        slow.sendall(HEALTH)
        assert b"alive" in answer_of(slow)
        slow.sendall(b"\r\n")
        assert read_to_end(slow) == b""


def test_r35_a_body_that_stalls_is_answered_408(service: Service) -> None:
    head = b"POST /webhooks/github HTTP/1.1\r\nHost: bot\r\nConnection: close\r\nContent-Length: 100\r\n"
    guid = b"X-GitHub-Delivery: d\r\nX-GitHub-Event: ping\r\nContent-Type: application/json\r\n"
    with connect(service) as slow:
        slow.sendall(head + guid + b"\r\n{")
        assert read_to_end(slow).startswith((b"HTTP/1.1 408", b"HTTP/1.1 503"))


def test_a_head_larger_than_any_of_githubs_is_closed(service: Service) -> None:
    with connect(service) as greedy:
        answer = b""
        try:
            greedy.sendall(PARTIAL + b"x" * 1_000_000)
            answer = read_to_end(greedy)
        except OSError:
            pass
        assert answer == b""


def test_r35_many_slow_clients_leave_the_others_their_answer_and_are_counted(service: Service) -> None:
    before = slow_clients(service)
    slow = [connect(service) for _ in range(100)]
    try:
        for connection in slow[::2]:
            connection.sendall(PARTIAL)
        assert get(service, "/health")[0] == 200
        assert [read_to_end(connection) for connection in slow] == [b""] * 100
    finally:
        for connection in slow:
            connection.close()
    assert slow_clients(service) == before + 100


def slow_clients(service: Service) -> float:
    _, text = get(service, "/metrics")
    (line,) = [line for line in text.splitlines() if line.startswith("principal_slow_clients_total ")]
    return float(line.split()[1])


def answer_of(client: socket.socket) -> bytes:
    """All of an answer, which may come in parts."""
    received = b""
    while not received.endswith(b"}"):
        part = client.recv(65536)
        assert part, received
        received += part
    return received
