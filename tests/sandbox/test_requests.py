"""Requests as such: headers, bodies, pages, limits, redirects."""

from __future__ import annotations

import pytest

from app.sandbox import PullHandle, RepositoryHandle, Sandbox
from tests.sandbox.http_client import call
from tests.sandbox.world import REVIEWS, SHOP, review


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
