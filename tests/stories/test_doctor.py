"""`principal doctor`: what is in order is said so, and what is wrong is named with the step that mends it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core.registration import EVENTS
from app.doctor import Check, State, examine
from app.sandbox import Sandbox
from tests.fakes import postgres
from tests.fakes.models import FakeModels
from tests.sandbox.listener import Listener
from tests.stories.bot import ROOT, environment

MODEL = "openai:gpt-5.4-mini"


@pytest.fixture
def github() -> Iterator[Sandbox]:
    with Sandbox(events=EVENTS) as sandbox:
        sandbox.create_repository("acme/shop")
        yield sandbox


def look(environ: dict[str, str], **more) -> dict[str, Check]:
    return {check.name: check for check in asyncio.run(examine(environ, **more))}


def deliver(github: Sandbox, status: int) -> Listener:
    """An App whose last webhook was answered so."""
    with Listener(status) as server:
        github.webhook(server.url)
        github.repository("acme/shop").open_pull(files={f"{status}.txt": "x\n"})
    return server


def test_everything_in_order_is_said_line_by_line(github: Sandbox, tmp_path: Path) -> None:
    server = deliver(github, 202)
    root = server.url.removesuffix("/webhooks/github")
    with FakeModels() as models:
        models.will_reply({"ok": True})
        own = {"PRINCIPAL_MODEL": MODEL, "PRINCIPAL_PUBLIC_URL": root, **models.environment()}
        seen = look(environment(github, tmp_path, **own))
        assert len(models.requests) == 1
    assert {check.state for check in seen.values()} == {State.OK}, seen
    names = ["settings", "credentials", "disk", "database", "git", "github", "clock", "app", "installations"]
    assert list(seen) == [*names, "webhook", "deliveries", f"model {MODEL}"]
    assert "exactly the permissions" in seen["app"].what
    assert "the last one was taken" in seen["deliveries"].what
    assert not any(check.step for check in seen.values())


def test_what_is_wrong_at_github_is_named_with_its_step(tmp_path: Path) -> None:
    held = {"metadata": "read", "contents": "read", "pull_requests": "read", "checks": "write", "statuses": "write"}
    with Sandbox(permissions=held) as github:
        repository = github.create_repository("acme/shop")
        url = deliver(github, 401).url
        seen = look(environment(github, tmp_path, PRINCIPAL_PUBLIC_URL="http://elsewhere.example"))
        assert seen["app"].state is State.WRONG
        for lack in ("permission issues: write", "permission pull_requests: write", "event repository"):
            assert lack in seen["app"].what
        assert "accept them in every installation" in seen["app"].step
        # What the dashboard alone needs is asked for where it is used.
        assert "members" not in seen["app"].what
        assert (seen["webhook"].state, url in seen["webhook"].what) == (State.WARNING, True)
        assert "1 failed" in seen["deliveries"].what
        assert "GITHUB_WEBHOOK_SECRET" in seen["deliveries"].step
        assert seen["model"].state is State.OK

        github.suspend(deliver=False)
        github.webhook(None)
        ahead = look(environment(github, tmp_path), clock=lambda: time.time() + 3600)
        assert "1 suspended" in ahead["installations"].what
        assert "sends no webhooks" in ahead["webhook"].what
        assert ahead["clock"].state is State.WRONG
        assert "ahead of GitHub's" in ahead["clock"].what
        github.uninstall(repository.state.owner.login, deliver=False)
        assert "/installations/new" in look(environment(github, tmp_path))["installations"].step


def test_an_app_that_github_does_not_know_and_a_github_that_does_not_answer(github: Sandbox, tmp_path: Path) -> None:
    strange = look(environment(github, tmp_path, GITHUB_APP_ID="7"))
    assert "belong together" in strange["app"].step
    assert strange["deliveries"].state is State.SKIPPED
    away = look(environment(github, tmp_path, GITHUB_API_URL="http://127.0.0.1:9/api/v3"))
    assert away["github"].state is State.WRONG
    assert "GITHUB_API_URL" in away["github"].step
    assert {away[name].state for name in ("clock", "app", "installations", "webhook", "deliveries")} == {State.SKIPPED}


def test_a_model_that_refuses_the_key_is_named(github: Sandbox, tmp_path: Path) -> None:
    with FakeModels() as models:
        wrong = models.environment() | {"OPENAI_API_KEY": "sk-not-this-one-0123456789", "PRINCIPAL_MODEL": MODEL}
        seen = look(environment(github, tmp_path) | wrong)[f"model {MODEL}"]
        unasked = look(environment(github, tmp_path) | wrong, ask_models=False)
    assert seen.state is State.WRONG
    assert "OPENAI_API_KEY" in seen.step
    assert unasked["model"].state is State.SKIPPED


def test_a_dashboard_for_members_of_an_organisation_needs_an_app_that_may_ask_for_them(
    github: Sandbox, tmp_path: Path
) -> None:
    by_org = {"PRINCIPAL_DASHBOARD_ORG": "acme", "GITHUB_CLIENT_ID": "Iv1", "GITHUB_CLIENT_SECRET": "of the App"}
    seen = look(environment(github, tmp_path, **by_org))["app"]
    assert seen.state is State.WRONG
    assert "“Members: read”" in seen.step


def test_a_postgresql_that_can_be_used_is_told_by_its_version_and_without_its_password() -> None:
    with postgres.any_server() as private, postgres.address(private) as address:
        seen = look({"DATABASE_URL": address, "GITHUB_API_URL": "http://127.0.0.1:9"})["database"]
    assert seen.state is State.OK
    assert re.fullmatch(r"PostgreSQL \d+[.\d]* .*at [\w.-]+", seen.what), seen.what


def test_this_machine_is_looked_at_too(tmp_path: Path) -> None:
    assert look({"PORT": "many"})["settings"].state is State.WRONG
    (tmp_path / "broken.db").write_bytes(b"no database" * 100)
    environ = {"PRINCIPAL_DATA_DIR": str(tmp_path), "GITHUB_API_URL": "http://127.0.0.1:9"}
    seen = look({**environ, "DATABASE_URL": f"sqlite:///{tmp_path}/broken.db"})
    assert "cannot be written" in seen["database"].what
    assert "principal setup" in seen["credentials"].step
    assert seen["model"].state is State.WARNING
    away = look({**environ, "DATABASE_URL": "postgresql://bot:hidden@127.0.0.1:9/principal"})["database"]
    assert away.state is State.WRONG
    assert "hidden" not in away.what
    half = look({**environ, "GITHUB_APP_ID": "7"})["credentials"]
    assert "GITHUB_PRIVATE_KEY" in half.what


def test_a_person_reads_lines_and_a_program_json(github: Sandbox, tmp_path: Path) -> None:
    deliver(github, 202)
    names = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environment(github, tmp_path)}

    def doctor(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-P", "-m", "app", "doctor", *arguments]
        return subprocess.run(command, env=names | more, cwd="/", capture_output=True, text=True, check=False)

    fine = doctor("--json")
    assert fine.returncode == 0, fine.stderr
    told = json.loads(fine.stdout)
    assert told["ok"] is True
    assert {check["state"] for check in told["checks"]} == {"ok"}
    ill = doctor(GITHUB_APP_ID="7")
    assert ill.returncode == 1
    assert "✗ app" in ill.stdout
    assert "→ GITHUB_APP_ID and the private key must belong together" in ill.stdout
    assert github.private_key.splitlines()[2] not in ill.stdout + fine.stdout
