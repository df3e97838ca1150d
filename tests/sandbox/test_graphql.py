"""Threads over GraphQL: read, resolved, answered and hidden, under the permissions GitHub asks for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from app.sandbox import PullHandle, Sandbox
from tests.sandbox.http_client import call, graphql

THREADS = """
query($first: Int, $after: String) {
  repository(owner: "acme", name: "shop") {
    nameWithOwner
    pullRequest(number: 1) {
      author { login }
      reviewThreads(first: $first, after: $after) {
        totalCount
        pageInfo { hasNextPage endCursor }
        nodes {
          id isResolved isOutdated path line viewerCanResolve resolvedBy { login }
          comments(first: 10) { nodes { id body fullDatabaseId author { __typename login } replyTo { body } } }
        }
      }
      reviews(last: 1) { nodes { state commit { oid } } }
      comments(first: 5) { nodes { id isMinimized minimizedReason } }
    }
  }
}
"""
RESOLVE = "mutation($id: ID!) { resolveReviewThread(input: {threadId: $id}) { thread { isResolved } } }"
UNRESOLVE = "mutation($id: ID!) { unresolveReviewThread(input: {threadId: $id}) { thread { isResolved } } }"
MINIMIZE = """mutation($id: ID!) {
  minimizeComment(input: {subjectId: $id, classifier: OUTDATED}) { minimizedComment { isMinimized minimizedReason } }
}"""
UNMINIMIZE = "mutation($id: ID!) { unminimizeComment(input: {subjectId: $id}) { unminimizedComment { isMinimized } } }"
REPLY = """mutation($id: ID!, $body: String!) {
  addPullRequestReviewThreadReply(input: {pullRequestReviewThreadId: $id, body: $body}) { comment { body replyTo { body } } }
}"""


@pytest.fixture
def github() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def pull(github: Sandbox) -> PullHandle:
    repository = github.create_repository("acme/shop", files={"a.ts": "1\n2\n3\n"}, private=True)
    pull = repository.open_pull(files={"a.ts": "1\ntwo\n3\nfour\n"}, author="maya")
    for line in (2, 4):
        pull.comment_on_line("a.ts", line, f"On {line}", by="maya")
    pull.comment("Hello", by="maya")
    return pull


def read(github: Sandbox, token: str, **variables: object) -> Any:
    reply = graphql(github, THREADS, token=token, **{"first": 10, **variables})
    assert "errors" not in reply.body, reply.reason
    return reply.body["data"]["repository"]["pullRequest"]


def test_threads_are_read_page_by_page(github: Sandbox, pull: PullHandle) -> None:
    token = github.installation_token()
    first = read(github, token, first=1)["reviewThreads"]
    assert (first["totalCount"], first["pageInfo"]["hasNextPage"]) == (2, True)
    second = read(github, token, first=1, after=first["pageInfo"]["endCursor"])["reviewThreads"]
    assert [thread["line"] for thread in first["nodes"] + second["nodes"]] == [2, 4]
    comment = first["nodes"][0]["comments"]["nodes"][0]
    assert comment["author"] == {"__typename": "User", "login": "maya"}
    assert comment["fullDatabaseId"] == str(pull.review_comments[0].id)


def test_a_thread_is_resolved_only_with_the_right_to_write_contents(github: Sandbox, pull: PullHandle) -> None:
    token = github.installation_token()
    thread = read(github, token)["reviewThreads"]["nodes"][0]
    assert thread["viewerCanResolve"] is False
    refused = graphql(github, RESOLVE, token=token, id=thread["id"])
    assert refused.status == 200
    assert refused.body["errors"][0]["type"] == "FORBIDDEN"
    assert refused.body["errors"][0]["message"] == "Resource not accessible by integration"
    github.grant(contents="write")
    assert graphql(github, RESOLVE, token=token, id=thread["id"]).body["data"]["resolveReviewThread"]["thread"] == {
        "isResolved": True
    }
    resolved = read(github, token)["reviewThreads"]["nodes"][0]
    assert (resolved["isResolved"], resolved["resolvedBy"]["login"]) == (True, "principal")
    graphql(github, UNRESOLVE, token=token, id=thread["id"])
    assert pull.threads[0].resolved_by is None


def test_a_reply_stands_under_the_comment_that_opened_the_thread(github: Sandbox, pull: PullHandle) -> None:
    token = github.installation_token()
    thread = read(github, token)["reviewThreads"]["nodes"][0]["id"]
    made = graphql(github, REPLY, token=token, id=thread, body="Fixed.").body["data"]["addPullRequestReviewThreadReply"]
    assert made["comment"] == {"body": "Fixed.", "replyTo": {"body": "On 2"}}
    assert pull.review_comments[-1].user.login == "principal[bot]"
    empty = graphql(github, REPLY, token=token, id=thread, body=" ")
    assert empty.body["errors"][0]["type"] == "UNPROCESSABLE"


@pytest.mark.parametrize("kind", ["comment of a conversation", "comment on the diff", "review"])
def test_what_was_said_can_be_hidden_and_shown_again(kind: str, github: Sandbox, pull: PullHandle) -> None:
    token = github.installation_token()
    told = call(github, "GET", "/repos/acme/shop/pulls/1/reviews", token=token).body[0]["node_id"]
    shown = read(github, token)
    subject = {
        "comment of a conversation": shown["comments"]["nodes"][0]["id"],
        "comment on the diff": shown["reviewThreads"]["nodes"][0]["comments"]["nodes"][0]["id"],
        "review": told,
    }[kind]
    hidden = graphql(github, MINIMIZE, token=token, id=subject).body["data"]["minimizeComment"]["minimizedComment"]
    assert hidden == {"isMinimized": True, "minimizedReason": "outdated"}
    again = graphql(github, UNMINIMIZE, token=token, id=subject).body["data"]["unminimizeComment"]["unminimizedComment"]
    assert again == {"isMinimized": False}


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ('{ repository(owner: "acme", name: "absent") { id } }', "NOT_FOUND"),
        ('{ repository(owner: "acme", name: "shop") { pullRequest(number: 9) { id } } }', "NOT_FOUND"),
        ('{ node(id: "PRRT_AAAAAAAAAAE") { id } }', "NOT_FOUND"),
        ('{ node(id: "nonsense") { id } }', "NOT_FOUND"),
        (THREADS.replace("first: $first, ", "").replace("$first: Int, ", ""), "MISSING_PAGINATION_BOUNDARIES"),
        (THREADS.replace("first: $first", "first: 101").replace("$first: Int, ", ""), "EXCESSIVE_PAGINATION"),
        (THREADS.replace("after: $after", 'after: "x"').replace(", $after: String", ""), "INVALID_CURSOR_ARGUMENTS"),
    ],
)
def test_what_cannot_be_answered_is_told_by_type(query: str, kind: str, github: Sandbox, pull: PullHandle) -> None:
    reply = graphql(github, query, token=github.installation_token(), first=1)
    assert reply.status == 200
    assert [error["type"] for error in reply.body["errors"]] == [kind]


def test_a_field_that_github_does_not_have_is_an_error(github: Sandbox, pull: PullHandle) -> None:
    reply = graphql(github, "{ viewer { password } }", token=github.installation_token())
    assert "password" in reply.body["errors"][0]["message"]


def test_nobody_asks_without_a_token(github: Sandbox, pull: PullHandle) -> None:
    assert graphql(github, "{ viewer { login } }").status == 401
    assert call(github, "POST", "/graphql", {}, token=github.installation_token()).status == 400
    viewer = graphql(github, "{ viewer { login } rateLimit { remaining } }", token=github.installation_token())
    assert viewer.body["data"]["viewer"]["login"] == "principal[bot]"


def test_a_stranger_sees_no_threads_of_a_private_repository(github: Sandbox, pull: PullHandle) -> None:
    thread = read(github, github.installation_token())["reviewThreads"]["nodes"][0]["id"]
    stranger = github.user_token("stranger")
    assert graphql(github, THREADS, token=stranger, first=1).body["errors"][0]["type"] == "NOT_FOUND"
    for query in (RESOLVE, MINIMIZE):
        assert graphql(github, query, token=stranger, id=thread).body["errors"][0]["type"] == "NOT_FOUND"
