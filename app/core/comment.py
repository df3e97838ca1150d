"""Every word that people read on a pull request: inline comments, the review's body, the check run.

    Review ── inline ──► review comments        ── body ──► the review's body
           ── check ───► title, conclusion, summary, annotations of the check run
    code   ── not_reviewed / waiting ──► the check run when nothing could be reviewed

All text of models and strangers passes `app.core.gate` here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from app.core import gate
from app.core.finding import Fix, Kind, Severity, TestFile, VerifiedFinding
from app.core.pull import AnnotationLevel, CheckAnnotation, Conclusion, ReviewComment
from app.core.report import NotReviewed, Review

LONGEST_COMMENT = 60_000
"""GitHub takes 65,536 characters; what a person can read is far less."""
LONGEST_SUMMARY = 60_000
MOST_ANNOTATIONS = 50
MOST_NAMED = 12
"""Files named one by one in a line; the rest is counted."""
Item = TypeVar("Item")
_NUMBERS = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]


@dataclass(frozen=True, slots=True)
class CheckText:
    """What a check run shows when it is completed."""

    conclusion: Conclusion
    title: str
    summary: str
    annotations: tuple[CheckAnnotation, ...] = ()


def inline(review: Review) -> tuple[ReviewComment, ...]:
    """The review comments, in the order they are said."""
    return tuple(_comment(found) for found in review.said)


def body(review: Review, *, marker: str, version: str) -> str:
    """The review's body: one line of verdict, a table by priority, the fold, what was not reviewed, the footer."""
    parts = [_opening(review), _table(review.said), *_folds(review), _gaps(review), _footer(review, version)]
    return _fit([part for part in parts if part], ending=marker)


def document(review: Review, *, version: str) -> str:
    """The whole review as one Markdown text: the verdict and table first, then every comment under its place."""
    parts = [_opening(review), _table(review.findings), _gaps(review)]
    for found in review.findings:
        parts.append(f"### {gate.span(f'{found.anchor.path}:{found.anchor.start_line}')}")
        parts += _comment_parts(found)
    parts += [_elsewhere(review), _footer(review, version)]
    return "\n\n".join(part for part in parts if part) + "\n"


def check(review: Review, *, version: str, fail_on: Severity | None = None) -> CheckText:
    """The completed check run: neutral, unless a severity was named that decides between success and failure."""
    parts = [_opening(review), _table(review.findings), _elsewhere(review), _gaps(review), _footer(review, version)]
    return CheckText(
        conclusion=_conclusion(review, fail_on),
        title=_title(review),
        summary=_fit([part for part in parts if part], ending=""),
        annotations=tuple(_annotation(found) for found in review.findings[:MOST_ANNOTATIONS]),
    )


def failed(*, code: str, what: str, why: str, action: str) -> CheckText:
    """The check run of a review that could not be made: what, why, what to do, and the code the docs explain."""
    return CheckText(
        conclusion=Conclusion.NEUTRAL,
        title=f"Not reviewed: {gate.line(what, longest=150).rstrip('.')} ({code})",
        summary=f"Not reviewed: {gate.line(what, longest=500).rstrip('.')}. {why} (`{code}`)\n\n**What to do:** {action}",
    )


def superseded(by: str = "") -> CheckText:
    """The check run of a review that a newer push overtook."""
    newer = f" by {gate.span(by[:7])}" if by else ""
    return CheckText(
        Conclusion.CANCELLED, "Superseded by a newer push", f"Superseded{newer}; the newer head is reviewed."
    )


def skipped(reason: str) -> CheckText:
    """The check run of a pull request that is not to be reviewed, with the reason."""
    return CheckText(
        Conclusion.NEUTRAL, f"Not reviewed: {gate.line(reason, longest=150)}", f"Not reviewed: {gate.line(reason)}."
    )


def verdict(review: Review) -> str:
    """The one line of verdict, without markup: what a busy person reads first."""
    before_merge = [one for one in review.findings if one.finding.severity in (Severity.CRITICAL, Severity.HIGH)]
    consider = len(review.findings) + len(review.elsewhere) - len(before_merge)
    if before_merge or consider:
        return _problems(len(before_merge), consider)
    if not review.complete:
        scope = f"{review.hunks_reviewed} of {review.hunks} hunks were"
        return f"Not all of this was reviewed: {scope}, and nothing there is worth your time"
    return "No problems found that are worth your time"


def _problems(before_merge: int, consider: int) -> str:
    first = f"{_count(before_merge, 'problem')} worth fixing before merge" if before_merge else ""
    second = f"{_number(consider)} to consider" if before_merge else f"{_count(consider, 'point')} to consider"
    said = ", ".join(part for part in (first, second if consider else "") if part)
    return f"{said[:1].upper()}{said[1:]}."


def _opening(review: Review) -> str:
    line = verdict(review)
    if line.startswith("No problems"):
        scope = f"{review.hunks_reviewed} of {review.hunks} hunks reviewed"
        return f"**{line}** — {scope}{', by rules only' if review.by_rules else ''}."
    overview = gate.clean(review.overview, longest=600)
    stop = "" if line.endswith(".") else "."
    return f"**{line}{stop}** {overview}".strip()


