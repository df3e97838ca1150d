"""The sandbox is a GitHub: it serves what GitHub serves, and refuses what GitHub refuses."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from app.sandbox import Executable, Kind, Move, PullHandle, RepositoryHandle, Sandbox, Submodule, Symlink
from tests.sandbox.http_client import app_jwt, call, graphql
from tests.sandbox.listener import Listener

SHOP = "/repos/acme/shop"
REVIEWS = f"{SHOP}/pulls/1/reviews"
OLD = "".join(f"line {number}\n" for number in range(1, 61))
NEW = OLD.replace("line 20\n", "line twenty\nand a half\n").replace("line 50\n", "")
# The head file's lines 17 to 24 and 48 to 53 stand in the two hunks.
INSIDE, SECOND_HUNK, OUTSIDE = 20, 48, 35


@pytest.fixture
def github() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def repository(github: Sandbox) -> RepositoryHandle:
    return github.create_repository("acme/shop", files={"src/a.ts": OLD, "README.md": "# Shop\n"}, private=True)


@pytest.fixture
def pull(repository: RepositoryHandle) -> PullHandle:
    return repository.open_pull(files={"src/a.ts": NEW}, title="Charge later", body="Through a queue", author="maya")


@pytest.fixture
def token(github: Sandbox, repository: RepositoryHandle) -> str:
    return github.installation_token()


def on(line: int, body: str = "Why?", **more: object) -> dict[str, object]:
    """A comment on a line of the one file."""
    return {"path": "src/a.ts", "line": line, "body": body, **more}


def review(*comments: dict[str, object], event: str | None = "COMMENT", body: str = "Read.") -> dict[str, Any]:
    """The body of a review."""
    return {"body": body, "comments": list(comments), **({"event": event} if event else {})}


# Reviews.


def test_a_review_stands_on_the_lines_it_names(github: Sandbox, pull: PullHandle, token: str) -> None:
    body = review(on(21, start_line=20), on(20, "Gone?", side="LEFT"))
    reply = call(github, "POST", REVIEWS, body, token=token)
    assert reply.status == 200
    (posted,) = pull.reviews
    assert (posted.user.login, posted.state) == ("principal[bot]", "COMMENTED")
    assert [(made.line, made.start_line, made.side) for made in pull.review_comments] == [
        (21, 20, "RIGHT"),
        (20, None, "LEFT"),
    ]
    first = pull.review_comments[0].thread.diff_hunk.split("\n")
    assert first[0].startswith("@@ -17,7 +17,8 @@")
    assert first[-1] == "+and a half"


@pytest.mark.parametrize(
    ("comment", "reason"),
    [
        (on(OUTSIDE), "line must be part of the diff"),
        (on(INSIDE, side="LEFT") | {"line": 35}, "line must be part of the diff"),
        (on(10_000), "line must be part of the diff"),
        (on(SECOND_HUNK, start_line=INSIDE), "start line must be part of the same hunk as the line."),
        (on(INSIDE, start_line=21), "start line must precede the end line."),
        (on(INSIDE, start_line=INSIDE), "start line must precede the end line."),
        (on(INSIDE) | {"path": "src/absent.ts"}, "Path could not be resolved"),
        (on(INSIDE) | {"path": "README.md"}, "Path could not be resolved"),
        (on(INSIDE, body="x" * 65_537), "Body is too long (maximum is 65536 characters)"),
        (on(INSIDE, body=" "), "body can't be blank"),
        (on(INSIDE, side="MIDDLE"), "MIDDLE is not a member of"),
        (on(INSIDE, body=7), "7 is not a string"),  # type: ignore[arg-type]
        ({"path": "src/a.ts", "body": "Where?"}, "line must be part of the diff"),
    ],
)
def test_one_comment_in_a_wrong_place_refuses_the_whole_review(
    comment: dict[str, object], reason: str, github: Sandbox, pull: PullHandle, token: str
) -> None:
    reply = call(github, "POST", REVIEWS, review(on(INSIDE), comment), token=token)
    assert reply.status == 422
    assert reason in reply.reason
    assert pull.all_reviews == []
    assert pull.review_comments == []


def test_the_refusal_of_a_review_does_not_say_which_comment_was_meant(
    github: Sandbox, pull: PullHandle, token: str
) -> None:
    reply = call(github, "POST", REVIEWS, review(on(INSIDE), on(OUTSIDE), on(OUTSIDE + 1)), token=token)
    assert len(reply.body["errors"]) == 1


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (review(on(INSIDE), body=""), "can't be blank"),
        (review(body="", event="REQUEST_CHANGES"), "can't be blank"),
        (review(body="x" * 65_537), "Body is too long"),
        (review(event="ADORE"), "ADORE is not a member of"),
        ({**review(), "commit_id": "f" * 40}, "commit_id is not part of the pull request"),
        ({**review(), "comments": "none"}, "none is not an array"),
    ],
)
def test_a_review_that_says_nothing_or_too_much_is_refused(
    body: dict[str, Any], reason: str, github: Sandbox, pull: PullHandle, token: str
) -> None:
    reply = call(github, "POST", REVIEWS, body, token=token)
    assert (reply.status, pull.all_reviews) == (422, [])
    assert reason in reply.reason


def test_nobody_approves_or_rejects_their_own_pull(github: Sandbox, repository: RepositoryHandle) -> None:
    pull = repository.open_pull(files={"src/a.ts": NEW}, author="principal[bot]")
    token = github.installation_token()
    path = f"{SHOP}/pulls/{pull.number}/reviews"
    for event in ("APPROVE", "REQUEST_CHANGES"):
        refused = call(github, "POST", path, review(event=event), token=token)
        assert refused.status == 422
        assert "your own pull request" in refused.reason
    assert call(github, "POST", path, review(event="COMMENT"), token=token).status == 200


def test_a_pending_review_is_seen_by_its_author_alone_until_it_is_submitted(
    github: Sandbox, pull: PullHandle, token: str
) -> None:
    pending = call(github, "POST", REVIEWS, review(on(INSIDE), event=None), token=token).body
    assert pending["state"] == "PENDING"
    assert (pull.all_reviews, pull.review_comments) == ([], [])
    reader = github.user_token("maya")
    pull.repository.add_collaborator("maya", "read")
    assert call(github, "GET", REVIEWS, token=reader).body == []
    assert call(github, "GET", f"{REVIEWS}/{pending['id']}", token=reader).status == 404
    assert "pending review" in call(github, "POST", REVIEWS, review(event=None), token=token).reason
    done = call(github, "POST", f"{REVIEWS}/{pending['id']}/events", {"event": "COMMENT", "body": "Now"}, token=token)
    assert done.body["state"] == "COMMENTED"
    assert len(pull.review_comments) == 1


def test_a_pending_review_can_be_withdrawn(github: Sandbox, pull: PullHandle, token: str) -> None:
    pending = call(github, "POST", REVIEWS, review(on(INSIDE), event=None), token=token).body
    assert call(github, "DELETE", f"{REVIEWS}/{pending['id']}", token=token).status == 200
    assert pull.state.reviews == []
    assert pull.threads == []


def test_a_review_of_an_earlier_commit_is_outdated_where_the_code_has_changed(
    github: Sandbox, pull: PullHandle, token: str
) -> None:
    before = pull.head_sha
    pull.push({"src/a.ts": "first\n" + NEW.replace("and a half", "and three quarters")})
    body = {**review(on(20, "Still here."), on(21, "Changed.")), "commit_id": before}
    assert call(github, "POST", REVIEWS, body, token=token).status == 200
    here, changed = pull.review_comments
    assert (here.line, changed.line) == (21, None)
    shown = call(github, "GET", f"{SHOP}/pulls/1/comments", token=token).body
    assert [(one["line"], one["original_line"], one["position"] is None) for one in shown] == [
        (21, 20, False),
        (None, 21, True),
    ]


def test_a_commit_that_was_forced_away_takes_no_review(github: Sandbox, pull: PullHandle, token: str) -> None:
    before = pull.head_sha
    pull.force_push({"src/a.ts": OLD + "last\n"})
    reply = call(github, "POST", REVIEWS, {**review(), "commit_id": before}, token=token)
    assert (reply.status, pull.all_reviews) == (422, [])


def test_comments_follow_their_lines_through_a_push(github: Sandbox, pull: PullHandle, token: str) -> None:
    call(github, "POST", REVIEWS, review(on(21, start_line=20), on(48)), token=token)
    pull.push({"src/a.ts": "one\ntwo\n" + NEW})
    assert [(made.start_line, made.line) for made in pull.review_comments] == [(22, 23), (None, 50)]
    pull.push({"src/a.ts": OLD.replace("line 50\n", "")})
    assert [made.line for made in pull.review_comments] == [None, 47]


def test_a_comment_alone_may_stand_on_a_whole_file_and_takes_replies(
    github: Sandbox, pull: PullHandle, token: str
) -> None:
    path = f"{SHOP}/pulls/1/comments"
    body = {"path": "src/a.ts", "subject_type": "file", "body": "Split it.", "commit_id": pull.head_sha}
    made = call(github, "POST", path, body, token=token).body
    assert (made["subject_type"], made["line"]) == ("file", None)
    answer = call(github, "POST", f"{path}/{made['id']}/replies", {"body": "How?"}, token=token).body
    assert answer["in_reply_to_id"] == made["id"]
    again = call(github, "POST", f"{path}/{answer['id']}/replies", {"body": "So."}, token=token)
    assert again.status == 404
    assert [comment.body for comment in pull.threads[0].comments] == ["Split it.", "How?"]


def test_a_comment_alone_names_the_field_that_is_wrong(github: Sandbox, pull: PullHandle, token: str) -> None:
    body = {**on(OUTSIDE), "commit_id": pull.head_sha}
    reply = call(github, "POST", f"{SHOP}/pulls/1/comments", body, token=token)
    assert reply.status == 422
    assert reply.body["errors"][0]["message"] == "pull_request_review_thread.line must be part of the diff"


def test_closed_pulls_still_take_comments_and_reviews(github: Sandbox, pull: PullHandle, token: str) -> None:
    pull.close()
    assert call(github, "POST", REVIEWS, review(on(INSIDE)), token=token).status == 200
    assert call(github, "POST", f"{SHOP}/issues/1/comments", {"body": "Late."}, token=token).status == 201


def test_a_locked_conversation_takes_comments_from_apps_and_writers_only(
    github: Sandbox, repository: RepositoryHandle, pull: PullHandle, token: str
) -> None:
    pull.lock()
    repository.add_collaborator("reader", "read")
    repository.add_collaborator("writer", "write")
    path = f"{SHOP}/issues/1/comments"
    given = [github.user_token("reader"), github.user_token("writer"), token]
    assert [call(github, "POST", path, {"body": "Hm."}, token=one).status for one in given] == [403, 201, 201]


# Checks.


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


# Who may do what.


@pytest.mark.parametrize(
    ("request_line", "missing", "accepted"),
    [
        (("POST", REVIEWS), "pull_requests", "pull_requests=write"),
        (("POST", f"{SHOP}/check-runs"), "checks", "checks=write"),
        (("GET", f"{SHOP}/compare/main...main"), "contents", "contents=read"),
        (("GET", f"{SHOP}/pulls/1"), "pull_requests", "pull_requests=read"),
        (("POST", f"{SHOP}/statuses/{'0' * 40}"), "statuses", "statuses=write"),
    ],
)
def test_a_missing_permission_is_named(
    request_line: tuple[str, str], missing: str, accepted: str, github: Sandbox, pull: PullHandle
) -> None:
    github.grant(**{missing: "none"})
    reply = call(github, *request_line, token=github.installation_token())
    assert (reply.status, reply.body["message"]) == (403, "Resource not accessible by integration")
    assert reply.headers["x-accepted-github-permissions"] == accepted


def test_eyes_on_a_comment_need_the_permission_for_issues(github: Sandbox, pull: PullHandle) -> None:
    comment = pull.comment("/review")
    path = f"{SHOP}/issues/comments/{comment.id}/reactions"
    github.grant(issues="none")
    refused = call(github, "POST", path, {"content": "eyes"}, token=github.installation_token())
    assert (refused.status, refused.headers["x-accepted-github-permissions"]) == (403, "issues=write")
    said = call(github, "POST", f"{SHOP}/issues/1/comments", {"body": "No eyes."}, token=github.installation_token())
    assert said.status == 201
    github.grant(issues="write")
    statuses = [call(github, "POST", path, {"content": "eyes"}, token=github.installation_token()).status for _ in "ab"]
    assert statuses == [201, 200]
    assert [reaction.content for reaction in comment.reactions] == ["eyes"]


def test_what_is_private_is_not_there_for_strangers(
    github: Sandbox, repository: RepositoryHandle, pull: PullHandle
) -> None:
    stranger = github.user_token("stranger")
    elsewhere = github.create_repository("other/place")
    foreign = github.installation_token(owner="other")
    assert [call(github, "GET", SHOP, token=one).status for one in (None, stranger, foreign)] == [404, 404, 404]
    assert call(github, "GET", f"/repos/{elsewhere.full_name}", token=stranger).status == 200
    assert call(github, "POST", "/repos/other/place/issues/1/comments", {"body": "x"}).status == 401


def test_a_narrowed_token_reaches_its_repositories_and_permissions_only(github: Sandbox, pull: PullHandle) -> None:
    other = github.create_repository("acme/other", private=True)
    path = f"/app/installations/{github.installation().id}/access_tokens"
    body = {"repository_ids": [other.id], "permissions": {"contents": "read", "pull_requests": "read"}}
    narrowed = call(github, "POST", path, body, token=app_jwt(github)).body
    assert narrowed["repository_selection"] == "selected"
    assert call(github, "GET", SHOP, token=narrowed["token"]).status == 404
    assert call(github, "GET", "/repos/acme/other", token=narrowed["token"]).status == 200
    refused = call(github, "POST", "/repos/acme/other/check-runs", {"name": "n"}, token=narrowed["token"])
    assert refused.status == 403
    for wrong in ({"repository_ids": [1]}, {"repositories": ["absent"]}, {"permissions": {"contents": "write"}}):
        assert call(github, "POST", path, wrong, token=app_jwt(github)).status == 422


def test_tokens_are_long_and_have_dots(token: str) -> None:
    assert len(token) > 500
    assert token.startswith("ghs_")
    assert "." in token


@pytest.mark.parametrize(
    ("claims", "message"),
    [
        ({"exp": 1}, "'Expiration time' claim ('exp') must be a numeric value"),
        ({"exp": 4_000_000_000}, "'Expiration time' claim ('exp') is too far in the future"),
        ({"iat": 4_000_000_000}, "'Issued at' claim ('iat') must be an Integer"),
        ({"iss": "999"}, "Integration not found"),
        ({"iat": None}, "'Issued at' claim ('iat') must be an Integer"),
    ],
)
def test_a_jwt_with_a_wrong_claim_opens_nothing(claims: dict[str, object], message: str, github: Sandbox) -> None:
    reply = call(github, "GET", "/app", token=app_jwt(github, **claims))
    assert reply.status in (401, 404)
    assert reply.body["message"].startswith(message)


def test_a_jwt_signed_by_another_key_opens_nothing(github: Sandbox) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    other = rsa.generate_private_key(public_exponent=65_537, key_size=2_048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    reply = call(github, "GET", "/app", token=app_jwt(github, key=other.decode()))
    assert (reply.status, reply.body["message"]) == (401, "A JSON web token could not be decoded")
    header, _, signature = app_jwt(github).split(".")
    assert call(github, "GET", "/app", token=f"{header}.bm90IGpzb24.{signature}").status == 401


def test_a_token_ends_with_its_hour_its_revocation_and_its_installation(
    github: Sandbox, repository: RepositoryHandle
) -> None:
    revoked, kept = github.installation_token(), github.installation_token()
    assert call(github, "DELETE", "/installation/token", token=revoked).status == 204
    assert [call(github, "GET", SHOP, token=one).status for one in (revoked, kept)] == [401, 200]
    github.suspend()
    suspended = call(github, "GET", SHOP, token=kept)
    assert (suspended.status, suspended.body["message"]) == (403, "This installation has been suspended")
    path = f"/app/installations/{github.installation().id}/access_tokens"
    assert call(github, "POST", path, token=app_jwt(github)).status == 403
    github.unsuspend()
    assert call(github, "GET", SHOP, token=kept).status == 200
    github.uninstall()
    assert call(github, "GET", SHOP, token=kept).status == 401
    assert call(github, "GET", f"{SHOP}/installation", token=app_jwt(github)).status == 404


def test_the_permission_of_a_person_is_told_to_apps_and_writers(
    github: Sandbox, repository: RepositoryHandle, token: str
) -> None:
    for login, role in {"w": "write", "m": "maintain", "t": "triage", "n": "none", "a": "admin"}.items():
        repository.add_collaborator(login, role)

    def told(login: str, by: str) -> Any:
        reply = call(github, "GET", f"{SHOP}/collaborators/{login}/permission", token=by)
        return (reply.body["permission"], reply.body["role_name"]) if reply.status == 200 else reply.status

    words = [("write", "write"), ("write", "maintain"), ("read", "triage"), ("none", "none"), ("admin", "admin")]
    assert [told(login, token) for login in "wmtna"] == words
    assert told("nobody-has-this-name", token) == 404
    assert told("w", github.user_token("t")) == 403
    assert told("w", github.user_token("w")) == ("write", "write")


# Requests as such.


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"User-Agent": ""}, 403),
        ({"X-GitHub-Api-Version": "2001-01-01"}, 400),
        ({"X-GitHub-Api-Version": "2022-11-28"}, 200),
        ({"Accept": "text/html"}, 415),
        ({"Authorization": "Bearer nonsense"}, 401),
        ({"Authorization": "Digest nonsense"}, 401),
    ],
)
def test_headers_that_github_minds(headers: dict[str, str], status: int, github: Sandbox) -> None:
    assert call(github, "GET", "/meta", headers=headers).status == status


def test_a_body_that_is_no_json_object_is_told_so(github: Sandbox, pull: PullHandle, token: str) -> None:
    messages = [call(github, "POST", REVIEWS, data=data, token=token).body["message"] for data in (b"{", b"[]")]
    assert messages == ["Problems parsing JSON", "Body should be a JSON object"]


def test_what_the_sandbox_does_not_serve_is_not_found(
    github: Sandbox, repository: RepositoryHandle, token: str
) -> None:
    for path in (
        "/gists",
        f"{SHOP}/releases",
        f"{SHOP}/pulls/9",
        f"{SHOP}/pulls/x",
        f"{SHOP}/issues/9",
        "/repositories/1",
    ):
        assert call(github, "GET", path, token=token).status == 404


def test_lists_come_in_pages_of_at_most_a_hundred(github: Sandbox, pull: PullHandle, token: str) -> None:
    for number in range(105):
        pull.comment(f"comment {number}")
    path = f"{SHOP}/issues/1/comments"
    assert len(call(github, "GET", path, token=token).body) == 30
    first = call(github, "GET", f"{path}?per_page=500", token=token)
    assert len(first.body) == 100
    assert 'rel="next"' in first.headers["link"]
    assert 'rel="last"' in first.headers["link"]
    following = first.headers["link"].partition("<")[2].partition(">")[0].removeprefix(github.api_url)
    last = call(github, "GET", following, token=token)
    assert [comment["body"] for comment in last.body][-1] == "comment 104"
    assert 'rel="next"' not in last.headers["link"]
    assert len(call(github, "GET", f"{path}?per_page=x&page=-1", token=token).body) == 30


def test_limits_are_told_and_kept(github: Sandbox, repository: RepositoryHandle, token: str) -> None:
    left = int(call(github, "GET", SHOP, token=token).headers["x-ratelimit-remaining"])
    again = call(github, "GET", SHOP, token=token)
    assert int(again.headers["x-ratelimit-remaining"]) == left - 1
    unchanged = call(github, "GET", SHOP, token=token, headers={"If-None-Match": again.headers["etag"]})
    assert (unchanged.status, unchanged.headers["x-ratelimit-remaining"]) == (304, str(left - 1))
    github.budget.remaining = 0
    spent = call(github, "GET", SHOP, token=token)
    assert (spent.status, spent.headers["x-ratelimit-remaining"]) == (403, "0")
    assert "rate limit exceeded" in spent.body["message"]
    assert call(github, "GET", "/rate_limit", token=token).body["rate"]["remaining"] == 0


def test_a_renamed_repository_redirects_reads_and_writes(
    github: Sandbox, repository: RepositoryHandle, pull: PullHandle, token: str
) -> None:
    repository.rename("store")
    read = call(github, "GET", f"{SHOP}/pulls/1/files?page=1&per_page=100", token=token)
    assert (read.status, read.headers["location"]) == (
        301,
        f"{github.api_url}/repositories/{repository.id}/pulls/1/files?page=1&per_page=100",
    )
    followed = call(github, "GET", read.headers["location"].removeprefix(github.api_url), token=token)
    assert [file["filename"] for file in followed.body] == ["src/a.ts"]
    written = call(github, "POST", REVIEWS, review(), token=token)
    assert (written.status, pull.all_reviews) == (307, [])
    assert call(github, "GET", "/repos/acme/store", token=token).status == 200
    assert call(github, "GET", SHOP).status == 404


# What git tells.


def test_files_are_told_as_git_sees_them(github: Sandbox, repository: RepositoryHandle, token: str) -> None:
    start = {
        "moved.ts": "a\nb\nc\n",
        "gone.ts": "x\n",
        "tool.sh": "#!/bin/sh\n",
        "image.png": b"\0\1",
        "kind.txt": "plain\n",
    }
    repository.push(start)
    repository.open_pull(
        files={
            "new place/moved é.ts": Move("moved.ts"),
            "gone.ts": None,
            "tool.sh": Executable("#!/bin/sh\n"),
            "image.png": b"\0\2",
            "kind.txt": Symlink("README.md"),
            "lib": Submodule("1" * 40),
            'quo"ted\n.txt': "odd",
            "no-end.txt": "no line feed at the end",
        }
    )
    files = {file["filename"]: file for file in call(github, "GET", f"{SHOP}/pulls/1/files", token=token).body}
    assert {name: file["status"] for name, file in files.items()} == {
        "new place/moved é.ts": "renamed",
        "gone.ts": "removed",
        "tool.sh": "changed",
        "image.png": "modified",
        "kind.txt": "changed",
        "lib": "added",
        'quo"ted\n.txt': "added",
        "no-end.txt": "added",
    }
    assert files["new place/moved é.ts"]["previous_filename"] == "moved.ts"
    assert {name for name, file in files.items() if "patch" not in file} == {
        "new place/moved é.ts",
        "tool.sh",
        "image.png",
    }
    assert files["no-end.txt"]["patch"].endswith("\\ No newline at end of file")
    assert files["lib"]["patch"] == f"@@ -0,0 +1 @@\n+Subproject commit {'1' * 40}"


def test_the_difference_starts_where_the_branches_part(
    github: Sandbox, repository: RepositoryHandle, token: str
) -> None:
    pull = repository.open_pull(files={"src/a.ts": NEW})
    repository.push({"README.md": "# Another\n"})
    compared = call(github, "GET", f"{SHOP}/compare/main...{pull.head_sha}", token=token).body
    assert compared["merge_base_commit"]["sha"] == pull.base_sha
    assert (compared["status"], compared["ahead_by"], compared["behind_by"]) == ("diverged", 1, 1)
    assert [file["filename"] for file in compared["files"]] == ["src/a.ts"]
    assert [commit["commit"]["message"] for commit in compared["commits"]] == ["A change"]


def test_a_diff_of_too_many_lines_is_not_acceptable(github: Sandbox, repository: RepositoryHandle, token: str) -> None:
    wanted = {"Accept": "application/vnd.github.v3.diff"}
    repository.open_pull(files={"src/a.ts": NEW})
    assert call(github, "GET", f"{SHOP}/pulls/1", token=token, headers=wanted).body.startswith("diff --git a/src/a.ts")
    repository.open_pull(files={"long.txt": "line\n" * 20_001})
    refused = call(github, "GET", f"{SHOP}/pulls/2", token=token, headers=wanted)
    assert (refused.status, refused.body["errors"][0]["code"]) == (406, "too_large")
    (file,) = call(github, "GET", f"{SHOP}/pulls/2/files", token=token).body
    assert (file["additions"], "patch" in file) == (20_001, False)


def test_contents_are_read_at_any_revision(github: Sandbox, pull: PullHandle, token: str) -> None:
    path = f"{SHOP}/contents/src/a.ts"
    at_base = call(github, "GET", path, token=token).body
    at_head = call(github, "GET", f"{path}?ref={pull.head_sha}", token=token).body
    decoded = [base64.b64decode(one["content"]).decode() for one in (at_base, at_head)]
    assert decoded == [OLD, NEW]
    raw = call(github, "GET", path, token=token, headers={"Accept": "application/vnd.github.raw+json"})
    assert raw.body == OLD
    assert call(github, "GET", f"{SHOP}/contents/absent", token=token).status == 404
    assert call(github, "GET", f"{path}?ref=absent", token=token).status == 404


def git(*arguments: str, token: str | None = None) -> subprocess.CompletedProcess[str]:
    """One run of git as a client, with a token in its environment."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_CONFIG_SYSTEM": os.devnull,
    }
    if token is not None:
        credentials = base64.b64encode(f"x-access-token:{token}".encode()).decode()
        environment |= {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "http.extraHeader",
            "GIT_CONFIG_VALUE_0": f"Authorization: Basic {credentials}",
        }
    return subprocess.run(["git", *arguments], env=environment, capture_output=True, text=True, check=False, timeout=60)


