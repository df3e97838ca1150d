"""The door to GitHub against a server that fails in every way a network and GitHub are known to fail."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import logging
import re
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.change import Sha
from app.core.finding import Side
from app.core.pace import AS_GITHUB_ASKS, Kind
from app.core.pull import AnnotationLevel, CheckAnnotation, Conclusion, Permission, ReviewComment, StatusState, Verdict
from app.errors import Code, Permanent, PrincipalError, Transient, UserError
from app.github import App, Call, GitHub, Limits, errors, parse_pull_url
from app.github.pace import Pace
from app.github.wire import Reply, Request, split
from tests.fakes.scripted_github import (
    APP_ID,
    PEM,
    Cut,
    Drip,
    Held,
    ScriptedGitHub,
    Seen,
    Sent,
    closed_port,
    json,
    self_signed,
)

SHOP = "acme/shop"
HEAD = Sha("a" * 40)
BASE = Sha("b" * 40)
PULL = "/repos/acme/shop/pulls/7"
REVIEWS = f"{PULL}/reviews"
CHECKS = "/repos/acme/shop/check-runs"
QUICK = Limits(connect_seconds=5, read_seconds=0.3, exchange_seconds=0.5, call_seconds=20)


T = TypeVar("T")


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.seconds = 1_000.0
        self.naps: list[float] = []

    def __call__(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.seconds += seconds
        await asyncio.sleep(0)


@pytest.fixture
def github() -> Iterator[ScriptedGitHub]:
    with ScriptedGitHub() as server:
        yield server


@pytest.fixture
def clock() -> Clock:
    return Clock()


def app_for(server: ScriptedGitHub, clock: Clock, **more: Any) -> App:
    return App(app_id=APP_ID, private_key_pem=PEM, api_url=server.url, sleep=clock.sleep, monotonic=clock, **more)


def tell(story: Callable[[GitHub], Awaitable[T]], server: ScriptedGitHub, clock: Clock, **more: Any) -> T:
    """What `story` returns when it is told with GitHub as installation 1 sees it."""

    async def telling() -> T:
        async with app_for(server, clock, **more) as app:
            return await story(await app.installation(1, 99))

    return asyncio.run(telling())


def failing(story: Callable[[GitHub], Awaitable[object]], server: ScriptedGitHub, clock: Clock, **more: Any) -> Any:
    """The error `story` ends with."""
    with pytest.raises(PrincipalError) as caught:
        tell(story, server, clock, **more)
    return caught.value


def post_review(github: GitHub, *comments: ReviewComment) -> Awaitable[Any]:
    return github.post_review(SHOP, 7, commit=HEAD, body="Two problems.", comments=comments)


def read_pull(github: GitHub) -> Awaitable[Any]:
    return github.pull(SHOP, 7)


def finish(github: GitHub, *annotations: CheckAnnotation) -> Awaitable[None]:
    return github.finish_check(
        SHOP, 5, conclusion=Conclusion.NEUTRAL, title="Two problems", summary="s", annotations=annotations
    )


def start(github: GitHub) -> Awaitable[int]:
    return github.start_check(SHOP, head=HEAD, name="principal", external_id="7", title="Reviewing", summary="…")


def pull_json(**changes: object) -> dict[str, object]:
    repository = {"id": 99, "full_name": SHOP, "private": True, "default_branch": "main"}
    return {
        "number": 7,
        "title": "Charge through a queue",
        "body": None,
        "user": {"login": "octocat", "type": "User"},
        "state": "open",
        "merged": False,
        "draft": False,
        "locked": False,
        "labels": [{"name": "billing"}],
        "head": {"sha": HEAD, "ref": "queue", "repo": {**repository, "id": 100, "full_name": "octocat/shop"}},
        "base": {"sha": BASE, "ref": "main", "repo": repository},
        "changed_files": 3,
        "additions": 10,
        "deletions": 2,
        **changes,
    }


def review_json(number: int, *, user: dict[str, str] | None = None, body: str = "text") -> dict[str, object]:
    return {"id": number, "body": body, "user": user, "submitted_at": "2026-09-01T10:00:00Z", "commit_id": HEAD}


BOT = {"login": "principal[bot]", "type": "Bot"}
PERSON = {"login": "octocat", "type": "User"}
POSTED = json(200, review_json(80, user=BOT))


# Reading


def test_a_pull_request_is_read_as_it_is_now(github: ScriptedGitHub, clock: Clock) -> None:
    github.will("GET", PULL, json(200, pull_json()), json(200, pull_json(state="closed", merged=True)))

    async def twice(door: GitHub) -> Any:
        return await read_pull(door), await read_pull(door)

    first, second = tell(twice, github, clock)
    assert (first.repository, first.repository_id, first.number, first.author) == (SHOP, 99, 7, "octocat")
    assert (first.head_sha, first.base_sha, first.labels) == (HEAD, BASE, ("billing",))
    assert (first.title.text, first.body.text, first.from_fork) == ("Charge through a queue", "", True)
    assert first.is_open
    assert second.merged
    assert not second.is_open
    assert len(github.seen("GET", PULL)) == 2


def test_a_deleted_fork_and_a_deleted_account_are_no_reason_to_fail(github: ScriptedGitHub, clock: Clock) -> None:
    github.will("GET", PULL, json(200, pull_json(user=None, head={"sha": HEAD, "ref": "queue", "repo": None})))
    pull = tell(read_pull, github, clock)
    assert (pull.author, pull.author_is_bot, pull.head_repository) == ("ghost", False, None)


def test_a_comparison_brings_the_merge_base_and_the_first_messages_in_one_call(
    github: ScriptedGitHub, clock: Clock
) -> None:
    path = f"/repos/acme/shop/compare/{BASE}...{HEAD}"
    github.will(
        "GET",
        path,
        json(200, {"merge_base_commit": {"sha": "c" * 40}, "ahead_by": 2, "commits": [{"commit": {"message": "One"}}]}),
    )
    found = tell(lambda door: door.compare(SHOP, BASE, HEAD), github, clock)
    assert (found.merge_base, found.ahead_by, [m.text for m in found.commit_messages]) == ("c" * 40, 2, ["One"])
    assert [seen.query for seen in github.seen("GET", path)] == [{"per_page": "50", "page": "1"}]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (json(200, {"permission": "admin", "role_name": "admin"}), Permission.ADMIN),
        (json(200, {"permission": "write", "role_name": "maintain"}), Permission.MAINTAIN),
        (json(200, {"permission": "write", "role_name": "release captain"}), Permission.WRITE),
        (json(200, {"permission": "read", "role_name": "triage"}), Permission.TRIAGE),
        (json(200, {"permission": "read", "role_name": "admin"}), Permission.READ),
        (json(200, {"permission": "none", "role_name": ""}), Permission.NONE),
        (json(200, {"permission": "owner-of-everything"}), Permission.NONE),
        (json(404, {"message": "evil[bot] is not a user"}), Permission.NONE),
    ],
)
def test_what_a_person_may_do_is_never_more_than_github_confirms(
    github: ScriptedGitHub, clock: Clock, answer: Sent, expected: Permission
) -> None:
    github.will("GET", "/repos/acme/shop/collaborators/evil[bot]/permission", answer)
    github.will("GET", "/repos/acme/shop/collaborators/evil%5Bbot%5D/permission", answer)
    found = tell(lambda door: door.permission(SHOP, "evil[bot]"), github, clock)
    assert found is expected
    assert found.may_write == (expected in ("write", "maintain", "admin"))


def test_our_reviews_are_found_on_every_page_and_people_s_are_left_out(github: ScriptedGitHub, clock: Clock) -> None:
    first = [review_json(n, user=BOT if n % 2 else PERSON) for n in range(1, 101)]
    # Number 100 slid to the second page while we turned it, and a ghost's review is nobody's.
    second = [review_json(99, user=BOT), review_json(101, user=None), review_json(102, user=BOT)]
    github.will("GET", REVIEWS, lambda seen: json(200, first if seen.query["page"] == "1" else second))
    found = tell(lambda door: door.own_reviews(SHOP, 7), github, clock)
    assert [review.id for review in found] == [*range(1, 101, 2), 102]
    assert [seen.query for seen in github.seen("GET", REVIEWS)] == [
        {"page": "1", "per_page": "100"},
        {"page": "2", "per_page": "100"},
    ]


def test_a_list_that_never_ends_is_read_to_a_bound(github: ScriptedGitHub, clock: Clock) -> None:
    github.will("GET", REVIEWS, json(200, [review_json(n, user=BOT) for n in range(1, 101)]))
    found = tell(lambda door: door.own_reviews(SHOP, 7), github, clock)
    assert len(found) == 100
    assert len(github.seen("GET", REVIEWS)) == 10


def test_open_pull_requests_are_listed_once_each(github: ScriptedGitHub, clock: Clock) -> None:
    page = [pull_json(number=n, updated_at="2026-09-01T10:00:00Z") for n in range(1, 101)]
    path = "/repos/acme/shop/pulls"
    github.will("GET", path, lambda seen: json(200, page if seen.query["page"] == "1" else page[-1:]))
    found = tell(lambda door: door.open_pulls(SHOP), github, clock)
    assert [pull.number for pull in found] == list(range(1, 101))
    assert all(seen.query["state"] == "open" for seen in github.seen("GET", path))


def test_the_bot_knows_its_own_name_after_one_request(github: ScriptedGitHub, clock: Clock) -> None:
    github.will("GET", "/app", json(200, {"slug": "principal"}))

    async def twice(door: GitHub) -> Any:
        return await door.viewer(), await door.viewer()

    assert tell(twice, github, clock) == ("principal[bot]", "principal[bot]")
    assert len(github.seen("GET", "/app")) == 1


# What a read survives


def cut_short() -> Sent:
    return Sent(200, b'{"number": 7', {"content-type": "application/json"}, claims=1_000)


BROKEN_READS = {
    "502": json(502, {"message": "Server Error"}),
    "503 with a page": Sent(503, b"<html>Unicorn!</html>", {"content-type": "text/html"}),
    "no answer": Cut(),
    "a reset": Cut(reset=True),
    "a truncated answer": cut_short(),
    "HTML instead of JSON": Sent(200, b"<html>Sign in</html>", {"content-type": "text/html"}),
    "an empty answer": Sent(200),
    "broken JSON": Sent(200, b'{"number": 7'),
    "endless nesting": Sent(200, b"[" * 200_000),
    "not yet": json(202, {}),
    "conflict": json(409, {"message": "Conflict"}),
    "a drip": Drip(),
    "rate headers that are no numbers": json(
        200, {}, x_ratelimit_remaining="many", x_ratelimit_limit="inf", x_ratelimit_reset="x"
    ),
}


@pytest.mark.parametrize("broken", BROKEN_READS.values(), ids=BROKEN_READS.keys())
def test_a_read_that_broke_is_tried_again(github: ScriptedGitHub, clock: Clock, broken: Any) -> None:
    github.will("GET", PULL, broken, broken, json(200, pull_json()))
    assert tell(read_pull, github, clock, limits=QUICK).number == 7
    assert len(github.seen("GET", PULL)) == 3


def test_a_read_that_never_succeeds_ends_after_four_tries(github: ScriptedGitHub, clock: Clock) -> None:
    github.will("GET", PULL, json(500, {}))
    error = failing(read_pull, github, clock)
    assert (type(error), error.code) == (Transient, Code.GITHUB_UNAVAILABLE)
    assert len(github.seen("GET", PULL)) == 4


@pytest.mark.parametrize("changes", [{"number": "seven"}, {"head": {"sha": "../../etc", "ref": "x"}}, {"base": None}])
def test_an_answer_of_another_shape_is_not_believed(
    github: ScriptedGitHub, clock: Clock, changes: dict[str, object]
) -> None:
    github.will("GET", PULL, json(200, pull_json(**changes)))
    error = failing(read_pull, github, clock)
    assert (type(error), error.code) == (Transient, Code.GITHUB_UNAVAILABLE)


def test_a_read_that_is_silent_for_too_long_is_given_up(github: ScriptedGitHub, clock: Clock) -> None:
    never = threading.Event()
    github.will("GET", PULL, Held(never, json(200, pull_json())))
    error = failing(read_pull, github, clock, limits=QUICK)
    never.set()
    assert error.code is Code.GITHUB_UNAVAILABLE


def test_s48_an_answer_without_end_is_not_kept_in_memory(github: ScriptedGitHub, clock: Clock) -> None:
    github.will("GET", PULL, Sent(200, b" " * 100_000))
    error = failing(read_pull, github, clock, limits=Limits(answer_bytes=50_000))
    assert (type(error), error.code) == (Permanent, Code.GITHUB_REFUSED)
    assert len(github.seen("GET", PULL)) == 1


def test_s48_a_small_answer_that_unpacks_without_end_is_given_up(github: ScriptedGitHub, clock: Clock) -> None:
    bomb = gzip.compress(b"[" + b" " * 40_000_000, compresslevel=9)
    github.will("GET", PULL, Sent(200, bomb, {"content-encoding": "gzip", "content-type": "application/json"}))
    error = failing(read_pull, github, clock, limits=Limits(answer_bytes=1_000_000))
    assert len(bomb) < 100_000
    assert (type(error), error.code) == (Permanent, Code.GITHUB_REFUSED)


# A review is posted once


def test_a_review_goes_out_whole_in_one_request(github: ScriptedGitHub, clock: Clock) -> None:
    github.will("POST", REVIEWS, POSTED)
    comments = (
        ReviewComment(path="a.ts", line=9, start_line=4, body="range"),
        ReviewComment(path="a.ts", line=9, start_line=9, body="one line"),
        ReviewComment(path="b.ts", line=2, side=Side.LEFT, body="removed"),
    )
    posted = tell(lambda door: post_review(door, *comments), github, clock)
    assert (posted.id, posted.author) == (80, "principal[bot]")
    (seen,) = github.seen("POST", REVIEWS)
    assert seen.body == {
        "commit_id": HEAD,
        "body": "Two problems.",
        "event": "COMMENT",
        "comments": [
            {"path": "a.ts", "line": 9, "side": "RIGHT", "body": "range", "start_line": 4, "start_side": "RIGHT"},
            {"path": "a.ts", "line": 9, "side": "RIGHT", "body": "one line"},
            {"path": "b.ts", "line": 2, "side": "LEFT", "body": "removed"},
        ],
    }
    assert re.fullmatch(r"principal/\S+", seen.headers["user-agent"])
    assert seen.headers["x-github-api-version"] == "2022-11-28"


LOST_ANSWERS = {
    "500": json(500, {}),
    "502": json(502, {"message": "Server Error"}),
    "504": json(504, {}),
    "408": json(408, {}),
    "no answer": Cut(),
    "a reset": Cut(reset=True),
    "a truncated answer": cut_short(),
    "HTML": Sent(200, b"<html>"),
    "an empty answer": Sent(200),
    "no id": json(200, {"message": "ok"}),
    "an id that is null": json(200, {**review_json(80), "id": None}),
    "a drip": Drip(),
    "rate headers that are no numbers": json(200, {}, x_ratelimit_remaining="many", x_ratelimit_limit="1"),
}


@pytest.mark.parametrize("lost", LOST_ANSWERS.values(), ids=LOST_ANSWERS.keys())
def test_a_review_whose_answer_was_lost_is_sent_once_and_called_unknown(
    github: ScriptedGitHub, clock: Clock, lost: Any
) -> None:
    github.will("POST", REVIEWS, lost)
    error = failing(post_review, github, clock, limits=QUICK)
    assert (type(error), error.code) == (Transient, Code.GITHUB_ANSWER_UNKNOWN)
    assert len(github.seen("POST", REVIEWS)) == 1


def test_a_review_that_github_is_silent_about_is_called_unknown(github: ScriptedGitHub, clock: Clock) -> None:
    never = threading.Event()
    github.will("POST", REVIEWS, Held(never, POSTED))
    error = failing(post_review, github, clock, limits=QUICK)
    never.set()
    assert error.code is Code.GITHUB_ANSWER_UNKNOWN
    assert len(github.seen("POST", REVIEWS)) == 1


def test_a_call_that_hangs_is_left_when_its_time_is_over(github: ScriptedGitHub, clock: Clock) -> None:
    release = threading.Event()
    github.will("POST", REVIEWS, Held(release, POSTED))

    async def story() -> PrincipalError:
        async with app_for(github, clock, limits=Limits(call_seconds=0.3)) as app:
            door = await app.installation(1, 99)
            with pytest.raises(PrincipalError) as caught:
                await post_review(door)
            release.set()
            return caught.value

    assert asyncio.run(story()).code is Code.GITHUB_ANSWER_UNKNOWN


def test_a_refused_connection_is_no_unknown_outcome(clock: Clock) -> None:
    async def story(port: int) -> PrincipalError:
        async with GitHub.with_token("t", api_url=f"http://127.0.0.1:{port}", sleep=clock.sleep) as door:
            with pytest.raises(PrincipalError) as caught:
                await post_review(door)
            return caught.value

    with closed_port() as port:
        error = asyncio.run(story(port))
    assert (type(error), error.code) == (Transient, Code.GITHUB_UNAVAILABLE)


def test_a_name_that_does_not_resolve_is_no_unknown_outcome(clock: Clock) -> None:
    async def story() -> PrincipalError:
        async with GitHub.with_token("t", api_url="http://github.invalid", sleep=clock.sleep) as door:
            with pytest.raises(PrincipalError) as caught:
                await post_review(door)
            return caught.value

    assert asyncio.run(story()).code is Code.GITHUB_UNAVAILABLE


def test_an_untrusted_certificate_gets_no_request_and_a_private_authority_is_honoured(
    clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, authority = self_signed(tmp_path)
    with ScriptedGitHub(tls=context) as github:
        github.will("POST", REVIEWS, POSTED)

        async def story() -> Any:
            async with GitHub.with_token("t", api_url=github.url, sleep=clock.sleep) as door:
                return await post_review(door)

        with pytest.raises(Transient) as caught:
            asyncio.run(story())
        assert caught.value.code is Code.GITHUB_UNAVAILABLE
        assert github.requests == []
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority))
        assert asyncio.run(story()).id == 80


def test_a_proxy_that_is_not_there_is_no_unknown_outcome(
    github: ScriptedGitHub, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    github.will("POST", REVIEWS, POSTED)

    async def story() -> Any:
        async with GitHub.with_token("t", api_url="http://github.invalid", sleep=clock.sleep) as door:
            with pytest.raises(Transient) as caught:
                await post_review(door)
            # With a proxy that is there, GitHub's answer comes through it.
            monkeypatch.setenv("HTTP_PROXY", github.url)
            return caught.value.code, (await post_review(door)).id

    with closed_port() as port:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{port}")
        assert asyncio.run(story()) == (Code.GITHUB_UNAVAILABLE, 80)


def test_a_refused_review_says_what_github_said(github: ScriptedGitHub, clock: Clock) -> None:
    said = "Pull request review thread line must be part of the diff"
    github.will("POST", REVIEWS, json(422, {"message": "Unprocessable Entity", "errors": [said, {"code": "x"}, 3]}))
    error = failing(post_review, github, clock)
    assert (type(error), error.code) == (Permanent, Code.GITHUB_REFUSED)
    assert said in error.what
    assert len(github.seen("POST", REVIEWS)) == 1


@pytest.mark.parametrize(
    "story",
    [
        lambda door: door.post_review(SHOP, 7, commit=HEAD, body="x" * 65_537),
        lambda door: post_review(door, ReviewComment(path="a", line=1, body="x" * 65_537)),
        lambda door: door.comment(SHOP, 7, "x" * 65_537),
        lambda door: door.update_check(SHOP, 5, title="t", summary="x" * 65_536),
        lambda door: door.finish_check(
            SHOP, 5, conclusion=Conclusion.SUCCESS, title="t", summary="s", text="x" * 65_536
        ),
        lambda door: finish(door, CheckAnnotation("a", 1, 1, AnnotationLevel.NOTICE, "m", "x" * 256)),
        lambda door: finish(door, *[CheckAnnotation("a", 1, 1, AnnotationLevel.NOTICE, "m")] * 501),
    ],
)
def test_a_text_that_github_would_refuse_is_not_sent(
    github: ScriptedGitHub, clock: Clock, story: Callable[[GitHub], Awaitable[object]]
) -> None:
    error = failing(story, github, clock)
    assert (type(error), error.code) == (Permanent, Code.GITHUB_REFUSED)
    assert github.requests == github.token_requests


def test_a_text_of_exactly_the_limit_is_sent(github: ScriptedGitHub, clock: Clock) -> None:
    github.will("POST", "/repos/acme/shop/issues/7/comments", json(201, {"id": 3}))
    assert tell(lambda door: door.comment(SHOP, 7, "é" * 65_536), github, clock) == 3


def test_characters_that_github_cannot_take_do_not_cost_the_review(github: ScriptedGitHub, clock: Clock) -> None:
    github.will("POST", "/repos/acme/shop/issues/7/comments", json(201, {"id": 3}))
    tell(lambda door: door.comment(SHOP, 7, "a\0b\ud83dc \N{GRINNING FACE}"), github, clock)
    (seen,) = github.seen("POST", "/repos/acme/shop/issues/7/comments")
    assert seen.body == {"body": "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}c \N{GRINNING FACE}"}


def test_a_verdict_goes_out_when_it_is_asked_for(github: ScriptedGitHub, clock: Clock) -> None:
    github.will("POST", REVIEWS, POSTED)
    tell(lambda door: door.post_review(SHOP, 7, commit=HEAD, body="b", verdict=Verdict.REQUEST_CHANGES), github, clock)
    assert github.seen("POST", REVIEWS)[0].body["event"] == "REQUEST_CHANGES"


# Checks, statuses, reactions


def remarks(count: int) -> list[CheckAnnotation]:
    return [CheckAnnotation("a.ts", n, n, AnnotationLevel.WARNING, f"remark {n}") for n in range(1, count + 1)]


def test_a_hundred_and_twenty_annotations_take_three_requests_and_the_last_completes(
    github: ScriptedGitHub, clock: Clock
) -> None:
    github.will("PATCH", f"{CHECKS}/5", json(200, {"id": 5}))
    tell(lambda door: finish(door, *remarks(120)), github, clock)
    bodies = [seen.body for seen in github.seen("PATCH", f"{CHECKS}/5")]
    assert [body["status"] for body in bodies] == ["in_progress", "in_progress", "completed"]
    assert [len(body["output"]["annotations"]) for body in bodies] == [50, 50, 20]
    assert bodies[-1]["conclusion"] == "neutral"
    assert [one["start_line"] for body in bodies for one in body["output"]["annotations"]] == list(range(1, 121))


@pytest.mark.parametrize(("landed", "sent"), [(True, 1), (False, 2)])
def test_annotations_whose_answer_was_lost_are_counted_before_they_are_sent_again(
    github: ScriptedGitHub, clock: Clock, landed: bool, sent: int
) -> None:
    github.will("PATCH", f"{CHECKS}/5", json(502, {}), json(200, {"id": 5}))
    check = {"id": 5, "status": "completed", "output": {"annotations_count": 2 if landed else 0}}
    github.will("GET", f"{CHECKS}/5", json(200, check))
    tell(lambda door: finish(door, *remarks(2)), github, clock)
    assert len(github.seen("PATCH", f"{CHECKS}/5")) == sent


def test_a_check_without_annotations_may_simply_be_finished_again(github: ScriptedGitHub, clock: Clock) -> None:
    github.will("PATCH", f"{CHECKS}/5", Cut(), json(503, {}), json(200, {"id": 5}))
    tell(finish, github, clock)
    assert len(github.seen("PATCH", f"{CHECKS}/5")) == 3


@pytest.mark.parametrize(("landed", "started"), [(True, 1), (False, 2)])
def test_a_check_whose_answer_was_lost_is_looked_for_before_it_is_started_again(
    github: ScriptedGitHub, clock: Clock, landed: bool, started: int
) -> None:
    github.will("POST", CHECKS, json(502, {}), json(201, {"id": 6}))
    old = {"id": 3, "external_id": "7", "status": "completed", "conclusion": "success"}
    other = {"id": 9, "external_id": "8", "status": "in_progress"}
    ours = {"id": 5, "external_id": "7", "status": "in_progress", "conclusion": None}
    path = f"/repos/acme/shop/commits/{HEAD}/check-runs"
    github.will("GET", path, json(200, {"check_runs": [old, other, *([ours] if landed else [])]}))
    assert tell(start, github, clock) == (5 if landed else 6)
    assert len(github.seen("POST", CHECKS)) == started
    assert github.seen("GET", path)[0].query == {
        "app_id": APP_ID,
        "check_name": "principal",
        "filter": "all",
        "per_page": "100",
    }


def test_a_check_that_github_refuses_is_not_started_again(github: ScriptedGitHub, clock: Clock) -> None:
    github.will("POST", CHECKS, json(422, {"message": "No commit found for SHA"}))
    assert failing(start, github, clock).code is Code.GITHUB_REFUSED
    assert len(github.seen("POST", CHECKS)) == 1


def test_the_newest_check_with_our_id_is_adopted(github: ScriptedGitHub, clock: Clock) -> None:
    runs = [
        {"id": 4, "external_id": "7", "status": "completed", "conclusion": "success"},
        {"id": 8, "external_id": "7", "status": "in_progress"},
        {"id": 9, "external_id": None, "status": "queued"},
    ]
    path = f"/repos/acme/shop/commits/{HEAD}/check-runs"
    github.will("GET", path, json(200, {"check_runs": runs}))

    async def story(door: GitHub) -> Any:
        mine = await door.find_check(SHOP, head=HEAD, name="principal", external_id="7")
        none = await door.find_check(SHOP, head=HEAD, name="principal", external_id="12")
        return mine, none

    mine, none = tell(story, github, clock)
    assert (mine.id, mine.status, mine.conclusion) == (8, "in_progress", None)
    assert none is None


def test_a_reaction_and_a_status_may_be_repeated(github: ScriptedGitHub, clock: Clock) -> None:
    reactions, status = "/repos/acme/shop/issues/comments/3/reactions", f"/repos/acme/shop/statuses/{HEAD}"
    github.will("POST", reactions, Cut(), json(201, {"id": 1}))
    github.will("POST", status, json(502, {}), json(201, {"id": 2}))

    async def story(door: GitHub) -> None:
        await door.react_to_comment(SHOP, 3)
        await door.set_status(SHOP, HEAD, state=StatusState.PENDING, context="principal", description="x" * 141)

    tell(story, github, clock)
    assert [seen.body for seen in github.seen("POST", reactions)] == [{"content": "eyes"}] * 2
    assert len(github.seen("POST", status)) == 2
    assert len(github.seen("POST", status)[0].body["description"]) == 140


# What GitHub refuses


@pytest.mark.parametrize("status", [300, 303, 400, 406, 418])
def test_an_odd_answer_ends_the_job(github: ScriptedGitHub, clock: Clock, status: int) -> None:
    github.will("POST", REVIEWS, json(status, {}, location="/elsewhere"))
    error = failing(post_review, github, clock)
    assert (type(error), error.code) == (Permanent, Code.GITHUB_REFUSED)
    assert str(status) in error.what
    assert len(github.seen("POST", REVIEWS)) == 1


@pytest.mark.parametrize("status", [404, 410, 451])
def test_what_is_gone_is_asked_for_once(github: ScriptedGitHub, clock: Clock, status: int) -> None:
    github.will("GET", PULL, json(status, {"message": "Not Found"}))
    error = failing(read_pull, github, clock)
    assert (type(error), error.code) == (Permanent, Code.GITHUB_GONE)
    assert len(github.seen("GET", PULL)) == 1


def test_a_missing_permission_is_named(github: ScriptedGitHub, clock: Clock) -> None:
    refused = json(
        403,
        {"message": "Resource not accessible by integration"},
        x_accepted_github_permissions="pull_requests=write; contents=read\x1b[31m",
    )
    github.will("POST", REVIEWS, refused)
    error = failing(post_review, github, clock)
    assert (type(error), error.code) == (Permanent, Code.GITHUB_FORBIDDEN)
    assert error.what.startswith("GitHub does not let the bot post the review: it wants the permission pull_requests=")
    assert "\x1b" not in error.what


def test_another_refusal_is_told_in_github_s_words(github: ScriptedGitHub, clock: Clock) -> None:
    github.will("POST", REVIEWS, json(403, {"message": "Repository was archived so is read-only."}))
    assert "archived" in failing(post_review, github, clock).what


LIMITS = {
    "429 with Retry-After": (json(429, {}, retry_after="47"), 47),
    "429 alone": (json(429, {"message": "?"}), 60),
    "429 with a page": (Sent(429, b"<html>"), 60),
    "403 with Retry-After": (json(403, {"message": "no"}, retry_after="48"), 48),
    "403 secondary": (json(403, {"message": "You have exceeded a secondary rate limit and have been…"}), 60),
    "403 abuse": (json(403, {"message": "You have triggered an abuse detection mechanism."}), 60),
    "422 abuse": (json(422, {"message": "Validation Failed", "errors": [{"code": "abuse"}]}), 60),
    "422 too quickly": (json(422, {"message": "x", "errors": [{"message": "was submitted too quickly"}]}), 60),
    "Retry-After that is nothing": (json(429, {}, retry_after="soon"), 60),
    "Retry-After beyond reason": (json(429, {}, retry_after="9" * 40), 3_900),
}


@pytest.mark.parametrize(("answer", "seconds"), LIMITS.values(), ids=LIMITS.keys())
def test_every_way_to_say_slow_down_is_understood_and_obeyed_by_all(
    github: ScriptedGitHub, clock: Clock, answer: Sent, seconds: float
) -> None:
    github.will("POST", REVIEWS, answer)
    github.will("GET", PULL, json(200, pull_json()))

    async def story() -> tuple[Transient, Transient]:
        async with app_for(github, clock) as app:
            first, second = await app.installation(1, 99), await app.installation(1, 98)
            other = await app.installation(2, 97)
            with pytest.raises(Transient) as caught:
                await post_review(first)
            # The same installation waits, whoever acts for it; another one goes on.
            with pytest.raises(Transient) as held:
                await post_review(second)
            await read_pull(other)
            return caught.value, held.value

    caught, held = asyncio.run(story())
    assert (caught.code, caught.retry_after_seconds) == (Code.GITHUB_RATE_LIMITED, seconds)
    assert (held.code, held.retry_after_seconds) == (Code.GITHUB_RATE_LIMITED, seconds)
    assert len(github.seen("POST", REVIEWS)) == 1
    assert len(github.seen("GET", PULL)) == 1


def test_a_used_up_limit_is_waited_out_by_the_server_s_clock(github: ScriptedGitHub, clock: Clock) -> None:
    github.ahead_seconds = 86_400

    def answer(seen: Seen) -> Sent:
        if len(github.seen("GET", PULL)) == 1:
            reset = str(int(github.now()) + 30)
            return json(403, {"message": "API rate limit exceeded"}, x_ratelimit_remaining="0", x_ratelimit_reset=reset)
        return json(200, pull_json())

    github.will("GET", PULL, answer)
    assert tell(read_pull, github, clock).number == 7
    assert len(clock.naps) == 1
    assert 29 <= clock.naps[0] <= 34


def test_the_last_allowed_call_stops_the_next_one_before_it_is_refused(github: ScriptedGitHub, clock: Clock) -> None:
    def answer(seen: Seen) -> Sent:
        reset = str(int(github.now()) + 600)
        return json(200, pull_json(), x_ratelimit_remaining="0", x_ratelimit_limit="5000", x_ratelimit_reset=reset)

    github.will("GET", PULL, answer)

    async def story(door: GitHub) -> None:
        await read_pull(door)
        await read_pull(door)

    error = failing(story, github, clock)
    assert error.code is Code.GITHUB_RATE_LIMITED
    assert 590 <= error.retry_after_seconds <= 602
    assert len(github.seen("GET", PULL)) == 1


@pytest.mark.parametrize(("reset", "seconds"), [("nan", 0), ("inf", 3_900), ("-5", 0), ("1792567680", 1), ("", 60)])
def test_a_reset_that_makes_no_sense_is_bounded(reset: str, seconds: float) -> None:
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": reset, "date": "Wed, 21 Oct 2026 07:28:00 GMT"}
    assert errors.limit_wait_seconds(Reply(403, headers, None)) == seconds


def test_a_retry_after_that_is_a_date_counts_from_the_server_s_now() -> None:
    headers = {"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}
    assert errors.limit_wait_seconds(Reply(429, headers, None)) == 30


def test_writes_keep_below_github_s_limits(clock: Clock) -> None:
    pace = Pace(sleep=clock.sleep, monotonic=clock)

    async def story() -> list[float]:
        began: list[float] = []
        while len(began) < AS_GITHUB_ASKS.writes_per_hour + 20:
            try:
                await pace.turn(Kind.WRITE)
            except Transient as error:
                await clock.sleep(error.retry_after_seconds or 0)
            else:
                began.append(clock())
        return began

    began = asyncio.run(story())
    for seconds, bound in ((60, AS_GITHUB_ASKS.writes_per_minute), (3_600, AS_GITHUB_ASKS.writes_per_hour)):
        assert all(later - earlier >= seconds for earlier, later in zip(began, began[bound:], strict=False))


def test_reads_keep_below_github_s_points(clock: Clock) -> None:
    pace = Pace(sleep=clock.sleep, monotonic=clock)

    async def story() -> None:
        for _ in range(AS_GITHUB_ASKS.points_per_minute):
            await pace.turn(Kind.READ)
        with pytest.raises(Transient) as caught:
            await pace.turn(Kind.READ)
        assert caught.value.retry_after_seconds == 60
        await clock.sleep(57)
        await pace.turn(Kind.READ)

    asyncio.run(story())
    assert clock.naps == [57, 3]


# Redirects


def test_a_renamed_repository_is_followed_with_its_query(github: ScriptedGitHub, clock: Clock) -> None:
    github.will(
        "GET", REVIEWS, json(301, {"message": "Moved"}, location=f"{github.url}/repositories/99/pulls/7/reviews")
    )
    github.will("GET", "/repositories/99/pulls/7/reviews", json(200, [review_json(1, user=BOT)]))
    found = tell(lambda door: door.own_reviews(SHOP, 7), github, clock)
    assert [review.id for review in found] == [1]
    (seen,) = github.seen("GET", "/repositories/99/pulls/7/reviews")
    assert seen.query == {"page": "1", "per_page": "100"}


def test_a_query_that_the_redirect_brings_is_taken(github: ScriptedGitHub, clock: Clock) -> None:
    github.will("GET", PULL, json(302, {}, location="/repositories/99/pulls/7?page=3&per_page=9"))
    github.will("GET", "/repositories/99/pulls/7", json(200, pull_json()))
    tell(read_pull, github, clock)
    assert github.seen("GET", "/repositories/99/pulls/7")[0].query == {"page": "3", "per_page": "9"}


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_write_to_a_renamed_repository_is_sent_again_where_it_went(
    github: ScriptedGitHub, clock: Clock, status: int
) -> None:
    new = "/repositories/99/pulls/7/reviews"
    github.will("POST", REVIEWS, json(status, {}, location=f"{github.url}{new}"))
    github.will("POST", new, POSTED)
    assert tell(post_review, github, clock).id == 80
    assert github.seen("POST", new)[0].body == github.seen("POST", REVIEWS)[0].body
    assert len(github.seen("POST", new)) == 1


def test_a_redirect_keeps_an_enterprise_server_s_prefix(clock: Clock) -> None:
    with ScriptedGitHub(prefix="/api/v3") as github:
        github.will("GET", PULL, json(301, {}, location=f"{github.url}/repositories/99/pulls/7"))
        github.will("GET", "/repositories/99/pulls/7", json(200, pull_json()))
        assert tell(read_pull, github, clock).number == 7


@pytest.mark.parametrize("story", [read_pull, post_review])
@pytest.mark.parametrize(
    "place",
    [
        "http://127.0.0.1:{elsewhere}/x",
        "http://localhost:{here}/x",
        "https://127.0.0.1:{here}/x",
        "http://127.0.0.1:{here}@evil.invalid/x",
        "//evil.invalid/x",
        "http://[evil/x",
        "http://127.0.0.1:99999/x",
        "ftp://127.0.0.1:{here}/x",
    ],
)
def test_s15_credentials_do_not_follow_to_another_host(
    github: ScriptedGitHub, clock: Clock, place: str, story: Callable[[GitHub], Awaitable[object]]
) -> None:
    with ScriptedGitHub() as elsewhere:
        location = place.format(here=urlsplit(github.url).port, elsewhere=urlsplit(elsewhere.url).port)
        github.will("POST", REVIEWS, json(307, {}, location=location))
        github.will("GET", PULL, json(301, {}, location=location))
        error = failing(story, github, clock)
        assert (type(error), error.code) == (Permanent, Code.GITHUB_REDIRECT_BLOCKED)
        assert elsewhere.requests == []
        assert len(github.requests) == 2


def test_a_circle_of_redirects_ends(github: ScriptedGitHub, clock: Clock) -> None:
    github.will("GET", PULL, json(301, {}, location=f"{PULL}/again"))
    github.will("GET", f"{PULL}/again", json(301, {}, location=PULL))
    assert failing(read_pull, github, clock).code is Code.GITHUB_REFUSED
    assert len(github.seen("GET")) == 4


def test_a_redirect_to_nowhere_is_refused(github: ScriptedGitHub, clock: Clock) -> None:
    github.will("GET", PULL, json(301, {}))
    assert failing(read_pull, github, clock).code is Code.GITHUB_REFUSED


# Tokens


def test_s13_a_token_is_for_one_repository_and_the_least_permissions(github: ScriptedGitHub, clock: Clock) -> None:
    github.will("GET", PULL, json(200, pull_json()))
    tell(read_pull, github, clock)
    (asked,) = github.token_requests
    assert asked.path == "/app/installations/1/access_tokens"
    assert asked.body == {
        "repository_ids": [99],
        "permissions": {
            "checks": "write",
            "contents": "read",
            "issues": "write",
            "metadata": "read",
            "pull_requests": "write",
        },
    }
    assert github.seen("GET", PULL)[0].token in github.tokens


def test_sixteen_threads_in_need_of_a_token_make_one_request(github: ScriptedGitHub, clock: Clock) -> None:
    release, path = threading.Event(), "/app/installations/1/access_tokens"
    made: list[Sent] = []

    def slowly(seen: Seen) -> Held:
        made.append(github.token_answer(seen))
        return Held(release, made[-1])

    github.will("POST", path, slowly)
    github.will("GET", PULL, json(200, pull_json()))

    async def story() -> None:
        async with app_for(github, clock) as app:
            tasks = [asyncio.create_task(app.installation(1, 99)) for _ in range(16)]
            await asyncio.to_thread(github.wait_for, "POST", path)
            # Eight workers are on their way by now; each of those without a lock would make its own request.
            release.set()
            doors = await asyncio.gather(*tasks)
            await asyncio.gather(*(read_pull(door) for door in doors))

    asyncio.run(story())
    assert len(made) == 1
    assert len({seen.token for seen in github.seen("GET", PULL)}) == 1


def test_a_rejected_token_is_renewed_once_and_the_write_sent_again(github: ScriptedGitHub, clock: Clock) -> None:
    github.will("POST", REVIEWS, json(401, {"message": "Bad credentials"}), POSTED)
    assert tell(post_review, github, clock).id == 80
    first, second = github.seen("POST", REVIEWS)
    assert first.token != second.token
    assert len(github.token_requests) == 2


def test_two_rejected_tokens_end_the_job(github: ScriptedGitHub, clock: Clock) -> None:
    github.will("GET", PULL, json(401, {"message": "Bad credentials"}))
    error = failing(read_pull, github, clock)
    assert (type(error), error.code) == (Permanent, Code.GITHUB_UNAUTHORIZED)
    assert len(github.seen("GET", PULL)) == 2


def test_a_person_s_token_is_not_tried_twice(github: ScriptedGitHub, clock: Clock) -> None:
    github.will("GET", PULL, json(401, {"message": "Bad credentials"}))
    github.will("GET", "/user", json(200, {"login": "octocat"}))

    async def story() -> Any:
        async with GitHub.with_token("ghp_secret", api_url=github.url, sleep=clock.sleep) as door:
            with pytest.raises(Permanent) as caught:
                await read_pull(door)
            return caught.value.code, await door.viewer(), await door.git_token(SHOP), door.may_write_checks

    assert asyncio.run(story()) == (Code.GITHUB_UNAUTHORIZED, "octocat", "ghp_secret", False)
    assert len(github.seen("GET", PULL)) == 1


def test_a_token_is_renewed_five_minutes_before_it_ends(github: ScriptedGitHub, clock: Clock) -> None:
    github.ahead_seconds = -7_200  # Their clock does not matter for how long a token lives.

    async def story() -> list[str]:
        async with app_for(github, clock) as app:
            door = await app.installation(1, 99)
            tokens = [await door.git_token(SHOP)]
            for minutes in (54, 2):
                clock.seconds += minutes * 60
                tokens.append(await door.git_token(SHOP))
            return tokens

    first, kept, renewed = asyncio.run(story())
    assert first == kept != renewed
    assert len(github.tokens) == 2


@pytest.mark.parametrize("hours", [-2, 2])
def test_a_wrong_clock_is_corrected_by_github_s(github: ScriptedGitHub, clock: Clock, hours: int) -> None:
    github.ahead_seconds = hours * 3_600
    github.will("GET", PULL, json(200, pull_json()))

    async def story() -> None:
        async with app_for(github, clock) as app:
            await read_pull(await app.installation(1, 99))
            await read_pull(await app.installation(2, 98))

    asyncio.run(story())
    assert len(github.token_requests) == 3, "one refused for the clock, then one for each installation"


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        (json(404, {"message": "Not Found"}), Code.GITHUB_GONE, "not installed"),
        (json(403, {"message": "This installation has been suspended"}), Code.GITHUB_FORBIDDEN, "suspended"),
        (
            json(422, {"message": "The permissions requested are not granted to this installation."}),
            Code.GITHUB_FORBIDDEN,
            "checks=write",
        ),
        (
            json(422, {"message": "There is at least one repository that does not exist or is not accessible"}),
            Code.GITHUB_GONE,
            "not installed on this repository",
        ),
        (json(401, {"message": "A JSON web token could not be decoded"}), Code.GITHUB_UNAUTHORIZED, "App's key"),
    ],
)
def test_an_installation_that_gives_no_token_says_why(
    github: ScriptedGitHub, clock: Clock, answer: Sent, code: Code, words: str
) -> None:
    github.will("POST", "/app/installations/1/access_tokens", answer)
    error = failing(read_pull, github, clock)
    assert (type(error), error.code) == (Permanent, code)
    assert words in error.what
    assert len(github.token_requests) == 1


def test_a_token_request_that_broke_is_tried_again(github: ScriptedGitHub, clock: Clock) -> None:
    path = "/app/installations/1/access_tokens"
    github.will("POST", path, Cut(), json(502, {}), json(201, {"token": "ghs_x"}), github.token_answer)
    github.will("GET", PULL, json(200, pull_json()))
    assert tell(read_pull, github, clock).number == 7
    assert len(github.token_requests) == 4


def test_s60_each_request_carries_the_token_of_its_own_installation_and_gets_its_own_answer(
    github: ScriptedGitHub, clock: Clock
) -> None:
    """Many jobs of two installations at once: no token and no answer ever lands at another's (S-60)."""

    def answer(seen: Seen) -> Sent:
        return json(200, pull_json(number=int(seen.path.rsplit("/", 1)[1])))

    for number in range(600):
        github.will("GET", f"/repos/acme/shop{number % 2 + 1}/pulls/{number}", answer)

    async def story() -> list[int]:
        async with app_for(github, clock) as app:
            doors = [await app.installation(1, 11), await app.installation(2, 22)]
            pulls = await asyncio.gather(*(doors[n % 2].pull(f"acme/shop{n % 2 + 1}", n) for n in range(600)))
            return [pull.number for pull in pulls]

    assert asyncio.run(story()) == list(range(600))
    owners = Counter((seen.path.split("/")[3], github.tokens[seen.token][0]) for seen in github.seen("GET"))
    assert owners == {("shop1", 1): 300, ("shop2", 2): 300}
    assert len({seen.connection for seen in github.seen("GET")}) <= 8, "connections are kept alive, one per worker"


