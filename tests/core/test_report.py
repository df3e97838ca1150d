from __future__ import annotations

from app.core.finding import Elsewhere, Severity
from app.core.report import NotReviewed
from app.core.usage import Usage
from tests.core.values import finding, review, verified

GAP = NotReviewed("a.ts", 1, "cut off", "MODEL_TRUNCATED")


def test_a_review_is_complete_when_nothing_was_missed():
    assert review().complete
    assert not review(not_reviewed=(GAP,)).complete


def test_findings_are_what_is_said_then_what_is_folded():
    said, folded = verified(title="said"), verified(title="folded")
    assert review(said, folded=(folded,)).findings == (said, folded)


def test_the_worst_severity_counts_wherever_its_finding_stands():
    low, high, critical = (verified(severity=one) for one in (Severity.LOW, Severity.HIGH, Severity.CRITICAL))
    beside = Elsewhere(finding(severity=Severity.MEDIUM), 4)
    assert review().worst() is None
    assert review(low).worst() is Severity.LOW
    assert review(low, folded=(high,)).worst() is Severity.HIGH
    assert review(low, elsewhere=(beside,)).worst() is Severity.MEDIUM
    assert review(critical, high, elsewhere=(beside,)).worst() is Severity.CRITICAL


def test_a_review_that_says_nothing_has_used_nothing():
    one = review(models=(), personas=(), seconds=0.0)
    assert (one.usage, one.notes, one.rejected, one.overview, one.by_rules) == (Usage(), (), (), "", False)
