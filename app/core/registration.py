"""The GitHub App as it is asked for: a person's answers → a `NewApp` → the manifest that GitHub makes an App of.

https://docs.github.com/en/apps/sharing-github-apps/registering-a-github-app-from-a-manifest
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode, urlsplit

PERMISSIONS = {
    "checks": "write",
    "contents": "read",
    "issues": "write",
    "metadata": "read",
    "pull_requests": "write",
}
"""What the App may do, and every token at most; docs/permissions.md says why. A narrower token cannot be misused for more."""
MEMBERS = "members"
"""To be read by Apps whose dashboard lets an organisation's members in, and by no other: no review needs to know them."""
EVENTS = ("issue_comment", "pull_request", "pull_request_review_comment", "repository")
"""What the App is told of. Installations and its own check runs it hears of without asking."""
LEVELS = ("read", "write", "admin")

NAME = "principal"
NAME_AT_MOST_CHARACTERS = 34
WEBHOOK_PATH = "/webhooks/github"
SETUP_PATH = "/setup"
CALLBACK_PATH = "/login/github/callback"
"""Where GitHub brings people who log in to the dashboard."""
GITHUB = "github.com"
ENTERPRISE_CLOUD = ".ghe.com"

_ORGANISATION = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})", re.ASCII)
_CODE = re.compile(r"[A-Za-z0-9_-]{1,200}", re.ASCII)


class Unusable(Exception):
    """Answers that make no App: what is wrong with each field, by its name."""

    def __init__(self, reasons: Mapping[str, str]) -> None:
        super().__init__("; ".join(reasons.values()))
        self.reasons = dict(reasons)


@dataclass(frozen=True, slots=True)
class NewApp:
    """An App that can be asked for. Without an `organisation` it belongs to the person who creates it."""

    name: str
    organisation: str
    server_url: str
    api_url: str
    public_url: str
    webhook_url: str

    def form_url(self, state: str) -> str:
        """Where the manifest is posted to; GitHub brings `state` back, so that we know our own errand."""
        owner = f"/organizations/{quote(self.organisation, safe='')}" if self.organisation else ""
        return f"{self.server_url}{owner}/settings/apps/new?{urlencode({'state': state})}"

    def manifest(self, *, redirect_url: str) -> dict[str, object]:
        """The manifest; GitHub brings the person back to `redirect_url` with a code for the credentials."""
        return {
            "name": self.name,
            "url": self.public_url,
            "description": "Reviews pull requests: few comments, each with its proof.",
            "hook_attributes": {"url": self.webhook_url, "active": True},
            "redirect_url": redirect_url,
            "setup_url": f"{self.public_url}{SETUP_PATH}",
            "callback_urls": [f"{self.public_url}{CALLBACK_PATH}"],
            "public": False,
            "default_permissions": PERMISSIONS,
            "default_events": list(EVENTS),
        }


@dataclass(frozen=True, slots=True)
class Credentials:
    """What GitHub hands out once for a new App, or what a person brings of one that exists."""

    app_id: int
    private_key: str = field(repr=False)
    webhook_secret: str = field(repr=False)
    client_id: str = ""
    client_secret: str = field(default="", repr=False)

    def variables(self) -> dict[str, str]:
        """The credentials under their names in the settings."""
        named = {
            "GITHUB_APP_ID": str(self.app_id),
            "GITHUB_PRIVATE_KEY": self.private_key,
            "GITHUB_WEBHOOK_SECRET": self.webhook_secret,
            "GITHUB_CLIENT_ID": self.client_id,
            "GITHUB_CLIENT_SECRET": self.client_secret,
        }
        return {name: value for name, value in named.items() if value}


