"""A match in, evidence out: the lines that the change touches, quoted, and whether a patch may stand on them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath

from app.analysis import languages, parses
from app.analysis.context import LONGEST_CAPTURE, FileContext, Match, Pair
from app.analysis.probe import Probe
from app.core.finding import Side
from app.core.rule import Evidence
from app.core.source import SourceFile, Span, Verdict

LONGEST_PATCH_LINES = 60
LONGEST_QUOTE_LINES = 12


def evidence_of(probe: Probe, match: Match, file: SourceFile, context: FileContext) -> tuple[Evidence, bool]:
    """The evidence of a match in the head, and whether the change touches it."""
    span = (context.line_of(match.start), context.line_of(max(match.start, match.end - 1)))
    focus = focus_of(match, context)
    touched = is_touched(focus, file)
    patched = _patched(match, span, context)
    whole = patched is not None and _is_shown(span, file)
    first, last = span if whole else _clipped(focus, file)
    beyond = "it would reach beyond the lines this pull request shows" if patched is not None and not whole else ""
    why = match.why_no_patch if patched is None else beyond
    made = _told(probe, match, (first, last), context, {"why_no_patch": why} if why else {})
    return replace(made, replacement=patched or "" if whole else ""), touched


def evidence_of_pair(probe: Probe, match: Match, pair: Pair) -> tuple[Evidence, bool]:
    """The evidence of a comparison: on lines of the head, or on lines that the change took away."""
    if not match.removed or pair.base is None:
        return evidence_of(probe, match, pair.file, pair.head)
    first, last = focus_of(match, pair.base)
    gone = [line for line in lines_of((first, last)) if line in pair.file.removed]
    if gone:
        first, last = gone[0], min(gone[-1], gone[0] + LONGEST_QUOTE_LINES - 1)
    made = _told(probe, match, (first, last), pair.base, {})
    return replace(made, side=Side.LEFT), bool(gone)


def _told(probe: Probe, match: Match, span: Span, context: FileContext, more: dict[str, str]) -> Evidence:
    """What the match says of the lines of one side; `more` is captured besides."""
    first, last = span
    captures = {name: text[:LONGEST_CAPTURE] for name, text in match.captures.items()}
    captures |= _place(context.path, first, context) | more
    return Evidence(
        rule=probe.rule,
        detector=probe.detector.name,
        strength=probe.detector.strength,
        path=context.path,
        start_line=first,
        end_line=last,
        quote=match.quote if match.quote is not None else "\n".join(context.lines[first - 1 : last]),
        note=match.note,
        captures=tuple(sorted(captures.items())),
    )


def focus_of(match: Match, context: FileContext) -> Span:
    """The lines that the change must touch for the match to be its own."""
    start, end = match.focus or (match.start, match.end)
    return context.line_of(start), context.line_of(max(start, end - 1))


def lines_of(span: Span) -> range:
    """The lines of a span, both ends included."""
    return range(span[0], span[1] + 1)


def is_touched(focus: Span, file: SourceFile) -> bool:
    """Whether the change adds one of the lines, or removes something from between them."""
    first, last = focus
    if file.whole or any(line in file.changed for line in range(first, last + 1)):
        return True
    return any(first < line <= last for line in file.removed_before)


def _patched(match: Match, span: Span, context: FileContext) -> str | None:
    """The whole lines of the span with the replacement in place; None when there is none or it does not parse."""
    if match.replacement is None or span[1] - span[0] >= LONGEST_PATCH_LINES:
        return None
    start, last = context.start_of(span[0]), context.lines[span[1] - 1]
    stop = context.start_of(span[1]) + len(last)
    lines = context.text[start : match.start] + match.replacement + context.text[match.end : stop]
    if last.endswith("\r"):
        lines = "\r\n".join(line.removesuffix("\r") for line in lines.split("\n")) + "\r"
    after = context.text[:start] + lines + context.text[stop:]
    checked = parses.check(context.path, context.text, after)
    return lines if checked.verdict is not Verdict.WORSE and lines.strip() else None


def _is_shown(span: Span, file: SourceFile) -> bool:
    """Whether a suggestion may stand on all lines of the span: the diff shows them in one hunk."""
    if file.whole:
        return True
    if file.shown:
        return any(first <= span[0] and span[1] <= last for first, last in file.shown)
    return all(line in file.changed for line in range(span[0], span[1] + 1))


def _clipped(focus: Span, file: SourceFile) -> Span:
    """The part of the focus that one hunk shows, short enough to quote."""
    first, last = focus
    for start, end in file.shown:
        if (
            start <= last
            and first <= end
            and any(line in file.changed for line in range(max(first, start), min(last, end) + 1))
        ):
            first, last = max(first, start), min(last, end)
            break
    return first, min(last, first + LONGEST_QUOTE_LINES - 1)


def _place(path: str, line: int, context: FileContext) -> dict[str, str]:
    """What every template may name: file, folder, stem, extension, line."""
    pure = PurePosixPath(path)
    folder = str(pure.parent)
    extension = pure.suffix.lstrip(".") or "txt"
    return {
        "file": path,
        "folder": "" if folder == "." else f"{folder}/",
        "stem": pure.name.split(".")[0],
        "module": ".".join(pure.with_suffix("").parts) if context.language == languages.PYTHON else "",
        "extension": extension,
        "line": str(line),
        "language": "ts"
        if context.language in ("typescript", "tsx")
        else "js"
        if context.language == "javascript"
        else "py",
    }
