"""Every word that people read on a pull request: inline comments, the review's body, the check run.

    Review ── inline ───► review comments       ── body ──► the review's body
           ── document ─► one Markdown text     ── check ─► title, conclusion, summary, annotations of the check run
    no review ── failed / superseded / skipped ─────────► the same, with the reason why there is none

All text of models and strangers passes `app.core.gate` here. What is too long is left out in whole parts, so that no fence and
no fold is ever left open. What one finding says is put together in `telling`, its forms in `layout`, its words in `wording`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from app.core import destructive, gate
from app.core.finding import Elsewhere, Finding, Severity, Side, VerifiedFinding
from app.core.gaps import gaps
from app.core.gate import Outgoing
from app.core.hidden import reveal
from app.core.layout import MOST_ROWS, fit, fold, told_within
from app.core.plain import masked
from app.core.pull import AnnotationLevel, CheckAnnotation, Conclusion, ReviewComment
from app.core.report import Review
from app.core.telling import (
    LONGEST_EXPLANATION,
    LONGEST_OVERVIEW,
    headline,
    parts_of,
    place_of,
    rule_of,
    shortened,
    with_caution,
)
from app.core.wording import (
    capitalised,
    counted,
    duration,
    enumerated,
    in_words,
    is_or_are,
    spelled,
    spent,
)

LONGEST_FOLDED = 30_000
LONGEST_ELSEWHERE = 10_000
LONGEST_MESSAGE = 4_000
MOST_ANNOTATIONS = 50
_LEVELS = {
    Severity.CRITICAL: AnnotationLevel.FAILURE,
    Severity.HIGH: AnnotationLevel.FAILURE,
    Severity.MEDIUM: AnnotationLevel.WARNING,
    Severity.LOW: AnnotationLevel.NOTICE,
}


@dataclass(frozen=True, slots=True)
class CheckText:
    """What a check run shows when it is completed. `title` and the annotations are shown as they are, not as Markdown."""

    conclusion: Conclusion
    title: Outgoing
    summary: Outgoing
    annotations: tuple[CheckAnnotation, ...] = ()


def _no_mark(_: Finding) -> str:
    return ""


def inline(review: Review, *, mark: Callable[[Finding], str] = _no_mark) -> tuple[ReviewComment, ...]:
    """The review comments, in the order they are said, each with the hidden line that `mark` gives for its finding."""
    return tuple(_comment(found, mark(found.finding)) for found in review.said)


def body(review: Review, *, marker: str, version: str) -> Outgoing:
    """The review's body: one line of verdict, a table by priority, the fold, what was not reviewed, the footer."""
    parts = [_opening(review), _table(_in_the_table(review)), _before(review), *_folds(review), *gaps(review)]
    return gate.release(fit([*parts, _footer(review, version)], ending=marker))


def document(review: Review, *, version: str) -> str:
    """The whole review as one Markdown text: the verdict and table first, then every comment under its place."""
    parts = [_opening(review), _table(review.findings, most=len(review.findings)), *gaps(review)]
    for found in review.findings:
        parts += [f"### {place_of(found)}", *parts_of(found, committable=False)]
    if review.elsewhere:
        parts += ["### On lines this change does not touch", *(_told_elsewhere(one) for one in review.elsewhere)]
    if review.pre_existing:
        parts += [f"### {_title_of_the_pre_existing(review)}", _pre_existing(review)]
    parts.append(_footer(review, version))
    return "\n\n".join(part for part in parts if part) + "\n"


def check(review: Review, *, version: str, fail_on: Severity | None = None) -> CheckText:
    """The completed check run: neutral, unless a severity was named that decides between success and failure."""
    conclusion = _conclusion(review, fail_on)
    parts = [
        _opening(review),
        _table(review.findings),
        _before(review),
        _elsewhere(review),
        *gaps(review),
    ]
    parts.append(_footer(review, version))
    if conclusion is Conclusion.FAILURE:
        parts.insert(1, f"This check fails because the severity of a finding is {fail_on} or worse.")
    on_the_head = [found for found in review.findings if found.anchor.side is Side.RIGHT]
    return CheckText(
        conclusion=conclusion,
        title=gate.release(_title(review)),
        summary=gate.release(fit(parts)),
        annotations=tuple(_annotation(found) for found in on_the_head[:MOST_ANNOTATIONS]),
    )