def test_git_fetches_any_commit_with_a_token(github: Sandbox, repository: RepositoryHandle, tmp_path: Path) -> None:
    pull = repository.open_pull(files={"src/a.ts": NEW}, from_fork=True, author="stranger")
    token = github.installation_token(permissions={"contents": "read"})
    git("init", "--quiet", "--bare", str(tmp_path))
    wanted = [pull.head_sha, pull.base_sha, "refs/pull/1/head", "refs/pull/1/merge"]
    done = git(
        "-C", str(tmp_path), "fetch", "--depth=1", "--filter=blob:none", repository.clone_url, *wanted, token=token
    )
    assert done.returncode == 0, done.stderr
    shown = git("-C", str(tmp_path), "cat-file", "-t", pull.head_sha)
    assert shown.stdout.strip() == "commit"
    assert {request.identity for request in github.requests.of(Kind.GIT)} == {
        f"installation:{github.installation().id}"
    }


@pytest.mark.parametrize(
    ("permissions", "reason"),
    [(None, "could not read Username"), ({"pull_requests": "read"}, "403"), ({}, None)],
)
def test_git_is_refused_without_the_right_to_read(
    permissions: dict[str, str] | None, reason: str | None, github: Sandbox, repository: RepositoryHandle
) -> None:
    token = None if permissions is None else github.installation_token(permissions=permissions or None)
    done = git("ls-remote", repository.clone_url, token=token)
    assert (done.returncode == 0) == (reason is None)
    assert reason is None or reason in done.stderr


