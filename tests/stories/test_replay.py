"""`principal replay`: what a delivery would post, without posting it; and the delivery once more to the running server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from app.cli import cli
from app.core.registration import EVENTS
from app.sandbox import Sandbox
from tests.sandbox.listener import Listener
from tests.stories.bot import SECRET, environment
from tests.stories.serving import a_repository


@pytest.fixture
def github() -> Iterator[Sandbox]:
    with Sandbox(events=EVENTS) as sandbox:
        yield sandbox


def replay(github: Sandbox, folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["replay", *arguments], env=environment(github, folder))


def test_a_recorded_delivery_shows_what_would_be_posted_and_posts_nothing(github: Sandbox, tmp_path: Path) -> None:
    repository, change = a_repository(github)
    github.install("acme", announce=False)
    with Listener(503) as down:
        github.webhook(down.url)
        pull = repository.open_pull(files=change, title="Charge")
    assert pull.delivery is not None
    bare, whole = tmp_path / "payload.json", tmp_path / "delivery.json"
    bare.write_bytes(down.requests[0].body)
    whole.write_text(json.dumps({"event": "pull_request", "request": {"payload": json.loads(bare.read_text())}}))

    shown = replay(github, tmp_path / "data", pull.delivery.guid)
    assert shown.exit_code == 0, shown.output
    assert "would post the review: POST /repos/acme/shop/pulls/1/reviews" in shown.output
    assert "comments[1].line: 4" in shown.output
    assert "without a limit" in shown.output
    assert "would start the check run" in shown.output
    assert "The review would end as done" in shown.output
    tokens = [one for one in github.requests if one.path.endswith("/access_tokens")]
    assert tokens
    assert all(set(one.body["permissions"].values()) == {"read"} for one in tokens)
    assert {one.method for one in github.requests.rest} == {"GET"}
    assert (pull.reviews, pull.check_runs, pull.issue_comments) == ([], [], [])
    assert not (tmp_path / "data").exists(), "the server's own folder is left alone"

    payload = json.loads(bare.read_text())
    payload["action"] = "assigned"
    bare.write_text(json.dumps(payload))
    assert "Nothing would be done" in replay(github, tmp_path, str(bare)).output
    with Listener(202) as server:
        posted = replay(github, tmp_path, str(whole), "--post", "--to", server.url)
        assert posted.exit_code == 0
        sent = server.requests[0]
        assert sent.headers["x-github-delivery"] != pull.delivery.guid
        assert json.loads(sent.body)["number"] == 1
        assert sent.headers["x-hub-signature-256"].startswith("sha256=")
    assert SECRET not in posted.output


@pytest.mark.parametrize(
    ("content", "reason"), [("{", "not a payload in JSON"), ("[]", "not a payload in JSON"), ("{}", "--event")]
)
def test_a_file_that_is_no_delivery_is_refused(content: str, reason: str, github: Sandbox, tmp_path: Path) -> None:
    file = tmp_path / "payload.json"
    file.write_text(content)
    assert reason in str(replay(github, tmp_path, str(file)).exception)


def test_what_neither_the_disk_nor_github_knows_is_said(github: Sandbox, tmp_path: Path) -> None:
    for unknown in ("7", "2c8ac1e4-0000-0000-0000-000000000000"):
        assert "neither a file nor a delivery" in str(replay(github, tmp_path, unknown).exception)
    alone = CliRunner().invoke(cli, ["replay", "x"], env={"PRINCIPAL_DATA_DIR": str(tmp_path)})
    assert "No App is configured" in str(alone.exception)
