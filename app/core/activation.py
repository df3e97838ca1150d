"""What a skill says of itself → when it wants to be used: the activation phrases in its description and its front matter."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from app.core.front_matter import MOST_PHRASES, Desk, Front, key_of, text_of, texts_of

LONGEST_PHRASE = 80
LONGEST_DESCRIPTION = 4_096
_LABEL = re.compile(
    r"\b(?:activation(?:[ _-](?:phrases?|keywords?|words?|terms?))?|activat(?:e|es|ed)(?: (?:on|by|when|with|for))?|"
    r"triggers?(?:[ _-](?:phrases?|keywords?|words?|terms?))?|trigger(?:s|ed)? (?:on|by|when))\b"
    r"[*_`]{0,3}[ \t]*(?:are|is|include|includes)?[*_`]{0,3}[ \t]*:?[*_`]{0,3}",
    re.IGNORECASE,
)
_PROSE = re.compile(
    r"\b(?:use(?:d)?(?: this| it)?(?: skill| persona)? (?:when|for|if)|when (?:the user|users?|somebody|someone|people|you)|"
    r"(?:says?|asks?|mentions?|types?|writes?|requests?)|keywords?)\b[ \t]*:?",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"[\"“”«»`]([^\"“”«»`\n]{2,80})[\"“”«»`]|(?<!\w)'([^'\n]{2,80})'(?!\w)")
BULLET = re.compile(r"^[ \t]*(?:[-*+•]|\d{1,2}[.)])[ \t]+(.+?)[ \t]*$")


def phrases(description: str) -> tuple[tuple[str, ...], bool]:
    """The activation phrases that stand in a description, and whether they stand there under that name."""
    for marker, labelled in ((_LABEL, True), (_PROSE, False)):
        for found in marker.finditer(description):
            listed = _listed(description[found.end() :], anything=labelled)
            if listed:
                return listed, labelled
    return (), False


def described(value: Any) -> tuple[str, tuple[str, ...], bool]:
    """The description as text, the phrases in it, and whether they are called activation there."""
    if isinstance(value, dict):
        inner = {key_of(str(key)): one for key, one in value.items()}
        text = next((text_of(inner[key]) for key in ("text", "summary", "description") if key in inner), "")
        listed = inner.get("activation")
        found = clean([text_of(one) for one in listed] if isinstance(listed, list) else split(text_of(listed)))
        return text[:LONGEST_DESCRIPTION], found, bool(found)
    if isinstance(value, list):
        value = "\n".join(f"- {line}" if number else line for number, line in enumerate(map(text_of, value)) if line)
    text = text_of(value)[:LONGEST_DESCRIPTION]
    return text, *phrases(text)


def activation_of(front: Front, desk: Desk) -> tuple[str, ...]:
    """The phrases that the front matter lists."""
    return clean(texts_of(front, "activation", desk))


def _listed(rest: str, *, anything: bool) -> tuple[str, ...]:
    """The phrases of the list that follows: bullets, brackets, quotes; with `anything` also words between commas."""
    lines = rest.split("\n")
    here, below = lines[0].strip(" \t:-–—*_"), lines[1:]
    if not here:
        bullets: list[str] = []
        for line in below:
            found = BULLET.match(line)
            if found:
                bullets.append(found[1])
            elif line.strip() or bullets:
                break
        if bullets:
            return clean(bullets) if anything else ()
        here = next((line.strip() for line in below if line.strip()), "")
    bracketed = re.match(r"\[([^\]]{1,2000})\]", here)
    if bracketed and anything:
        return clean(split(bracketed[1]))
    paragraph = re.split(r"\n[ \t]*\n", rest, maxsplit=1)[0]
    quoted = [one or other for one, other in _QUOTED.findall(_sentence_with_quotes(paragraph))]
    if quoted:
        return clean(quoted)
    if not anything:
        return ()
    folded = " ".join(line.strip() for line in paragraph.split("\n")) if not below or "," in here else here
    listed = clean(split(re.split(r"\.(?:\s|$)", folded.strip(" \t:-–—*_"), maxsplit=1)[0]))
    return listed if len(listed) > 1 or (listed and ":" in rest[:2]) else ()


def _sentence_with_quotes(paragraph: str) -> str:
    """The paragraph up to the end of the sentence in which the quotes stand."""
    masked = _QUOTED.sub(lambda found: "q" * len(found.group()), paragraph)
    end = re.search(r"[.!?](?:\s|$)", masked)
    return paragraph[: end.start()] if end else paragraph


def split(text: str) -> list[str]:
    """The items of a list that was written as text."""
    return re.split(r"[,;|\n]|\s+or\s+|\s+and\s+(?=[\"'“])", text)


def clean(parts: Sequence[str]) -> tuple[str, ...]:
    """Phrases as they are compared: bare, lower case, each once, none that is a sentence."""
    plain = (
        re.sub(r"\s+", " ", re.sub(r"^(?:or|and)\s+", "", part.strip(" \t\n\"'“”«»`*_.,;:-–—[]()"))).casefold()
        for part in parts
    )
    kept = (part for part in plain if 2 <= len(part) <= LONGEST_PHRASE and part.count(" ") < 8)
    return tuple(dict.fromkeys(kept))[:MOST_PHRASES]
