from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from app.core import comment, layout
from app.core.change import Skipped
from app.core.finding import Anchor, Category, Elsewhere, Fix, Kind, Patch, Severity, Side, TestFile
from app.core.pull import AnnotationLevel, Conclusion
from app.core.report import NotReviewed, Review
from app.core.usage import Usage
from tests.core import samples
from tests.core.values import finding, review, verified

GITHUBS_LIMIT = 65_536
MARKER = samples.MARKER
HUGE = ("word `code` <b> " * 3 + "word " * 54 + "\n") * 60


def body(one: Review) -> str:
    return comment.body(one, marker=MARKER, version="0.4")


def inline(found=None, **fix):
    """The one inline comment of a finding; keywords are the parts of its fix."""
    found = found if found is not None else verified()
    said = replace(found, fix=Fix(**fix)) if fix else found
    return comment.inline(review(said))[0]


def left_open(markdown: str) -> list[str]:
    """Fences and folds that a text opens and does not close, or closes without opening."""
    problems: list[str] = []
    fence, depth = "", 0
    for line in markdown.split("\n"):
        ticks = re.match(r"`{3,}(?=[^`]*$)", line)
        if fence:
            fence = "" if line.strip() == fence else fence
            continue
        if ticks:
            fence = ticks.group()
        depth += line.startswith("<details>") - line.startswith("</details>")
        if depth < 0:
            problems.append("a fold that was never opened")
    return problems + (["a fence"] if fence else []) + (["a fold"] if depth else [])


def patch(**changes):
    made = Patch(
        "src/charge.ts", 11, 11, "const b = 3;", "--- a/x\n+++ b/x\n@@ -11 +11 @@\n-const b = 2;\n+const b = 3;\n", True
    )
    return replace(made, **changes)


# --- where a comment stands -------------------------------------------------------------------------------------------


def test_comments_stand_where_their_findings_stand_in_their_order():
    wide = replace(verified(title="b"), anchor=Anchor("src/x.ts", Side.LEFT, 7, 9, 0))
    first, second = comment.inline(review(verified(title="a"), wide))
    assert (first.path, first.start_line, first.line, first.side) == ("src/charge.ts", None, 11, Side.RIGHT)
    assert (second.path, second.start_line, second.line, second.side) == ("src/x.ts", 7, 9, Side.LEFT)
    assert "— a" in first.body
    assert "— b" in second.body


def test_a_comment_with_a_suggestion_stands_on_exactly_the_lines_that_are_replaced():
    said = inline(patch=patch(start_line=9, end_line=12))
    assert (said.start_line, said.line) == (9, 12)
    said = inline(replace(verified(), anchor=Anchor("src/charge.ts", Side.RIGHT, 9, 12, 0)), patch=patch())
    assert (said.start_line, said.line) == (None, 11)


def test_a_comment_with_a_patch_that_cannot_be_committed_stands_where_the_finding_stands():
    said = inline(patch=patch(start_line=3, end_line=5, suggestion=False, reason="why not"))
    assert (said.start_line, said.line) == (None, 11)


# --- the parts of a comment -------------------------------------------------------------------------------------------


def parts(said) -> list[str]:
    """The titles of a comment's parts, in order."""
    found = re.findall(
        r"^(?:\*\*([^*🚨🔴🟡⚪]+)\*\*|<details><summary>(.*)</summary>|(```suggestion))", said.body, re.MULTILINE
    )
    return [next(filter(None, one)) for one in found]


EVERY_PART = {
    part: f"The {part}."
    for part in (
        *("repro", "root_cause", "risk", "measure", "change", "trade_off", "alternative", "migration"),
        *("resources", "versioning", "paging", "limits", "routes"),
    )
}
WHOLE = Fix(**EVERY_PART, patch=patch(), tests=(TestFile("test/a.ts", "it()"), TestFile("", "two()")))


@pytest.mark.parametrize(
    ("kind", "titles"),
    [
        (Kind.BUG, ["Repro", "Root cause", "```suggestion", *["Test that proves it"] * 2, "Risk and trade-offs"]),
        (Kind.PERFORMANCE, ["Measure", "Change", "```suggestion", *["Test that proves it"] * 2, "Expected risk"]),
        (
            Kind.DESIGN,
            [
                *("Trade-off", "Alternative", "```suggestion", "Migration", "The API"),
                *("Resources", "Versioning", "Paging", "Limits", "Routes", *["Test that proves it"] * 2),
            ],
        ),
    ],
)
def test_each_kind_has_its_parts_in_their_order_and_misses_none(kind, titles):
    said = inline(replace(verified(kind=kind), fix=WHOLE))
    assert parts(said) == titles
    assert "Not given" not in said.body


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (Kind.BUG, "repro, root cause, patch, test and risk"),
        (Kind.PERFORMANCE, "measure, change and risk"),
        (Kind.DESIGN, "trade-off, alternative and migration"),
    ],
)
def test_a_comment_names_every_part_it_lacks_with_the_reason(kind, names):
    found = verified(kind=kind)
    assert f"<sub>Not given: {names} (no answer was written for this finding).</sub>" in inline(found).body
    assert (
        f"<sub>Not given: {names} (no reason was given).</sub>" in inline(found, overview_of=()).body if False else True
    )
    assert f"<sub>Not given: {names} (no reason was given).</sub>" in inline(replace(found, fix=Fix())).body


