"""Summary → one HTML page that needs nothing else: the numbers, and each diff with what was said beside what was expected."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import jinja2

from app.core import plain
from app.core.finding import Side
from app.core.hidden import reveal
from app.evaluation import show
from app.evaluation.pairing import met
from app.evaluation.scoring import is_expected
from app.evaluation.summary import Summary, rates
from app.evaluation.values import CaseRun, Comment, Label, ShownFile, ShownHunk, Topic

Verdict = Literal["met", "also", "invalid", "none", "missed", "found", "optional", "folded"]
"""How a note is coloured. Of comments: met, also, invalid, none, folded. Of labels: found, missed, optional, invalid."""

WORDS: dict[Verdict, str] = {
    "met": "meets an expected label",
    "also": "meets another valid label",
    "invalid": "people judged this not valid",
    "none": "meets no label",
    "folded": "in the body only",
    "found": "expected, found",
    "missed": "expected, not found",
    "optional": "valid, not scored",
}


@dataclass(frozen=True, slots=True)
class Note:
    """Something said about a line: by a reviewer, or by a label."""

    who: str
    verdict: Verdict
    where: str
    title: str
    text: str
    line: int
    side: Side
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a diff with what is said about it."""

    mark: str
    old: int | None
    new: int | None
    text: str
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class FilePage:
    """A file's hunks as rows; `beside` are notes on lines that the diff does not show."""

    path: str
    hunks: tuple[tuple[str, tuple[Row, ...]], ...]
    beside: tuple[Note, ...]
    notes: int


@dataclass(frozen=True, slots=True)
class CasePage:
    """A case as the page shows it."""

    case: CaseRun
    files: tuple[FilePage, ...]
    counts: tuple[tuple[str, str], ...]
    expected: int


def render(summary: Summary) -> str:
    """The page. Everything from outside is escaped, and its hidden characters are written out."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("app.evaluation", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": show.percent, "money": show.money, "ranged": show.ranged, "visible": visible}
    return environment.get_template("page.html.j2").render(
        summary=summary,
        run=summary.run,
        cases=[case_page(case, summary) for case in summary.run.cases],
        titles=show.TITLES,
        counts=show.COUNTS,
        measured=show.MEASURED,
        funnel=show.FUNNEL,
        a_pull=show.A_PULL,
        words=WORDS,
        rates=rates,
    )


def visible(text: str) -> str:
    """Text from outside, with nothing hidden in it."""
    return reveal(plain.said(text))


def case_page(case: CaseRun, summary: Summary) -> CasePage:
    """A case with every comment and label on its line."""
    notes = tuple(_notes(case, summary))
    counts = tuple(
        (name, show.met_of(one.score.by_case[case.name]))
        for name, one in summary.by_reviewer.items()
        if case.name in one.score.by_case
    )
    paths = {file.path for file in case.files}
    files = [_file(file, [note for path, note in notes if path == file.path]) for file in case.files]
    lost = dict.fromkeys(path for path, _ in notes if path not in paths)
    files += [FilePage(path, (), tuple(note for at, note in notes if at == path), 1) for path in lost]
    expected = sum(1 for label in case.labels if is_expected(label, summary.scored))
    return CasePage(case, tuple(files), counts, expected)


def _notes(case: CaseRun, summary: Summary) -> Iterator[tuple[str, Note]]:
    """Every note with its file: the labels first, then what each reviewer said."""
    meets = {
        name: met(case.attempts[name], case.labels, measure=one.measure, scored=summary.scored, slack=summary.slack)
        for name, one in summary.by_reviewer.items()
        if name in case.attempts
    }
    for place, label in enumerate(case.labels):
        finders = [name for name, pairs in meets.items() if place in pairs.values()]
        yield label.path, _label_note(label, finders, summary.scored)
    for name, pairs in meets.items():
        attempt = case.attempts[name]
        reasons = {(link.comment, link.label): link.reason for link in attempt.links or ()}
        for place, comment in enumerate(attempt.comments):
            label_place = pairs.get(place)
            met_label = case.labels[label_place] if label_place is not None else None
            reason = reasons.get((place, label_place), "") if label_place is not None else ""
            yield comment.path, _comment_note(name, comment, met_label, summary.scored, reason=reason)


def _label_note(label: Label, finders: Sequence[str], scored: Collection[Topic]) -> Note:
    verdict: Verdict
    if not label.valid:
        verdict = "invalid"
    elif finders:
        verdict = "found"
    else:
        verdict = "missed" if is_expected(label, scored) else "optional"
    by = f", by {' and '.join(finders)}" if finders else ""
    return Note(
        who=f"label: {label.topic}{by}",
        verdict=verdict,
        where=_lines(label.from_line, label.to_line),
        title="",
        text=label.text,
        line=label.to_line,
        side=label.side,
    )


def _comment_note(name: str, comment: Comment, label: Label | None, scored: Collection[Topic], *, reason: str) -> Note:
    verdict: Verdict
    if comment.placement != "inline":
        verdict = "folded"
    elif label is None:
        verdict = "none"
    elif not label.valid:
        verdict = "invalid"
    else:
        verdict = "met" if is_expected(label, scored) else "also"
    return Note(
        who=f"{name}: {comment.severity}, {comment.category}, confidence {comment.confidence:.2f}",
        verdict=verdict,
        where=_lines(comment.start_line, comment.line),
        title=comment.title,
        text=comment.text,
        line=comment.line,
        side=comment.side,
        reason=reason,
    )


def _lines(first: int, last: int) -> str:
    return f"line {first}" if first == last else f"lines {first}–{last}"


def _file(file: ShownFile, notes: Sequence[Note]) -> FilePage:
    hunks: list[tuple[str, tuple[Row, ...]]] = []
    placed: set[int] = set()
    for hunk in file.hunks:
        rows = tuple(_rows(hunk, notes, placed))
        hunks.append((hunk.heading, rows))
    beside = tuple(note for number, note in enumerate(notes) if number not in placed)
    return FilePage(file.path, tuple(hunks), beside, len(notes))


def _rows(hunk: ShownHunk, notes: Sequence[Note], placed: set[int]) -> Iterator[Row]:
    """The lines of a hunk, each with the notes that end on it; `placed` takes the notes that have a line."""
    old, new = hunk.old_start, hunk.new_start
    for raw in hunk.body:
        mark, text = raw[:1], raw[1:]
        here = Row(mark, old if mark != "+" else None, new if mark != "-" else None, text)
        mine = [
            number
            for number, note in enumerate(notes)
            if number not in placed and note.line == (here.new if note.side is Side.RIGHT else here.old)
        ]
        placed.update(mine)
        yield Row(here.mark, here.old, here.new, text, tuple(notes[number] for number in mine))
        old += mark != "+"
        new += mark != "-"
