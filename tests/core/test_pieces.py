from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from app.core import pieces
from app.core.finding import Side
from app.core.pieces import LINES_AROUND
from tests.core.values import anchor, change, file, hunk

LONG = file("src/long.ts", hunk(*(f"+line {number}" for number in range(1, 301)), old=0))
TURNS = file("src/turns.ts", hunk(" a", "-b", "+B", " c", old=5, new=5), hunk(" d", "+e", old=90, new=90))


def at(path, line, *, hunk=0, side=Side.RIGHT):
    return anchor(path=path, start_line=line, line=line, hunk=hunk, side=side)


def test_of_a_long_hunk_what_stands_around_each_finding_is_shown_once():
    told = change(LONG, TURNS)
    found = [at("src/long.ts", 250), at("src/turns.ts", 91, hunk=1), at("src/long.ts", 20), at("src/long.ts", 60)]
    shown = pieces.around([*found, at("src/turns.ts", 6, side=Side.LEFT)], told)
    assert [(piece.file.path, piece.hunk, piece.start, piece.end) for piece in shown] == [
        ("src/long.ts", 0, 0, 60 + LINES_AROUND),
        ("src/long.ts", 0, 249 - LINES_AROUND, 250 + LINES_AROUND),
        ("src/turns.ts", 0, 0, 4),
        ("src/turns.ts", 1, 0, 2),
    ]
    assert shown[1].cut().new_start == 250 - LINES_AROUND


@given(st.lists(st.integers(1, 300), min_size=1, max_size=8))
def test_every_finding_s_line_is_shown_and_none_twice(lines):
    shown = pieces.around([at("src/long.ts", line) for line in lines], change(LONG))
    numbers = [number for piece in shown for number in range(piece.start + 1, piece.end + 1)]
    assert set(lines) <= set(numbers)
    assert len(numbers) == len(set(numbers))
    assert len(numbers) <= len(set(lines)) * (2 * LINES_AROUND + 1)


def test_what_no_hunk_shows_is_told_with_the_hunk_nearest_to_it():
    assert [pieces.nearest(TURNS, line).hunk for line in (1, 40, 60, 400)] == [0, 0, 1, 1]
    assert (pieces.nearest(LONG, 900).start, pieces.nearest(LONG, 900).end) == (0, 2 * LINES_AROUND)
    assert pieces.nearest(replace(TURNS, hunks=()), 1) is None
