from __future__ import annotations

import pytest

from app.core import verify
from app.core.finding import Category, Elsewhere, Filter, Kind, Rejected, Severity, Side, VerifiedFinding
from app.core.verify import Beside, Placed
from tests.core.values import anchor, change, claim, file, finding, hunk, rule, verdict

RULES = {"timeouts": rule()}
HEAD = {"src/charge.ts": ["x"] * 9 + ["const a = 1;", "const b = 2;", "const c = 3;", "", "const farAway = 9;"]}
SHOWN = {("src/charge.ts", 0)}


def place(one=None, **about):
    made = {"change": change(), "shown": SHOWN, "head": HEAD}
    return verify.place(one or finding(), **{**made, **about})


def test_a_claim_becomes_a_finding_with_every_field_tidied():
    made = verify.claimed(
        claim(
            kind="Design",
            path=" src/charge.ts ",
            title="  Two\n spaces.. ",
            explanation=" why ",
            scenario=" how ",
            assumptions=[" one page ", ""],
            line=0,
        ),
        source="typescript",
        rules=RULES,
    )
    assert made.kind is Kind.DESIGN
    assert (made.path, made.title, made.explanation, made.scenario) == ("src/charge.ts", "Two spaces", "why", "how")
    assert made.assumptions == ("one page",)
    assert made.line is None
    assert made.source == "typescript"
    assert made.severity is Severity.HIGH
    assert made.confidence == 0.9
    assert made.quote == "const b = 2;"
    assert not made.strong


def test_a_line_that_is_named_is_kept_as_a_hint():
    assert verify.claimed(claim(line=1), source="x", rules={}).line == 1


def test_a_rule_brings_its_category_and_a_rule_nobody_knows_is_dropped():
    known = verify.claimed(claim(rule=" `timeouts` ", category="security"), source="x", rules=RULES)
    assert (known.rule, known.category) == ("timeouts", Category.RELIABILITY)
    unknown = verify.claimed(claim(rule="vibes", category="security"), source="x", rules=RULES)
    assert (unknown.rule, unknown.category) == (None, Category.SECURITY)


def test_nothing_but_space_backticks_and_full_stops_is_taken_off():
    rules = {"X-RAY": rule(id="X-RAY")}
    assert verify.claimed(claim(rule="`X-RAY`"), source="x", rules=rules).rule == "X-RAY"
    assert verify.claimed(claim(title="It fails on iOS X..."), source="x", rules={}).title == "It fails on iOS X"


def test_a_quote_in_the_diff_is_placed_on_its_line():
    placed = place()
    assert isinstance(placed, Placed)
    assert (placed.anchor.path, placed.anchor.start_line, placed.anchor.line) == ("src/charge.ts", 11, 11)
    assert placed.anchor.side is Side.RIGHT


def test_of_two_places_with_the_same_code_the_line_that_was_named_decides():
    twice = change(file("src/charge.ts", hunk("+same(order);", " between();", "+same(order);", new=10)))
    for line in (10, 12):
        placed = place(finding(quote="same(order);", line=line), change=twice, head={})
        assert isinstance(placed, Placed)
        assert placed.anchor.line == line


def test_a_quote_outside_the_diff_stands_beside_it():
    assert place(finding(quote="const farAway = 9;")) == Beside(finding(quote="const farAway = 9;"), 14)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"path": "src/none.ts"}, "about a file that is not part of the change"),
        ({"path": ""}, "about a file that is not part of the change"),
        ({"quote": "const invented = true;"}, "its quote does not stand in the file"),
        ({"quote": " \n "}, "no quote"),
        ({"title": ""}, "no title or no explanation"),
        ({"explanation": ""}, "no title or no explanation"),
        ({"scenario": ""}, "no scenario"),
        ({"confidence": 0.29}, "its own author doubted it"),
    ],
)
def test_what_cannot_be_placed_is_rejected_with_its_reason(wrong, reason):
    refused = place(finding(**wrong))
    assert isinstance(refused, Rejected)
    assert refused.reason == reason
    assert refused.finding.title == finding(**wrong).title


def test_the_least_confidence_is_enough():
    assert isinstance(place(finding(confidence=0.3)), Placed)


def test_a_quote_from_a_part_the_model_was_not_shown_is_not_believed():
    assert place(shown=set()) == Rejected(finding(), "its quote stands in a part that was not shown", Filter.PLACE)
    assert place(shown={("src/charge.ts", 1)}) == Rejected(
        finding(), "its quote stands in a part that was not shown", Filter.PLACE
    )


@pytest.mark.parametrize("path", ["a/src/charge.ts", "b/src/charge.ts", "./src/charge.ts", "charge.ts"])
def test_a_path_written_as_models_write_it_finds_its_file(path):
    placed = place(finding(path=path))
    assert isinstance(placed, Placed)
    assert placed.finding.path == "src/charge.ts"


def test_a_shortened_path_that_fits_two_files_fits_none():
    both = change(file("src/charge.ts"), file("lib/charge.ts"))
    assert isinstance(place(finding(path="charge.ts"), change=both), Rejected)
    assert isinstance(place(finding(path="src/charge.ts"), change=both), Placed)


def test_a_removed_line_is_placed_on_the_left():
    removed = change(file("src/charge.ts", hunk(" const a = 1;", "-await audit(order);", old=10, new=10)))
    placed = place(finding(quote="await audit(order);"), change=removed)
    assert isinstance(placed, Placed)
    assert placed.anchor.side is Side.LEFT


def test_a_confirmed_candidate_is_verified_with_the_sceptics_severity_confidence_and_case():
    judged = verify.judge(
        Placed(finding(), anchor()), verdict(failing_case=" traced ", saw=" callers\n in x ", confidence=0.777)
    )
    assert isinstance(judged, VerifiedFinding)
    assert judged.anchor == anchor()
    assert judged.finding.severity is Severity.CRITICAL
    assert judged.finding.confidence == 0.78
    assert judged.finding.scenario == "traced"
    assert judged.verified_by == "callers in x"
    assert judged.sources == ("typescript",)
    assert judged.fix is None


def test_a_confirmed_candidate_beside_the_diff_is_for_the_summary():
    judged = verify.judge(Beside(finding(), 14), verdict())
    assert isinstance(judged, Elsewhere)
    assert (judged.line, judged.verified_by) == (14, "callers in src/orders.ts")
    assert judged.finding.severity is Severity.CRITICAL


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (None, "the sceptic gave no verdict"),
        (verdict(verdict="refuted", reason=" a guard\n above "), "refuted: a guard above"),
        (verdict(verdict="Unproven", reason="cannot see it"), "unproven: cannot see it"),
        (verdict(failing_case="  "), "no failing case could be given"),
        (verdict(pre_existing=True), "stood there before this change"),
    ],
)
def test_without_proof_nothing_is_said(given, reason):
    assert verify.judge(Placed(finding(), anchor()), given) == Rejected(finding(), reason, Filter.DOUBT)


def test_verdicts_find_their_candidates_by_number_and_the_first_one_counts():
    first, second, repeated, stray = verdict(id=1), verdict(id=3), verdict(id=3, reason="later"), verdict(id=9)
    assert verify.by_number([second, repeated, stray, first], 3) == [first, None, second]
    assert verify.by_number([], 2) == [None, None]
    assert verify.by_number([verdict(id=0)], 1) == [None]
