"""Check runs and statuses: who writes them, and how much they hold."""

from __future__ import annotations

from typing import Any

import pytest

from app.sandbox import PullHandle, RepositoryHandle, Sandbox
from tests.sandbox.http_client import call
from tests.sandbox.world import SHOP


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            {"output": {"title": "t", "summary": "x" * 65_536}},
            "Only 65535 characters are allowed; 65536 were supplied.",
        ),
        ({"output": {"title": "t", "summary": "s", "text": "x" * 65_536}}, "Only 65535 characters are allowed"),
        ({"output": {"title": "t"}}, '"summary" wasn\'t supplied.'),
        ({"status": "completed"}, '"conclusion" wasn\'t supplied.'),
        ({"conclusion": "splendid"}, "splendid is not a member of"),
        ({"head_sha": "f" * 40}, "No commit found for SHA"),
        ({"actions": [{"label": "x" * 21, "description": "d", "identifier": "i"}]}, "Only 20 characters are allowed"),
    ],
)
def test_a_check_run_holds_what_github_lets_it_hold(
    change: dict[str, Any], reason: str, github: Sandbox, pull: PullHandle, token: str
) -> None:
    reply = call(
        github, "POST", f"{SHOP}/check-runs", {"name": "principal", "head_sha": pull.head_sha, **change}, token=token
    )
    assert (reply.status, pull.check_runs) == (422, [])
    assert reason in reply.body["message"]


def test_annotations_come_by_fifty_and_add_up(github: Sandbox, pull: PullHandle, token: str) -> None:
    note = {"path": "src/a.ts", "start_line": 20, "end_line": 20, "annotation_level": "failure", "message": "m"}
    run = {"name": "principal", "head_sha": pull.head_sha}
    made = call(github, "POST", f"{SHOP}/check-runs", run, token=token).body
    path = f"{SHOP}/check-runs/{made['id']}"

    def send(count: int) -> int:
        output = {"title": "t", "summary": "s", "annotations": [note] * count}
        return call(github, "PATCH", path, {"output": output}, token=token).status

    assert [send(51), send(50), send(30)] == [422, 200, 200]
    (standing,) = pull.check_runs
    assert len(standing.annotations) == 80
    listed = call(github, "GET", f"{path}/annotations?per_page=100", token=token).body
    assert len(listed) == 80


@pytest.mark.parametrize(
    "change",
    [
        {"start_line": 21, "end_line": 20},
        {"start_line": 20, "end_line": 21, "start_column": 3},
        {"annotation_level": "fatal"},
        {"message": "x" * 65_537},
        {"title": "x" * 256},
    ],
)
def test_an_annotation_that_makes_no_sense_is_refused(
    change: dict[str, Any], github: Sandbox, pull: PullHandle, token: str
) -> None:
    note = {
        "path": "src/a.ts",
        "start_line": 20,
        "end_line": 20,
        "annotation_level": "notice",
        "message": "m",
        **change,
    }
    body = {"name": "n", "head_sha": pull.head_sha, "output": {"title": "t", "summary": "s", "annotations": [note]}}
    assert call(github, "POST", f"{SHOP}/check-runs", body, token=token).status == 422


def test_only_apps_write_check_runs_and_a_person_sets_statuses(
    github: Sandbox, repository: RepositoryHandle, pull: PullHandle
) -> None:
    repository.add_collaborator("maya", "write")
    person = github.user_token("maya")
    refused = call(github, "POST", f"{SHOP}/check-runs", {"name": "n", "head_sha": pull.head_sha}, token=person)
    assert (refused.status, refused.body["message"]) == (403, "You must authenticate via a GitHub App.")
    path = f"{SHOP}/statuses/{pull.head_sha}"
    assert call(github, "POST", path, {"state": "success", "context": "principal"}, token=person).status == 201
    combined = call(github, "GET", f"{SHOP}/commits/{pull.head_sha}/status", token=person).body
    assert (combined["state"], [status.context for status in pull.statuses]) == ("success", ["principal"])


def test_the_latest_check_run_of_a_name_is_listed_unless_all_are_asked_for(
    github: Sandbox, pull: PullHandle, token: str
) -> None:
    for _ in range(2):
        call(github, "POST", f"{SHOP}/check-runs", {"name": "principal", "head_sha": pull.head_sha}, token=token)
    path = f"{SHOP}/commits/{pull.head_sha}/check-runs"
    counts = [call(github, "GET", path + query, token=token).body["total_count"] for query in ("", "?filter=all")]
    assert counts == [1, 2]
