"""A skill's files in, the `Persona` out, with a warning for whatever could not be used. It never fails.

Skills from the wild come in many shapes: no front matter, front matter that is not YAML, lists where text should be,
activation phrases in prose, rules in tables of any layout. What is there is used; what is not is said.
The format: docs/writing-a-persona.md and https://agentskills.io/specification.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.core import strict
from app.core.persona import Persona, Reference

LONGEST_DOCUMENT = 131_072
LONGEST_REFERENCE = 65_536
MOST_REFERENCES = 20
MOST_TOPICS = 60
MOST_PHRASES = 50
LONGEST_PHRASE = 80
LONGEST_TITLE = 120
LONGEST_DESCRIPTION = 4_096
LONGEST_HEADER = 2_000
MOST_WARNINGS = 30


@dataclass(frozen=True, slots=True)
class Complaint:
    """Something in a skill that could not be used: in which of its files, on which line (1-based), and why."""

    file: str
    line: int
    message: str


@dataclass(frozen=True, slots=True)
class _Front:
    """The front matter's values by normalised key, the body, and the line on which the body starts."""

    values: Mapping[str, Any]
    body: str
    body_line: int
    lines: Mapping[str, int]

    def line(self, key: str) -> int:
        return self.lines.get(key, 1)


class _Desk:
    """Collects the complaints about one skill."""

    def __init__(self) -> None:
        self._complaints: list[Complaint] = []

    def warn(self, message: str, *, line: int = 1, file: str = "SKILL.md") -> None:
        self._complaints.append(Complaint(file, line, message))

    def complaints(self) -> tuple[Complaint, ...]:
        """What was collected, without repeats, the count of the rest where there is too much."""
        unique = list(dict.fromkeys(self._complaints))
        if len(unique) > MOST_WARNINGS:
            more = Complaint("SKILL.md", 1, f"and {len(unique) - MOST_WARNINGS} more warnings")
            unique = [*unique[:MOST_WARNINGS], more]
        return tuple(unique)


def parse(
    folder: str,
    files: Mapping[str, str],
    *,
    known_rules: Collection[str] = (),
    builtin: bool = False,
    trusted: bool = True,
) -> tuple[Persona, tuple[Complaint, ...]]:
    """The persona of a skill and what could not be used of it.

    `folder` is the folder's name, `files` the text of `SKILL.md` and of its other Markdown files by path inside the folder.
    """
    desk = _Desk()
    front = _front_matter(_cut(files.get("SKILL.md", ""), LONGEST_DOCUMENT, desk, "SKILL.md"), desk)
    name = slug(folder) or slug(_text(front.values.get("name"))) or "skill"
    given_name = _text(front.values.get("name"))[:LONGEST_TITLE]
    description, phrases, labelled = _description(front.values.get("description"))
    activation = _activation(front, desk) or phrases
    extensions = tuple(_extension(one) for one in _list(front, "extensions", desk))
    paths, imports = _list(front, "paths", desk), _list(front, "imports", desk)
    if phrases and not labelled and not _list(front, "activation", desk) and not (extensions or paths or imports):
        # Phrases in prose tell a reader when the skill helps; they do not say that it stays silent otherwise.
        paths = ("**",)
    if given_name and slug(given_name) != name:
        desk.warn(f"`name` is not the folder's name; it is known as `{name}`", line=front.line("name"))
    title = _title(front, given_name or folder)
    aliases = [*_list(front, "aliases", desk), given_name, folder, title]
    persona = Persona(
        name=name,
        title=title,
        description=description,
        body=front.body.strip("\n"),
        aliases=tuple(dict.fromkeys(alias for alias in aliases if alias and alias != name)),
        extensions=extensions,
        paths=paths,
        imports=imports,
        activation=activation,
        rules=_rules(front, known_rules, desk),
        references=_references(front, files, desk),
        model=_model(front, trusted, desk),
        header=_header(front),
        sections=_sections(front, desk),
        builtin=builtin,
        trusted=trusted,
    )
    if not persona.body.strip():
        desk.warn("the document has no text; the persona has nothing to say", line=front.body_line)
    return persona, desk.complaints()


