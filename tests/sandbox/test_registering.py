"""An App from its manifest: what GitHub refuses, what it hands out once, and the App at work on an account."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from app.sandbox import Sandbox
from tests.sandbox.http_client import Reply, app_jwt, call, web
from tests.sandbox.listener import Listener

BACK = "http://bot.example/setup/created"
MANIFEST: dict[str, Any] = {
    "name": "Our reviewer",
    "url": "http://bot.example",
    "redirect_url": BACK,
    "public": False,
    "default_permissions": {"pull_requests": "write", "contents": "read"},
    "default_events": ["pull_request"],
}


class Clock:
    def __init__(self) -> None:
        self.time = datetime.now(UTC).replace(microsecond=0)

    def __call__(self) -> datetime:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def github(clock: Clock) -> Iterator[Sandbox]:
    with Sandbox(clock=clock) as sandbox:
        sandbox.create_repository("acme/shop", install=False)
        yield sandbox


def ask(github: Sandbox, manifest: object = None, *, owner: str = "") -> Reply:
    """The page that asks for the name, as a form of another site brings a person there."""
    text = manifest if isinstance(manifest, str) else json.dumps(manifest or MANIFEST)
    path = f"{f'/organizations/{owner}' if owner else ''}/settings/apps/new?state=s1"
    return web(github, path, method="POST", form=urlencode({"manifest": text}), origin="http://bot.example")


def create(github: Sandbox, manifest: object = None, *, owner: str = "", name: str = "Our reviewer") -> Reply:
    path = f"{f'/organizations/{owner}' if owner else ''}/settings/apps"
    form = {"manifest": json.dumps(manifest or MANIFEST), "state": "s1", "name": name}
    return web(github, path, method="POST", form=urlencode(form), origin=github.url)


def code_of(reply: Reply) -> str:
    assert reply.status == 302, reply.body
    back = urlsplit(reply.headers["location"])
    assert f"{back.scheme}://{back.netloc}{back.path}" == BACK
    assert parse_qs(back.query)["state"] == ["s1"]
    return parse_qs(back.query)["code"][0]


def convert(github: Sandbox, code: str) -> Reply:
    return call(github, "POST", f"/app-manifests/{code}/conversions")


def test_an_app_is_created_its_credentials_fetched_once_and_it_hears_of_its_installation(github: Sandbox) -> None:
    with Listener() as bot:
        manifest = {**MANIFEST, "hook_attributes": {"url": bot.url}, "setup_url": "http://bot.example/setup"}
        page = ask(github, manifest, owner="acme")
        assert page.status == 200
        assert bot.url in unescape(page.body)
        assert "form-action 'self' http://bot.example;" in page.headers["content-security-policy"]
        code = code_of(create(github, manifest, owner="acme"))
        given = convert(github, code)
        assert (given.status, convert(github, code).status) == (201, 404)
        made = given.body
        assert (made["slug"], made["owner"]["login"], made["events"]) == ("our-reviewer", "acme", ["pull_request"])
        assert made["permissions"] == {"metadata": "read", "pull_requests": "write", "contents": "read"}

        token = app_jwt(github, key=made["pem"], iss=str(made["id"]))
        assert call(github, "GET", "/app", token=token).body["installations_count"] == 0
        install = f"/apps/{made['slug']}/installations"
        offered = re.findall(r'name="account" value="([^"]+)"', web(github, f"{install}/new").body)
        assert offered == ["acme"], "a private App is installed by its owner only"
        assert web(github, install, method="POST", form="account=you", origin=github.url).status == 404
        done = web(github, install, method="POST", form="account=acme", origin=github.url)
        assert re.fullmatch(
            r"http://bot\.example/setup\?installation_id=\d+&setup_action=install", done.headers["location"]
        )
        assert github.settle()
        assert [request.headers["x-github-event"] for request in bot.requests] == ["installation"]
        assert bot.requests[0].headers["x-github-hook-installation-target-id"] == str(made["id"])
        assert call(github, "GET", "/app", token=token).body["installations_count"] == 1
        assert len(call(github, "GET", "/app/hook/deliveries", token=token).body) == 1
        assert call(github, "GET", "/app/hook/deliveries", token=app_jwt(github)).body == [], "another App's log"


def test_a_code_ends_after_an_hour(github: Sandbox, clock: Clock) -> None:
    code = code_of(create(github))
    clock.time += timedelta(hours=1)
    assert convert(github, code).status == 404
    assert convert(github, "no-code").status == 404


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("{", "not JSON"),
        ("[]", "not a JSON object"),
        ({"url": "nowhere"}, "url must be a valid URL"),
        ({"redirect_url": None}, "redirect_url must be a valid URL"),
        ({"hook_attributes": {"active": True}}, "hook_attributes.url is required"),
        ({"default_permissions": {"everything": "write"}}, "not included in the list: everything"),
        ({"default_events": ["check_run"]}, "Default events unsupported: check_run"),
        ({"default_events": ["issue_comment"]}, "not supported by permissions: issue_comment"),
    ],
)
def test_a_manifest_that_makes_no_app_is_refused_with_its_reason(change: Any, reason: str, github: Sandbox) -> None:
    refused = ask(github, change if isinstance(change, str) else {**MANIFEST, **change})
    assert refused.status == 422
    assert reason in unescape(refused.body)
    assert "Create GitHub App for you</button>" not in refused.body


@pytest.mark.parametrize(
    ("name", "reason"), [(" ", "blank"), ("x" * 35, "too long"), ("PRINCIPAL", "already been taken")]
)
def test_a_name_that_cannot_be_is_asked_for_again(name: str, reason: str, github: Sandbox) -> None:
    refused = create(github, name=name)
    assert refused.status == 422
    assert reason in unescape(refused.body)
    assert "Create GitHub App for you</button>" in refused.body


def test_nothing_is_created_for_strangers_or_from_another_site(github: Sandbox) -> None:
    form = urlencode({"manifest": json.dumps(MANIFEST), "name": "x"})
    evil = web(github, "/settings/apps", method="POST", form=form, origin="https://evil.example")
    assert evil.status == 403
    assert ask(github, owner="nobody").status == 404
    assert ask(github, owner="you").status == 404, "a person is no organisation"
    assert web(github, "/settings/apps/new").status == 404
    assert web(github, "/apps/absent/installations/new").status == 404