def test_git_follows_a_rename_and_cannot_push(github: Sandbox, tmp_path: Path) -> None:
    repository = github.create_repository("acme/open")
    old = repository.clone_url
    repository.rename("opened")
    copy = str(tmp_path / "copy")
    assert git("clone", "--quiet", old, copy).returncode == 0
    pushed = git("-C", copy, "push", "origin", "HEAD:refs/heads/new", token=github.installation_token())
    assert "403" in pushed.stderr
    assert git("ls-remote", f"{github.server_url}/acme/absent.git").returncode != 0


def test_a_pull_whose_fork_was_deleted_keeps_its_commits(
    github: Sandbox, repository: RepositoryHandle, token: str
) -> None:
    pull = repository.open_pull(files={"src/a.ts": NEW}, from_fork=True, author="stranger")
    pull.delete_head_repository()
    shown = call(github, "GET", f"{SHOP}/pulls/1", token=token).body
    assert (shown["head"]["repo"], shown["head"]["sha"]) == (None, pull.head_sha)
    assert len(call(github, "GET", f"{SHOP}/pulls/1/files", token=token).body) == 1
    assert f"{pull.head_sha}\trefs/pull/1/head" in git("ls-remote", repository.clone_url, token=token).stdout


def test_a_pull_that_conflicts_has_no_merge_commit(github: Sandbox, repository: RepositoryHandle, token: str) -> None:
    branch = repository.open_pull(files={"src/a.ts": NEW}).state.head_ref
    repository.push({"src/a.ts": OLD.replace("line 20\n", "line XX\n")})
    pull = repository.open_pull(branch=branch)
    shown = call(github, "GET", f"{SHOP}/pulls/{pull.number}", token=token).body
    assert (shown["mergeable"], shown["merge_commit_sha"], shown["mergeable_state"]) == (False, None, "dirty")


