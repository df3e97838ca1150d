"""A finding that was said before, taken up again: where its code stands now, and which patch can be committed in its thread.

Said + the change as it is now ── found_again ──► VerifiedFinding, or Gone(why)
what its rule says anew ──────── same_place ────► the one of these lines
its patch + the thread's lines ── within ───────► a suggestion only if it replaces exactly these
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from app.core.anchor import Missing, Outside, locate
from app.core.change import Change
from app.core.finding import Finding, VerifiedFinding
from app.core.memory import Said
from app.core.pull import ReviewThread

ELSEWHERE = "it replaces other lines than those that this thread stands on"


@dataclass(frozen=True, slots=True)
class Gone:
    """The finding's code is not part of the change any more, and how a person is told."""

    reason: str


def found_again(
    said: Said, *, explanation: str, change: Change, text: str | None, hint: int | None
) -> VerifiedFinding | Gone:
    """The finding on the head of this change. `text` is its file's head text; `hint` the line its thread stands on now.

    `explanation` is what was said of it, since a memory keeps only the title and the code.
    """
    file = change.file(said.path)
    if file is None:
        return Gone("its file is not part of this change any more")
    where = locate(said.quote, file=file, head_lines=text.split("\n") if text is not None else None, hint=hint)
    match where:
        case Missing():
            return Gone("its code does not stand in the change any more")
        case Outside():
            return Gone("its code stands on lines that this change does not touch any more")
        case anchor:
            finding = Finding(
                kind=said.kind,
                category=said.category,
                severity=said.severity,
                confidence=1.0,
                path=said.path,
                quote=said.quote,
                title=said.title,
                explanation=explanation,
                source="memory",
                rule=said.rule,
            )
            return VerifiedFinding(finding, anchor)


def same_place(found: VerifiedFinding, corrected: Iterable[VerifiedFinding]) -> VerifiedFinding | None:
    """Of what a rule says anew, what it says of the lines of this finding; None when it says nothing there."""
    here = found.anchor

    def overlaps(one: VerifiedFinding) -> bool:
        there = one.anchor
        apart = there.line < here.start_line or here.line < there.start_line
        return (there.path, there.side) == (here.path, here.side) and not apart

    return next((one for one in corrected if one.finding.rule == found.finding.rule and overlaps(one)), None)


def within(found: VerifiedFinding, thread: ReviewThread) -> VerifiedFinding:
    """The finding, whose patch is a suggestion only where a click in this thread replaces exactly the lines it is for.

    GitHub puts a suggestion on the lines of the thread's first comment, whatever lines its text is about.
    """
    fix = found.fix
    if fix is None or fix.patch is None or not fix.patch.suggestion:
        return found
    patch = fix.patch
    if (thread.start_line or thread.line, thread.line) == (patch.start_line, patch.end_line):
        return found
    return replace(found, fix=replace(fix, patch=replace(patch, suggestion=False, reason=ELSEWHERE)))
