"""The outgoing gate: whatever a model or a rule wrote becomes text that can only be read.

No secret is repeated, no mention reaches anybody, no image loads, no HTML renders, no link leaves, no issue is closed, no other
bot is called. Code spans and fences keep their text; around them everything active is turned into code or plain words.
"""

from __future__ import annotations

import html
import re
from typing import NewType

from app.core.hidden import reveal
from app.core.plain import masked

Outgoing = NewType("Outgoing", str)
"""Text that may leave for GitHub. Only `release` makes it, and the door to GitHub takes nothing else."""
LONGEST_TEXT = 8_000
_LONGEST_SECRET = 25_000
"""What is not shown is not read either, but for what may belong to a secret that begins in front of it."""
_FENCE = re.compile(r"^ {0,3}(`{3,}(?=[^`]*$)|~{3,})")
_SPAN = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)
_LINK = re.compile(r"!?\[([^\]\n]{0,300})\]\(\s{0,9}<?([^)\s>]{0,500})>?(?:\s[^)\n]{0,200})?\)")
_URL = re.compile(
    r"(?:https?|ftp|data|javascript|file)://?[^\s<>`\"')\]\0]{1,500}|(?<![a-z0-9])www\.[^\s<>`\"')\]\0]{1,300}",
    re.IGNORECASE,
)
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_MENTION = re.compile(r"@(\w[\w-]{0,38}(?:/[\w.-]{1,100})?)")
_REFERENCE = re.compile(r"(?:\b[\w.-]{1,100}/[\w.-]{1,100})?#\d{1,9}\b|\bGH-\d{1,9}\b")
_CONTAINER = r"(?:[-*+]|\d{1,9}[.)]|>)"
_DEEPEST = 12
_INSIDE = rf"[ \t]{{0,40}}(?:{_CONTAINER}[ \t]{{0,8}}){{0,{_DEEPEST}}}"
_TOO_DEEP = re.compile(rf"^([ \t]{{0,40}})(?=(?:{_CONTAINER}[ \t]{{0,8}}){{{_DEEPEST + 1}}})", re.MULTILINE)
# A table cuts its lines at every bar, also inside a code span, and what the span held would act again.
# Without this row it is none.
_TABLE = re.compile(rf"^({_INSIDE})(?=[|: \t]*-)(?=[-: \t]*\||[-| \t]*:)([|:-][-|: \t]*)$", re.MULTILINE)
_COMMAND = re.compile(rf"^({_INSIDE}\\{{0,3}})(/\w[\w-]{{0,40}})", re.MULTILINE)
# Other bots read the text as it was sent, code or not. Their names are known; a decorator looks like any other mention.
_BOT_LINE = re.compile(
    r"^([ \t]{0,40})(/[A-Za-z][\w-]{0,40}(?=[ \t]|$)|@(?:dependabot|mergify|renovate|bors|homu|rustbot|k8s-ci-robot|coderabbit"
    r"|copilot|claude|codex|cursor|gemini|greptile|sourcery|openhands|devin|sweep|codecov|snyk|github-actions|[\w-]{0,38}bot)\w{0,20}\b)",
    re.MULTILINE | re.IGNORECASE,
)
_HEADING = re.compile(rf"^({_INSIDE})(#{{1,6}}(?=\s|$)|=+[ \t]*$|-+[ \t]*$)", re.MULTILINE)
_BACKSLASHES = re.compile(r"(?<!\\)\\+(?=[\0&<$~\[!])")
_HELD = re.compile(r"\0(\d+)\0(?=(\0)?)")
_RENDERED = frozenset(["suggestion", "mermaid", "geojson", "topojson", "stl", "math"])
_AT_SIGNS = str.maketrans({"＠": "@", "﹫": "@"})


def release(text: str) -> Outgoing:
    """A finished text, put together from our own words and what the verbs below have defused, as it may leave."""
    return Outgoing(reveal(masked(text)))


def clean(text: str, *, longest: int = LONGEST_TEXT) -> str:
    """Markdown that can only be read: code stays code, everything active in the prose around it is defused."""
    shown = reveal(masked(text[: longest + _LONGEST_SECRET].replace("\r\n", "\n"))).strip()
    if len(shown) > longest:
        shown = f"{shown[:longest].rstrip()} …"
    return "\n".join(_block(kind, block) for kind, block in _blocks(shown))


def line(text: str, *, longest: int = 300) -> str:
    """The same on one line."""
    return clean(" ".join(text.split()), longest=longest).replace("\n", " ")


def cell(text: str, *, longest: int = 300) -> str:
    """The same on one line, and inside one cell of a table."""
    return line(text, longest=longest).replace("|", "\\|")


