"""The baseline: one plain prompt with the whole diff, to the same model, under the same cap.

A pipeline earns its cost only by what it adds to this. Nothing is verified, merged or looked up here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pydantic import BaseModel, ConfigDict, Field

from app.core import anchor, budget, plain, prompt
from app.core.change import Change, FileDiff
from app.core.envelope import Envelope
from app.core.finding import Anchor, Severity, Side
from app.core.reply import MOST_FINDINGS, CategoryWord, Confidence, SeverityWord, Text
from app.errors import PrincipalError
from app.evaluation.values import SINGLE, Attempt, Comment, Failure, Funnel
from app.llm import Model

SINGLE_TOKENS = 100_000
"""Of diff in the one prompt; what does not fit is named as not read."""


class PlainClaim(BaseModel):
    """A problem, as a model that was simply asked tells of it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    path: Text
    first_line: int
    last_line: int
    quote: Text
    title: Text
    explanation: Text
    severity: SeverityWord
    category: CategoryWord
    confidence: Confidence


class SingleReply(BaseModel):
    """What a model says when it is simply asked."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    problems: list[PlainClaim] = Field(max_length=MOST_FINDINGS)


async def attempt(
    change: Change,
    *,
    head: Mapping[str, Sequence[str]],
    model: Model,
    task: str,
    envelope: Envelope,
    cap: int,
) -> Attempt:
    """What the model says to one plain prompt, cut at the cap. `head` are the head files' lines."""
    batches, left_over = budget.cut(change.files, batch_tokens=SINGLE_TOKENS, most_tokens=SINGLE_TOKENS)
    if not batches:
        return Attempt()
    missed = {piece.key for piece in (*left_over, *(piece for batch in batches[1:] for piece in batch.pieces))}
    asked = prompt.review(
        task.replace("{comments}", str(cap)),
        prompt.shared(change, envelope=envelope),
        body=prompt.body(batches[0], envelope=envelope),
        task="",
    )
    try:
        completion = await model.complete(replace(asked, purpose=SINGLE), SingleReply)
    except PrincipalError as error:
        return Attempt(hunks=change.hunks, failure=Failure(error.code, error.what))
    claims = completion.reply.problems
    placed = [(claim, place) for claim in claims if (place := _place(claim, change, head)) is not None]
    placed.sort(key=lambda one: Severity(one[0].severity).rank)
    comments = [_comment(claim, place, is_said=number < cap) for number, (claim, place) in enumerate(placed)]
    said = min(len(comments), cap)
    return Attempt(
        comments=tuple(comments),
        funnel=Funnel(claimed=len(claims), misplaced=len(claims) - len(placed), folded=len(placed) - said, said=said),
        hunks=change.hunks,
        hunks_reviewed=change.hunks - len(missed),
        gaps=(f"{len(missed)} hunks did not fit into the one prompt",) if missed else (),
    )


def _place(claim: PlainClaim, change: Change, head: Mapping[str, Sequence[str]]) -> Anchor | None:
    """Where a comment could stand: where the quote stands, else on the lines it names, if the diff shows them."""
    file = change.file(claim.path) or change.file(claim.path.removeprefix("b/"))
    if file is None:
        return None
    found = anchor.locate(claim.quote, file=file, head_lines=head.get(file.path), hint=claim.first_line)
    return found if isinstance(found, Anchor) else _on_lines(claim, file)


def _on_lines(claim: PlainClaim, file: FileDiff) -> Anchor | None:
    for number, hunk in enumerate(file.hunks):
        first, last = max(claim.first_line, hunk.new_start), min(claim.last_line, hunk.new_end)
        if first <= last:
            return Anchor(file.path, Side.RIGHT, first, last, number)
    return None


def _comment(claim: PlainClaim, place: Anchor, *, is_said: bool) -> Comment:
    return Comment(
        path=place.path,
        side=place.side,
        start_line=place.start_line,
        line=place.line,
        title=plain.said(claim.title),
        text=plain.said(claim.explanation),
        severity=Severity(claim.severity),
        category=claim.category,
        confidence=claim.confidence,
        source=SINGLE,
        placement="inline" if is_said else "folded",
    )
