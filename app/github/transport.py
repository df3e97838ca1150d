"""Requests go in, replies come out: PyGithub in worker threads, one client per thread, one exchange at a time.

    Request ─ send ─► thread ─► PyGithub's requester ─► Connection ─► Reply, or an error of ours

PyGithub signs, builds and sends the requests; what its requester does beyond that is not for us, as measured on
PyGithub 2.10. A shared client mixes up the answers of its threads, so every thread has its own. It retries writes, so
its retries are off. It follows a 301 without the query and takes a 307 for success, so `Connection` shows it neither.
It has no limit on the size of an answer or on the time a slow one takes, so `Connection` has both.
"""

from __future__ import annotations

import asyncio
import contextvars
import json
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPException
from http.cookiejar import DefaultCookiePolicy
from typing import Any, TypeVar
from urllib.parse import SplitResult, urljoin, urlsplit

import github
import requests
import urllib3.exceptions
from github.Auth import Auth
from github.Requester import HTTPRequestsConnectionClass, Requester, RequestsResponse
from requests.adapters import HTTPAdapter

from app import __version__
from app.errors import Code, Permanent, Transient, UserError
from app.github import errors
from app.github.wire import Call, OnCall, Reply, Request

API_VERSION = "2022-11-28"
PER_PAGE = 100
WORKERS = 8
"""Calls at the same time. GitHub allows 100 for an App, over all its processes."""
MAX_REDIRECTS = 3
CLOSE_SECONDS = 0.5
CHUNK_BYTES = 65_536
PORTS = {"http": 80, "https": 443}

T = TypeVar("T")

