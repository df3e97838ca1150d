"""Questions on a pull request, and what a model says to them: told as people read it."""

from __future__ import annotations

import pytest

from tests.fakes.models import FakeModels
from tests.stories.bot import Bot, environment, wait_for
from tests.stories.test_main_job import CLAIM, FIX, VERDICT, with_model
from tests.stories.test_talk import Talk, reactions, words

HELPER = "export const limits = { retries: 3 };\n\nexport function giveUpAfter(tries) {\n  return tries > limits.retries;\n}\n"
PAY = """import { giveUpAfter } from "./limits";

export async function pay(order, tries) {
  if (giveUpAfter(tries)) throw new Error("gave up");
  const total = order.items.reduce((sum, item) => sum + item.price, 0);
  if (total = 0) return;
  return gateway.charge(order.card, total);
}
"""
RATES = """import http from "node:http";

export async function rate(currency) {
  const reply = await fetch(`https://rates.example.net/${currency}`);
  return reply.json();
}
"""
ANSWER = {
    "answer": "It gives up after three tries [[1]], and `pay` throws then [[2]]; `/approve` nothing of @bob [[3]].",
    "places": [
        {"path": "src/limits.js", "quote": "  return tries > limits.retries;"},
        {"path": "src/pay.js", "quote": '  if (giveUpAfter(tries)) throw new Error("gave up");'},
        {"path": "src/pay.js", "quote": "this stands nowhere at all;"},
    ],
    "unknown": "Who catches the error: look for callers of `pay` outside this repository.",
}


@pytest.fixture
def models():
    with FakeModels() as server:
        claim = {**CLAIM, "path": "src/pay.js", "line": 6, "quote": "  if (total = 0) return;"}
        server.answers_instantly(
            {
                "review": {"overview": "It pays.", "findings": [claim]},
                "verify": {"verdicts": [VERDICT]},
                "fix": {**FIX, "original": "  if (total = 0) return;", "replacement": "  if (total === 0) return;"},
                "answer": ANSWER,
            }
        )
        yield server


def started(github, bot):
    talk = Talk(github, bot, {"src/pay.js": PAY, "src/limits.js": HELPER})
    return talk, talk.pull.review_comments[0]


def test_a_question_is_answered_with_the_places_it_rests_on(github, models, tmp_path):
    with Bot(environment(github, tmp_path, **with_model(models))) as bot:
        talk, first = started(github, bot)
        told = words(talk.say("Before I merge:\n/ask when does\n`giveUpAfter` give up?\n\n```js\npay(order, 3)\n```"))
        asked = models.asked_for("answer")[-1]
        assert "when does\n`giveUpAfter` give up?\n\n```js\npay(order, 3)\n```" in asked.user
        assert "export function giveUpAfter" in asked.user
        assert told.startswith(
            "It gives up after three tries (`src/limits.js:4`), and `pay` throws then (`src/pay.js:4`); "
            "`/approve` nothing of `@bob`."
        )
        assert "**Not known from this code** Who catches the error: look for callers of `pay`" in told
        assert "A place that was named does not stand in the code and is left out." in told
        assert f"Written by a language model (openai:gpt-6.1-sol) · read `{talk.pull.head_sha[:7]}` · " in told
        assert "tokens, " in told

        told = words(talk.answer(first, "/explain"))
        assert told.startswith("It gives up after three tries")
        asked = models.asked_for("answer")[-1]
        assert "Explain the finding that began this thread" in asked.user
        assert "The total is set to zero instead of compared" in asked.user, "what was said in the thread is part of it"
        assert "limits.js" not in asked.user.partition("## The change")[2].partition("## The head")[0]

        empty = words(talk.say("/ask", end="confused"))
        assert empty == "`/ask` needs a question behind it, or below: `/ask` Why is the timeout five seconds?"

        models.will_refuse(purpose="answer", times=2)
        failed = words(talk.say("/ask who are you?", end="confused"))
        assert failed.startswith("Not answered: ")
        assert "(`MODEL_REFUSED`)" in failed
        assert "**What to do:**" in failed


def test_a_question_in_a_thread_is_answered_once_and_machines_do_not_keep_it_talking(github, models, tmp_path):
    with Bot(environment(github, tmp_path, **with_model(models))) as bot:
        talk, first = started(github, bot)
        pull = talk.pull
        talk.repository.add_collaborator("machine", "write")
        nothing = [
            pull.reply(first, "Right, will change it.", by="alice"),
            pull.reply(first, "@bob what do you think?", by="alice"),
            pull.reply(first, "> Why?\n\n`a ? b : c`", by="alice"),
            pull.reply(first, "Why?", by="coderabbit[bot]"),
        ]
        told = talk.answer(first, "Is an order of nothing not free anyway?")
        assert words(told).startswith("It gives up after three tries")

        before = len(pull.review_comments)
        pull.reply(first, "Why is that?", by="machine")
        wait_for(lambda: len(pull.review_comments) == before + 2, why="a machine with an account is answered once")
        for _ in range(3):
            pull.reply(first, "And why is that?", by="machine")
        mine = pull.comment_on_line("src/pay.js", 3, "Why async?", by="alice")
        pull.reply(mine, "Does anybody know?", by="alice")
        talk.say("/help")
        talk.answer(first, "/ask And a second time?")
        assert len(pull.review_comments) == before + 2 + 3 + 2 + 2
        assert [reactions(one) for one in nothing] == [[], [], [], []]


