from __future__ import annotations

import pytest

from app.core.finding import Rejected
from app.core.passes import asked_for, passes
from app.core.verify import Beside, Placed
from app.core.votes import elect
from tests.core.values import anchor, finding


@pytest.mark.parametrize(
    ("asked", "effort"),
    [("", None), ("quick", "quick"), ("Deep src/a.ts", "deep"), ("quick deep", None), ("src/deep/a.ts", None)],
)
def test_a_person_may_name_one_effort(asked, effort):
    assert asked_for(asked) == effort


def test_quick_asks_least_and_deep_most():
    quick, standard, deep = passes("quick"), passes("standard"), passes("deep")
    assert not quick.sceptic
    assert not quick.fixes
    assert standard.sceptic
    assert not standard.many
    assert deep.many
    assert deep.candidates_per_prompt == 1


def test_votes_bring_problems_together_and_the_surest_speaks():
    here, there = anchor(start_line=11, line=13), anchor(start_line=40, line=40)
    weak = Placed(finding(title="The gateway call has no time limit", confidence=0.4, rule=None), here)
    sure = Placed(finding(title="The gateway call has no limit", confidence=0.9, rule=None), here)
    lonely = Placed(finding(title="Rows are read twice", confidence=0.8, rule=None), there)
    kept, rejected = elect([weak, lonely, sure], alone=0.5)
    assert kept == [sure, lonely]
    assert rejected == []


def test_what_one_pass_claims_alone_must_be_sure():
    one = Placed(finding(confidence=0.45), anchor())
    kept, rejected = elect([one], alone=0.5)
    assert kept == []
    assert [type(each) for each in rejected] == [Rejected]
    assert elect([one], alone=0.4)[0] == [one]


def test_what_stands_beside_the_change_is_never_the_same_as_what_stands_in_it():
    inside, outside = Placed(finding(), anchor()), Beside(finding(), 99)
    assert len(elect([inside, outside, outside], alone=0.0)[0]) == 2
