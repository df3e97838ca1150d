"""`/setup`: from a server that knows no App to one that has its credentials, in a person's browser. Open once, then closed.

token, printed at the start ─► session ─► answers ─► manifest ─ the person confirms it at GitHub ─► code ─► credentials, kept
                                       └► an App that exists ─────────────────────────────────────► credentials, kept

Whoever gets through decides which App the server is. So: a token of 256 bits, used up by its first use and compared in constant
time; a cookie that no script reads and no other site's form brings; a state that GitHub brings back; an origin that is ours.
"""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.background import BackgroundTask

from app import identity
from app.core import registration
from app.core.registration import AppFacts, Credentials, NewApp, Unusable
from app.errors import PrincipalError, UserError
from app.github import App
from app.github.registration import convert
from app.settings import Settings
from app.telemetry import log
from app.web import pages

PATH: Final = registration.SETUP_PATH
CREATED: Final = f"{PATH}/created"
COOKIE = "principal_setup"
TOKEN_BYTES = 32
NOT_YET = "This server is not connected to a GitHub App yet: open /setup with the address that was printed at its start"

Variables = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Errand:
    """An App that a person was sent to GitHub for; `state` is what they must come back with."""

    state: str
    new: NewApp
    show: bool


class Setup:
    """The set-up of one server. `done` is called once, after the answer, with the variables that make it an App's server."""

    def __init__(
        self, settings: Settings, *, done: Callable[[Variables], None], answers: Mapping[str, str] | None = None
    ) -> None:
        """`answers` fill the form: name, organisation, public_url, webhook_url."""
        self.token = secrets.token_urlsafe(TOKEN_BYTES)
        self._settings = settings
        self._done = done
        self._answers = dict(answers or {})
        self._token_used = False
        self._session = secrets.token_urlsafe(TOKEN_BYTES)
        self._form_key = secrets.token_urlsafe(TOKEN_BYTES)
        self._errand: Errand | None = None
        self._over = False

    def link(self, root: str) -> str:
        """The address to open, with the token."""
        return f"{root}{PATH}?token={self.token}"

    def application(self) -> FastAPI:
        """What is served until the set-up is done: its pages, and a refusal for webhooks."""
        app = FastAPI(title="Principal", openapi_url=None, docs_url=None, redoc_url=None)
        app.include_router(pages.assets())
        app.add_api_route("/health", _alive, methods=["GET"])
        app.add_api_route("/ready", _not_ready, methods=["GET"])
        app.add_api_route("/webhooks/github", _no_webhooks, methods=["POST"])
        app.add_api_route("/", _to_the_setup, methods=["GET"])
        app.add_api_route(PATH, self._start, methods=["GET"])
        app.add_api_route(f"{PATH}/session", self._enter, methods=["POST"])
        app.add_api_route(f"{PATH}/app", self._ask, methods=["POST"])
        app.add_api_route(CREATED, self._created, methods=["GET"])
        app.add_api_route(f"{PATH}/import", self._import_form, methods=["GET"])
        app.add_api_route(f"{PATH}/import", self._import, methods=["POST"])
        return app

    # Who may.

    async def _start(self, request: Request) -> Response:
        """The form for a new App; for whoever has not shown the token, the form for the token."""
        if self._over:
            return closed()
        if not self._knows(request):
            return self._token_page(given=request.query_params.get("token", ""))
        return self._form_page(request, self._answers, {})

    async def _enter(self, request: Request) -> Response:
        """The token for a session. The token is used up by it."""
        given = (await pages.form(request)).get("token", "").strip()
        if not self._is_ours(request) or not _equal(given, self.token):
            return self._token_page(status=403, wrong="This is not the token that the server printed at its start.")
        if self._token_used:
            wrong = "The token was used already. If that was not you, somebody else saw it: start the server again."
            return self._token_page(status=403, wrong=wrong)
        self._token_used = True
        log.info("setup_entered")
        answer = RedirectResponse(PATH, 303, pages.HEADERS)
        secure = urlsplit(self._root(request)).scheme == "https"
        answer.set_cookie(COOKIE, self._session, path=PATH, httponly=True, samesite="lax", secure=secure)
        return answer

    def _knows(self, request: Request) -> bool:
        return _equal(request.cookies.get(COOKIE, ""), self._session)

    def _may_post(self, request: Request, form: Mapping[str, str]) -> bool:
        key = form.get("form_key", "")
        return not self._over and self._knows(request) and self._is_ours(request) and _equal(key, self._form_key)

    def _is_ours(self, request: Request) -> bool:
        return pages.is_own(request, public_url=self._settings.public_url)

    # A new App.

    async def _ask(self, request: Request) -> Response:
        """What will be asked of GitHub, and the button that asks for it; the form again where an answer is wrong."""
        form = await pages.form(request)
        if not self._may_post(request, form):
            return self._token_page(status=403)
        shows = form.get("keep") == "show"
        try:
            new = registration.read(form, server_url=self._settings.github_server_url, api_url=self._own_api)
            if not shows:
                identity.check(self._settings.data_dir)
        except Unusable as unusable:
            return self._form_page(request, form, unusable.reasons)
        except UserError as error:
            return self._form_page(request, form, {"keep": error.what})
        self._errand = Errand(secrets.token_urlsafe(TOKEN_BYTES), new, shows)
        manifest = new.manifest(redirect_url=f"{self._root(request)}{CREATED}")
        return pages.answer(
            "setup/confirm.html.j2",
            forms_go_to=new.server_url,
            new=new,
            action=new.form_url(self._errand.state),
            manifest=json.dumps(manifest),
            permissions=registration.PERMISSIONS,
            events=registration.EVENTS,
        )

    async def _created(self, request: Request) -> Response:
        """GitHub sends the person here with a code: it is exchanged for the credentials, once."""
        if self._over:
            return closed()
        if not self._knows(request):
            return self._token_page(status=403)
        errand, code = self._errand, request.query_params.get("code", "")
        if errand is None or not _equal(request.query_params.get("state", ""), errand.state):
            return self._failed(
                "This answer of GitHub belongs to no errand of this page.", "Start again from the form."
            )
        self._errand = None
        if not registration.is_code(code):
            return self._failed("GitHub brought no code back.", "Start again from the form.")
        try:
            made = await convert(code, api_url=errand.new.api_url)
        except PrincipalError as error:
            log.warning("setup_failed", code=error.code, what=error.what)
            action = (
                "An App that was created without its credentials can be deleted in GitHub's settings; then start again."
            )
            return self._failed(f"The App's credentials could not be fetched: {error}.", action)
        places = {
            "GITHUB_API_URL": errand.new.api_url,
            "GITHUB_SERVER_URL": errand.new.server_url,
            "PRINCIPAL_PUBLIC_URL": errand.new.public_url,
        }
        return self._keep({**made.credentials.variables(), **places}, made.facts, show=errand.show)

    # An App that exists.

    async def _import_form(self, request: Request) -> Response:
        if self._over or not self._knows(request):
            return RedirectResponse(PATH, 303, pages.HEADERS)
        return self._import_page({})

    async def _import(self, request: Request) -> Response:
        """The credentials of an App, proven to GitHub before they are kept."""
        form = await pages.form(request)
        if not self._may_post(request, form):
            return self._token_page(status=403)
        try:
            credentials = _brought(form)
            places = {
                "GITHUB_API_URL": self._settings.github_api_url,
                "GITHUB_SERVER_URL": self._settings.github_server_url,
            }
            variables = {**credentials.variables(), **places}
            facts = await prove(variables)
        except PrincipalError as error:
            return self._import_page(form, wrong=str(error))
        return self._keep(variables, facts, show=form.get("keep") == "show")

    # The end.

    def _keep(self, variables: Variables, facts: AppFacts, *, show: bool) -> Response:
        """The last page. What cannot be written is shown instead: GitHub gives it out only once."""
        wrong = ""
        if not show:
            try:
                identity.store(self._settings.data_dir, variables)
            except UserError as error:
                show, wrong = True, error.what
        self._over = True
        log.info("setup_done", app_id=facts.id, stored=not show)
        answer = pages.answer(
            "setup/done.html.j2",
            facts=facts,
            wrong=wrong,
            file=self._settings.data_dir / identity.FILE,
            shown=as_environment(variables) if show else "",
        )
        answer.background = BackgroundTask(self._done, dict(variables))
        return answer

    # Pages.

    def _token_page(self, *, given: str = "", wrong: str = "", status: int = 200) -> Response:
        return pages.answer("setup/token.html.j2", status=status, given=given, wrong=wrong)

    def _form_page(self, request: Request, given: Mapping[str, str], wrong: Mapping[str, str]) -> Response:
        standard = {
            "name": registration.NAME,
            "server_url": self._settings.github_server_url,
            "public_url": self._settings.public_url or self._root(request),
        }
        return pages.answer(
            "setup/start.html.j2",
            status=422 if wrong else 200,
            form_key=self._form_key,
            given={"organisation": "", "webhook_url": "", "keep": "store", **standard, **given},
            wrong=wrong,
            server_is_set="github_server_url" in self._settings.model_fields_set,
            folder=self._settings.data_dir,
        )

    def _import_page(self, given: Mapping[str, str], *, wrong: str = "") -> Response:
        return pages.answer(
            "setup/import.html.j2",
            status=422 if wrong else 200,
            form_key=self._form_key,
            app_id=given.get("app_id", ""),
            wrong=wrong,
            server=self._settings.github_server_url,
            folder=self._settings.data_dir,
        )

    def _failed(self, what: str, action: str) -> Response:
        return pages.answer("setup/failed.html.j2", status=400, what=what, action=action)

    def _root(self, request: Request) -> str:
        """How the person's browser reaches this server, as far as it tells: TLS may end before us."""
        host = request.headers.get("host", "")
        public = self._settings.public_url
        return public if public and urlsplit(public).netloc == host else f"http://{host}"

    @property
    def _own_api(self) -> str | None:
        return self._settings.github_api_url if "github_api_url" in self._settings.model_fields_set else None


