"""The ledger: what was asked, in order, and waiting for it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.sandbox import Kind, PullHandle, Sandbox
from tests.sandbox.http_client import app_jwt, call, graphql
from tests.sandbox.world import REVIEWS, SHOP, review


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
    assert (listed.target, listed.operation) == (f"{SHOP}/pulls?state=all", "pulls/list")
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
