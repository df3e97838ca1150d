from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.core.usage import Usage

COSTS = st.one_of(st.none(), st.integers(0, 1000).map(float))
USAGES = st.builds(Usage, st.integers(0), st.integers(0), st.integers(0), COSTS, st.integers(0))


def test_usages_add_up_field_by_field():
    one = Usage(input_tokens=1, cached_tokens=2, output_tokens=4, cost_usd=0.25, calls=8)
    other = Usage(input_tokens=16, cached_tokens=32, output_tokens=64, cost_usd=0.5, calls=128)
    assert one + other == Usage(input_tokens=17, cached_tokens=34, output_tokens=68, cost_usd=0.75, calls=136)


def test_all_tokens_are_those_in_and_out_and_the_cached_ones_count_once():
    assert Usage(input_tokens=10, cached_tokens=9, output_tokens=5).tokens == 15


def test_one_unknown_price_makes_the_sum_unknown():
    assert (Usage(cost_usd=None) + Usage(cost_usd=1.0)).cost_usd is None
    assert (Usage(cost_usd=1.0) + Usage(cost_usd=None)).cost_usd is None
    assert (Usage(cost_usd=0.0) + Usage(cost_usd=0.0)).cost_usd == 0.0


def test_nothing_was_used_at_first():
    assert Usage() == Usage(input_tokens=0, cached_tokens=0, output_tokens=0, cost_usd=0.0, calls=0)


@given(USAGES, USAGES, USAGES)
def test_the_order_of_adding_does_not_matter_and_nothing_adds_nothing(one, other, third):
    assert one + other == other + one
    assert (one + other) + third == one + (other + third)
    assert one + Usage() == one
    assert sum((one, other), Usage()) == one + other
