"""Commands without a model: what a person types on a pull request, and what they read."""

from __future__ import annotations

import pytest

from app.jobs import Timing
from tests.fakes.service import FREELY
from tests.stories.bot import Bot, environment, wait_for
from tests.stories.test_increments import AGENT, NIGHTLY, Pushes


class Talk(Pushes):
    """A reviewed pull request that people talk on."""

    def say(self, words, *, by="alice", end="rocket"):
        """The answer to a comment in the conversation."""
        return self._answered(lambda: self.pull.comment(words, by=by), lambda: self.pull.issue_comments, end=end)

    def answer(self, first, words, *, by="alice", end="rocket"):
        """The answer to a comment in the thread of this first comment."""
        return self._answered(lambda: self.pull.reply(first, words, by=by), lambda: self.pull.review_comments, end=end)

    def _answered(self, ask, read, *, end):
        asked = ask()
        wait_for(lambda: end in reactions(asked), why=f"{asked.body} was not answered: {reactions(asked)}")
        assert reactions(asked) == ["eyes", end]
        (*_, said) = read()
        assert said.user.login.endswith("[bot]")
        return said.body


def reactions(comment):
    return [one.content for one in comment.reactions]


def words(body):
    """An answer without its hidden line."""
    told, _, mark = body.rpartition("\n\n<!-- principal:answer:")
    assert mark
    return told


def test_reviews_are_paused_and_resumed_and_asked_for_in_between(github, tmp_path):
    with Bot(environment(github, tmp_path)) as bot:
        talk = Talk(github, bot, {"src/agent.js": AGENT})
        told = "Paused: pushes to this pull request are not reviewed until `/resume`; `/review` still makes a review."
        assert words(talk.say("Too loud just now.\n/pause")) == told
        skipped = talk.push({"src/nightly.js": NIGHTLY})
        assert skipped.conclusion == "neutral"
        assert skipped.output.title.startswith(
            "Not reviewed: somebody has paused the reviews of this pull request (/resume"
        )
        assert len(talk.pull.reviews) == 1

        asked = talk.pull.comment("/review", by="alice")
        talk.next()
        wait_for(lambda: reactions(asked) == ["eyes", "rocket"], why="the review did not show that it is over")
        assert len(talk.pull.reviews) == 2

        skipped = talk.push({"src/more.js": NIGHTLY.replace("nightly", "daily").replace("settle", "close")})
        assert skipped.conclusion == "neutral"
        told = (
            "Resumed: pushes are reviewed again, and now this head, if its review was left out while they were paused."
        )
        assert words(talk.say("/resume")) == told
        assert talk.next().output.title == "One problem worth fixing before merge"
        talk.say("/resume")
        assert len(talk.pull.check_runs) == talk.runs, "a head that was reviewed is not reviewed again"
        assert [one.path for one in talk.pull.review_comments] == ["src/agent.js", "src/nightly.js", "src/more.js"]


def test_help_lists_every_command_and_an_unknown_one_gets_it_once(github, tmp_path):
    with Bot(environment(github, tmp_path)) as bot:
        talk = Talk(github, bot, {"src/agent.js": AGENT})
        listed = words(talk.say("/help"))
        assert listed.startswith(
            "A command stands at the start of a line of a new comment; quotes, code and edits are not"
        )
        lines = [line for line in listed.split("\n") if line.startswith("- `/")]
        assert (
            "- `/pause` ends automatic reviews of this pull request until `/resume`; `/review` still makes one."
            in lines
        )
        assert len(lines) >= 6

        comments = len(talk.pull.issue_comments)
        unknown = talk.pull.comment("/dance with me", by="alice")
        wait_for(lambda: len(talk.pull.issue_comments) == comments + 2, why="an unknown command was not answered")
        told = talk.pull.issue_comments[-1].body
        assert told.startswith("`/dance` is no command of this reviewer; these are. It says so once on a pull request.")
        talk.pull.comment("/sing", by="alice")
        assert words(talk.say("/help")) == listed, "whatever was asked before is answered by now"
        assert len(talk.pull.issue_comments) == comments + 5
        assert reactions(unknown) == ["rocket"]


