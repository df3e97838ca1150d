"""A skill's other documents → its references, each with the topics that call for it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from app.core.activation import split
from app.core.front_matter import Desk, Front, cut, front_of, text_of, texts_of
from app.core.persona import Reference

LONGEST_REFERENCE = 65_536
MOST_REFERENCES = 20
MOST_TOPICS = 60

_DULL = frozenset((
    "core", "guide", "guides", "reference", "references", "readme", "index", "notes", "doc", "docs", "overview",
    "introduction", "intro", "the", "and", "for", "of", "in", "to", "a", "an", "with", "how", "what", "when", "why",
    "summary", "example", "examples", "see", "also", "more", "links", "basics", "general", "common", "misc",
))  # fmt: skip


def references_of(front: Front, files: Mapping[str, str], desk: Desk) -> tuple[Reference, ...]:
    """The references that the front matter names, with their topics; without them every document in `references/`."""
    named = front.values.get("references")
    line = front.line("references")
    if isinstance(named, str | dict):
        named = [named]
    if not isinstance(named, list):
        wanted: list[tuple[str, tuple[str, ...]]] = [
            (path, ()) for path in sorted(files) if path.startswith("references/")
        ]
    else:
        wanted = []
        for one in named:
            path = (
                text_of(one.get("file") or one.get("path") or one.get("name"))
                if isinstance(one, dict)
                else text_of(one)
            )
            topics = one.get("topics") if isinstance(one, dict) else None
            wanted.append(
                (
                    path.removeprefix("./"),
                    tuple(map(text_of, topics)) if isinstance(topics, list) else tuple(split(text_of(topics))),
                )
            )
    found: list[Reference] = []
    for path, topics in wanted[:MOST_REFERENCES]:
        if path not in files or path == "SKILL.md":
            desk.warn(
                f"the reference `{path[:80]}` is missing, outside the folder, or not text; it is left out", line=line
            )
            continue
        found.append(_reference(path, cut(files[path], LONGEST_REFERENCE, desk, path), topics))
    if len(wanted) > MOST_REFERENCES:
        desk.warn(f"more than {MOST_REFERENCES} references; the rest is left out", line=line)
    return tuple(found)


def _reference(path: str, text: str, topics: Sequence[str]) -> Reference:
    body = text
    if re.match(r"\s*---\n", text):
        front = front_of(text, Desk())
        body = front.body
        topics = topics or texts_of(front, "topics", Desk()) or texts_of(front, "activation", Desk())
    plain = [topic.strip() for topic in topics if topic.strip()]
    return Reference(
        path.removeprefix("references/"),
        tuple(dict.fromkeys(plain or _guessed(path, body)))[:MOST_TOPICS],
        body.strip("\n"),
    )


def _guessed(path: str, body: str) -> list[str]:
    """Topics of a reference that names none: the words of its file name, and its headings."""
    words = [
        word
        for word in re.split(r"[-_.\s]+", path.rpartition("/")[2].rpartition(".")[0].casefold())
        if len(word) > 2 and word not in _DULL
    ]
    headings = [
        re.sub(r"[`*_#\[\]]", "", found).strip().casefold()
        for found in re.findall(r"^#{1,3}[ \t]+(.{2,80})$", body, re.MULTILINE)
    ]
    short = [heading for heading in headings if 1 <= len(heading.split()) <= 3 and heading not in _DULL]
    return [*words, *short]
