"""The fixes of several findings, asked for together: what the model reads, and whose answer goes where."""

from __future__ import annotations

from app.core import comment
from app.core.fixes import IN_THE_WAY
from tests.stories.test_stages_at_once import CLAIM, FIX, HEAD, VERDICT, models, reviewed, scanner, shop

__all__ = ["models", "scanner", "shop"]

STACK = """\
export function last(items: Item[]) {
  return items[items.length];
}
"""
CHANGED = {"src/pay.ts": HEAD, "src/stack.ts": STACK}
LAST = {
    **CLAIM,
    "path": "src/stack.ts",
    "line": 2,
    "quote": "  return items[items.length];",
    "title": "The last item is never found",
}
MENDED = {**FIX, "finding": 1}
MENDED_STACK = {
    **FIX,
    "finding": 2,
    "repro": "`last([1])` is undefined.",
    "original": "  return items[items.length];",
    "replacement": "  return items[items.length - 1];",
    "tests": [],
    "missing": "there is no test that could be shown",
}


def will_fix(models, *answers, claims=(CLAIM, LAST)):
    models.answers_instantly(
        {
            "review": {"overview": "It charges orders.", "findings": list(claims)},
            "verify": lambda request: {
                "verdicts": [{**VERDICT, "id": number + 1} for number in range(request.user.count('name="candidate '))]
            },
            "fix": {"answers": list(answers)},
        }
    )


def fixed(found):
    """What is said of each file: where its patch would stand, and what is missing, in the order of the findings."""
    return {
        one.finding.path: (one.fix.patch and one.fix.patch.replacement, dict(one.fix.missing)) for one in found.said
    }


def reasons(found):
    return {reason for one in found.said for _, reason in one.fix.missing}


def test_findings_of_two_files_are_fixed_in_one_call_and_each_gets_its_own_patch(shop, models):
    will_fix(models, {**MENDED_STACK, "finding": 9}, MENDED_STACK, MENDED, {**MENDED_STACK, "finding": 1})
    found = reviewed(shop, models, head=CHANGED)
    assert fixed(found) == {
        "src/pay.ts": ("  if (total === 0) return;", {}),
        "src/stack.ts": ("  return items[items.length - 1];", {"tests": "there is no test that could be shown"}),
    }
    assert all(one.fix.patch.suggestion for one in found.said)
    (asked,) = models.asked_for("fix")
    assert asked.max_tokens >= 10_000
    assert [asked.user.count(text) for text in ("## Finding 1: kind bug, lines 3 to 3", "## Finding 2: ")] == [1, 1]
    assert [asked.user.count(f"=== {path} (") for path in CHANGED] == [1, 1]
    assert found.usage.calls == 3


def test_a_finding_that_the_reply_passes_over_says_so_and_the_others_have_their_fixes(shop, models):
    will_fix(models, MENDED_STACK)
    found = reviewed(shop, models, head=CHANGED)
    said = fixed(found)
    assert said["src/pay.ts"] == (
        None,
        dict.fromkeys(("repro", "root_cause", "patch", "tests", "risk"), "the model gave none"),
    )
    assert said["src/stack.ts"][0] == "  return items[items.length - 1];"
    assert len(models.asked_for("fix")) == 1


def test_of_two_patches_for_one_line_only_the_first_is_a_suggestion(shop, models):
    before, line = HEAD.split("\n")[1:3]
    sums = {**CLAIM, "quote": before, "line": 2, "title": "Prices are added as floats", "rule": "", "confidence": 0.8}
    wider = {"original": f"{before}\n{line}", "replacement": "  const total = sum(order);\n  if (!total) return;"}
    will_fix(models, MENDED, {**MENDED, "finding": 2, **wider}, claims=[CLAIM, sums])
    found = reviewed(shop, models)
    patches = [one.fix.patch for one in found.said]
    assert [patch.suggestion for patch in patches] == [True, False]
    assert patches[1].reason == IN_THE_WAY
    bodies = [one.body for one in comment.inline(found)]
    assert ["```suggestion" in body for body in bodies] == [True, False]
    assert "+  const total = sum(order);" in bodies[1]


def test_a_deep_review_asks_for_each_fix_alone(shop, models):
    will_fix(models, MENDED)
    told = reviewed(shop, models, head=CHANGED, asked="deep")
    asked = models.asked_for("fix")
    assert len(asked) == len(told.said) == 2
    assert not any("## Finding 2" in one.user for one in asked)


def test_a_call_that_fails_leaves_its_reason_with_every_finding_it_was_about(shop, models):
    will_fix(models, MENDED)
    models.will_refuse(purpose="fix", times=2)
    found = reviewed(shop, models, head=CHANGED)
    (reason,) = reasons(found)
    assert reason.startswith("the fix could not be written: ")
    assert len(found.said) == 2
    assert found.complete


def test_a_reply_about_several_that_is_cut_off_again_and_again_is_asked_for_one_by_one(shop, models):
    will_fix(models, MENDED)
    models.will_truncate(purpose="fix", times=2)
    found = reviewed(shop, models, head=CHANGED)
    asked = models.asked_for("fix")
    assert ["## Finding 2" in one.user for one in asked] == [True, True, False, False]
    assert fixed(found)["src/pay.ts"] == ("  if (total === 0) return;", {})
    assert fixed(found)["src/stack.ts"][1] == {"patch": "the lines it would replace do not stand in the file"}
    models.will_truncate(purpose="fix", times=6)
    assert all(reason.endswith("was cut off") for reason in reasons(reviewed(shop, models)))
    assert len(models.asked_for("fix")) == len(asked) + 6, "nobody is asked for ever"
