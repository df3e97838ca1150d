"""The text of a skill's document → its front matter, its body, and a complaint about whatever could not be used.

Front matter that is not YAML is read line by line; a list may be written as text, and text as a list.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from app.core import strict

LONGEST_DOCUMENT = 131_072
MOST_PHRASES = 50
MOST_WARNINGS = 30


@dataclass(frozen=True, slots=True)
class Complaint:
    """Something in a skill that could not be used: in which of its files, on which line (1-based), and why."""

    file: str
    line: int
    message: str


@dataclass(frozen=True, slots=True)
class Front:
    """The front matter's values by normalised key, the body, and the line on which the body starts."""

    values: Mapping[str, Any]
    body: str
    body_line: int
    lines: Mapping[str, int]

    def line(self, key: str) -> int:
        """The line on which a key stands."""
        return self.lines.get(key, 1)


class Desk:
    """Collects the complaints about one skill."""

    def __init__(self) -> None:
        self._complaints: list[Complaint] = []

    def warn(self, message: str, *, line: int = 1, file: str = "SKILL.md") -> None:
        """Note that something could not be used, and where."""
        self._complaints.append(Complaint(file, line, message))

    def complaints(self) -> tuple[Complaint, ...]:
        """What was collected, without repeats, the count of the rest where there is too much."""
        unique = list(dict.fromkeys(self._complaints))
        if len(unique) > MOST_WARNINGS:
            more = Complaint("SKILL.md", 1, f"and {len(unique) - MOST_WARNINGS} more warnings")
            unique = [*unique[:MOST_WARNINGS], more]
        return tuple(unique)


def cut(text: str, longest: int, desk: Desk, file: str) -> str:
    """The text with plain line ends, and cut where it is too long, which is complained of."""
    plain = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")
    if len(plain) <= longest:
        return plain
    desk.warn(f"longer than {longest:,} characters; the rest is not used", file=file)
    return plain[:longest].rpartition("\n")[0] or plain[:longest]


def front_of(text: str, desk: Desk) -> Front:
    """What a document says of itself, and the rest of it."""
    lines = text.split("\n")
    first = next((number for number, line in enumerate(lines) if line.strip()), 0)
    if not lines or lines[first].strip() != "---":
        desk.warn("no front matter; the folder's name and the first heading stand in")
        return Front({}, text, 1, {})
    last = next((number for number in range(first + 1, len(lines)) if lines[number].rstrip() in ("---", "...")), None)
    if last is None:
        desk.warn("the front matter is not closed by `---`; all of it is read as text", line=first + 1)
        return Front({}, "\n".join(lines[first + 1 :]), first + 2, {})
    inside, body = "\n".join(lines[first + 1 : last]), "\n".join(lines[last + 1 :])
    values, numbers = _values(inside, first + 1, desk)
    return Front(values, body, last + 2, numbers)


def _values(text: str, before: int, desk: Desk) -> tuple[dict[str, Any], dict[str, int]]:
    """The front matter's keys, those under `metadata` among them, and their lines in the file."""
    try:
        document = strict.load(text)
    except strict.NotStrict as error:
        desk.warn(
            f"the front matter is read line by line, because it is {_as_reason(error.reason)}", line=error.line + before
        )
        return _by_lines(text, before)
    if document.value is None:
        return {}, {}
    if not isinstance(document.value, dict):
        desk.warn("the front matter is not a mapping; it is not used", line=before + 1)
        return {}, {}
    found: dict[str, Any] = {}
    numbers: dict[str, int] = {}
    inner = document.value.get("metadata")
    for way, mapping in (((), document.value), (("metadata",), inner if isinstance(inner, dict) else {})):
        for key, value in mapping.items():
            name = key_of(str(key))
            found[name] = value
            numbers[name] = document.line((*way, str(key))) + before
    return found, numbers


def _as_reason(reason: str) -> str:
    return reason if reason.startswith("not YAML") else f"not usable as YAML: {reason}"


def _by_lines(text: str, before: int) -> tuple[dict[str, Any], dict[str, int]]:
    """Keys at the start of a line, and what follows them up to the next: good enough for `description: Use when: …`."""
    found: dict[str, Any] = {}
    numbers: dict[str, int] = {}
    current = ""
    for number, line in enumerate(text.split("\n"), start=1):
        started = re.match(r"([A-Za-z][\w -]{0,40}?)[ \t]*:(?:[ \t]+(.*)|[ \t]*)$", line)
        if started and not line[0].isspace():
            current = key_of(started[1])
            found[current] = _unquoted((started[2] or "").strip())
            numbers[current] = number + before
        elif current and line.strip():
            found[current] = f"{found[current]}\n{line.strip()}".lstrip("\n")
    return {key: re.sub(r"\A[>|][+-]?\n", "", value) for key, value in found.items()}, numbers


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'" else text


def key_of(text: str) -> str:
    """A key as it is looked up: small letters, underscores, one word for what many call differently."""
    name = re.sub(r"[\s-]+", "_", text.strip()).casefold()
    return _SAME_KEY.get(name, name)


_SAME_KEY = {
    "activation_phrases": "activation",
    "activation_keywords": "activation",
    "activations": "activation",
    "activates_on": "activation",
    "triggers": "activation",
    "trigger": "activation",
    "trigger_phrases": "activation",
    "keywords": "activation",
    "alias": "aliases",
    "globs": "paths",
    "extension": "extensions",
    "file_extensions": "extensions",
}


def text_of(value: Any) -> str:
    """Any value as one text; nothing for what is none."""
    match value:
        case str():
            return value.strip()
        case bool() | int() | float():
            return str(value)
        case list():
            return ", ".join(part for part in map(text_of, value) if part)
        case _:
            return ""


def texts_of(front: Front, key: str, desk: Desk) -> tuple[str, ...]:
    """A list of texts, from a list, or from text with commas or line by line."""
    value = front.values.get(key)
    if value is None or value == "":
        return ()
    if isinstance(value, str):
        parts: Iterable[Any] = re.split(r"\n|,", value.strip().strip("[]"))
    elif isinstance(value, list):
        parts = value
        if any(isinstance(part, dict | list) or part is None for part in value):
            desk.warn(f"`{key}` holds something that is no text; it is left out", line=front.line(key))
    elif isinstance(value, dict):
        desk.warn(f"`{key}` must be a list; its keys are left out", line=front.line(key))
        return ()
    else:
        parts = [value]
    plain = (_unquoted(text_of(part).lstrip("-* \t").strip()) for part in parts if not isinstance(part, dict | list))
    return tuple(dict.fromkeys(part for part in plain if part))[:MOST_PHRASES]
