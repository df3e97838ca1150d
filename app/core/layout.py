"""The forms that our Markdown is put together from: parts with a title, folds, lists that end, and what fits into a comment.

What is too long is left out in whole parts, so that no fence and no fold is ever left open.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from app.core import gate
from app.core.wording import Item

LONGEST_COMMENT = 60_000
"""GitHub takes 65,536 characters; what a person can read is far less."""
MOST_ROWS = 40
"""Findings in a table, or told in a line each; the rest is counted."""
SCREEN_LINES = 16
SCREEN_CHARACTERS = 1_200
"""A part that is longer than a screen is folded."""
_TITLE = re.compile(r"(?:\*\*|<details><summary>)([^*<\n]{1,80})(?:\*\*|</summary>)")
_LIST = re.compile(r"(?:[-*+]|\d{1,9}[.)])\s")


def told_within(
    items: Sequence[Item], longest: int, *, in_full: Callable[[Item], str], in_a_line: Callable[[Item], str]
) -> str:
    """Items in full as far as the room goes, then in a line each, then counted."""
    told: list[str] = []
    left = longest
    for item in items:
        full = in_full(item)
        left -= len(full)
        if left < 0:
            break
        told.append(full)
    lines = [in_a_line(item) for item in items[len(told) :][:MOST_ROWS]]
    more = len(items) - len(told) - len(lines)
    if more:
        lines.append(f"- … and {more} more")
    return "\n\n".join([*told, "\n".join(lines)] if lines else told)


def titled(title: str, text: str) -> str:
    """A part of the answer beside its title, under it where it begins with code, folded where it is long."""
    if not text.strip():
        return ""
    cleaned = gate.clean(text)
    if len(cleaned) > SCREEN_CHARACTERS or cleaned.count("\n") >= SCREEN_LINES:
        return fold(title, cleaned)
    return beside(title, cleaned)


def beside(title: str, cleaned: str) -> str:
    """The text beside its title; code and lists begin on a line of their own."""
    apart = "\n" if cleaned.startswith("```") else "\n\n" if _LIST.match(cleaned) else " "
    return f"**{title}**{apart}{cleaned}"


def folded(title: str, text: str) -> str:
    """The text under its title, to be opened; nothing where there is none."""
    return fold(title, gate.clean(text)) if text.strip() else ""


def fold(title: str, content: str) -> str:
    """Content that is shown when its title is clicked."""
    return f"<details><summary>{title}</summary>\n\n{content}\n</details>"


def fit(parts: Sequence[str], *, longest: int = LONGEST_COMMENT, ending: str = "") -> str:
    """The parts one below the other. What does not fit is left out in whole parts, the longest first, and it is said."""
    kept = [part for part in (*parts, ending) if part]
    for _ in range(len(kept)):
        if sum(len(part) + 2 for part in kept) <= longest:
            break
        position = max(range(len(kept)), key=lambda number: len(kept[number]))
        kept[position] = _left_out_for_length(kept[position])
    return "\n\n".join(kept)


def _left_out_for_length(part: str) -> str:
    title = _TITLE.match(part)
    return f"**{title.group(1)}** left out: too long for a comment." if title else "… left out: too long for a comment."
