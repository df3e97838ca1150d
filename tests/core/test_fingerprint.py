from __future__ import annotations

from app.core import fingerprint
from app.core.change import Sha
from tests.core.values import BASE, HEAD, finding

KEY = b"k" * 32


def mark(**changes):
    made = {"key": KEY, "repository_id": 7, "number": 3, "head": HEAD, "trigger": "push"}
    return fingerprint.marker(**{**made, **changes})


def test_a_fingerprint_survives_moved_lines_and_reformatting():
    one = finding(quote="  const b = 2;", line=11)
    assert fingerprint.fingerprint(one) == fingerprint.fingerprint(finding(quote="const  b =\n 2;", line=400))
    assert len(fingerprint.fingerprint(one)) == 16


def test_a_fingerprint_tells_apart_code_file_and_rule():
    names = {
        fingerprint.fingerprint(one)
        for one in (finding(), finding(quote="const c = 3;"), finding(path="src/other.ts"), finding(rule="retries"))
    }
    assert len(names) == 4


def test_without_a_rule_the_words_of_the_title_count_in_any_order():
    one = finding(rule=None, title="The retry charges twice")
    assert fingerprint.fingerprint(one) == fingerprint.fingerprint(finding(rule=None, title="Charges twice: the retry"))
    assert fingerprint.fingerprint(one) != fingerprint.fingerprint(finding(rule=None, title="The retry never stops"))


def test_a_path_that_is_not_unicode_has_a_fingerprint_too():
    assert fingerprint.fingerprint(finding(path="src/\udcff.ts"))


def test_a_marker_is_hidden_signed_and_belongs_to_one_review():
    assert mark().startswith("<!-- principal:review:")
    assert mark() == mark()
    others = [mark(key=b"z" * 32), mark(repository_id=8), mark(number=4), mark(head=BASE), mark(trigger="comment:9")]
    assert len({mark(), *others}) == 6


def test_a_review_carries_its_own_marker_and_no_other():
    body = f"text\n\n{mark(number=9)}\n{mark()}\n"
    assert fingerprint.carries(body, mark())
    assert not fingerprint.carries(body, mark(number=4))
    assert not fingerprint.carries("<!-- principal:review:short -->", mark())
    assert not fingerprint.carries(body, "no marker")


def test_the_envelopes_word_is_the_same_for_the_same_change_and_cannot_be_guessed_without_the_key():
    assert fingerprint.nonce(key=KEY, base=BASE, head=HEAD) == fingerprint.nonce(key=KEY, base=BASE, head=HEAD)
    words = {
        fingerprint.nonce(key=KEY, base=BASE, head=HEAD),
        fingerprint.nonce(key=b"z", base=BASE, head=HEAD),
        fingerprint.nonce(key=KEY, base=HEAD, head=HEAD),
        fingerprint.nonce(key=KEY, base=BASE, head=Sha("c" * 40)),
    }
    assert len(words) == 4
    assert all(len(word) == 20 for word in words)


def test_findings_are_similar_by_rule_or_by_most_words_of_their_titles():
    assert fingerprint.similar(finding(title="a1"), finding(title="b2"))
    assert not fingerprint.similar(
        finding(rule=None, title="Token leaks into log"), finding(rule=None, title="Sum is wrong")
    )
    assert fingerprint.similar(
        finding(rule=None, title="Token leaks into the log"),
        finding(rule="secrets", title="The token leaks into a log file"),
    )
    assert not fingerprint.similar(finding(rule=None, title="the a of"), finding(rule=None, title="the a of"))
