from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.change import Change, Intent, Line
from app.core.untrusted import Untrusted
from tests.core.values import BASE, HEAD, change, file, hunk

BODIES = st.lists(st.tuples(st.sampled_from(" +-"), st.text(max_size=8)).map("".join), min_size=1, max_size=40)


def test_the_lines_of_a_hunk_have_their_numbers_on_each_side():
    one = hunk(" a", "-b", "-c", "+d", " e", old=10, new=20)
    assert list(one.lines()) == [
        Line(" ", "a", 10, 20),
        Line("-", "b", 11, None),
        Line("-", "c", 12, None),
        Line("+", "d", None, 21),
        Line(" ", "e", 13, 22),
    ]


def test_a_line_without_any_mark_is_an_empty_line_of_context():
    assert list(hunk("", "+a").lines()) == [Line(" ", "", 1, 1), Line("+", "a", None, 2)]


@given(BODIES, st.integers(1, 1000), st.integers(1, 1000))
def test_the_numbers_of_each_side_follow_each_other_and_end_where_the_counts_say(body, old, new):
    one = hunk(*body, old=old, new=new)
    lines = list(one.lines())
    assert [line.old for line in lines if line.old is not None] == list(range(old, old + one.old_count))
    assert [line.new for line in lines if line.new is not None] == list(range(new, new + one.new_count))
    assert [line.mark + line.text for line in lines] == body
    assert one.new_end == new + one.new_count - 1


def test_a_hunk_that_leaves_nothing_on_the_head_side_ends_before_it_starts():
    assert hunk("-a", old=4, new=3).new_end == 2


def test_a_file_counts_its_added_and_removed_lines_over_all_hunks():
    one = file("a.ts", hunk("+a", "+b", "-c", " d"), hunk("+e", "-f"))
    assert (one.added, one.removed) == (3, 2)


@pytest.mark.parametrize(
    ("modes", "symlink", "submodule"),
    [
        ({}, False, False),
        ({"new_mode": "100644"}, False, False),
        ({"new_mode": "120000"}, True, False),
        ({"old_mode": "120000", "new_mode": "100644"}, True, False),
        ({"new_mode": "160000"}, False, True),
        ({"old_mode": "160000"}, False, True),
    ],
)
def test_a_link_or_a_submodule_on_either_side_is_known_by_its_mode(modes, symlink, submodule):
    one = file(**modes)
    assert (one.is_symlink, one.is_submodule) == (symlink, submodule)


def test_a_change_counts_its_hunks_and_finds_its_files_by_their_path():
    first, second = file("a.ts", hunk("+a"), hunk("+b")), file("b.ts", hunk("+c"), old_path="c.ts")
    one = change(first, second)
    assert one.hunks == 3
    assert one.file("b.ts") is second
    assert one.file("c.ts") is None


def test_a_change_may_come_without_intent():
    one = Change(base=BASE, head=HEAD, files=())
    assert one.intent == Intent(Untrusted(""), Untrusted(""), (), Untrusted(""), ())
    assert (one.hunks, one.skipped) == (0, ())
