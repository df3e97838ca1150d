"""Many literals looked for at once, against looking for each."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.core import literals
from app.core.literals import Literals

LITERALS = st.lists(st.text("abé", min_size=1, max_size=4), min_size=1, max_size=8, unique=True)


def one_by_one(literal: str, text: str) -> list[int]:
    """Every offset at which the literal stands."""
    return [place for place in range(len(text)) if text.startswith(literal, place)]


@settings(max_examples=200, deadline=None)
@given(LITERALS, st.text("abé\ud83d ", max_size=60))
@example(["aa", "a"], "aaaa")
def test_what_is_found_at_once_is_what_is_found_one_by_one(some: list[str], text: str) -> None:
    found = Literals(some)
    assert {one: found.places(text).get(one, []) for one in some} == {one: one_by_one(one, text) for one in some}
    assert found.standing_in(text) == {one for one in some if one in text}


@settings(max_examples=20, deadline=None)
@given(st.integers(-6, 1), st.sampled_from(["abcdef", "é b", "\ud83dbc"]))
def test_a_long_text_is_looked_at_in_pieces_and_nothing_between_them_is_lost(offset: int, literal: str) -> None:
    place = literals.PIECE_CHARACTERS + offset
    text = f"{' ' * place}{literal}{' ' * literals.PIECE_CHARACTERS}{literal}"
    wanted = literal.replace("\ud83d", "")
    shift = len(literal) - len(wanted)
    assert Literals([wanted]).places(text)[wanted] == [place + shift, len(text) - len(wanted)]


def test_no_literals_are_found_nowhere() -> None:
    assert Literals([]).standing_in("text") == frozenset()
