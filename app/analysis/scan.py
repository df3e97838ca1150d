"""Files and detectors in, evidence out: new where the change touches it, existing elsewhere. Runs in the worker process.

Two passes. First each file of the head is looked at on its own; then the detectors that compare see both sides of the
change, all of its files together, because what left one file may stand in another.

One rule's failure never stops a scan: it is caught (also a panic of the matcher, which is no `Exception`), noted, and the
other rules go on. A detector that has used up its time is left out of the remaining files.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from app.analysis import finder, languages, prefilter
from app.analysis.comparing import Sides, compared
from app.analysis.context import FileContext, Pair
from app.analysis.matching import is_worth_a_tree, matches
from app.analysis.probe import Probe
from app.analysis.telling import evidence_of, evidence_of_pair
from app.analysis.watch import SECONDS_PER_DETECTOR, Watch
from app.core.finding import Side
from app.core.rule import Evidence
from app.core.source import ScanNote, ScanResult, SourceFile, Surroundings

LONGEST_FILE = 1_000_000
LONGEST_LINE = 50_000


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
    watch = Watch(seconds_each)
    with watch.ticking():
        return _scan(files, wanted, watch, around=around or Surroundings(), all_there=all_there)


def _scan(
    files: Sequence[SourceFile], wanted: Sequence[Probe], watch: Watch, *, around: Surroundings, all_there: bool
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
        for probe in _worth_running_on(context, on_head, watch):
            for match in watch.run(probe, file.path, partial(matches, probe.detector, context)):
                kept.add(*evidence_of(probe, match, file, context))
        if not file.whole:
            pairs.append(Pair.of(file, context, around))
    sides = Sides(on_both, watch)
    for probe in on_both.wanted if pairs else ():
        for pair, match in compared(probe, pairs, sides, watch, all_there=all_there):
            seen, touched = evidence_of_pair(probe, match, pair)
            if touched:
                kept.add(seen, touched)
    return ScanResult(_ordered(kept.new), _ordered(kept.existing), tuple(dict.fromkeys(watch.notes)))


def _worth_running_on(file: FileContext, index: prefilter.Index, watch: Watch) -> list[Probe]:
    """The detectors that may see something in the file, which is told what they will ask of its syntax tree."""
    found = [one for one in index.may_see(file.text, file.language) if is_worth_a_tree(one, file, watch)]
    file.expected = frozenset().union(*(finder.kinds(one.detector.ast) for one in found if one.detector.ast))
    return found


def _sorted_out(wanted: Sequence[Probe]) -> tuple[prefilter.Index, prefilter.Index]:
    """The detectors that look at a file alone, and those that compare; kept, because a worker is asked with the same ones."""
    known = _last.get(id(wanted))
    if known is None or known[0] is not wanted:
        alone = prefilter.Index([probe for probe in wanted if probe.detector.compare is None])
        both = prefilter.Index([probe for probe in wanted if probe.detector.compare is not None])
        _last.clear()
        _last[id(wanted)] = known = wanted, alone, both
    return known[1], known[2]


_last: dict[int, tuple[Sequence[Probe], prefilter.Index, prefilter.Index]] = {}


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


def _why_not(file: SourceFile) -> str:
    if len(file.text) > LONGEST_FILE:
        return f"not scanned: longer than {LONGEST_FILE:,} characters"
    if len(file.text) > LONGEST_LINE and languages.of(file.path) and _longest_line(file.text) > LONGEST_LINE:
        return f"not scanned: a line longer than {LONGEST_LINE:,} characters"
    return ""


def _longest_line(text: str) -> int:
    return max(map(len, text.split("\n")))


def _ordered(found: list[Evidence]) -> tuple[Evidence, ...]:
    return tuple(sorted(found, key=lambda one: (one.path, one.start_line, one.rule, one.detector, one.side)))
