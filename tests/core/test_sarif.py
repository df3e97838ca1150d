"""The SARIF log: valid, honest about what was not reviewed, and unable to say more than its text."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft4Validator, Draft202012Validator

from app.core import sarif
from app.core.finding import Category, Finding, Kind, Severity
from app.core.report import Review
from app.core.rule import Rule
from tests.core.reviews import CLEAN, ELSEWHERE, FULL, PATCH, REMOVED, SAID, SECRET, TIMEOUT, WITH_SECRET

HERE = Path(__file__).resolve().parent
OFFICIAL = HERE.parents[2] / "shared" / "contract" / "sarif-schema-2.1.0.json"
SUBSET = Draft202012Validator(json.loads((HERE.parent / "data" / "sarif-subset.schema.json").read_text("utf-8")))

RULES = {
    "timeouts": Rule(
        id="timeouts",
        title="Every wait has a limit",
        category=Category.RELIABILITY,
        kind=Kind.BUG,
        severity=Severity.HIGH,
        languages=("typescript",),
        summary="Give every dependency its own limit.",
        why="A slow peer does more harm than a dead one.",
        look_for=(),
        do_not_flag=(),
        question="What ends this wait?",
        recommend=("Pass `AbortSignal.timeout(ms)` in `{ signal }`.",),
    )
}


def log_of(review: Review, **options: Any) -> dict[str, Any]:
    return json.loads(json.dumps(sarif.render(review, rules=RULES, version="1.2.3", **options)))


def run_of(review: Review, **options: Any) -> dict[str, Any]:
    return log_of(review, **options)["runs"][0]


def with_finding(finding: Finding) -> Review:
    return replace(CLEAN, said=(replace(SAID, finding=finding),))


@pytest.mark.parametrize("review", [FULL, CLEAN], ids=["everything", "clean"])
@pytest.mark.parametrize("root", [None, "file:///srv/checkout"])
def test_the_log_keeps_to_the_part_of_the_standard_that_we_write(review: Review, root: str | None) -> None:
    SUBSET.validate(log_of(review, repository_root=root))


@pytest.mark.skipif(not OFFICIAL.exists(), reason="the standard's own schema does not stand beside this checkout")
@pytest.mark.parametrize("review", [FULL, CLEAN], ids=["everything", "clean"])
def test_the_log_satisfies_the_standards_own_schema(review: Review) -> None:
    schema = json.loads(OFFICIAL.read_text("utf-8"))
    Draft4Validator(schema, format_checker=Draft4Validator.FORMAT_CHECKER).validate(log_of(review))


def test_every_rule_that_was_hit_is_described_and_pointed_to() -> None:
    run = run_of(FULL)
    described = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert described == ["timeouts", "general/security", "unheard-of"]
    for result in run["results"]:
        assert described[result["ruleIndex"]] == result["ruleId"]


def test_a_rule_is_described_in_its_own_words() -> None:
    rule = run_of(FULL)["tool"]["driver"]["rules"][0]
    assert rule["shortDescription"]["text"] == "Every wait has a limit"
    assert rule["fullDescription"]["text"] == "Give every dependency its own limit."
    assert rule["help"]["text"].startswith("A slow peer does more harm than a dead one.\n\n- Pass")
    assert rule["properties"] == {"tags": ["reliability"], "priority": 2}


def test_a_security_finding_carries_the_score_that_code_scanning_sorts_by() -> None:
    rule = run_of(FULL)["tool"]["driver"]["rules"][1]
    assert rule["properties"]["security-severity"] == "9.5"


@pytest.mark.parametrize(
    ("severity", "level"),
    [
        (Severity.CRITICAL, "error"),
        (Severity.HIGH, "error"),
        (Severity.MEDIUM, "warning"),
        (Severity.LOW, "note"),
    ],
)
def test_the_level_follows_the_severity(severity: Severity, level: str) -> None:
    result = run_of(with_finding(replace(TIMEOUT, severity=severity)))["results"][0]
    assert result["level"] == level
    assert result["properties"]["severity"] == severity.value


def test_a_result_stands_on_its_lines_at_the_column_where_the_code_starts() -> None:
    region = run_of(FULL)["results"][0]["locations"][0]["physicalLocation"]["region"]
    assert region == {"startLine": 42, "startColumn": 5, "endLine": 42, "snippet": {"text": TIMEOUT.quote}}


def test_code_that_was_removed_is_named_by_its_file_and_told_in_words() -> None:
    result = run_of(FULL)["results"][1]
    assert result["locations"] == [
        {"physicalLocation": {"artifactLocation": {"uri": "src/p%C3%A4th%20with%20space.ts", "uriBaseId": "%SRCROOT%"}}}
    ]
    assert "About line 8 of the base, which this change removes." in result["message"]["text"]


def test_a_finding_on_an_unchanged_line_is_a_result_too() -> None:
    result = run_of(FULL)["results"][2]
    assert result["properties"]["placement"] == "elsewhere"
    assert result["locations"][0]["physicalLocation"]["region"]["startLine"] == ELSEWHERE.line


def test_a_path_that_is_not_text_is_kept_byte_for_byte() -> None:
    path = os.fsdecode(b"src/\xff:1.ts")
    result = run_of(with_finding(replace(TIMEOUT, path=path)))["results"][0]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "src/%FF%3A1.ts"


def test_the_root_is_a_folder_when_it_is_known() -> None:
    assert run_of(CLEAN, repository_root="file:///srv/checkout")["originalUriBaseIds"] == {
        "%SRCROOT%": {"uri": "file:///srv/checkout/"}
    }


def test_the_fingerprint_stays_when_the_lines_move() -> None:
    moved = replace(SAID, anchor=replace(SAID.anchor, start_line=90, line=90))
    before, after = run_of(FULL), run_of(replace(FULL, said=(moved,)))
    assert before["results"][0]["partialFingerprints"] == after["results"][0]["partialFingerprints"]
    assert before["results"][0]["partialFingerprints"] != before["results"][1]["partialFingerprints"]


def test_a_suggestion_is_a_fix_that_replaces_whole_lines() -> None:
    (fix,) = run_of(FULL)["results"][0]["fixes"]
    (change,) = fix["artifactChanges"]
    assert change["artifactLocation"]["uri"] == "src/charge.ts"
    assert change["replacements"] == [
        {
            "deletedRegion": {"startLine": 42, "startColumn": 1, "endLine": 42},
            "insertedContent": {"text": PATCH.replacement},
        }
    ]


def test_a_suggestion_that_only_removes_lines_takes_their_newline_too() -> None:
    patch = replace(PATCH, start_line=40, end_line=42, replacement="")
    found = replace(SAID, fix=replace(SAID.fix, patch=patch))
    (fix,) = run_of(replace(FULL, said=(found,)))["results"][0]["fixes"]
    assert fix["artifactChanges"][0]["replacements"] == [
        {"deletedRegion": {"startLine": 40, "startColumn": 1, "endLine": 43, "endColumn": 1}}
    ]


def test_a_patch_that_is_no_suggestion_is_no_fix() -> None:
    patch = replace(PATCH, suggestion=False, reason="it reaches outside the hunk")
    found = replace(SAID, fix=replace(SAID.fix, patch=patch))
    assert "fixes" not in run_of(replace(FULL, said=(found,)))["results"][0]
    assert "fixes" not in run_of(replace(FULL, said=(), folded=(REMOVED,)))["results"][0]


def test_a_run_that_missed_hunks_did_not_succeed_and_says_which() -> None:
    run = run_of(FULL)
    (invocation,) = run["invocations"]
    assert invocation["executionSuccessful"] is False
    missed, skipped, note = invocation["toolExecutionNotifications"]
    assert missed["level"] == "error"
    assert missed["descriptor"] == {"id": "MODEL_TRUNCATED"}
    assert missed["message"]["text"] == "3 hunks were not reviewed: the model's reply was cut off (MODEL_TRUNCATED)"
    assert missed["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "src/report.ts"
    assert skipped["message"]["text"] == "Skipped: generated"
    assert note["message"]["text"] == "2 hidden characters in src/a.ts:3"
    assert run["tool"]["driver"]["notifications"] == [{"id": "MODEL_TRUNCATED"}]


def test_a_complete_run_succeeded() -> None:
    run = run_of(CLEAN)
    assert run["invocations"] == [{"executionSuccessful": True, "toolExecutionNotifications": []}]
    assert run["results"] == []


def test_the_title_is_the_first_sentence() -> None:
    text = run_of(FULL)["results"][0]["message"]["text"]
    assert text.startswith("`charge` waits for the gateway without a limit.\n\nIf the gateway")
    assert text.endswith("A gateway that accepts and stays silent.\n\nAssuming: `url` is the gateway's")


def test_a_message_holds_no_link_and_no_placeholder_of_somebody_elses() -> None:
    finding = replace(TIMEOUT, title="Look [here](https://example.com/?q={0})?")
    text = run_of(with_finding(finding))["results"][0]["message"]["text"]
    assert text.startswith("Look [here] (https://example.com/?q={{0}})?\n")


def test_no_secret_is_written() -> None:
    text = json.dumps(log_of(WITH_SECRET))
    assert SECRET not in text
    assert "const apiKey" in text


@given(title=st.text(min_size=1), quote=st.text(), explanation=st.text(), path=st.binary(min_size=1).map(os.fsdecode))
def test_whatever_the_text_the_log_stays_valid(title: str, quote: str, explanation: str, path: str) -> None:
    path = path.replace("/", "_")
    finding = replace(TIMEOUT, title=title, quote=quote, explanation=explanation, path=path)
    log = log_of(with_finding(finding))
    SUBSET.validate(log)
    json.dumps(log, ensure_ascii=False).encode("utf-8")


@given(spaces=st.text(" \t", max_size=20), rest=st.text("ab;\n ", max_size=20))
def test_the_column_counts_the_indentation_of_the_first_line(spaces: str, rest: str) -> None:
    assert sarif.column(f"{spaces}x{rest}") == len(spaces) + 1
