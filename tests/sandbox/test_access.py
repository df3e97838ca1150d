"""Who may do what: the App, its installations, their tokens, and people."""

from __future__ import annotations

from typing import Any

import pytest

from app.sandbox import PullHandle, RepositoryHandle, Sandbox
from tests.sandbox.http_client import app_jwt, call
from tests.sandbox.world import REVIEWS, SHOP


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
def test_a_jwt_with_a_wrong_claim_opens_nothing(claims: dict[str, Any], message: str, github: Sandbox) -> None:
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