def slug(text: str) -> str:
    """The text as a folder's name: lower case, words joined by hyphens; letters of any script stay."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return re.sub(r"[^\w]+|_", "-", plain).strip("-")[:64].strip("-")


def phrases(description: str) -> tuple[tuple[str, ...], bool]:
    """The activation phrases that stand in a description, and whether they stand there under that name."""
    for marker, labelled in ((_LABEL, True), (_PROSE, False)):
        for found in marker.finditer(description):
            listed = _listed(description[found.end() :], anything=labelled)
            if listed:
                return listed, labelled
    return (), False


# --- front matter -----------------------------------------------------------------------------------------------------


def _cut(text: str, longest: int, desk: _Desk, file: str) -> str:
    plain = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")
    if len(plain) <= longest:
        return plain
    desk.warn(f"longer than {longest:,} characters; the rest is not used", file=file)
    return plain[:longest].rpartition("\n")[0] or plain[:longest]


def _front_matter(text: str, desk: _Desk) -> _Front:
    lines = text.split("\n")
    first = next((number for number, line in enumerate(lines) if line.strip()), 0)
    if not lines or lines[first].strip() != "---":
        desk.warn("no front matter; the folder's name and the first heading stand in")
        return _Front({}, text, 1, {})
    last = next((number for number in range(first + 1, len(lines)) if lines[number].rstrip() in ("---", "...")), None)
    if last is None:
        desk.warn("the front matter is not closed by `---`; all of it is read as text", line=first + 1)
        return _Front({}, "\n".join(lines[first + 1 :]), first + 2, {})
    inside, body = "\n".join(lines[first + 1 : last]), "\n".join(lines[last + 1 :])
    values, numbers = _values(inside, first + 1, desk)
    return _Front(values, body, last + 2, numbers)


def _values(text: str, before: int, desk: _Desk) -> tuple[dict[str, Any], dict[str, int]]:
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
            name = _key(str(key))
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
            current = _key(started[1])
            found[current] = _unquoted((started[2] or "").strip())
            numbers[current] = number + before
        elif current and line.strip():
            found[current] = f"{found[current]}\n{line.strip()}".lstrip("\n")
    return {key: re.sub(r"\A[>|][+-]?\n", "", value) for key, value in found.items()}, numbers


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'" else text


def _key(text: str) -> str:
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


# --- values -----------------------------------------------------------------------------------------------------------


def _text(value: Any) -> str:
    """Any value as one text; nothing for what is none."""
    match value:
        case str():
            return value.strip()
        case bool() | int() | float():
            return str(value)
        case list():
            return ", ".join(part for part in map(_text, value) if part)
        case _:
            return ""


def _list(front: _Front, key: str, desk: _Desk) -> tuple[str, ...]:
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
    plain = (_unquoted(_text(part).lstrip("-* \t").strip()) for part in parts if not isinstance(part, dict | list))
    return tuple(dict.fromkeys(part for part in plain if part))[:MOST_PHRASES]


def _extension(text: str) -> str:
    plain = text.strip().lstrip("*").casefold()
    return plain if plain.startswith(".") else f".{plain}"


def _title(front: _Front, otherwise: str) -> str:
    given = _text(front.values.get("title"))
    heading = re.search(r"^\s{0,3}#[ \t]+(.+?)[ \t]*#*$", front.body, re.MULTILINE) or re.search(
        r"^(\S.{0,118})\n=+[ \t]*$", front.body, re.MULTILINE
    )
    plain = given or (heading[1] if heading else "") or otherwise
    return re.sub(r"\s+", " ", re.sub(r"[`*\[\]<>|]", "", plain)).strip()[:LONGEST_TITLE] or otherwise


def _model(front: _Front, trusted: bool, desk: _Desk) -> str | None:
    name = _text(front.values.get("model"))
    if not name or name.casefold() in ("none", "inherit", "default"):
        return None
    if not trusted:
        desk.warn("`model` is ignored: a repository's own skills may not name one", line=front.line("model"))
        return None
    if not re.fullmatch(r"[\w.:/@+ -]{1,100}", name):
        desk.warn("`model` is no model's name; it is ignored", line=front.line("model"))
        return None
    return name


def _header(front: _Front) -> str:
    value = front.values.get("header")
    return value.rstrip("\n")[:LONGEST_HEADER] if isinstance(value, str) else ""


def _sections(front: _Front, desk: _Desk) -> tuple[str, ...]:
    """The headings of the body that a review reads, as the front matter names them."""
    value = front.values.get("sections")
    named = tuple(map(_text, value)) if isinstance(value, list) else _list(front, "sections", desk)
    there = set(re.findall(r"^##[ \t]+(.+?)[ \t#]*$", front.body, re.MULTILINE))
    for one in named:
        if one not in there:
            desk.warn(f"there is no section `{one[:60]}`; it is left out", line=front.line("sections"))
    return tuple(one for one in named if one in there)


# --- description and activation ---------------------------------------------------------------------------------------

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
_BULLET = re.compile(r"^[ \t]*(?:[-*+•]|\d{1,2}[.)])[ \t]+(.+?)[ \t]*$")


def _description(value: Any) -> tuple[str, tuple[str, ...], bool]:
    """The description as text, the phrases in it, and whether they are called activation there."""
    if isinstance(value, dict):
        inner = {_key(str(key)): one for key, one in value.items()}
        text = next((_text(inner[key]) for key in ("text", "summary", "description") if key in inner), "")
        listed = inner.get("activation")
        found = _clean([_text(one) for one in listed] if isinstance(listed, list) else _split(_text(listed)))
        return text[:LONGEST_DESCRIPTION], found, bool(found)
    if isinstance(value, list):
        value = "\n".join(f"- {line}" if number else line for number, line in enumerate(map(_text, value)) if line)
    text = _text(value)[:LONGEST_DESCRIPTION]
    return text, *phrases(text)


def _activation(front: _Front, desk: _Desk) -> tuple[str, ...]:
    return _clean(_list(front, "activation", desk))


def _listed(rest: str, *, anything: bool) -> tuple[str, ...]:
    """The phrases of the list that follows: bullets, brackets, quotes; with `anything` also words between commas."""
    lines = rest.split("\n")
    here, below = lines[0].strip(" \t:-–—*_"), lines[1:]
    if not here:
        bullets: list[str] = []
        for line in below:
            found = _BULLET.match(line)
            if found:
                bullets.append(found[1])
            elif line.strip() or bullets:
                break
        if bullets:
            return _clean(bullets) if anything else ()
        here = next((line.strip() for line in below if line.strip()), "")
    bracketed = re.match(r"\[([^\]]{1,2000})\]", here)
    if bracketed and anything:
        return _clean(_split(bracketed[1]))
    paragraph = re.split(r"\n[ \t]*\n", rest, maxsplit=1)[0]
    quoted = [one or other for one, other in _QUOTED.findall(_sentence_with_quotes(paragraph))]
    if quoted:
        return _clean(quoted)
    if not anything:
        return ()
    folded = " ".join(line.strip() for line in paragraph.split("\n")) if not below or "," in here else here
    listed = _clean(_split(re.split(r"\.(?:\s|$)", folded.strip(" \t:-–—*_"), maxsplit=1)[0]))
    return listed if len(listed) > 1 or (listed and ":" in rest[:2]) else ()


def _sentence_with_quotes(paragraph: str) -> str:
    """The paragraph up to the end of the sentence in which the quotes stand."""
    masked = _QUOTED.sub(lambda found: "q" * len(found.group()), paragraph)
    end = re.search(r"[.!?](?:\s|$)", masked)
    return paragraph[: end.start()] if end else paragraph


def _split(text: str) -> list[str]:
    return re.split(r"[,;|\n]|\s+or\s+|\s+and\s+(?=[\"'“])", text)


def _clean(parts: Sequence[str]) -> tuple[str, ...]:
    """Phrases as they are compared: bare, lower case, each once, none that is a sentence."""
    plain = (
        re.sub(r"\s+", " ", re.sub(r"^(?:or|and)\s+", "", part.strip(" \t\n\"'“”«»`*_.,;:-–—[]()"))).casefold()
        for part in parts
    )
    kept = (part for part in plain if 2 <= len(part) <= LONGEST_PHRASE and part.count(" ") < 8)
    return tuple(dict.fromkeys(kept))[:MOST_PHRASES]


# --- rules ------------------------------------------------------------------------------------------------------------

_RULE_ID = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_LISTED_ID = re.compile(
    r"^[ \t]*(?:[-*+•]|\d{1,3}[.)])[ \t]+(?:\[[ xX]\][ \t]+)?[*_`\[]{0,4}(?P<id>[a-z][a-z0-9]*(?:-[a-z0-9]+)*)[*_`\]]{0,4}"
    r"(?=[ \t]*(?:$|[:—–(]|-[ \t]))"
)


def _rules(front: _Front, known: Collection[str], desk: _Desk) -> tuple[str, ...]:
    """The rules that the front matter names; without them those that a table or a list of the body names."""
    if "rules" in front.values:
        named = [(one, front.line("rules")) for one in _list(front, "rules", desk)]
    else:
        named = _named_in_body(front, frozenset(known))
    for one, line in named:
        if one not in known:
            desk.warn(f"there is no rule `{one[:60]}`; it is left out", line=line)
    return tuple(dict.fromkeys(one for one, _ in named if one in known))


def _named_in_body(front: _Front, known: frozenset[str]) -> list[tuple[str, int]]:
    found: list[tuple[str, int]] = []
    for block in _blocks(front.body, front.body_line):
        ids = _of_table(block, known) if block[0][1].lstrip().startswith("|") else _of_list(block)
        if sum(1 for one, _ in ids if one in known) >= 2:
            found += ids
    return found


def _blocks(body: str, first_line: int) -> list[list[tuple[int, str]]]:
    """Runs of table rows and of list items, each with its lines' numbers."""
    blocks: list[list[tuple[int, str]]] = []
    kind = ""
    for number, line in enumerate(body.split("\n"), start=first_line):
        new = (
            "table"
            if line.lstrip().startswith("|")
            else "list"
            if _BULLET.match(line)
            else ""
            if not line.strip()
            else "text"
        )
        if new == "text" and kind == "list" and line[0].isspace():
            continue
        if new in ("table", "list"):
            if new != kind:
                blocks.append([])
            blocks[-1].append((number, line))
        kind = kind if new == "" and kind == "list" else new
    return [block for block in blocks if block]


