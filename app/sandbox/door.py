"""The ASGI door: a request goes into the ledger, meets the faults, and is handed on to REST, GraphQL, git or a page.

REST stands under `/api/v3`, GraphQL at `/api/graphql`, as on an Enterprise server; git and pages share the root.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.sandbox import access
from app.sandbox.access import Caller
from app.sandbox.faults import Fault, Faults
from app.sandbox.githttp import GitAnswer, GitHttp
from app.sandbox.hub import Hub
from app.sandbox.ledger import Kind, Ledger
from app.sandbox.ledger import Request as Entry
from app.sandbox.records import Repository
from app.sandbox.refusals import Refused, not_found
from app.sandbox.repository import GitRefused
from app.sandbox.rest import ROUTES, Answer, Call, Route, apps, checks, issues, pulls, repositories  # noqa: F401 - importing registers them.

API = "/api/v3"
GRAPHQL = "/api/graphql"
DOCUMENTATION = "https://docs.github.com/rest"
VERSIONS = ("2022-11-28", "2026-03-10")
MAX_BODY_BYTES = 32 * 1024 * 1024
READS = ("GET", "HEAD")

Cutter = Callable[[tuple[str, int] | None], None]


@dataclass(slots=True)
class Budget:
    """The primary rate limit that the headers tell; `remaining` may be set by a test."""

    limit: int = 5_000
    remaining: int = 5_000
    reset_after_seconds: int = 3_600

    def spend(self) -> bool:
        """Takes one request; False when there was none left."""
        if self.remaining <= 0:
            return False
        self.remaining -= 1
        return True


class Door:
    """The application that the server runs."""

    def __init__(
        self, hub: Hub, ledger: Ledger, faults: Faults, *, pages: Callable[[Request, bytes], Awaitable[Response]]
    ) -> None:
        self.hub = hub
        self.ledger = ledger
        self.faults = faults
        self.budget = Budget()
        self.cut: Cutter = lambda _client: None
        self._git = GitHttp(hub)
        self._pages = pages
        self._routes = sorted(ROUTES, key=lambda route: -len(_literal(route.template)))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        try:
            response = await self._serve(request)
        except ClientDisconnect:
            return
        if response is None:
            self.cut(scope.get("client"))
            # The server sees the closed connection before it misses the answer.
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        await response(scope, receive, send)

    async def _serve(self, request: Request) -> Response | None:
        kind, path = self._kind(request)
        data = await _read(request)
        entry = self.ledger.open(
            kind,
            request.method,
            path,
            query=request.scope["query_string"].decode("latin-1"),
            body=_logged(kind, data),
            headers=tuple(sorted(set(request.headers.keys()))),
        )
        fault = self.faults.take(request.method, path)
        if fault is not None and fault.gate is not None:
            await run_in_threadpool(fault.gate.pass_through)
        response: Response | None = None
        if fault is None or fault.effect:
            response = await self._answer(request, entry, path, data)
        response = _replaced(fault, response)
        self.ledger.close(entry, response.status_code if response else None)
        return response

    @staticmethod
    def _kind(request: Request) -> tuple[Kind, str]:
        path = request.scope["raw_path"].decode("latin-1") if request.scope.get("raw_path") else request.url.path
        path = path.partition("?")[0]
        if path == GRAPHQL:
            return Kind.GRAPHQL, "/graphql"
        if path.startswith(f"{API}/") or path == API:
            path = path.removeprefix(API) or "/"
            return (Kind.TOKEN if path.endswith("/access_tokens") else Kind.REST), path
        first = path.split("/")[3:4]
        git = first in (["info"], ["git-upload-pack"], ["git-receive-pack"])
        return (Kind.GIT if git else Kind.PAGE), path

    async def _answer(self, request: Request, entry: Entry, path: str, data: bytes) -> Response:
        match entry.kind:
            case Kind.GIT:
                return await self._git.serve(request, entry, path, data)
            case Kind.PAGE:
                return await self._pages(request, data)
            case _:
                return await run_in_threadpool(self._api, request, entry, path, data)

    def _api(self, request: Request, entry: Entry, path: str, data: bytes) -> Response:
        documentation = DOCUMENTATION
        try:
            with self.hub.transaction() as deliveries:
                answer = self._perform(request, entry, path, data)
        except Refused as refused:
            answer = Answer(refused.status, refused.body(documentation), refused.headers)
        except GitRefused as refused:
            answer = Answer(500, {"message": str(refused), "documentation_url": documentation, "status": "500"})
        else:
            self.hub.webhooks.send_later(deliveries)
        return self._respond(request, entry, answer)

    def _perform(self, request: Request, entry: Entry, path: str, data: bytes) -> Answer:
        _check_headers(request)
        caller = access.authenticate(self.hub.state, request.headers.get("authorization"))
        entry.identity = caller.identity
        if path == "/rate_limit":
            entry.operation = "rate-limit/get"
            return Answer(200, self._rate_limit())
        if not self.budget.spend():
            raise Refused(403, f"API rate limit exceeded for {caller.identity.replace(':', ' ID ')}.")
        body = _json(data)
        if entry.kind is Kind.GRAPHQL:
            from app.sandbox import graphql  # noqa: PLC0415 - graphql-core loads only where it is asked for.

            return graphql.answer(self.hub, caller, body)
        return self._operate(request, entry, caller, path, body)

    def _operate(self, request: Request, entry: Entry, caller: Caller, path: str, body: dict[str, Any]) -> Answer:
        query = dict(parse_qsl(entry.query, keep_blank_values=True))
        canonical, moved = self._canonical(path)
        route, params = self._route(entry.method, canonical)
        entry.operation = route.name
        found = self._find(params)
        if found is not None and not access.may_see(self.hub.state, caller, found):
            raise not_found()
        if moved and found is not None:
            return _redirect(self.hub.urls.api, path, found, entry)
        self._check_access(route, caller, found)
        accept = request.headers.get("accept", "")
        call = Call(self.hub, caller, route.method, canonical, params, query, body, accept, found)
        return route.run(call)

    def _canonical(self, path: str) -> tuple[str, bool]:
        """The path under a repository's present name, and whether it came under an old one. By id nothing moves."""
        parts = path.split("/")
        if len(parts) >= 3 and parts[1] == "repositories":
            known = self.hub.state.repositories.get(int(parts[2])) if parts[2].isdigit() else None
            if known is None or known.deleted:
                raise not_found()
            return "/".join(["/repos", known.full_name, *parts[3:]]), False
        if len(parts) >= 4 and parts[1] == "repos":
            old = self.hub.state.renamed.get(f"{unquote(parts[2])}/{unquote(parts[3])}".lower())
            known = self.hub.state.repositories.get(old) if old is not None else None
            if known is not None:
                return "/".join(["/repos", known.full_name, *parts[4:]]), True
        return path, False

    def _route(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        wanted = "GET" if method == "HEAD" else method
        for route in self._routes:
            if route.method == wanted and (match := route.pattern.fullmatch(path)) is not None:
                return route, {name: unquote(value) for name, value in match.groupdict().items()}
        raise not_found()

    def _find(self, params: dict[str, str]) -> Repository | None:
        if "owner" not in params:
            return None
        found = self.hub.state.repository(f"{params['owner']}/{params['repo']}")
        if found is None:
            raise not_found()
        return found

    def _check_access(self, route: Route, caller: Caller, found: Repository | None) -> None:
        if route.auth == "app" and caller.app is None:
            raise Refused(401, "A JSON web token could not be decoded")
        if route.auth == "token" and found is not None:
            access.require(self.hub.state, caller, found, route.needs, writes=route.method not in READS)

    def _rate_limit(self) -> dict[str, Any]:
        rate = {
            "limit": self.budget.limit,
            "remaining": self.budget.remaining,
            "used": self.budget.limit - self.budget.remaining,
            "reset": self._reset(),
        }
        return {"resources": {"core": rate, "search": rate, "graphql": rate}, "rate": rate}

    def _reset(self) -> int:
        return int(self.hub.state.now().timestamp()) + self.budget.reset_after_seconds

    def _respond(self, request: Request, entry: Entry, answer: Answer) -> Response:
        raw = isinstance(answer.body, bytes)
        content = answer.body if raw else b"" if answer.body is None else json.dumps(answer.body).encode()
        tag = f'W/"{hashlib.sha256(content).hexdigest()}"' if entry.method in READS and answer.status == 200 else None
        unchanged = tag is not None and request.headers.get("if-none-match") == tag
        if unchanged:
            # What has not changed costs nothing.
            self.budget.remaining += 1
        headers = {**self._headers(request, entry), **answer.headers, **({"ETag": tag} if tag else {})}
        if unchanged:
            return Response(status_code=304, headers=headers)
        if request.method == "HEAD":
            content = b""
        return Response(content, answer.status, headers, media_type=answer.media if answer.status != 204 else None)

    def _headers(self, request: Request, entry: Entry) -> dict[str, str]:
        return {
            "X-GitHub-Request-Id": f"SAND:{entry.number:06X}",
            "X-GitHub-Media-Type": "github.v3; format=json",
            "X-GitHub-Api-Version-Selected": request.headers.get("x-github-api-version", VERSIONS[0]),
            "X-RateLimit-Limit": str(self.budget.limit),
            "X-RateLimit-Remaining": str(self.budget.remaining),
            "X-RateLimit-Used": str(self.budget.limit - self.budget.remaining),
            "X-RateLimit-Reset": str(self._reset()),
            "X-RateLimit-Resource": "graphql" if entry.kind is Kind.GRAPHQL else "core",
        }


async def _read(request: Request) -> bytes:
    parts = bytearray()
    async for part in request.stream():
        parts += part
        if len(parts) > MAX_BODY_BYTES:
            raise ClientDisconnect
    return bytes(parts)


def _logged(kind: Kind, data: bytes) -> object:
    if kind in (Kind.GIT, Kind.PAGE) or not data:
        return None
    try:
        return json.loads(data)
    except ValueError:
        return data.decode("utf-8", "replace")


def _json(data: bytes) -> dict[str, Any]:
    if not data:
        return {}
    try:
        body = json.loads(data)
    except ValueError:
        raise Refused(400, "Problems parsing JSON") from None
    if not isinstance(body, dict):
        raise Refused(400, "Body should be a JSON object")
    return body


def _check_headers(request: Request) -> None:
    if not request.headers.get("user-agent"):
        raise Refused(
            403, "Request forbidden by administrative rules. Please make sure your request has a User-Agent header."
        )
    version = request.headers.get("x-github-api-version")
    if version is not None and version not in VERSIONS:
        raise Refused(400, f"The '{version}' version is not supported. Supported: {', '.join(VERSIONS)}.")
    accept = request.headers.get("accept", "*/*")
    known = ("application/json", "application/vnd.github", "application/*", "*/*", "+json")
    if accept and not any(media in accept for media in known):
        raise Refused(415, f"Unsupported 'Accept' header: '{accept}'. Must accept 'application/json'.")


def _redirect(api: str, path: str, found: Repository, entry: Entry) -> Answer:
    rest = "/".join(path.split("/")[4:])
    url = f"{api}/repositories/{found.id}" + (f"/{rest}" if rest else "")
    url += f"?{entry.query}" if entry.query else ""
    moved = entry.method in READS
    body = {
        "message": "Moved Permanently" if moved else "Temporary Redirect",
        "url": url,
        "documentation_url": f"{DOCUMENTATION}/guides/best-practices-for-using-the-rest-api#follow-redirects",
    }
    return Answer(301 if moved else 307, body, {"Location": url})


def _replaced(fault: Fault | None, response: Response | None) -> Response | None:
    if fault is None or (fault.status is None and not fault.cut):
        return response
    if isinstance(response, GitAnswer):
        response.end()
    if fault.cut or fault.status is None:
        return None
    content = json.dumps(fault.body).encode()
    return Response(content, fault.status, dict(fault.headers), media_type="application/json; charset=utf-8")


def _literal(template: str) -> str:
    return "/".join(part for part in template.split("/") if not part.startswith("{"))