def test_the_same_verbs_make_the_same_commits_anywhere() -> None:
    heads = set()
    for _ in range(2):
        with Sandbox() as github:
            heads.add(github.create_repository("acme/shop", files={"a": "b"}).open_pull(files={"a": "c"}).head_sha)
    assert len(heads) == 1


def test_a_pull_of_three_thousand_files_is_read_and_reviewed(github: Sandbox, repository: RepositoryHandle) -> None:
    files = {f"src/{number:04}.ts": f"line of {number}\n" * 160 for number in range(3_000)}
    pull = repository.open_pull(files=files)
    token = github.installation_token()
    shown = call(github, "GET", f"{SHOP}/pulls/1", token=token).body
    assert (shown["changed_files"], shown["additions"]) == (3_000, 480_000)
    page = call(github, "GET", f"{SHOP}/pulls/1/files?per_page=100&page=30", token=token)
    assert (len(page.body), page.body[-1]["filename"]) == (100, "src/2999.ts")
    comment = {"path": "src/1500.ts", "line": 160, "body": "The last line."}
    assert call(github, "POST", REVIEWS, review(comment), token=token).status == 200
    assert [made.line for made in pull.review_comments] == [160]


# Webhooks.


def test_a_webhook_carries_what_github_sends(github: Sandbox, repository: RepositoryHandle) -> None:
    with Listener() as bot:
        github.webhook(bot.url, secret="s3cret")
        pull = repository.open_pull(files={"src/a.ts": NEW}, draft=True)
    (sent,) = bot.requests
    assert pull.delivery is not None
    assert (pull.delivery.status, pull.delivery.status_code) == ("OK", 200)
    assert sent.headers["x-hub-signature-256"] == "sha256=" + hmac.new(b"s3cret", sent.body, hashlib.sha256).hexdigest()
    assert sent.headers["x-github-event"] == "pull_request"
    assert sent.headers["x-github-delivery"] == pull.delivery.guid
    assert sent.headers["x-github-hook-installation-target-id"] == str(github.app.id)
    assert sent.headers["user-agent"].startswith("GitHub-Hookshot/")
    payload = json.loads(sent.body)
    assert (payload["action"], payload["pull_request"]["draft"]) == ("opened", True)
    assert payload["installation"]["id"] == github.installation().id


