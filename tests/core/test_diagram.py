"""The diagram of a flow that a change alters: small, harmless, and only where it says more than a sentence."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core import gate
from app.core.diagram import MOST_STEPS, Fate, FlowStep, draw
from tests.security.rendered import active

CHARGE = FlowStep("pay()", "queue", "order id", Fate.ADDED)
WORK = FlowStep("queue", "worker", "", Fate.KEPT)
GONE = FlowStep("pay()", "gateway", "card", Fate.REMOVED)


def test_a_diagram_shows_what_is_new_changed_gone_and_what_connects_it():
    assert (
        draw([CHARGE, WORK, GONE, FlowStep("worker", "gateway", "card", Fate.CHANGED)])
        == """```mermaid
flowchart LR
  n0["pay()"]
  n1["queue"]
  n2["worker"]
  n3["gateway"]
  n0 ==>|"new: order id"| n1
  n1 --> n2
  n0 -.->|"gone: card"| n3
  n2 ==>|"changed: card"| n3
```"""
    )


@pytest.mark.parametrize(
    "steps", [[], [CHARGE], [WORK, WORK], [CHARGE, CHARGE], [WORK, FlowStep("a", "b", "", Fate.KEPT)]]
)
def test_there_is_none_where_it_would_say_nothing(steps):
    assert draw(steps) == ""


def test_it_stays_small():
    assert draw([FlowStep(f"f{n}", f"g{n}", "", Fate.ADDED) for n in range(50)]).count("==>") == MOST_STEPS


EVIL = st.text(alphabet='ab"[]{}|<>;%&#`\n()/:@.-=~\\ \u202e', max_size=60) | st.sampled_from(
    [
        '"] --> x; click x "https://evil.example"',
        "%%{init: {}}%%",
        "<img src=x>",
        "@octocat",
        "www.evil.example",
        "end",
        "```",
    ]
)
STEPS = st.builds(FlowStep, EVIL, EVIL, EVIL, st.sampled_from(Fate))


@settings(max_examples=150)
@given(st.lists(STEPS, max_size=10))
def test_whatever_a_model_names_nothing_in_the_diagram_acts(steps):
    drawn = draw(steps)
    assert active(gate.release(drawn)) == []
    assert "//" not in drawn
    assert "www." not in drawn.lower()