def closed() -> Response:
    """What `/setup` says on a server that has its App: also where GitHub brings people after they installed it."""
    return pages.answer("setup/closed.html.j2")


def as_environment(variables: Variables) -> str:
    """The variables as lines for an environment file; line breaks as backslash-n, which the settings read."""
    return "\n".join(f"{name}={value.strip()}".replace("\n", "\\n") for name, value in variables.items())


async def prove(variables: Variables) -> AppFacts:
    """The App that these variables name, as GitHub knows it. Raises `PrincipalError` where they are wrong or GitHub refuses."""
    settings = Settings.load(variables)
    app = settings.app()
    if app is None:
        raise UserError("No App is named")
    key = app.private_key.get_secret_value()
    async with App(app_id=app.id, private_key_pem=key, api_url=settings.github_api_url) as github:
        return await github.facts()


def _brought(form: Mapping[str, str]) -> Credentials:
    number = form.get("app_id", "").strip()
    if not number.isascii() or not number.isdigit():
        raise UserError("The App id is a number: it stands on the App's settings page")
    key = form.get("private_key", "").replace("\r\n", "\n").strip()
    return Credentials(int(number[:19]), f"{key}\n", form.get("webhook_secret", "").strip())


def _equal(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())


async def _alive() -> JSONResponse:
    return JSONResponse({"status": "alive"})


async def _not_ready() -> JSONResponse:
    return JSONResponse({"status": "not ready", "reason": NOT_YET}, 503)


async def _no_webhooks() -> JSONResponse:
    return JSONResponse({"status": "refused_503", "reason": NOT_YET}, 503, {"connection": "close"})


async def _to_the_setup() -> RedirectResponse:
    return RedirectResponse(PATH, 303, pages.HEADERS)
