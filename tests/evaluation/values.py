"""Labels, comments and cases for tests of the evaluation: small, valid, and changed by keyword."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from app.core.finding import Severity, Side
from app.evaluation.values import PRINCIPAL, Attempt, CaseRun, Comment, Label, Link, Run, Topic


def label(line: int = 1, **changes: Any) -> Label:
    made = Label("a.ts", Side.RIGHT, line, line, Topic.DEFECT, valid=True, text=f"wrong in line {line}")
    return replace(made, **changes)


def comment(line: int = 1, **changes: Any) -> Comment:
    made = Comment(
        path="a.ts",
        side=Side.RIGHT,
        start_line=line,
        line=line,
        title=f"Something in line {line}",
        text="It goes wrong.",
        severity=Severity.HIGH,
        category="correctness",
        confidence=0.9,
        source="somebody",
    )
    return replace(made, **changes)


def links(*pairs: tuple[int, int]) -> tuple[Link, ...]:
    return tuple(Link(one, other) for one, other in pairs)


def case(name: str = "one", *, labels: tuple[Label, ...] = (), **attempt: Any) -> CaseRun:
    """A case that the story reviewed."""
    return CaseRun(name, "TypeScript", labels=labels, attempts={PRINCIPAL: Attempt(**attempt)})


def run(*cases: CaseRun, **changes: Any) -> Run:
    made = Run(version=1, program="0", model="openai:x", judge="openai:x", options=(), cap=5, cases=cases)
    return replace(made, **changes)
