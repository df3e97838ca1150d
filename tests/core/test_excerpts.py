from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core import excerpts, secrets
from app.core.budget import Piece, estimate_tokens
from app.core.excerpts import SHARES, Excerpt, Part, Shown
from tests.core.values import file, hunk


def shown(path, text, start=1, part=Part.ENCLOSING, line=None):
    return Shown(part, Excerpt(path, start, text, "uses x"), line)


def numbered(first, last):
    return "\n".join(f"line {number}" for number in range(first, last + 1))


def test_excerpts_are_kept_in_order_as_long_as_they_fit():
    first, second, third = shown("a.ts", "x" * 35), shown("b.ts", "y" * 350), shown("c.ts", "z" * 35)
    assert excerpts.share_out([first, second, third], budget_tokens=60) == (first.excerpt, third.excerpt)
    assert excerpts.share_out([first, third], budget_tokens=29) == (first.excerpt,)


def test_of_an_excerpt_only_the_lines_are_shown_that_nothing_before_it_showed():
    first, second = shown("a.ts", numbered(10, 14), 10), shown("a.ts", numbered(8, 17), 8)
    kept = excerpts.share_out([first, second], budget_tokens=999)
    assert [(one.start_line, one.text) for one in kept] == [
        (10, numbered(10, 14)),
        (8, numbered(8, 9)),
        (15, numbered(15, 17)),
    ]


def test_what_the_diff_shows_is_not_shown_again():
    one = file("a.ts", hunk(" line 4", "+line 5", "-old", " line 6", old=4, new=4))
    seen = excerpts.seen([Piece(one, 0, 0, 4)])
    assert seen == {"a.ts": {4, 5, 6}}
    kept = excerpts.share_out([shown("a.ts", numbered(1, 9))], budget_tokens=999, seen=seen)
    assert [list(one.lines) for one in kept] == [[1, 2, 3], [7, 8, 9]]


def test_a_use_that_is_shown_already_is_not_shown_for_what_stands_around_it():
    first = shown("a.ts", numbered(10, 20), 10)
    assert excerpts.share_out([first, shown("a.ts", numbered(18, 26), 18, line=20)], budget_tokens=999) == (
        first.excerpt,
    )
    kept = excerpts.share_out([first, shown("a.ts", numbered(18, 26), 18, line=22)], budget_tokens=999)
    assert kept[1].start_line == 21


def test_empty_lines_alone_are_nothing_to_show():
    kept = excerpts.share_out([shown("a.ts", "\n\nx\n\n", 1)], budget_tokens=99, seen={"a.ts": {3}})
    assert kept == ()


def test_of_a_long_function_its_opening_and_what_stands_near_the_change_are_shown():
    long = Excerpt("a.ts", 100, numbered(100, 300), "function f, around the change")
    opening, around = excerpts.around_a_change(long, [(200, 202)])
    assert list(opening.lines) == [100, 101]
    assert (around.lines[0], around.lines[-1]) == (180, 214)
    assert around.text.startswith("line 180\n")


def test_a_short_function_is_shown_whole_and_where_that_does_not_fit_what_stands_near():
    short = Excerpt("a.ts", 100, numbered(100, 180), "function g, around the change")
    tried = [Shown(Part.ENCLOSING, one) for one in excerpts.around_a_change(short, [(120, 121)])]
    assert excerpts.share_out(tried, budget_tokens=1_000) == (short,)
    assert [list(one.lines) for one in excerpts.share_out(tried, budget_tokens=300)] == [[*range(100, 134)]]


def test_the_budget_follows_the_diff_within_bounds():
    assert [excerpts.budget(tokens) for tokens in (0, 2_000, 5_000, 16_000)] == [1_500, 1_500, 2_500, 4_000]


def test_no_part_of_the_context_crowds_out_another():
    callers = [shown("a.ts", "x" * 35, start, Part.CALLERS) for start in range(1, 20)]
    twin = shown("b.ts", "y" * 35, 1, Part.SIBLINGS)
    kept = excerpts.share_out([*callers, twin], budget_tokens=100)
    assert twin.excerpt in kept
    assert sum(estimate_tokens(one.text) for one in kept if one.path == "a.ts") <= 100 * SHARES[Part.CALLERS]


KEY = [
    f"-----BEGIN {'PRIVATE'} KEY-----",
    *["MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7"] * 9,
    f"-----END {'PRIVATE'} KEY-----",
]


@pytest.mark.parametrize(("first", "last"), [(1, 4), (5, 8), (9, 14)])
def test_s29_no_line_of_a_private_key_is_shown_wherever_an_excerpt_is_cut(first, last):
    lines = ["before", *KEY, "after"]
    cut = shown("key.ts", "\n".join(lines[first - 1 : last]), first, line=first)
    (safe,) = excerpts.without_secrets([cut], {"key.ts": lines}, secrets.redact)
    assert "MIIE" not in safe.excerpt.text
    assert (safe.line, safe.excerpt.start_line, safe.excerpt.lines[-1]) == (first, first, min(last, len(lines)))


@given(
    st.lists(
        st.builds(
            shown, st.sampled_from("abc"), st.text("x\n", max_size=60), st.integers(1, 9), st.sampled_from(list(Part))
        ),
        max_size=12,
    ),
    st.integers(0, 120),
    st.frozensets(st.integers(1, 30)),
)
def test_what_is_shown_fits_the_budget_and_no_line_is_shown_twice(found, budget, seen):
    kept = excerpts.share_out(found, budget_tokens=budget, seen={"a": seen})
    assert sum(estimate_tokens(one.text) for one in kept) <= budget
    lines = [(one.path, number) for one in kept for number in one.lines]
    assert len(set(lines)) == len(lines)
    assert not {number for path, number in lines if path == "a"} & seen
    told = {(one.excerpt.path, number) for one in found for number in one.excerpt.lines}
    assert set(lines) <= told
