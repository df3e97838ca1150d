"""The main job: from a signed webhook to a posted review, told as people see it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app import demo
from app.sandbox import Sandbox
from tests.fakes.contract import described_github
from tests.fakes.models import FakeModels
from tests.stories.bot import SECRET, Bot, completed, environment, wait_for

REVIEW_CALLS, SUMMARY_CALLS, COMMAND_CALLS = 8, 2, 3
BASE = """export async function pay(order: Order) {
  const total = order.items.reduce((sum, item) => sum + item.price, 0);
  return gateway.charge(order.card, total);
}
"""
HEAD = """export async function pay(order: Order) {
  const total = order.items.reduce((sum, item) => sum + item.price, 0);
  if (total = 0) return;
  return gateway.charge(order.card, total);
}
"""
CLAIM = {
    "kind": "bug",
    "category": "correctness",
    "rule": "invariants",
    "severity": "high",
    "confidence": 0.9,
    "path": "src/pay.ts",
    "line": 3,
    "quote": "  if (total = 0) return;",
    "title": "The total is set to zero instead of compared",
    "explanation": "Every order is charged nothing.",
    "scenario": "An order of 10 is charged 0.",
    "assumptions": [],
}
VERDICT = {
    "id": 1,
    "verdict": "confirmed",
    "failing_case": "pay({items: [{price: 10}]}) charges 0",
    "reason": "assignment in a condition",
    "saw": "the whole of pay()",
    "severity": "critical",
    "confidence": 0.95,
    "pre_existing": False,
}
FIX = {
    "repro": "```ts\nawait pay({ items: [{ price: 10 }] }); // charges 0\n```",
    "root_cause": "Line 3 assigns.",
    "measure": "",
    "change": "",
    "trade_off": "",
    "alternative": "",
    "migration": "",
    "resources": "",
    "versioning": "",
    "paging": "",
    "limits": "",
    "routes": "",
    "original": "  if (total = 0) return;",
    "replacement": "  if (total === 0) return;",
    "tests": [{"path": "src/pay.test.ts", "content": "it('charges the sum', async () => {});"}],
    "risk": "None that was seen.",
    "missing": "",
}


@pytest.fixture
def github() -> Iterator[Sandbox]:
    with described_github() as sandbox:
        yield sandbox


@pytest.fixture
def models() -> Iterator[FakeModels]:
    with FakeModels() as server:
        server.answers_instantly(
            {
                "review": {"overview": "It charges orders.", "findings": [CLAIM]},
                "verify": {"verdicts": [VERDICT]},
                "fix": FIX,
            }
        )
        yield server


def open_pull(github, bot, *, head=HEAD, **how):
    repository = github.create_repository("acme/shop", files={"src/pay.ts": BASE}, private=True)
    repository.add_collaborator("alice", "write")
    github.webhook(f"{bot.url}/webhooks/github", secret=SECRET)
    return repository.open_pull(files={"src/pay.ts": head}, title="Skip empty orders", body="Nothing to pay.", **how)


def with_model(models):
    return {**models.environment("openai"), "PRINCIPAL_MODEL": "openai:gpt-6.1-sol"}


def test_a_pull_request_is_reviewed_by_a_model_and_the_review_is_proven(github, models, tmp_path):
    with Bot(environment(github, tmp_path, **with_model(models))) as bot:
        pull = open_pull(github, bot)
        assert pull.delivery.status_code == 202
        check = completed(pull)[0]
    (review,) = pull.reviews
    (comment,) = pull.review_comments
    assert review.state == "COMMENTED"
    assert review.body.startswith("**One problem worth fixing before merge.** It charges orders.")
    assert (
        "| 🚨 | 1 Correctness · `invariants` | `src/pay.ts:3` | The total is set to zero instead of compared |"
        in review.body
    )
    assert "1 of 1 hunk " in review.body
    assert comment.line == 3
    assert comment.body.startswith("**🚨 Critical · Correctness · `invariants`** — The total is set to zero")
    assert "```suggestion\n  if (total === 0) return;\n```" in comment.body
    assert "Patch applies and parses" in comment.body
    assert check.conclusion == "neutral"
    assert check.output.title == "One problem worth fixing before merge"
    assert len(check.annotations) == 1
    assert len([one for one in github.requests.rest if one.method == "POST" and one.path.endswith("/reviews")]) == 1
    assert len(github.requests.rest) <= REVIEW_CALLS + SUMMARY_CALLS, [
        f"{one.method} {one.path}" for one in github.requests.rest
    ]


def test_without_a_model_the_rules_review_the_sample_and_say_so(github, tmp_path):
    sample = demo.sample()
    with Bot(environment(github, tmp_path)) as bot:
        repository = github.create_repository("acme/orders", files=sample.base)
        github.webhook(f"{bot.url}/webhooks/github", secret=SECRET)
        pull = repository.open_pull(files=sample.head, title=sample.title, body=sample.body)
        completed(pull)
    (review,) = pull.reviews
    assert "without a language model" in review.body
    said = {(comment.path, rule) for comment in pull.review_comments for rule in _rules_in(comment.body)}
    expected = {(one.path, one.rule) for one in demo.DEFECTS if not one.needs_model}
    assert said == expected


def _rules_in(body):
    return [body.partition("`")[2].partition("`")[0]]


def test_a_redelivery_and_the_same_event_under_a_new_id_are_one_review(github, tmp_path):
    with Bot(environment(github, tmp_path)) as bot:
        pull = open_pull(github, bot)
        completed(pull)
        again = github.redeliver(pull.delivery.guid)
        assert again.status_code == 200
        other = github.send_again_under_a_new_guid(pull.delivery)
        assert other.status_code == 202
        wait_for(lambda: _decided(bot, github), why="the second delivery was never decided")
    assert len(pull.reviews) == 1


def _decided(bot, github):
    return len([one for one in github.requests.rest if one.method == "GET" and one.path.endswith("/pulls/1")]) >= 3


def test_a_model_that_is_down_is_told_in_the_check_run_and_posts_no_review(github, models, tmp_path):
    models.will_fail(401, times=50)
    with Bot(environment(github, tmp_path, **with_model(models))) as bot:
        pull = open_pull(github, bot)
        check = completed(pull)[0]
    assert pull.reviews == []
    assert check.output.title.startswith("Not reviewed:")
    assert "MODEL_UNAUTHORIZED" in check.output.summary
    assert "What to do" in check.output.summary


def test_a_truncated_reply_is_not_published_as_a_complete_review(github, models, tmp_path):
    models.will_truncate('{"overview": "It charges', times=2)
    with Bot(environment(github, tmp_path, **with_model(models))) as bot:
        pull = open_pull(github, bot)
        check = completed(pull)[0]
    assert pull.reviews == []
    assert "MODEL_TRUNCATED" in check.output.summary


def test_a_post_whose_answer_was_lost_is_posted_once(github, tmp_path):
    github.faults.lose_answer("POST", "*/reviews")
    with Bot(environment(github, tmp_path)) as bot:
        pull = open_pull(github, bot)
        check = completed(pull)[0]
    assert len(pull.reviews) == 1
    assert check.conclusion == "neutral"


def test_a_post_answered_502_before_it_took_effect_is_posted_in_the_end(github, tmp_path):
    github.faults.answer(502, "POST", "*/reviews")
    with Bot(environment(github, tmp_path)) as bot:
        pull = open_pull(github, bot)
        completed(pull)
    assert len(pull.reviews) == 1


def test_a_newer_push_supersedes_the_review_that_is_running(github, models, tmp_path):
    gate = models.will_hang()
    with Bot(environment(github, tmp_path, **with_model(models))) as bot:
        pull = open_pull(github, bot)
        models.wait_for_requests(1)
        old = pull.head_sha
        pull.push({"src/pay.ts": HEAD.replace("= 0", "== 0")})
        wait_for(lambda: pull.reviews, why="the newer head was not reviewed")
        gate.set()
        runs = wait_for(
            lambda: (
                all(run.status == "completed" for run in pull.check_runs)
                and len(pull.check_runs) == 2
                and pull.check_runs
            ),
            why="a check run stayed in progress",
        )
    assert [review.commit_id for review in pull.reviews] == [pull.head_sha]
    assert {run.head_sha: run.conclusion for run in runs}[old] == "cancelled"


def test_a_draft_waits_until_it_is_ready(github, tmp_path):
    with Bot(environment(github, tmp_path)) as bot:
        pull = open_pull(github, bot, draft=True)
        waiting = completed(pull)[0]
        assert (waiting.conclusion, waiting.output.title) == ("neutral", "Not reviewed: it is a draft (drafts: false)")
        assert pull.reviews == []
        pull.ready_for_review()
        completed(pull, runs=2)
    assert len(pull.reviews) == 1


def test_a_command_of_someone_who_may_write_reviews_a_draft_and_is_seen_at_once(github, tmp_path):
    with Bot(environment(github, tmp_path)) as bot:
        pull = open_pull(github, bot, draft=True)
        completed(pull)
        github.requests.clear()
        comment = pull.comment("Please\n/review", by="alice")
        completed(pull, runs=2)
        assert [reaction.content for reaction in comment.reactions] == ["eyes", "rocket"]
    assert len(pull.reviews) == 1
    assert len(github.requests.rest) <= REVIEW_CALLS + SUMMARY_CALLS + COMMAND_CALLS


def test_s54_a_command_of_a_stranger_a_quote_or_a_bot_does_nothing(github, tmp_path):
    with Bot(environment(github, tmp_path)) as bot:
        pull = open_pull(github, bot, draft=True)
        completed(pull)
        pull.comment("/review", by="stranger")
        pull.comment("> /review", by="alice")
        pull.comment("```\n/review\n```", by="alice")
        pull.comment("please /review", by="alice")
        last = pull.comment("/review", by="alice")
        completed(pull, runs=2)
        assert [reaction.content for reaction in last.reactions] == ["eyes", "rocket"]
    assert len(pull.reviews) == 1
    assert len(pull.check_runs) == 2


def test_a_pull_from_a_fork_is_read_through_the_base_repository(github, tmp_path):
    with Bot(environment(github, tmp_path)) as bot:
        pull = open_pull(github, bot, from_fork=True)
        completed(pull)
    assert len(pull.reviews) == 1


def test_a_closed_pull_is_not_reviewed_any_more(github, models, tmp_path):
    gate = models.will_hang()
    with Bot(environment(github, tmp_path, **with_model(models))) as bot:
        pull = open_pull(github, bot)
        models.wait_for_requests(1)
        pull.close()
        gate.set()
        check = completed(pull)[0]
    assert pull.reviews == []
    assert "closed" in check.output.title


def test_a_command_may_name_the_file_it_is_about(github, tmp_path):
    with Bot(environment(github, tmp_path)) as bot:
        repository = github.create_repository("acme/shop", files={"src/pay.ts": BASE, "src/b.ts": BASE}, private=True)
        repository.add_collaborator("alice", "write")
        github.webhook(f"{bot.url}/webhooks/github", secret=SECRET)
        pull = repository.open_pull(files={"src/pay.ts": HEAD, "src/b.ts": HEAD}, title="Two", body="", draft=True)
        completed(pull)
        pull.comment("/review src/b.ts", by="alice")
        completed(pull, runs=2)
    (review,) = pull.reviews
    assert "1 of 1 hunk " in review.body
    assert "`src/pay.ts` (not asked for)" in review.body
