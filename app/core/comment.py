"""Every word that people read on a pull request: inline comments, the review's body, the check run.

    Review ── inline ───► review comments       ── body ──► the review's body
           ── document ─► one Markdown text     ── check ─► title, conclusion, summary, annotations of the check run
    no review ── failed / superseded / skipped ─────────► the same, with the reason why there is none

All text of models and strangers passes `app.core.gate` here. What is too long is left out in whole parts, so that no fence and
no fold is ever left open.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from app.core import destructive, gate
from app.core.change import Skipped
from app.core.finding import Elsewhere, Finding, Fix, Kind, Patch, Severity, Side, TestFile, VerifiedFinding
from app.core.gate import Outgoing
from app.core.hidden import reveal
from app.core.plain import masked
from app.core.pull import AnnotationLevel, CheckAnnotation, Conclusion, ReviewComment
from app.core.report import NotReviewed, Review
from app.core.silence import LONGEST_REASON, Silenced
from app.core.usage import Usage
from app.errors import MEANINGS, Code

LONGEST_COMMENT = 60_000
"""GitHub takes 65,536 characters; what a person can read is far less."""
LONGEST_FOLDED = 30_000
LONGEST_ELSEWHERE = 10_000
LONGEST_EXPLANATION = 2_000
LONGEST_OVERVIEW = 600
LONGEST_PATH = 160
LONGEST_MESSAGE = 4_000
MOST_ANNOTATIONS = 50
MOST_ROWS = 40
"""Findings in a table, or told in a line each; the rest is counted."""
MOST_NAMED = 12
"""Files named one by one in a line; the rest is counted."""
MOST_NOTES = 6
MOST_ASSUMPTIONS = 3
SCREEN_LINES = 16
SCREEN_CHARACTERS = 1_200
"""A part that is longer than a screen is folded."""
Item = TypeVar("Item")
_NUMBERS = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
_ESSENTIAL = {
    Kind.BUG: ("repro", "root_cause", "patch", "tests", "risk"),
    Kind.PERFORMANCE: ("measure", "change", "risk"),
    Kind.DESIGN: ("trade_off", "alternative", "migration"),
}
WHY_REFUSED = (
    "A comment needs a reason (`principal-ignore RULE -- reason`), and a change cannot silence what is critical or about "
    "security in itself: that counts once the comment is merged."
)
NO_ANSWER = "no answer was written for this finding"
ASKING = "`/explain` `/fix` `/ignore`"
NO_REASON = "no reason was given"
_TITLE = re.compile(r"(?:\*\*|<details><summary>)([^*<\n]{1,80})(?:\*\*|</summary>)")
_TYPEABLE = re.compile(r"[\w./@+-]{1,160}", re.ASCII)
_LIST = re.compile(r"(?:[-*+]|\d{1,9}[.)])\s")
_CODE_LINE = re.compile(r"^(?!\s*(?:[-*+]|\d+[.)])\s)(?:.*[;{}()\[\],]\s*$|\s*(?://|#|/\*|--)|\s{2,}\S)")
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
    parts = [_opening(review), _table(_in_the_table(review)), _before(review), *_folds(review), *_gaps(review)]
    return gate.release(_fit([*parts, _footer(review, version)], ending=marker))


def document(review: Review, *, version: str) -> str:
    """The whole review as one Markdown text: the verdict and table first, then every comment under its place."""
    parts = [_opening(review), _table(review.findings, most=len(review.findings)), *_gaps(review)]
    for found in review.findings:
        parts += [f"### {_place(found)}", *_comment_parts(found, committable=False)]
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
        *_gaps(review),
    ]
    parts.append(_footer(review, version))
    if conclusion is Conclusion.FAILURE:
        parts.insert(1, f"This check fails because the severity of a finding is {fail_on} or worse.")
    on_the_head = [found for found in review.findings if found.anchor.side is Side.RIGHT]
    return CheckText(
        conclusion=conclusion,
        title=gate.release(_title(review)),
        summary=gate.release(_fit(parts)),
        annotations=tuple(_annotation(found) for found in on_the_head[:MOST_ANNOTATIONS]),
    )


def texts(review: Review, *, version: str) -> tuple[str, ...]:
    """Every text that would leave with this review, for whoever reads them once more before they do."""
    told = check(review, version=version)
    remarks = (text for one in told.annotations for text in (one.path, one.title or "", one.message))
    places = (text for one in inline(review) for text in (one.path, one.body))
    return (body(review, marker="", version=version), *places, told.title, told.summary, *remarks)


def correction(found: VerifiedFinding) -> str:
    """What whoever asks for a fix reads: the patch with its test and its risk; or why there is none, and what to do instead."""
    fix = found.fix or Fix()
    if fix.patch is None:
        reason = dict(fix.missing).get("patch", "it takes more than a change of these lines")
        parts = [f"No patch: {gate.line(reason, longest=LONGEST_OVERVIEW).rstrip('.')}."]
    else:
        parts = [_patch(fix.patch, committable=True)]
    parts += [_part("Change", fix.change), _part("Alternative", fix.alternative), _part("Migration", fix.migration)]
    parts += [*(_test(test) for test in fix.tests), _folded_part("Risk and trade-offs", fix.risk)]
    return _fit([*parts, destructive.caution(*_words_of(found))])


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
    parts = [part for part in (told, _before(review, always=True), *_gaps(review)) if part]
    title = gate.release("Nothing new to review")
    return CheckText(_conclusion(review, fail_on), title, gate.release("\n\n".join(parts)))


def verdict(review: Review) -> str:
    """The one line of verdict, without markup: what a busy person reads first."""
    before_merge = [one for one in review.findings if one.finding.severity in (Severity.CRITICAL, Severity.HIGH)]
    consider = len(review.findings) + len(review.elsewhere) - len(before_merge)
    if before_merge or consider:
        return _problems(len(before_merge), consider)
    if not review.complete:
        scope = f"{review.hunks_reviewed} of {_counted(review.hunks, 'hunk')} were"
        return f"Not all of this was reviewed: {scope}, and no problem was found in them"
    if review.raised:
        return "Nothing to add: people have raised already what was found"
    if review.open_before:
        return f"Nothing new; {_count(review.open_before, 'finding')} from before {_is_or_are(review.open_before)} still open"
    if not review.hunks:
        return "Nothing here to review"
    return "No problems found that are worth your time"


def _is_or_are(number: int) -> str:
    return "is" if number == 1 else "are"


def _problems(before_merge: int, consider: int) -> str:
    first = f"{_count(before_merge, 'problem')} worth fixing before merge" if before_merge else ""
    second = f"{_number(consider)} to consider" if before_merge else f"{_count(consider, 'point')} to consider"
    said = ", ".join(part for part in (first, second if consider else "") if part)
    return f"{_capitalised(said)}."


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
        f"{_count(review.open_before, 'finding')} from before {_is_or_are(review.open_before)} still open"
        if review.open_before and (always or review.says_something)
        else "",
        f"{_count(gone, 'finding')} {'was' if gone == 1 else 'were'} fixed" if gone else "",
        f"{_count(back, 'finding')} that had been fixed {_is_or_are(back)} back" if back else "",
    ]
    said = ", ".join(one for one in told if one)
    return f"{_capitalised(said)}." if said else ""


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
    priority = f"{finding.category.priority} {finding.category.short}{_rule(finding)}"
    return f"| {finding.severity.mark} | {priority} | {_cell(_place(found))} | {gate.cell(finding.title)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _rule(finding: Finding) -> str:
    return f" · {gate.span(finding.rule)}" if finding.rule else ""


def _place(found: VerifiedFinding) -> str:
    """Where it stands, as a reader looks for it; a removed line has its number on the other side."""
    where = gate.span(f"{_path(found.anchor.path)}:{found.anchor.start_line}")
    return f"{where} (removed)" if found.anchor.side is Side.LEFT else where


def _path(path: str) -> str:
    return path if len(path) <= LONGEST_PATH else f"…{path[-LONGEST_PATH:]}"


def _folds(review: Review) -> list[str]:
    folds: list[str] = []
    if review.folded:
        told = _told_within(review.folded, LONGEST_FOLDED, in_full=_told, in_a_line=_in_a_line)
        folds.append(_fold(_title_of_the_folded(review), told))
    if review.elsewhere:
        title = f"{_count(len(review.elsewhere), 'problem')} on lines this change does not touch"
        folds.append(_fold(_capitalised(title), _elsewhere(review)))
    if review.pre_existing:
        folds.append(_fold(_title_of_the_pre_existing(review), _pre_existing(review)))
    return folds


def _title_of_the_pre_existing(review: Review) -> str:
    return f"Pre-existing: {_count(len(review.pre_existing), 'problem')} that stood in these files before this change"


def _pre_existing(review: Review) -> str:
    """A line each: nobody asked for them, and this change is not to blame."""
    return _told_within(review.pre_existing, 0, in_full=_told_elsewhere, in_a_line=_elsewhere_in_a_line)


def _title_of_the_folded(review: Review) -> str:
    title = _capitalised(_count(len(review.folded), "more finding" if review.said else "finding"))
    least_said = max((one.finding.severity.rank for one in review.said), default=None)
    is_less = least_said is not None and all(one.finding.severity.rank > least_said for one in review.folded)
    return f"{title}, less severe" if is_less else title


def _told(found: VerifiedFinding) -> str:
    """A finding in the fold: in full where an answer was written for it, as when GitHub refused the inline comments."""
    where = f"{_headline(found.finding)} — {_place(found)}"
    if found.fix is None:
        told = f"{where}\n\n{gate.clean(found.finding.explanation, longest=LONGEST_EXPLANATION)}"
        return _with_caution(told, found.finding)
    return _fit([where, *_comment_parts(found, committable=False)[1:]], longest=LONGEST_FOLDED)


def _in_a_line(found: VerifiedFinding) -> str:
    return f"- {found.finding.severity.mark} {_place(found)} {gate.line(found.finding.title)}"


def _elsewhere(review: Review) -> str:
    return _told_within(review.elsewhere, LONGEST_ELSEWHERE, in_full=_told_elsewhere, in_a_line=_elsewhere_in_a_line)


def _told_elsewhere(one: Elsewhere) -> str:
    finding = one.finding
    head = f"**{finding.severity.mark} {finding.severity.capitalize()} · {finding.category.short}{_rule(finding)}**"
    where = gate.span(f"{_path(finding.path)}:{one.line}")
    explanation = gate.clean(finding.explanation, longest=LONGEST_EXPLANATION)
    return _with_caution(f"{head} — {gate.line(finding.title)} — {where}\n\n{explanation}", finding)


def _elsewhere_in_a_line(one: Elsewhere) -> str:
    where = gate.span(f"{_path(one.finding.path)}:{one.line}")
    return f"- {one.finding.severity.mark} {where} {gate.line(one.finding.title)}"


def _told_within(
    items: Sequence[Item], longest: int, *, in_full: Callable[[Item], str], in_a_line: Callable[[Item], str]
) -> str:
    """Items in full as far as the room goes, then in a line each, then counted."""
    told: list[str] = []
    left = longest
    for item in items:
        full = in_full(item)
        left -= len(full)
        if left < 0:
            break
        told.append(full)
    lines = [in_a_line(item) for item in items[len(told) :][:MOST_ROWS]]
    more = len(items) - len(told) - len(lines)
    if more:
        lines.append(f"- … and {more} more")
    return "\n\n".join([*told, "\n".join(lines)] if lines else told)


def _gaps(review: Review) -> list[str]:
    """What no one looked at, and why; what was left out on purpose; and what else a reader should know."""
    by_people = _listed([f"{_place(one)} {gate.line(one.finding.title)}" for one in review.raised], MOST_NAMED)
    missed = [_missed(some) for some in _grouped(review.not_reviewed, lambda one: (one.reason, one.code))]
    by_reason = _grouped(review.skipped, lambda one: (one.reason,))
    left_out = "; ".join(_left_out(some, named=max(MOST_NAMED // len(by_reason), 1)) for some in by_reason)
    notes = [f"{gate.line(note, longest=500).rstrip('.')}." for note in review.notes]
    silenced = _listed([_silenced(one) for one in review.silenced], MOST_NAMED)
    refused = _listed([_silenced(one) for one in review.refused], MOST_NAMED)
    return [
        f"Silenced by comments in the code: {silenced}." if silenced else "",
        f"Said although a comment asks for silence: {refused}. {WHY_REFUSED}" if refused else "",
        f"Not repeated, because people have raised it there: {by_people}." if by_people else "",
        *_first(missed, "more reasons why hunks were not reviewed"),
        f"Left out: {left_out}." if left_out else "",
        *_first(notes, "more notes"),
    ]


def _silenced(one: Silenced) -> str:
    """Which rule, where, why, and whether this change says so of itself."""
    place = gate.span(f"{_path(one.by.path)}:{one.by.place}")
    reason = gate.line(one.by.reason, longest=LONGEST_REASON) or "no reason given"
    since = "; added by this change" if one.by.by_change else ""
    return f"{gate.span(one.found.finding.rule or '')} at {place} ({reason}{since})"


def _missed(some: Sequence[NotReviewed]) -> str:
    """Hunks that were missed for one reason: which, why, and what to do about it."""
    first = some[0]
    files = _listed([f"{_counted(one.hunks, 'hunk')} of {gate.span(_path(one.path))}" for one in some], MOST_NAMED)
    said = f"Not reviewed: {files} ({gate.line(first.reason)}, {gate.span(first.code)})."
    code = Code.__members__.get(first.code)
    return f"{said} {_action(MEANINGS[code].action, some)}" if code is not None else said


def _action(action: str, some: Sequence[NotReviewed]) -> str:
    """What to do, with the path filled in where there is one and it can be typed as it is."""
    path = some[0].path
    return action.replace("PATH", path) if len(some) == 1 and _TYPEABLE.fullmatch(path) else action


def _left_out(some: Sequence[Skipped], *, named: int) -> str:
    return f"{_listed([gate.span(_path(one.path)) for one in some], named)} ({gate.line(some[0].reason)})"


def _grouped(items: Iterable[Item], key: Callable[[Item], tuple[str, ...]]) -> list[list[Item]]:
    groups: dict[tuple[str, ...], list[Item]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return list(groups.values())


def _listed(items: Sequence[str], most: int) -> str:
    more = len(items) - most
    return ", ".join(items[:most]) + (f" and {more} more" if more > 0 else "")


def _first(items: Sequence[str], noun: str) -> list[str]:
    more = len(items) - MOST_NOTES
    return [*items[:MOST_NOTES], f"… and {more} {noun}."] if more > 0 else list(items)


def _footer(review: Review, version: str) -> str:
    parts = [_authors(review, version), f"reviewed {gate.span(review.head[:7])}"]
    if review.hunks:
        parts.append(_scope(review))
    if review.usage.tokens:
        parts.append(spent(review.usage))
    parts.append(_duration(review.seconds))
    return f"<sub>{' · '.join(parts)}</sub>"


def _authors(review: Review, version: str) -> str:
    if review.by_rules or not review.models:
        return f"Checked by the rules of principal {version}, without a language model"
    models = ", ".join(gate.line(model, longest=80) for model in review.models)
    personas = [gate.line(persona, longest=80) for persona in review.personas]
    said = f"Written by a language model ({models}) and checked by principal {version}"
    return f"{said} · {_and(personas)} persona{'s' if len(personas) != 1 else ''}" if personas else said


def _scope(review: Review) -> str:
    return f"{review.hunks_reviewed} of {_counted(review.hunks, 'hunk')}"


def spent(usage: Usage) -> str:
    """What model calls used and cost, as a footer tells it."""
    return f"{_thousands(usage.tokens)} tokens, {_price(usage.cost_usd)}"


def _price(cost_usd: float | None) -> str:
    if cost_usd is None:
        return "price unknown"
    return f"${cost_usd:.2f}" if cost_usd >= 0.01 or not cost_usd else "under $0.01"


def _duration(seconds: float) -> str:
    if seconds < 1:
        return "under 1 s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


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
        body=gate.release(_fit(_comment_parts(found, committable=True), ending=marker)),
        side=where.side,
        start_line=start if start < end else None,
    )


def _comment_parts(found: VerifiedFinding, *, committable: bool) -> list[str]:
    """Headline, assumptions, explanation, the parts of the kind's answer in their order, what is missing, the proof."""
    finding, fix = found.finding, found.fix or Fix()
    parts = [_headline(finding), _assumptions(finding), gate.clean(finding.explanation, longest=LONGEST_EXPLANATION)]
    patch, tests = _patch(fix.patch, committable=committable), [_test(test) for test in fix.tests]
    match finding.kind:
        case Kind.BUG:
            parts += [_code_part("Repro", fix.repro, finding.path), _part("Root cause", fix.root_cause), patch, *tests]
            parts.append(_folded_part("Risk and trade-offs", fix.risk))
        case Kind.PERFORMANCE:
            parts += [_part("Measure", fix.measure), _part("Change", fix.change), patch, *tests]
            parts.append(_part("Expected risk", fix.risk))
        case Kind.DESIGN:
            parts += [_part("Trade-off", fix.trade_off), _part("Alternative", fix.alternative), patch]
            parts += [_part("Migration", fix.migration), _api(fix), *tests]
    parts += [
        _missing(finding.kind, found.fix),
        destructive.caution(*_words_of(found)),
        _closing(found, asking=committable),
    ]
    return [part for part in parts if part]