def test_cookies_of_one_installation_do_not_travel_with_another(github: ScriptedGitHub, clock: Clock) -> None:
    github.will("GET", PULL, json(200, pull_json(), set_cookie="session=1; path=/"))

    async def story(door: GitHub) -> None:
        for _ in range(20):
            await read_pull(door)

    tell(story, github, clock)
    assert all("cookie" not in seen.headers for seen in github.requests)


@pytest.mark.parametrize("form", ["ghs_" + "a" * 36, "ghs_4711_" + "eyJhbGciOiJSUzI1NiJ9." * 24 + "x-_y"])
def test_s33_no_token_and_no_key_shows_in_logs_reprs_or_errors(
    github: ScriptedGitHub, clock: Clock, form: str, caplog: pytest.LogCaptureFixture
) -> None:
    github.token_form = lambda installation, count: form
    github.will("GET", PULL, json(422, {"message": f"Bad \x1b[31m thing {form}\n", "errors": [{"message": form}]}))
    shown: list[str] = []

    async def story() -> None:
        async with app_for(github, clock) as app:
            door = await app.installation(1, 99)
            with pytest.raises(Permanent) as caught:
                await read_pull(door)
            shown.extend([repr(app), repr(door), repr(caught.value), str(caught.value)])

    with caplog.at_level(logging.DEBUG):
        asyncio.run(story())
    everything = "\n".join([*shown, caplog.text])
    assert form[:30] not in everything
    assert "PRIVATE KEY" not in everything
    assert "Bearer" not in everything
    assert "\x1b" not in everything
    assert "[secret]" in shown[-1]


