"""The smaller operations: what is edited, taken back, labelled, dismissed, pointed elsewhere."""

from __future__ import annotations

from typing import Any

import pytest

from app.sandbox import Move, PullHandle, RepositoryHandle, Sandbox
from tests.sandbox.http_client import app_jwt, call
from tests.sandbox.listener import Listener
from tests.sandbox.world import INSIDE, NEW, OLD, REVIEWS, SHOP, on, review

PULL = f"{SHOP}/pulls/1"


def test_a_comment_is_edited_and_deleted(github: Sandbox, pull: PullHandle, token: str) -> None:
    made = call(github, "POST", f"{SHOP}/issues/1/comments", {"body": "Frist"}, token=token).body
    path = f"{SHOP}/issues/comments/{made['id']}"
    assert call(github, "PATCH", path, {"body": "First"}, token=token).body["body"] == "First"
    assert call(github, "GET", path, token=token).body["user"]["login"] == "principal[bot]"
    assert call(github, "DELETE", path, token=token).status == 204
    assert [call(github, method, path, {"body": "x"}, token=token).status for method in ("GET", "PATCH", "DELETE")] == [
        404
    ] * 3
    assert pull.issue_comments == []
    assert call(github, "POST", f"{SHOP}/issues/1/comments", {"body": " "}, token=token).status == 422


def test_a_comment_on_the_diff_is_edited_and_deleted(github: Sandbox, pull: PullHandle, token: str) -> None:
    call(github, "POST", REVIEWS, review(on(INSIDE)), token=token)
    (made,) = pull.review_comments
    path = f"{SHOP}/pulls/comments/{made.id}"
    assert call(github, "PATCH", path, {"body": "Better."}, token=token).body["body"] == "Better."
    assert call(github, "PATCH", path, {"body": ""}, token=token).status == 422
    assert call(github, "DELETE", path, token=token).status == 204
    assert call(github, "GET", path, token=token).status == 404
    assert pull.threads == []


@pytest.mark.parametrize("subject", ["issues/1", "issues/comments/{comment}", "pulls/comments/{review_comment}"])
def test_a_reaction_is_counted_listed_and_taken_back(
    subject: str, github: Sandbox, pull: PullHandle, token: str
) -> None:
    comment = pull.comment("Hello")
    made = pull.comment_on_line("src/a.ts", INSIDE, "Here.")
    path = f"{SHOP}/{subject.format(comment=comment.id, review_comment=made.id)}"
    reaction = call(github, "POST", f"{path}/reactions", {"content": "rocket"}, token=token).body
    assert call(github, "GET", path, token=token).body["reactions"]["rocket"] == 1
    assert len(call(github, "GET", f"{path}/reactions?content=rocket", token=token).body) == 1
    assert call(github, "GET", f"{path}/reactions?content=heart", token=token).body == []
    stranger = github.user_token("maya")
    pull.repository.add_collaborator("maya", "write")
    taken = f"{path}/reactions/{reaction['id']}"
    assert [call(github, "DELETE", taken, token=by).status for by in (stranger, token, token)] == [404, 204, 404]


def test_labels_are_put_on_and_taken_off(github: Sandbox, pull: PullHandle, token: str) -> None:
    path = f"{SHOP}/issues/1/labels"
    put = call(github, "POST", path, {"labels": ["a", "b", "a"]}, token=token).body
    assert [label["name"] for label in put] == ["a", "b"]
    assert [label["name"] for label in call(github, "DELETE", f"{path}/a", token=token).body] == ["b"]
    assert call(github, "DELETE", f"{path}/a", token=token).status == 404


def test_a_pull_is_edited_closed_and_pointed_at_another_base(
    github: Sandbox, repository: RepositoryHandle, pull: PullHandle, token: str
) -> None:
    repository.commit({"src/a.ts": OLD + "released\n"}, branch="release")
    changed = call(github, "PATCH", PULL, {"title": "New", "body": "Text", "base": "release"}, token=token).body
    assert (changed["title"], changed["body"], changed["base"]["ref"]) == ("New", "Text", "release")
    assert call(github, "PATCH", PULL, {"base": "absent"}, token=token).status == 422
    assert call(github, "PATCH", PULL, {"state": "closed"}, token=token).body["state"] == "closed"
    states = {
        state: call(github, "GET", f"{SHOP}/pulls?state={state}", token=token) for state in ("open", "closed", "x")
    }
    assert [len(states["open"].body), len(states["closed"].body), states["x"].status] == [0, 1, 422]


def test_pulls_are_listed_by_branch_and_order(github: Sandbox, repository: RepositoryHandle, token: str) -> None:
    for name in ("one", "two"):
        repository.open_pull(files={"src/a.ts": NEW + name}, branch=name)

    def numbers(query: str) -> list[int]:
        return [pull["number"] for pull in call(github, "GET", f"{SHOP}/pulls?{query}", token=token).body]

    assert numbers("head=acme:two") == [2]
    assert numbers("head=stranger:two") == []
    assert numbers("base=main&direction=asc&sort=updated") == [1, 2]
    assert numbers("") == [2, 1]


