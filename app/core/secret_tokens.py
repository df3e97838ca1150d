"""Text in, the tokens in it out whose form a provider issues."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterator

from app.core.literals import Literals
from app.core.secret import Secret
from app.core.secret_forms import FORMS, WEB_TOKEN
from app.core.secret_values import entropy

_MADE_UP = re.compile(
    r"example|dummy|fake|placeholder|your|x{5,}|0123456789|123456789|abcdefgh|test_?(?:key|token)|\.\.\.",
    re.IGNORECASE,
)
_ALL_FORMS = (*FORMS, WEB_TOKEN)
_LITERALS = Literals(literal for form in _ALL_FORMS for literal in form.literals)
_BY_LITERAL: defaultdict[str, list[int]] = defaultdict(list)
"""The numbers of the forms that a literal belongs to."""
for _number, _form in enumerate(_ALL_FORMS):
    for _literal in _form.literals:
        _BY_LITERAL[_literal].append(_number)


def provider_tokens(text: str) -> Iterator[Secret]:
    """Tokens in a form that one provider issues, and JSON Web Tokens."""
    places = _LITERALS.places(text)
    for number in sorted({number for literal in places for number in _BY_LITERAL[literal]}):
        form = _ALL_FORMS[number]
        for start, end in form.find(text, places):
            if form is WEB_TOKEN or not _obviously_made_up(text[start:end]):
                yield Secret(form.kind, start, end, form.certainty)


def _obviously_made_up(token: str) -> bool:
    tail = token[4:]
    return _MADE_UP.search(token) is not None or entropy(tail) < min(2.6, math.log2(max(len(tail), 2)) * 0.7)