def _of_table(block: list[tuple[int, str]], known: frozenset[str]) -> list[tuple[str, int]]:
    """The ids of the column that holds most of the known ones; a cell may hold several."""
    rows = [(number, [cell.strip() for cell in line.strip().strip("|").split("|")]) for number, line in block]
    columns = max(len(cells) for _, cells in rows)

    def ids(cell: str) -> list[str]:
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", cell)
        return [
            part
            for part in (piece.strip(" `*_.") for piece in re.split(r"[,;/]|<br\s*/?>|\s{2,}|(?<=`)\s+(?=`)", plain))
            if _RULE_ID.fullmatch(part)
        ]

    def hits(column: int) -> int:
        return sum(1 for _, cells in rows if column < len(cells) for one in ids(cells[column]) if one in known)

    best = max(range(columns), key=hits)
    return [
        (one, number)
        for position, (number, cells) in enumerate(rows)
        if best < len(cells)
        for one in ids(cells[best])
        if position > 0 or one in known
    ]


def _of_list(block: list[tuple[int, str]]) -> list[tuple[str, int]]:
    return [(found["id"], number) for number, line in block if (found := _LISTED_ID.match(line))]


# --- references -------------------------------------------------------------------------------------------------------

_DULL = frozenset((
    "core", "guide", "guides", "reference", "references", "readme", "index", "notes", "doc", "docs", "overview",
    "introduction", "intro", "the", "and", "for", "of", "in", "to", "a", "an", "with", "how", "what", "when", "why",
    "summary", "example", "examples", "see", "also", "more", "links", "basics", "general", "common", "misc",
))  # fmt: skip