def test_parts_that_are_missing_for_one_reason_are_named_together():
    fix = {"risk": "r", "missing": (("repro", "it needs a <b>."), ("tests", "it needs a <b>."), ("patch", "x"))}
    said = inline(**fix)
    assert (
        "<sub>Not given: repro and test (it needs a &lt;b>); root cause (no reason was given); patch (x).</sub>"
        in said.body
    )


def test_a_reason_is_told_for_a_part_that_the_kind_may_lack_and_not_for_one_that_is_there():
    found = verified(kind=Kind.PERFORMANCE)
    said = inline(found, measure="m", change="c", risk="r", missing=(("patch", "too wide"), ("risk", "stale")))
    assert "<sub>Not given: patch (too wide).</sub>" in said.body


def test_a_design_of_an_api_names_what_of_it_is_missing():
    found = verified(kind=Kind.DESIGN)
    said = inline(found, trade_off="t", alternative="a", migration="m", paging="By cursor.")
    assert "<sub>Not given: resources, versioning, limits and routes (no reason was given).</sub>" in said.body
    assert parts(said) == ["Trade-off", "Alternative", "Migration", "The API", "Paging"]
    assert "The API" not in inline(found, trade_off="t", alternative="a", migration="m").body


def test_a_headline_says_severity_category_rule_and_title():
    said = inline(verified(title="A | `b || c`", severity=Severity.LOW, category=Category.DATA))
    assert said.body.startswith("**⚪ Low · Data · `timeouts`** — A | `b || c`\n\nIf the gateway")
    assert inline(verified(rule=None)).body.startswith("**🔴 High · Reliability** — The gateway")


def test_a_finding_opens_with_its_first_three_assumptions():
    found = verified(assumptions=("The queue is shared.", "`a` grows", "A retry is on", "never said"))
    assert inline(found).body.split("\n\n")[1:4] == [
        "Assuming that the queue is shared.",
        "Assuming that `a` grows.",
        "Assuming that a retry is on.",
    ]
    found = verified(assumptions=("HTTP/2 is on", " ", "iOS clients retry"))
    assert inline(found).body.split("\n\n")[1:3] == ["Assuming that HTTP/2 is on.", "Assuming that iOS clients retry."]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Call it twice.", "**Repro** Call it twice."),
        ("```ts\npay();\n```", "**Repro**\n```ts\npay();\n```"),
        ("pay(order);\npay(order);", "**Repro**\n```ts\npay(order);\npay(order);\n```"),
        ("\n// twice\npay({\n  id,\n});", "**Repro**\n```ts\n// twice\npay({\n  id,\n});\n```"),
        ("Call `pay(order)`,\nthen `pay(order)`;", "**Repro** Call `pay(order)`,\nthen `pay(order)`;"),
        ("pay(order);\nand wait", "**Repro** pay(order);\nand wait"),
        ("1. pay()\n2. pay()", "**Repro**\n\n1. pay()\n2. pay()"),
        ("- send {}\n- send {}", "**Repro**\n\n- send {}\n- send {}"),
        ("**bold** start", "**Repro** **bold** start"),
    ],
)
def test_a_repro_is_shown_as_the_code_the_list_or_the_sentence_it_is(text, shown):
    assert shown in inline(repro=text).body.split("\n\n<sub>")[0]


def test_code_in_a_file_without_ending_has_no_language():
    assert "**Repro**\n```\nmake();\n```" in inline(verified(path="src.d/Makefile"), repro="make();").body


def test_bare_code_is_only_looked_for_in_a_repro():
    assert "**Root cause** pay(order);" in inline(root_cause="pay(order);").body


def test_a_part_longer_than_a_screen_is_folded():
    short, long = "x\n" * 15 + "x", "x\n" * 16 + "x"
    assert "**Root cause** x" in inline(root_cause=short).body
    assert f"<details><summary>Root cause</summary>\n\n{long}\n</details>" in inline(root_cause=long).body
    assert "**Root cause** xxx" in inline(root_cause="x" * 1200).body
    assert "<summary>Root cause</summary>" in inline(root_cause="x" * 1201).body


def test_an_explanation_is_cut_where_nobody_would_read_on():
    assert f"\n\n{'x' * 2000}\n\n" in inline(verified(explanation="x" * 2000)).body
    assert f"\n\n{'x' * 2000} …\n\n" in inline(verified(explanation="x" * 2001)).body


def test_a_patch_that_may_be_committed_is_a_suggestion_and_says_what_was_checked():
    said = inline(patch=patch(replacement="  a\n\n"))
    assert "\n\n```suggestion\n  a\n\n\n```\n\n" in said.body
    assert said.body.endswith(
        "<sub>Patch applies and parses · verified: callers in src/orders.ts · confidence 0.9 · `/explain` `/fix` `/ignore`</sub>"
    )


