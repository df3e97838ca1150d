"""From a finished review to what is counted of it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from app import library
from app.analysis import Scanner
from app.core.finding import Elsewhere, Filter, Fix, Kind, Rejected
from app.evaluation import cases
from app.evaluation.replies import ByHand, Replies
from app.evaluation.running import Kit, Plan, funnel, is_whole, run
from app.evaluation.values import Funnel, Run
from app.llm import prices
from app.llm.models import Models
from tests.core.values import finding, review, verified

EXAMPLES = Path(__file__).parents[2] / "benchmarks" / "cases"
STRONG = replace(verified(), finding=finding(strong=True))


def test_where_findings_went_is_counted_by_hand():
    """Seven claims and two of rules: one misplaced, two refuted, one unsure, one beside the change, one folded, two said.

    That is eight of nine, so one was merged.
    """
    found = review(
        said=(STRONG, verified()),
        folded=(STRONG,),
        elsewhere=(Elsewhere(finding(), 90),),
        rejected=(
            Rejected(finding(), "", Filter.PLACE),
            Rejected(finding(), "", Filter.DOUBT),
            Rejected(finding(), "", Filter.DOUBT),
            Rejected(finding(), "", Filter.RANK),
        ),
    )
    assert funnel(found, claimed=7) == Funnel(
        claimed=7, by_rules=2, misplaced=1, refuted=2, unsure=1, merged=1, folded=1, elsewhere=1, said=2
    )


@given(st.lists(st.sampled_from(Filter), max_size=6), *(st.integers(0, 4) for _ in range(4)))
def test_no_finding_gets_lost_on_the_way(filters, said, folded, merged, strong):
    found = review(
        said=(verified(),) * said + (STRONG,) * strong,
        folded=(verified(),) * folded,
        rejected=tuple(Rejected(finding(), "", one) for one in filters),
    )
    went = funnel(found, claimed=len(filters) + said + folded + merged)
    assert went.merged == merged
    assert went.claimed + went.by_rules == (
        went.misplaced
        + went.unformed
        + went.refuted
        + went.unsure
        + went.unwanted
        + went.merged
        + went.folded
        + went.elsewhere
        + went.said
    )


def test_an_answer_is_whole_when_each_part_is_there_or_excused():
    fix = Fix(measure="time it", change="batch it", risk="none")
    assert is_whole(Kind.PERFORMANCE, fix)
    assert not is_whole(Kind.PERFORMANCE, replace(fix, risk=""))
    assert is_whole(Kind.PERFORMANCE, replace(fix, risk="", missing=(("risk", "not seen"),)))


def test_a_defect_that_one_case_shows_does_not_cost_the_others_their_results(tmp_path):
    """The judge's prompt is gone. That breaks the case in which rules say something to be judged, and not the other."""

    async def story() -> Run:
        replies = Replies(tmp_path)
        hand = ByHand(replies)
        shelf = library.load()
        broken = replace(shelf, tasks={name: text for name, text in shelf.tasks.items() if name != "judge"})
        async with Scanner() as scanner, Models((), prices.load()) as models:
            models.review = hand
            kit = Kit(broken, models, hand, replies, scanner, "0", 400_000)
            return await run(cases.read([EXAMPLES / "gateway", EXAMPLES / "shared-money"]), kit=kit, plan=Plan())

    gateway, money = asyncio.run(story()).cases
    assert gateway.failure is not None
    assert gateway.failure.code == "INTERNAL"
    assert money.failure is None
    assert set(money.attempts) == {"principal", "single"}
