"""Quick, standard and deep reviews: what each asks a model, and what it says."""

from __future__ import annotations

import asyncio
from collections import Counter

from app.core import comment
from app.core.passes import LENSES
from app.library import load
from tests.stories.test_stages_at_once import (
    BASE,
    CLAIM,
    FIX,
    HEAD,
    VERDICT,
    models,
    reviewed,
    scanner,
    shop,
    wide,
    will_find,
)

__all__ = ["models", "scanner", "shop"]

LESS_SURE = {
    **CLAIM,
    "title": "An order without items is paid",
    "quote": "export async function pay(order: Order) {",
    "confidence": 0.6,
}


def test_a_quick_review_asks_once_and_says_only_what_is_sure_enough(shop, models):
    will_find(models, claims=[{**CLAIM, "confidence": 0.9}, {**LESS_SURE, "confidence": 0.45}])
    found = reviewed(shop, models, asked="quick")
    assert [request.schema_name for request in models.requests] == ["ReviewReply"]
    assert [one.finding.title for one in found.said] == [CLAIM["title"]]
    assert [one.reason for one in found.rejected] == ["not certain enough to be said unverified"]
    assert {reason for _, reason in found.said[0].fix.missing} == {"a quick review writes none"}
    assert "a quick review writes none" in comment.inline(found)[0].body
    assert found.complete


def test_a_deep_review_reads_through_lenses_counts_votes_doubts_each_alone_and_looks_again(shop, models):
    models.answers_instantly(
        {
            "review": lambda request: {
                "overview": "It charges orders.",
                "findings": []
                if "nobody has spoken about" in request.user
                else [CLAIM, {**LESS_SURE, "confidence": 0.45}]
                if "one lens: security" in request.user
                else [{**CLAIM, "title": f"{CLAIM['title']} always"}],
            },
            "verify": {"verdicts": [VERDICT]},
        }
    )
    head = {"src/pay.ts": HEAD, "src/other.ts": "export const unsaid = 1;\n"}
    found = reviewed(shop, models, asked="deep", head=head)
    asked = [request.user for request in models.asked_for("review")]
    lenses = [text for text in asked if "through one lens" in text]
    assert len(lenses) == len(LENSES)
    assert len(found.said) == 1, "what all passes claim is one finding"
    assert len(models.asked_for("verify")) == 1
    assert "one pass alone claimed it, and was not sure" in [one.reason for one in found.rejected]
    (again,) = [text for text in asked if "nobody has spoken about" in text]
    assert "unsaid = 1" in again
    assert "total = 0" not in again


LIMITED = """\
import http from "node:http";

export async function rate(currency) {
  const reply = await fetch(`https://rates.example.net/${currency}`, { signal: AbortSignal.timeout(500) });
  return reply.json();
}
"""


def test_a_patch_that_sets_off_a_detector_is_left_out_with_the_rule_it_breaks(shop, models):
    line = LIMITED.split("\n")[3]
    patch = {"original": line, "replacement": line.replace(", { signal: AbortSignal.timeout(500) }", "")}
    will_find(models, claims=[{**CLAIM, "path": "src/rate.js", "quote": line, "rule": ""}], fix=patch)
    found = reviewed(shop, models, head={"src/rate.js": LIMITED})
    fix = found.said[0].fix
    assert fix.patch is None
    assert ("patch", "the patch that was written breaks the rule `timeouts`") in fix.missing
    assert fix.repro, "the other parts stand"


def test_a_deep_review_has_each_patch_attacked_and_leaves_out_what_breaks(shop, models):
    will_find(models)
    told = {"review": {"overview": "", "findings": [CLAIM]}, "verify": {"verdicts": [VERDICT]}, "fix": FIX}
    models.answers_instantly({**told, "break": {"holds": False, "failing_case": "pay({items: []}) still charges 0"}})
    found = reviewed(shop, models, asked="deep")
    (attack,) = models.asked_for("break")
    assert "+  if (total === 0) return;" in attack.user
    fix = found.said[0].fix
    assert fix.patch is None
    assert ("patch", "the patch that was written fails: pay({items: []}) still charges 0") in fix.missing
    models.answers_instantly({**told, "break": {"holds": True, "failing_case": ""}})
    assert reviewed(shop, models, asked="deep").said[0].fix.patch.suggestion