def texts(review: Review, *, version: str) -> tuple[str, ...]:
    """Every text that would leave with this review, for whoever reads them once more before they do."""
    told = check(review, version=version)
    remarks = (text for one in told.annotations for text in (one.path, one.title or "", one.message))
    places = (text for one in inline(review) for text in (one.path, one.body))
    return (body(review, marker="", version=version), *places, told.title, told.summary, *remarks)


def failed(*, code: str, what: str, why: str, action: str) -> CheckText:
    """The check run of a review that could not be made: what, why, what to do, and the code the docs explain."""
    return CheckText(
        conclusion=Conclusion.NEUTRAL,
        title=gate.release(f"Not reviewed: {gate.plain(what, longest=150).rstrip('.')} ({code})"),
        summary=gate.release(
            f"Not reviewed: {gate.line(what, longest=500).rstrip('.')}. {why} (`{code}`)\n\n**What to do:** {action}"
        ),
    )


def deferred(*, code: str, what: str, why: str, action: str) -> CheckText:
    """The check run of a review that was put off: as of one that failed, but a later look finds it not done."""
    return replace(failed(code=code, what=what, why=why, action=action), conclusion=Conclusion.SKIPPED)


def superseded(by: str = "") -> CheckText:
    """The check run of a review that a newer push overtook."""
    newer = f" by {gate.span(by[:7])}" if by else ""
    return CheckText(
        Conclusion.CANCELLED,
        gate.release("Superseded by a newer push"),
        gate.release(f"Superseded{newer}; the newer head is reviewed."),
    )


def skipped(reason: str) -> CheckText:
    """The check run of a pull request that is not to be reviewed, with the reason."""
    return CheckText(
        Conclusion.SKIPPED,
        gate.release(f"Not reviewed: {gate.plain(reason, longest=150)}"),
        gate.release(f"Not reviewed: {gate.line(reason).rstrip('.')}."),
    )


def nothing_new(review: Review, *, since: str, fail_on: Severity | None = None) -> CheckText:
    """The check run of a push that brought nothing to read: a rebase, or a head that went back to a reviewed one."""
    told = f"Nothing in this push is new since {gate.span(since[:7])} was reviewed, so nothing is said again."
    parts = [part for part in (told, _before(review, always=True), *gaps(review)) if part]
    title = gate.release("Nothing new to review")
    return CheckText(_conclusion(review, fail_on), title, gate.release("\n\n".join(parts)))


def verdict(review: Review) -> str:
    """The one line of verdict, without markup: what a busy person reads first."""
    before_merge = [one for one in review.findings if one.finding.severity in (Severity.CRITICAL, Severity.HIGH)]
    consider = len(review.findings) + len(review.elsewhere) - len(before_merge)
    if before_merge or consider:
        return _problems(len(before_merge), consider)
    if not review.complete:
        scope = f"{review.hunks_reviewed} of {counted(review.hunks, 'hunk')} were"
        return f"Not all of this was reviewed: {scope}, and no problem was found in them"
    if review.raised:
        return "Nothing to add: people have raised already what was found"
    if review.open_before:
        return f"Nothing new; {spelled(review.open_before, 'finding')} from before {is_or_are(review.open_before)} still open"
    if not review.hunks:
        return "Nothing here to review"
    return "No problems found that are worth your time"


def _problems(before_merge: int, consider: int) -> str:
    first = f"{spelled(before_merge, 'problem')} worth fixing before merge" if before_merge else ""
    second = f"{in_words(consider)} to consider" if before_merge else f"{spelled(consider, 'point')} to consider"
    said = ", ".join(part for part in (first, second if consider else "") if part)
    return f"{capitalised(said)}."