def test_githubs_own_example_of_a_signature_holds() -> None:
    from app.sandbox.webhooks import sign

    expected = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert sign("It's a Secret to Everybody", b"Hello, World!") == expected


def test_a_webhook_can_be_held_back_sent_twice_and_sent_anew(github: Sandbox, repository: RepositoryHandle) -> None:
    with Listener() as bot:
        github.webhook(bot.url)
        pull = repository.open_pull(files={"src/a.ts": NEW}, deliver=False)
        assert bot.requests == []
        (sent,) = github.deliver_held()
        again = github.redeliver(sent.guid)
        anew = github.send_again_under_a_new_guid(sent)
        pull.close()
    guids = [request.headers["x-github-delivery"] for request in bot.requests]
    assert guids[:3] == [sent.guid, sent.guid, anew.guid]
    assert len(set(guids)) == 3
    assert len({request.body for request in bot.requests[:3]}) == 1
    assert (again.redelivery, anew.redelivery) == (True, False)


def test_the_app_reads_its_deliveries_and_has_the_failed_ones_sent_again(
    github: Sandbox, repository: RepositoryHandle
) -> None:
    with Listener(status=500) as bot:
        github.webhook(bot.url)
        pull = repository.open_pull(files={"src/a.ts": NEW})
        assert pull.delivery is not None
        assert pull.delivery.status == "Invalid HTTP Response: 500"
        failed = call(github, "GET", "/app/hook/deliveries?status=failure", token=app_jwt(github)).body
        assert [one["guid"] for one in failed] == [pull.delivery.guid]
        bot.status = 202
        path = f"/app/hook/deliveries/{failed[0]['id']}"
        assert call(github, "POST", f"{path}/attempts", token=app_jwt(github)).status == 202
        assert github.settle()
    listed = call(github, "GET", "/app/hook/deliveries?per_page=1", token=app_jwt(github))
    assert [(one["guid"], one["status"], one["redelivery"]) for one in listed.body] == [
        (pull.delivery.guid, "OK", True)
    ]
    assert 'rel="next"' in listed.headers["link"]
    following = listed.headers["link"].partition("<")[2].partition(">")[0].removeprefix(github.api_url)
    assert [one["id"] for one in call(github, "GET", following, token=app_jwt(github)).body] == [failed[0]["id"]]
    shown = call(github, "GET", path, token=app_jwt(github)).body
    assert shown["request"]["payload"]["number"] == 1
    assert call(github, "GET", "/app/hook/deliveries?cursor=x", token=app_jwt(github)).status == 422
    assert call(github, "GET", "/app/hook/deliveries/1", token=app_jwt(github)).status == 404


