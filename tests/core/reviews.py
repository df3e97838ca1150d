"""A review with everything in it, for the tests of what is written from one."""

from __future__ import annotations

from dataclasses import replace

from app.core.change import Sha, Skipped
from app.core.finding import (
    Anchor,
    Category,
    Elsewhere,
    Finding,
    Fix,
    Kind,
    Patch,
    Rejected,
    Severity,
    Side,
    TestFile,
    VerifiedFinding,
)
from app.core.report import NotReviewed, Review
from app.core.usage import Usage

BASE = Sha("1" * 40)
HEAD = Sha("2" * 40)

TIMEOUT = Finding(
    kind=Kind.BUG,
    category=Category.RELIABILITY,
    severity=Severity.HIGH,
    confidence=0.9,
    path="src/charge.ts",
    quote="    const reply = await fetch(url, { method: 'POST', body });",
    title="`charge` waits for the gateway without a limit",
    explanation="If the gateway accepts the connection and never answers, the handler hangs for good.",
    source="typescript",
    rule="timeouts",
    line=41,
    scenario="A gateway that accepts and stays silent.",
    assumptions=("`url` is the gateway's",),
    strong=True,
)
PATCH = Patch(
    path="src/charge.ts",
    start_line=42,
    end_line=42,
    replacement="    const reply = await fetch(url, { method: 'POST', body, signal: AbortSignal.timeout(5_000) });",
    diff=(
        "--- a/src/charge.ts\n+++ b/src/charge.ts\n@@ -42 +42 @@\n"
        "-    const reply = await fetch(url, { method: 'POST', body });\n"
        "+    const reply = await fetch(url, { method: 'POST', body, signal: AbortSignal.timeout(5_000) });\n"
    ),
    suggestion=True,
)
FIX = Fix(
    repro="await charge(order, { url: silent });",
    root_cause="`fetch` is called with no `signal`.",
    patch=PATCH,
    tests=(TestFile("test/charge.test.ts", 'it("gives up", () => {});\n', "typescript"),),
    risk="A slow but successful charge is now retried.",
)
SAID = VerifiedFinding(
    finding=TIMEOUT,
    anchor=Anchor("src/charge.ts", Side.RIGHT, 42, 42, 1),
    verified_by="callers in `src/routes/orders.ts`",
    sources=("typescript", "timeouts"),
    fix=FIX,
)
REMOVED = VerifiedFinding(
    finding=replace(
        TIMEOUT,
        category=Category.SECURITY,
        severity=Severity.CRITICAL,
        rule=None,
        path="src/päth with space.ts",
        quote="requireLogin();",
        title="The login check is gone",
        strong=False,
    ),
    anchor=Anchor("src/päth with space.ts", Side.LEFT, 7, 8, 0),
    fix=Fix(missing=(("patch", "the caller decides which check belongs here"),)),
)
ELSEWHERE = Elsewhere(
    finding=replace(TIMEOUT, kind=Kind.PERFORMANCE, severity=Severity.MEDIUM, rule="unheard-of", path="src/db.ts"),
    line=14,
    verified_by="the pool's size",
)

FULL = Review(
    base=BASE,
    head=HEAD,
    said=(SAID,),
    folded=(REMOVED,),
    elsewhere=(ELSEWHERE,),
    rejected=(Rejected(replace(TIMEOUT, title="Something else"), "quote not in the diff"),),
    skipped=(Skipped("dist/app.js", "generated", 3),),
    not_reviewed=(NotReviewed("src/report.ts", 3, "the model's reply was cut off", "MODEL_TRUNCATED"),),
    hunks=17,
    hunks_reviewed=14,
    overview="The change moves charging behind a queue.",
    personas=("typescript", "node"),
    models=("openai:large",),
    notes=("2 hidden characters in src/a.ts:3",),
    usage=Usage(input_tokens=18_000, cached_tokens=9_000, output_tokens=200, cost_usd=0.07, calls=3),
    seconds=41.2,
)
CLEAN = Review(base=BASE, head=HEAD, said=(), hunks=12, hunks_reviewed=12, by_rules=True)

SECRET = "pgw_live_" + "R7tq2VxN9bKc4LmZ8sWd3HyF"
_LEAK = f'const apiKey = "{SECRET}";'
WITH_SECRET = replace(
    CLEAN,
    said=(
        replace(
            SAID,
            finding=replace(TIMEOUT, quote=_LEAK, explanation=f"Do not write {_LEAK}", title=_LEAK),
            verified_by=_LEAK,
            fix=Fix(patch=replace(PATCH, diff=f"-{_LEAK}\n+const apiKey = process.env.API_KEY;\n"), repro=_LEAK),
        ),
    ),
)
