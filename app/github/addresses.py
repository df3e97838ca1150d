"""Addresses that people paste: text in, repository and number out, or a sentence about what is wrong."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from app.errors import UserError
from app.github.wire import REPOSITORY

MAX_ADDRESS = 2_000
PORTS = {"http": 80, "https": 443}
_PULL = re.compile(rf"/(?P<repository>{REPOSITORY.pattern})/pull/(?P<number>[1-9][0-9]{{0,9}})(?:/[^\s\\]*)?")


def parse_pull_url(url: str, server_url: str) -> tuple[str, int]:
    """The repository (`owner/name`) and number of a pull request's page on the configured server.

    Scheme, host and port must be the server's, exactly: a name that only looks like it gets no token. Raises `UserError`.
    """
    if not _stands_on(url.strip(), server_url):
        raise UserError(f"This is not the address of a pull request on {server_url}")
    given, server = urlsplit(url.strip()), urlsplit(server_url.rstrip("/"))
    found = _PULL.fullmatch(given.path.removeprefix(server.path)) if given.path.startswith(server.path) else None
    if found is None or found["repository"].endswith(("/.", "/..")):
        raise UserError(f"This is not the address of a pull request ({server_url}/OWNER/NAME/pull/NUMBER)")
    return found["repository"], int(found["number"])


def _stands_on(url: str, server_url: str) -> bool:
    # `urlsplit` drops tabs and line breaks in silence, and browsers read a backslash as a slash.
    if len(url) > MAX_ADDRESS or "\\" in url or not url.isprintable():
        return False
    try:
        given, server = urlsplit(url), urlsplit(server_url)
        same_port = _port(given.scheme, given.port) == _port(server.scheme, server.port)
    except ValueError:
        return False
    return same_port and "@" not in given.netloc and (given.scheme, given.hostname) == (server.scheme, server.hostname)


def _port(scheme: str, port: int | None) -> int | None:
    return port or PORTS.get(scheme)
