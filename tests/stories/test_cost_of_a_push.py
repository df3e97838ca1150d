"""A small push to a large pull request that was reviewed costs a small part of its first review."""

from __future__ import annotations

from benchmarks.increment import measure

MOST_OF_THE_FIRST = 0.15


def test_ten_lines_more_on_five_thousand_cost_at_most_15_percent_of_the_first_review(tmp_path):
    """Counted in tokens of prompts, which are the same on every run; `python -m benchmarks.increment` prints both figures."""
    costs = measure(tmp_path, lines=5_000, more=10)
    assert costs.first_prompts > 5
    assert costs.push_prompts == 1
    assert 0 < costs.share <= MOST_OF_THE_FIRST, f"{costs.push:,} of {costs.first:,} tokens"
