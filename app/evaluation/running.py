"""Cases → Run: each case reviewed by the whole story and by one plain prompt, judged, and reported however it went."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from pydantic import BaseModel

from app.analysis import Scanner
from app.core import fingerprint, options, plain, secrets
from app.core.change import Change, FileDiff
from app.core.envelope import Envelope
from app.core.finding import Elsewhere, Filter, Finding, Fix, Kind, Side, VerifiedFinding
from app.core.options import Options
from app.core.reply import Claim, ReviewReply
from app.core.report import Review
from app.errors import Code as ErrorCode
from app.errors import PrincipalError
from app.evaluation import judge as judging
from app.evaluation import prefixes, single
from app.evaluation.cases import Case, Unreadable
from app.evaluation.opening import Opened, opened, shown
from app.evaluation.prefixes import Asked
from app.evaluation.replies import ByHand, Remembering, Replies
from app.evaluation.values import (
    PRINCIPAL,
    SINGLE,
    Attempt,
    CaseRun,
    Comment,
    Conduct,
    Failure,
    Funnel,
    Placement,
    Run,
    Spent,
)
from app.library import Library
from app.llm import Model
from app.llm.models import Models
from app.review import AtOnce, Reviewer, review
from app.stages import read
from app.stages.fix import PARTS
from app.stages.read import Code

SECRET_KEY = hashlib.sha256(b"principal eval: the same for everybody, so that prompts repeat").digest()


@dataclass(frozen=True, slots=True)
class Plan:
    """How an evaluation is made."""

    options: Options = field(default_factory=Options)
    baseline: bool = True
    at_once: int = 4
    """Cases under review at the same time."""


@dataclass(frozen=True, slots=True)
class Kit:
    """What an evaluation is made with. `models` may hold none: then rules alone review.

    `judge` decides what means the same; without one, lines alone are compared.
    """

    library: Library
    models: Models
    judge: Model | None
    replies: Replies
    scanner: Scanner
    version: str
    most_tokens: int
    clock: Callable[[], float] = time.monotonic


Told = Callable[[Run, CaseRun], None]
"""Hears of the run so far, and of the case that was finished last."""


async def run(
    cases: Sequence[Case | Unreadable], *, kit: Kit, plan: Plan, told: Told = lambda _run, _case: None
) -> Run:
    """Every case, reviewed and judged; what could not be done is in the run as well."""
    turns = asyncio.Semaphore(plan.at_once)
    done: dict[str, CaseRun] = {}

    async def one(case: Case | Unreadable) -> None:
        async with turns:
            done[case.name] = await run_case(case, kit=kit, plan=plan)
        told(_run(cases, done, kit=kit, plan=plan), done[case.name])

    async with asyncio.TaskGroup() as group:
        for case in cases:
            group.create_task(one(case))
    return _run(cases, done, kit=kit, plan=plan)


async def run_case(case: Case | Unreadable, *, kit: Kit, plan: Plan) -> CaseRun:
    """One case: what was expected, and what each reviewer made of it."""
    if isinstance(case, Unreadable):
        return CaseRun(case.name, failure=case.failure)
    about = CaseRun(case.name, case.language, case.kind, plain.said(case.intent.title.text))
    try:
        async with opened(case) as ready:
            attempts = {PRINCIPAL: await _story(ready, kit=kit, plan=plan)}
            if plan.baseline and kit.models.review is not None:
                attempts[SINGLE] = await _single(ready, kit=kit, plan=plan)
            return replace(about, labels=ready.labels, files=shown(ready.change), attempts=attempts)
    except PrincipalError as error:
        return replace(about, failure=Failure(error.code, error.what))
    except Exception as error:  # noqa: BLE001 - a defect that one case shows must not cost the others their results
        return replace(about, failure=Failure(ErrorCode.INTERNAL, f"{type(error).__name__}: {error}"))


# --- the reviewers ----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Ledger:
    """What a case asked, while it asks."""

    kit: Kit
    spent: list[Spent] = field(default_factory=list)
    replies: list[BaseModel] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)

    def around(self, model: Model) -> Model:
        kept = None if isinstance(model, ByHand) else self.kit.replies
        return Remembering(
            model,
            replies=kept,
            told=self.spent.append,
            heard=self.replies.append,
            asked=self.asked.append,
            clock=self.kit.clock,
        )


async def _story(ready: Opened, *, kit: Kit, plan: Plan) -> Attempt:
    """What the whole story says."""
    ledger = _Ledger(kit)
    started = kit.clock()
    reviewer = Reviewer(
        library=kit.library,
        models=kit.models.through(ledger.around),
        scanner=kit.scanner,
        secret_key=SECRET_KEY,
        version=kit.version,
        clock=kit.clock,
        most_tokens=kit.most_tokens,
        options=plan.options,
    )
    try:
        found = await review(ready.change, tree=ready.tree, reviewer=reviewer, step=AtOnce())
    except PrincipalError as error:
        made = Attempt(hunks=ready.change.hunks, failure=Failure(error.code, error.what))
    else:
        made = _attempt(found, ledger.replies, ready.change, await read.code(ready.change, tree=ready.tree))
    made = replace(
        made, spent=tuple(ledger.spent), prefixes=prefixes.measured(ledger.asked), seconds=kit.clock() - started
    )
    return await _judged(made, ready, kit=kit)


async def _single(ready: Opened, *, kit: Kit, plan: Plan) -> Attempt:
    """What one plain prompt says."""
    if kit.models.review is None:
        raise AssertionError("without a model there is nobody to ask")
    ledger = _Ledger(kit)
    started = kit.clock()
    made = await single.attempt(
        ready.change,
        head=(await read.code(ready.change, tree=ready.tree)).lines(),
        model=ledger.around(kit.models.review),
        task=kit.library.tasks["single"],
        envelope=_envelope(ready.change),
        cap=plan.options.comments,
    )
    made = replace(made, spent=tuple(ledger.spent), seconds=kit.clock() - started)
    return await _judged(made, ready, kit=kit)


async def _judged(made: Attempt, ready: Opened, *, kit: Kit) -> Attempt:
    """The attempt with the judge's links."""
    if kit.judge is None or made.failure is not None:
        return made
    ledger = _Ledger(kit)
    try:
        links = await judging.judge(
            made,
            ready.labels,
            model=ledger.around(kit.judge),
            task=kit.library.tasks["judge"],
            envelope=_envelope(ready.change),
        )
    except PrincipalError as error:
        return replace(made, unjudged=Failure(error.code, error.what), judging=tuple(ledger.spent))
    return replace(made, links=links, judging=tuple(ledger.spent))


