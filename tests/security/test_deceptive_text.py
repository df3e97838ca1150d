"""Source that reads other than it runs is reported with file and line; honest writing of all languages is left alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.core import deceptive, evidence, hidden
from app.core.rule import Strength
from benchmarks.security.__main__ import as_added
from tests.core.values import change, file, hunk

SAMPLES = json.loads((Path(__file__).parents[1] / "data" / "deceptive.json").read_text(encoding="ascii"))
RULES = {rule.id: rule for rule in deceptive.RULES}


@pytest.mark.parametrize("sample", SAMPLES["deceptive"], ids=lambda sample: sample["name"])
def test_s09_every_deceptive_sample_is_reported_on_its_line(sample):
    found = deceptive.evidence(as_added(sample["text"], sample["path"]))
    assert [(one.detector, one.start_line, one.path) for one in found] == [
        (sample["detector"], sample["line"], sample["path"])
    ]
    assert found[0].strength is Strength.STRONG


@pytest.mark.parametrize("sample", SAMPLES["fine"], ids=lambda sample: sample["name"])
def test_s09_what_only_looks_odd_is_not_reported(sample):
    assert deceptive.evidence(as_added(sample["text"], sample["path"])) == ()


@pytest.mark.parametrize("sample", SAMPLES["deceptive"], ids=lambda sample: sample["name"])
def test_s08_nothing_of_a_sample_is_hidden_once_it_is_revealed(sample):
    assert hidden.count(hidden.reveal(sample["text"])) == 0


def test_s08_a_finding_has_its_parts_or_says_why_one_is_missing():
    for sample in SAMPLES["deceptive"]:
        (one,) = deceptive.evidence(as_added(sample["text"], sample["path"]))
        rule = RULES[one.rule]
        claim, fix = evidence.to_finding(one, rule), evidence.to_fix(one, rule)
        assert claim.strong
        assert claim.title
        assert "{" not in claim.title.replace("\\u{", "").replace("{ ", "")
        assert f"Line {sample['line']} holds" in claim.explanation
        assert fix.repro
        assert fix.root_cause
        assert fix.risk
        assert {"tests"} <= {part for part, _ in fix.missing}
        assert one.replacement or "patch" in {part for part, _ in fix.missing}
        assert hidden.count(one.replacement) == 0


def test_s08_only_added_lines_are_reported_and_many_are_told_together():
    quiet = change(file("a.js", hunk(" const a\u200b = 1;", "-const b\u200b = 2;", "+const c = 3;")))
    assert deceptive.evidence(quiet) == ()
    lines = [
        f"+const a{number}\u200b = {number};" if number % 2 else f"+const a{number} = 1;" for number in range(1, 20)
    ]
    found = deceptive.evidence(change(file("a.js", hunk(*lines, old=0))))
    assert [one.start_line for one in found] == [1, 3, 5]
    assert "and so do lines 7, 9, 11, 13, 15, 17, 19" in dict(found[-1].captures)["more"]
    block = deceptive.evidence(change(file("a.js", hunk("+a\u200b", "+b\u200b", "+c\u200b", old=0))))
    assert [(one.start_line, one.end_line, one.replacement) for one in block] == [(1, 3, "a\nb\nc")]
