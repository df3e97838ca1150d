"""Files and detectors in, evidence out: new where the change touches it, existing elsewhere. Runs in the worker process.

Two passes. First each file of the head is looked at on its own; then the detectors that compare see both sides of the
change, all of its files together, because what left one file may stand in another.

One rule's failure never stops a scan: it is caught (also a panic of the matcher, which is no `Exception`), noted, and the
other rules go on. A detector that has used up its time is left out of the remaining files.
"""

from __future__ import annotations

import re
import signal
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import PurePosixPath
from types import FrameType

from ast_grep_py import SgNode

from app.analysis import compare, finder, languages, parses, prefilter
from app.analysis.context import (
    LONGEST_CAPTURE,
    Candidate,
    FileContext,
    Match,
    Pair,
    enclosing_function,
    exported_name,
    function_name,
)
from app.analysis.refine import is_asked, refine, search
from app.core import evidence
from app.core.finding import Side
from app.core.rule import Comparison, Detector, Evidence, Rule
from app.core.source import ScanNote, ScanResult, SourceFile, Span, Surroundings, Verdict

LONGEST_FILE = 1_000_000
LONGEST_LINE = 50_000
MATCHES_PER_DETECTOR_AND_FILE = 50
KEYS_PER_DETECTOR_AND_FILE = 2_000
"""Of a comparison, which must see all of a file's routes to know that one is gone."""
MOST_CANDIDATES = 20_000
LONGEST_PATCH_LINES = 60
LONGEST_QUOTE_LINES = 12
TICK_SECONDS = 0.1
SECONDS_PER_DETECTOR = 2.0
"""Of processor time and per request, so that a busy machine does not switch rules off."""
ANY = "any"
_VARIABLE = re.compile(r"(?<!\$)\$([A-Z_][A-Z0-9_]*)")


@dataclass(frozen=True, slots=True)
class Probe:
    """A detector and the id of its rule: what the scan needs of a rule, and nothing else."""

    rule: str
    detector: Detector


def probes(rules: Iterable[Rule]) -> tuple[Probe, ...]:
    """The detectors of the rules, one by one."""
    return tuple(Probe(rule.id, detector) for rule in rules for detector in rule.detectors)


def scan(
    files: Sequence[SourceFile],
    wanted: Sequence[Probe],
    *,
    around: Surroundings | None = None,
    all_there: bool = True,
    seconds_each: float = SECONDS_PER_DETECTOR,
) -> ScanResult:
    """What the detectors see in the files. `all_there` says that these are all the files of the change that can be compared.

    Each detector may use `seconds_each` of processor time; in the main thread it is stopped while it works, elsewhere after.
    """
    watch = _Watch(seconds_each)
    with watch.ticking():
        return _scan(files, wanted, watch, around=around or Surroundings(), all_there=all_there)


def _scan(
    files: Sequence[SourceFile], wanted: Sequence[Probe], watch: _Watch, *, around: Surroundings, all_there: bool
) -> ScanResult:
    kept = _Kept()
    pairs: list[Pair] = []
    on_head, on_both = _sorted_out(wanted)
    for file in files:
        reason = _why_not(file)
        if reason:
            watch.notes.append(ScanNote(file.path, reason))
            continue
        context = FileContext(file.path, file.text)
        for probe in on_head.worth_running_on(context):
            for match in watch.run(probe, file.path, partial(_matches, probe.detector, context)):
                kept.add(*_evidence(probe, match, file, context))
        if on_both and not file.whole:
            pairs.append(Pair.of(file, context, around))
    for probe in on_both if pairs else ():
        for pair, match in _compared(probe, pairs, watch, all_there=all_there):
            seen, touched = _evidence_of_pair(probe, match, pair)
            if touched:
                kept.add(seen, touched)
    return ScanResult(_ordered(kept.new), _ordered(kept.existing), tuple(dict.fromkeys(watch.notes)))


def _sorted_out(wanted: Sequence[Probe]) -> tuple[_Probes, list[Probe]]:
    """The detectors that look at a file alone, and those that compare; kept, because a worker is asked with the same ones."""
    known = _last.get(id(wanted))
    if known is None or known[0] is not wanted:
        alone = _Probes([probe for probe in wanted if probe.detector.compare is None])
        _last.clear()
        _last[id(wanted)] = known = wanted, alone, [probe for probe in wanted if probe.detector.compare is not None]
    return known[1], known[2]


