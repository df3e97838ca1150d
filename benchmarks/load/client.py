"""The client of the load: signed webhooks sent when they are due, whether or not the earlier ones were answered.

    standard input: one JSON object (`Load`) ─► standard output: one JSON object (`Sent`)

An open loop: a request's time runs from the moment it was due, so a server that stalls is charged for everybody it kept
waiting. Requests are built and signed beforehand and written byte for byte; sending them costs a fraction of one core.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import hmac
import json
import random
import sys
import time
from collections import Counter, deque
from dataclasses import asdict, dataclass
from urllib.parse import urlsplit

CONNECTIONS = 64
"""Kept alive. Beyond as many unanswered requests, the next one waits for a connection, and its time runs."""
ANSWERED_WITHIN_SECONDS = 30.0


@dataclass(frozen=True)
class Load:
    """What to send: `number` deliveries at `per_second`, named `prefix`-N, pushes to the pulls of these payloads in turn."""

    url: str
    secret: str
    number: int
    per_second: float
    prefix: str
    payloads: list[str]
    seed: int = 0


@dataclass(frozen=True)
class Sent:
    """How it went. Times in seconds from when a request was due; `late_p99` is how late the client itself sent."""

    statuses: dict[str, int]
    unanswered: int
    seconds: float
    p50: float
    p99: float
    most: float
    late_p99: float
    cpu_seconds: float


def requests(load: Load) -> list[bytes]:
    """The requests, byte for byte: every pull's pushes form a chain that ends in its true head."""
    turns = list(range(load.number))
    random.Random(load.seed).shuffle(turns)
    address = urlsplit(load.url)
    pulls = len(load.payloads)
    parsed = [json.loads(payload) for payload in load.payloads]
    of_pull: dict[int, list[int]] = {}
    for place, turn in enumerate(turns):
        of_pull.setdefault(turn % pulls, []).append(place)
    built: list[bytes] = [b""] * load.number
    for pull, places in of_pull.items():
        payload = parsed[pull]
        head = payload["pull_request"]["head"]["sha"]
        heads = [hashlib.sha1(f"{load.prefix}{pull}/{n}".encode()).hexdigest() for n in range(len(places))] + [head]
        for n, place in enumerate(places):
            payload["before"], payload["after"] = heads[n], heads[n + 1]
            payload["pull_request"]["head"]["sha"] = heads[n + 1]
            body = json.dumps(payload).encode()
            signature = hmac.digest(load.secret.encode(), body, "sha256").hex()
            built[place] = (
                f"POST {address.path} HTTP/1.1\r\nHost: {address.netloc}\r\nAccept: */*\r\nUser-Agent: GitHub-Hookshot/load\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nX-GitHub-Event: pull_request\r\n"
                f"X-GitHub-Delivery: {load.prefix}-{place}\r\nX-Hub-Signature-256: sha256={signature}\r\n\r\n"
            ).encode() + body
    return built


class Client:
    """Sends the requests and keeps the times."""

    def __init__(self, built: list[bytes], per_second: float) -> None:
        self.built = built
        self.per_second = per_second
        self.statuses: Counter[str] = Counter()
        self.times: list[float] = []
        self.lates: list[float] = []
        self.free: list[Connection] = []
        self.backlog: deque[int] = deque()
        self.done = asyncio.Event()
        self.began = 0.0

    def due(self, place: int) -> float:
        return self.began + place / self.per_second

    def send(self, place: int) -> None:
        if self.free:
            self.free.pop().send(place)
        else:
            self.backlog.append(place)

    def answered(self, connection: Connection, place: int, status: str) -> None:
        self.times.append(time.perf_counter() - self.due(place))
        self.statuses[status] += 1
        if len(self.times) == len(self.built):
            self.done.set()
        if self.backlog:
            connection.send(self.backlog.popleft())
        else:
            self.free.append(connection)


class Connection(asyncio.Protocol):
    """One request at a time, as GitHub sends them."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.place = -1
        self.received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.client.free.append(self)

    def send(self, place: int) -> None:
        self.place = place
        self.client.lates.append(time.perf_counter() - self.client.due(place))
        self.transport.write(self.client.built[place])

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, found, body = self.received.partition(b"\r\n\r\n")
        if not found:
            return
        length = next((int(line[15:]) for line in head.split(b"\r\n") if line[:15].lower() == b"content-length:"), 0)
        if len(body) >= length:
            self.received = b""
            self.client.answered(self, self.place, head[9:12].decode())

    def connection_lost(self, error: Exception | None) -> None:
        if self in self.client.free:
            self.client.free.remove(self)


async def run(load: Load) -> Sent:
    """Send it all, and wait for the answers."""
    loop = asyncio.get_running_loop()
    address = urlsplit(load.url)
    client = Client(requests(load), load.per_second)
    for _ in range(CONNECTIONS):
        await loop.create_connection(lambda: Connection(client), address.hostname, address.port)
    gc.freeze()
    gc.disable()
    cpu = time.process_time()
    client.began = time.perf_counter() + 0.05
    sent = 0
    while sent < load.number:
        due = int((time.perf_counter() - client.began) * load.per_second) + 1
        for place in range(sent, min(due, load.number)):
            client.send(place)
        sent = max(sent, min(due, load.number))
        await asyncio.sleep(max(0.001, client.due(sent) - time.perf_counter()))
    try:
        async with asyncio.timeout(ANSWERED_WITHIN_SECONDS):
            await client.done.wait()
    except TimeoutError:
        pass
    times = sorted(client.times) or [0.0]
    return Sent(
        statuses=dict(client.statuses),
        unanswered=load.number - len(client.times),
        seconds=time.perf_counter() - client.began,
        p50=at(times, 0.5),
        p99=at(times, 0.99),
        most=times[-1],
        late_p99=at(sorted(client.lates), 0.99),
        cpu_seconds=time.process_time() - cpu,
    )


def at(ordered: list[float], share: float) -> float:
    """The value below which this share of the values lies."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


if __name__ == "__main__":
    print(json.dumps(asdict(asyncio.run(run(Load(**json.load(sys.stdin)))))))
