"""What is picked out of what others have written: linked issues, and the points that people have raised already."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core import background
from app.core.background import MOST_ISSUES, MOST_POINTS, Point
from app.core.finding import Side
from app.core.pull import Remark, ReviewThread
from app.core.untrusted import Untrusted
from tests.core.values import anchor, verified

SHOP = "acme/shop"


def remark(text: str, *, author: str = "bob", bot: bool = False) -> Remark:
    return Remark(1, author, bot, Untrusted(text), "2026-01-01T00:00:00Z")


def thread(text: str, *, path: str = "src/charge.ts", line: int | None = 11, bot: bool = False) -> ReviewThread:
    return ReviewThread("T", path, line, (remark(text, bot=bot),))


@pytest.mark.parametrize(
    ("body", "numbers"),
    [
        ("Fixes #12.", (12,)),
        ("closes: #3, resolves acme/Shop#4", (3, 4)),
        ("Fixed https://github.example/acme/shop/issues/7", (7,)),
        ("fixes globex/shop#5 and https://github.example/globex/shop/issues/6", ()),
        ("See #12; prefixes #13; #14", ()),
        ("fix #1 fix #1 fix #2 fix #3", (1, 2)),
    ],
)
def test_only_issues_of_this_repository_that_the_description_settles_are_linked(body, numbers):
    assert background.linked(Untrusted(body), repository=SHOP) == numbers


@settings(max_examples=100)
@given(st.text(alphabet="fixes #:/0123456789acme\n", max_size=400))
def test_whatever_a_description_says_few_issues_are_asked_for(body):
    assert len(background.linked(Untrusted(body), repository=SHOP)) <= MOST_ISSUES


def test_points_are_what_people_began_and_neither_commands_nor_bots():
    threads = [thread("Too slow"), thread("**Low**", bot=True), ReviewThread("T", "a.ts", None, ()), thread(" ")]
    talk = [remark("/review"), remark("Nice, but why?"), remark("Coverage fell", bot=True)]
    assert background.points(threads, talk) == (
        Point("bob", Untrusted("Too slow"), "src/charge.ts", 11),
        Point("bob", Untrusted("Nice, but why?")),
    )
    assert len(background.points([thread("Too slow")] * 50, talk)) == MOST_POINTS


@pytest.mark.parametrize(
    ("text", "path", "line", "same"),
    [
        ("The gateway has no limit here", "src/charge.ts", 11, True),
        ("The gateway has no limit here", "src/charge.ts", 14, True),
        ("The gateway has no limit here", "src/charge.ts", 15, False),
        ("The gateway has no limit here", "src/other.ts", 11, False),
        ("The gateway has no limit here", "", 0, False),
        ("Please rename b, and sort the imports of this module", "src/charge.ts", 11, False),
        ("gateway?", "src/charge.ts", 11, False),
        ("", "src/charge.ts", 11, False),
    ],
)
def test_a_point_says_the_same_on_the_same_lines_in_much_the_same_words(text, path, line, same):
    point = Point("bob", Untrusted(text), path, line)
    assert (background.raised(verified(), [point]) is point) is same


def test_what_is_said_of_removed_lines_is_nobody_s_point():
    found = verified()
    point = Point("bob", Untrusted("The gateway has no limit"), "src/charge.ts", 11)
    removed = type(found)(found.finding, anchor(side=Side.LEFT))
    assert background.raised(removed, [point]) is None