# PyGithub logs answers whole at DEBUG, and an answer may be a token; lower levels it prints to stderr past our logs.
logging.getLogger("github").setLevel(logging.WARNING)


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and how much at most. `exchange` is one request and its whole answer, `call` everything a verb waits for."""

    connect_seconds: float = 5
    read_seconds: float = 30
    exchange_seconds: float = 60
    call_seconds: float = 90
    answer_bytes: int = 32 * 1024 * 1024


class Transport:
    """The way to one GitHub: worker threads, each with its own client and connection."""

    def __init__(self, *, api_url: str, on_call: OnCall | None = None, limits: Limits | None = None) -> None:
        self._root = root(api_url)
        self._graphql = _graphql_root(self._root)
        self._on_call = on_call
        self._limits = limits or Limits()
        self._threads = ThreadPoolExecutor(max_workers=WORKERS, thread_name_prefix="github")
        self._running: set[Future[Any]] = set()
        self._own = threading.local()
        self._connections: list[Connection] = []

    async def run(self, work: Callable[[], T], request: Request) -> T:
        """The result of `work` done in a worker thread, within `call_seconds`; `request` is what it is about."""
        job: Future[T] = self._threads.submit(contextvars.copy_context().run, work)
        self._running.add(job)
        job.add_done_callback(self._running.discard)
        try:
            async with asyncio.timeout(self._limits.call_seconds):
                return await asyncio.wrap_future(job)
        except TimeoutError as error:
            if job.cancel():
                raise Transient(Code.GITHUB_UNAVAILABLE, f"No worker was free to {request.doing}") from error
            raise errors.lost(request, "GitHub took too long") from error

    def exchange(self, request: Request, *, auth: Auth | None) -> Reply:
        """The reply to `request`, whatever its status; redirects within the same host are followed. Blocks: for threads.

        Raises `Transient` when no whole answer came, `Permanent` for a redirect to another host.
        """
        url = f"{self._graphql if request.is_graphql else self._root.geturl()}{request.path}"
        query = dict(request.query)
        for _ in range(MAX_REDIRECTS + 1):
            try:
                return self._measured(request, url=url, query=query, auth=auth)
            except Diverted as diverted:
                url, query = self._follow(diverted, request, url=url, query=query)
        raise Permanent(Code.GITHUB_REFUSED, f"GitHub redirected in a circle when the bot tried to {request.doing}")

    def send(self, request: Request, *, auth: Auth | None) -> Reply:
        """The successful reply to `request`. Raises `Transient` and `Permanent`, as `exchange` and for every refusal."""
        reply = self.exchange(request, auth=auth)
        if reply.status >= 300:
            raise errors.refusal(reply, request)
        if reply.broken:
            raise errors.lost(request, "GitHub's answer was not what its documentation describes")
        return reply

    async def close(self) -> None:
        """Drop what has not started, give what runs a moment, close the connections.

        An exchange that takes longer is left to its own bounds: whoever closes has no use for its answer any more.
        """
        self._threads.shutdown(wait=False, cancel_futures=True)
        if running := [asyncio.wrap_future(job) for job in tuple(self._running)]:
            await asyncio.wait(running, timeout=CLOSE_SECONDS)
        for connection in self._connections:
            connection.close()

    def _measured(self, request: Request, *, url: str, query: dict[str, str | int], auth: Auth | None) -> Reply:
        started, status = time.monotonic(), None
        try:
            reply = self._once(request, url=url, query=query, auth=auth)
            status = reply.status
        except Diverted as diverted:
            status = diverted.status
            raise
        else:
            return reply
        finally:
            if self._on_call is not None:
                self._on_call(Call(request.method, request.route, status, time.monotonic() - started))

    def _once(self, request: Request, *, url: str, query: dict[str, str | int], auth: Auth | None) -> Reply:
        client, connection = self._mine()
        try:
            status, headers, text = client.requester.withAuth(auth).requestJson(
                request.method,
                url,
                parameters=query,
                headers={"Accept": "application/vnd.github+json"},
                input=request.body,
                cnx=connection,
            )
        except TooLarge as error:
            raise _too_large(request) from error
        except (
            requests.RequestException,
            urllib3.exceptions.HTTPError,
            HTTPException,
            OSError,
            # PyGithub reads the rate-limit headers as numbers, after the request was sent.
            ValueError,
            ArithmeticError,
        ) as error:
            raise errors.failure(error, request) from error
        body, broken = _parsed(text)
        return Reply(status=status, headers=headers, body=body, broken=broken)

    def _mine(self) -> tuple[github.Github, Connection]:
        """The client and connection of this thread: PyGithub's objects must not be shared."""
        if not hasattr(self._own, "client"):
            self._own.connection = Connection(self._root, limits=self._limits)
            self._own.client = github.Github(
                base_url=self._root.geturl(),
                user_agent=f"principal/{__version__}",
                per_page=PER_PAGE,
                timeout=round(self._limits.read_seconds),
                retry=0,
                seconds_between_requests=0,
                seconds_between_writes=0,
                lazy=True,
                api_version=API_VERSION,
            )
            self._connections.append(self._own.connection)
        return self._own.client, self._own.connection

    def _follow(
        self, diverted: Diverted, request: Request, *, url: str, query: dict[str, str | int]
    ) -> tuple[str, dict[str, str | int]]:
        """Where a redirect leads on the same host: GitHub sends renamed repositories to `/repositories/ID`.

        The method and the body stay as they are: GitHub asks for the same request at the new place.
        https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#follow-redirects
        """
        if diverted.status == 202:
            raise Transient(Code.GITHUB_UNAVAILABLE, f"GitHub is not ready yet to {request.doing}")
        if not diverted.location:
            raise errors.refusal(Reply(diverted.status, {}, None), request)
        try:
            target = urlsplit(urljoin(url, diverted.location))
            same = _origin(target) == _origin(self._root)
        except ValueError:
            same = False
        if not same:
            raise errors.redirect_blocked(request) from None
        place = f"{_base(self._root)}{target.path or '/'}"
        return (f"{place}?{target.query}", {}) if target.query else (place, query)


