from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from app.core import fixes
from app.core.finding import Fix, Patch, Side
from app.core.fixes import IN_THE_WAY
from app.core.reply import FixReply
from tests.core.values import anchor, verified


def on(path, line, *, hunk=0, side=Side.RIGHT):
    made = verified(path=path)
    return replace(made, anchor=anchor(path=path, start_line=line, line=line, hunk=hunk, side=side))


def patched(first, last, *, path="src/a.ts", suggestion=True):
    patch = Patch(path, first, last, "x", "diff", suggestion=suggestion, reason="" if suggestion else "unsafe")
    return replace(verified(path=path), fix=Fix(repro=f"{first}", patch=patch))


def test_findings_of_one_file_stand_together_and_files_keep_their_order():
    found = [on("b.ts", 3), on("a.ts", 1), on("b.ts", 1), on("c.ts", 1), on("a.ts", 9)]
    groups = fixes.grouped(found, most_at_once=3)
    places = [[(one.anchor.path, one.anchor.line) for one in group] for group in groups]
    assert places == [[("b.ts", 3), ("b.ts", 1), ("a.ts", 1)], [("a.ts", 9), ("c.ts", 1)]]
    assert fixes.grouped([], most_at_once=3) == []
    assert [len(group) for group in fixes.grouped(found, most_at_once=1)] == [1] * 5


def answered(number, risk):
    parts = {**dict.fromkeys(FixReply.model_fields, ""), "finding": number, "tests": [], "risk": risk}
    return FixReply.model_validate(parts)


def test_the_first_answer_to_a_number_counts_and_other_numbers_are_ignored():
    given_ones = [answered(2, "second"), answered(7, "nobody's"), answered(2, "again"), answered(0, "nobody's")]
    assert [one and one.risk for one in fixes.by_number(given_ones, 3)] == [None, "second", None]


def test_of_two_suggestions_for_one_line_the_first_stays_one():
    first, over, diff, beside, elsewhere = (
        patched(3, 5),
        patched(5, 9),
        patched(4, 4, suggestion=False),
        patched(6, 6),
        patched(3, 5, path="src/b.ts"),
    )
    bare = verified()
    kept = fixes.apart([bare, first, over, diff, beside, elsewhere])
    assert kept[0] is bare
    assert [one.fix.patch.suggestion for one in kept[1:]] == [True, False, False, True, True]
    assert [one.fix.patch.reason for one in kept[1:]] == ["", IN_THE_WAY, "unsafe", "", ""]
    assert [one.fix.repro for one in kept[1:]] == ["3", "5", "4", "6", "3"], "the other parts stand"


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 3), st.booleans()), max_size=8))
def test_no_line_ever_stands_under_two_suggestions(spans):
    kept = fixes.apart(patched(first, first + more, suggestion=safe) for first, more, safe in spans)
    lines = [
        line
        for one in kept
        if one.fix.patch.suggestion
        for line in range(one.fix.patch.start_line, one.fix.patch.end_line + 1)
    ]
    assert len(lines) == len(set(lines))
    assert len(kept) == len(spans)
    assert fixes.apart(kept) == kept
