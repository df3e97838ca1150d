"""What a cache could hold of a review's prompts, counted by hand."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.core.budget import estimate_tokens
from app.core.prompt import Prompt
from app.core.reply import FixesReply, SharedReviewReply, SharedVerifyReply
from app.evaluation.prefixes import asked, measured
from app.evaluation.values import Prefixes


def test_what_several_calls_begin_with_is_common_and_what_was_sent_before_is_repeated():
    system, shared, body, find, refute = ("s" * 350, "h" * 35, "b" * 700, "f" * 70, "r" * 105)
    calls = [
        asked(Prompt(system, shared, body, 1, "review", find), SharedReviewReply),
        asked(Prompt(system, shared, "another batch", 1, "review", find), SharedReviewReply),
        asked(Prompt(system, shared, body, 1, "verify", refute), SharedVerifyReply),
        asked(Prompt(system, shared, body, 1, "fix"), FixesReply),
    ]
    sizes = {text: estimate_tokens(text) for text in (system, shared, body, find, refute, "another batch")}
    start = sizes[system] + sizes[shared]
    assert measured(calls) == Prefixes(
        tokens=4 * start + 3 * sizes[body] + sizes["another batch"] + 2 * sizes[find] + sizes[refute],
        common=3 * start + 2 * sizes[body],
        repeated=2 * start + sizes[body],
    ), "the fix fills in another form, so it shares nothing"


@given(st.lists(st.tuples(st.sampled_from("ab"), st.lists(st.sampled_from("xyz"), max_size=3).map(tuple)), max_size=6))
def test_the_order_of_calls_changes_nothing(calls):
    forwards, backwards = measured(calls), measured(calls[::-1])
    assert forwards == backwards
    assert 0 <= forwards.repeated <= forwards.common <= forwards.tokens
