"""The values this server must never say, and whether a text says one of them, in whatever dress.

A form says little about a value: whoever asks a model for a key also asks it to leave out the first characters, to write it
backwards or in base64. So every window of a few characters of every known value counts, plain, backwards, shifted by thirteen,
in base64, in hexadecimal and as character codes; and a text is read without anything that is no letter or digit, with entities,
escapes and look-alike letters resolved. What no comparison can find is a value that is spelled out in words or spread over texts
in smaller pieces; the guarantee against that is that no model is ever given one.
"""

from __future__ import annotations

import base64
import codecs
import html
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from app.core.lookalikes import skeleton

WINDOW = 12
"""Characters of a value that betray it. Fewer would meet ordinary words, more would miss a value that is cut into pieces."""
LEAST_DIFFERENT = 6
"""Different characters of a window below which it is a ruler or a row of noughts and not a part of a secret."""
_PEM_LABEL = re.compile(r"-----[A-Z ]{3,60}-----")
_PEM_PREAMBLE = 40
"""The first characters of every key of one kind are the same: they say its kind and its length."""
_WRITTEN_OUT = re.compile(r"\\[ux]?\{([0-9a-fA-F]{1,6})\}|\\u([0-9a-fA-F]{4})")
_BYTE_MARK = re.compile(r"\\x|0x|&#x|%", re.IGNORECASE)
_NEITHER_LETTER_NOR_DIGIT = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True, repr=False)
class KnownSecrets:
    """Windows of values that must not leave. Made by `of`; without values nothing leaks."""

    windows: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        return f"KnownSecrets({len(self.windows)} windows)"

    @classmethod
    def of(cls, values: Iterable[str | bytes]) -> KnownSecrets:
        """What betrays these values. One shorter than a window is no secret: it cannot be told from a word."""
        return cls(frozenset().union(*(_windows(form) for value in values for form in _forms(value))))

    def leaks(self, text: str) -> bool:
        """Whether the text says a part of one of the values."""
        if not self.windows:
            return False
        shared = (self.windows & _windows(reading) for reading in _readings(text))
        return any(len(set(window)) >= LEAST_DIFFERENT for windows in shared for window in windows)


def _forms(value: str | bytes) -> Iterator[str]:
    """The value in every dress, each reduced to lower-case letters and digits."""
    if isinstance(value, bytes):
        yield from _encoded(value)
        return
    text = value.strip()
    if _PEM_LABEL.search(text):
        text = "".join(_PEM_LABEL.sub("", text).split())[_PEM_PREAMBLE:]
    yield _plain(text)
    yield _plain(text)[::-1]
    yield _plain(codecs.encode(text, "rot13"))
    for data in (text.encode(), text[::-1].encode()):
        yield from _encoded(data)
    yield "".join(str(ord(character)) for character in text)


def _encoded(data: bytes) -> Iterator[str]:
    yield data.hex()
    yield _plain(base64.b32encode(data).decode())
    for offset in range(3):
        # A text in front moves the groups of three; the characters at the seams hold bits of it and are left out.
        yield _plain(base64.b64encode(bytes(offset) + data).decode()[4 if offset else 0 : -4])


def _readings(text: str) -> Iterator[str]:
    """The text as letters and digits alone: with its escapes resolved, and with the marks before each byte taken out."""
    decoded = unicodedata.normalize("NFKC", html.unescape(_WRITTEN_OUT.sub(_character, text)))
    yield _plain(skeleton(decoded))
    if _BYTE_MARK.search(text):
        yield _plain(_BYTE_MARK.sub("", text))


def _character(found: re.Match[str]) -> str:
    point = int(found[1] or found[2], 16)
    return chr(point) if point < 0x110000 and not 0xD800 <= point < 0xE000 else ""


def _plain(text: str) -> str:
    return _NEITHER_LETTER_NOR_DIGIT.sub("", text.lower())


def _windows(form: str) -> set[str]:
    return {form[start : start + WINDOW] for start in range(len(form) - WINDOW + 1)}
