"""The service as it is deployed, with a short story in place of the review: in this process, or in one that can be killed.

The story starts a check run, asks a model three things, posts one review and completes the check run. Web, engine, database
and the door to GitHub are the real ones.
"""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from app.loading import undisturbed

# Stories start this file as a process again and again.
with undisturbed():
    import structlog

    from app import telemetry, web
    from app.core.pace import Rate, Spacing
    from app.core.pull import Conclusion, Pull
    from app.errors import Code, Transient
    from app.events import Place, Question, ReviewRequest
    from app.github import App, GitHub
    from app.jobs import Ending, Engine, Left, Timing
    from app.settings import Settings
    from app.stages.step import Step

if TYPE_CHECKING:
    from app.sandbox import Sandbox

# A story's log lines would bury what a failed test has to say.
structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))

ROOT = Path(__file__).parents[2]
SECRET = "one-secret-of-the-tests"
QUESTIONS = 3
NO_BOUND = 1_000_000_000
FREELY = Spacing(
    write=Rate(0),
    notice=Rate(0),
    points_per_minute=NO_BOUND,
    writes_per_minute=NO_BOUND,
    writes_per_hour=NO_BOUND,
)
"""Tests that are not about the pace post as fast as they can."""
QUICK = Timing(
    settle_seconds=0.5,
    retry_first_seconds=0.2,
    retry_longest_seconds=0.5,
    poll_seconds=0.25,
    tend_seconds=0.5,
    look_seconds=0.3,
    grace_seconds=1.5,
    beat_seconds=0.3,
    spacing=FREELY,
)
WAIT_SECONDS = 90.0


@dataclass(frozen=True)
class Outcome:
    state: str
    code: str = ""
    detail: str = ""
    review_id: int | None = None


class ShortStory:
    """A review in five lines, with real effects."""

    def __init__(self, github: Callable[[Place], Coroutine[Any, Any, GitHub]], ledger_url: str) -> None:
        self._github = github
        self._ledger_url = ledger_url

    async def review(self, request: ReviewRequest, *, pull: Pull, step: Step) -> Outcome:
        github = await self._github(place_of(request))
        head, mark = pull.head_sha, f"marker of {request.key}"
        check = await step.run("start check", lambda: self._start_check(github, pull), int)
        for number in range(QUESTIONS):
            await step.run("ask", lambda number=number: self._ask(head, number), str)

        async def look() -> int | None:
            reviews = await github.own_reviews(pull.repository, pull.number)
            return next((review.id for review in reviews if mark in review.body.text), None)

        async def send() -> int:
            posted = await github.post_review(pull.repository, pull.number, commit=head, body=mark, comments=())
            return posted.id

        review = await step.once("review", look=look, send=send, result=int)
        await step.run("finish check", lambda: self._finish_check(github, pull.repository, check, "posted"), type(None))
        return Outcome("posted", review_id=review)

    async def answer(self, question: Question, *, step: Step) -> Outcome:
        """The words that were asked, said again."""
        github, place = await self._github(question.place), question.place

        async def say() -> int:
            return await github.comment(place.repository, place.number, question.words)

        return Outcome("posted", review_id=await step.run("say", say, int))

    async def settle(self, request: ReviewRequest, *, ending: Ending, left: Left) -> None:
        github = await self._github(place_of(request))
        run = await github.find_check(
            request.repository, head=request.head, name="principal", external_id=str(request.number)
        )
        if run and run.conclusion is None:
            await self._finish_check(github, request.repository, run.id, f"{ending.state}: {ending.detail}")

    async def _ask(self, head: str, number: int) -> str:
        address = urlsplit(self._ledger_url)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        try:
            writer.write(f"GET /{head}/{number} HTTP/1.1\r\nHost: ledger\r\nConnection: close\r\n\r\n".encode())
            status, _, rest = (await reader.read()).partition(b"\r\n")
        finally:
            writer.close()
        if b" 200 " not in status:
            raise Transient(Code.MODEL_UNAVAILABLE, "the model did not answer")
        return rest.decode()

    @staticmethod
    async def _start_check(github: GitHub, pull: Pull) -> int:
        return await github.start_check(
            pull.repository,
            head=pull.head_sha,
            name="principal",
            external_id=str(pull.number),
            title="Reviewing",
            summary="…",
        )

    @staticmethod
    async def _finish_check(github: GitHub, repository: str, check: int, title: str) -> None:
        await github.finish_check(repository, check, conclusion=Conclusion.NEUTRAL, title=title, summary=title)


def place_of(request: ReviewRequest) -> Place:
    return Place(request.repository, request.repository_id, request.number, request.installation)