def _headline(finding: Finding) -> str:
    head = f"{finding.severity.mark} {finding.severity.capitalize()} · {finding.category.short}{_rule(finding)}"
    return f"**{head}** — {gate.line(finding.title)}"


def _assumptions(finding: Finding) -> str:
    said = [gate.line(text, longest=LONGEST_OVERVIEW).rstrip(".") for text in finding.assumptions[:MOST_ASSUMPTIONS]]
    return "\n\n".join(f"Assuming that {_uncapitalised(text)}." for text in said if text)


def _part(title: str, text: str) -> str:
    """A part of the answer beside its title, under it where it begins with code, folded where it is long."""
    if not text.strip():
        return ""
    cleaned = gate.clean(text)
    if len(cleaned) > SCREEN_CHARACTERS or cleaned.count("\n") >= SCREEN_LINES:
        return _fold(title, cleaned)
    return _beside(title, cleaned)


def _beside(title: str, cleaned: str) -> str:
    """The text beside its title; code and lists begin on a line of their own."""
    apart = "\n" if cleaned.startswith("```") else "\n\n" if _LIST.match(cleaned) else " "
    return f"**{title}**{apart}{cleaned}"


def _code_part(title: str, text: str, path: str) -> str:
    """The same for a part that may be bare code, which Markdown would take for prose."""
    return _part(title, gate.fence(text.strip("\n"), _language(path)) if _is_code(text) else text)


