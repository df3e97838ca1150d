"""`principal channel`: webhooks for a machine that GitHub cannot reach, by way of a channel (smee.io, or one like it)."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from app import terminal
from app.cli import delivering
from app.core.registration import WEBHOOK_PATH
from app.errors import UserError

SERVICE = "https://smee.io"
SILENCE_SECONDS = 90.0
"""A channel says at least every thirty seconds that it is there."""
FIRST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 30.0
EVENT_AT_MOST_BYTES = 32 * 1024 * 1024
PASSED = ("content-type", "user-agent", "x-hub-signature-256")
"""What is passed on besides GitHub's own headers."""

Tell = Callable[[str], None]


class Ended(Exception):
    """The channel's stream came to an end, in a few words."""


def channel(
    url: Annotated[str, typer.Argument(help="The channel's address; without one, a new channel is made.")] = "",
    *,
    to: Annotated[str, typer.Option("--to", help="Where deliveries go.")] = f"http://127.0.0.1:8000{WEBHOOK_PATH}",
    service: Annotated[str, typer.Option("--service", help="Where a new channel is made.")] = SERVICE,
) -> None:
    """Bring webhooks from a channel to a server on this machine, until Ctrl-C.

    Whoever knows the channel's address can read what goes through it: for development only.
    """
    address = url or new(service)
    typer.echo(f"Webhook URL for the GitHub App: {address}")
    wait = FIRST_WAIT_SECONDS
    while True:
        try:
            for passed in follow(address, to=to, tell=typer.echo):
                typer.echo(terminal.printable(passed))
                wait = FIRST_WAIT_SECONDS
        except Ended as ended:
            typer.echo(f"{ended}; trying again in {wait:.0f} s", err=True)
        time.sleep(wait)
        wait = min(wait * 2, LONGEST_WAIT_SECONDS)


def new(service: str) -> str:
    """The address of a channel that the service has just made. Raises `UserError` when it does not."""
    with _asked(f"{service.rstrip('/')}/new", {}) as answer:
        status, made = answer.status, answer.getheader("location", "")
    if not 300 <= status < 400 or urlsplit(made).netloc != urlsplit(service).netloc:
        raise UserError(f"{service} makes no channels: give the address of one")
    return made


def follow(url: str, *, to: str, tell: Tell) -> Iterator[str]:
    """A line for each delivery that came from the channel and was handed on. Raises `Ended` when the stream does."""
    try:
        with _asked(url, {"Accept": "text/event-stream", "Cache-Control": "no-cache"}) as answer:
            if answer.status != 200:
                raise Ended(f"The channel answered {answer.status}")
            tell(f"Listening; deliveries go to {to}")
            for told in messages(_lines(answer)):
                yield _pass_on(told, to)
    except (OSError, http.client.HTTPException) as error:
        raise Ended("The channel does not answer") from error
    raise Ended("The channel closed the stream")


def messages(lines: Iterable[str]) -> Iterator[Mapping[str, Any]]:
    """What a stream of events tells, unnamed events only: the others say that it is there.

    https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
    """
    name, data = "", []
    for line in lines:
        if line:
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if field == "data":
                data.append(value)
            elif field == "event":
                name = value
            continue
        if data and name in ("", "message"):
            told = _object("\n".join(data))
            if told is not None:
                yield told
        name, data = "", []


def delivery(told: Mapping[str, Any]) -> tuple[bytes, dict[str, str]] | None:
    """The bytes and headers of a delivery as GitHub sent them; None for anything else.

    The channel parsed the body; GitHub writes JSON without spaces, so writing it that way again gives the signed bytes. It is not
    signed anew here: what does not fit its signature is refused by the server, as it should be.
    """
    if not isinstance(told.get("body"), dict) or not isinstance(told.get("x-github-event"), str):
        return None
    body = json.dumps(told["body"], separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")
    names = [name for name in told if name.startswith("x-github-") or name in PASSED]
    return body, {name: str(told[name]) for name in names if str(told[name]).isprintable()}


def _pass_on(told: Mapping[str, Any], to: str) -> str:
    read = delivery(told)
    if read is None:
        return "– something that is no delivery of GitHub's"
    body, headers = read
    what = f"{headers['x-github-event']} {told['body'].get('action', '')}".strip()
    try:
        status, _ = delivering.deliver(to, body, headers)
    except UserError as error:
        return f"✗ {what}: {error.what}"
    return f"{'✓' if status < 300 else '✗'} {what}: {status}"


@contextmanager
def _asked(url: str, headers: Mapping[str, str]) -> Iterator[http.client.HTTPResponse]:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UserError(f"{url} is not the address of a channel")
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname, parts.port, timeout=SILENCE_SECONDS)
    try:
        connection.request("GET", parts.path or "/", headers={"User-Agent": "principal", **headers})
        with connection.getresponse() as answer:
            yield answer
    finally:
        connection.close()


def _lines(answer: http.client.HTTPResponse) -> Iterator[str]:
    while line := answer.readline(EVENT_AT_MOST_BYTES):
        yield line.decode("utf-8", "replace").rstrip("\r\n")


def _object(text: str) -> Mapping[str, Any] | None:
    try:
        told = json.loads(text)
    except ValueError:
        return None
    return told if isinstance(told, dict) else None
