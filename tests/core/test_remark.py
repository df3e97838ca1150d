"""What a person says in a comment, less what they quote or show."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core import remark


@pytest.mark.parametrize(
    "body",
    [
        "Why is this a problem?",
        "Is that so? I doubt it.",
        "> what about tests?\n\nAnd what about `close()`?",
        "explain please",
        "Could you show an example",
        "ok, but how does this fail when the pool is empty",
        "なぜですか？",
    ],
)
def test_it_asks(body):
    assert remark.asks(body)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "Fixed, thanks.",
        "> Why is this a problem?\n\nDone.",
        "```\nwhy?\n```\nDone.",
        "    why?",
        "The query is `a ? b : c`.",
        "See https://example.com/?a=1",
        "<!-- why? -->done",
        "I know how this works",
    ],
)
def test_it_asks_nothing(body):
    assert not remark.asks(body)


def test_whom_it_speaks_to():
    assert remark.named("@Bob and @principal[bot], `@code`, a@b.c\n> @quoted") == {"bob", "principal"}


@settings(max_examples=100)
@given(st.text(alphabet="`~> \n<!-->?@/aw\t", max_size=200))
def test_any_text_is_read_and_nothing_is_made_up(body):
    assert set(remark.prose(body)) <= set(body)
    assert all(line in body for line in remark.own_lines(body.replace("<!--", "")))
    assert remark.asks(body) in (True, False)
