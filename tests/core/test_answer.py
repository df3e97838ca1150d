"""An answer names a place only where its quote stands, and a patch is committed in a thread only on the thread's lines."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.core import again, answer
from app.core.finding import Fix, Patch
from app.core.memory import Said
from app.core.pull import Remark, ReviewThread
from app.core.reply import AnswerReply
from app.core.untrusted import Untrusted
from app.core.usage import Usage
from tests.core.values import HEAD, change, finding, verified

TEXTS = {"src/charge.ts": "const a = 1;\nconst b = 2;\nconst c = 3;\n", "src/far.ts": "export const far = away();\n"}


def reply(text="Yes [[1]].", places=(("src/charge.ts", "const b = 2;"),), unknown=""):
    return AnswerReply(answer=text, places=[{"path": path, "quote": quote} for path, quote in places], unknown=unknown)


def rendered(one):
    return answer.render(one, answer.places(one, change(), TEXTS), usage=Usage(), model="openai:m", head=HEAD)


def test_a_number_becomes_the_place_of_its_quote():
    told = rendered(reply("Yes [[1]], see [[2]].", [("src/charge.ts", "const b = 2;"), ("src/far.ts", "far = away()")]))
    assert told.startswith("Yes (`src/charge.ts:2`), see (`src/far.ts:1`).")


@pytest.mark.parametrize("place", [("src/charge.ts", "const z = 9;"), ("src/none.ts", "const b = 2;"), ("", "")])
def test_a_place_that_is_not_there_is_left_out_and_told(place):
    told = rendered(reply("Yes [[1]] and [[7]] in `a[[1]]`.", [place]))
    assert told.startswith("Yes and in")
    assert "A place that was named does not stand in the code and is left out." in told


def test_what_is_not_known_is_told_and_what_acts_is_defused():
    told = rendered(reply("Ask @bob. ![x](https://evil.example/x.png)", unknown="Who calls it"))
    assert "`@bob`" in told
    assert "](https" not in told
    assert "**Not known from this code** Who calls it" in told


def test_names_are_looked_up_as_code_is_spelled():
    words = "why does `retryAfter` use chargeCard and MAX_TRIES when open() and the pool return null"
    assert answer.names(words) == ("retryAfter", "chargeCard", "MAX_TRIES")


THREAD = ReviewThread("T", "src/charge.ts", 2, (Remark(1, "p[bot]", True, Untrusted("x"), ""),), start_line=None)


def patched(start, end):
    patch = Patch("src/charge.ts", start, end, "const b = 3;", "diff", suggestion=True)
    return replace(verified(), fix=Fix(patch=patch))


@pytest.mark.parametrize(
    ("thread", "lines", "suggested"),
    [
        (THREAD, (2, 2), True),
        (THREAD, (2, 3), False),
        (replace(THREAD, start_line=1), (1, 2), True),
        (replace(THREAD, start_line=1), (2, 2), False),
        (replace(THREAD, line=None), (2, 2), False),
    ],
)
def test_a_suggestion_stands_on_the_lines_of_its_thread_or_is_a_diff(thread, lines, suggested):
    found = again.within(patched(*lines), thread)
    assert found.fix.patch.suggestion is suggested
    assert bool(found.fix.patch.reason) is not suggested


def test_a_finding_is_taken_up_where_its_code_stands_now():
    said = Said.of(finding(), head=HEAD)
    kept = {"explanation": "why", "change": change(), "text": "\n" * 9 + TEXTS["src/charge.ts"], "hint": None}
    found = again.found_again(said, **kept)
    assert (found.anchor.start_line, found.finding.title, found.finding.explanation) == (11, said.title, "why")
    assert isinstance(again.found_again(replace(said, quote="gone();and more"), **kept), again.Gone)
    assert isinstance(again.found_again(replace(said, path="src/other.ts"), **kept), again.Gone)
