"""Review → what a person reads in a terminal, and how far it is while they wait.

A line per finding (`src/charge.ts:38:5  high  idempotency  A retry after a lost answer charges twice`), the explanation
indented under it, the patch as a diff, and the verdict last, because that is where the eye lands. Colour only on a terminal
that wants it (https://no-color.org). No text from outside can move the cursor, ring the bell or hide from the reader.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Self, TextIO, TypeVar

from rich import progress
from rich.console import Console
from rich.text import Text

from app.core import comment, plain
from app.core.change import Skipped
from app.core.finding import Finding, Fix, Kind, Patch, Severity, Side, TestFile, VerifiedFinding
from app.core.hidden import reveal
from app.core.report import NotReviewed, Review
from app.core.sarif import column

MOST_NAMED = 12
"""Files named one by one; the rest is counted."""
WIDEST_PROSE = 100
"""Columns: wider lines are hard to read."""
NARROWEST_PROSE = 20

_INDENT = "  "
_SEVERITY_STYLES = {
    Severity.CRITICAL: "bold white on red",
    Severity.HIGH: "bold red",
    Severity.MEDIUM: "yellow",
    Severity.LOW: "dim",
}
_DIFF_STYLES = (("+++", "bold"), ("---", "bold"), ("@@", "cyan"), ("+", "green"), ("-", "red"))

Item = TypeVar("Item")


def show(review: Review, *, stream: TextIO, environ: Mapping[str, str], width: int | None = None) -> None:
    """Writes the review to the stream: in colour and wrapped if it is a terminal, else plain and unwrapped.

    `width` is in columns, by default the terminal's. A character that the stream's encoding lacks is written as an escape.
    """
    page = _Page(stream, environ, width=width)
    for found in review.said:
        _finding(page, found)
    _briefly(page, "Also found, less severe", [(one.finding, _where(one)) for one in review.folded])
    _briefly(
        page,
        "On lines this change does not touch",
        [(one.finding, f"{one.finding.path}:{one.line}:{column(one.finding.quote)}") for one in review.elsewhere],
    )
    _briefly(
        page,
        "Pre-existing, in the files this change touches",
        [(one.finding, f"{one.finding.path}:{one.line}:{column(one.finding.quote)}") for one in review.pre_existing],
    )
    _gaps(page, review)
    _ending(page, review)


def printable(text: str) -> str:
    """The text with secrets masked, and everything that could act on a terminal written out: controls, hidden characters."""
    return reveal(plain.masked(text).replace("\r\n", "\n").replace("\r", "\\r"))


class Progress:
    """How far a review is, on the error stream: a live display on a terminal, a few plain lines elsewhere.

    The plain lines say when a stage begins, each time twice as much is done, and where it ended.
    """

    def __init__(self, *, stream: TextIO, environ: Mapping[str, str]) -> None:
        _escape_what_it_lacks(stream)
        live = stream.isatty() and environ.get("TERM") != "dumb"
        self._stream = stream
        self._display = _display(_console(stream, environ)) if live else None
        self._tasks: dict[str, progress.TaskID] = {}
        self._reached: dict[str, tuple[int, int]] = {}
        self._told: dict[str, tuple[int, int]] = {}

    def __enter__(self) -> Self:
        if self._display is not None:
            self._display.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tell_the_rest()
        if self._display is not None:
            self._display.stop()

    def stage(self, name: str, done: int, total: int) -> None:
        """Says that `done` of the stage's `total` pieces are finished; a total of 0 means that it is not known."""
        if self._display is not None:
            self._draw(self._display, name, done, total)
            return
        if name not in self._told:
            self._tell_the_rest()
        self._reached[name] = (done, total)
        if name not in self._told or done >= max(1, 2 * self._told[name][0]):
            self._tell(name)

    def _draw(self, display: progress.Progress, name: str, done: int, total: int) -> None:
        if name not in self._tasks:
            self._tasks[name] = display.add_task(_one_line(name), total=total or None)
        display.update(self._tasks[name], completed=done, total=total or None)

    def _tell_the_rest(self) -> None:
        for name, (done, _) in self._reached.items():
            if done > self._told[name][0]:
                self._tell(name)

    def _tell(self, name: str) -> None:
        done, total = self._told[name] = self._reached[name]
        self._stream.write(f"{_one_line(name)}: {done} of {total}\n" if total else f"{_one_line(name)} …\n")
        self._stream.flush()


