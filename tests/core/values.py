"""Values for tests of the core: small, valid, and changed by keyword."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from app.core.change import Change, FileDiff, FileStatus, Hunk, Sha
from app.core.finding import Anchor, Category, Finding, Kind, Severity, Side, VerifiedFinding
from app.core.reply import Claim, Verdict
from app.core.report import Review
from app.core.rule import Rule

BASE, HEAD = Sha("a" * 40), Sha("b" * 40)


def hunk(*body: str, old: int = 1, new: int = 1, heading: str = "") -> Hunk:
    return Hunk(
        old_start=old,
        old_count=sum(1 for line in body if not line.startswith("+")),
        new_start=new,
        new_count=sum(1 for line in body if not line.startswith("-")),
        heading=heading,
        body=body,
    )


def file(path: str = "src/charge.ts", *hunks: Hunk, **changes: Any) -> FileDiff:
    made = FileDiff(
        path=path,
        status=FileStatus.MODIFIED,
        hunks=hunks or (hunk(" const a = 1;", "+const b = 2;", " const c = 3;", old=10, new=10),),
    )
    return replace(made, **changes)


def change(*files: FileDiff, **changes: Any) -> Change:
    return replace(Change(base=BASE, head=HEAD, files=files or (file(),)), **changes)


def finding(**changes: Any) -> Finding:
    made = Finding(
        kind=Kind.BUG,
        category=Category.RELIABILITY,
        severity=Severity.HIGH,
        confidence=0.9,
        path="src/charge.ts",
        quote="const b = 2;",
        title="The gateway call has no limit",
        explanation="If the gateway never answers, the request hangs.",
        source="typescript",
        rule="timeouts",
        scenario="The gateway accepts and stays silent.",
    )
    return replace(made, **changes)


def anchor(**changes: Any) -> Anchor:
    return replace(Anchor(path="src/charge.ts", side=Side.RIGHT, start_line=11, line=11, hunk=0), **changes)


def verified(*, at: int = 11, **changes: Any) -> VerifiedFinding:
    one = finding(**changes)
    return VerifiedFinding(one, anchor(path=one.path, start_line=at, line=at), verified_by="callers in src/orders.ts")


def claim(**changes: Any) -> Claim:
    made = {
        "kind": "bug",
        "category": "reliability",
        "rule": "timeouts",
        "severity": "high",
        "confidence": 0.9,
        "path": "src/charge.ts",
        "line": 11,
        "quote": "const b = 2;",
        "title": "The gateway call has no limit.",
        "explanation": "If the gateway never answers, the request hangs.",
        "scenario": "The gateway accepts and stays silent.",
        "assumptions": [],
    }
    return Claim.model_validate({**made, **changes})


def verdict(**changes: Any) -> Verdict:
    made = {
        "id": 1,
        "verdict": "confirmed",
        "failing_case": "fetch() to a silent socket never settles",
        "reason": "no signal is passed",
        "saw": "callers in src/orders.ts",
        "severity": "critical",
        "confidence": 0.8,
        "pre_existing": False,
    }
    return Verdict.model_validate({**made, **changes})


def rule(**changes: Any) -> Rule:
    made = Rule(
        id="timeouts",
        title="Timeouts",
        category=Category.RELIABILITY,
        kind=Kind.BUG,
        severity=Severity.HIGH,
        languages=("any",),
        summary="every dependency has its own limit",
        why="Waiting for ever is the worst failure.",
        look_for=("a call without a limit",),
        do_not_flag=("browser code",),
        question="Can this call wait for ever?",
        recommend=("a limit per call",),
    )
    return replace(made, **changes)


def review(*said: VerifiedFinding, **changes: Any) -> Review:
    made = Review(
        base=BASE,
        head=HEAD,
        said=said,
        hunks=17,
        hunks_reviewed=17,
        personas=("TypeScript",),
        models=("openai:gpt",),
        seconds=41.0,
    )
    return replace(made, **changes)
