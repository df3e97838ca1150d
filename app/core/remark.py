"""What a person says in a comment, less what they quote or show: their own lines, and whether these ask something.

A command, a question or a name counts only where the writer speaks: not inside code, a quote or an HTML comment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})")
_QUOTED_OR_CODE = re.compile(r"^(?: {0,3}>| {4}|\t)")
_SPAN = re.compile(r"(`+)[^`]{0,2000}\1")
_ADDRESS = re.compile(r"\b[a-z]{2,10}://\S{1,2000}", re.IGNORECASE)
_QUESTION_MARK = re.compile(r"[?？](?=[\s)\]\"'!?.*_]|$)")
_ASKING_WORDS = re.compile(
    r"(?:^|[.!,;:\n])\s*(?:and |but |so |please |pls )?"
    r"(?:why|how come|how (?:do|does|did|can|could|would|should|is|are)|(?:can|could|would) you|explain|elaborate"
    r"|tell (?:me|us)|show (?:me|us))\b",
    re.IGNORECASE,
)
_NAME = re.compile(r"(?<![\w`/])@([A-Za-z0-9][A-Za-z0-9-]{0,60})")


def own_lines(body: str) -> Iterator[str]:
    """The lines outside fenced code and HTML comments, as they stand."""
    return (line for line, is_own in lines(body) if is_own)


def lines(body: str) -> Iterator[tuple[str, bool]]:
    """Every line outside HTML comments, and whether the writer speaks there: not in fenced code, nor on a fence."""
    fence = ""
    for line in _without_html_comments(body).split("\n"):
        marker = _FENCE.match(line)
        is_own = not fence and not marker
        if fence:
            if marker and marker[1].startswith(fence) and not line.strip().strip(fence[0]):
                fence = ""
        elif marker:
            fence = marker[1]
        yield line, is_own


def prose(body: str) -> str:
    """The writer's own words: no quotes, no code, no addresses."""
    kept = "\n".join(line for line in own_lines(body) if not _QUOTED_OR_CODE.match(line))
    return _ADDRESS.sub("", _SPAN.sub("", kept))


def asks(body: str) -> bool:
    """Whether the writer asks something: a question mark at the end of a word, or the words that people ask with."""
    said = prose(body)
    return bool(_QUESTION_MARK.search(said) or _ASKING_WORDS.search(said))


def named(body: str) -> frozenset[str]:
    """Whom the writer speaks to by name, in small letters."""
    return frozenset(name.lower() for name in _NAME.findall(prose(body)))


def _without_html_comments(text: str) -> str:
    kept: list[str] = []
    at = 0
    while (start := text.find("<!--", at)) >= 0:
        end = text.find("-->", start)
        kept.append(text[at:start])
        if end < 0:
            return "".join(kept)
        at = end + len("-->")
    kept.append(text[at:])
    return "".join(kept)
