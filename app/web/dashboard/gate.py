"""The gate before the dashboard: who is not logged in is sent to the login, and a form that is not ours does nothing.

GET /login ─ POST /login (password) ─► session ─► the page that was asked for ─ POST /logout ─► no session
"""

from __future__ import annotations

import hmac
import math
from collections.abc import Awaitable, Callable, Mapping
from functools import cached_property
from urllib.parse import quote, unquote

from fastapi import Request
from starlette.responses import RedirectResponse, Response

from app.core.registration import CALLBACK_PATH
from app.errors import PrincipalError, Transient
from app.github.visitors import Visitors
from app.jobs import Engine
from app.jobs.desk import Done
from app.settings import Settings
from app.telemetry import log
from app.web import pages
from app.web.dashboard.access import SESSION_SECONDS, Sessions, Tries, Visitor, is_password

COOKIE = "principal_session"
STATE_COOKIE = "principal_state"
NEXT_COOKIE = "principal_next"
ON_GITHUB_SECONDS = 600
NEXT_AT_MOST_CHARACTERS = 500
OPERATOR = "operator"
"""Who logs in with the password: it is one for all."""

Endpoint = Callable[[Request], Awaitable[Response]]
Page = Callable[[Request, Visitor], Awaitable[Response]]
Act = Callable[[Mapping[str, str]], Awaitable[Done]]
"""Does what a form asks for, by the form's fields."""