# --- the parts of a body ----------------------------------------------------------------------------------------------


def _opening(review: Review) -> str:
    line = verdict(review)
    if line.startswith("No problems"):
        return f"**{line}** — {_scope(review)} reviewed{', by rules only' if review.by_rules else ''}."
    overview = gate.line(review.overview, longest=LONGEST_OVERVIEW)
    opening = f"**{line.rstrip('.')}.** {overview}".strip()
    caution = destructive.caution(review.overview)
    return f"{opening}\n\n{caution}" if caution else opening


def _title(review: Review) -> str:
    line = verdict(review).rstrip(".")
    return line if review.complete or line.startswith("Not all") else f"{line}; {_scope(review)} reviewed"


def _conclusion(review: Review, fail_on: Severity | None) -> Conclusion:
    if fail_on is None:
        return Conclusion.NEUTRAL
    worst = review.worst()
    if worst is not None and worst.rank <= fail_on.rank:
        return Conclusion.FAILURE
    return Conclusion.SUCCESS if review.complete else Conclusion.NEUTRAL


def _before(review: Review, *, always: bool = False) -> str:
    """What became of the findings of earlier reviews, in a line."""
    back, gone = len(review.recalled.back), len(review.recalled.gone)
    told = [
        f"{spelled(review.open_before, 'finding')} from before {is_or_are(review.open_before)} still open"
        if review.open_before and (always or review.says_something)
        else "",
        f"{spelled(gone, 'finding')} {'was' if gone == 1 else 'were'} fixed" if gone else "",
        f"{spelled(back, 'finding')} that had been fixed {is_or_are(back)} back" if back else "",
    ]
    said = ", ".join(one for one in told if one)
    return f"{capitalised(said)}." if said else ""


def _in_the_table(review: Review) -> Sequence[VerifiedFinding]:
    """What stands inline; without inline comments, what would have been worth one."""
    return review.said or [found for found in review.folded if found.finding.severity is not Severity.LOW]


def _table(findings: Sequence[VerifiedFinding], *, most: int = MOST_ROWS) -> str:
    if not findings:
        return ""
    rows = ["| | Priority | Where | What |", "|---|---|---|---|", *(_row(found) for found in findings[:most])]
    more = len(findings) - most
    return "\n".join(rows) + (f"\n\n… and {more} more." if more > 0 else "")


def _row(found: VerifiedFinding) -> str:
    finding = found.finding
    priority = f"{finding.category.priority} {finding.category.short}{rule_of(finding)}"
    return f"| {finding.severity.mark} | {priority} | {_cell(place_of(found))} | {gate.cell(finding.title)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _folds(review: Review) -> list[str]:
    folds: list[str] = []
    if review.folded:
        told = told_within(review.folded, LONGEST_FOLDED, in_full=_told, in_a_line=_in_a_line)
        folds.append(fold(_title_of_the_folded(review), told))
    if review.elsewhere:
        title = f"{spelled(len(review.elsewhere), 'problem')} on lines this change does not touch"
        folds.append(fold(capitalised(title), _elsewhere(review)))
    if review.pre_existing:
        folds.append(fold(_title_of_the_pre_existing(review), _pre_existing(review)))
    return folds


def _title_of_the_pre_existing(review: Review) -> str:
    return f"Pre-existing: {spelled(len(review.pre_existing), 'problem')} that stood in these files before this change"


def _pre_existing(review: Review) -> str:
    """A line each: nobody asked for them, and this change is not to blame."""
    return told_within(review.pre_existing, 0, in_full=_told_elsewhere, in_a_line=_elsewhere_in_a_line)


