"""Comments that silence a rule where they stand: which lines they are about, and which of them are obeyed."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core import silence
from app.core.finding import Category, Elsewhere, Severity, Side
from app.core.silence import Silence
from tests.core.values import anchor, change, file, finding, hunk, verified

PATH = "src/charge.ts"


def asked(text: str, *, before: str = ""):
    return silence.asked(change(), text={PATH: text}, before={PATH: before})


def one(**changes) -> Silence:
    made = {"path": PATH, "place": 10, "line": 11, "rules": ("timeouts",), "reason": "a test double"}
    return Silence(**{**made, "by_change": False, **changes})


@pytest.mark.parametrize(
    ("text", "line", "rules", "reason"),
    [
        ("call(); // principal-ignore timeouts -- the caller has one", 1, ("timeouts",), "the caller has one"),
        ("# principal-ignore Timeouts, retries -- why\n\ncall()", 3, ("timeouts", "retries"), "why"),
        ("  /* principal-ignore timeouts -- why */\n  call();", 2, ("timeouts",), "why"),
        ("{/* principal-ignore timeouts -- why */}\n<Call />", 2, ("timeouts",), "why"),
        ("<!-- principal-ignore timeouts -- why -->\n<p>", 2, ("timeouts",), "why"),
        ("-- principal-ignore timeouts -- why\nSELECT 1", 2, ("timeouts",), "why"),
        (" * principal-ignore timeouts -- why\n */", 2, ("timeouts",), "why"),
        ("// principal-ignore timeouts\ncall();", 2, ("timeouts",), ""),
        ("// principal-ignore timeouts --   \ncall();", 2, ("timeouts",), ""),
    ],
)
def test_a_comment_is_about_its_own_line_or_alone_about_the_next_line_of_code(text, line, rules, reason):
    (found,) = asked(text)
    assert (found.line, found.rules, found.reason) == (line, rules, reason)


def test_comments_on_top_of_each_other_are_about_the_same_line():
    found = asked("// principal-ignore timeouts -- one\n// principal-ignore retries -- two\ncall();")
    assert [(comment.place, comment.line) for comment in found] == [(1, 3), (2, 3)]


@pytest.mark.parametrize(
    "text",
    [
        "say('principal-ignore timeouts -- why');",
        "principal-ignore timeouts -- why",
        "// principal-ignore",
        "// nothing",
    ],
)
def test_what_is_no_comment_of_the_form_asks_for_nothing(text):
    assert asked(text) == ()


def test_what_the_base_does_not_have_was_added_by_the_change():
    text = "// principal-ignore timeouts -- why\ncall();"
    assert [comment.by_change for comment in asked(text)] == [True]
    assert [comment.by_change for comment in asked(text, before=f"first();\n{text}")] == [False]
    added = change(file(PATH, hunk("+// principal-ignore timeouts -- why", " call();")))
    (copied,) = silence.asked(added, text={PATH: text}, before={PATH: text})
    assert copied.by_change, "a comment that stands elsewhere on the base says nothing of a new place"


def test_a_finding_on_its_line_of_its_rule_is_silenced_and_no_other():
    other_rule, other_line = verified(rule="retries"), verified(at=12)
    other_path, no_rule = verified(path="src/b.ts"), verified(rule=None)
    removed = type(verified())(finding(), anchor(side=Side.LEFT))
    heard = silence.obeyed([verified(), other_rule, other_line, other_path, no_rule, removed], [one()])
    assert [silenced.found for silenced in heard.silenced] == [verified()]
    assert heard.loud == (other_rule, other_line, other_path, no_rule, removed)
    assert heard.refused == ()


@pytest.mark.parametrize(
    ("comment", "about", "obeyed"),
    [
        ({}, {}, True),
        ({"by_change": True}, {}, True),
        ({"reason": ""}, {}, False),
        ({}, {"category": Category.SECURITY, "severity": Severity.CRITICAL}, True),
        ({"by_change": True}, {"category": Category.SECURITY}, False),
        ({"by_change": True}, {"severity": Severity.CRITICAL}, False),
    ],
)
def test_a_change_cannot_acquit_itself_of_the_worst(comment, about, obeyed):
    found = verified(**about)
    heard = silence.obeyed([found], [one(**comment)])
    assert (heard.loud, len(heard.silenced), len(heard.refused)) == (((), 1, 0) if obeyed else ((found,), 0, 1))


def test_what_stood_there_before_is_known_where_a_comment_says_so():
    known, other = Elsewhere(finding(), 11), Elsewhere(finding(), 30)
    assert silence.spoken([known, other], [one()]) == (other,)


@settings(max_examples=100)
@given(st.text(alphabet="/#*-;<!{} \n'abc", max_size=80).map(lambda text: text.replace("a", "principal-ignore ")))
def test_whatever_a_file_holds_a_comment_is_about_lines_of_it(text):
    for found in asked(text):
        assert 1 <= found.place <= found.line <= text.count("\n") + 1