def _references(front: _Front, files: Mapping[str, str], desk: _Desk) -> tuple[Reference, ...]:
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
            path = _text(one.get("file") or one.get("path") or one.get("name")) if isinstance(one, dict) else _text(one)
            topics = one.get("topics") if isinstance(one, dict) else None
            wanted.append(
                (
                    path.removeprefix("./"),
                    tuple(map(_text, topics)) if isinstance(topics, list) else tuple(_split(_text(topics))),
                )
            )
    found: list[Reference] = []
    for path, topics in wanted[:MOST_REFERENCES]:
        if path not in files or path == "SKILL.md":
            desk.warn(
                f"the reference `{path[:80]}` is missing, outside the folder, or not text; it is left out", line=line
            )
            continue
        found.append(_reference(path, _cut(files[path], LONGEST_REFERENCE, desk, path), topics))
    if len(wanted) > MOST_REFERENCES:
        desk.warn(f"more than {MOST_REFERENCES} references; the rest is left out", line=line)
    return tuple(found)


def _reference(path: str, text: str, topics: Sequence[str]) -> Reference:
    body = text
    if re.match(r"\s*---\n", text):
        front = _front_matter(text, _Desk())
        body = front.body
        topics = topics or _list(front, "topics", _Desk()) or _list(front, "activation", _Desk())
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
