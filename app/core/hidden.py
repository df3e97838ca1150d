"""Characters that a reader does not see, made visible.

Decided by Unicode property, not by a list of known tricks: format characters, controls, private use, surrogates, fillers, tags
and variation selectors. What well-formed emoji and scripts need (a joiner between emoji, U+FE0F behind one, joiners inside
Arabic, Persian and Indic words) is left alone, so that what is revealed once stays as it is when it is revealed again.
"""

from __future__ import annotations

import re
import unicodedata

_SUSPECT = re.compile(r"[^\t\n\r\x20-\x7e]")
_INVISIBLE = frozenset({"Cf", "Cc", "Co", "Cs", "Cn"})
_FILLERS = frozenset("\u115f\u1160\u3164\uffa0\u2800\u034f\u17b4\u17b5\u2028\u2029")
_JOINERS = frozenset("\u200c\u200d")
_JOINING_SCRIPTS = ("ARABIC", "SYRIAC", "MONGOLIAN", "DEVANAGARI", "BENGALI", "GURMUKHI", "GUJARATI", "ORIYA", "TAMIL",
                    "TELUGU", "KANNADA", "MALAYALAM", "SINHALA", "KHMER", "MYANMAR", "TIBETAN")  # fmt: skip
# Format characters that are drawn, around the digits or the verse they stand before
# (https://www.unicode.org/reports/tr44/#Prepended_Concatenation_Mark).
_DRAWN = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd")
# Emoji, and the places that Unicode keeps free for those to come (Extended_Pictographic, https://www.unicode.org/reports/tr51/).
_EMOJI = re.compile(
    "[\u00a9\u00ae\u203c\u2049\u2122\u2139\u2190-\u21ff\u2300-\u23ff\u24c2\u25aa-\u25fe\u2600-\u27bf\u2934\u2935"
    "\u2b00-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff]"
)
_KEYCAP = re.compile("[#*0-9]\ufe0f\u20e3")
# The subdivisions whose flags Unicode recommends. Other tags behind a black flag are not drawn, so they could hide words.
_SUBDIVISION_FLAGS = tuple(
    "\U0001f3f4" + "".join(chr(0xE0000 + ord(letter)) for letter in region) + "\U000e007f"
    for region in ("gbeng", "gbsct", "gbwls")
)
_FLAG_CHARACTERS = 7


def reveal(text: str) -> str:
    r"""The text with every hidden character written as `\u{200b}`; line ends, tabs and ordinary writing stay as they are."""
    return _SUSPECT.sub(lambda found: _shown(text, found.start()), text)


def places(text: str) -> tuple[int, ...]:
    """Where the text's hidden characters stand."""
    return tuple(found.start() for found in _SUSPECT.finditer(text) if _is_hidden(text, found.start()))


def count(text: str) -> int:
    """How many hidden characters the text holds."""
    return len(places(text))


def without(text: str) -> str:
    """The text without its hidden characters: what a reader sees of it."""
    return _SUSPECT.sub(lambda found: "" if _is_hidden(text, found.start()) else found.group(), text)


def _shown(text: str, position: int) -> str:
    character = text[position]
    return f"\\u{{{ord(character):x}}}" if _is_hidden(text, position) else character


def _is_hidden(text: str, position: int) -> bool:
    character = text[position]
    if character in _JOINERS:
        return not (_joins_emoji(text, position) or _joins_letters(text, position))
    if character == "\ufe0f":
        return not _asks_for_emoji(text, position)
    if character in _FILLERS or _is_variation_selector(character):
        return True
    if unicodedata.category(character) not in _INVISIBLE or character in _DRAWN or _EMOJI.match(character):
        return False
    return not _spells_a_flag(text, position)


def _is_variation_selector(character: str) -> bool:
    return (
        "\ufe00" <= character <= "\ufe0f"
        or "\U000e0100" <= character <= "\U000e01ef"
        or "\u180b" <= character <= "\u180f"
    )


def _asks_for_emoji(text: str, position: int) -> bool:
    """U+FE0F is honest behind an emoji, and between a keycap and what stands on it."""
    before = position - 1
    return before >= 0 and (_EMOJI.match(text, before) is not None or _KEYCAP.match(text, before) is not None)


def _joins_emoji(text: str, position: int) -> bool:
    """U+200D is honest between two emoji, the first of which may have asked to be drawn as one."""
    before = text[max(position - 2, 0) : position].removesuffix("\ufe0f")[-1:]
    return (
        text[position] == "\u200d" and _EMOJI.match(before) is not None and _EMOJI.match(text, position + 1) is not None
    )


def _joins_letters(text: str, position: int) -> bool:
    """A joiner is honest behind a letter or a mark of a script whose letters join."""
    before = text[position - 1] if position else " "
    joins = unicodedata.name(before, "").startswith(_JOINING_SCRIPTS)
    return joins and unicodedata.category(before)[0] in "LM" and not _is_variation_selector(before)


def _spells_a_flag(text: str, position: int) -> bool:
    first = text.rfind("\U0001f3f4", max(position - _FLAG_CHARACTERS, 0), position)
    return first >= 0 and text.startswith(_SUBDIVISION_FLAGS, first) and position < first + _FLAG_CHARACTERS
