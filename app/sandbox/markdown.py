"""Markdown as people and bots write it on GitHub → HTML that is safe to put into a page.

The text is rendered first and then rebuilt tag by tag from a short list, so that only what is on the list comes out,
always balanced. Comments in the source stay hidden, pictures become their description, and code gets colours.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from html.parser import HTMLParser
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markupsafe import Markup
from pygments import highlight  # type: ignore[import-untyped]
from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]
from pygments.lexer import Lexer  # type: ignore[import-untyped]
from pygments.lexers import TextLexer, get_lexer_by_name, get_lexer_for_filename  # type: ignore[import-untyped]
from pygments.util import ClassNotFound  # type: ignore[import-untyped]

# One string, because a list of forty quoted words is hard to read.
ALLOWED = """
    p br hr h1 h2 h3 h4 h5 h6 ul ol li blockquote pre code em strong b i del s ins kbd samp var sub sup
    table thead tbody tr th td details summary dl dt dd a
"""
PLAIN = frozenset(ALLOWED.split())
VOID = frozenset({"br", "hr"})
DROPPED_WITH_CONTENT = frozenset({"script", "style", "title", "textarea", "iframe", "object", "template", "noscript"})
NO_MENTIONS_INSIDE = frozenset({"a", "code", "pre"})
LINK = re.compile(r"(?:https?://|mailto:|/|#)", re.IGNORECASE)
MENTION = re.compile(r"(?<![\w/.@])@([a-zA-Z0-9](?:[a-zA-Z0-9-]{0,38}))")
CODE_CLASS_PREFIX = "k-"


@dataclass(frozen=True, slots=True)
class Suggested:
    """What a suggestion in this text would replace: the file's name for its colours, and the numbered lines."""

    path: str
    first_line: int
    lines: tuple[str, ...]


def render(text: str, *, suggested: Suggested | None = None) -> Markup:
    """The text as safe HTML; suggestion blocks are drawn as a change of the lines in `suggested`."""
    slots = _Slots(suggested)
    rendered = _PARSER.render(text, {"slots": slots})
    rebuild = _Rebuild(slots)
    rebuild.feed(rendered)
    rebuild.close()
    return Markup(rebuild.finished())  # noqa: S704 - rebuilt from the list of allowed tags.


def code_lines(text: str, lexer: Lexer) -> list[Markup]:
    """Each line of some code as HTML with its colours."""
    formatter = HtmlFormatter(nowrap=True, classprefix=CODE_CLASS_PREFIX)
    rows = highlight(text, lexer, formatter).removesuffix("\n").split("\n")
    return [Markup(row) for row in rows]  # noqa: S704 - the formatter escapes.


