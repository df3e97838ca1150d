"""The door to GitHub against the sandbox, which has a real git repository and refuses what GitHub refuses."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from app.core.change import Sha
from app.core.finding import Side
from app.core.pull import AnnotationLevel, CheckAnnotation, Conclusion, Permission, ReviewComment, StatusState
from app.errors import Code, Permanent, PrincipalError, Transient
from app.github import App, GitHub
from app.sandbox import Sandbox
from tests.fakes.contract import described_github

SHOP = "acme/shop"
OLD = "".join(f"line {n}\n" for n in range(1, 41))
NEW = OLD.replace("line 20\n", "line twenty\nand a half\n")
ON_THE_HUNK = ReviewComment("src/a.ts", 21, "Why a half?", start_line=20)
OFF_THE_HUNK = ReviewComment("src/a.ts", 39, "Nothing changed here.")


@pytest.fixture
def github() -> Iterator[Sandbox]:
    with described_github() as sandbox:
        yield sandbox


@pytest.fixture
def repository(github: Sandbox) -> Any:
    return github.create_repository(SHOP, files={"src/a.ts": OLD}, private=True)


@pytest.fixture
def pull(repository: Any) -> Any:
    return repository.open_pull(files={"src/a.ts": NEW}, title="Charge later", body="Through a queue", author="dev")


async def at_once(seconds: float) -> None:
    del seconds


def tell(story: Callable[[GitHub], Awaitable[Any]], github: Sandbox, repository: Any) -> Any:
    """What `story` returns when it is told with GitHub as the App's installation sees this one repository."""

    async def telling() -> Any:
        app = App(app_id=github.app.id, private_key_pem=github.private_key, api_url=github.api_url, sleep=at_once)
        async with app:
            return await story(await app.installation(github.installation().id, repository.id))

    return asyncio.run(telling())


def failing(story: Callable[[GitHub], Awaitable[Any]], github: Sandbox, repository: Any) -> Any:
    """The error `story` ends with."""
    with pytest.raises(PrincipalError) as caught:
        tell(story, github, repository)
    return caught.value


def review(door: GitHub, pull: Any, *comments: ReviewComment) -> Awaitable[Any]:
    return door.post_review(SHOP, pull.number, commit=Sha(pull.head_sha), body="One question.", comments=comments)


def test_a_review_from_first_look_to_finished_check_takes_seven_calls(
    github: Sandbox, repository: Any, pull: Any
) -> None:
    async def story(door: GitHub) -> Any:
        read = await door.pull(SHOP, pull.number)
        check = await door.start_check(
            SHOP, head=read.head_sha, name="principal", external_id=str(read.number), title="Reviewing", summary="…"
        )
        between = await door.compare(SHOP, read.base_sha, read.head_sha)
        before = await door.own_reviews(SHOP, read.number)
        again = await door.pull(SHOP, pull.number)
        posted = await review(door, pull, ON_THE_HUNK, ReviewComment("src/a.ts", 20, "Gone.", side=Side.LEFT))
        await door.finish_check(
            SHOP,
            check,
            conclusion=Conclusion.NEUTRAL,
            title="One question",
            summary="See the review.",
            annotations=[CheckAnnotation("src/a.ts", 20, 21, AnnotationLevel.NOTICE, "Why a half?")],
        )
        return read, between, before, again, posted

    read, between, before, again, posted = tell(story, github, repository)
    assert (read.title.text, read.body.text, read.head_sha, read.head_repository) == (
        "Charge later",
        "Through a queue",
        pull.head_sha,
        SHOP,
    )
    assert (read.private, read.is_open, read.from_fork, read.changed_files) == (True, True, False, 1)
    assert (read.merge_state, again.merge_state) == ("clean", "unstable"), "our own check run is in progress"
    assert replace(again, merge_state=read.merge_state) == read
    assert (between.merge_base, between.ahead_by) == (pull.base_sha, 1)
    assert before == ()
    assert [one.id for one in pull.reviews] == [posted.id]
    assert len(pull.review_comments) == 2
    (run,) = pull.check_runs
    assert (run.status, run.conclusion) == ("completed", "neutral")
    assert len(github.requests.rest) == 7


def test_an_anchor_outside_the_diff_costs_the_whole_review_and_is_told(
    github: Sandbox, repository: Any, pull: Any
) -> None:
    error = failing(lambda door: review(door, pull, ON_THE_HUNK, OFF_THE_HUNK), github, repository)
    assert (type(error), error.code) == (Permanent, Code.GITHUB_REFUSED)
    assert "post the review (422)" in error.what
    assert pull.reviews == []


def test_a_review_whose_answer_was_lost_is_found_by_looking(github: Sandbox, repository: Any, pull: Any) -> None:
    github.faults.answer_after_effect(502, "POST", "*/reviews")

    async def story(door: GitHub) -> Any:
        with pytest.raises(Transient) as caught:
            await review(door, pull, ON_THE_HUNK)
        return caught.value.code, await door.own_reviews(SHOP, pull.number)

    code, found = tell(story, github, repository)
    assert code is Code.GITHUB_ANSWER_UNKNOWN
    assert [(one.id, one.author, one.author_is_bot) for one in found] == [(pull.reviews[0].id, "principal[bot]", True)]
    assert len(github.requests.find("POST", "/reviews")) == 1


