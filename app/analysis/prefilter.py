"""Detectors and a file in, the detectors whose words stand in the file out.

Hundreds of detectors name a thousand literals, of which a file holds few. All are looked for in one pass over the text; what a
detector needs is then a question about the few.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from app.analysis import finder, refine
from app.analysis.needed import Needs
from app.analysis.probe import Probe
from app.core.literals import Literals
from app.core.rule import Detector

ANY = "any"


class Index:
    """Finds which of some detectors may see something in a file, as far as its language and its words say."""

    def __init__(self, wanted: Sequence[Probe]) -> None:
        self.wanted = wanted
        self._terms = [terms(one.detector) for one in wanted]
        self._literals = Literals(_words(alternative for some in self._terms for alternative in some))
        self._by_word: defaultdict[str, set[int]] = defaultdict(set)
        self._by_language: defaultdict[str, set[int]] = defaultdict(set)
        for place, one in enumerate(wanted):
            # Every detector has words one of which it stands or falls with, or none at all.
            for word in one.detector.prefilter or ("",):
                self._by_word[word].add(place)
            for language in one.detector.languages:
                self._by_language[language].add(place)

    def may_see(self, text: str, language: str | None) -> list[Probe]:
        """The detectors of the language whose words stand in the text, in their order."""
        held = self._literals.standing_in(f"{text}\n")  # What is called stands before a sign, even at the text's end.
        named = self._by_word[""].union(*(self._by_word[word] for word in held & self._by_word.keys()))
        places = named & (self._by_language[ANY] | self._by_language[language or ANY])
        return [self.wanted[place] for place in sorted(places) if _meets(held, self._terms[place])]


def terms(detector: Detector) -> tuple[Needs, ...]:
    """What a text must hold for the detector to see something in it: for one of the alternatives, one word of each set."""
    always = (frozenset(detector.prefilter), *refine.needs(detector.refine))
    alternatives = finder.names(detector.ast) if detector.ast else ((),)
    return tuple(tuple(some for some in (*always, *needs) if some) for needs in alternatives)


def _meets(held: frozenset[str], wanted: tuple[Needs, ...]) -> bool:
    return any(not any(some.isdisjoint(held) for some in needs) for needs in wanted)


def _words(alternatives: Iterable[Needs]) -> set[str]:
    return {word for needs in alternatives for some in needs for word in some}
