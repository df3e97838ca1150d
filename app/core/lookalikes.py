"""Words that read as other words: letters of one script that look like Latin ones, so that two names seem the same.

The table is our own: for each script the letters whose usual printed form cannot be told from a Latin letter's. It is small on
purpose, since a letter that only resembles one would make every Russian or Greek comment suspicious. The idea of comparing by a
skeleton is Unicode's (https://www.unicode.org/reports/tr39/#Confusable_Detection); its data file is not used. Full-width and
mathematical letters need no table: their compatibility form is the letter they look like.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

SHORTEST_COPY = 3
"""A shorter word in another script is a word of that script, unless it stands alone between quotes."""
_CYRILLIC = ("АВЕЅІЈКМНОРСТХҮԌԚԜасԁеһіјӏорԛѕԝхуѵ", "ABESIJKMHOPCTXYGQWacdehijlopqswxyv")
_GREEK = ("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧοϲϳ", "ABEZHIKMNOPTYXocj")
_ARMENIAN = ("ՍՏՕԼօսհոցզյ", "USOLouhngqj")
_CHEROKEE = ("ᎪᏴᏟᎠᎬᏀᎻᎫᏦᏞᎷᏢᏒᏚᎢᏙᎳᏃ", "ABCDEGHJKLMPRSTVWZ")
_LATIN_TWINS = ("ɑɡ", "ag")
_SIGNS = ("ǃǀ\u037e", "!|;")
_LATIN = {
    looks: latin
    for script in (_CYRILLIC, _GREEK, _ARMENIAN, _CHEROKEE, _LATIN_TWINS, _SIGNS)
    for looks, latin in zip(*script, strict=True)
}
_DRAWN_AS_LATIN = ("FULLWIDTH LATIN ", "MATHEMATICAL ")
_WORD = re.compile(r"[\w\u037e]+")
_ASCII_WORD = re.compile(r"[A-Za-z_$][\w$]*", re.ASCII)
_LONGEST_WORD = 200


@dataclass(frozen=True, slots=True)
class Lookalike:
    """A word at `start` (characters into the line) that reads as `reads_as`."""

    start: int
    word: str
    reads_as: str


def skeleton(text: str) -> str:
    """The text with every look-alike replaced by the Latin letter or sign it reads as."""
    return text if text.isascii() else "".join(_latin(character) or character for character in text)


def words(text: str) -> frozenset[str]:
    """The plain words of a text, which a look-alike may pretend to be."""
    return frozenset(_ASCII_WORD.findall(text))


def find(line: str, *, known: frozenset[str] = frozenset()) -> Iterator[Lookalike]:
    """The words of a line that read as Latin ones and are not: of mixed scripts, or copies of a word that is `known`."""
    if line.isascii():
        return
    for found in _WORD.finditer(line):
        word = found.group()
        if (
            not word.isascii()
            and len(word) <= _LONGEST_WORD
            and _deceives(word, line[: found.start()], line[found.end() :], known)
        ):
            yield Lookalike(found.start(), word, skeleton(word))


def _deceives(word: str, before: str, after: str, known: frozenset[str]) -> bool:
    foreign = [character for character in word if not character.isascii()]
    if not all(_latin(character) for character in foreign):
        return False
    if any(character in _SIGNS[0] or (character.isascii() and character.isalpha()) for character in word):
        return True
    if skeleton(word) in known:
        return len(word) >= SHORTEST_COPY or (before[-1:] in "\"'`" and after[:1] == before[-1:] != "")
    return len(word) >= SHORTEST_COPY and after.startswith("(")


def _latin(character: str) -> str:
    """The Latin letter or sign this one reads as; empty when it reads as itself."""
    if character in _LATIN:
        return _LATIN[character]
    if not unicodedata.name(character, "").startswith(_DRAWN_AS_LATIN):
        return ""
    plain = unicodedata.normalize("NFKC", character)
    return plain if plain.isascii() and plain.isalpha() else ""