def test_a_review_is_edited_by_its_author_and_an_approval_dismissed(
    github: Sandbox, repository: RepositoryHandle, pull: PullHandle, token: str
) -> None:
    repository.add_collaborator("alice", "write")
    alice = github.user_token("alice")
    made = call(github, "POST", REVIEWS, review(event="APPROVE"), token=alice).body
    path = f"{REVIEWS}/{made['id']}"
    assert call(github, "PUT", path, {"body": "Fine."}, token=alice).body["body"] == "Fine."
    assert call(github, "PUT", path, {"body": "x" * 65_537}, token=alice).status == 422
    assert call(github, "PUT", path, {"body": "Not mine."}, token=token).status == 403
    assert call(github, "DELETE", path, token=alice).status == 422
    assert call(github, "POST", f"{path}/events", {"event": "COMMENT"}, token=alice).status == 422
    assert call(github, "PUT", f"{path}/dismissals", {"message": "Old."}, token=token).body["state"] == "DISMISSED"
    assert call(github, "PUT", f"{path}/dismissals", {"message": "Old."}, token=token).status == 422
    assert call(github, "GET", f"{REVIEWS}/1", token=token).status == 404


def test_a_pending_review_that_is_submitted_badly_stays_pending(github: Sandbox, pull: PullHandle, token: str) -> None:
    made = call(github, "POST", REVIEWS, {"body": "", "comments": [on(INSIDE)]}, token=token).body
    path = f"{REVIEWS}/{made['id']}/events"
    for wrong in ({}, {"event": "COMMENT", "body": ""}, {"event": "SHOUT", "body": "x"}):
        assert call(github, "POST", path, wrong, token=token).status == 422
    assert pull.all_reviews == []


def test_a_position_counts_lines_below_the_first_header(github: Sandbox, pull: PullHandle, token: str) -> None:
    comments: list[dict[str, object]] = [
        {"path": "src/a.ts", "position": position, "body": "Here."} for position in (4, 5, 14)
    ]
    assert call(github, "POST", REVIEWS, review(*comments), token=token).status == 200
    placed = [(made.side, made.line) for made in pull.review_comments]
    assert placed == [("LEFT", 20), ("RIGHT", 20), ("LEFT", 50)]
    refused = call(github, "POST", REVIEWS, review({**comments[0], "position": 999}), token=token)
    assert refused.status == 422


def test_a_comment_follows_its_file_through_a_rename_and_ends_with_it(
    github: Sandbox, pull: PullHandle, token: str
) -> None:
    call(github, "POST", REVIEWS, review(on(INSIDE)), token=token)
    pull.push({"src/b.ts": Move("src/a.ts")})
    shown = call(github, "GET", f"{PULL}/comments", token=token).body[0]
    assert (shown["path"], shown["line"], shown["commit_id"]) == ("src/b.ts", INSIDE, pull.head_sha)
    pull.push({"src/b.ts": None, "src/a.ts": OLD, "c": "c"})
    assert call(github, "GET", f"{PULL}/comments", token=token).body[0]["line"] is None


def test_a_comment_on_a_removed_line_follows_the_base(
    github: Sandbox, repository: RepositoryHandle, pull: PullHandle, token: str
) -> None:
    call(github, "POST", REVIEWS, review(on(20, side="LEFT")), token=token)
    repository.commit({"src/a.ts": "zero\n" + OLD}, branch="later")
    repository.git.set_refs({"refs/heads/main": repository.tip("later")})
    pull.force_push({"src/a.ts": NEW})
    assert [made.line for made in pull.review_comments] == [20]


def test_comments_of_all_pulls_are_listed_newest_first_when_asked(
    github: Sandbox, repository: RepositoryHandle, pull: PullHandle, token: str
) -> None:
    second = repository.open_pull(files={"src/a.ts": NEW + "x"})
    first = pull.comment_on_line("src/a.ts", INSIDE, "One")
    last = second.comment_on_line("src/a.ts", INSIDE, "Two")
    for query, expected in (("", [first.id, last.id]), ("?sort=created&direction=desc", [last.id, first.id])):
        listed = call(github, "GET", f"{SHOP}/pulls/comments{query}", token=token).body
        assert [one["id"] for one in listed] == expected


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"state": "splendid"}, "splendid is not a member of"),
        ({"state": "success", "description": "x" * 141}, "description is too long"),
        ({}, "wasn't supplied."),
    ],
)
def test_a_status_that_makes_no_sense_is_refused(
    wrong: dict[str, Any], reason: str, github: Sandbox, pull: PullHandle
) -> None:
    github.grant(statuses="write")
    path = f"{SHOP}/statuses/{pull.head_sha}"
    reply = call(github, "POST", path, wrong, token=github.installation_token())
    assert (reply.status, pull.statuses) == (422, [])
    assert reason in reply.reason
    absent = call(
        github, "POST", f"{SHOP}/statuses/{'f' * 40}", {"state": "success"}, token=github.installation_token()
    )
    assert absent.status == 422