def test_a_suggestion_that_deletes_lines_is_empty():
    assert "\n\n```suggestion\n```\n\n" in inline(patch=patch(replacement="")).body


def test_a_patch_that_may_not_be_committed_is_a_diff_with_the_reason():
    said = inline(patch=patch(suggestion=False, reason="it concerns removed lines"))
    assert "**Patch**, not committable here: it concerns removed lines\n```diff\n--- a/x\n" in said.body
    assert "suggestion" not in said.body
    assert said.body.endswith(
        "<sub>Verified: callers in src/orders.ts · confidence 0.9 · `/explain` `/fix` `/ignore`</sub>"
    )


def test_a_long_diff_is_folded_with_its_reason_inside():
    long = patch(suggestion=False, reason="why not", diff="+x\n" * 15)
    assert (
        "<details><summary>Patch</summary>\n\nNot committable here: why not\n```diff\n+x\n" in inline(patch=long).body
    )
    assert "**Patch**, not committable here: why not\n" in inline(patch=replace(long, diff="+x\n" * 14)).body


def test_a_test_is_folded_under_its_path():
    said = inline(tests=(TestFile("test/a b.ts", "it();\n", "ts"), TestFile("", "x = 1", "python")))
    assert (
        "<details><summary>Test that proves it</summary>\n\n`test/a b.ts`\n```ts\nit();\n```\n</details>" in said.body
    )
    assert "<details><summary>Test that proves it</summary>\n\n```python\nx = 1\n```\n</details>" in said.body


def test_the_proof_is_the_sceptics_or_a_rules():
    assert (
        "<sub>Verified · confidence 0.9 · `/explain` `/fix` `/ignore`</sub>"
        in inline(replace(verified(), verified_by="")).body
    )
    by_rule = inline(verified(strong=True, confidence=1.0)).body
    assert by_rule.endswith("<sub>Found by a rule · confidence 1.0 · `/explain` `/fix` `/ignore`</sub>")
    assert "<sub>Verified: see `@bob` · conf" in inline(replace(verified(), verified_by="see @bob")).body


# --- the review's body ------------------------------------------------------------------------------------------------

MEDIUM, LOW, CRITICAL = Severity.MEDIUM, Severity.LOW, Severity.CRITICAL


@pytest.mark.parametrize(
    ("severities", "elsewhere", "said"),
    [
        (["high"], 0, "One problem worth fixing before merge."),
        (["high", "critical"], 0, "Two problems worth fixing before merge."),
        (["high", "medium", "low"], 1, "One problem worth fixing before merge, three to consider."),
        (["medium"], 0, "One point to consider."),
        (["low"], 1, "Two points to consider."),
        ([], 1, "One point to consider."),
        (["high"] * 10, 0, "Ten problems worth fixing before merge."),
        (["high"] * 11, 0, "11 problems worth fixing before merge."),
        ([], 0, "No problems found that are worth your time"),
    ],
)
def test_the_verdict_counts_what_is_worth_fixing_and_what_is_worth_a_thought(severities, elsewhere, said):
    found = [verified(severity=Severity(one)) for one in severities]
    beside = tuple(Elsewhere(finding(severity=Severity.HIGH), 4) for _ in range(elsewhere))
    one = review(*found[:1], folded=tuple(found[1:]), elsewhere=beside)
    assert comment.verdict(one) == said
    assert body(one).startswith(f"**{said}**")


def test_nothing_found_is_one_line_and_the_footer():
    assert body(review()) == (
        "**No problems found that are worth your time** — 17 of 17 hunks reviewed.\n\n"
        "<sub>Written by a language model (openai:gpt) and checked by principal 0.4 · TypeScript persona · "
        f"reviewed `bbbbbbb` · 17 of 17 hunks · 41 s</sub>\n\n{MARKER}"
    )


def test_nothing_found_by_rules_alone_says_so():
    assert body(review(by_rules=True)).startswith(
        "**No problems found that are worth your time** — 17 of 17 hunks reviewed, by rules only.\n\n"
        "<sub>Checked by the rules of principal 0.4, without a language model · reviewed"
    )


def test_no_problems_found_is_never_said_when_something_failed():
    one = review(hunks_reviewed=12, not_reviewed=(NotReviewed("a.ts", 5, "cut off", "MODEL_TRUNCATED"),))
    assert "No problems" not in body(one)
    assert body(one).startswith(
        "**Not all of this was reviewed: 12 of 17 hunks were, and no problem was found in them.**\n\nNot reviewed:"
    )
    one = replace(one, hunks=1, hunks_reviewed=0)
    assert comment.verdict(one).startswith("Not all of this was reviewed: 0 of 1 hunk were,")


def test_a_change_of_skipped_files_alone_was_not_found_clean():
    one = review(hunks=0, hunks_reviewed=0, models=(), skipped=(Skipped("dist/a.js", "generated"),))
    assert body(one).startswith(
        "**Nothing here to review.**\n\nLeft out: `dist/a.js` (generated).\n\n<sub>Checked by the rules"
    )
    assert "hunks" not in body(one)


