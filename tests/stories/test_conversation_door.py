"""What people say on a pull request, read and answered through the door to GitHub, against the sandbox."""

from __future__ import annotations

import pytest

from app.core.change import Sha
from app.core.pull import ReviewComment
from app.errors import Code, Transient
from tests.stories.test_github_against_sandbox import (
    NEW,
    OLD,
    SHOP,
    failing,
    github,
    pull,
    repository,
    tell,
)

__all__ = ["github", "pull", "repository"]


@pytest.fixture
def thread(github, repository, pull):
    """A thread of the bot's own, with a person's answer in it."""

    async def story(door):
        comment = ReviewComment("src/a.ts", 21, "Why a half?", start_line=20)
        await door.post_review(SHOP, pull.number, commit=Sha(pull.head_sha), body="One.", comments=(comment,))

    tell(story, github, repository)
    (made,) = pull.threads
    pull.reply(made.comments[0], "Because.", by="dev")
    return made


def threads(github, repository, pull):
    return tell(lambda door: door.talk.threads(SHOP, pull.number), github, repository)


def test_threads_are_read_with_everything_said_in_them(github, repository, pull, thread):
    pull.comment_on_line("src/a.ts", 20, "Mine", by="dev")
    ours, theirs = threads(github, repository, pull)
    assert [(one.author, one.author_is_bot, one.body.text) for one in ours.remarks] == [
        ("principal[bot]", True, "Why a half?"),
        ("dev", False, "Because."),
    ]
    assert (ours.path, ours.line, ours.resolved, ours.resolved_by) == ("src/a.ts", 21, False, "")
    assert [one.body.text for one in theirs.remarks] == ["Mine"]


def test_many_threads_are_read_page_by_page(github, repository):
    pull = repository.open_pull(files={"src/a.ts": NEW}, title="Many")
    for number in range(103):
        pull.comment_on_line("src/a.ts", 20, f"remark {number}", by="dev")
    found = threads(github, repository, pull)
    assert [one.remarks[0].body.text for one in found] == [f"remark {number}" for number in range(103)]


def test_who_resolved_a_thread_and_who_disagreed_is_read(github, repository, pull, thread):
    pull.resolve(thread, by="dev")
    pull.react(thread.comments[0], "-1", by="dev")
    (one,) = threads(github, repository, pull)
    assert (one.resolved, one.resolved_by, one.remarks[0].refused) == (True, "dev", 1)


def test_a_thread_whose_line_is_gone_has_no_line(github, repository, pull, thread):
    pull.push({"src/a.ts": OLD.replace("line 20\n", "")})
    (one,) = threads(github, repository, pull)
    assert one.line is None


def test_an_answer_stands_in_the_thread(github, repository, pull, thread):
    first = thread.comments[0].id
    number = tell(lambda door: door.talk.reply(SHOP, pull.number, to=first, body="Fixed in abc."), github, repository)
    assert [(one.id, one.body) for one in thread.comments][-1] == (number, "Fixed in abc.")


def test_an_answer_that_was_lost_is_said_to_be_unknown(github, repository, pull, thread):
    github.faults.lose_answer("POST", "*/replies")
    first = thread.comments[0].id
    error = failing(lambda door: door.talk.reply(SHOP, pull.number, to=first, body="Once."), github, repository)
    assert (type(error), error.code) == (Transient, Code.GITHUB_ANSWER_UNKNOWN)
    assert [one.body for one in thread.comments].count("Once.") == 1


def test_a_thread_is_resolved_and_opened_again_where_the_app_may(github, repository, pull, thread):
    github.grant(contents="write")
    (one,) = threads(github, repository, pull)
    assert tell(lambda door: door.talk.resolve(one.id), github, repository)
    assert thread.resolved_by is not None
    assert tell(lambda door: door.talk.resolve(one.id), github, repository), "twice is the same"
    assert tell(lambda door: door.talk.reopen(one.id), github, repository)
    assert thread.resolved_by is None


def test_without_the_permission_nothing_is_resolved_and_no_error_raised(github, repository, pull, thread):
    (one,) = threads(github, repository, pull)

    async def story(door):
        return [await door.talk.resolve(one.id), await door.talk.resolve(one.id)]

    github.requests.clear()
    assert tell(story, github, repository) == [False, False]
    assert thread.resolved_by is None
    asked = [request.body["permissions"]["contents"] for request in github.requests.find("POST", "/access_tokens")]
    assert asked == ["read", "write"], "a refused token is not asked for again"


def test_only_the_token_that_resolves_may_write_contents(github, repository, pull, thread):
    github.grant(contents="write")
    (one,) = threads(github, repository, pull)
    github.requests.clear()

    async def story(door):
        await door.pull(SHOP, pull.number)
        await door.talk.resolve(one.id)

    tell(story, github, repository)
    asked = [request.body for request in github.requests.find("POST", "/access_tokens")]
    assert [one["permissions"].get("contents") for one in asked] == ["read", "write"]
    assert all(one["repository_ids"] == [repository.id] for one in asked)


def test_a_thread_that_is_gone_is_not_resolved(github, repository, pull):
    assert not tell(lambda door: door.talk.resolve("PRRT_nothing"), github, repository)


def test_graphql_that_is_down_for_a_moment_is_asked_again(github, repository, pull, thread):
    github.faults.answer(502, "POST", "*graphql*", times=2)
    assert len(threads(github, repository, pull)) == 1


def test_a_comment_is_edited_in_place_and_seen_in_the_conversation(github, repository, pull):
    pull.comment("Please look at the rounding.", by="dev")

    async def story(door):
        number = await door.comment(SHOP, pull.number, "first")
        await door.talk.edit(SHOP, number, "second")
        return await door.talk.remarks(SHOP, pull.number)

    said = tell(story, github, repository)
    assert [(one.author, one.body.text) for one in said] == [
        ("dev", "Please look at the rounding."),
        ("principal[bot]", "second"),
    ]


def test_a_remark_gets_a_reaction_wherever_it_stands(github, repository, pull, thread):
    remark = pull.comment("/help", by="dev")

    async def story(door):
        await door.talk.react(SHOP, remark.id, "rocket", in_thread=False)
        await door.talk.react(SHOP, thread.comments[1].id, "eyes", in_thread=True)

    tell(story, github, repository)
    assert [one.content for one in remark.reactions] == ["rocket"]
    assert [one.content for one in thread.comments[1].reactions] == ["eyes"]


def test_a_linked_issue_is_read_and_a_pull_or_nothing_is_none(github, repository, pull):
    issue = repository.open_issue(title="Half cents are lost", body="See the ledger.")

    async def story(door):
        return [await door.talk.issue(SHOP, number) for number in (issue.number, pull.number, 999)]

    found, another_pull, nothing = tell(story, github, repository)
    assert (found.title.text, found.body.text) == ("Half cents are lost", "See the ledger.")
    assert (another_pull, nothing) == (None, None)


def test_failed_checks_of_the_head_are_read_and_others_left_out(github, repository, pull):
    pull.finish_check_of_another_app("unit", conclusion="failure", title="2 failed", summary="charge.test.ts:4")
    pull.finish_check_of_another_app("lint", conclusion="success")
    found = tell(lambda door: door.talk.failed_checks(SHOP, Sha(pull.head_sha)), github, repository)
    assert [(one.name, one.title.text, one.summary.text) for one in found] == [("unit", "2 failed", "charge.test.ts:4")]