_last: dict[int, tuple[Sequence[Probe], _Probes, list[Probe]]] = {}


class _Probes:
    """Detectors, by the language of the files they look at; those of any language look also at files of none."""

    def __init__(self, wanted: Sequence[Probe]) -> None:
        self._wanted = wanted
        self._by_language: dict[str | None, tuple[list[Probe], prefilter.Index]] = {}

    def worth_running_on(self, file: FileContext) -> list[Probe]:
        """The detectors whose words stand in the file, which is told what they will ask of its syntax tree."""
        some, index = self._of(file.language)
        found = [some[place] for place in index.places(file) if _may_tell(some[place].detector, file)]
        asked = (finder.kinds(one.detector.ast) for one in found if one.detector.ast)
        file.expected = frozenset().union(*asked)
        return found

    def _of(self, language: str | None) -> tuple[list[Probe], prefilter.Index]:
        known = self._by_language.get(language)
        if known is None:
            some = [one for one in self._wanted if {ANY, language}.intersection(one.detector.languages)]
            known = self._by_language[language] = some, prefilter.Index([one.detector for one in some])
        return known


class _Kept:
    """The evidence so far, once for each rule and line."""

    def __init__(self) -> None:
        self.new: list[Evidence] = []
        self.existing: list[Evidence] = []
        self._known: set[tuple[str, str, Side, int]] = set()

    def add(self, seen: Evidence, touched: bool) -> None:
        key = (seen.rule, seen.path, seen.side, seen.start_line)
        if key not in self._known:
            self._known.add(key)
            (self.new if touched else self.existing).append(seen)


class _OutOfTime(BaseException):
    """Raised into a detector that works too long. No `Exception`, so that no refine step swallows it."""