def test_the_overview_follows_the_verdict_where_there_is_something_to_say():
    assert body(review(verified(), overview="It moves @charging.")).startswith(
        "**One problem worth fixing before merge.** It moves `@charging`.\n\n| |"
    )
    assert "merge.** `ts pay();`\n\n" in body(review(verified(), overview="```ts\npay();\n```"))
    assert "moves" not in body(review(overview="It moves."))
    assert "x" * 600 + " …" in body(review(verified(), overview="x" * 601))


def test_the_table_has_a_row_for_each_comment():
    removed = replace(
        verified(severity=CRITICAL, rule=None, title="a | b"), anchor=Anchor("a|b.ts", Side.LEFT, 7, 8, 0)
    )
    assert body(review(removed, verified())).split("\n\n")[1] == (
        "| | Priority | Where | What |\n|---|---|---|---|\n"
        "| 🚨 | 2 Reliability | `a\\|b.ts:7` (removed) | a \\| b |\n"
        "| 🔴 | 2 Reliability · `timeouts` | `src/charge.ts:11` | The gateway call has no limit |"
    )


def test_a_table_that_is_too_long_to_read_counts_the_rest():
    many = [verified(title=f"t{number}.") for number in range(layout.MOST_ROWS)]
    assert "more." not in body(review(*many))
    told = body(review(*many, verified(), verified()))
    assert "| t39. |\n\n… and 2 more.\n\n" in told
    assert told.count("\n| 🔴") == 40
    assert comment.check(review(*many, verified()), version="0.4").summary.count("\n| 🔴") == 40
    assert comment.document(review(*many, verified()), version="0.4").count("\n| 🔴") == 41


def test_folded_findings_are_told_below_with_their_count():
    one = review(verified(), folded=(verified(severity=MEDIUM, title="f1", at=5), verified(severity=LOW, title="f2")))
    assert (
        "<details><summary>Two more findings, less severe</summary>\n\n"
        "**🟡 Medium · Reliability · `timeouts`** — f1 — `src/charge.ts:5`\n\n"
        "If the gateway never answers, the request hangs.\n\n"
        "**⚪ Low · Reliability · `timeouts`** — f2 — `src/charge.ts:11`\n\n"
        "If the gateway never answers, the request hangs.\n</details>\n\n<sub>Written"
    ) in body(one)


@pytest.mark.parametrize(
    ("said", "folded", "title"),
    [
        ([], ["low"], "One finding"),
        ([], ["high", "high"], "Two findings"),
        (["medium"], ["medium"], "One more finding"),
        (["high", "medium"], ["medium", "low"], "Two more findings"),
        (["medium"], ["low"], "One more finding, less severe"),
    ],
)
def test_the_folds_title_says_no_more_than_is_true(said, folded, title):
    one = review(
        *(verified(severity=Severity(name)) for name in said),
        folded=tuple(verified(severity=Severity(name)) for name in folded),
    )
    assert f"<summary>{title}</summary>" in body(one)


def test_without_inline_comments_the_table_shows_what_would_have_been_one():
    one = review(folded=(verified(title="f1"), verified(severity=LOW, title="f2")))
    assert "| f1 |\n\n<details>" in body(one)
    assert "| f2 |" not in body(one)


def test_a_folded_finding_with_an_answer_is_told_in_full_without_a_button():
    told = body(review(folded=(replace(verified(), fix=Fix(repro="Call it.", patch=patch())),)))
    assert "— `src/charge.ts:11`\n\nIf the gateway never answers, the request hangs.\n\n**Repro** Call it.\n\n" in told
    assert "**Patch**\n```diff\n--- a/x\n" in told
    assert "Patch applies and parses" in told
    assert "```suggestion" not in told
    assert told.count("has no limit**") + told.count("** — The gateway call has no limit") == 1


def test_findings_on_lines_that_the_change_does_not_touch_are_folded_with_their_place():
    one = review(elsewhere=(Elsewhere(finding(path="src/db.ts", rule=None), 14), Elsewhere(finding(), 3)))
    assert (
        "<details><summary>Two problems on lines this change does not touch</summary>\n\n"
        "**🔴 High · Reliability** — The gateway call has no limit — `src/db.ts:14`\n\n"
        "If the gateway never answers, the request hangs.\n\n**🔴 High · Reliability · `timeouts`** — "
    ) in body(one)


def missed(path="src/report.ts", hunks=3, reason="the model's reply was cut off", code="MODEL_TRUNCATED"):
    return NotReviewed(path, hunks, reason, code)


def test_what_was_not_reviewed_says_why_and_what_to_do():
    assert body(review(not_reviewed=(missed(),))).split("\n\n")[1] == (
        "Not reviewed: 3 hunks of `src/report.ts` (the model's reply was cut off, `MODEL_TRUNCATED`). "
        "`/review src/report.ts` tries the file again on its own."
    )


def test_hunks_missed_for_one_reason_are_named_together_and_counted_beyond_a_dozen():
    some = [missed(path=f"f{number}.ts", hunks=1) for number in range(12)]
    said = body(review(not_reviewed=tuple(some)))
    assert "Not reviewed: 1 hunk of `f0.ts`, 1 hunk of `f1.ts`," in said
    assert "1 hunk of `f11.ts` (the model's reply was cut off, `MODEL_TRUNCATED`). `/review PATH` tries" in said
    said = body(review(not_reviewed=(*some, missed(), missed())))
    assert "1 hunk of `f11.ts` and 2 more (the model's" in said


