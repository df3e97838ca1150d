from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core import plain
from tests.core.reviews import SECRET


@given(st.text(st.characters(), max_size=40))
def test_well_formed_text_is_text_and_leaves_good_text_alone(text: str) -> None:
    good = plain.well_formed(text)
    good.encode("utf-8")
    if not any(0xD800 <= ord(character) <= 0xDFFF for character in text):
        assert good == text


@pytest.mark.parametrize(("raw", "expected"), [("\udcff", "\\xff"), ("\ud800", "\\ud800"), ("é", "é")])
def test_a_lone_surrogate_is_written_as_what_it_stood_for(raw: str, expected: str) -> None:
    assert plain.well_formed(raw) == expected


def test_a_secret_is_masked_and_its_line_stays() -> None:
    text = plain.said(f'const a = 1;\nconst apiKey = "{SECRET}";\nconst b = "\udcff";')
    first, second, third = text.split("\n")
    assert first == "const a = 1;"
    assert second.startswith('const apiKey = "')
    assert SECRET not in second
    assert third == 'const b = "\\xff";'


def test_text_without_a_secret_stays_as_it_is() -> None:
    assert plain.masked("The token is read from `process.env.TOKEN`.") == "The token is read from `process.env.TOKEN`."