class _Watch:
    """Runs one detector on one file, and keeps the time and the failures of each."""

    def __init__(self, seconds_each: float) -> None:
        self.notes: list[ScanNote] = []
        self._seconds_each = seconds_each
        self._spent: defaultdict[tuple[str, str], float] = defaultdict(float)
        self._out: set[tuple[str, str]] = set()
        self._ends_at: float | None = None

    @contextmanager
    def ticking(self) -> Iterator[None]:
        """Looks at the clock a few times a second and stops the detector that is over its time.

        Only the main thread can be interrupted, and only in Python and in patterns of `re`; the matcher of trees has its own
        bounds, and the scanner ends a worker that is stuck.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.signal(signal.SIGPROF, self._tick)
        signal.setitimer(signal.ITIMER_PROF, TICK_SECONDS, TICK_SECONDS)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.signal(signal.SIGPROF, before)

    def _tick(self, number: int, frame: FrameType | None) -> None:
        if self._ends_at is not None and time.thread_time() > self._ends_at:
            self._ends_at = None
            raise _OutOfTime

    def is_out(self, probe: Probe) -> bool:
        """Whether the detector failed or used up its time, so that it says nothing more."""
        return (probe.rule, probe.detector.name) in self._out

    def run(
        self, probe: Probe, path: str, look: Callable[[], list[Match]], *, most: int = MATCHES_PER_DETECTOR_AND_FILE
    ) -> list[Match]:
        """What the look finds; nothing when the detector is out, or fails now."""
        key = (probe.rule, probe.detector.name)
        if key in self._out:
            return []
        started = time.thread_time()
        found: list[Match] = []
        try:
            self._ends_at = started + self._seconds_each - self._spent[key]
            found = look()
            self._ends_at = None
        except (KeyboardInterrupt, SystemExit):
            raise
        except _OutOfTime:
            pass
        except BaseException as error:  # noqa: BLE001 - the matcher's panics derive from BaseException
            self.note(probe, f"failed on {path}: {_brief(error)}")
            self._out.add(key)
            return []
        finally:
            self._ends_at = None
        self._spent[key] += time.thread_time() - started
        if self._spent[key] > self._seconds_each:
            self.note(probe, f"used up its {self._seconds_each:g} seconds and was left out after {path}")
            self._out.add(key)
        if len(found) >= most:
            self.note(probe, f"has more than {most} matches in {path}; the rest is not shown")
        return found

    def note(self, probe: Probe, reason: str) -> None:
        """Remembers something that the detector could not do."""
        self.notes.append(ScanNote(f"{probe.rule}/{probe.detector.name}", reason))


def _compared(probe: Probe, pairs: Sequence[Pair], watch: _Watch, *, all_there: bool) -> Iterable[tuple[Pair, Match]]:
    """Where the rule is broken between base and head."""
    how = probe.detector.compare
    if how is None:
        return ()
    if how.what is Comparison.STEP:
        return _stepped(probe, how.by, pairs, watch)
    if not all_there:
        watch.note(probe, "did not compare: the change is too large to be looked at in one piece")
        return ()
    found = list((_gone if how.what is Comparison.GONE else _added)(probe, how.by, pairs, watch))
    return () if watch.is_out(probe) else found


def _stepped(probe: Probe, name: str, pairs: Sequence[Pair], watch: _Watch) -> Iterator[tuple[Pair, Match]]:
    for pair in pairs:
        if any(_applies(probe.detector, side) for side in (pair.head, pair.base) if side is not None):
            yield from ((pair, match) for match in watch.run(probe, pair.path, partial(_step, name, pair)))


def _step(name: str, pair: Pair) -> list[Match]:
    return list(islice(compare.step(name)(pair), MATCHES_PER_DETECTOR_AND_FILE))


def _gone(probe: Probe, key: str, pairs: Sequence[Pair], watch: _Watch) -> Iterator[tuple[Pair, Match]]:
    """What stands in the base of a file and in the head of none."""
    before = [
        (pair, (name, match))
        for pair in pairs
        if pair.base is not None and pair.file.removed
        for name, match in _keyed(probe, key, pair.base, watch)
        if not pair.file.removed.isdisjoint(_lines(_focus(match, pair.base)))
    ]
    if not before:
        return
    standing = {name for pair in pairs for name, _ in _keyed(probe, key, pair.head, watch)}
    for pair, (name, match) in before:
        if name not in standing:
            yield pair, replace(match, removed=True, replacement=None)


def _added(probe: Probe, key: str, pairs: Sequence[Pair], watch: _Watch) -> Iterator[tuple[Pair, Match]]:
    """What stands in the head more often than in the base, on lines that the change touches."""
    after = [(pair, found) for pair in pairs for found in _keyed(probe, key, pair.head, watch)]
    if not after:
        return
    more = Counter(name for _, (name, _) in after)
    more.subtract(name for pair in pairs for name, _ in _keyed(probe, key, pair.base, watch))
    for pair, (name, match) in after:
        if more[name] > 0 and _touched(_focus(match, pair.head), pair.file):
            more[name] -= 1
            yield pair, match


def _keyed(probe: Probe, key: str, side: FileContext | None, watch: _Watch) -> list[tuple[str, Match]]:
    """All matches on one side of a file, each with its key; quotes and white space make no difference to a key."""
    if side is None or not _applies(probe.detector, side):
        return []
    most = KEYS_PER_DETECTOR_AND_FILE
    found = watch.run(probe, side.path, partial(_matches, probe.detector, side, most=most), most=most)
    return [
        (_plain(evidence.fill(key, {"text": side.text[match.start : match.end], **match.captures})), match)
        for match in found
    ]


def _plain(key: str) -> str:
    return " ".join(key.replace('"', "'").replace("`", "'").split())


def _why_not(file: SourceFile) -> str:
    if len(file.text) > LONGEST_FILE:
        return f"not scanned: longer than {LONGEST_FILE:,} characters"
    if languages.of(file.path) and max(map(len, file.text.split("\n"))) > LONGEST_LINE:
        return f"not scanned: a line longer than {LONGEST_LINE:,} characters"
    return ""


def _applies(detector: Detector, file: FileContext) -> bool:
    if ANY not in detector.languages and file.language not in detector.languages:
        return False
    if detector.prefilter and not prefilter.holds(file, detector.prefilter):
        return False
    return _may_tell(detector, file)


def _may_tell(detector: Detector, file: FileContext) -> bool:
    """Whether the detector's step wants the file, and the file holds the names that its pattern asks for."""
    if not is_asked(detector.refine, file):
        return False
    return not detector.ast or prefilter.meets(file, finder.names(detector.ast))