def _display(console: Console) -> progress.Progress:
    return progress.Progress(
        progress.SpinnerColumn(),
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(bar_width=24),
        progress.MofNCompleteColumn(),
        progress.TimeElapsedColumn(),
        console=console,
        transient=True,
    )


class _Page:
    """The stream, as lines of styled text."""

    def __init__(self, stream: TextIO, environ: Mapping[str, str], *, width: int | None) -> None:
        _escape_what_it_lacks(stream)
        self._console = _console(stream, environ, width=width)
        self._wraps = stream.isatty()
        self._prose_width = max(NARROWEST_PROSE, min(self._console.width, WIDEST_PROSE) - len(_INDENT))

    def line(self, *parts: str | Text | tuple[str, str]) -> None:
        """One line, however long: a terminal folds it, a file keeps it whole."""
        self._console.print(Text.assemble(*parts), soft_wrap=True)

    def prose(self, text: str, *, label: str = "") -> None:
        """Indented paragraphs under or beside a label, wrapped on a terminal; fenced code in them keeps its lines."""
        lines = printable(text).strip("\n").split("\n")
        if label and len(lines) > 1:
            self.line(_INDENT, (label, "bold"))
        beside = f"{label}  " if label and len(lines) == 1 else ""
        in_code = False
        for raw in lines:
            fence = raw.lstrip().startswith("```")
            self._indented(Text.assemble((beside, "bold"), raw), keep=in_code or fence)
            in_code = in_code != fence

    def code(self, text: str, *, style: Callable[[str], str]) -> None:
        """Indented lines that keep their shape, each in the style its text asks for."""
        for raw in printable(text).rstrip("\n").split("\n"):
            self.line(_INDENT, (raw, style(raw)))

    def _indented(self, text: Text, *, keep: bool) -> None:
        for line in [text] if keep or not self._wraps else text.wrap(self._console, self._prose_width):
            line.rstrip()
            self.line(_INDENT if line.plain else "", line)


def _console(stream: TextIO, environ: Mapping[str, str], *, width: int | None = None) -> Console:
    colour = stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
    return Console(
        file=stream,
        width=width,
        color_system="auto" if colour else None,
        force_terminal=stream.isatty(),
        force_interactive=stream.isatty(),
        markup=False,
        highlight=False,
        emoji=False,
        legacy_windows=False,
        _environ=environ,
    )


def _escape_what_it_lacks(stream: TextIO) -> None:
    """Makes the stream write an escape where it would otherwise raise (a terminal in a Latin-1 locale)."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")


def _finding(page: _Page, found: VerifiedFinding) -> None:
    finding = found.finding
    page.line(*_headline(finding, _where(found)))
    for assumption in finding.assumptions:
        page.prose(f"Assuming: {assumption}")
    page.prose(finding.explanation)
    if found.fix is not None:
        _fix(page, finding.kind, found.fix)
    page.line(_INDENT, (f"{_proof(found)} · confidence {finding.confidence:.1f}", "dim"))
    page.line()


def _proof(found: VerifiedFinding) -> str:
    if found.finding.strong:
        return "found by a rule"
    return f"verified: {_one_line(found.verified_by)}" if found.verified_by else "verified"


def _headline(finding: Finding, where: str) -> list[str | tuple[str, str]]:
    return [
        (_one_line(where), "bold"),
        "  ",
        (finding.severity.value, _SEVERITY_STYLES[finding.severity]),
        f"  {_one_line(finding.rule or finding.category.slug)}  ",
        (_one_line(finding.title), "bold"),
    ]


def _where(found: VerifiedFinding) -> str:
    """`path:line:column` in the head, which editors and terminals open; a removed line is named by the base's number."""
    anchor = found.anchor
    if anchor.side is Side.LEFT:
        return f"{anchor.path} (removed line {anchor.start_line})"
    return f"{anchor.path}:{anchor.start_line}:{column(found.finding.quote)}"