@asynccontextmanager
async def working(
    settings: Settings, ledger_url: str, *, executes: bool, grace_seconds: float
) -> AsyncIterator[Engine]:
    """The engine at work with the short story, put together as `principal serve` and `principal worker` do it."""
    identity = settings.app()

    async def door(place: Place) -> GitHub:
        assert app is not None
        assert place.installation is not None
        return await app.installation(place.installation, place.repository_id)

    pem = identity.private_key.get_secret_value() if identity else ""
    app = (
        App(app_id=identity.id, private_key_pem=pem, api_url=settings.github_api_url, book=lambda: engine.book)
        if identity
        else None
    )
    engine = Engine(settings, story=ShortStory(door, ledger_url), github=door, timing=QUICK, executes=executes)
    await engine.start()
    try:
        yield engine
    finally:
        await engine.stop(grace_seconds=grace_seconds)
        if app:
            await app.close()


async def serve(environ: Mapping[str, str], *, ready: Callable[[Engine, str, Any], None]) -> None:
    """The whole service until it is stopped. With ACCEPT_ONLY it takes deliveries and runs no jobs."""
    settings = Settings.load(environ)
    executes = "ACCEPT_ONLY" not in environ
    limits = web.Limits(
        read_seconds=float(environ.get("READ_SECONDS", "10")), head_seconds=float(environ.get("HEAD_SECONDS", "10"))
    )
    async with working(settings, environ["LEDGER_URL"], executes=executes, grace_seconds=0) as engine:
        api = web.build(settings, engine, limits=limits)
        server = web.server(api, settings, limits=limits)
        serving = asyncio.create_task(server.serve())
        while not server.started and not serving.done():  # noqa: ASYNC110 - uvicorn has no event for it.
            await asyncio.sleep(0.005)
        port = server.servers[0].sockets[0].getsockname()[1]
        ready(engine, f"http://127.0.0.1:{port}", server)
        await serving


def environment(github: Sandbox | None, data: Path, ledger_url: str = "", **more: str) -> dict[str, str]:
    """The variables an operator would set."""
    base = {
        "PRINCIPAL_DATA_DIR": str(data),
        "PRINCIPAL_QUIET_SECONDS": "0",
        "HOST": "127.0.0.1",
        "PORT": "0",
        "LEDGER_URL": ledger_url,
    }
    if github is not None:
        base |= {
            "GITHUB_API_URL": github.api_url,
            "GITHUB_SERVER_URL": github.server_url,
            "GITHUB_APP_ID": str(github.app.id),
            "GITHUB_PRIVATE_KEY": github.private_key,
            "GITHUB_WEBHOOK_SECRET": SECRET,
        }
    return base | more


class Service:
    """The service in a thread of this process. `url` and `engine` are there once it is entered."""

    engine: Engine
    url: str

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._started = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(WAIT_SECONDS), "the service did not start"
        if self._failure is not None:
            self._thread.join()
            raise self._failure
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(WAIT_SECONDS)
        assert not self._thread.is_alive(), "the service did not stop"

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """The result of `work`, run on the service's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(WAIT_SECONDS)

    def jobs(self, pull: Any) -> list[Any]:
        return self.run(self.engine.jobs(pull.repository.id, pull.number))

    def wait_until_over(self, pull: Any, *, jobs: int = 1) -> list[Any]:
        """Every job of the pull, once there are so many and all have ended."""
        found: list[Any] = []

        def over() -> bool:
            found[:] = self.jobs(pull)
            return len(found) >= jobs and all(job.is_over for job in found)

        until(over, lambda: f"the jobs are {found}")
        return found

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - raised again where the test can see it.
            self._failure = error
            self._started.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        await serve(self._environ, ready=self._ready)

    def _ready(self, engine: Engine, url: str, server: Any) -> None:
        self.engine, self.url, self._server = engine, url, server
        self._started.set()


class Process:
    """The service in a process of its own, which a test may kill."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        clean = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fakes.service"],
            cwd=ROOT,
            env=clean | dict(environ),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        assert self.url.startswith("http://"), self.ended()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def kill(self) -> None:
        """End it as a crash or the kernel would."""
        self._process.kill()
        self._process.communicate()

    def ended(self) -> tuple[int, str]:
        """Its exit status and what it said, once it has ended by itself."""
        _, said = self._process.communicate(timeout=WAIT_SECONDS)
        return self._process.returncode, said


def until(
    condition: Callable[[], object],
    why: Callable[[], str] = lambda: "it did not happen",
    *,
    seconds: float = WAIT_SECONDS,
) -> None:
    """Wait until the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, why()
        time.sleep(0.02)


if __name__ == "__main__":
    telemetry.configure()
    asyncio.run(serve(os.environ, ready=lambda _engine, url, _server: print(url, flush=True)))
