"""Reviews and comments on the diff: every place is checked, and a review stands as a whole or not at all."""

from __future__ import annotations

from typing import Any

import pytest

from app.sandbox import PullHandle, RepositoryHandle, Sandbox
from tests.sandbox.http_client import call
from tests.sandbox.world import INSIDE, NEW, OLD, OUTSIDE, REVIEWS, SECOND_HUNK, SHOP, on, review


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
