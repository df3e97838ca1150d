"""What a pattern needs of a file before the file is parsed for it."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app import library
from app.analysis import finder, needed

PATTERNS = (
    r"^(?:get|post)$",
    r"(?:^|\.)fetch$",
    r"^(res|reply)\.(json|send)$",
    r"^\$queryRaw(?:Unsafe)?$",
    r"colou?rs{0,2}",
    r"ab+cd*ef",
    r"(?:first|)second",
    r"^x[yz]word\d{2,3}\b",
)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_text_that_a_pattern_matches_holds_one_of_the_names_it_needs(pattern: str) -> None:
    needs = needed.names(pattern)
    assert needs

    @settings(max_examples=30, deadline=None)
    @given(st.from_regex(pattern))
    def holds(text: str) -> None:
        assert any(name in text for name in needs)

    holds()


@pytest.mark.parametrize(
    "pattern", ["(?i)fetch", "a|bc", "[a-z]+", r"\x66etch", "(unclosed", "un)opened", "(?!fetch)", "(?:fetch)?"]
)
def test_of_a_pattern_that_is_not_understood_or_needs_nothing_nothing_is_said(pattern: str) -> None:
    assert needed.names(pattern) == frozenset()


@pytest.mark.parametrize("pattern", [*PATTERNS[:3], r"^Buffer\.concat$|(^|\.)(?:readFile|toBuffer)$"])
def test_every_text_that_a_pattern_matches_ends_with_one_of_its_endings(pattern: str) -> None:
    endings = needed.endings(pattern)
    assert endings

    @settings(max_examples=30, deadline=None)
    @given(st.from_regex(pattern))
    def ends(text: str) -> None:
        assert text.rstrip("\n").endswith(tuple(endings))

    ends()


@pytest.mark.parametrize(
    "pattern", ["fetch", "^fetch$|got", "fetch(?:er)?$", "fetch+$", r"fetch\w$", "(fetch$)?", "(?i)fetch$"]
)
def test_of_a_text_that_may_go_on_no_ending_is_told(pattern: str) -> None:
    assert needed.endings(pattern) == frozenset()


def test_a_pattern_in_which_case_makes_no_difference_needs_no_name() -> None:
    assert needed.names(re.compile("fetch", re.IGNORECASE)) == frozenset()
    assert needed.names(re.compile("fetch")) == {"fetch"}


@pytest.mark.parametrize(
    "code", ["fetch (x)", "fetch?.(x)", "fetch<T>(x)", "fetch`x`", "fetch/* now */(x)", "new fetch", "fetch\n(x)"]
)
def test_however_a_call_is_written_its_name_stands_before_a_sign_that_is_looked_for(code: str) -> None:
    assert any(word in f"{code}\n" for word in needed.called("^fetch$"))
    assert not any(word in "prefetched.fetchAll" for word in needed.called("^fetch$"))


def test_most_built_in_patterns_name_what_they_need() -> None:
    asts = [one.ast for rule in library.load().rules for one in rule.detectors if one.ast]
    named = [ast for ast in asts if all(finder.names(ast))]
    assert len(named) > len(asts) / 2