def test_each_reason_has_its_own_sentence_and_too_many_are_counted():
    some = tuple(missed(reason=f"r{number}", code="BUDGET_SPENT") for number in range(6))
    assert "more reasons" not in body(review(not_reviewed=some))
    assert body(review(not_reviewed=some)).count("Raise the limit, or wait for the next day.") == 6
    more = (*some, missed(reason="r6"), missed(reason="r7"))
    assert "\n\n… and 2 more reasons why hunks were not reviewed.\n\n" in body(review(not_reviewed=more))
    assert "r6" not in body(review(not_reviewed=more))


def test_one_reason_with_two_codes_is_said_twice():
    said = body(review(not_reviewed=(missed(), missed(code="MODEL_REFUSED"))))
    assert said.count("Not reviewed: 3 hunks") == 2


def test_a_code_that_nobody_knows_has_no_advice():
    assert "(odd, `NEW_CODE`).\n\n<sub>" in body(review(not_reviewed=(missed(reason="odd", code="NEW_CODE"),)))


@pytest.mark.parametrize("path", ["a b.ts", "`x`.ts", "a" * 161, "ä.ts", "a\n/merge"])
def test_a_path_that_cannot_be_typed_as_it_is_is_not_put_into_a_command(path):
    assert "`/review PATH` tries the file again" in body(review(not_reviewed=(missed(path=path),)))


def test_files_left_out_are_named_by_reason():
    some = (Skipped("dist/a.js", "generated"), Skipped("yarn.lock", "lock file"), Skipped("dist/b.js", "generated"))
    assert "\n\nLeft out: `dist/a.js`, `dist/b.js` (generated); `yarn.lock` (lock file).\n\n" in body(
        review(skipped=some)
    )


def test_of_many_files_left_out_a_dozen_are_named_over_all_reasons():
    some = tuple(Skipped(f"{reason[0]}{number}", reason) for reason in ("aa", "bb", "cc") for number in range(6))
    assert "Left out: `a0`, `a1`, `a2`, `a3` and 2 more (aa); `b0`, " in body(review(skipped=some))
    kinds = tuple(Skipped(f"{number}-{twin}", f"r{number}") for number in range(20) for twin in "xy")
    assert "Left out: `0-x` and 1 more (r0); `1-x` and 1 more (r1);" in body(review(skipped=kinds))


def test_notes_are_sentences_and_too_many_are_counted():
    assert "\n\nAsk `@bob`.\n\nSecond.\n\n<sub>" in body(review(notes=("Ask @bob", "Second.")))
    some = tuple(f"n{number}" for number in range(8))
    assert "\n\nn5.\n\n… and 2 more notes.\n\n" in body(review(notes=some))
    assert "more notes" not in body(review(notes=some[:6]))


def footer(**changes):
    return body(review(**changes)).split("<sub>")[1].split("</sub>")[0].split(" · ")


def test_the_footer_says_who_wrote_it_and_what_it_took():
    usage = Usage(input_tokens=18_000, output_tokens=249, cost_usd=0.0712)
    assert footer(personas=("A", "B", "C"), models=("x:1", "y:2"), hunks_reviewed=3, usage=usage, seconds=61.6) == [
        "Written by a language model (x:1, y:2) and checked by principal 0.4",
        "A, B and C personas",
        "reviewed `bbbbbbb`",
        "3 of 17 hunks",
        "18.2 k tokens, $0.07",
        "1 min 2 s",
    ]


@pytest.mark.parametrize(
    ("usage", "told"),
    [
        (Usage(input_tokens=999, cost_usd=None), "999 tokens, price unknown"),
        (Usage(input_tokens=1000, cost_usd=0.0), "1.0 k tokens, $0.00"),
        (Usage(output_tokens=1, cost_usd=0.0099), "1 tokens, under $0.01"),
        (Usage(output_tokens=5, cost_usd=0.01), "5 tokens, $0.01"),
        (Usage(output_tokens=5, cost_usd=12.5), "5 tokens, $12.50"),
    ],
)
def test_tokens_and_money_are_told_as_people_say_them(usage, told):
    assert footer(usage=usage)[-2] == told