def _is_code(text: str) -> bool:
    lines = [line for line in text.splitlines() if line.strip()]
    return "`" not in text and bool(lines) and all(_CODE_LINE.search(line) for line in lines)


def _language(path: str) -> str:
    name = path.rpartition("/")[2]
    return name.rpartition(".")[2] if "." in name else ""


def _folded_part(title: str, text: str) -> str:
    return _fold(title, gate.clean(text)) if text.strip() else ""


def _patch(patch: Patch | None, *, committable: bool) -> str:
    """The patch: to be committed with one click where that is right, else as a diff that says why not."""
    if patch is None:
        return ""
    if patch.suggestion and committable:
        return gate.suggestion(patch.replacement)
    diff = gate.fence(patch.diff, "diff")
    why = "" if patch.suggestion else f"not committable here: {gate.line(patch.reason)}"
    if diff.count("\n") >= SCREEN_LINES:
        return _fold("Patch", f"{_capitalised(why)}\n{diff}".strip())
    return f"**Patch**{', ' if why else ''}{why}\n{diff}"


def _test(test: TestFile) -> str:
    code = gate.fence(test.content, test.language)
    return _fold("Test that proves it", f"{gate.span(_path(test.path))}\n{code}" if test.path else code)


def _api(fix: Fix) -> str:
    """What only an API has, in one fold."""
    parts = _parts_of_an_api(fix).items()
    told = [_beside(part.capitalize(), gate.clean(text)) for part, text in parts if text.strip()]
    return _fold("The API", "\n\n".join(told)) if told else ""