def test_a_check_run_goes_back_to_work_and_belongs_to_its_app(github: Sandbox, pull: PullHandle, token: str) -> None:
    body = {
        "name": "principal",
        "head_sha": pull.head_sha,
        "conclusion": "failure",
        "completed_at": "2026-01-02T03:04:05Z",
    }
    made = call(github, "POST", f"{SHOP}/check-runs", body, token=token).body
    assert (made["status"], made["completed_at"]) == ("completed", "2026-01-02T03:04:05Z")
    path = f"{SHOP}/check-runs/{made['id']}"
    again = call(
        github, "PATCH", path, {"status": "in_progress", "name": "again", "external_id": "7"}, token=token
    ).body
    assert (again["conclusion"], again["name"], again["external_id"]) == (None, "again", "7")
    assert call(github, "PATCH", path, {"completed_at": "yesterday"}, token=token).status == 422
    assert call(github, "GET", f"{SHOP}/check-runs/1", token=token).status == 404
    assert call(github, "GET", f"{SHOP}/commits/absent/check-runs", token=token).status == 422


def test_the_app_points_its_webhooks_elsewhere(github: Sandbox, repository: RepositoryHandle) -> None:
    jwt = app_jwt(github)
    assert "secret" not in call(github, "GET", "/app/hook/config", token=jwt).body
    with Listener() as bot:
        set_to = call(github, "PATCH", "/app/hook/config", {"url": bot.url, "secret": "s"}, token=jwt).body
        repository.open_pull(files={"src/a.ts": NEW})
    assert set_to["secret"] == "********"
    assert len(bot.requests) == 1


def test_what_only_the_app_may_ask_needs_its_jwt(github: Sandbox, repository: RepositoryHandle, token: str) -> None:
    assert call(github, "GET", "/app", token=token).status == 401
    assert call(github, "GET", f"{SHOP}/pulls", token=app_jwt(github)).status == 401
    assert call(github, "GET", "/app/installations/1", token=app_jwt(github)).status == 404
    assert call(github, "GET", "/user", token=token).status == 403
    assert call(github, "GET", "/user").status == 401
    assert call(github, "GET", "/users/nobody-has-this-name").status == 404
    person = github.user_token("maya")
    assert call(github, "GET", "/installation/repositories", token=person).status == 403
    assert call(github, "DELETE", "/installation/token").status == 401
    assert call(github, "GET", "/installation/repositories", token=token).body["total_count"] == 1


def test_a_fine_grained_token_is_held_to_its_permissions(
    github: Sandbox, repository: RepositoryHandle, pull: PullHandle
) -> None:
    repository.add_collaborator("maya", "write")
    reader = github.user_token("maya", permissions={"pull_requests": "read"})
    assert call(github, "GET", PULL, token=reader).status == 200
    refused = call(github, "POST", REVIEWS, review(), token=reader)
    assert (refused.status, refused.body["message"]) == (403, "Resource not accessible by personal access token")
    repository.add_collaborator("rita", "read")
    status = call(
        github, "POST", f"{SHOP}/statuses/{pull.head_sha}", {"state": "success"}, token=github.user_token("rita")
    )
    assert status.status == 404


def test_a_fork_is_compared_by_its_owners_name(github: Sandbox, repository: RepositoryHandle, token: str) -> None:
    pull = repository.open_pull(files={"src/a.ts": NEW}, from_fork=True, author="stranger", branch="topic")
    for name in ("stranger:topic", pull.head_sha):
        compared = call(github, "GET", f"{SHOP}/compare/acme:main...{name}", token=token).body
        assert [commit["sha"] for commit in compared["commits"]] == [pull.head_sha]
    for absent in ("main...absent", "main..main", "main...nobody:topic"):
        assert call(github, "GET", f"{SHOP}/compare/{absent}", token=token).status == 404
    commit = call(github, "GET", f"{SHOP}/commits/{pull.head_sha}", token=token).body
    assert (commit["stats"]["total"], commit["author"]["login"]) == (4, "stranger")
    assert call(github, "GET", f"{SHOP}/commits/absent", token=token).status == 422
    assert call(github, "GET", f"{SHOP}/branches/absent", token=token).status == 404
    assert call(github, "GET", f"{SHOP}/git/ref/heads/absent", token=token).status == 404
    assert call(github, "GET", f"{SHOP}/git/ref/heads/main", token=token).body["object"]["sha"] == repository.head


def test_the_world_says_what_is_not_there(github: Sandbox, repository: RepositoryHandle, pull: PullHandle) -> None:
    for absent in (
        lambda: github.repository("acme/absent"),
        lambda: github.installation("nobody"),
        lambda: github.redeliver("no-such-guid"),
        lambda: repository.pull(9),
        lambda: repository.tip("absent"),
    ):
        with pytest.raises(LookupError):
            absent()
    with pytest.raises(ValueError, match="no branch absent"):
        repository.open_pull(branch="absent")
    assert github.repository("ACME/Shop").pull(1).head_sha == pull.head_sha
    pull.delete_head_repository()
    with pytest.raises(LookupError):
        pull.push({"src/a.ts": "x"})