def _title(review: Review) -> str:
    return verdict(review).rstrip(".")


def _conclusion(review: Review, fail_on: Severity | None) -> Conclusion:
    if fail_on is None:
        return Conclusion.NEUTRAL
    worst = review.worst()
    if worst is not None and worst.rank <= fail_on.rank:
        return Conclusion.FAILURE
    return Conclusion.SUCCESS if review.complete else Conclusion.NEUTRAL


def _table(findings: Sequence[VerifiedFinding]) -> str:
    if not findings:
        return ""
    rows = ["| | Priority | Where | What |", "|---|---|---|---|"]
    for found in findings:
        finding = found.finding
        rule = f" · {gate.span(finding.rule)}" if finding.rule else ""
        where = _cell(gate.span(f"{finding.path}:{found.anchor.start_line}"))
        rows.append(
            f"| {finding.severity.mark} | {finding.category.priority} {finding.category.short}{rule} "
            f"| {where} | {gate.cell(finding.title)} |"
        )
    return "\n".join(rows)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _folds(review: Review) -> list[str]:
    folds: list[str] = []
    if review.folded:
        title = f"{_count(len(review.folded), 'more finding')}, less severe"
        folds.append(_fold(title, "\n\n".join(_told(found) for found in review.folded)))
    if review.elsewhere:
        folds.append(
            _fold(f"{_count(len(review.elsewhere), 'problem')} on lines this change does not touch", _elsewhere(review))
        )
    return folds


def _told(found: VerifiedFinding) -> str:
    where = gate.span(f"{found.finding.path}:{found.anchor.start_line}")
    return f"{_headline(found)} — {where}\n\n{gate.clean(found.finding.explanation)}"


def _elsewhere(review: Review) -> str:
    return "\n\n".join(
        f"**{one.finding.severity.mark} {one.finding.severity.capitalize()}** {gate.line(one.finding.title)} — "
        f"{gate.span(f'{one.finding.path}:{one.line}')}\n\n{gate.clean(one.finding.explanation)}"
        for one in review.elsewhere
    )


def _gaps(review: Review) -> str:
    """What no one looked at, and why; and what was left out on purpose."""
    parts: list[str] = []
    if review.not_reviewed:
        parts.append("Not reviewed: " + _listed(review.not_reviewed, _missed) + ".")
    if review.skipped:
        parts.append(
            "Left out: " + _listed(review.skipped, lambda one: f"{gate.span(one.path)} ({gate.line(one.reason)})") + "."
        )
    parts += [gate.line(note, longest=500) for note in review.notes]
    return "\n\n".join(parts)


def _missed(one: NotReviewed) -> str:
    hunks = f"{one.hunks} hunk{'s' if one.hunks != 1 else ''} of "
    return f"{hunks}{gate.span(one.path)} ({gate.line(one.reason)}, {one.code})"


def _listed(items: Sequence[Item], say: Callable[[Item], str]) -> str:
    named = [say(item) for item in items[:MOST_NAMED]]
    more = len(items) - len(named)
    return ", ".join(named) + (f" and {more} more files" if more else "")


def _footer(review: Review, version: str) -> str:
    parts = [f"Written by a language model ({', '.join(review.models)}) and checked by principal {version}"]
    if review.by_rules or not review.models:
        parts = [f"Checked by the rules of principal {version}, without a language model"]
    if review.personas:
        parts.append(f"{_and(review.personas)} persona{'s' if len(review.personas) != 1 else ''}")
    parts.append(f"reviewed {gate.span(review.head[:7])}")
    parts.append(f"{review.hunks_reviewed} of {review.hunks} hunks")
    if review.usage.tokens:
        parts.append(f"{_thousands(review.usage.tokens)} tokens{_price(review)}")
    parts.append(f"{review.seconds:.0f} s" if review.seconds >= 1 else "under 1 s")
    return f"<sub>{' · '.join(parts)}</sub>"


def _price(review: Review) -> str:
    return f", ${review.usage.cost_usd:.2f}" if review.usage.cost_usd is not None else ", price unknown"


def _comment(found: VerifiedFinding) -> ReviewComment:
    where = found.anchor
    return ReviewComment(
        path=where.path,
        line=where.line,
        body=_fit(_comment_parts(found), ending=""),
        side=where.side,
        start_line=where.start_line if where.start_line < where.line else None,
    )


