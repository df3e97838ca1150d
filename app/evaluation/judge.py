"""The judge: which comments tell of the same problem as which labels. It does not know which labels are valid.

One question an attempt, about the comments and labels that share a file. Where one file holds both, everything else is decided
by counting (`pairing`).
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field

from app.core.envelope import Envelope
from app.core.prompt import VERIFY_OUTPUT_TOKENS, Prompt
from app.core.reply import MOST_FINDINGS, Text
from app.core.untrusted import Untrusted
from app.evaluation.values import Attempt, Comment, Label, Link
from app.llm import Model

JUDGE = "judge"
LONGEST_TEXT = 4_000


class Likeness(BaseModel):
    """Which remarks one comment agrees with."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    comment: int
    remarks: list[int] = Field(description="the numbers of the remarks that tell of the same problem; often none")
    reason: Text = Field(description="one sentence: what settles it")


class JudgeReply(BaseModel):
    """The judge's word on every comment."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    comments: list[Likeness] = Field(max_length=MOST_FINDINGS)


async def judge(
    attempt: Attempt, labels: Sequence[Label], *, model: Model, task: str, envelope: Envelope
) -> tuple[Link, ...]:
    """The pairs that tell of the same problem. Raises the model's own errors. Nobody is asked where no file holds both."""
    comments, remarks = candidates(attempt, labels)
    if not comments or not remarks:
        return ()
    completion = await model.complete(
        _prompt(attempt, labels, comments=comments, remarks=remarks, task=task, envelope=envelope), JudgeReply
    )
    return links(completion.reply, comments, remarks)


def candidates(attempt: Attempt, labels: Sequence[Label]) -> tuple[list[int], list[int]]:
    """The places of the inline comments and of the labels that share a file, in the order in which they are shown.

    The labels are shown by path and line, so that their order does not tell which are valid.
    """
    said = {one.path for _, one in attempt.inline}
    labelled = {label.path for label in labels}
    comments = [place for place, one in attempt.inline if one.path in labelled]
    remarks = [place for place, label in enumerate(labels) if label.path in said]
    remarks.sort(key=lambda place: (labels[place].path, labels[place].from_line, labels[place].text))
    return comments, remarks


def links(reply: JudgeReply, comments: Sequence[int], remarks: Sequence[int]) -> tuple[Link, ...]:
    """The reply's numbers (from 1) as places. Numbers that stand for nothing are left out, and repeated pairs."""
    found: dict[tuple[int, int], str] = {}
    for one in reply.comments:
        for number in one.remarks:
            if 1 <= one.comment <= len(comments) and 1 <= number <= len(remarks):
                found.setdefault((comments[one.comment - 1], remarks[number - 1]), one.reason)
    return tuple(Link(comment, label, reason) for (comment, label), reason in sorted(found.items()))


def _prompt(
    attempt: Attempt,
    labels: Sequence[Label],
    *,
    comments: Sequence[int],
    remarks: Sequence[int],
    task: str,
    envelope: Envelope,
) -> Prompt:
    parts = ["## Remarks collected beforehand"]
    parts += [_remark(number, labels[place], envelope) for number, place in enumerate(remarks, start=1)]
    parts.append("## Comments of the reviewer")
    parts += [_said(number, attempt.comments[place], envelope) for number, place in enumerate(comments, start=1)]
    return Prompt(task.strip(), envelope.rule(), "\n\n".join(parts), VERIFY_OUTPUT_TOKENS, JUDGE)


def _remark(number: int, label: Label, envelope: Envelope) -> str:
    text = f"{label.path}, lines {label.from_line} to {label.to_line}\n{label.text}"
    return envelope.wrap(f"remark {number}", Untrusted(text), longest=LONGEST_TEXT)


def _said(number: int, comment: Comment, envelope: Envelope) -> str:
    text = f"{comment.path}, lines {comment.start_line} to {comment.line}\n{comment.title}\n{comment.text}"
    return envelope.wrap(f"comment {number}", Untrusted(text), longest=LONGEST_TEXT)