def _fix(page: _Page, kind: Kind, fix: Fix) -> None:
    """The answer pattern of the kind, in its order; a part that could not be given says why."""
    match kind:
        case Kind.BUG:
            _parts(page, ("Repro", fix.repro), ("Root cause", fix.root_cause))
            _patch(page, fix.patch)
            _tests(page, fix.tests)
            _parts(page, ("Risk", fix.risk))
        case Kind.PERFORMANCE:
            _parts(page, ("Measure", fix.measure), ("Change", fix.change))
            _patch(page, fix.patch)
            _parts(page, ("Expected risk", fix.risk))
        case Kind.DESIGN:
            _parts(page, ("Trade-off", fix.trade_off), ("Alternative", fix.alternative))
            _patch(page, fix.patch)
            _parts(page, ("Migration", fix.migration), ("Resources", fix.resources), ("Versioning", fix.versioning))
            _parts(page, ("Paging", fix.paging), ("Limits", fix.limits), ("Routes", fix.routes))
    for part, reason in fix.missing:
        page.prose(f"{part.replace('_', ' ')}: {reason}", label="Left out")


def _parts(page: _Page, *parts: tuple[str, str]) -> None:
    for label, text in parts:
        if text.strip():
            page.prose(text, label=label)


def _patch(page: _Page, patch: Patch | None) -> None:
    if patch is None:
        return
    page.prose("applies and parses" if patch.suggestion else f"not ready to apply: {patch.reason}", label="Patch")
    page.code(patch.diff, style=_diff_style)


def _diff_style(line: str) -> str:
    return next((style for start, style in _DIFF_STYLES if line.startswith(start)), "")


def _tests(page: _Page, tests: Sequence[TestFile]) -> None:
    for test in tests:
        page.prose(test.path or "in the file that tests this code", label="Test that proves it")
        page.code(test.content, style=lambda _: "dim")


def _briefly(page: _Page, title: str, lines: Sequence[tuple[Finding, str]]) -> None:
    if not lines:
        return
    page.line((f"{title}:", "bold"))
    for finding, where in lines:
        page.line(_INDENT, *_headline(finding, where))
    page.line()


def _gaps(page: _Page, review: Review) -> None:
    """What no one looked at, and why; what was left out on purpose; and what else a reader should know."""
    _named(page, review.not_reviewed, _missed)
    _named(page, review.skipped, _skipped)
    for note in review.notes:
        page.line(_one_line(note))


def _named(page: _Page, items: Sequence[Item], say: Callable[[Item], str]) -> None:
    for item in items[:MOST_NAMED]:
        page.line(_one_line(say(item)))
    if len(items) > MOST_NAMED:
        page.line(f"… and {len(items) - MOST_NAMED} more files")


def _missed(missed: NotReviewed) -> str:
    return f"Not reviewed: {_hunks(missed.hunks)} of {missed.path} ({missed.reason}, {missed.code})"


def _skipped(skipped: Skipped) -> str:
    return f"Left out: {skipped.path} ({skipped.reason})"


def _ending(page: _Page, review: Review) -> None:
    page.line((_one_line(" · ".join(_facts(review))), "dim"))
    if review.overview.strip() and review.worst() is not None:
        page.line(_one_line(review.overview))
    page.line((comment.verdict(review).rstrip(".") + ".", _verdict_style(review)))


def _facts(review: Review) -> list[str]:
    facts = [", ".join(review.models) if review.models and not review.by_rules else "rules only, no language model"]
    if review.personas:
        facts.append(", ".join(review.personas))
    facts.append(f"{review.hunks_reviewed} of {_hunks(review.hunks)}")
    if review.usage.tokens:
        cost = review.usage.cost_usd
        facts.append(f"{review.usage.tokens:,} tokens, " + (f"${cost:.2f}" if cost is not None else "price unknown"))
    facts.append(f"{review.seconds:.0f} s" if review.seconds >= 1 else "under 1 s")
    return facts


def _verdict_style(review: Review) -> str:
    worst = review.worst()
    if worst is not None:
        return "bold red" if worst in (Severity.CRITICAL, Severity.HIGH) else "bold yellow"
    return "bold green" if review.complete else "bold yellow"


def _hunks(number: int) -> str:
    return "1 hunk" if number == 1 else f"{number} hunks"


def _one_line(text: str) -> str:
    return " ".join(printable(text).split())
