"""Characters that a reader does not see, made visible.

Decided by Unicode property, not by a list of known tricks: format characters, controls, private use, surrogates, fillers, tags
and variation selectors. What well-formed emoji and scripts need (a joiner between emoji, U+FE0F behind one, joiners inside
Arabic, Persian and Indic words) is left alone.
"""

from __future__ import annotations

import re
import unicodedata

_PLAIN = re.compile(r"[\t\n\r\x20-\x7e]*")
_FILLERS = frozenset("\u115f\u1160\u3164\uffa0\u2800\u034f\u17b4\u17b5\u2028\u2029")
_JOINERS = frozenset("\u200c\u200d")
_JOINING_SCRIPTS = ("ARABIC", "SYRIAC", "MONGOLIAN", "DEVANAGARI", "BENGALI", "GURMUKHI", "GUJARATI", "ORIYA", "TAMIL",
                    "TELUGU", "KANNADA", "MALAYALAM", "SINHALA", "KHMER", "MYANMAR", "TIBETAN")  # fmt: skip


def reveal(text: str) -> str:
    r"""The text with every hidden character written as `\u{200b}`; line ends, tabs and ordinary writing stay as they are."""
    if _PLAIN.fullmatch(text):
        return text
    return "".join(_shown(text, position) for position in range(len(text)))


def count(text: str) -> int:
    """How many hidden characters the text holds."""
    if _PLAIN.fullmatch(text):
        return 0
    return sum(1 for position in range(len(text)) if _is_hidden(text, position))


def _shown(text: str, position: int) -> str:
    character = text[position]
    return f"\\u{{{ord(character):x}}}" if _is_hidden(text, position) else character


def _is_hidden(text: str, position: int) -> bool:
    character = text[position]
    if character in "\t\n\r" or " " <= character <= "~":
        return False
    if character in _JOINERS:
        return not _joins(text, position)
    if character in _FILLERS or _is_variation_selector(character):
        return not (character == "\ufe0f" and position > 0 and _is_pictograph(text[position - 1]))
    return unicodedata.category(character) in {"Cf", "Cc", "Co", "Cs", "Cn"} and not _is_flag_tag(text, position)


def _is_variation_selector(character: str) -> bool:
    return (
        "\ufe00" <= character <= "\ufe0f"
        or "\U000e0100" <= character <= "\U000e01ef"
        or "\u180b" <= character <= "\u180f"
    )


def _joins(text: str, position: int) -> bool:
    """A joiner is honest between two emoji, or beside a letter of a script whose letters join."""
    before = text[position - 1] if position else ""
    after = text[position + 1] if position + 1 < len(text) else ""
    if before == "\ufe0f" and position > 1:
        before = text[position - 2]
    if text[position] == "\u200d" and before and after and _is_pictograph(before) and _is_pictograph(after):
        return True
    return bool(before) and unicodedata.name(before, "").startswith(_JOINING_SCRIPTS)


def _is_pictograph(character: str) -> bool:
    return (
        unicodedata.category(character) in {"So", "Sk"}
        or character in "#*0123456789‼⁉ℹ↔↕↩↪"
        or "\U0001f3fb" <= character <= "\U0001f3ff"
    )


_LONGEST_FLAG = 8


def _is_flag_tag(text: str, position: int) -> bool:
    """Tags spell a flag only behind the black flag, at most a region's code, closed by the cancel tag."""
    if not "\U000e0020" <= text[position] <= "\U000e007f":
        return False
    start = position
    while start > 0 and position - start < _LONGEST_FLAG and "\U000e0020" <= text[start - 1] <= "\U000e007e":
        start -= 1
    end = position
    while end < len(text) and end - position < _LONGEST_FLAG and text[end] != "\U000e007f":
        end += 1
    return start > 0 and text[start - 1] == "\U0001f3f4" and end < len(text) and text[end] == "\U000e007f"