def plain(text: str, *, longest: int = 300) -> str:
    """One line for a place that shows characters as they are: nothing hidden, no Markdown made of it."""
    shown = reveal(masked(" ".join(text.split())))
    return shown if len(shown) <= longest else f"{shown[: longest - 2].rstrip()} …"


def fence(code: str, language: str = "") -> str:
    """A fenced block that nothing inside can close."""
    body = _BOT_LINE.sub(r"\1> \2", reveal(masked(code.replace("\r\n", "\n")))).rstrip("\n")
    ticks = _ticks(body)
    return f"{ticks}{_info(language)}\n{body}\n{ticks}"


def suggestion(replacement: str) -> str:
    """A block that a person may commit with one click. Its lines are exactly these; none at all deletes."""
    ticks = _ticks(replacement)
    lines = f"{replacement}\n" if replacement else ""
    return f"{ticks}suggestion\n{lines}{ticks}"


def calls_a_bot(code: str) -> bool:
    """Whether a line would be taken for a command by those who read comments as they were sent."""
    return _BOT_LINE.search(code) is not None


def span(code: str) -> str:
    """An inline code span that nothing inside can close."""
    body = " ".join(reveal(masked(code)).split())
    ticks = "`" * (_longest_run(body) + 1)
    pad = " " if body.startswith("`") or body.endswith("`") else ""
    return f"{ticks}{pad}{body}{pad}{ticks}" if body else ""


def _ticks(body: str) -> str:
    return "`" * max(3, _longest_run(body) + 1)


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall(r"`+", text)), default=0)


def _info(language: str) -> str:
    """A fence's language: a word, and none that is drawn or can be clicked."""
    word = re.sub(r"[^\w+-]", "", language)[:30]
    return "" if word.lower() in _RENDERED else word


def _blocks(text: str) -> list[tuple[str, str]]:
    """(kind, text) of fenced blocks (`code`) and what stands between them (`prose`); an open fence is closed."""
    blocks: list[tuple[str, str]] = []
    prose: list[str] = []
    code: list[str] | None = None
    ticks = language = ""
    for raw in text.split("\n"):
        mark = _FENCE.match(raw)
        if code is None and mark:
            blocks.append(("prose", "\n".join(prose)))
            prose, code, ticks, language = [], [], mark.group(1), raw.strip().lstrip("`~").strip()
        elif code is not None and raw.strip().startswith(ticks) and not raw.strip().strip(ticks[0]):
            blocks.append((f"code {language}", "\n".join(code)))
            code = None
        elif code is not None:
            code.append(raw)
        else:
            prose.append(raw)
    if code is not None:
        blocks.append((f"code {language}", "\n".join(code)))
    blocks.append(("prose", "\n".join(prose)))
    return [(kind, block) for kind, block in blocks if kind != "prose" or block.strip()]


def _block(kind: str, block: str) -> str:
    if kind == "prose":
        return _prose(block)
    return fence(block, kind.removeprefix("code").strip().split(" ")[0])


def _prose(text: str) -> str:
    """Prose with its code spans kept, everything active turned into spans, and the rest written as plain text."""
    held: list[str] = []

    def hold(code: str) -> str:
        held.append(span(code))
        return f"\0{len(held) - 1}\0"

    plain = _SPAN.sub(lambda match: hold(match.group(2)), text.replace("\0", ""))
    # An entity may stand for a character that is hidden, or for one of a secret.
    plain = "\0".join(reveal(masked(html.unescape(part))) for part in plain.split("\0")).translate(_AT_SIGNS)
    plain = _LINK.sub(lambda link: f"{link.group(1)} ({link.group(2)})" if link.group(2) else link.group(1), plain)
    for pattern in (_URL, _EMAIL, _MENTION, _REFERENCE):
        plain = pattern.sub(lambda match: hold(match.group(0)), plain)
    plain = _COMMAND.sub(lambda match: f"{match.group(1)}{hold(match.group(2))}", plain)
    # Two spans that touch would become one with other ends.
    return _HELD.sub(lambda match: held[int(match.group(1))] + (" " if match.group(2) else ""), _escape(plain))


def _escape(plain: str) -> str:
    # What is escaped here needs no escape of its own, and one in front of ours would undo it.
    plain = _BACKSLASHES.sub(lambda found: found.group(0)[: len(found.group(0)) // 2 * 2], plain)
    plain = _TOO_DEEP.sub(r"\1\\", plain)
    plain = _TABLE.sub(r"\1\\\2", plain)
    plain = _HEADING.sub(r"\1\\\2", plain)
    plain = plain.replace("&", "&amp;").replace("<", "&lt;").replace("`", "'").replace("~~~", "\\~~~")
    plain = plain.replace("![", "!\\[").replace("[^", "\\[^").replace("](", "]\\(").replace("]:", "]\\:")
    return plain.replace("$", "\\$")
