from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.core import rank
from app.core.finding import Category, Severity
from tests.core.values import anchor, finding, verified

FINDINGS = st.builds(
    lambda severity, category, confidence, line, rule: verified(
        severity=severity, category=category, confidence=confidence, rule=rule, title=f"{rule} {line}", at=line
    ),
    st.sampled_from(Severity),
    st.sampled_from(Category),
    st.floats(0.5, 1),
    st.integers(1, 50),
    st.sampled_from(["timeouts", "retries", "authz"]),
)


def titles(found):
    return [one.finding.title for one in found]


def test_critical_comes_first_then_category_priority_then_severity_then_confidence():
    order = [
        verified(title="leak", severity=Severity.CRITICAL, category=Category.EXPERIENCE),
        verified(title="wrong sum", severity=Severity.MEDIUM, category=Category.CORRECTNESS),
        verified(title="no limit, sure", severity=Severity.HIGH, category=Category.RELIABILITY, confidence=0.9),
        verified(title="no limit, less sure", severity=Severity.HIGH, category=Category.RELIABILITY, confidence=0.6),
        verified(title="retry", severity=Severity.MEDIUM, category=Category.RELIABILITY, confidence=0.95),
    ]
    ranked = rank.rank(list(reversed(order)))
    assert titles(ranked.said) == titles(order)


def test_the_cap_keeps_by_severity_and_the_rest_is_folded_in_order():
    minor = [
        verified(title=f"m{n}", severity=Severity.MEDIUM, category=Category.CORRECTNESS, at=n) for n in range(1, 5)
    ]
    major = [verified(title=f"h{n}", severity=Severity.HIGH, category=Category.SCALABILITY, at=n) for n in range(1, 3)]
    ranked = rank.rank([*minor, *major], comments=3)
    assert titles(ranked.said) == ["m1", "h1", "h2"]
    assert titles(ranked.folded) == ["m2", "m3", "m4"]


def test_nothing_critical_is_ever_folded_by_the_cap():
    critical = [verified(title=f"c{n}", severity=Severity.CRITICAL, at=n) for n in range(1, 9)]
    ranked = rank.rank([*critical, verified(title="h", at=20)], comments=5)
    assert titles(ranked.said) == [f"c{n}" for n in range(1, 9)]
    assert titles(ranked.folded) == ["h"]


def test_even_critical_findings_stop_at_the_number_github_takes_for_spam():
    critical = [verified(title=f"c{n}", severity=Severity.CRITICAL, at=n) for n in range(1, 40)]
    ranked = rank.rank(critical, comments=100)
    assert len(ranked.said) == rank.MOST_COMMENTS == 30
    assert len(ranked.folded) == 9


def test_a_low_finding_is_folded_and_a_nit_is_left_out_unless_asked_for():
    low = verified(title="slow path", severity=Severity.LOW, category=Category.PERFORMANCE)
    nit = verified(title="name", severity=Severity.LOW, category=Category.EXPERIENCE, at=30)
    quiet = rank.rank([low, nit])
    assert (titles(quiet.said), titles(quiet.folded)) == ([], ["slow path"])
    assert [(one.finding.title, one.reason) for one in quiet.rejected] == [("name", "a nit")]
    assert titles(rank.rank([low, nit], nits=True).folded) == ["slow path", "name"]


def test_a_finding_below_half_confidence_is_left_out_with_its_reason():
    ranked = rank.rank([verified(confidence=0.49), verified(confidence=0.5, at=40)])
    assert len(ranked.said) == 1
    assert ranked.rejected[0].reason == "not sure enough to take your time"


def test_the_same_problem_seen_twice_is_said_once_by_the_surer_and_names_both():
    one = verified(confidence=0.6, source="javascript", explanation="weak")
    other = verified(confidence=0.9, source="typescript", explanation="strong")
    merged = rank.merge([one, other])
    assert [(found.finding.explanation, found.sources) for found in merged] == [
        ("strong", ("typescript", "javascript"))
    ]


def test_a_rules_own_finding_speaks_for_a_models_about_the_same_line():
    by_rule = verified(strong=True, severity=Severity.MEDIUM, source="timeouts.fetch")
    by_model = verified(severity=Severity.CRITICAL, source="typescript")
    assert rank.merge([by_model, by_rule])[0].finding.strong


def test_findings_on_other_lines_files_or_about_something_else_stay_apart():
    first = verified(at=11)
    below = verified(at=12)
    elsewhere = verified(path="src/other.ts")
    other = verified(rule="secrets", title="A key stands in the source")
    assert len(rank.merge([first, below, elsewhere, other])) == 4


def test_ranges_that_touch_in_one_line_overlap():
    from dataclasses import replace

    wide = replace(verified(), anchor=anchor(start_line=8, line=11))
    narrow = replace(verified(), anchor=anchor(start_line=11, line=13))
    apart = replace(verified(), anchor=anchor(start_line=12, line=13))
    assert len(rank.merge([wide, narrow])) == 1
    assert len(rank.merge([wide, apart])) == 2


def test_candidates_with_one_quote_and_claim_are_verified_once():
    weak, sure = finding(confidence=0.5, source="a"), finding(confidence=0.8, source="b")
    other = finding(rule="retries")
    assert {one.source for one in rank.merge_candidates([weak, sure, other])} == {"b", "typescript"}


@given(st.lists(FINDINGS, max_size=40), st.integers(0, 40))
def test_ranking_loses_nothing_and_repeats_nothing(found, comments):
    ranked = rank.rank(found, comments=comments)
    told = [*ranked.said, *ranked.folded]
    assert len(told) + len(ranked.rejected) == len(found)
    assert {id(one) for one in told} <= {id(one) for one in found}
    assert len(ranked.said) <= rank.MOST_COMMENTS
    assert list(ranked.said) == sorted(ranked.said, key=rank.order)
    assert list(ranked.folded) == sorted(ranked.folded, key=rank.order)