def _envelope(change: Change) -> Envelope:
    nonce = fingerprint.nonce(key=SECRET_KEY, base=change.base, head=change.head)
    return Envelope(nonce, redact=secrets.redact)


# --- from a review to an attempt --------------------------------------------------------------------------------------


def _attempt(found: Review, replies: Sequence[BaseModel], change: Change, code: Code) -> Attempt:
    claims = [claim for one in replies if isinstance(one, ReviewReply) for claim in one.findings]
    gaps = tuple(dict.fromkeys(f"{one.path}: {one.reason} ({one.code})" for one in found.not_reviewed))
    nothing = found.hunks > 0 and found.hunks_reviewed == 0 and not found.findings and bool(found.not_reviewed)
    first = found.not_reviewed[0] if nothing else None
    return Attempt(
        comments=(
            *(_verified(one, "inline") for one in found.said),
            *(_verified(one, "folded") for one in found.folded),
            *(_beside(one) for one in found.elsewhere),
        ),
        funnel=funnel(found, claimed=len(claims)),
        conduct=conduct(found, claims, change, code),
        hunks=found.hunks,
        hunks_reviewed=found.hunks_reviewed,
        failure=Failure(first.code, first.reason) if first is not None else None,
        gaps=() if nothing else gaps,
    )


def funnel(found: Review, *, claimed: int) -> Funnel:
    """How many findings came through each part. What is neither left nor rejected was merged with what is."""
    by = [one.by for one in found.rejected]
    by_rules = sum(1 for one in found.findings if one.finding.strong)
    by_rules += sum(1 for one in found.rejected if one.finding.strong)
    left = len(found.said) + len(found.folded) + len(found.elsewhere) + len(found.rejected)
    return Funnel(
        claimed=claimed,
        by_rules=by_rules,
        misplaced=by.count(Filter.PLACE),
        unformed=by.count(Filter.FORM),
        refuted=by.count(Filter.DOUBT),
        unsure=by.count(Filter.RANK),
        unwanted=by.count(Filter.POLICY),
        merged=claimed + by_rules - left,
        folded=len(found.folded),
        elsewhere=len(found.elsewhere),
        said=len(found.said),
    )


def conduct(found: Review, claims: Sequence[Claim], change: Change, code: Code) -> Conduct:
    """Whether the review keeps its form. A quote is exact when it stands, letter by letter, in the head or in the diff."""
    texts = {file.path: f"{code.text.get(file.path, '')}\n{_of_diff(file)}" for file in change.files}
    fixes = [(one.finding.kind, one.fix) for one in found.said if one.fix is not None]
    patches = [fix.patch for _, fix in fixes if fix.patch is not None]
    return Conduct(
        quotes=len(claims),
        exact_quotes=sum(1 for claim in claims if claim.quote.strip("\n") in texts.get(claim.path, "")),
        answered=len(fixes),
        whole=sum(1 for kind, fix in fixes if is_whole(kind, fix)),
        patches=len(patches),
        suggestions=sum(1 for patch in patches if patch.suggestion),
    )


def is_whole(kind: Kind, fix: Fix) -> bool:
    """Whether every part of the kind's answer is there, or named as missing."""
    excused = {part for part, _ in fix.missing}
    return all(getattr(fix, part) or part in excused for part in PARTS[kind])


def _of_diff(file: FileDiff) -> str:
    return "\n".join(raw[1:] for hunk in file.hunks for raw in hunk.body)


def _verified(found: VerifiedFinding, placement: Placement) -> Comment:
    place = found.anchor
    return _comment(found.finding, place.side, place.start_line, place.line, placement)


def _beside(found: Elsewhere) -> Comment:
    return _comment(found.finding, Side.RIGHT, found.line, found.line, "elsewhere")


def _comment(finding: Finding, side: Side, first: int, last: int, placement: Placement) -> Comment:
    return Comment(
        path=finding.path,
        side=side,
        start_line=first,
        line=last,
        title=plain.said(finding.title),
        text=plain.said("\n".join(text for text in (finding.explanation, finding.scenario) if text)),
        severity=finding.severity,
        category=finding.category.slug,
        confidence=finding.confidence,
        source=finding.source,
        placement=placement,
    )


def _run(cases: Sequence[Case | Unreadable], done: dict[str, CaseRun], *, kit: Kit, plan: Plan) -> Run:
    return Run(
        version=1,
        program=kit.version,
        model=kit.models.review.name if kit.models.review is not None else "none",
        judge=kit.judge.name if kit.judge is not None else "none",
        options=options.differences(plan.options),
        cap=plan.options.comments,
        cases=tuple(done[case.name] for case in cases if case.name in done),
    )
