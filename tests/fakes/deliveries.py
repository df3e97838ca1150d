"""Signed and unsigned requests to a service, byte by byte, and what its database says of them."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import sqlite3
from contextlib import closing
from urllib.parse import urlsplit

from tests.fakes.service import SECRET

PING = b'{"zen":"Design for failure."}'


def signature(body, secret=SECRET):
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def post(service, body, *, guid="11111111-0000-0000-0000-000000000000", event="ping", headers=(), sign=True):
    """Send a delivery. `headers` are (name, value) pairs; a value of None takes the header away."""
    sent = {
        "Content-Type": "application/json",
        "X-GitHub-Delivery": guid,
        "X-GitHub-Event": event,
        "Content-Length": str(len(body)),
    }
    if sign:
        sent["X-Hub-Signature-256"] = signature(body)
    return exchange(service, [*{**sent, **dict(headers)}.items()], [body])


def exchange(service, headers, parts, method="POST", path="/webhooks/github"):
    address = urlsplit(service.url)
    with closing(http.client.HTTPConnection(address.hostname, address.port, timeout=90)) as connection:
        connection.putrequest(method, path)
        for name, value in headers:
            if value is not None:
                connection.putheader(name, value)
        connection.endheaders()
        try:
            for part in parts:
                connection.send(part)
        except (BrokenPipeError, ConnectionResetError):
            pass  # The server has answered before the end, which is the point.
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def get(service, path):
    return exchange(service, [], [], method="GET", path=path)


def rows(folder, guid):
    with closing(sqlite3.connect(folder / "principal.db")) as database:
        return database.execute("SELECT state, reason FROM principal_deliveries WHERE guid = ?", (guid,)).fetchall()


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)