class Connection(HTTPRequestsConnectionClass):
    """What PyGithub talks through: one kept-alive connection that bounds every answer in bytes and in time."""

    def __init__(self, root: SplitResult, *, limits: Limits) -> None:
        super().__init__(root.hostname or "", root.port, retry=0, pool_size=1)
        self.session = Session(self.adapter)
        self._base = _base(root)
        self._limits = limits

    def getresponse(self) -> RequestsResponse:
        """The whole answer. Raises `Diverted` for what PyGithub would follow on its own, `TooLarge`, and network errors."""
        deadline = time.monotonic() + self._limits.exchange_seconds
        with self.session.request(
            self.verb,
            f"{self._base}{self.url}",
            headers=self.headers,
            data=self.input,
            timeout=(self._limits.connect_seconds, self._limits.read_seconds),
            allow_redirects=False,
            stream=True,
        ) as response:
            content = self._read(response, deadline=deadline)
        status = response.status_code
        if status in (301, 302, 307, 308) or (status == 202 and self.verb == "GET"):
            raise Diverted(status, response.headers.get("location", ""))
        return Answer(response, text=content.decode("utf-8", "replace"))

    def _read(self, response: requests.Response, *, deadline: float) -> bytes:
        content = bytearray()
        # `read1` returns what is there, so a server that drips bytes cannot outlast the deadline.
        while piece := response.raw.read1(CHUNK_BYTES, decode_content=True):
            content += piece
            if len(content) > self._limits.answer_bytes:
                raise TooLarge
            if time.monotonic() > deadline:
                raise requests.exceptions.ReadTimeout
        return bytes(content)


class Session(requests.Session):
    """A session that neither follows redirects nor remembers cookies nor looks into `.netrc`."""

    def __init__(self, adapter: HTTPAdapter) -> None:
        super().__init__()
        self.mount("http://", adapter)
        self.mount("https://", adapter)
        # Without an auth of its own, requests would take the password that ~/.netrc has for this host.
        self.auth = Requester.noopAuth
        # A cookie set for one installation must not travel with the next one's request.
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Nowhere: even when told not to follow, requests would read the whole answer and parse the address."""


class Answer(RequestsResponse):
    """An answer in the form PyGithub's requester reads."""

    def __init__(self, response: requests.Response, *, text: str) -> None:
        super().__init__(response)
        self._text = text

    def read(self) -> str:
        """The body."""
        return self._text


class Diverted(Exception):
    """GitHub sent the request elsewhere, or asked for patience (202)."""

    def __init__(self, status: int, location: str) -> None:
        super().__init__(status)
        self.status = status
        self.location = location


class TooLarge(Exception):
    """The answer is larger than anything we ask for."""


def root(api_url: str) -> SplitResult:
    """The parsed root of the REST API, without a slash at the end; raises `UserError` when it cannot be one."""
    try:
        parts = urlsplit(api_url.strip().rstrip("/"))
        sound = parts.scheme in PORTS and parts.hostname and parts.port != 0
    except ValueError:
        sound = False
    if not sound or parts.query or parts.fragment or "@" in parts.netloc:
        raise UserError("GITHUB_API_URL is not the address of a REST API (https://HOST/…)", Code.SETTINGS_INVALID)
    return parts


def _graphql_root(rest: SplitResult) -> str:
    """Where `/graphql` stands: beside the REST root, and on a GitHub Enterprise Server beside its `/v3`.

    https://docs.github.com/en/enterprise-server@3.19/graphql/guides/forming-calls-with-graphql
    """
    return rest.geturl().removesuffix("/v3")


def _base(parts: SplitResult) -> str:
    return f"{parts.scheme}://{parts.netloc}"


def _origin(parts: SplitResult) -> tuple[str, str, int]:
    return parts.scheme, (parts.hostname or "").lower(), parts.port or PORTS.get(parts.scheme, 0)


def _parsed(text: str) -> tuple[object, bool]:
    """The JSON of an answer, and whether it was broken. An empty answer is no JSON, too: every call of ours has one."""
    try:
        return json.loads(text), False
    except (ValueError, RecursionError):
        return None, True


def _too_large(request: Request) -> Permanent | Transient:
    unknown = errors.lost(request, "GitHub's answer was too large")
    if unknown.code is Code.GITHUB_ANSWER_UNKNOWN:
        return unknown
    return Permanent(Code.GITHUB_REFUSED, f"GitHub's answer was too large when the bot tried to {request.doing}")