@dataclass(frozen=True, slots=True)
class AppFacts:
    """An App as GitHub describes it to itself."""

    id: int
    slug: str
    page_url: str
    permissions: Mapping[str, str]
    events: tuple[str, ...]

    @property
    def install_url(self) -> str:
        """Where a person installs it."""
        return f"{self.page_url}/installations/new"

    @property
    def lacking(self) -> tuple[str, ...]:
        """What the App should have and has not, a few words each; more than it needs is no lack."""
        weak = [f"permission {name}: {level}" for name, level in PERMISSIONS.items() if not self.may(name, level)]
        return (*weak, *(f"event {name}" for name in EVENTS if name not in self.events))

    @property
    def beyond(self) -> tuple[str, ...]:
        """What the App may do and does not need to."""
        return tuple(
            f"permission {name}: {level}"
            for name, level in sorted(self.permissions.items())
            if name not in PERMISSIONS or _rank(level) > _rank(PERMISSIONS[name])
        )

    def may(self, name: str, level: str) -> bool:
        """Whether the App has this permission, at this level or a higher one."""
        return _rank(self.permissions.get(name, "")) >= _rank(level)


@dataclass(frozen=True, slots=True)
class Registered:
    """A new App: what it is, and its credentials."""

    facts: AppFacts
    credentials: Credentials


def read(answers: Mapping[str, str], *, server_url: str, api_url: str | None) -> NewApp:
    """The App that these answers ask for; `server_url` and `api_url` where the operator has set them.

    Raises `Unusable` with a sentence for every field that is wrong.
    """
    given = {name: answers.get(name, "").strip() for name in ("name", "organisation", "server_url", "public_url")}
    server = given["server_url"].rstrip("/") or server_url
    public = given["public_url"].rstrip("/")
    webhook = answers.get("webhook_url", "").strip() or f"{public}{WEBHOOK_PATH}"
    reasons = {
        "name": _wrong_name(given["name"]),
        "organisation": _wrong_organisation(given["organisation"]),
        "server_url": _wrong_address(server, path=False),
        "public_url": _wrong_address(public),
    }
    if not reasons["public_url"]:
        reasons["webhook_url"] = _wrong_webhook(webhook, server)
    if any(reasons.values()):
        raise Unusable({name: reason for name, reason in reasons.items() if reason})
    own_api = api_url if server == server_url and api_url else api_url_of(server)
    return NewApp(given["name"], given["organisation"], server, own_api, public, webhook)


def api_url_of(server_url: str) -> str:
    """The REST root of a GitHub: github.com's, an Enterprise Cloud's with data residency, or an Enterprise Server's.

    https://docs.github.com/en/enterprise-server@3.19/rest/using-the-rest-api/getting-started-with-the-rest-api
    """
    parts = urlsplit(server_url)
    host = parts.hostname or ""
    if host == GITHUB or host.endswith(ENTERPRISE_CLOUD):
        return f"https://api.{host}"
    return f"{server_url}/api/v3"


def is_code(text: str) -> bool:
    """Whether this can be the code that GitHub sends a person back with."""
    return _CODE.fullmatch(text) is not None


def is_loopback(url: str) -> bool:
    """Whether an address names the machine that asks."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback or ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _wrong_name(name: str) -> str:
    if not name:
        return "The App needs a name"
    if len(name) > NAME_AT_MOST_CHARACTERS:
        return f"GitHub allows {NAME_AT_MOST_CHARACTERS} characters"
    return "" if name.isprintable() else "The name holds a character that cannot be shown"


def _wrong_organisation(login: str) -> str:
    return "" if not login or _ORGANISATION.fullmatch(login) else "This is not the name of an organisation"


def _wrong_address(url: str, *, path: bool = True) -> str:
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1) > 0
    except ValueError:
        sound = False
    if not sound or "@" in parts.netloc or parts.query or parts.fragment or not url.isprintable() or " " in url:
        return "This is not an address (https://HOST)"
    return "" if path or not parts.path.strip("/") else "An address without a path is needed (https://HOST)"


def _wrong_webhook(url: str, server_url: str) -> str:
    if _wrong_address(url):
        return _wrong_address(url)
    if is_loopback(url) and not is_loopback(server_url):
        return "GitHub cannot reach this machine's own address: give a public one, or a channel's (docs/development.md)"
    return ""


def _rank(level: str) -> int:
    return LEVELS.index(level) if level in LEVELS else -1
