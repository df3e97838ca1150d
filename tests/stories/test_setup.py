"""From a server that knows no App to its first posted review, by forms over HTTP; and who is kept from setting it up."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest

from app import identity
from app.errors import Code, UserError
from app.sandbox import Sandbox
from app.settings import Settings
from tests.fakes.browser import Browser
from tests.stories.bot import ROOT, completed, wait_for
from tests.stories.serving import Serving, a_repository, unconfigured

SECRET = "a webhook secret for the tests"


@pytest.fixture
def github() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


def the_form(serving: Serving) -> Browser:
    """A person who has shown the token, before the form for a new App."""
    person = Browser().open(serving.link)
    assert person.status == 200
    return person.submit()


def test_from_nothing_configured_to_the_first_review(github: Sandbox, tmp_path: Path) -> None:
    """One server from its first start to a review; the person only reads pages and presses buttons."""
    repository, change = a_repository(github)
    with Serving(unconfigured(tmp_path / "data")) as serving:
        webhook = Browser().open(f"{serving.url}/webhooks/github", form={})
        assert (webhook.status, json.loads(webhook.text)["status"]) == (503, "refused_503")
        assert Browser().open(f"{serving.url}/ready").status == 503
        assert Browser().open(f"{serving.url}/health").status == 200
        assert Browser().open(serving.url).url == f"{serving.url}/setup"

        person = the_form(serving)
        person.submit(organisation="acme", server_url=github.url)
        assert person.status == 200
        assert f"form-action 'self' {github.url}" in person.headers["content-security-policy"]
        person.submit()
        assert person.url.startswith(f"{github.url}/organizations/acme/settings/apps/new?state=")
        person.submit(name="acme reviewer")
        assert person.url.startswith(f"{serving.url}/setup/created?code=")
        assert person.status == 200, person.text
        assert person.headers["cache-control"] == "no-store"

        person.follow("Install acme-reviewer")
        person.submit()
        assert person.url.startswith(f"{serving.url}/setup?installation_id=")
        assert "Principal is set up" in person.text
        assert person.forms == []
        wait_for(lambda: Browser().open(f"{serving.url}/ready").status == 200, why="it is not ready")

        pull = repository.open_pull(files=change, title="Charge")
        assert pull.delivery is not None
        assert pull.delivery.status_code == 202
        completed(pull)
        assert "without a limit" in pull.review_comments[0].body
        assert pull.reviews[0].user.login == "acme-reviewer[bot]"

        assert Browser().open(f"{serving.url}/setup/session", form={"token": serving.link[-43:]}).status in (404, 405)
        assert Browser().open(f"{serving.url}/setup/import").status == 404
    assert serving.failure is None

    file = tmp_path / "data" / identity.FILE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    settings = Settings.load(unconfigured(tmp_path / "data"))
    assert settings.app() is not None, "the next start finds the App"
    assert (settings.github_server_url, settings.public_url) == (github.url, serving.url)


def test_credentials_for_a_secret_manager_are_shown_once_and_written_nowhere(github: Sandbox, tmp_path: Path) -> None:
    with Serving(unconfigured(tmp_path / "data", GITHUB_SERVER_URL=github.url)) as serving:
        person = the_form(serving)
        assert "GITHUB_SERVER_URL" in person.text
        person.submit(keep="show", name="ours").submit().submit()
        shown = unescape(re.search(r"<pre[^>]*><code>(.*?)</code></pre>", person.text, re.DOTALL)[1])
        wait_for(lambda: Browser().open(f"{serving.url}/ready").status == 200, why="it serves without a restart")
    assert not (tmp_path / "data" / identity.FILE).exists()
    variables = dict(line.split("=", 1) for line in shown.splitlines())
    app = Settings.load(variables).app()
    assert app is not None
    assert app.id > github.app.id


def test_an_app_that_exists_is_tried_before_it_is_kept(github: Sandbox, tmp_path: Path) -> None:
    environ = unconfigured(tmp_path / "data", GITHUB_SERVER_URL=github.server_url, GITHUB_API_URL=github.api_url)
    right = {"app_id": str(github.app.id), "private_key": github.private_key, "webhook_secret": SECRET}
    with Serving(environ) as serving:
        person = the_form(serving).follow("Bring it here")
        for change, reason in (
            ({"app_id": "seven"}, "App id is a number"),
            ({"app_id": "7"}, "GITHUB_GONE"),
            ({"private_key": "no key"}, "GITHUB_PRIVATE_KEY is not a private key"),
            ({"webhook_secret": "short"}, "GITHUB_WEBHOOK_SECRET is shorter"),
        ):
            person.submit(**{**right, **change})
            assert person.status == 422
            assert reason in person.text
            assert github.private_key.splitlines()[3] not in person.text
        person.submit(**right)
        assert person.status == 200, person.text
        assert "The App lacks what Principal needs: event repository." in person.text
        wait_for(lambda: Browser().open(f"{serving.url}/ready").status == 200, why="it is not ready")
    assert Settings.load(unconfigured(tmp_path / "data")).app() is not None


def test_an_app_is_brought_on_a_terminal(github: Sandbox, tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    key.write_text(github.private_key)
    environ = unconfigured(tmp_path / "data", GITHUB_SERVER_URL=github.server_url, GITHUB_API_URL=github.api_url)
    command = [sys.executable, "-P", "-m", "app", "setup", "--app-id", str(github.app.id), "--private-key", str(key)]

    def bring() -> subprocess.CompletedProcess[str]:
        names = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environ}
        return subprocess.run(
            command, env=names, cwd="/", input=f"{SECRET}\n", capture_output=True, text=True, check=False
        )

    done = bring()
    assert done.returncode == 0, done.stderr
    assert "GitHub knows it as principal." in done.stdout
    assert "It lacks: event repository." in done.stdout
    assert SECRET not in done.stdout + done.stderr
    assert Settings.load(environ).app() is not None
    again = bring()
    assert (again.returncode, "configured already" in again.stderr) == (2, True)


def test_an_app_is_created_from_a_terminal_and_a_browser_beside_it(github: Sandbox, tmp_path: Path) -> None:
    environ = unconfigured(tmp_path / "data", GITHUB_SERVER_URL=github.server_url, GITHUB_API_URL=github.api_url)
    command = [sys.executable, "-P", "-m", "app", "setup", "--name", "ours", "--public-url", "http://bot.example"]
    names = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environ}
    with subprocess.Popen(command, env=names, cwd="/", stdout=subprocess.PIPE, text=True) as terminal:
        assert terminal.stdout is not None
        link = next(found[0] for line in terminal.stdout if (found := re.search(r"http://127\.0\.0\.1\S+", line)))
        person = Browser().open(link).submit().submit()
        manifest = json.loads(person.forms[0].fields["manifest"])
        assert manifest["hook_attributes"]["url"] == "http://bot.example/webhooks/github"
        assert manifest["redirect_url"].startswith("http://127.0.0.1:")
        assert person.submit().submit().status == 200
        assert "`principal serve` starts the server" in terminal.stdout.read()
        assert terminal.wait(90) == 0
    settings = Settings.load(environ)
    assert settings.app() is not None
    assert settings.public_url == "http://bot.example"


def test_nobody_sets_it_up_who_has_not_seen_the_token(github: Sandbox, tmp_path: Path) -> None:
    with Serving(unconfigured(tmp_path / "data", GITHUB_SERVER_URL=github.url)) as serving:
        stranger = Browser()
        assert stranger.open(f"{serving.url}/setup").forms[0].action == "/setup/session"
        assert stranger.submit(token="a guess").status == 403
        assert stranger.submit(token="ä" * 43).status == 403
        for path in ("app", "import"):
            assert stranger.open(f"{serving.url}/setup/{path}", form={"name": "x", "form_key": ""}).status == 403
        assert "Bring an App" not in stranger.open(f"{serving.url}/setup/import").text
        assert stranger.open(f"{serving.url}/setup/created?code=c&state=s").status == 403

        token = serving.link.rpartition("=")[2]
        evil = Browser().open(
            f"{serving.url}/setup/session", form={"token": token}, headers={"Origin": "https://e.example"}
        )
        assert evil.status == 403, "another site's form does not even use the token up"
        person = the_form(serving)
        (cookie,) = person.cookies
        assert cookie.has_nonstandard_attr("HttpOnly")
        assert cookie.get_nonstandard_attr("SameSite") == "lax"
        assert cookie.path == "/setup"
        assert token not in person.text
        late = Browser().open(serving.link)
        assert late.submit().status == 403
        assert "was used already" in late.text

        fields = person.forms[0].fields
        forged = {**fields, "form_key": "guessed"}
        assert person.open("/setup/app", form=forged).status == 403
        cross = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
        assert person.open("/setup/app", form=fields, headers=cross).status == 403
        sent = person.open("/setup").submit().submit()
        assert sent.url.startswith(github.url)
        assert person.open(f"{serving.url}/setup/created?code=c&state=guessed").status == 400
        assert person.open(f"{serving.url}/setup/created?code=c").status == 400
        assert not (tmp_path / "data" / identity.FILE).exists()


def test_what_github_would_refuse_is_said_at_the_form(github: Sandbox, tmp_path: Path) -> None:
    with Serving(unconfigured(tmp_path / "data")) as serving:
        person = the_form(serving)
        for answers, reason in (
            ({"name": "x" * 35}, "GitHub allows 34 characters"),
            ({"name": " "}, "needs a name"),
            ({"organisation": "../evil"}, "not the name of an organisation"),
            ({"server_url": "javascript:alert(1)"}, "not an address"),
            ({"server_url": "https://github.com/acme"}, "without a path"),
            ({"public_url": "ftp://x"}, "not an address"),
            ({}, "GitHub cannot reach this machine's own address"),
        ):
            person.submit(**answers)
            assert person.status == 422
            assert reason in unescape(person.text)
            person.open("/setup")
        channel = "https://smee.example/abc"
        person.submit(webhook_url=channel)
        assert person.status == 200
        manifest = json.loads(person.forms[0].fields["manifest"])
        assert person.forms[0].action.startswith("https://github.com/settings/apps/new?state=")
        assert manifest["hook_attributes"] == {"url": channel, "active": True}
        assert manifest["redirect_url"] == f"{serving.url}/setup/created"
        assert manifest["public"] is False


def test_a_code_that_is_worth_nothing_leaves_the_set_up_open(github: Sandbox, tmp_path: Path) -> None:
    with Serving(unconfigured(tmp_path / "data", GITHUB_SERVER_URL=github.url)) as serving:
        person = the_form(serving).submit().submit()
        state = person.forms[0].fields["state"]
        for code, reason in (("..%2Fapp", "no code"), ("used-up", "GITHUB_GONE")):
            person.open(f"{serving.url}/setup").submit().submit()
            state = person.forms[0].fields["state"]
            failed = person.open(f"{serving.url}/setup/created?code={code}&state={state}")
            assert failed.status == 400
            assert reason in failed.text
            assert person.open(f"{serving.url}/setup/created?code=again&state={state}").status == 400, (
                "a state is for once"
            )
        person.open(f"{serving.url}/setup").submit(name="ours").submit().submit()
        assert person.status == 200


def test_a_folder_that_takes_no_file_is_told_before_github_is_asked(github: Sandbox, tmp_path: Path) -> None:
    with Serving(unconfigured(tmp_path / "data", GITHUB_SERVER_URL=github.url)) as serving:
        person = the_form(serving)
        (tmp_path / "data").write_text("not a folder")
        person.submit()
        assert person.status == 422
        assert "PRINCIPAL_DATA_DIR" in person.text


def test_a_secret_without_an_app_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="GITHUB_WEBHOOK_SECRET is set without GITHUB_APP_ID"):
        Serving(unconfigured(tmp_path, GITHUB_WEBHOOK_SECRET=SECRET)).__enter__()


def test_the_file_is_whole_its_owners_alone_and_written_once(tmp_path: Path) -> None:
    variables = {"GITHUB_APP_ID": "7", "GITHUB_WEBHOOK_SECRET": SECRET}
    file = identity.store(tmp_path / "new", variables)
    assert identity.read(tmp_path / "new") == variables
    assert [path.name for path in file.parent.iterdir()] == [identity.FILE]
    with pytest.raises(UserError, match="holds an App already"):
        identity.store(tmp_path / "new", {"GITHUB_APP_ID": "8"})
    assert identity.read(tmp_path / "new") == variables
    assert identity.read(tmp_path / "absent") == {}
    assert Settings.load({"PRINCIPAL_DATA_DIR": str(file.parent)}).github_app_id == 7
    elsewhere = {"PRINCIPAL_DATA_DIR": str(file.parent), "GITHUB_APP_ID": "9"}
    assert Settings.load(elsewhere).github_webhook_secrets == (), (
        "an App of the environment takes nothing from the file"
    )
    file.chmod(0o644)
    with pytest.raises(UserError, match="chmod 600"):
        identity.read(file.parent)


@pytest.mark.parametrize("content", ["{", "[]", '{"GITHUB_APP_ID": 7}', '{"PATH": "/tmp"}'])
def test_a_file_that_no_set_up_wrote_is_refused(content: str, tmp_path: Path) -> None:
    file = tmp_path / identity.FILE
    file.write_text(content)
    file.chmod(0o600)
    with pytest.raises(UserError, match="is damaged") as refused:
        Settings.load({"PRINCIPAL_DATA_DIR": str(tmp_path)})
    assert refused.value.code is Code.SETTINGS_INVALID