def test_what_nobody_may_say_is_not_heard(github, tmp_path):
    with Bot(environment(github, tmp_path)) as bot:
        talk = Talk(github, bot, {"src/agent.js": AGENT})
        pull, (first,) = talk.pull, talk.pull.review_comments
        talk.repository.add_collaborator("eve", "read")
        unheard = [
            pull.comment("/pause", by="eve"),
            pull.comment("/pause", by="renovate[bot]"),
            pull.comment("> /pause\n\n```\n/pause\n```\n    /pause\n<!--\n/pause -->", by="alice"),
            pull.reply(first, "/ignore", by="eve"),
            pull.reply(first, "Sure?", by="renovate[bot]"),
        ]
        pull.edit_comment(unheard[2], "/pause")
        talk.say("/help")
        assert [reactions(one) for one in unheard] == [[], [], [], [], []]
        assert len(pull.issue_comments) == 6
        assert len(pull.review_comments) == 3


@pytest.mark.parametrize("may_resolve", [True, False])
def test_a_finding_is_ignored_and_another_resolved_in_its_thread(github, tmp_path, may_resolve):
    with Bot(environment(github, tmp_path)) as bot:
        talk = Talk(github, bot, {"src/agent.js": AGENT, "src/nightly.js": NIGHTLY})
        if may_resolve:
            github.grant(contents="write")
        pull, (agent, nightly) = talk.pull, talk.pull.review_comments
        told = words(talk.answer(agent, "We have no other way.\n/ignore"))
        assert told.startswith(
            "Dismissed: this finding is not said again on this pull request, not even by `/review full`."
        )
        told = words(talk.answer(nightly, "/resolve"))
        assert told.startswith(
            "Done: marked as resolved. When a later review finds the problem again, this thread is opened"
        )
        if may_resolve:
            assert [one.resolved_by is not None for one in pull.threads] == [True, True]
        else:
            assert [agent.minimized, nightly.minimized] == ["resolved", "resolved"]
        assert "works in the threads" not in told

        belongs = words(talk.say("/ignore", end="confused"))
        assert belongs == "`/ignore` belongs in the thread of a finding: type it there as an answer."
        mine = pull.comment_on_line("src/agent.js", 1, "Why https?", by="alice")
        foreign = words(talk.answer(mine, "/resolve", end="confused"))
        assert foreign == "`/resolve` works in the threads that this reviewer began, and this is none of them."
        assert words(talk.say("/resolve")) == "No finding with a thread of its own is open here."

        talk.push({"src/nightly.js": NIGHTLY.replace("(order)", "(one)").replace("order.s", "one.s")})
        assert pull.review_comments[-1].body.startswith("Back in "), "what was only resolved comes back"
        assert [one.resolved_by is not None for one in pull.threads][:2] == [may_resolve, False]
        assert nightly.minimized is None
        assert (
            words(talk.say("/resolve"))
            == "One finding is marked as resolved. What a later review finds again is opened again."
        )
        pull.comment("/review full", by="alice")
        talk.next()
        assert [one.comments[0].path for one in pull.threads] == [
            "src/agent.js",
            "src/nightly.js",
            "src/agent.js",
            "src/nightly.js",
        ], "starting over says what was resolved, never what was dismissed"


def test_who_asks_without_end_is_told_once_and_then_no_more(github, tmp_path):
    timing = Timing(settle_seconds=0.1, retry_first_seconds=0.2, sweep_seconds=0, spacing=FREELY, asked_at_most=2)
    with Bot(environment(github, tmp_path), timing=timing) as bot:
        talk = Talk(github, bot, {"src/agent.js": AGENT})
        talk.say("/help")
        talk.say("/pause")
        told = words(talk.say("/resume", end="confused"))
        assert told.startswith("Not answered: One person has asked for as many reviews and answers as an hour allows.")
        assert "(`ASKED_TOO_OFTEN`)" in told
        said = len(talk.pull.issue_comments)
        unanswered = talk.pull.comment("/help", by="alice")
        talk.repository.add_collaborator("bob", "write")
        talk.say("/help", by="bob")
        assert len(talk.pull.issue_comments) == said + 3
        assert reactions(unanswered) == ["eyes"]
