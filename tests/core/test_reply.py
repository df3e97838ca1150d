from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from app.core import reply
from app.core.finding import Category, Kind, Severity
from app.core.reply import (
    Claim,
    FixesReply,
    FixReply,
    ReviewReply,
    SharedReviewReply,
    SharedVerifyReply,
    SummaryReply,
    TestReply,
    VerifyReply,
)
from app.llm.form import Misread, read, strict_schema
from tests.core.values import claim, verdict

FIX = {
    **dict.fromkeys(set(FixReply.model_fields) - {"finding", "tests"}, ""),
    "finding": 2,
    "tests": [{"path": "test/a.test.ts", "content": "it();"}],
}
CLAIM = claim().model_dump()


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (0.8, 0.8),
        ("0.8", 0.8),
        (" 80% ", 0.8),
        (80, 0.8),
        ("80", 0.8),
        (1, 1.0),
        (1.0, 1.0),
        (0, 0.0),
        (-3, 0.0),
        (250, 1.0),
        ("0.5%", 0.005),
        ("1 %", 0.01),
        ("250%", 1.0),
        (10**400, 1.0),
        (-(10**400), 0.0),
        (1.5, 0.015),
        (True, 1.0),
    ],
)
def test_a_confidence_is_understood_however_it_is_written(said, meant):
    assert claim(confidence=said).confidence == pytest.approx(meant)


@pytest.mark.parametrize("said", ["sure", "", None, float("nan"), float("inf"), "nan", "inf", [1]])
def test_a_confidence_that_is_none_is_refused(said):
    with pytest.raises(ValidationError):
        claim(confidence=said)


@given(st.floats() | st.integers() | st.text(max_size=8))
def test_a_confidence_that_is_taken_lies_between_0_and_1(said):
    try:
        made = claim(confidence=said)
    except ValidationError:
        return
    assert 0 <= made.confidence <= 1


@pytest.mark.parametrize(
    ("field", "said", "meant"),
    [
        ("kind", " Bug\n", "bug"),
        ("kind", "PERFORMANCE", "performance"),
        ("severity", "Critical ", "critical"),
        ("category", "Security", "security"),
    ],
)
def test_words_are_taken_in_capitals_and_with_space_around_them(field, said, meant):
    assert getattr(claim(**{field: said}), field) == meant


@pytest.mark.parametrize(
    ("field", "said"),
    [("kind", "typo"), ("severity", "blocker"), ("category", "Reliability & Resilience"), ("kind", 3)],
)
def test_words_that_nobody_agreed_on_are_refused(field, said):
    with pytest.raises(ValidationError):
        claim(**{field: said})


@pytest.mark.parametrize("category", Category)
def test_every_category_severity_and_kind_can_be_claimed(category):
    assert reply.category_of(claim(category=category.slug).category) is category
    for severity in Severity:
        assert reply.severity_of(claim(severity=severity.value).severity) is severity
    for kind in Kind:
        assert reply.kind_of(claim(kind=kind.value).kind) is kind


def test_text_that_is_null_is_empty_and_nothing_is_longer_than_the_bound():
    assert claim(rule=None).rule == ""
    assert claim(quote="x" * 20_000).quote == "x" * 20_000
    assert claim(quote="x" * 20_001).quote == "x" * 20_000
    assert claim(assumptions=[None, "y" * 30_000]).assumptions == ["", "y" * 20_000]


def test_text_that_no_database_would_take_is_made_well_formed():
    assert claim(title="a\0b\ud800c").title == "ab?c"


def test_text_that_is_no_text_is_refused():
    with pytest.raises(ValidationError):
        claim(title=["a"])


def test_a_claim_without_a_field_is_refused_and_fields_nobody_asked_for_are_ignored():
    for field in Claim.model_fields:
        with pytest.raises(ValidationError):
            Claim.model_validate({name: value for name, value in CLAIM.items() if name != field})
    assert Claim.model_validate({**CLAIM, "mood": "good"}) == claim()