def test_a_broken_token_answer_is_not_repeated_in_the_error(github: ScriptedGitHub, clock: Clock) -> None:
    github.will(
        "POST", "/app/installations/1/access_tokens", json(201, {"token": "ghs_secret", "expires_at": 1.5j.imag})
    )
    github.will("POST", "/app/installations/2/access_tokens", json(201, {"token": "ghs_secret"}))

    async def story() -> str:
        async with app_for(github, clock) as app:
            with pytest.raises(Transient) as caught:
                await app.installation(2, 1)
            return f"{caught.value} {caught.value.__cause__}"

    assert "ghs_secret" not in asyncio.run(story())


@pytest.mark.parametrize(
    ("settings", "variable"),
    [
        ({"app_id": " "}, "GITHUB_APP_ID"),
        ({"private_key_pem": "no key"}, "GITHUB_PRIVATE_KEY"),
        ({"private_key_pem": ""}, "GITHUB_PRIVATE_KEY"),
        ({"api_url": "api.github.com"}, "GITHUB_API_URL"),
        ({"api_url": "ftp://api.github.com"}, "GITHUB_API_URL"),
        ({"api_url": "https://user:pw@api.github.com"}, "GITHUB_API_URL"),
        ({"api_url": "https://api.github.com?x=1"}, "GITHUB_API_URL"),
        ({"api_url": "https://api.github.com:99999"}, "GITHUB_API_URL"),
    ],
)
def test_settings_that_cannot_work_are_named(settings: dict[str, str], variable: str) -> None:
    sound: dict[str, Any] = {"app_id": APP_ID, "private_key_pem": PEM, "api_url": "https://api.github.com"}
    with pytest.raises(UserError, match=variable) as caught:
        App(**{**sound, **settings})
    assert caught.value.code is Code.SETTINGS_INVALID