def _title_of_the_folded(review: Review) -> str:
    title = capitalised(spelled(len(review.folded), "more finding" if review.said else "finding"))
    least_said = max((one.finding.severity.rank for one in review.said), default=None)
    is_less = least_said is not None and all(one.finding.severity.rank > least_said for one in review.folded)
    return f"{title}, less severe" if is_less else title


def _told(found: VerifiedFinding) -> str:
    """A finding in the fold: in full where an answer was written for it, as when GitHub refused the inline comments."""
    where = f"{headline(found.finding)} — {place_of(found)}"
    if found.fix is None:
        told = f"{where}\n\n{gate.clean(found.finding.explanation, longest=LONGEST_EXPLANATION)}"
        return with_caution(told, found.finding)
    return fit([where, *parts_of(found, committable=False)[1:]], longest=LONGEST_FOLDED)


def _in_a_line(found: VerifiedFinding) -> str:
    return f"- {found.finding.severity.mark} {place_of(found)} {gate.line(found.finding.title)}"


def _elsewhere(review: Review) -> str:
    return told_within(review.elsewhere, LONGEST_ELSEWHERE, in_full=_told_elsewhere, in_a_line=_elsewhere_in_a_line)


def _told_elsewhere(one: Elsewhere) -> str:
    finding = one.finding
    head = f"**{finding.severity.mark} {finding.severity.capitalize()} · {finding.category.short}{rule_of(finding)}**"
    where = gate.span(f"{shortened(finding.path)}:{one.line}")
    explanation = gate.clean(finding.explanation, longest=LONGEST_EXPLANATION)
    return with_caution(f"{head} — {gate.line(finding.title)} — {where}\n\n{explanation}", finding)


def _elsewhere_in_a_line(one: Elsewhere) -> str:
    where = gate.span(f"{shortened(one.finding.path)}:{one.line}")
    return f"- {one.finding.severity.mark} {where} {gate.line(one.finding.title)}"


def _footer(review: Review, version: str) -> str:
    parts = [_authors(review, version), f"reviewed {gate.span(review.head[:7])}"]
    if review.hunks:
        parts.append(_scope(review))
    if review.usage.tokens:
        parts.append(spent(review.usage))
    parts.append(duration(review.seconds))
    return f"<sub>{' · '.join(parts)}</sub>"


def _authors(review: Review, version: str) -> str:
    if review.by_rules or not review.models:
        return f"Checked by the rules of principal {version}, without a language model"
    models = ", ".join(gate.line(model, longest=80) for model in review.models)
    personas = [gate.line(persona, longest=80) for persona in review.personas]
    said = f"Written by a language model ({models}) and checked by principal {version}"
    return f"{said} · {enumerated(personas)} persona{'s' if len(personas) != 1 else ''}" if personas else said


def _scope(review: Review) -> str:
    return f"{review.hunks_reviewed} of {counted(review.hunks, 'hunk')}"


# --- the parts of a comment -------------------------------------------------------------------------------------------


def _comment(found: VerifiedFinding, marker: str) -> ReviewComment:
    """The comment where its finding stands; with a suggestion on exactly the lines that this replaces."""
    where, patch = found.anchor, found.fix.patch if found.fix else None
    start, end = where.start_line, where.line
    if patch is not None and patch.suggestion:
        start, end = patch.start_line, patch.end_line
    return ReviewComment(
        path=where.path,
        line=end,
        body=gate.release(fit(parts_of(found, committable=True), ending=marker)),
        side=where.side,
        start_line=start if start < end else None,
    )


def _annotation(found: VerifiedFinding) -> CheckAnnotation:
    finding = found.finding
    message = reveal(masked(finding.explanation)).strip()[:LONGEST_MESSAGE]
    return CheckAnnotation(
        path=found.anchor.path,
        start_line=found.anchor.start_line,
        end_line=found.anchor.line,
        level=_LEVELS[finding.severity],
        message=gate.release(message or gate.plain(finding.title)),
        title=gate.release(gate.plain(f"{finding.rule or finding.category.slug}: {finding.title}", longest=200)),
    )
