"""Smart HTTP for git: `git http-backend` run as a CGI program behind GitHub's rules of who may fetch."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from app.sandbox import access
from app.sandbox.access import Caller
from app.sandbox.hub import Hub
from app.sandbox.ledger import Request as Entry
from app.sandbox.records import Repository
from app.sandbox.refusals import Refused
from app.sandbox.repository import git_environment

CHUNK_BYTES = 64 * 1024
CHALLENGE = {"WWW-Authenticate": 'Basic realm="GitHub"'}


class GitHttp:
    """Serves clones and fetches of every repository of a hub, by name; pushing is not served."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def serve(self, request: Request, entry: Entry, path: str, data: bytes) -> Response:
        """What git's own server answers, or the refusal GitHub would send."""
        _, owner, name, *rest = path.split("/")
        full_name = f"{owner}/{name.removesuffix('.git')}"
        try:
            repository, moved = await run_in_threadpool(self._admit, request, entry, full_name)
        except Refused as refused:
            return PlainTextResponse(refused.message, refused.status, refused.headers)
        if "receive-pack" in entry.query or rest[-1] == "git-receive-pack":
            return PlainTextResponse("The sandbox takes no pushes.", 403)
        if moved:
            query = f"?{entry.query}" if entry.query else ""
            url = f"{self._hub.urls.page(repository)}.git/{'/'.join(rest)}{query}"
            return Response(status_code=301, headers={"Location": url})
        return await _backend(request, repository, "/".join(rest), entry.query, data)

    def _admit(self, request: Request, entry: Entry, full_name: str) -> tuple[Repository, bool]:
        with self._hub.lock:
            caller = _caller(self._hub, request.headers.get("authorization"))
            entry.identity = caller.identity
            repository, moved = self._find(full_name)
            _check(self._hub, caller, repository)
        return repository, moved

    def _find(self, full_name: str) -> tuple[Repository, bool]:
        found = self._hub.state.repository(full_name)
        if found is not None:
            return found, False
        renamed = self._hub.state.renamed.get(full_name.lower())
        if renamed is None:
            raise Refused(404, "Repository not found.")
        return self._hub.state.repositories[renamed], True


def _caller(hub: Hub, header: str | None) -> Caller:
    try:
        return access.authenticate(hub.state, header)
    except Refused as refused:
        if refused.status != 401:
            raise
        message = "Invalid username or token. Password authentication is not supported for Git operations."
        raise Refused(401, message, headers=CHALLENGE) from None


def _check(hub: Hub, caller: Caller, repository: Repository) -> None:
    if not repository.private:
        return
    if caller.token is None:
        raise Refused(401, "Repository not found.", headers=CHALLENGE)
    if not access.may_see(hub.state, caller, repository):
        raise Refused(404, "Repository not found.")
    if not access.may(caller, "contents", "read") and not _whole_person(caller):
        raise Refused(403, "Write access to repository not granted.")


def _whole_person(caller: Caller) -> bool:
    return caller.token is not None and caller.token.installation is None and caller.token.permissions is None


async def _backend(request: Request, repository: Repository, rest: str, query: str, data: bytes) -> Response:
    directory = repository.git.directory
    environment = {
        **git_environment(),
        "GIT_HTTP_EXPORT_ALL": "1",
        "GIT_PROJECT_ROOT": str(directory.parent),
        "PATH_INFO": f"/{directory.name}/{rest}",
        "REQUEST_METHOD": request.method,
        "QUERY_STRING": query,
        "CONTENT_TYPE": request.headers.get("content-type", ""),
        "CONTENT_LENGTH": str(len(data)),
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_USER": "",
    }
    for header, variable in (("git-protocol", "GIT_PROTOCOL"), ("content-encoding", "HTTP_CONTENT_ENCODING")):
        if header in request.headers:
            environment[variable] = request.headers[header]
    started: list[subprocess.Popen[bytes]] = []
    try:
        status, headers = await run_in_threadpool(_start, started, environment, data)
    except BaseException:
        # The client hung up before the answer began: nobody else knows of the process.
        for process in started:
            _end(process)
        raise
    return GitAnswer(started[0], status, headers)


class GitAnswer(StreamingResponse):
    """What the CGI program prints, as it comes; the program ends with the answer, also when the client hangs up."""

    def __init__(self, process: subprocess.Popen[bytes], status: int, headers: dict[str, str]) -> None:
        super().__init__(_chunks(process), status, headers)
        self._process = process

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends the answer, and ends the program with it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self.end()

    def end(self) -> None:
        """Ends the program. Whoever drops the answer unsent calls it."""
        _end(self._process)


def _start(
    started: list[subprocess.Popen[bytes]], environment: dict[str, str], data: bytes
) -> tuple[int, dict[str, str]]:
    """Starts the CGI program, notes it in `started`, and returns the head of what it prints."""
    # A file, because a pipe could fill up while git already writes its answer.
    with tempfile.TemporaryFile() as stdin:
        stdin.write(data)
        stdin.seek(0)
        process = subprocess.Popen(
            ["git", "http-backend"], stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
        )
    started.append(process)
    status, headers = 200, {}
    while process.stdout is not None and (row := process.stdout.readline()).strip():
        name, _, value = row.decode("latin-1").partition(":")
        if name.lower() == "status":
            status = int(value.split()[0])
        else:
            headers[name] = value.strip()
    return status, headers


def _chunks(process: subprocess.Popen[bytes]) -> Iterator[bytes]:
    while process.stdout is not None and not process.stdout.closed and (chunk := process.stdout.read(CHUNK_BYTES)):
        yield chunk


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    if process.stdout is not None:
        process.stdout.close()