def test_an_empty_token_is_named() -> None:
    with pytest.raises(UserError, match="GITHUB_TOKEN"):
        GitHub.with_token("", api_url="https://api.github.com")


# What is counted


def test_every_request_is_counted_by_a_route_without_names(github: ScriptedGitHub, clock: Clock) -> None:
    calls: list[Call] = []
    github.will("GET", PULL, Cut(), json(301, {}, location="/repositories/99/pulls/7"))
    github.will("GET", "/repositories/99/pulls/7", json(200, pull_json()))
    tell(read_pull, github, clock, on_call=calls.append)
    assert [(call.method, call.route, call.status) for call in calls] == [
        ("POST", "/app/installations/{installation}/access_tokens", 201),
        ("GET", "/repos/{owner}/{name}/pulls/{number}", None),
        ("GET", "/repos/{owner}/{name}/pulls/{number}", 301),
        ("GET", "/repos/{owner}/{name}/pulls/{number}", 200),
    ]
    assert all(call.seconds >= 0 for call in calls)


def test_a_review_that_is_overtaken_stops_waiting_at_once(github: ScriptedGitHub, clock: Clock) -> None:
    release = threading.Event()
    github.will("GET", PULL, Held(release, json(200, pull_json())))

    async def story() -> None:
        async with app_for(github, clock) as app:
            task = asyncio.ensure_future(read_pull(await app.installation(1, 99)))
            await asyncio.to_thread(github.wait_for, "GET", PULL)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            assert task.cancelled()
            assert not release.is_set()
            release.set()

    asyncio.run(story())