def _parts_of_an_api(fix: Fix) -> dict[str, str]:
    return {
        "resources": fix.resources,
        "versioning": fix.versioning,
        "paging": fix.paging,
        "limits": fix.limits,
        "routes": fix.routes,
    }


def _missing(kind: Kind, fix: Fix | None) -> str:
    """Every part that the kind's answer should have and this one has not, with the reason."""
    if fix is None:
        return f"<sub>Not given: {_and([_part_name(part) for part in _ESSENTIAL[kind]])} ({NO_ANSWER}).</sub>"
    of_an_api = _parts_of_an_api(fix)
    wanted = [*_ESSENTIAL[kind], *(of_an_api if any(of_an_api.values()) else ()), *(part for part, _ in fix.missing)]
    reasons = dict(fix.missing)
    lacking = [part for part in dict.fromkeys(wanted) if not getattr(fix, part, None)]
    groups = _grouped(lacking, lambda part: (reasons.get(part, NO_REASON),))
    said = "; ".join(
        f"{_and([_part_name(part) for part in some])} ({gate.line(reasons.get(some[0], NO_REASON)).rstrip('.')})"
        for some in groups
    )
    return f"<sub>Not given: {said}.</sub>" if said else ""


def _part_name(part: str) -> str:
    return {"root_cause": "root cause", "trade_off": "trade-off", "tests": "test"}.get(part, gate.line(part))


