"""Detectors and both sides of a change in, out where the rule is broken between base and head."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice

from app.analysis import compare
from app.analysis.context import FileContext, Match, Pair
from app.analysis.matching import is_worth_a_tree, matches
from app.analysis.prefilter import Index
from app.analysis.probe import Probe
from app.analysis.telling import focus_of, is_touched, lines_of
from app.analysis.watch import MATCHES_PER_DETECTOR_AND_FILE, Watch
from app.core import evidence
from app.core.rule import Comparison

KEYS_PER_DETECTOR_AND_FILE = 2_000
"""Of a comparison, which must see all of a file's routes to know that one is gone."""


class Sides:
    """Which detectors may see something on which side of a file; what stands in a text is looked up once for all of them."""

    def __init__(self, index: Index, watch: Watch) -> None:
        self._index = index
        self._watch = watch
        self._known: dict[int, tuple[FileContext, list[Probe]]] = {}

    def may_see(self, probe: Probe, side: FileContext | None) -> bool:
        """Whether the detector is worth running on this side, as far as its language, its words and its step say."""
        if side is None:
            return False
        if id(side) not in self._known:
            self._known[id(side)] = side, self._index.may_see(side.text, side.language)
        return any(one is probe for one in self._known[id(side)][1]) and is_worth_a_tree(probe, side, self._watch)


def compared(
    probe: Probe, pairs: Sequence[Pair], sides: Sides, watch: Watch, *, all_there: bool
) -> Iterable[tuple[Pair, Match]]:
    """Where the rule is broken between base and head."""
    how = probe.detector.compare
    if how is None:
        return ()
    if how.what is Comparison.STEP:
        return _stepped(probe, how.by, pairs, sides, watch)
    if not all_there:
        watch.note(probe, "did not compare: the change is too large to be looked at in one piece")
        return ()
    found = list((_gone if how.what is Comparison.GONE else _added)(probe, how.by, pairs, sides, watch))
    return () if watch.is_out(probe) else found


def _stepped(
    probe: Probe, name: str, pairs: Sequence[Pair], sides: Sides, watch: Watch
) -> Iterator[tuple[Pair, Match]]:
    for pair in pairs:
        if any(sides.may_see(probe, side) for side in (pair.head, pair.base)):
            yield from ((pair, match) for match in watch.run(probe, pair.path, partial(_step, name, pair)))


def _step(name: str, pair: Pair) -> list[Match]:
    return list(islice(compare.step(name)(pair), MATCHES_PER_DETECTOR_AND_FILE))


def _gone(probe: Probe, key: str, pairs: Sequence[Pair], sides: Sides, watch: Watch) -> Iterator[tuple[Pair, Match]]:
    """What stands in the base of a file and in the head of none."""
    before = [
        (pair, (name, match))
        for pair in pairs
        if pair.base is not None and pair.file.removed
        for name, match in _keyed(probe, key, pair.base, sides, watch)
        if not pair.file.removed.isdisjoint(lines_of(focus_of(match, pair.base)))
    ]
    if not before:
        return
    standing = {name for pair in pairs for name, _ in _keyed(probe, key, pair.head, sides, watch)}
    for pair, (name, match) in before:
        if name not in standing:
            yield pair, replace(match, removed=True, replacement=None)


def _added(probe: Probe, key: str, pairs: Sequence[Pair], sides: Sides, watch: Watch) -> Iterator[tuple[Pair, Match]]:
    """What stands in the head more often than in the base, on lines that the change touches."""
    after = [(pair, found) for pair in pairs for found in _keyed(probe, key, pair.head, sides, watch)]
    if not after:
        return
    more = Counter(name for _, (name, _) in after)
    more.subtract(name for pair in pairs for name, _ in _keyed(probe, key, pair.base, sides, watch))
    for pair, (name, match) in after:
        if more[name] > 0 and is_touched(focus_of(match, pair.head), pair.file):
            more[name] -= 1
            yield pair, match


def _keyed(probe: Probe, key: str, side: FileContext | None, sides: Sides, watch: Watch) -> list[tuple[str, Match]]:
    """All matches on one side of a file, each with its key; quotes and white space make no difference to a key."""
    if side is None or not sides.may_see(probe, side):
        return []
    most = KEYS_PER_DETECTOR_AND_FILE
    found = watch.run(probe, side.path, partial(matches, probe.detector, side, most=most), most=most)
    return [
        (_plain(evidence.fill(key, {"text": side.text[match.start : match.end], **match.captures})), match)
        for match in found
    ]


def _plain(key: str) -> str:
    return " ".join(key.replace('"', "'").replace("`", "'").split())
