"""Literals and a text in, out which of them stand in it and where: all are looked for in one pass over the text."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ahocorasick_rs import AhoCorasick, Implementation

PIECE_CHARACTERS = 100_000
"""Of a text that is looked at in one go, so that a text which is nothing but literals takes little memory."""


class Literals:
    """Finds hundreds of literals as fast as one: an automaton that is built once and reads each character once."""

    def __init__(self, literals: Iterable[str]) -> None:
        self._literals = tuple(dict.fromkeys(literals))
        self._longest = max(map(len, self._literals), default=0)
        self._automaton = AhoCorasick(self._literals, implementation=Implementation.DFA)

    def standing_in(self, text: str) -> frozenset[str]:
        """Those of the literals that the text holds."""
        found: set[int] = set()
        for _, matches in self._matches(text):
            found.update([match[0] for match in matches])
        return frozenset(self._literals[number] for number in found)

    def places(self, text: str) -> Mapping[str, list[int]]:
        """The offsets at which each of the literals stands in the text, in order, overlaps too; empty for one that does not."""
        found: defaultdict[str, list[int]] = defaultdict(list)
        for start, matches in self._matches(text):
            for number, place, _ in matches:
                found[self._literals[number]].append(start + place)
        return found

    def _matches(self, text: str) -> Iterator[tuple[int, Sequence[tuple[int, int, int]]]]:
        """The matches in each piece of the text, with the piece's offset."""
        if len(text) <= PIECE_CHARACTERS:
            yield 0, self._in_piece(text)
            return
        shared = max(0, self._longest - 1)
        for start in range(0, len(text), PIECE_CHARACTERS):
            piece = text[start : start + PIECE_CHARACTERS + shared]
            # What begins in the part that two pieces share is the next one's.
            yield start, [match for match in self._in_piece(piece) if match[1] < PIECE_CHARACTERS]

    def _in_piece(self, piece: str) -> Sequence[tuple[int, int, int]]:
        try:
            return self._automaton.find_matches_as_indexes(piece, overlapping=True)
        except UnicodeEncodeError:
            # Half a pair of surrogates, as JSON can spell it, is no character; with a sign in its place all offsets hold.
            whole = piece.encode("utf-8", "replace").decode("utf-8")
            return self._automaton.find_matches_as_indexes(whole, overlapping=True)
