"""The one type for text that somebody else wrote: titles, bodies, code, paths, comments.

It cannot slip into a prompt, a log line or a comment by accident: it has no `str`, no format and no concatenation. The
envelope of `app.core.prompt` is the only reader that gives it to a model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn


@dataclass(frozen=True, slots=True, repr=False)
class Untrusted:
    """Text from outside. `text` is for the few places that are made to read it."""

    text: str

    def __repr__(self) -> str:
        return f"Untrusted({len(self.text)} characters)"

    def __str__(self) -> NoReturn:
        raise TypeError("untrusted text enters a prompt only through its envelope")

    def __format__(self, spec: str) -> NoReturn:
        raise TypeError("untrusted text enters a prompt only through its envelope")

    def __bool__(self) -> bool:
        return bool(self.text)
