"""Comments in the code that silence a rule: obeyed where they may be, told always."""

from __future__ import annotations

from tests.stories.bot import Bot, environment
from tests.stories.test_increments import AGENT, BASE, NIGHTLY, Pushes

KNOWN = "// principal-ignore crypto -- the staging gateway has no certificate"
CARELESS = "  // principal-ignore async-io -- the process outlives every order"
QUIET_NIGHTLY = NIGHTLY.replace("  orders.forEach", f"{CARELESS}\n  orders.forEach")
OLD_AGENT = AGENT.replace("export const", f"{KNOWN}\nexport const")


def test_a_change_may_silence_a_rule_but_not_acquit_itself_and_all_of_it_is_told(github, tmp_path):
    with Bot(environment(github, tmp_path)) as bot:
        story = Pushes(
            github,
            bot,
            {
                "src/agent.js": OLD_AGENT,
                "src/nightly.js": QUIET_NIGHTLY,
                "src/old.js": OLD_AGENT.replace("keepAlive", "maxSockets: 9, keepAlive"),
            },
            base={"src/old.js": OLD_AGENT},
        )
        pull = story.pull
        assert [one.path for one in pull.review_comments] == ["src/agent.js"]
        (review,) = pull.reviews
        assert (
            "Silenced by comments in the code: `async-io` at `src/nightly.js:2` (the process outlives every order; added by "
            "this change), `crypto` at `src/old.js:3` (the staging gateway has no certificate)."
        ) in review.body
        assert (
            "Said although a comment asks for silence: `crypto` at `src/agent.js:3` (the staging gateway has no certificate; "
            "added by this change). A comment needs a reason (`principal-ignore RULE -- reason`), and a change cannot silence "
            "what is critical or about security in itself: that counts once the comment is merged."
        ) in review.body
        assert "**Findings** 1 open, 2 silenced" in pull.issue_comments[0].body
        assert "| silenced | `src/nightly.js` |" in pull.issue_comments[0].body

        story.push({"src/nightly.js": NIGHTLY})
        assert [one.path for one in pull.review_comments] == ["src/agent.js", "src/nightly.js"]

        github.grant(contents="write")
        story.push({"src/nightly.js": QUIET_NIGHTLY})
        assert story.comments[2:] == [f"Silenced in {pull.head_sha[:7]} by a `principal-ignore` comment in the code."]
        assert [thread.resolved_by is not None for thread in pull.threads] == [False, True]
        assert "**Findings** 1 open, 2 silenced" in pull.issue_comments[0].body

        story.push({"src/nightly.js": NIGHTLY})
        assert story.comments[3:] == [f"Back in {pull.head_sha[:7]}: no comment in the code silences it any more."]
        assert [thread.resolved_by is not None for thread in pull.threads] == [False, False]
        assert "**Findings** 2 open, 1 silenced" in pull.issue_comments[0].body
    assert len(pull.threads) == 2


def test_a_base_that_knows_a_problem_hears_no_more_of_it(github, tmp_path):
    with Bot(environment(github, tmp_path)) as bot:
        story = Pushes(
            github,
            bot,
            {"src/old.js": OLD_AGENT + BASE},
            base={"src/old.js": OLD_AGENT},
        )
    assert story.pull.review_comments == []
    assert "Pre-existing" not in story.pull.reviews[0].body