def _comment_parts(found: VerifiedFinding) -> list[str]:
    finding, fix = found.finding, found.fix or Fix()
    parts = [_headline(found), "\n\n".join(_assumptions(found)), gate.clean(finding.explanation)]
    match finding.kind:
        case Kind.BUG:
            parts += [_part("Repro", fix.repro), _part("Root cause", fix.root_cause), _patch(fix), _tests(fix)]
            parts.append(_folded_part("Risk and trade-offs", fix.risk))
        case Kind.PERFORMANCE:
            parts += [_part("Measure", fix.measure), _part("Change", fix.change), _patch(fix), _tests(fix)]
            parts.append(_part("Expected risk", fix.risk))
        case Kind.DESIGN:
            parts += [_part("Trade-off", fix.trade_off), _part("Alternative", fix.alternative), _patch(fix)]
            parts += [
                _part("Migration", fix.migration),
                _part("Resources", fix.resources),
                _part("Versioning", fix.versioning),
            ]
            parts += [
                _part("Paging", fix.paging),
                _part("Limits", fix.limits),
                _part("Routes", fix.routes),
                _tests(fix),
            ]
    parts += [_missing(fix), _closing(found)]
    return [part for part in parts if part]


def _headline(found: VerifiedFinding) -> str:
    finding = found.finding
    rule = f" · {gate.span(finding.rule)}" if finding.rule else ""
    severity = finding.severity.capitalize()
    return f"**{finding.severity.mark} {severity} · {finding.category.short}{rule}** — {gate.line(finding.title)}"


def _assumptions(found: VerifiedFinding) -> list[str]:
    return [f"Assuming that {_uncapitalised(gate.line(text)).rstrip('.')}." for text in found.finding.assumptions[:3]]


def _part(title: str, text: str) -> str:
    if not text.strip():
        return ""
    cleaned = gate.clean(text)
    return f"**{title}**\n{cleaned}" if cleaned.startswith("```") else f"**{title}** {cleaned}"


def _folded_part(title: str, text: str) -> str:
    return _fold(title, gate.clean(text)) if text.strip() else ""


def _patch(fix: Fix) -> str:
    patch = fix.patch
    if patch is None:
        return ""
    if patch.suggestion:
        return gate.fence(patch.replacement, "suggestion")
    return f"**Patch**, not committable here: {gate.line(patch.reason)}\n{gate.fence(patch.diff, 'diff')}"


def _tests(fix: Fix) -> str:
    return "\n".join(_fold("Test that proves it", _test(test)) for test in fix.tests)


def _test(test: TestFile) -> str:
    code = gate.fence(test.content, test.language)
    return f"{gate.span(test.path)}\n{code}" if test.path else code


def _missing(fix: Fix) -> str:
    if not fix.missing:
        return ""
    said = "; ".join(f"{part}: {gate.line(reason).rstrip('.')}" for part, reason in fix.missing)
    return f"<sub>Left out — {said}.</sub>"


def _closing(found: VerifiedFinding) -> str:
    patch = found.fix.patch if found.fix else None
    parts: list[str] = []
    if patch is not None and patch.suggestion:
        parts.append("Patch applies and parses")
    elif patch is not None:
        parts.append("Patch not committable")
    parts.append(_proof(found))
    parts.append(f"confidence {found.finding.confidence:.1f}")
    return f"<sub>{' · '.join(parts)}</sub>"


def _proof(found: VerifiedFinding) -> str:
    if found.finding.strong:
        return "found by a rule"
    return f"verified: {gate.line(found.verified_by, longest=120)}" if found.verified_by else "verified"


def _annotation(found: VerifiedFinding) -> CheckAnnotation:
    level = {
        Severity.CRITICAL: AnnotationLevel.FAILURE,
        Severity.HIGH: AnnotationLevel.FAILURE,
        Severity.MEDIUM: AnnotationLevel.WARNING,
        Severity.LOW: AnnotationLevel.NOTICE,
    }[found.finding.severity]
    return CheckAnnotation(
        path=found.anchor.path,
        start_line=found.anchor.start_line,
        end_line=found.anchor.line,
        level=level,
        message=gate.clean(found.finding.explanation, longest=4_000) or gate.line(found.finding.title),
        title=gate.line(f"{found.finding.rule or found.finding.category.slug}: {found.finding.title}", longest=200),
    )


def _fold(title: str, content: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{content}\n</details>"


def _fit(parts: Sequence[str], *, ending: str) -> str:
    """The parts one below the other, within GitHub's limit: the longest are dropped first, and it is said."""
    kept = list(parts)
    while sum(len(part) + 2 for part in kept) + len(ending) > LONGEST_COMMENT and len(kept) > 1:
        longest = max(range(1, len(kept)), key=lambda position: len(kept[position]))
        kept[longest] = "" if kept[longest].startswith("…") else "… left out: too long for a comment."
    text = "\n\n".join(part for part in kept if part)[:LONGEST_COMMENT]
    return f"{text}\n\n{ending}" if ending else text


def _count(number: int, noun: str) -> str:
    return f"{_number(number)} {noun}{'s' if number != 1 else ''}"


def _number(number: int) -> str:
    return _NUMBERS[number] if number < len(_NUMBERS) else str(number)


def _thousands(number: int) -> str:
    return f"{number / 1000:.1f} k" if number >= 1000 else str(number)


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _uncapitalised(text: str) -> str:
    return text[:1].lower() + text[1:] if text[1:2].islower() else text
