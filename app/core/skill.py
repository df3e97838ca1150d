"""A skill's files in, the `Persona` out, with a warning for whatever could not be used. It never fails.

Skills from the wild come in many shapes: no front matter, front matter that is not YAML, lists where text should be,
activation phrases in prose, rules in tables of any layout. What is there is used; what is not is said.
The format: docs/writing-a-persona.md and https://agentskills.io/specification.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping

from app.core.activation import activation_of, described
from app.core.front_matter import LONGEST_DOCUMENT, Complaint, Desk, Front, cut, front_of, text_of, texts_of
from app.core.named_rules import rules_of
from app.core.persona import Persona
from app.core.references import references_of

LONGEST_TITLE = 120
LONGEST_HEADER = 2_000


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
    desk = Desk()
    front = front_of(cut(files.get("SKILL.md", ""), LONGEST_DOCUMENT, desk, "SKILL.md"), desk)
    name = slug(folder) or slug(text_of(front.values.get("name"))) or "skill"
    given_name = text_of(front.values.get("name"))[:LONGEST_TITLE]
    description, phrases, labelled = described(front.values.get("description"))
    activation = activation_of(front, desk) or phrases
    extensions = tuple(_extension(one) for one in texts_of(front, "extensions", desk))
    paths, imports = texts_of(front, "paths", desk), texts_of(front, "imports", desk)
    if phrases and not labelled and not texts_of(front, "activation", desk) and not (extensions or paths or imports):
        # Phrases in prose tell a reader when the skill helps; they do not say that it stays silent otherwise.
        paths = ("**",)
    if given_name and slug(given_name) != name:
        desk.warn(f"`name` is not the folder's name; it is known as `{name}`", line=front.line("name"))
    title = _title(front, given_name or folder)
    aliases = [*texts_of(front, "aliases", desk), given_name, folder, title]
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
        rules=rules_of(front, known_rules, desk),
        references=references_of(front, files, desk),
        model=_model(front, trusted, desk),
        header=_header(front),
        sections=_sections("sections", front, desk),
        fix_sections=_sections("fix_sections", front, desk),
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


def _extension(text: str) -> str:
    plain = text.strip().lstrip("*").casefold()
    return plain if plain.startswith(".") else f".{plain}"


def _title(front: Front, otherwise: str) -> str:
    given = text_of(front.values.get("title"))
    heading = re.search(r"^\s{0,3}#[ \t]+(.+?)[ \t]*#*$", front.body, re.MULTILINE) or re.search(
        r"^(\S.{0,118})\n=+[ \t]*$", front.body, re.MULTILINE
    )
    plain = given or (heading[1] if heading else "") or otherwise
    return re.sub(r"\s+", " ", re.sub(r"[`*\[\]<>|]", "", plain)).strip()[:LONGEST_TITLE] or otherwise


def _model(front: Front, trusted: bool, desk: Desk) -> str | None:
    name = text_of(front.values.get("model"))
    if not name or name.casefold() in ("none", "inherit", "default"):
        return None
    if not trusted:
        desk.warn("`model` is ignored: a repository's own skills may not name one", line=front.line("model"))
        return None
    if not re.fullmatch(r"[\w.:/@+ -]{1,100}", name):
        desk.warn("`model` is no model's name; it is ignored", line=front.line("model"))
        return None
    return name


def _header(front: Front) -> str:
    value = front.values.get("header")
    return value.rstrip("\n")[:LONGEST_HEADER] if isinstance(value, str) else ""


def _sections(key: str, front: Front, desk: Desk) -> tuple[str, ...]:
    """The headings of the body that the front matter names under a key."""
    value = front.values.get(key)
    named = tuple(map(text_of, value)) if isinstance(value, list) else texts_of(front, key, desk)
    there = set(re.findall(r"^##[ \t]+(.+?)[ \t#]*$", front.body, re.MULTILINE))
    for one in named:
        if one not in there:
            desk.warn(f"there is no section `{one[:60]}`; it is left out", line=front.line(key))
    return tuple(one for one in named if one in there)
