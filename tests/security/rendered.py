"""What a text does once it is drawn: an independent reading of Markdown, as GitHub reads it, that lists everything active."""

from __future__ import annotations

import re
from collections.abc import Iterator

from markdown_it import MarkdownIt
from markdown_it.token import Token

_TOGETHER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
_APART = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).disable("text_join")
OURS = re.compile(
    r"<details><summary>[^<>]*</summary>|</?(?:details|summary|sub)>"
    r"|<!-- principal:(?:review|summary|finding:[0-9a-f]{16}):[0-9a-f]{32} -->"
)
_LIVE = re.compile(
    r"(?<![\w`])[@＠]\w|\w@\w+\.\w|(?i:https?|ftp)://|(?<![A-Za-z0-9])(?i:www)\.\w|(?:^|[\s(\[,])(?:[\w.-]+/[\w.-]+)?#\d+\b|\bGH-\d+\b"
)
_LABEL = r"[\w .,/:()-]{1,60}"
_NODE = rf'  n\d{{1,2}}\["{_LABEL}"\]\n'
_ARROW = rf'  n\d{{1,2}} (?:==>|-\.->|-->)(?:\|"{_LABEL}"\|)? n\d{{1,2}}\n'
_OUR_DIAGRAM = re.compile(rf"flowchart LR\n(?:{_NODE}){{1,16}}(?:{_ARROW}){{2,8}}")
_RENDERED = frozenset({"mermaid", "geojson", "topojson", "stl", "math"})
_RAW_COMMAND = re.compile(r"^[ \t]{0,40}(?:/[a-z][\w-]*(?=\s|$)|@dependabot\b)", re.MULTILINE | re.IGNORECASE)


def active(markdown: str, *, may_suggest: bool = False, may_head: bool = False) -> list[str]:
    """Everything that does more than being read; our own folds, small print and marker are left out."""
    found: list[str] = []
    for token in _TOGETHER.parse(markdown):
        found += _block(token, may_suggest=may_suggest, may_head=may_head)
        found += _inline(token.children or [])
    for token in _APART.parse(markdown):
        plain = "\0".join(child.content for child in token.children or [] if child.type == "text")
        if plain.count("$") > 1 or "[^" in plain:
            found.append(f"formula or footnote {plain!r}")
    found += [f"bot command {line!r}" for line in _RAW_COMMAND.findall(markdown)]
    return found


def _block(token: Token, *, may_suggest: bool, may_head: bool) -> Iterator[str]:
    if token.type == "html_block" and OURS.sub("", token.content).strip():
        yield f"html {token.content!r}"
    if token.type == "heading_open" and not may_head:
        yield "heading"
    if token.type == "fence":
        language = token.info.strip().partition(" ")[0].lower()
        is_ours = language == "mermaid" and _OUR_DIAGRAM.fullmatch(token.content)
        if (language in _RENDERED and not is_ours) or (language == "suggestion" and not may_suggest):
            yield f"fence {token.info}"


def _inline(children: list[Token]) -> Iterator[str]:
    for before, child in zip([None, *children], children, strict=False):
        if child.type in {"image", "link_open"}:
            yield child.type
        if child.type == "html_inline" and OURS.sub("", child.content).strip():
            yield f"html {child.content!r}"
        if child.type == "text" and _LIVE.search(child.content):
            yield f"live text {child.content!r}"
        starts_a_line = before is None or before.type in {"softbreak", "hardbreak"}
        if child.type == "text" and starts_a_line and re.match(r"/\w", child.content):
            yield f"command {child.content!r}"


def suggestions(markdown: str) -> list[str]:
    """What could be committed with one click."""
    return [
        token.content for token in _TOGETHER.parse(markdown) if token.type == "fence" and token.info == "suggestion"
    ]
