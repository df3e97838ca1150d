"""Only what is new since the last review is read: patches are compared, whatever happened to the commits."""

from __future__ import annotations

from difflib import unified_diff

from hypothesis import assume, given
from hypothesis import strategies as st

from app.core import diff
from app.core.change import Change
from app.core.increment import CONTEXT_LINES, narrow, unseen

A, B = "a" * 40, "b" * 40
BASE = [f"line {number}" for number in range(1, 201)]
TEXTS = st.lists(st.sampled_from("abcdefgh"), max_size=25)


def between(old, new, path="src/a.ts"):
    """The diff of two texts (lists of lines) as git would print it, parsed; None when they are equal."""
    printed = list(unified_diff(old, new, f"a/{path}", f"b/{path}", lineterm="", n=3))
    if not printed:
        return None
    head = f"diff --git a/{path} b/{path}\n"
    (file,) = diff.parse((head + "\n".join(printed) + "\n").encode())
    return file


def changed(lines, at, *new):
    """The lines with the one at this number (from 1) replaced."""
    return [*lines[: at - 1], *new, *lines[at:]]


def fresh(base, reviewed, head):
    full = between(base, head)
    return unseen(full, between(reviewed, head)) if full else None


def marked(file, mark):
    return [line.text for hunk in file.hunks for line in hunk.lines() if line.mark == mark]


def test_a_second_push_is_read_alone():
    first = changed(BASE, 50, "first change")
    second = changed(first, 150, "second change")
    assert marked(fresh(BASE, first, second), "+") == ["second change"]


def test_ten_lines_inside_a_new_file_of_thousands_are_read_with_ten_around_them():
    reviewed = [f"new {number}" for number in range(5000)]
    head = [*reviewed[:2500], *(f"later {number}" for number in range(10)), *reviewed[2500:]]
    (hunk,) = fresh([], reviewed, head).hunks
    assert hunk.new_start == 2501 - CONTEXT_LINES
    assert hunk.new_count == 10 + 2 * CONTEXT_LINES
    assert [line.text for line in hunk.lines()] == head[hunk.new_start - 1 : hunk.new_end]


def test_lines_under_a_comment_that_silenced_a_rule_and_is_gone_are_read_again():
    silenced = ["first", "// principal-ignore timeouts -- why", "call();", "last"]
    left = fresh([], silenced, [line for line in silenced if "principal-ignore" not in line])
    assert left is not None
    assert "call();" in marked(left, "+")


def test_a_pure_rebase_leaves_nothing_although_every_line_moved():
    mine = changed(BASE, 100, "mine")
    upstream = ["from upstream"] * 30
    assert unseen(between([*upstream, *BASE], [*upstream, *mine]), between(mine, [*upstream, *mine])) is None


def test_a_rebase_with_one_more_change_leaves_that_change():
    mine = changed(BASE, 100, "mine")
    upstream = changed(BASE, 180, "from upstream")
    head = changed(changed(upstream, 100, "mine"), 20, "more of mine")
    left = unseen(between(upstream, head), between(mine, head))
    assert marked(left, "+") == ["more of mine"]


def test_a_force_push_back_to_what_was_reviewed_leaves_nothing():
    mine = changed(BASE, 100, "mine")
    assert unseen(between(BASE, mine), between(mine, mine)) is None


def test_a_change_taken_back_leaves_nothing_to_read():
    both = changed(changed(BASE, 50, "one"), 150, "two")
    assert fresh(BASE, both, changed(BASE, 50, "one")) is None


def test_lines_removed_since_are_new():
    first = changed(BASE, 50, "one")
    left = fresh(BASE, first, [*first[:149], *first[152:]])
    assert marked(left, "-") == ["line 150", "line 151", "line 152"]
    assert marked(left, "+") == []


def test_a_line_removed_before_is_not_new_because_another_is_removed_far_from_it():
    first = [*BASE[:49], *BASE[50:]]
    second = [*first[:149], *first[150:]]
    assert marked(fresh(BASE, first, second), "-") == ["line 151"]


def test_files_that_did_not_change_since_are_left_out_and_their_hunks_counted():
    one, two = between(BASE, changed(BASE, 5, "x"), "a.ts"), between(BASE, changed(BASE, 9, "y"), "b.ts")
    left = narrow(Change(base=A, head=B, files=(one, two)), {"b.ts": two})
    assert [file.path for file in left.change.files] == ["b.ts"]
    assert left.hunks_before == 1


@given(TEXTS, TEXTS, TEXTS)
def test_what_is_left_is_part_of_the_diff_on_its_own_lines(base, reviewed, head):
    full, since = between(base, head), between(reviewed, head)
    assume(full and since)
    left = unseen(full, since)
    shown = {(line.mark, line.text, line.old, line.new) for hunk in full.hunks for line in hunk.lines()}
    kept = [] if left is None else [line for hunk in left.hunks for line in hunk.lines()]
    assert {(line.mark, line.text, line.old, line.new) for line in kept} <= shown
    new = {line.new for hunk in since.hunks for line in hunk.lines() if line.mark == "+"}
    wanted = {line.new for hunk in full.hunks for line in hunk.lines() if line.mark == "+" and line.new in new}
    assert wanted <= {line.new for line in kept if line.mark == "+"}


@given(TEXTS, TEXTS)
def test_what_was_never_reviewed_is_read_whole(base, head):
    full = between(base, head)
    assume(full)
    added = {line.new for hunk in full.hunks for line in hunk.lines() if line.mark == "+"}
    left = unseen(full, between([], head)) if head else None
    kept = set() if left is None else {line.new for hunk in left.hunks for line in hunk.lines() if line.mark == "+"}
    assert kept == added


@given(TEXTS, TEXTS)
def test_what_was_reviewed_is_not_read_again(base, head):
    full = between(base, head)
    assume(full)
    assert unseen(full, between(head, head)) is None


@given(TEXTS, TEXTS, TEXTS)
def test_cut_hunks_count_their_lines_rightly(base, reviewed, head):
    left = fresh(base, reviewed, head)
    for hunk in left.hunks if left else ():
        lines = list(hunk.lines())
        assert hunk.old_count == sum(line.old is not None for line in lines)
        assert hunk.new_count == sum(line.new is not None for line in lines)
