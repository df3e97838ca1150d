"""What can be switched off or set for a measurement, by name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core import options
from app.core.options import Options


def test_a_part_of_the_context_is_switched_off_by_its_path():
    made = options.changed(Options(), without=["context.callers"])
    assert not made.context.callers
    assert made.context.definitions
    assert options.differences(made) == ("without context.callers",)


def test_words_numbers_and_switches_are_set_in_their_own_type():
    made = options.changed(Options(), settings=["effort=quick", "comments=3", "fix=off"])
    assert (made.effort, made.comments, made.fix) == ("quick", 3, False)
    assert options.differences(made) == ("effort=quick", "comments=3", "without fix")


@pytest.mark.parametrize(
    ("without", "settings", "said"),
    [
        (["context.nobody"], [], "there is no option"),
        (["context"], [], "there is no option"),
        (["effort"], [], "cannot be switched off"),
        ([], ["effort"], "NAME=VALUE"),
        ([], ["effort=slow"], "quick|standard|deep"),
        ([], ["fix=perhaps"], "on|off"),
        ([], ["comments=many"], "a number"),
    ],
)
def test_what_cannot_be_set_is_refused_with_what_can(without, settings, said):
    with pytest.raises(ValueError, match=said.replace("|", r"\|")):
        options.changed(Options(), without=without, settings=settings)


NO_SWITCHES = ("effort", "comments", "certainty")
OFF_ALREADY = ("context.history",)


@given(st.sets(st.sampled_from([name for name in options.names() if name not in (*NO_SWITCHES, *OFF_ALREADY)])))
def test_what_is_switched_off_is_what_differs(names):
    made = options.changed(Options(), without=sorted(names))
    assert {f"without {name}" for name in names} == set(options.differences(made))
