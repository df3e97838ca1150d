"""What was said before and what is found now: nothing twice, nothing forgotten, nothing revived that a person dismissed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.finding import Category, Severity
from app.core.memory import Dismissed, Said, Standing, Thread, is_unwanted, recall, updated
from tests.core.values import HEAD, finding, verified

PATH = "src/charge.ts"
CODE = {PATH: "const a = 1;\nconst b = 2;\nconst c = 3;\n"}


def said(**changes):
    standing = changes.pop("standing", Standing.OPEN)
    return replace(Said.of(finding(**changes), head=HEAD), standing=standing)


def test_a_finding_that_was_never_said_is_new():
    one = verified()
    assert recall([], [one], code=CODE).new == (one,)


def test_what_was_said_is_not_said_again():
    left = recall([said()], [verified()], code=CODE)
    assert (left.new, left.standing) == ((), (said(),))


@pytest.mark.parametrize(
    "now",
    [
        {"quote": "  const   b = 2;"},
        {"quote": "const a = 1;\nconst b = 2;"},
        {"title": "Without a limit the gateway call hangs", "rule": None},
        {"title": "Something quite different in words"},
        {"severity": Severity.LOW, "explanation": "Other words."},
    ],
)
def test_the_same_problem_in_other_words_or_spaces_is_not_said_again(now):
    assert recall([said()], [verified(**now)], code=CODE).new == ()


@pytest.mark.parametrize(
    "now",
    [
        {"quote": "const c = 3;"},
        {"rule": "secrets", "title": "A key stands in the code"},
        {"path": "src/refund.ts"},
        {"rule": None, "category": Category.SECURITY, "title": "Anybody may call the gateway"},
    ],
)
def test_another_problem_is_said(now):
    one = verified(**now)
    assert recall([said()], [one], code=CODE).new == (one,)


def test_code_that_moved_and_was_indented_anew_still_stands():
    moved = {PATH: "\n" * 40 + "  if (x) {\n      const b\n        = 2;\n  }\n"}
    assert recall([said()], [], code=moved).standing == (said(),)


def test_code_that_is_gone_is_asked_about_and_a_file_that_is_gone_too():
    assert recall([said()], [], code={PATH: "const b = limited(2);\n"}).gone == (said(),)
    assert recall([said()], [], code={}).gone == (said(),)


def test_a_problem_follows_its_file_to_a_new_name():
    left = recall(
        [said()], [verified(path="src/pay.ts")], code={"src/pay.ts": CODE[PATH]}, renames={PATH: "src/pay.ts"}
    )
    assert left.new == ()
    assert [one.path for one in left.standing] == ["src/pay.ts"]


def test_a_problem_whose_code_was_rewritten_and_is_found_again_is_the_same_one():
    rewritten = {PATH: "const b = await two();\n"}
    left = recall([said()], [verified(quote="const b = await two();")], code=rewritten)
    assert (left.new, left.gone) == ((), ())
    assert len(left.standing) == 1


def test_what_was_rewritten_is_known_from_then_on_by_what_stands_there():
    rewritten = {PATH: "const b = await two();\n"}
    (kept,) = recall([said()], [verified(quote="const b = await two();")], code=rewritten).standing
    assert recall([kept], [], code=rewritten).standing == (kept,)


def test_code_that_went_to_another_file_without_a_rename_takes_its_thread_along():
    elsewhere = verified(path="src/net/charge.ts", quote="const  b = 2;")
    left = recall([said()], [elsewhere], code={})
    assert (left.new, left.gone) == ((), ())
    assert [one.path for one in left.standing] == ["src/net/charge.ts"]
    dismissed = said(standing=Standing.DISMISSED)
    assert recall([dismissed], [elsewhere], code={}).new == ()
    fixed = said(standing=Standing.FIXED)
    assert recall([fixed], [elsewhere], code={}).new == (elsewhere,), "it was fixed there, and is a new problem here"


def test_one_thing_that_went_away_explains_one_thing_that_came():
    rewritten = {PATH: "await one();\nawait two();\n"}
    left = recall([said()], [verified(quote="await one();"), verified(quote="await two();")], code=rewritten)
    assert [one.finding.quote for one in left.new] == ["await two();"]


def test_what_still_stands_does_not_explain_the_same_mistake_elsewhere_in_the_file():
    more = {PATH: CODE[PATH] + "await second();\n"}
    left = recall([said()], [verified(quote="await second();")], code=more)
    assert len(left.new) == 1


def test_what_was_fixed_and_comes_back_goes_on_in_its_thread():
    one = verified()
    fixed = said(standing=Standing.FIXED)
    left = recall([fixed], [one], code=CODE)
    assert (left.new, left.back) == ((), ((fixed, one),))


def test_what_was_fixed_stays_silent_while_nobody_finds_it_again():
    left = recall([said(standing=Standing.FIXED)], [], code=CODE)
    assert (left.back, left.gone, left.standing) == ((), (), ())


def test_what_a_person_dismissed_stays_dismissed_whoever_finds_it_again():
    dismissed = said(standing=Standing.DISMISSED)
    left = recall([dismissed], [verified()], code=CODE)
    assert (left.new, left.settled) == ((), (dismissed,))


@pytest.mark.parametrize(
    ("thread", "standing"),
    [
        ({}, Standing.OPEN),
        ({"resolved_by": "mona"}, Standing.DISMISSED),
        ({"resolved_by": "principal[bot]", "resolved_by_us": True}, Standing.OPEN),
        ({"refused": 1}, Standing.DISMISSED),
    ],
)
def test_what_people_did_to_a_thread_counts(thread, standing):
    one = said()
    (now,) = updated([one], [Thread(id="T1", fingerprint=one.fingerprint, comment=5, **thread)])
    assert (now.standing, now.thread, now.comment) == (standing, "T1", 5)


def test_a_fixed_finding_is_not_dismissed_by_its_resolved_thread():
    one = said(standing=Standing.FIXED)
    (now,) = updated([one], [Thread(id="T1", fingerprint=one.fingerprint, comment=5, resolved_by="mona")])
    assert now.standing is Standing.FIXED


def test_a_thread_of_another_finding_changes_nothing():
    assert updated([said()], [Thread(id="T1", fingerprint="0" * 16, comment=5, refused=1)]) == (said(),)


def test_what_people_dismissed_twice_in_this_part_of_the_repository_is_not_wanted():
    like = Dismissed("src/refund.ts", "A call without a limit", Category.RELIABILITY, "timeouts")
    assert not is_unwanted(finding(), [like])
    assert is_unwanted(finding(), [like, like])
    assert not is_unwanted(finding(severity=Severity.CRITICAL), [like, like])
    elsewhere = replace(like, path="scripts/refund.ts")
    assert not is_unwanted(finding(), [elsewhere, elsewhere])
    in_words = replace(like, rule=None, title="The gateway call has no time limit")
    assert is_unwanted(finding(rule=None), [in_words, in_words])
    other = replace(like, rule="secrets", title="A key stands in the code")
    assert not is_unwanted(finding(), [other, other])


FINDINGS = st.builds(
    lambda path, quote, rule: verified(path=path, quote=quote, rule=rule),
    st.sampled_from(["a.ts", "b.ts"]),
    st.sampled_from(["const a = 1;", "const b = 2;", "await call();", "return whole;"]),
    st.sampled_from(["timeouts", "secrets", None]),
)


@given(st.lists(FINDINGS, max_size=6), st.lists(FINDINGS, max_size=6))
def test_everything_found_is_new_or_known_and_what_was_just_said_is_never_new(before, now):
    old = [Said.of(one.finding, head=HEAD) for one in before]
    code = {path: "\n".join(one.finding.quote for one in now if one.finding.path == path) for path in ("a.ts", "b.ts")}
    left = recall(old, now, code=code)
    assert len(left.standing) + len(left.gone) == len(old)
    told = [*old, *(Said.of(one.finding, head=HEAD) for one in left.new)]
    assert recall(told, now, code=code).new == ()
