"""The pages on which a person creates an App from a manifest and installs it, as `PERSON`, who owns every organisation here.

form of another site ─ POST /settings/apps/new ─► confirm the name ─ POST …/settings/apps ─► redirect_url?code=&state=
/apps/SLUG/installations/new ─► choose the account ─ POST /apps/SLUG/installations ─► setup_url
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from urllib.parse import urlencode, urlsplit

from starlette.responses import RedirectResponse, Response

from app.sandbox import manifest, registering
from app.sandbox.hub import Hub
from app.sandbox.records import Account, App, Kind

PERSON = "you"
NEW_APP = re.compile(r"(?:/organizations/(?P<owner>[^/]+))?/settings/apps(?P<new>/new)?")
INSTALL = re.compile(r"/(?:github-)?apps/(?P<slug>[^/]+)/installations(?P<new>/new)?")

Page = Callable[..., Response]
"""Renders a template: `page(name, status=…, forms_to=…, **values)`."""


class AppPages:
    """Answers what is about Apps; None for what is not. Raises `LookupError` for accounts and Apps that are not there."""

    def __init__(self, hub: Hub, page: Page) -> None:
        self._hub = hub
        self._page = page

    def show(self, path: str) -> Response | None:
        """A page that needs no form."""
        if (match := INSTALL.fullmatch(path)) is not None and match["new"]:
            app = self._app(match["slug"])
            return self._page("install.html", app=app, accounts=self._accounts(app), forms_to=_origin(app.setup_url))
        if NEW_APP.fullmatch(path) is not None:
            raise LookupError(path)
        return None

    def takes_from_others(self, path: str) -> bool:
        """Whether a form of another site may be sent there: it shows a page and changes nothing."""
        match = NEW_APP.fullmatch(path)
        return match is not None and bool(match["new"])

    def act(self, path: str, query: Mapping[str, str], form: Mapping[str, list[str]]) -> Response | None:
        """What a form does."""
        if (match := NEW_APP.fullmatch(path)) is not None:
            owner = self._owner(match["owner"])
            text, state = _one(form, "manifest"), query.get("state") or _one(form, "state")
            if match["new"]:
                return self._confirm(owner, text, state)
            return self._create(owner, text, state, name=_one(form, "name"))
        if (match := INSTALL.fullmatch(path)) is not None and not match["new"]:
            return self._install(self._app(match["slug"]), _one(form, "account"))
        return None

    def _confirm(self, owner: Account, text: str, state: str, *, name: str = "", reason: str = "") -> Response:
        try:
            wanted = manifest.read(text)
        except manifest.Malformed as malformed:
            return self._page("new_app.html", status=422, owner=owner, wanted=None, reasons=malformed.reasons)
        return self._page(
            "new_app.html",
            status=422 if reason else 200,
            forms_to=_origin(wanted.redirect_url),
            owner=owner,
            wanted=wanted,
            name=name or wanted.name,
            reasons=[reason] if reason else [],
            text=text,
            state=state,
            action=f"/organizations/{owner.login}/settings/apps" if owner.login != PERSON else "/settings/apps",
        )

    def _create(self, owner: Account, text: str, state: str, *, name: str) -> Response:
        try:
            wanted = manifest.read(text)
            with self._hub.lock:
                code = registering.create(self._hub.state, wanted, name=name.strip(), owner=owner)
        except manifest.Malformed as malformed:
            return self._confirm(owner, text, state, name=name, reason="; ".join(malformed.reasons))
        return RedirectResponse(_with(wanted.redirect_url, code=code, **({"state": state} if state else {})), 302)

    def _install(self, app: App, account: str) -> Response:
        with self._hub.transaction() as deliveries:
            owner = next((known for known in self._accounts(app) if known.login == account), None)
            if owner is None:
                raise LookupError(account)
            installation = registering.install(self._hub, app, owner)
        self._hub.webhooks.send_later(deliveries)
        if app.setup_url is None:
            return RedirectResponse(f"/apps/{app.slug}/installations/new", 303)
        return RedirectResponse(_with(app.setup_url, installation_id=str(installation.id), setup_action="install"), 302)

    def _owner(self, organisation: str | None) -> Account:
        if organisation is None:
            return self._hub.state.account(PERSON)
        found = self._hub.state.accounts.get(organisation.lower())
        if found is None or found.kind is not Kind.ORGANIZATION:
            raise LookupError(organisation)
        return found

    def _app(self, slug: str) -> App:
        found = next((known for known in self._hub.state.apps.values() if known.slug == slug), None)
        if found is None:
            raise LookupError(slug)
        return found

    def _accounts(self, app: App) -> list[Account]:
        """Where the person may install an App: a private one only on the account that owns it."""
        known = self._hub.state.accounts.values()
        own = [one for one in known if one.kind is Kind.ORGANIZATION or one.login == PERSON]
        return own if app.public else [one for one in own if one is app.owner]


def _one(form: Mapping[str, list[str]], name: str) -> str:
    return form.get(name, [""])[0]


def _with(url: str, **query: str) -> str:
    return f"{url}{'&' if urlsplit(url).query else '?'}{urlencode(query)}"


def _origin(url: str | None) -> str:
    """Where a form may lead to in the end: browsers hold its redirects to the policy as well."""
    parts = urlsplit(url or "")
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""
