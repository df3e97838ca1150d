"""The one summary comment: what changes where, how risky, how long to read, and what became of what was found."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core import summary
from app.core.diagram import Fate, FlowStep
from app.core.finding import Severity
from app.core.memory import Said, Standing
from app.core.summary import MOST_FINDINGS, MOST_GROUPS
from tests.core.values import HEAD, change, file, finding, hunk, review
from tests.security.rendered import active

MARK = f"<!-- principal:summary:{'0' * 32} -->"
FLOW = (FlowStep("pay()", "queue", "order", Fate.ADDED), FlowStep("queue", "worker", "", Fate.KEPT))


def said(standing=Standing.OPEN, **changes):
    return replace(Said.of(finding(**changes), head=HEAD), standing=standing)


def lines(number):
    return hunk(*(f"+line {one}" for one in range(number)))


def rendered(changed=None, found=None, told_before="", *known):
    return summary.render(changed or change(), found or review(), known, marker=MARK, version="1", told=told_before)


def test_it_tells_the_story_the_places_the_risk_and_the_findings_in_this_order():
    text = rendered(
        change(file("src/pay/a.ts", lines(30)), file("src/pay/deep/b.ts", lines(5)), file("README.md", lines(1))),
        review(overview="It charges behind a queue.", flow=FLOW),
        "",
        said(Standing.FIXED, title="A retry charges twice"),
        said(),
        said(Standing.DISMISSED, title="No limit", severity=Severity.LOW),
        said(Standing.SILENCED, title="A known one", severity=Severity.LOW),
    )
    parts = text.split("\n\n")
    assert parts[0] == "**What this pull request changes** — It charges behind a queue."
    assert parts[1].startswith("```mermaid\nflowchart LR\n")
    assert parts[2].split("\n")[2:] == ["| `src/pay/` | +35 −0 | `a.ts`, `b.ts` |", "| `./` | +1 −0 | `README.md` |"]
    assert parts[3] == (
        "**Risk** high: a finding of high severity is open · **Effort to review** about 5 minutes · "
        "**Findings** 1 open, 1 fixed, 1 silenced, 1 dismissed"
    )
    assert [row.split(" | ")[1] for row in parts[4].split("\n")[2:]] == ["open", "fixed", "silenced", "dismissed"]
    assert "~~A retry charges twice~~" in parts[4]
    assert text.endswith(MARK)


def test_a_push_is_told_beside_the_story_of_the_whole():
    first = summary.story(review(overview="It charges behind a queue.", flow=FLOW))
    text = rendered(None, review(overview="It names a constant."), first)
    assert text.startswith(f"{first}\n\n**Last push** — It names a constant.\n\n| Where |")
    assert "**Last push**" not in rendered(None, review(overview=""), first)
    assert "**Last push**" not in rendered(None, review(overview="It names a constant."))


@pytest.mark.parametrize(
    ("number", "known", "risk", "effort"),
    [
        (10, [], "low", "about 5 minutes"),
        (300, [said(severity=Severity.LOW)], "low", "about 30 minutes"),
        (300, [said(severity=Severity.MEDIUM)], "medium: a finding of medium severity is open", "about 30 minutes"),
        (300, [said(Standing.FIXED)], "low", "about 30 minutes"),
        (2_000, [], "medium: 2,000 lines change at once", "about 3 hours"),
        (2_000, [said(severity=Severity.CRITICAL)], "high: a finding of critical severity is open", "about 3 hours"),
    ],
)
def test_risk_and_effort_follow_what_is_open_and_how_much_changes(number, known, risk, effort):
    text = rendered(change(file("src/a.ts", lines(number))), None, "", *known)
    assert f"**Risk** {risk} · **Effort to review** {effort} · " in text


def test_what_is_too_much_is_counted():
    files = [file(f"f{number}/a.ts", lines(1)) for number in range(MOST_GROUPS + 3)]
    many = [file(f"src/{number}.ts", lines(1)) for number in range(9)]
    known = [said(title=f"Problem {number}") for number in range(MOST_FINDINGS + 2)]
    text = rendered(change(*files), None, "", *known)
    assert "… and 3 more folders." in text
    assert "… and 2 more." in text
    assert "and 5 more |" in rendered(change(*many))
    assert "Nothing here is read by the reviewer." in rendered(replace(change(), files=()))


@settings(max_examples=100)
@given(st.text(max_size=120), st.text(min_size=1, max_size=60), st.text(max_size=80))
def test_whatever_models_and_authors_write_nothing_in_it_acts(overview, name, title):
    path = name.replace("\0", "").replace("\n", " ").strip("/ ") or "a"
    text = rendered(change(file(f"src/{path}", lines(1))), review(overview=overview, flow=FLOW), "", said(title=title))
    assert active(text) == []