def _with_caution(told: str, finding: Finding) -> str:
    caution = destructive.caution(finding.title, finding.explanation)
    return f"{told}\n\n{caution}" if caution else told


def _words_of(found: VerifiedFinding) -> Sequence[str]:
    """Every text of a finding that a person may follow; of a patch, the lines it adds."""
    finding, fix = found.finding, found.fix or Fix()
    prose = [
        fix.repro,
        fix.root_cause,
        fix.risk,
        fix.measure,
        fix.change,
        fix.trade_off,
        fix.alternative,
        fix.migration,
    ]
    api = [fix.resources, fix.versioning, fix.paging, fix.limits, fix.routes]
    code = [*([fix.patch.replacement] if fix.patch else []), *(test.content for test in fix.tests)]
    return [finding.title, finding.explanation, *finding.assumptions, *prose, *api, *code]


def _closing(found: VerifiedFinding, *, asking: bool) -> str:
    """What was proven; in a thread, also what can be asked there."""
    patch = found.fix.patch if found.fix else None
    proven = ["Patch applies and parses"] if patch is not None and patch.suggestion else []
    said = " · ".join(
        [*proven, _proof(found), f"confidence {found.finding.confidence:.1f}", *([ASKING] if asking else [])]
    )
    return f"<sub>{_capitalised(said)}</sub>"