# Addresses


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/acme/shop/pull/7",
        " https://github.com/acme/shop/pull/7\n",
        "https://GitHub.com:443/acme/shop/pull/7/files?w=1#diff-1",
        "https://github.com/acme/shop/pull/7/commits/abc",
    ],
)
def test_a_pull_request_s_address_is_understood(url: str) -> None:
    assert parse_pull_url(url, "https://github.com") == (SHOP, 7)


def test_a_server_under_a_path_is_understood() -> None:
    assert parse_pull_url("http://127.0.0.1:81/git/acme/shop/pull/7", "http://127.0.0.1:81/git/") == (SHOP, 7)


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com.evil.tld/acme/shop/pull/7",
        "https://github.com@evil.tld/acme/shop/pull/7",
        "https://evil.tld@github.com/acme/shop/pull/7",
        "https://evil.tld/github.com/acme/shop/pull/7",
        "https://github.com./acme/shop/pull/7",
        "https://github.com:8443/acme/shop/pull/7",
        "https://github.com:x/acme/shop/pull/7",
        "http://github.com/acme/shop/pull/7",
        "https://gіthub.com/acme/shop/pull/7",
        "https://xn--gthub-n5a.com/acme/shop/pull/7",
        "https:\\\\github.com\\acme\\shop\\pull\\7",
        "https://github.com/acme/shop/pull/7\r\nHost: evil",
        "https://git\thub.com/acme/shop/pull/7",
        "https://github.com/acme/shop/issues/7",
        "https://github.com/acme/shop/pull/0",
        "https://github.com/acme/shop/pull/7x",
        "https://github.com/acme/../pull/7",
        "https://github.com/acme/shop/extra/pull/7",
        "//github.com/acme/shop/pull/7",
        "acme/shop#7",
        "",
        "https://github.com/acme/shop/pull/7/" + "x" * 3_000,
    ],
)
def test_s14_an_address_that_only_looks_like_one_is_refused(url: str) -> None:
    with pytest.raises(UserError):
        parse_pull_url(url, "https://github.com")


