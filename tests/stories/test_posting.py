"""Posting: every finding is said once, also when GitHub refuses the place of one, and nothing is said to a stale head."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from app.core.change import Sha
from app.core.finding import Anchor, Side, VerifiedFinding
from app.core.report import Review
from app.errors import Code, Permanent
from app.events import ReviewRequest
from app.github import App, GitHub
from app.sandbox import Sandbox
from app.stages import post
from app.stages.recall import Keeper
from app.stages.step import AtOnce
from tests.core.reviews import CLEAN, SAID
from tests.fakes.contract import described_github

SHOP = "acme/shop"
KEY = b"a key of the tests"
OLD = "".join(f"line {n}\n" for n in range(1, 41))
NEW = OLD.replace("line 20\n", "line twenty\nand a half\n")


class Clock:
    """Time that passes only where somebody waits; `meanwhile` happens in the next wait."""

    def __init__(self) -> None:
        self.seconds = 100.0
        self.naps: list[float] = []
        self.meanwhile: Callable[[], object] = lambda: None

    def __call__(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.seconds += seconds
        happens, self.meanwhile = self.meanwhile, lambda: None
        await asyncio.to_thread(happens)


@pytest.fixture
def github() -> Iterator[Sandbox]:
    with described_github() as sandbox:
        yield sandbox


@pytest.fixture
def pull(github: Sandbox) -> Any:
    repository = github.create_repository(SHOP, files={"src/a.ts": OLD}, private=True)
    return repository.open_pull(files={"src/a.ts": NEW}, title="A half", body="", author="dev")


@pytest.fixture
def clock() -> Clock:
    return Clock()


def finding(title: str, line: int, *, path: str = "src/a.ts", side: Side = Side.RIGHT) -> VerifiedFinding:
    told = replace(SAID.finding, title=title, path=path, quote="x")
    return VerifiedFinding(finding=told, anchor=Anchor(path, side, line, line, 0))


def review_of(pull: Any, *said: VerifiedFinding) -> Review:
    return replace(CLEAN, head=Sha(pull.head_sha), said=said, hunks=1, hunks_reviewed=1)


def posted(github: Sandbox, pull: Any, review: Review, clock: Clock, times: int = 1) -> list[post.Posted]:
    """What posting the review comes to, as often as it is posted."""
    place = pull.repository
    request = ReviewRequest(place.full_name, place.id, pull.number, 1, head=Sha(review.head), trigger="push")

    async def once(door: GitHub) -> post.Posted:
        return await post.post(review, Keeper(request, SHOP, door, KEY), version="0.4", step=AtOnce())

    async def telling() -> list[post.Posted]:
        app = App(
            app_id=github.app.id,
            private_key_pem=github.private_key,
            api_url=github.api_url,
            sleep=clock.sleep,
            monotonic=clock,
        )
        async with app:
            door = await app.installation(github.installation().id, pull.repository.id)
            return [await once(door) for _ in range(times)]

    return asyncio.run(telling())


def said_of(pull: Any, title: str) -> tuple[int, int]:
    """How often a finding stands in the bodies of reviews, and how often beside a line."""
    return (
        sum(title in one.body for one in pull.reviews),
        sum(title in one.body for one in pull.review_comments),
    )


def test_findings_on_the_diff_are_said_beside_their_lines(github, pull, clock):
    (made,) = posted(github, pull, review_of(pull, finding("First thing", 20), finding("Second thing", 21)), clock)
    assert (made.state, made.review_id) == ("posted", pull.reviews[0].id)
    assert [said_of(pull, title)[1] for title in ("First thing", "Second thing")] == [1, 1]
    assert clock.naps == []


@pytest.mark.parametrize(
    "refused",
    [
        pytest.param([finding("Refused", 39)], id="one-line-outside-the-hunk"),
        pytest.param([finding("Refused", 4_000)], id="one-line-outside-the-file"),
        pytest.param([finding("Refused", 1, path="src/gone.ts")], id="one-file-outside-the-change"),
        pytest.param([finding("Refused", 38, side=Side.LEFT)], id="one-removed-line-that-was-not"),
        pytest.param([finding("Refused", 38), finding("Also refused", 39)], id="two-of-three"),
    ],
)
def test_r19_one_bad_place_loses_and_repeats_no_finding(github, pull, clock, refused):
    told = [finding("Fine thing", 20), *refused]
    (made,) = posted(github, pull, review_of(pull, *told), clock)
    assert made.state == "posted"
    assert len(pull.reviews) == 1
    assert {one.finding.title: said_of(pull, one.finding.title) for one in told} == {
        one.finding.title: (1, 0) for one in told
    }
    assert [one.status for one in github.requests.find("POST", "/reviews")] == [422, 200]


def test_when_every_place_is_bad_the_body_says_it_all(github, pull, clock):
    told = [finding(f"Thing number {number}.", 30 + number) for number in range(5)]
    (made,) = posted(github, pull, review_of(pull, *told), clock)
    assert made.state == "posted"
    assert [said_of(pull, one.finding.title.rstrip(".")) for one in told] == [(1, 0)] * 5


def test_posting_again_after_a_refused_place_finds_what_stands_there(github, pull, clock):
    made = posted(github, pull, review_of(pull, finding("Refused", 39)), clock, times=2)
    assert [one.state for one in made] == ["posted", "already"]
    assert len(pull.reviews) == 1


def test_a_refused_review_that_stands_all_the_same_is_not_said_again(github, pull, clock):
    github.faults.answer_after_effect(422, "POST", "*/reviews")
    (made,) = posted(github, pull, review_of(pull, finding("First thing", 20)), clock)
    assert made.review_id == pull.reviews[0].id
    assert len(github.requests.find("POST", "/reviews")) == 1


def test_a_review_that_github_refuses_for_another_reason_ends_with_its_words(github, pull, clock):
    github.faults.answer(422, "POST", "*/reviews", times=2)
    with pytest.raises(Permanent) as refused:
        posted(github, pull, review_of(pull, finding("First thing", 20)), clock)
    assert refused.value.code is Code.GITHUB_REFUSED
    assert pull.reviews == []


def test_r24_a_push_while_the_review_waits_for_its_turn_is_seen_before_it_is_posted(github, pull, clock):
    """The second review of an installation waits three seconds; what was true before may not be true after."""
    first, second = review_of(pull, finding("First thing", 39)), pull
    clock.meanwhile = lambda: second.push({"src/a.ts": OLD})
    (made,) = posted(github, pull, first, clock)
    assert clock.naps == [3]
    assert (made.state, made.head) == ("superseded", pull.head_sha)
    assert pull.reviews == []


def test_r25_a_pull_closed_while_the_review_waits_for_its_turn_gets_none(github, pull, clock):
    clock.meanwhile = pull.close
    (made,) = posted(github, pull, review_of(pull, finding("First thing", 39)), clock)
    assert made.state == "closed"
    assert pull.reviews == []