def test_without_a_model_rules_explain_and_fix_and_a_question_is_told_so(github, tmp_path):
    with Bot(environment(github, tmp_path)) as bot:
        talk = Talk(github, bot, {"src/rates.js": RATES})
        (first,) = talk.pull.review_comments
        alone = "Not answered: answers are written by a language model, and this server reviews by rules alone."
        told = words(talk.say("/ask why?", end="confused"))
        assert told.startswith(alone)
        assert "`/explain` in this thread" not in told
        assert words(talk.say("/explain", end="confused")).startswith(alone)
        assert "without a language model: `/ask` is not answered" in words(talk.say("/help"))
        told = words(talk.answer(first, "/ask why?", end="confused"))
        assert told.endswith("`/explain` in this thread tells what the finding's rule says.")

        told = words(talk.answer(first, "/explain"))
        assert told.startswith("**Every wait has a limit** — Give every dependency its own time limit")
        assert "**What to do**\n\n- Pass `AbortSignal.timeout(ms)` to the call" in told
        assert "<details><summary>What this rule leaves alone</summary>" in told

        talk.push({"src/rates.js": f"// Asked daily.\n{RATES}"})
        told = words(talk.answer(first, "/fix"))
        assert told.startswith("```suggestion\n")
        assert "AbortSignal.timeout(5_000)" in told
        assert "without a language model · read `" in told
        assert "the patch applies and parses" in told


def test_an_answer_whose_own_answer_was_lost_is_said_once(github, models, tmp_path):
    with Bot(environment(github, tmp_path, **with_model(models))) as bot:
        talk, first = started(github, bot)
        github.faults.lose_answer("POST", "*/replies")
        talk.answer(first, "/ask when?")
        github.faults.lose_answer("POST", "*/issues/*/comments")
        talk.say("/ask when?")
        assert len([one for one in talk.pull.review_comments if "principal:answer" in one.body]) == 1
        assert len([one for one in talk.pull.issue_comments if "principal:answer" in one.body]) == 1
        assert len(models.asked_for("answer")) == 2


def test_a_fix_is_checked_and_committed_with_a_click_or_says_why_not(github, models, tmp_path):
    with Bot(environment(github, tmp_path, **with_model(models))) as bot:
        talk, first = started(github, bot)
        pull = talk.pull
        talk.push({"src/pay.js": f"// Pays once.\n{PAY}"})
        mended = {**FIX, "original": "  if (total = 0) return;", "replacement": "  if (total <= 0) return;"}
        models.will_reply(mended, purpose="fix")
        told = words(talk.answer(first, "/fix also refuse less than nothing"))
        assert told.startswith("```suggestion\n  if (total <= 0) return;\n```")
        assert "<details><summary>Test that proves it</summary>" in told
        assert "the patch applies and parses" in told
        asked = models.asked_for("fix")[-1].user
        assert "Whoever asks for the patch adds: also refuse less than nothing" in asked
        assert "The total is set to zero instead of compared" in asked

        wider = {**mended, "original": PAY.split("\n")[4] + "\n  if (total = 0) return;", "replacement": "  return;"}
        models.will_reply(wider, purpose="fix")
        told = words(talk.answer(first, "/fix"))
        assert told.startswith(
            "**Patch**, not committable here: it replaces other lines than those that this thread stands on"
        )
        assert "-  if (total = 0) return;\n" in told

        models.will_reply({**mended, "original": "", "missing": "the gateway has to change first"}, purpose="fix")
        told = words(talk.answer(first, "/fix", end="confused"))
        assert told.startswith("No patch: the gateway has to change first.")

        suggestion = next(one for one in pull.review_comments if "```suggestion\n  if (total <= 0)" in one.body)
        pull.apply_suggestion(suggestion, by="alice")
        talk.next()
        assert "  if (total <= 0) return;" in github_text(talk, "src/pay.js")
        told = words(talk.answer(first, "/fix", end="confused"))
        assert told == "Nothing to fix: its code does not stand in the change any more."
        assert words(talk.say("/fix", end="confused")).startswith("`/fix` belongs in the thread of a finding")


def github_text(talk, path):
    """A file as it is on the pull's head."""
    return talk.repository.git.blob(talk.pull.head_sha, path).decode()