class Gate:
    """Puts the login before pages and acts. The server's key is known once the engine has started: it is asked for late."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self._settings = settings
        self._engine = engine
        self._tries = Tries()
        self._visitors = _visitors(settings)

    @property
    def open_pages(self) -> dict[str, Endpoint]:
        """What anybody may read, by path."""
        ways = {"/login/github": self._to_github, CALLBACK_PATH: self._from_github} if self._visitors else {}
        return {"/login": self._login_page, **ways}

    @property
    def open_acts(self) -> dict[str, Endpoint]:
        """What anybody may post, by path."""
        return {"/login": self._log_in, "/logout": self._log_out}

    def page(self, page: Page) -> Endpoint:
        """The page, for those who are logged in."""

        async def answer(request: Request) -> Response:
            visitor = self._visitor(request)
            if visitor is None:
                return self._to_login(request)
            try:
                return await page(request, visitor)
            except PrincipalError as error:
                log.warning("dashboard_failed", code=error.code, what=error.what)
                return _told("The database does not answer", error.what, status=503, visitor=visitor)

        return answer

    def act(self, act: Act) -> Endpoint:
        """The act, for those who are logged in and sent our own form."""

        async def answer(request: Request) -> Response:
            visitor = self._visitor(request)
            if visitor is None:
                return self._to_login(request)
            given = await pages.form(request)
            if not self._is_own(request) or not hmac.compare_digest(
                given.get("token", "").encode(), visitor.token.encode()
            ):
                what = "The form does not come from this page, or it is older than your login. Nothing was done."
                return _told("Refused", what, status=403, visitor=visitor)
            try:
                done = await act(given)
            except PrincipalError as error:
                return _told("Not done", error.what, status=503, visitor=visitor)
            log.info("operator_acted", path=request.url.path, who=visitor.name, done=done.was_done)
            title = "Done" if done.was_done else "Not done"
            return _told(title, done.what, status=200 if done.was_done else 409, visitor=visitor)

        return answer

    # Login.

    async def _login_page(self, request: Request) -> Response:
        """The way in."""
        return self._ask(request.query_params.get("next", ""))

    async def _log_in(self, request: Request) -> Response:
        """A session for whoever knows the password; after a few wrong ones, a wait."""
        given = await pages.form(request)
        asked_for = given.get("next", "")
        if not self._is_own(request):
            return self._ask(asked_for, status=403, problem="The form was sent from another site.")
        address = request.client.host if request.client else ""
        wait = self._tries.wait_seconds(address)
        if wait:
            problem = f"Too many wrong passwords from your address. Try again in {math.ceil(wait)} seconds."
            return self._ask(asked_for, status=429, problem=problem, retry_after_seconds=math.ceil(wait))
        password = self._settings.dashboard_password
        if password is None or not is_password(given.get("password", ""), password.get_secret_value()):
            self._tries.failed(address)
            log.warning("login_failed", address=address)
            return self._ask(asked_for, status=401, problem="That is not the password.")
        log.info("logged_in", who=OPERATOR)
        return self.enter(OPERATOR, to=asked_for)

    async def _to_github(self, request: Request) -> Response:
        """On to GitHub, with a word that must come back with this browser."""
        if self._visitors is None:
            return self._ask("")
        state = self._sessions.state()
        to = self._visitors.address(state=state, back_to=self._callback(request))
        answer = RedirectResponse(to, status_code=303, headers=pages.HEADERS)
        self._keep(answer, STATE_COOKIE, state)
        self._keep(answer, NEXT_COOKIE, quote(_inside(request.query_params.get("next", "")), safe=""))
        return answer

    async def _from_github(self, request: Request) -> Response:
        """A session for a member of the organisation."""
        given, kept = request.query_params, request.cookies
        if self._visitors is None or not self._sessions.knows_state(given.get("state", ""), kept.get(STATE_COOKIE)):
            return self._ask("", status=403, problem="The login was not begun in this browser, or took too long.")
        if not given.get("code"):
            return self._ask("", status=403, problem="GitHub was told no.")
        try:
            login = await self._visitors.member(given["code"], back_to=self._callback(request))
        except PrincipalError as error:
            log.warning("login_failed", address=request.client.host if request.client else "")
            return self._ask("", status=503 if isinstance(error, Transient) else 403, problem=f"{error.what}.")
        log.info("logged_in", who=login)
        answer = self.enter(login, to=unquote(kept.get(NEXT_COOKIE, "")))
        for name in (STATE_COOKIE, NEXT_COOKIE):
            answer.delete_cookie(name, path="/login", httponly=True, samesite="lax", secure=self._is_secure)
        return answer

    def _keep(self, answer: Response, name: str, value: str) -> None:
        answer.set_cookie(
            name,
            value,
            max_age=ON_GITHUB_SECONDS,
            path="/login",
            httponly=True,
            samesite="lax",
            secure=self._is_secure,
        )

    def _callback(self, request: Request) -> str:
        """Our own address for GitHub, which sends nobody to one that the App does not list."""
        root = self._settings.public_url or f"{request.url.scheme}://{request.headers.get('host', '')}"
        return f"{root.rstrip('/')}{CALLBACK_PATH}"

    async def _log_out(self, request: Request) -> Response:
        """No session, for whoever sends our own form."""
        visitor = self._visitor(request)
        given = await pages.form(request)
        answer = RedirectResponse("/login", status_code=303, headers=pages.HEADERS)
        if visitor is not None and self._is_own(request) and given.get("token") == visitor.token:
            answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="lax", secure=self._is_secure)
        return answer

    def enter(self, name: str, *, to: str) -> Response:
        """The page that was asked for, with a session in this name."""
        answer = RedirectResponse(_inside(to), status_code=303, headers=pages.HEADERS)
        answer.set_cookie(
            COOKIE,
            self._sessions.open(name),
            max_age=int(SESSION_SECONDS),
            path="/",
            httponly=True,
            samesite="lax",
            secure=self._is_secure,
        )
        return answer

    def _ask(
        self, asked_for: str, *, status: int = 200, problem: str = "", retry_after_seconds: int | None = None
    ) -> Response:
        answer = pages.answer(
            "dashboard/login.html.j2",
            status=status,
            visitor=None,
            asked_for=_inside(asked_for),
            problem=problem,
            by_password=self._settings.dashboard_password is not None,
            organisation=self._settings.dashboard_org,
        )
        if retry_after_seconds is not None:
            answer.headers["Retry-After"] = str(retry_after_seconds)
        return answer

    def _to_login(self, request: Request) -> Response:
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        asked_for = quote(path[:NEXT_AT_MOST_CHARACTERS], safe="") if request.method == "GET" else ""
        to = f"/login?next={asked_for}" if asked_for not in ("", "%2F") else "/login"
        return RedirectResponse(to, status_code=303, headers=pages.HEADERS)

    def _visitor(self, request: Request) -> Visitor | None:
        return self._sessions.visitor(request.cookies.get(COOKIE))

    def _is_own(self, request: Request) -> bool:
        return pages.is_own(request, public_url=self._settings.public_url)

    @property
    def _is_secure(self) -> bool:
        """Whether browsers may keep the session to encrypted connections: only the operator knows what they see."""
        return (self._settings.public_url or "").startswith("https://")

    @cached_property
    def _sessions(self) -> Sessions:
        settings = self._settings
        password = settings.dashboard_password.get_secret_value() if settings.dashboard_password else ""
        return Sessions(self._engine.secret_key, login=f"{password}\0{settings.dashboard_org or ''}")


def _visitors(settings: Settings) -> Visitors | None:
    identifier, secret, organisation = settings.github_client_id, settings.github_client_secret, settings.dashboard_org
    if identifier is None or secret is None or organisation is None:
        return None
    return Visitors(
        client_id=identifier,
        client_secret=secret.get_secret_value(),
        organisation=organisation,
        server_url=settings.github_server_url,
        api_url=settings.github_api_url,
    )


def _told(title: str, what: str, *, status: int, visitor: Visitor) -> Response:
    return pages.answer("dashboard/told.html.j2", status=status, visitor=visitor, title=title, what=what)


def _inside(path: str) -> str:
    """The path, if it is one of ours; the first page otherwise, since browsers read two slashes as another site."""
    is_ours = path.startswith("/") and path[1:2] not in ("/", "\\") and path.isprintable()
    return path[:NEXT_AT_MOST_CHARACTERS] if is_ours else "/"