def test_a_bot_that_is_away_is_a_failed_delivery_not_an_error(github: Sandbox, repository: RepositoryHandle) -> None:
    with Listener() as bot:
        gone = bot.url
    github.webhook(gone)
    pull = repository.open_pull(files={"src/a.ts": NEW})
    assert pull.delivery is not None
    assert pull.delivery.status == "failed to connect to host"


def test_what_the_bot_writes_is_told_to_it_as_well(github: Sandbox, pull: PullHandle, token: str) -> None:
    with Listener() as bot:
        github.webhook(bot.url)
        call(github, "POST", f"{SHOP}/issues/1/comments", {"body": "Hello"}, token=token)
        call(github, "POST", f"{SHOP}/check-runs", {"name": "n", "head_sha": pull.head_sha}, token=token)
        assert github.settle()
    told = [(request.headers["x-github-event"], json.loads(request.body)) for request in bot.requests]
    assert [name for name, _ in told] == ["issue_comment", "check_run"]
    sender = told[0][1]["sender"]
    assert (sender["login"], sender["type"]) == ("principal[bot]", "Bot")
    assert told[0][1]["comment"]["performed_via_github_app"]["id"] == github.app.id


def test_every_verb_of_a_pull_tells_its_event(github: Sandbox, repository: RepositoryHandle, pull: PullHandle) -> None:
    repository.git.set_refs({"refs/heads/release": repository.head})
    before = pull.head_sha
    with Listener() as bot:
        github.webhook(bot.url)
        pull.push({"src/a.ts": NEW + "x\n"})
        pull.reset_to(before)
        pull.force_push({"src/a.ts": NEW + "y\n"})
        pull.convert_to_draft()
        pull.ready_for_review()
        pull.edit(base="release")
        pull.add_label("later")
        pull.close()
        pull.reopen()
        comment = pull.comment("/review", by="alice")
        pull.edit_comment(comment, "/review full")
        made = pull.comment_on_line("src/a.ts", 20, "Why?", by="alice")
        pull.reply(made, "/explain", by="alice")
        pull.merge()
        repository.open_issue().comment("Not a pull.")
    told = [(request.headers["x-github-event"], json.loads(request.body)) for request in bot.requests]
    assert [f"{name}.{payload['action']}" for name, payload in told] == [
        "pull_request.synchronize",
        "pull_request.synchronize",
        "pull_request.synchronize",
        "pull_request.converted_to_draft",
        "pull_request.ready_for_review",
        "pull_request.edited",
        "pull_request.labeled",
        "pull_request.closed",
        "pull_request.reopened",
        "issue_comment.created",
        "issue_comment.edited",
        "pull_request_review_comment.created",
        "pull_request_review_comment.created",
        "pull_request.closed",
        "issue_comment.created",
    ]
    heads = [(payload["before"], payload["after"]) for _, payload in told[:3]]
    assert heads[0][0] == before
    assert heads[1][1] == before
    assert told[5][1]["changes"]["base"]["ref"] == {"from": "main"}
    assert told[13][1]["pull_request"]["merged"] is True
    assert "pull_request" in told[9][1]["issue"]
    assert "pull_request" not in told[14][1]["issue"]