def lexer_for(path: str) -> Lexer:
    """The lexer for a file's name; plain text where none is known."""
    try:
        return get_lexer_for_filename(path, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return TextLexer(stripnl=False, ensurenl=False)


def _lexer_named(name: str) -> Lexer:
    try:
        return get_lexer_by_name(name, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return TextLexer(stripnl=False, ensurenl=False)


@dataclass(slots=True)
class _Slots:
    """Finished pieces that the rebuilding puts in unread. The nonce keeps a text from naming a slot itself."""

    suggested: Suggested | None
    nonce: str = field(default_factory=lambda: secrets.token_hex(8))
    pieces: list[str] = field(default_factory=list)

    def keep(self, piece: str) -> str:
        self.pieces.append(piece)
        return f'<pre data-slot="{self.nonce}-{len(self.pieces) - 1}"></pre>'

    def find(self, name: str | None) -> str | None:
        nonce, _, index = (name or "").partition("-")
        return self.pieces[int(index)] if nonce == self.nonce and index.isdigit() else None


def _fence(_renderer: RendererHTML, tokens: Sequence[Token], index: int, _options: Any, env: Any) -> str:
    token = tokens[index]
    slots: _Slots = env["slots"]
    language = token.info.strip().partition(" ")[0].lower()
    if language == "suggestion" and slots.suggested is not None:
        return slots.keep(_suggestion(slots.suggested, token.content))
    if language in {"diff", "patch"}:
        return slots.keep(_diff(token.content))
    rows = code_lines(token.content.removesuffix("\n"), _lexer_named(language or "text"))
    return slots.keep(f'<pre class="code"><code>{chr(10).join(rows)}</code></pre>')


def _suggestion(suggested: Suggested, text: str) -> str:
    lexer = lexer_for(suggested.path)
    rows = [_row("del", "−", line) for line in code_lines("\n".join(suggested.lines), lexer)]
    if text:
        rows += [_row("add", "+", line) for line in code_lines(text.removesuffix("\n"), lexer)]
    return f'<div class="suggestion"><header>Suggested change</header><table>{"".join(rows)}</table></div>'


def _row(kind: str, mark: str, line: Markup) -> str:
    return f'<tr class="{kind}"><td class="mark">{mark}</td><td class="text">{line or " "}</td></tr>'


def _diff(text: str) -> str:
    kinds = {"+": "add", "-": "del", "@": "hunk"}
    rows = []
    for row in text.removesuffix("\n").split("\n"):
        heading = row.startswith(("+++", "---", "diff ", "index "))
        kind = "meta" if heading else kinds.get(row[:1], "same")
        rows.append(f'<span class="{kind}">{escape(row) or " "}</span>')
    return f'<pre class="code diff"><code>{"".join(rows)}</code></pre>'


def _image(_renderer: RendererHTML, tokens: Sequence[Token], index: int, _options: Any, _env: Any) -> str:
    return f"<samp>picture: {escape(tokens[index].content or 'without a description')}</samp>"


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": True, "breaks": True}).enable(["table", "strikethrough"])
    parser.add_render_rule("fence", _fence)
    parser.add_render_rule("image", _image)
    return parser


_PARSER = _parser()


class _Rebuild(HTMLParser):
    """Takes HTML apart and writes down what is allowed."""

    def __init__(self, slots: _Slots) -> None:
        super().__init__(convert_charrefs=True)
        self._slots = slots
        self._out: list[str] = []
        self._open: list[str] = []
        self._dropping: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if self._dropping is None and tag in DROPPED_WITH_CONTENT:
            self._dropping = tag
        if self._dropping is not None or tag not in PLAIN:
            return
        piece = self._slots.find(given.get("data-slot")) if tag == "pre" else None
        if piece is not None:
            self._out.append(piece)
            self._dropping = "pre"
            return
        self._out.append(f"<{tag}{_attributes(tag, given)}>")
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._dropping is not None:
            if tag == self._dropping:
                self._dropping = None
            return
        if tag not in self._open:
            return
        # What was opened inside and never closed ends here too.
        while (inner := self._open.pop()) != tag:
            self._out.append(f"</{inner}>")
        self._out.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if self._dropping is not None:
            return
        text = escape(data, quote=False)
        if not NO_MENTIONS_INSIDE & set(self._open):
            text = MENTION.sub(r'<span class="mention">@\1</span>', text)
        self._out.append(text)

    def finished(self) -> str:
        """The HTML, with everything closed."""
        return "".join(self._out) + "".join(f"</{tag}>" for tag in reversed(self._open))


def _attributes(tag: str, given: dict[str, str | None]) -> str:
    match tag:
        case "a":
            href = given.get("href") or ""
            return f' href="{escape(href)}" rel="nofollow noreferrer"' if LINK.match(href) else ""
        case "details":
            return " open" if "open" in given else ""
        case "ol":
            start = given.get("start") or ""
            return f' start="{start}"' if start.isdigit() else ""
        case "td" | "th":
            side = re.search(r"text-align:\s*(left|right|center)", given.get("style") or "")
            return f' class="{side[1]}"' if side else ""
        case _:
            return ""