def _matches(detector: Detector, file: FileContext, *, most: int = MATCHES_PER_DETECTOR_AND_FILE) -> list[Match]:
    if not detector.ast:
        return list(islice(search(detector.refine)(file), most))
    found: list[Match] = []
    step = refine(detector.refine)
    if file.finder is None:
        return found
    for node in file.finder.find(detector.ast)[:MOST_CANDIDATES]:
        refined = step(Candidate(file, node))
        if refined is not None:
            found.append(_told(refined, detector, node))
        if len(found) >= most:
            break
    return found


def _told(match: Match, detector: Detector, node: SgNode) -> Match:
    """The match with what the templates may name; where refining gave none, with the template's replacement and title."""
    told = {"function": function_name(enclosing_function(node)), "exported": exported_name(node)}
    captures = {**told, **_variables(detector, node), **match.captures}
    replacement = match.replacement
    if replacement is None and detector.answer.replacement and not match.why_no_patch:
        replacement = evidence.fill(detector.answer.replacement, captures)
    note = match.note or evidence.fill(detector.answer.title, captures)
    return replace(match, captures=captures, replacement=replacement, note=note)


def _variables(detector: Detector, node: SgNode) -> dict[str, str]:
    """What the pattern's metavariables stand for: `$URL` is `{URL}` in a template."""
    found: dict[str, str] = {}
    for name in set(_VARIABLE.findall(str(detector.ast))):
        held = node.get_match(name)
        if held is not None:
            found[name] = held.text()
    return found


def _brief(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__


def _evidence(probe: Probe, match: Match, file: SourceFile, context: FileContext) -> tuple[Evidence, bool]:
    span = (context.line_of(match.start), context.line_of(max(match.start, match.end - 1)))
    focus = _focus(match, context)
    touched = _touched(focus, file)
    patched = _patched(match, span, context)
    whole = patched is not None and _is_shown(span, file)
    first, last = span if whole else _clipped(focus, file)
    quote = match.quote if match.quote is not None else "\n".join(context.lines[first - 1 : last])
    captures = {name: text[:LONGEST_CAPTURE] for name, text in match.captures.items()}
    captures |= _place(file.path, first, context)
    if patched is None and match.why_no_patch:
        captures["why_no_patch"] = match.why_no_patch
    elif patched is not None and not whole:
        captures["why_no_patch"] = "it would reach beyond the lines this pull request shows"
    made = Evidence(
        rule=probe.rule,
        detector=probe.detector.name,
        strength=probe.detector.strength,
        path=file.path,
        start_line=first,
        end_line=last,
        quote=quote,
        note=match.note,
        replacement=patched or "" if whole else "",
        captures=tuple(sorted(captures.items())),
    )
    return made, touched


def _evidence_of_pair(probe: Probe, match: Match, pair: Pair) -> tuple[Evidence, bool]:
    """The evidence of a comparison: on lines of the head, or on lines that the change took away."""
    if not match.removed or pair.base is None:
        return _evidence(probe, match, pair.file, pair.head)
    first, last = _focus(match, pair.base)
    gone = [line for line in _lines((first, last)) if line in pair.file.removed]
    if gone:
        first, last = gone[0], min(gone[-1], gone[0] + LONGEST_QUOTE_LINES - 1)
    captures = {name: text[:LONGEST_CAPTURE] for name, text in match.captures.items()}
    captures |= _place(pair.path, first, pair.base)
    made = Evidence(
        rule=probe.rule,
        detector=probe.detector.name,
        strength=probe.detector.strength,
        path=pair.path,
        start_line=first,
        end_line=last,
        quote=match.quote if match.quote is not None else "\n".join(pair.base.lines[first - 1 : last]),
        note=match.note,
        captures=tuple(sorted(captures.items())),
        side=Side.LEFT,
    )
    return made, bool(gone)


def _focus(match: Match, context: FileContext) -> Span:
    """The lines that the change must touch for the match to be its own."""
    start, end = match.focus or (match.start, match.end)
    return context.line_of(start), context.line_of(max(start, end - 1))


def _lines(span: Span) -> range:
    return range(span[0], span[1] + 1)


def _touched(focus: Span, file: SourceFile) -> bool:
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


def _ordered(found: list[Evidence]) -> tuple[Evidence, ...]:
    return tuple(sorted(found, key=lambda one: (one.path, one.start_line, one.rule, one.detector, one.side)))