def test_no_webhook_goes_to_a_suspended_installation(github: Sandbox, repository: RepositoryHandle) -> None:
    github.suspend()
    with Listener() as bot:
        github.webhook(bot.url)
        repository.open_pull(files={"src/a.ts": NEW})
    assert bot.requests == []


def test_payloads_can_be_had_without_sending_them(github: Sandbox, pull: PullHandle) -> None:
    pull.comment("/review")
    opened, commented = json.loads(github.payload("opened", pull)), json.loads(github.comment_payload("created", pull))
    assert (opened["number"], commented["comment"]["body"]) == (1, "/review")
    assert opened["installation"]["id"] == github.installation().id


# Faults.


def test_a_fault_answers_before_the_effect(github: Sandbox, pull: PullHandle, token: str) -> None:
    github.faults.answer(502, "POST", "*/reviews", after=1, times=2)
    statuses = [call(github, "POST", REVIEWS, review(), token=token).status for _ in range(4)]
    assert statuses == [200, 502, 502, 200]
    assert len(pull.all_reviews) == 2


def test_a_fault_answers_after_the_effect(github: Sandbox, pull: PullHandle, token: str) -> None:
    github.faults.answer_after_effect(502, "POST", "*/reviews")
    assert call(github, "POST", REVIEWS, review(), token=token).status == 502
    assert len(pull.all_reviews) == 1


