"""What a review is going to cost, from the prompts that are ready."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.forecast import Ready, forecast

PRICES = {"cheap": (1.0, 4.0), "dear": (10.0, 50.0)}


def cost(model, *, input_tokens, output_tokens):
    price = PRICES.get(model)
    return None if price is None else (input_tokens * price[0] + output_tokens * price[1]) / 1_000_000


def test_reading_is_a_share_of_all_and_each_model_has_its_price():
    told = forecast([Ready("cheap", 30_000), Ready("dear", 10_000)], reply_tokens=2_000, share=0.5, cost=cost)
    assert (told.calls, told.tokens) == (2, 88_000)
    assert told.usd == pytest.approx(2 * (0.03 + 0.008 + 0.1 + 0.1))


def test_where_one_price_is_not_known_no_sum_is_told():
    told = forecast([Ready("cheap", 30_000), Ready("new", 1)], reply_tokens=0, share=1.0, cost=cost)
    assert (told.tokens, told.usd) == (30_001, None)


@given(st.lists(st.integers(0, 100_000), max_size=20), st.integers(0, 100_000))
def test_one_more_prompt_never_makes_it_cheaper(sizes, more):
    before, after = (
        forecast([Ready("cheap", size) for size in some], reply_tokens=2_000, share=0.75, cost=cost)
        for some in (sizes, [*sizes, more])
    )
    assert after.tokens >= before.tokens
    assert after.usd >= before.usd