# --- what no costly model reads ---------------------------------------------------------------------------------------


def test_comments_and_white_space_are_shown_to_no_model_and_the_review_says_so(shop, models):
    commented = BASE.replace("// one", "// One, in other words")
    found = reviewed(shop, models, head={"src/pay.ts": commented})
    assert models.requests == []
    assert (found.hunks, found.hunks_reviewed, found.complete) == (1, 1, True)
    (note,) = found.notes
    assert note == "1 hunk changes nothing but white space and comments; no reviewer was shown it"


def test_a_cheap_model_may_keep_files_from_the_others_and_a_silent_one_keeps_none(shop, models):
    will_find(models, claims=[])
    cheap = {"PRINCIPAL_TRIAGE_MODEL": "openai:gpt-6-mini"}
    models.will_reply(
        {"files": [{"path": "src/words.ts", "plain": True}, {"path": "none", "plain": True}]}, purpose="triage"
    )
    head = {"src/pay.ts": HEAD, "src/words.ts": "export const hello = 'Hello';\n"}
    found = reviewed(shop, models, head=head, environ=cheap)
    asked = models.asked_for("review")[0]
    assert models.asked_for("triage")[0].model == "gpt-6-mini"
    assert "=== src/pay.ts" in asked.user
    assert "=== src/words.ts" not in asked.user
    assert (
        "1 hunk changes nothing that openai:gpt-6-mini holds for worth reading; no reviewer was shown it" in found.notes
    )
    assert found.hunks_reviewed == found.hunks == 2
    models.will_refuse(purpose="triage", times=2)
    reviewed(shop, models, environ=cheap)
    assert "=== src/words.ts" in models.asked_for("review")[-1].user


def test_passes_and_sceptic_repeat_the_prefix_of_their_batch_byte_for_byte(shop, models):
    """Providers cache prefixes: all requests about one batch differ only in their last part."""
    reviewed(shop, models, asked="deep")
    systems = {request.system for request in models.requests if request.schema_name in ("ReviewReply", "VerifyReply")}
    assert len(systems) == 1
    before_the_task = Counter(
        request.user.split("\n\n# Your task: ")[0]
        for request in models.requests
        if request.schema_name in ("ReviewReply", "VerifyReply")
    )
    assert len(before_the_task) == 1, "one file reads the same in both orders"
    assert sum(before_the_task.values()) == 2 + len(LENSES)


def test_every_task_of_every_effort_stands_in_the_prompts():
    tasks = load().tasks
    assert {"review", "claims", "verify", "reviewer", "second-look", *LENSES} <= set(tasks)
    assert all(len(tasks[name]) < 5_000 for name in ("reviewer", "review", *LENSES))


def test_the_past_of_lines_is_told_where_there_is_one(shop):
    shop.commit({"src/pay.ts": BASE})
    shop.git("commit", "-q", "--amend", "-m", "Charge orders")
    head = shop.commit({"src/pay.ts": HEAD})

    async def told(rev, path):
        return await shop.tree.history(rev, path, (1, 3), most=3)

    lines = asyncio.run(told(head, "src/pay.ts"))
    assert [line.partition(" ")[2] for line in lines] == ["Work", "Charge orders"]
    assert asyncio.run(told(head, "src/none.ts")) == ()


def test_a_word_in_a_path_is_no_effort(shop, models):
    reviewed(
        shop, models, asked="src/quick/pay.ts", base={"src/pay.ts": BASE}, head={"src/pay.ts": HEAD + wide("a")[:40]}
    )
    assert len(models.asked_for("verify")) == 1
