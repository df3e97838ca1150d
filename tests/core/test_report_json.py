"""The JSON form of a review: complete, published, and readable by strict readers."""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from app.core import report_json
from app.core.finding import Finding, Fix, Patch, TestFile
from app.core.report import NotReviewed, Review
from app.core.usage import Usage
from tests.core.reviews import CLEAN, FIX, FULL, PATCH, SAID, SECRET, TIMEOUT, WITH_SECRET

PUBLISHED = Path(__file__).resolve().parents[2] / "docs" / "schemas" / "review.schema.json"
WRITE_IT = (
    """python -c 'import json; from app.core import report_json; print(json.dumps(report_json.schema(), indent=2))'"""
)


def written(review: Review) -> dict[str, Any]:
    return json.loads(json.dumps(report_json.render(review), allow_nan=False))


def names(kind: type) -> set[str]:
    return {field.name for field in dataclasses.fields(kind)}


def test_the_published_schema_is_the_one_of_the_code() -> None:
    expected = json.dumps(report_json.schema(), indent=2) + "\n"
    assert PUBLISHED.read_text("utf-8") == expected, f"write it again: {WRITE_IT} > docs/schemas/review.schema.json"


@pytest.mark.parametrize("review", [FULL, CLEAN], ids=["everything", "clean"])
def test_a_review_satisfies_the_published_schema(review: Review) -> None:
    Draft202012Validator(json.loads(PUBLISHED.read_text("utf-8"))).validate(written(review))


def test_every_field_is_always_there_and_no_other() -> None:
    schema = report_json.schema()
    for name, described in {**schema["$defs"], "Document": schema}.items():
        if described["type"] == "object":
            assert set(described["required"]) == set(described["properties"]), name
            assert described["additionalProperties"] is False, name


def test_nothing_of_a_finding_or_its_fix_is_left_out() -> None:
    finding = written(FULL)["findings"][0]
    assert names(Finding) - {"line"} <= set(finding)
    assert set(finding["fix"]) == names(Fix)
    assert set(finding["fix"]["patch"]) == names(Patch)
    assert set(finding["fix"]["tests"][0]) == names(TestFile)
    assert set(written(FULL)["usage"]) == names(Usage)
    assert set(written(FULL)["not_reviewed"][0]) == names(NotReviewed)


def test_a_finding_is_written_with_its_place_and_its_proof() -> None:
    finding = written(FULL)["findings"][0]
    assert finding["placement"] == "inline"
    assert (finding["path"], finding["side"], finding["start_line"], finding["end_line"]) == (
        "src/charge.ts",
        "RIGHT",
        42,
        42,
    )
    assert (finding["category"], finding["priority"], finding["severity"]) == ("reliability", 2, "high")
    assert finding["quote"] == TIMEOUT.quote
    assert finding["sources"] == ["typescript", "timeouts"]
    assert finding["verified_by"] == "callers in `src/routes/orders.ts`"
    assert finding["fix"]["root_cause"] == FIX.root_cause
    assert finding["fix"]["patch"]["suggestion"] is True


def test_findings_keep_their_order_and_say_where_they_are_shown() -> None:
    assert [one["placement"] for one in written(FULL)["findings"]] == ["inline", "folded", "elsewhere"]


def test_a_part_that_could_not_be_given_says_why() -> None:
    folded = written(FULL)["findings"][1]
    assert folded["fix"]["patch"] is None
    assert folded["fix"]["missing"] == [
        {"part": "patch", "reason": "the caller decides which check belongs here"},
    ]
    assert folded["sources"] == ["typescript"]


def test_what_was_not_reviewed_stands_in_the_document() -> None:
    document = written(FULL)
    assert document["complete"] is False
    assert (document["hunks"], document["hunks_reviewed"]) == (17, 14)
    assert document["not_reviewed"] == [
        {"path": "src/report.ts", "hunks": 3, "reason": "the model's reply was cut off", "code": "MODEL_TRUNCATED"}
    ]
    assert document["skipped"] == [{"path": "dist/app.js", "reason": "generated", "hunks": 3}]


def test_what_was_rejected_is_there_with_its_reason() -> None:
    (rejected,) = written(FULL)["rejected"]
    assert rejected["claim"]["title"] == "Something else"
    assert rejected["line"] == 41
    assert rejected["reason"] == "quote not in the diff"


def test_a_clean_review_is_complete_and_has_no_worst() -> None:
    document = written(CLEAN)
    assert document["complete"] is True
    assert document["worst"] is None
    assert document["by_rules"] is True
    assert document["findings"] == []


def test_a_price_that_is_not_known_is_null() -> None:
    assert written(replace(CLEAN, usage=Usage(cost_usd=None)))["usage"]["cost_usd"] is None


def test_a_path_that_is_not_text_is_written_out() -> None:
    finding = replace(TIMEOUT, path=os.fsdecode(b"src/\xff.ts"))
    assert written(replace(CLEAN, said=(replace(SAID, finding=finding),)))["findings"][0]["path"] == "src/\\xff.ts"


def test_no_secret_is_written() -> None:
    text = json.dumps(written(WITH_SECRET))
    assert SECRET not in text
    assert "const apiKey" in text


def test_a_replacement_is_written_as_it_is_because_it_may_be_committed() -> None:
    patch = replace(PATCH, replacement=f'const apiKey = "{SECRET}";')
    finding = written(replace(CLEAN, said=(replace(SAID, fix=Fix(patch=patch)),)))["findings"][0]
    assert finding["fix"]["patch"]["replacement"] == patch.replacement