@pytest.mark.parametrize(("effect", "standing"), [("lose_answer", 1), ("cut", 0)])
def test_a_fault_closes_the_connection(
    effect: str, standing: int, github: Sandbox, pull: PullHandle, token: str
) -> None:
    getattr(github.faults, effect)("POST", "*/reviews")
    with pytest.raises((ConnectionError, OSError)):
        call(github, "POST", REVIEWS, review(), token=token)
    assert len(pull.all_reviews) == standing
    assert github.requests[-1].status is None
    assert call(github, "GET", SHOP, token=token).status == 200


@pytest.mark.parametrize(("status", "wait"), [(403, 7), (429, None)])
def test_a_secondary_limit_says_when_to_come_back(status: int, wait: int | None, github: Sandbox, token: str) -> None:
    github.faults.limit(status, "GET", "/repos/*", retry_after_seconds=wait)
    limited = call(github, "GET", SHOP, token=token)
    assert (limited.status, limited.headers.get("retry-after")) == (status, None if wait is None else str(wait))
    assert "secondary rate limit" in limited.body["message"]
    assert call(github, "GET", SHOP, token=token).status == 200


def test_a_held_request_waits_for_its_release_while_others_pass(github: Sandbox, pull: PullHandle, token: str) -> None:
    gate = github.faults.hold("POST", "*/reviews")
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(call, github, "POST", REVIEWS, review(), token=token)
        gate.wait_until_reached()
        assert call(github, "GET", SHOP, token=token).status == 200
        assert pull.all_reviews == []
        gate.release()
        assert held.result().status == 200
    with pytest.raises(TimeoutError):
        github.faults.hold("GET", "/nowhere").wait_until_reached(timeout_seconds=0.01)


def test_cleared_faults_let_everything_go(github: Sandbox, pull: PullHandle, token: str) -> None:
    gate = github.faults.hold("POST", "*/reviews")
    github.faults.answer(500, "GET", times=9)
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(call, github, "POST", REVIEWS, review(), token=token)
        gate.wait_until_reached()
        github.faults.clear()
        assert held.result().status == 200
    assert call(github, "GET", SHOP, token=token).status == 200


# The ledger.


def test_the_ledger_tells_what_was_asked_in_order(github: Sandbox, pull: PullHandle) -> None:
    path = f"/app/installations/{github.installation().id}/access_tokens"
    token = call(github, "POST", path, token=app_jwt(github)).body["token"]
    call(github, "GET", f"{SHOP}/pulls?state=all", token=token)
    call(github, "POST", REVIEWS, review(), token=token)
    graphql(github, "{ rateLimit { cost } }", token=token)
    kinds = [request.kind for request in github.requests]
    assert kinds == [Kind.TOKEN, Kind.REST, Kind.REST, Kind.GRAPHQL]
    exchanged, listed, posted = list(github.requests)[:3]
    assert exchanged.identity == "app"
    assert (listed.target, listed.operation) == (f"{SHOP}/pulls?state=all", "GET /repos/{owner}/{repo}/pulls")
    assert (posted.body["event"], posted.status, posted.identity) == (
        "COMMENT",
        200,
        f"installation:{github.installation().id}",
    )
    assert github.requests.writes == [posted]
    assert github.requests.find("POST", "/reviews") == [posted]
    assert "authorization" in posted.headers
    assert str(posted) == f"POST {REVIEWS} → 200"
    github.requests.clear()
    assert len(github.requests) == 0


def test_a_test_can_wait_for_a_request(github: Sandbox, pull: PullHandle, token: str) -> None:
    later = threading.Thread(target=call, args=(github, "POST", REVIEWS, review()), kwargs={"token": token})
    later.start()
    (posted,) = github.requests.wait_for("POST", "/reviews")
    later.join()
    assert posted.status == 200
    with pytest.raises(TimeoutError, match="POST"):
        github.requests.wait_for("POST", "/nowhere", timeout_seconds=0.01)


def test_many_requests_at_once_each_get_their_own_answer(github: Sandbox, pull: PullHandle, token: str) -> None:
    def say(number: int) -> str:
        made = call(github, "POST", f"{SHOP}/issues/1/comments", {"body": f"comment {number}"}, token=token).body
        return str(made["body"])

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(say, range(64)))
    assert answers == [f"comment {number}" for number in range(64)]
    assert len({comment.id for comment in pull.issue_comments}) == 64