@given(st.text(max_size=40), st.sampled_from(["", "@", ".", "/", "\\", ":", "#", "?"]))
def test_s14_whatever_is_put_around_the_host_the_host_must_be_the_server_s(noise: str, joint: str) -> None:
    for url in (
        f"https://github.com{joint}{noise}/acme/shop/pull/7",
        f"https://{noise}{joint}github.com/acme/shop/pull/7",
    ):
        try:
            found = parse_pull_url(url, "https://github.com")
        except UserError:
            continue
        assert found[1] == 7
        assert urlsplit(url).hostname == "github.com"
        assert "@" not in urlsplit(url).netloc


@given(st.text(max_size=60))
def test_s56_no_part_of_a_path_can_leave_its_place(text: str) -> None:
    request = Request("GET", "/repos/x/y/collaborators/{login}/permission", {"login": text}, "try")
    assert request.path.isascii()
    assert len(request.path.split("/")) == 7
    assert not {"?", "#", "\\", "\r", "\n", " "} & set(request.path)


@given(st.text(max_size=30))
def test_s56_only_names_of_repositories_become_part_of_a_path(text: str) -> None:
    try:
        parts = split(text)
    except UserError:
        return
    assert text == f"{parts['owner']}/{parts['name']}"
    assert parts["name"] not in (".", "..")


@given(
    st.recursive(st.none() | st.text() | st.integers(), lambda kids: st.lists(kids) | st.dictionaries(st.text(), kids))
)
def test_whatever_an_error_s_body_is_its_message_is_one_short_printable_line(body: object) -> None:
    for said in (errors.message(body), errors.message({"message": body, "errors": [body, {"message": body}]})):
        assert len(said) <= errors.MAX_MESSAGE
        assert said.isprintable()