def test_a_reply_with_more_findings_than_anyone_reads_is_refused():
    assert len(ReviewReply(overview="", findings=[claim()] * 200).findings) == 200
    with pytest.raises(ValidationError):
        ReviewReply(overview="", findings=[claim()] * 201)
    assert len(VerifyReply(verdicts=[verdict()] * 200).verdicts) == 200
    with pytest.raises(ValidationError):
        VerifyReply(verdicts=[verdict()] * 201)


def test_a_reply_may_lack_what_it_was_not_asked_for_and_nothing_else():
    claims, verdicts = {"overview": "", "findings": []}, {"verdicts": []}
    assert ReviewReply.model_validate(claims).considered == []
    assert SharedReviewReply.model_validate(claims).verdicts == []
    assert SharedVerifyReply.model_validate(verdicts).findings == []
    for form, broken in (
        (ReviewReply, verdicts),
        (SharedReviewReply, verdicts),
        (VerifyReply, claims),
        (SharedVerifyReply, claims),
    ):
        with pytest.raises(ValidationError):
            form.model_validate(broken)


@pytest.mark.parametrize("said", ["Confirmed", " REFUTED", "unproven "])
def test_a_verdict_is_one_of_three_words(said):
    assert verdict(verdict=said).verdict == said.strip().lower()
    with pytest.raises(ValidationError):
        verdict(verdict="maybe")


def test_a_fix_may_bring_up_to_four_tests():
    assert FixReply.model_validate(FIX).tests == [TestReply(path="test/a.test.ts", content="it();")]
    assert len(FixReply.model_validate({**FIX, "tests": FIX["tests"] * 4}).tests) == 4
    with pytest.raises(ValidationError):
        FixReply.model_validate({**FIX, "tests": FIX["tests"] * 5})


def test_whoever_was_shown_one_finding_may_answer_without_its_number():
    alone = {name: part for name, part in FIX.items() if name != "finding"}
    assert FixesReply.model_validate(alone) == FixesReply.model_validate({"answers": [{**FIX, "finding": 1}]})
    assert read(json.dumps({**alone, "risk": "r"}), FixesReply).reply.answers[0].risk == "r"
    assert read(json.dumps({"answers": [FIX]}), FixesReply).reply.answers[0].finding == 2
    for broken in ({}, {"answers": [alone]}, {"risk": "r"}):
        with pytest.raises(Misread, match="Field required"):
            read(json.dumps(broken), FixesReply)


def test_the_form_of_fixes_is_short_because_it_is_sent_with_every_prompt():
    assert len(json.dumps(strict_schema(FixesReply), separators=(",", ":"))) < 1_800


def test_forms_cannot_be_changed_once_they_are_filled_in():
    with pytest.raises(ValidationError):
        claim().title = "other"


@pytest.mark.parametrize(
    "form", [ReviewReply, SharedReviewReply, VerifyReply, SharedVerifyReply, FixesReply, SummaryReply]
)
def test_every_field_is_required_in_the_schema_so_that_structured_output_has_no_optional_parts(form: type[BaseModel]):
    schema = form.model_json_schema()
    for one in (schema, *schema.get("$defs", {}).values()):
        assert set(one["required"]) == set(one["properties"])
    assert form.model_validate_json(json.dumps(_filled(form))).model_dump() == _filled(form)


def _filled(form: type[BaseModel]) -> dict[str, object]:
    match form.__name__:
        case "ReviewReply":
            return {"overview": "o", "considered": ["a.ts:1: kept"], "findings": [CLAIM], "flow": []}
        case "VerifyReply":
            return {"verdicts": [verdict().model_dump()]}
        case "SharedReviewReply" | "SharedVerifyReply":
            return {
                "overview": "o",
                "considered": [],
                "findings": [CLAIM],
                "flow": [],
                "verdicts": [verdict().model_dump()],
            }
        case "FixesReply":
            return {"answers": [FIX]}
        case _:
            return {"overview": "o"}