def test_a_check_whose_answer_was_lost_is_not_started_twice(github: Sandbox, repository: Any, pull: Any) -> None:
    github.faults.lose_answer("POST", "*/check-runs")

    def start(door: GitHub) -> Awaitable[int]:
        return door.start_check(
            SHOP, head=Sha(pull.head_sha), name="principal", external_id="7", title="Reviewing", summary="…"
        )

    number = tell(start, github, repository)
    assert [run.id for run in pull.check_runs] == [number]


def test_annotations_whose_answer_was_lost_do_not_stand_twice(github: Sandbox, repository: Any, pull: Any) -> None:
    github.faults.lose_answer("PATCH", "*/check-runs/*", times=2)
    notes = [CheckAnnotation("src/a.ts", n, n, AnnotationLevel.NOTICE, f"Note {n}") for n in range(1, 41)] * 2

    async def story(door: GitHub) -> None:
        check = await door.start_check(
            SHOP, head=Sha(pull.head_sha), name="principal", external_id="7", title="Reviewing", summary="…"
        )
        await door.finish_check(SHOP, check, conclusion=Conclusion.FAILURE, title="t", summary="s", annotations=notes)

    tell(story, github, repository)
    (run,) = pull.check_runs
    assert (run.status, run.conclusion, len(run.annotations)) == ("completed", "failure", 80)


def test_permissions_are_what_github_confirms(github: Sandbox, repository: Any) -> None:
    for login in ("read", "triage", "write", "maintain", "admin"):
        repository.add_collaborator(login, login)

    async def story(door: GitHub) -> Any:
        return [await door.permission(SHOP, login) for login in ("read", "triage", "write", "maintain", "admin", "who")]

    *known, stranger = tell(story, github, repository)
    assert known == [Permission.READ, Permission.TRIAGE, Permission.WRITE, Permission.MAINTAIN, Permission.ADMIN]
    assert not stranger.may_write


def test_a_command_gets_its_eyes(github: Sandbox, repository: Any, pull: Any) -> None:
    comment = pull.comment("/review", by="dev")
    tell(lambda door: door.react_to_comment(SHOP, comment.id), github, repository)
    assert [(one.content, one.user.login) for one in comment.reactions] == [("eyes", "principal[bot]")]


def test_s13_the_token_of_one_repository_does_not_open_another(github: Sandbox, repository: Any, pull: Any) -> None:
    other = github.create_repository("acme/secrets", private=True)
    hidden = other.open_pull(files={"a": "b"}, title="T")
    error = failing(lambda door: door.pull("acme/secrets", hidden.number), github, repository)
    assert error.code is Code.GITHUB_GONE


def test_a_permission_that_was_not_accepted_is_named(github: Sandbox, repository: Any) -> None:
    github.grant(checks="none")
    error = failing(lambda door: door.pull(SHOP, 1), github, repository)
    assert error.code is Code.GITHUB_FORBIDDEN
    assert "checks=write" in error.what


def test_a_suspended_installation_says_so(github: Sandbox, repository: Any) -> None:
    github.suspend()
    error = failing(lambda door: door.pull(SHOP, 1), github, repository)
    assert error.code is Code.GITHUB_FORBIDDEN
    assert "suspended" in error.what


def test_a_renamed_repository_is_reviewed_under_its_new_name(github: Sandbox, repository: Any, pull: Any) -> None:
    repository.rename("store")

    async def story(door: GitHub) -> Any:
        return await door.pull(SHOP, pull.number), await review(door, pull, ON_THE_HUNK)

    read, posted = tell(story, github, repository)
    assert read.repository == "acme/store"
    assert [one.id for one in pull.reviews] == [posted.id]


def test_a_person_s_token_posts_and_sets_a_status_but_writes_no_check(
    github: Sandbox, repository: Any, pull: Any
) -> None:
    repository.add_collaborator("alice", "write")

    async def telling() -> Any:
        token = github.user_token("alice")
        async with GitHub.with_token(token, api_url=github.api_url, sleep=at_once) as door:
            await door.set_status(
                SHOP, Sha(pull.head_sha), state=StatusState.SUCCESS, context="principal", description="One question"
            )
            posted = await review(door, pull, ON_THE_HUNK)
            with pytest.raises(Permanent) as caught:
                await door.start_check(
                    SHOP, head=Sha(pull.head_sha), name="principal", external_id="7", title="t", summary="s"
                )
            own = await door.own_reviews(SHOP, pull.number)
            return await door.viewer(), posted, own, caught.value.code

    login, posted, own, code = asyncio.run(telling())
    assert (login, posted.author, own) == ("alice", "alice", (posted,))
    assert code is Code.GITHUB_FORBIDDEN
    assert [one.state for one in pull.statuses] == ["success"]


def test_a_used_up_limit_holds_the_installation_back(github: Sandbox, repository: Any, pull: Any) -> None:
    async def story(door: GitHub) -> Any:
        github.budget.remaining = 0
        await door.comment(SHOP, pull.number, "Hello")

    error = failing(story, github, repository)
    assert error.code is Code.GITHUB_RATE_LIMITED
    assert 0 < error.retry_after_seconds <= 3_900
    assert pull.issue_comments == []
