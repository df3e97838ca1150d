"""Text on its way to a file, a pipe or a terminal: no secret in it, and nothing that strict readers refuse.

What is posted to a pull request passes `app.core.gate` instead; there is no Markdown to defuse here.
"""

from __future__ import annotations

from app.core import secrets
from app.core.secrets import Certainty

_ESCAPED_BYTES = range(0xDC80, 0xDD00)
_SURROGATES = range(0xD800, 0xE000)


def masked(text: str) -> str:
    """The text with the values of what is a secret, or is likely to be one, replaced by stars; lines are kept."""
    found = secrets.find(text, least=Certainty.LIKELY)
    return secrets.mask(text, found) if found else text


def well_formed(text: str) -> str:
    r"""The text with every lone surrogate written out, because JSON that holds one is refused by strict readers.

    A byte of a path that is not UTF-8 becomes `\xNN`, any other surrogate `\uNNNN`.
    """
    return text if text.isascii() else "".join(_written_out(character) for character in text)


def said(text: str) -> str:
    """Both: what may be written down for others."""
    return well_formed(masked(text))


def _written_out(character: str) -> str:
    point = ord(character)
    if point in _ESCAPED_BYTES:
        return f"\\x{point - 0xDC00:02x}"
    return f"\\u{point:04x}" if point in _SURROGATES else character
