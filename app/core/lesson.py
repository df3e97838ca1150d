"""A rule ─► the comment that explains it in its own words, for a server that reviews without a language model."""

from __future__ import annotations

from collections.abc import Sequence

from app.core import gate
from app.core.rule import Rule

LONGEST_WHY = 2_000
LONGEST_POINT = 600
MOST_POINTS = 12


def lesson(rule: Rule, *, version: str) -> str:
    """Why the rule stands, what to do, and what to ask oneself; folded, what it leaves alone and where to read on."""
    signature = (
        f"The guidance of the rule {gate.span(rule.id)}, by principal {version} without a language model · "
        "`/fix` gives a correction where the rule has one · `/ignore` if it is no problem here"
    )
    parts = [
        f"**{gate.line(rule.title)}** — {gate.line(rule.summary)}",
        gate.clean(rule.why, longest=LONGEST_WHY),
        f"**What to do**\n\n{_points(rule.recommend)}" if rule.recommend else "",
        f"**Ask yourself** {gate.line(rule.question, longest=LONGEST_POINT)}" if rule.question else "",
        _fold("What this rule leaves alone", rule.do_not_flag),
        _fold("Read on", rule.references),
        f"<sub>{signature}</sub>",
    ]
    return "\n\n".join(part for part in parts if part)


def _points(said: Sequence[str]) -> str:
    return "\n".join(f"- {gate.line(one, longest=LONGEST_POINT)}" for one in said[:MOST_POINTS])


def _fold(title: str, said: Sequence[str]) -> str:
    return f"<details><summary>{title}</summary>\n\n{_points(said)}\n</details>" if said else ""
