"""Path patterns: what people expect of `.gitignore` and `CODEOWNERS`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.glob import LONGEST_PATTERN, matches, matches_any

PATHS = st.lists(st.text("ab.-_", min_size=1, max_size=5), min_size=1, max_size=6).map("/".join)


@pytest.mark.parametrize(
    ("path", "pattern"),
    [
        ("src/api/orders.ts", "src/**/*.ts"),
        ("src/orders.ts", "src/**/*.ts"),
        ("src/api/orders.ts", "*.ts"),
        ("src/api/orders.ts", "orders.*"),
        ("src/api/orders.ts", "src/"),
        ("src/api/orders.ts", "src/api/**"),
        ("src/api/orders.ts", "/src/**"),
        ("src/api/orders.ts", "**"),
        ("src/api/orders.ts", "**/api/*"),
        ("src/api/orders.ts", "./src/**"),
        ("a/b/c/d", "a/**/**/d"),
        ("file-1.sql", "file-[0-9].sql"),
    ],
)
def test_a_pattern_stands_for(path, pattern):
    assert matches(path, pattern)


@pytest.mark.parametrize(
    ("path", "pattern"),
    [
        ("src/api/orders.ts", "src/*.ts"),
        ("lib/src/a.ts", "/src/**"),
        ("lib/src/a.ts", "src/**"),
        ("src2/a.ts", "src/"),
        ("src/a.tsx", "*.ts"),
        ("Src/a.ts", "src/**"),
        ("src/api/orders.ts", ""),
        ("src/api/orders.ts", "/"),
    ],
)
def test_a_pattern_does_not_stand_for(path, pattern):
    assert not matches(path, pattern)


@given(PATHS)
def test_every_path_is_its_own_pattern(path):
    assert matches(path, f"/{path}")


@given(PATHS, PATHS)
def test_a_folder_stands_for_everything_in_it_and_for_nothing_else(folder, path):
    assert matches(f"{folder}/{path}", f"/{folder}/")
    assert not matches(f"x{folder}/{path}", f"/{folder}/")


@given(PATHS, st.integers(0, 30))
def test_two_stars_stand_for_any_number_of_folders(path, number):
    assert matches("/".join(["f"] * number + [path]), f"**/{path}")


def test_a_pattern_that_is_too_long_stands_for_nothing():
    assert not matches("a" * (LONGEST_PATTERN + 1), "a" * (LONGEST_PATTERN + 1))


def test_many_stars_do_not_multiply():
    """The steps are path times pattern; a backtracking matcher would not come back from this."""
    assert not matches("a/" * 3000 + "b", "**/a/" * 50 + "c")
    assert not matches("a" * 5000, "*a" * 140 + "b")


def test_one_of_several_is_enough():
    assert matches_any("docs/a.md", ["src/**", "*.md"])
    assert not matches_any("docs/a.md", [])
