"""From what was proven to what is said: who has which word, in which order."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.background import Point
from app.core.finding import Category, Severity
from app.core.memory import Dismissed, Said, Standing
from app.core.policy import EVERYTHING, Policies, parse
from app.core.silence import Silence
from app.core.untrusted import Untrusted
from app.core.weigh import Known, weigh
from tests.core.values import HEAD, verified

KNOWN = Silence("src/charge.ts", 10, 11, ("timeouts",), "a test double", by_change=True)
RAISED = Point("bob", Untrusted("No limit for the gateway"), "src/charge.ts", 11)


def weighed(*found, policy="", comments=5, **known):
    return weigh(found, policies=Policies(parse(policy)), known=Known(**known), comments=comments)


def other(number: int, **changes):
    """A finding of another rule, on lines of its own."""
    changes = {"rule": f"rule-{number}", "title": f"Thing {number} breaks", "quote": f"call{number}(x);"} | changes
    return verified(at=20 + 10 * number, **changes)


def test_what_is_new_is_said_as_far_as_the_cap_and_the_rest_is_folded():
    made = weighed(*(other(number) for number in range(4)), comments=3)
    assert (len(made.said), len(made.folded), made.rejected, made.raised) == (3, 1, (), ())


def test_the_policy_speaks_before_memory_so_what_it_silences_is_not_held_for_new_or_back():
    gone = Said.of(verified().finding, head=HEAD)
    made = weighed(verified(), policy="rules: {timeouts: off}", said=(gone,), code={"src/charge.ts": "const b = 2;"})
    assert (made.said, made.folded) == ((), ())
    assert [one.reason for one in made.rejected] == ["its rule is off here (`rules`)"]
    assert made.recalled.standing == (gone,)


def test_what_was_said_or_dismissed_is_not_said_again():
    for standing in (Standing.OPEN, Standing.DISMISSED):
        before = Said(**{**_fields(verified()), "standing": standing})
        made = weighed(verified(), said=(before,), code={"src/charge.ts": "const b = 2;"})
        assert (made.said, made.folded, made.raised) == ((), (), ())


def test_what_a_person_raised_is_left_to_them_even_where_the_cap_has_room():
    made = weighed(verified(), other(1), points=(RAISED,))
    assert [one.finding.rule for one in made.raised] == ["timeouts"]
    assert [one.finding.rule for one in made.said] == ["rule-1"]


def test_what_people_keep_dismissing_is_folded_and_never_lost_unless_it_is_critical():
    dismissed = (Dismissed("src/a.ts", "Other words", Category.RELIABILITY, "timeouts"),) * 2
    made = weighed(verified(), other(1), dismissed=dismissed)
    assert [one.finding.rule for one in made.said] == ["rule-1"]
    assert [one.finding.rule for one in made.folded] == ["timeouts"]
    critical = weighed(verified(severity=Severity.CRITICAL), dismissed=dismissed)
    assert [one.finding.rule for one in critical.said] == ["timeouts"]


def test_what_a_comment_silences_is_named_kept_and_taken_from_the_threads():
    first = weighed(verified(), other(1), silences=(KNOWN,))
    assert [one.found.finding.rule for one in first.silenced] == ["timeouts"]
    assert [one.finding.rule for one in first.recalled.quiet] == ["timeouts"]
    assert [one.finding.rule for one in first.said] == ["rule-1"]

    before = Said(**{**_fields(verified()), "comment": 5})
    then = weighed(verified(), silences=(KNOWN,), said=(before,), code={"src/charge.ts": "const b = 2;"})
    assert (then.recalled.hushed, then.recalled.quiet, then.said) == ((before,), (), ())

    silenced = Said(**{**_fields(verified()), "comment": 5, "standing": Standing.SILENCED})
    again = weighed(verified(), silences=(KNOWN,), said=(silenced,))
    assert (again.recalled.settled, again.recalled.hushed, again.recalled.quiet) == ((silenced,), (), ())
    loud = weighed(verified(), said=(silenced,))
    assert [old for old, _ in loud.recalled.back] == [silenced]
    never_said = Said(**{**_fields(verified()), "standing": Standing.SILENCED})
    assert len(weighed(verified(), said=(never_said,)).said) == 1


@settings(max_examples=60)
@given(
    st.lists(st.integers(0, 8), max_size=9, unique=True),
    st.integers(0, 5),
    st.sets(st.integers(0, 8)),
    st.sampled_from(Severity),
)
def test_nothing_is_lost_and_nothing_is_in_two_places(numbers, comments, known, severity):
    found = [other(number, severity=severity) for number in numbers]
    said = tuple(Said.of(other(number).finding, head=HEAD) for number in sorted(known))
    made = weigh(found, policies=EVERYTHING, known=Known(said=said), comments=comments)
    places = [*made.said, *made.folded, *made.raised]
    told = {one.finding.rule for one in places} | {one.finding.rule for one in made.rejected}
    assert told == {f"rule-{number}" for number in numbers if number not in known}
    assert len(places) == len({id(one) for one in places})


def _fields(found):
    said = Said.of(found.finding, head=HEAD)
    return {name: getattr(said, name) for name in Said.__slots__}
