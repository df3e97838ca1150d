"""Text in, the tokens in it out whose form a provider issues."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from app.core.secret import Secret
from app.core.secret_forms import FORMS, LEAST_RUN, RUN, WEB_TOKEN, Form
from app.core.secret_values import entropy


def provider_tokens(text: str) -> Iterator[Secret]:
    """Tokens in a form that one provider issues, and JSON Web Tokens."""
    # A run holds no white space, so it stands in a word as long as itself; code repeats its words.
    long_words = dict.fromkeys(word for word in text.split() if len(word) >= LEAST_RUN)
    runs = "\n".join(RUN.findall("\n".join(long_words)))
    near = dict.fromkeys(form for literal, form in _looked_for(runs) if literal in (text if form.spaced else runs))
    for form in near:
        for start, end in form.find(text, runs):
            if not _obviously_made_up(text[start:end]):
                yield Secret(form.kind, start, end, form.certainty)
    for start, end in WEB_TOKEN.find(text, runs):
        yield Secret(WEB_TOKEN.kind, start, end, WEB_TOKEN.certainty)


def _looked_for(runs: str) -> Iterator[tuple[str, Form]]:
    """The literals that may stand in the text, with their forms: a token begins with its run, or behind a joint inside it."""
    openings = {piece[:LENGTH_OF_OPENING] for piece in _JOINTS.split(runs)} if runs else ()
    leading = (place for opening in openings for place in _LEADING.get(opening, ()))
    return (_LITERALS[place] for place in sorted((*leading, *(_ELSEWHERE if runs else _SPACED))))


def _opening(literal: str) -> str:
    return _JOINTS.split(literal)[0][:LENGTH_OF_OPENING]


LENGTH_OF_OPENING = 2
_JOINTS = re.compile(r"[.+/=%\n]+")
"""What of a run's characters may stand before a token."""
_LITERALS = tuple((literal, form) for form in FORMS for literal in form.literals)
"""Most texts hold none of them, so looking for each would be most of what looking for tokens costs."""
_SPACED = tuple(place for place, (_, form) in enumerate(_LITERALS) if form.spaced)
_ELSEWHERE = tuple(place for place, (_, form) in enumerate(_LITERALS) if form.spaced or not form.leads)
_LEADING = {
    opening: tuple(
        place
        for place, (literal, form) in enumerate(_LITERALS)
        if form.leads and not form.spaced and _opening(literal) == opening
    )
    for opening in {_opening(literal) for literal, form in _LITERALS if form.leads and not form.spaced}
}
"""The other literals' places, by how they open."""


def _obviously_made_up(token: str) -> bool:
    tail = token[4:]
    telling = re.search(
        r"example|dummy|fake|placeholder|your|x{5,}|0123456789|123456789|abcdefgh|test_?(?:key|token)|\.\.\.|EXAMPLE",
        token,
        re.IGNORECASE,
    )
    return telling is not None or entropy(tail) < min(2.6, math.log2(max(len(tail), 2)) * 0.7)