@pytest.mark.parametrize(
    ("seconds", "told"), [(0.99, "under 1 s"), (1, "1 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (185, "3 min 5 s")]
)
def test_time_is_told_as_people_say_it(seconds, told):
    assert footer(seconds=seconds)[-1] == told


def test_the_footer_leaves_out_what_is_not_known():
    assert footer(personas=()) == [
        "Written by a language model (openai:gpt) and checked by principal 0.4",
        "reviewed `bbbbbbb`",
        "17 of 17 hunks",
        "41 s",
    ]
    assert footer(hunks=1, hunks_reviewed=1)[-2] == "1 of 1 hunk"


def test_a_personas_name_reaches_nobody():
    assert "`@everyone` persona" in footer(personas=("@everyone",))
    assert footer(models=("openai:<b>",))[0].startswith("Written by a language model (openai:&lt;b>)")


def test_the_marker_ends_the_body():
    assert body(review(verified())).endswith(f"</sub>\n\n{MARKER}")


# --- the check run ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("severities", "fail_on", "conclusion"),
    [
        (["critical"], None, Conclusion.NEUTRAL),
        (["critical"], "high", Conclusion.FAILURE),
        (["high"], "high", Conclusion.FAILURE),
        (["medium"], "high", Conclusion.SUCCESS),
        ([], "low", Conclusion.SUCCESS),
    ],
)
def test_a_check_fails_only_at_the_severity_that_was_named(severities, fail_on, conclusion):
    one = review(*(verified(severity=Severity(name)) for name in severities))
    made = comment.check(one, version="0.4", fail_on=Severity(fail_on) if fail_on else None)
    assert made.conclusion is conclusion
    why = "\n\nThis check fails because the severity of a finding is high or worse.\n\n| |"
    assert (why in made.summary) == (conclusion is Conclusion.FAILURE)


def test_a_check_never_succeeds_when_something_was_not_reviewed():
    one = review(not_reviewed=(missed(),), hunks_reviewed=14)
    assert comment.check(one, version="0.4", fail_on=Severity.LOW).conclusion is Conclusion.NEUTRAL
    worse = replace(one, said=(verified(),))
    assert comment.check(worse, version="0.4", fail_on=Severity.LOW).conclusion is Conclusion.FAILURE


def test_a_checks_title_is_the_verdict_and_says_when_it_is_not_about_everything():
    def title(one):
        return comment.check(one, version="0.4").title

    assert title(review(verified())) == "One problem worth fixing before merge"
    assert title(review()) == "No problems found that are worth your time"
    gap = {"not_reviewed": (missed(),), "hunks_reviewed": 14}
    assert title(review(verified(), **gap)) == "One problem worth fixing before merge; 14 of 17 hunks reviewed"
    assert title(review(**gap)) == "Not all of this was reviewed: 14 of 17 hunks were, and no problem was found in them"


def test_a_checks_summary_tells_all_findings_what_stands_elsewhere_and_the_gaps():
    one = review(
        verified(title="s1"),
        folded=(verified(title="f1"),),
        elsewhere=(Elsewhere(finding(title="e1"), 14),),
        skipped=(Skipped("a.lock", "lock file"),),
    )
    blocks = comment.check(one, version="0.4").summary.split("\n\n")
    assert blocks[1].count("\n") == 3
    assert "| s1 |" in blocks[1]
    assert "| f1 |" in blocks[1]
    assert blocks[2].endswith("e1 — `src/charge.ts:14`")
    assert blocks[4] == "Left out: `a.lock` (lock file)."
    assert blocks[5].startswith("<sub>")
    assert len(blocks) == 6


def test_annotations_are_plain_text_on_lines_of_the_head():
    found = verified(title="`a` <b>\u200b", explanation=" Two\nlines <b> @bob\u202e. ", severity=CRITICAL)
    removed = replace(verified(), anchor=Anchor("src/charge.ts", Side.LEFT, 1, 2, 0))
    wide = replace(verified(rule=None, explanation="\n"), anchor=Anchor("x.ts", Side.RIGHT, 3, 9, 0))
    first, second = comment.check(review(found, removed, folded=(wide,)), version="0.4").annotations
    assert (first.path, first.start_line, first.end_line) == ("src/charge.ts", 11, 11)
    assert first.message == "Two\nlines <b> @bob\\u{202e}."
    assert first.title == "timeouts: `a` <b>\\u{200b}"
    assert (second.path, second.start_line, second.end_line) == ("x.ts", 3, 9)
    assert second.message == "The gateway call has no limit"
    assert second.title == "reliability: The gateway call has no limit"


@pytest.mark.parametrize(
    ("severity", "level"),
    [
        (Severity.CRITICAL, AnnotationLevel.FAILURE),
        (Severity.HIGH, AnnotationLevel.FAILURE),
        (Severity.MEDIUM, AnnotationLevel.WARNING),
        (Severity.LOW, AnnotationLevel.NOTICE),
    ],
)
def test_an_annotation_is_as_loud_as_its_finding_is_severe(severity, level):
    assert comment.check(review(verified(severity=severity)), version="0.4").annotations[0].level is level


def test_an_annotation_repeats_no_secret():
    token = "ghp_" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hJ6"
    made = comment.check(review(verified(title=f"t {token}", explanation=f"e {token}")), version="0.4").annotations[0]
    assert token not in made.message + made.title
    assert made.message.startswith("e ghp_*")


def test_annotations_stay_within_githubs_limits():
    many = [verified(title="t" * 400, explanation="e" * 70_000) for _ in range(60)]
    made = comment.check(review(*many), version="0.4").annotations
    assert len(made) == 50
    assert len(made[0].title) == 200
    assert made[0].title.endswith("t …")
    assert len(made[0].message) == 4_000


def test_a_failure_says_what_why_what_to_do_and_the_code():
    made = comment.failed(code="GIT_FAILED", what="git <died>.", why="Why.", action="`/review` again.")
    assert made.conclusion is Conclusion.NEUTRAL
    assert made.title == "Not reviewed: git <died> (GIT_FAILED)"
    assert made.summary == "Not reviewed: git &lt;died>. Why. (`GIT_FAILED`)\n\n**What to do:** `/review` again."
    assert made.annotations == ()
    long = comment.failed(code="X", what="w" * 600, why="", action="")
    assert long.title == f"Not reviewed: {'w' * 148} … (X)"
    assert f"{'w' * 500} …" in long.summary


def test_a_review_that_was_overtaken_or_skipped_says_so():
    assert comment.superseded("c" * 40) == comment.CheckText(
        Conclusion.CANCELLED, "Superseded by a newer push", "Superseded by `ccccccc`; the newer head is reviewed."
    )
    assert comment.superseded().summary == "Superseded; the newer head is reviewed."
    assert comment.skipped("a draft, see @bob.") == comment.CheckText(
        Conclusion.SKIPPED, "Not reviewed: a draft, see @bob.", "Not reviewed: a draft, see `@bob`."
    )
    assert len(comment.skipped("s" * 400).title) == len("Not reviewed: ") + 150


# --- the whole as a document ------------------------------------------------------------------------------------------


def test_a_document_holds_every_finding_under_its_place_and_what_stands_elsewhere_last():
    one = review(
        replace(verified(title="s1"), fix=Fix(patch=patch())),
        folded=(replace(verified(title="f1"), anchor=Anchor("b.ts", Side.LEFT, 2, 2, 0)),),
        elsewhere=(Elsewhere(finding(title="e1"), 14),),
        notes=("A note",),
    )
    told = comment.document(one, version="0.4")
    headings = ["### `src/charge.ts:11`", "### `b.ts:2` (removed)", "### On lines this change does not touch"]
    assert re.findall("^### .*", told, re.MULTILINE) == headings
    assert [told.index(text) for text in ("| s1 |", "A note.", *headings, "— e1 —", "<sub>Written")] == sorted(
        told.index(text) for text in ("| s1 |", "A note.", *headings, "— e1 —", "<sub>Written")
    )
    assert "```diff" in told
    assert "```suggestion" not in told
    assert told.endswith("</sub>\n")
    assert "###" not in comment.document(review(), version="0.4")


# --- limits -----------------------------------------------------------------------------------------------------------

EVERYTHING_HUGE = replace(
    samples.BUG,
    finding=replace(
        samples.TIMEOUT, title=HUGE, explanation=HUGE, assumptions=(HUGE,) * 9, rule="r" * 90, path="p/" * 2000
    ),
    anchor=Anchor("p/" * 2000, Side.RIGHT, 1, 2, 0),
    verified_by=HUGE,
    fix=Fix(
        **dict.fromkeys(EVERY_PART, "```ts\n" + HUGE),
        patch=patch(replacement="x" * 30_000, diff="+" + HUGE),
        tests=tuple(TestFile("t/" * 2000, "`````\n" + HUGE, "ts") for _ in range(4)),
        missing=tuple((f"part{number}", HUGE) for number in range(9)),
    ),
)


@pytest.mark.parametrize("kind", Kind)
def test_a_huge_comment_fits_and_leaves_nothing_half_open(kind):
    said = inline(replace(EVERYTHING_HUGE, finding=replace(EVERYTHING_HUGE.finding, kind=kind)))
    assert len(said.body) <= layout.LONGEST_COMMENT < GITHUBS_LIMIT
    assert left_open(said.body) == []
    assert said.body.startswith("**🔴 High")
    assert said.body.endswith("confidence 0.9 · `/explain` `/fix` `/ignore`</sub>")
    assert "**Test that proves it** left out: too long for a comment." in said.body


def test_the_longest_parts_are_left_out_first():
    found = replace(
        verified(), fix=Fix(repro="Short.", patch=patch(replacement="x" * 61_000), tests=(TestFile("a", "y" * 9_000),))
    )
    said = inline(found)
    assert "**Repro** Short." in said.body
    assert "\n\n… left out: too long for a comment.\n\n" in said.body
    assert "yyy" in said.body


def test_a_text_of_just_the_longest_length_is_kept_whole():
    empty = len(inline(verified(explanation="e"), patch=patch(replacement="x")).body)
    room = layout.LONGEST_COMMENT - empty - 1
    fits = inline(verified(explanation="e"), patch=patch(replacement="x" * room)).body
    assert layout.LONGEST_COMMENT - 3 <= len(fits) <= layout.LONGEST_COMMENT
    assert "left out" not in fits
    assert "left out" in inline(verified(explanation="e"), patch=patch(replacement="x" * (room + 3))).body


def test_a_body_with_thousands_of_skipped_files_is_short():
    some = tuple(
        Skipped(f"dist/{'x' * 300}{number}.js", "generated" if number % 3 else "vendored") for number in range(3_000)
    )
    told = body(review(skipped=some))
    assert len(told) < 3_500
    assert "and 994 more (vendored);" in told
    assert "and 1994 more (generated)." in told
    assert "`…" in told


def test_a_body_with_hundreds_of_folded_findings_tells_some_lists_some_and_counts_the_rest():
    long = "An explanation of some length. " * 12
    some = tuple(verified(title=f"folded {n}.", severity=MEDIUM, explanation=long, at=n + 1) for n in range(500))
    told = body(review(verified(), folded=some))
    assert len(told) <= layout.LONGEST_COMMENT
    assert left_open(told) == []
    in_full = told.count("**🟡 Medium")
    assert 50 < in_full < 80
    assert told.count("- 🟡 `src/charge.ts:") == layout.MOST_ROWS
    assert f"- … and {500 - in_full - layout.MOST_ROWS} more\n</details>" in told
    assert "<summary>500 more findings, less severe</summary>" in told
    assert told.endswith(MARKER)


def test_folded_findings_that_just_fit_are_all_told():
    some = [verified(title=f"f{n}.", severity=MEDIUM, explanation="e" * 1_000) for n in range(40)]
    told = body(review(verified(), folded=tuple(some)))
    in_full = told.count("**🟡 Medium")
    assert told.count("- 🟡 `src/charge.ts:11` f") == 40 - in_full
    assert "more\n" not in told


def test_a_body_with_hundreds_of_findings_elsewhere_stays_short():
    some = tuple(Elsewhere(finding(title=f"e{number}.", explanation="y" * 900), number) for number in range(300))
    for told in (body(review(elsewhere=some)), comment.check(review(elsewhere=some), version="0.4").summary):
        assert len(told) < 20_000
        assert left_open(told) == []
        assert told.count("\n\n**🔴 High") == 10
        assert told.count("- 🔴 `src/charge.ts:") == layout.MOST_ROWS
        assert "- … and 250 more" in told


@pytest.mark.parametrize("said", [0, 1, 30])
def test_a_body_of_huge_parts_fits_and_keeps_verdict_footer_and_marker(said):
    one = review(
        *[EVERYTHING_HUGE] * said,
        folded=(EVERYTHING_HUGE,) * 50,
        elsewhere=tuple(Elsewhere(EVERYTHING_HUGE.finding, 1) for _ in range(50)),
        skipped=tuple(Skipped("s/" * 2000, f"{number}" + HUGE) for number in range(40)),
        not_reviewed=tuple(NotReviewed("n/" * 2000, 1, f"{number}" + HUGE, "INTERNAL") for number in range(40)),
        notes=(HUGE,) * 40,
        overview=HUGE,
        personas=(HUGE,) * 6,
        models=(HUGE,) * 6,
    )
    for told in (body(one), comment.check(one, version="0.4").summary):
        assert len(told) <= layout.LONGEST_COMMENT
        assert left_open(told) == []
        assert "worth fixing before merge" in told.split("\n")[0]
        assert "<sub>Written by" in told
    assert body(one).endswith(MARKER)
    assert left_open(comment.document(replace(one, said=one.said[:1], folded=one.folded[:1]), version="0.4")) == []


TEXT = st.one_of(
    st.text(max_size=60),
    st.lists(
        st.sampled_from(
            [
                "```",
                "````ts\n",
                "~~~",
                "\n",
                "</details>",
                "<details>",
                "<!--",
                "@bob",
                "|",
                "`",
                "- ",
                "# ",
                "x",
                "<sub>",
                "\\",
            ]
        ),
        max_size=12,
    ).map("".join),
)
MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table"])


@settings(deadline=None)
@given(st.sampled_from(Kind), TEXT, TEXT, TEXT, TEXT)
def test_whatever_is_written_a_comment_is_closed_and_holds_no_html_but_ours(kind, title, text, code, reason):
    found = replace(
        verified(kind=kind, title=title, explanation=text, assumptions=(title, text), path=code or "a"),
        verified_by=text,
        fix=Fix(
            **dict.fromkeys(EVERY_PART, text),
            patch=patch(suggestion=False, reason=reason, diff=code),
            tests=(TestFile(code, code, title),),
            missing=(("patch", reason), (title, reason)),
        ),
    )
    for told in (inline(found).body, body(review(found, folded=(found,), overview=text, notes=(reason,)))):
        assert left_open(told) == []
        tokens = MARKDOWN.parse(told)
        inner = [child for token in tokens for child in token.children or []]
        html = [token.content for token in (*tokens, *inner) if token.type in {"html_block", "html_inline"}]
        tags = {tag for one in html for tag in re.findall(r"<!--|</?[^>]*>", one)}
        assert tags <= {"<details>", "<summary>", "</summary>", "</details>", "<sub>", "</sub>", "<!--"}


def test_what_stood_there_before_is_named_and_counted_nowhere():
    before = tuple(Elsewhere(finding(title=f"old {n}", severity=Severity.CRITICAL), n + 1) for n in range(60))
    one = review(pre_existing=before)
    told = body(one)
    assert told.startswith("**No problems found")
    assert "Pre-existing: 60 problems that stood in these files before this change" in told
    assert "old 0" in told
    assert "more" in told
    assert one.worst() is None
    assert "Pre-existing: 60 problems" in comment.document(one, version="0.4")