def _proof(found: VerifiedFinding) -> str:
    if found.finding.strong:
        return "found by a rule"
    return f"verified: {gate.line(found.verified_by, longest=120)}" if found.verified_by else "verified"


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


# --- forms ------------------------------------------------------------------------------------------------------------


def _fold(title: str, content: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{content}\n</details>"


def _fit(parts: Sequence[str], *, longest: int = LONGEST_COMMENT, ending: str = "") -> str:
    """The parts one below the other. What does not fit is left out in whole parts, the longest first, and it is said."""
    kept = [part for part in (*parts, ending) if part]
    for _ in range(len(kept)):
        if sum(len(part) + 2 for part in kept) <= longest:
            break
        position = max(range(len(kept)), key=lambda number: len(kept[number]))
        kept[position] = _left_out_for_length(kept[position])
    return "\n\n".join(kept)


def _left_out_for_length(part: str) -> str:
    title = _TITLE.match(part)
    return f"**{title.group(1)}** left out: too long for a comment." if title else "… left out: too long for a comment."


def _count(number: int, noun: str) -> str:
    return f"{_number(number)} {noun}{'s' if number != 1 else ''}"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' if number != 1 else ''}"


def _number(number: int) -> str:
    return _NUMBERS[number] if number < len(_NUMBERS) else str(number)


def _thousands(number: int) -> str:
    return f"{number / 1000:.1f} k" if number >= 1000 else str(number)


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _capitalised(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


def _uncapitalised(text: str) -> str:
    """A sentence's words inside another one; an abbreviation or a name in capitals keeps them."""
    first = text.partition(" ")[0]
    return f"{text[:1].lower()}{text[1:]}" if first[1:] == first[1:].lower() else text
