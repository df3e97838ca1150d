"""A repository's own skills: the documents under `.github/principal/skills/` on its default branch → its personas.

    paths of that folder ── wanted ─► those that are read
    their texts ── read ─► OwnSkills(personas, notes)

They are text for a model and nothing else: nothing in them is run, no model is chosen by them, no file outside their own
folder is read, and they add to what reviews without taking anybody's place. A secret in them is taken out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from app.core import secrets, skill
from app.core.hidden import reveal
from app.core.persona import Persona
from app.core.policy_files import Source

FOLDER = ".github/principal/skills/"
MOST_SKILLS = 10
MOST_FILES = 40
"""Over all skills."""
LONGEST_FILE = 24_000
"""Six thousand tokens of each prompt that the persona has a part in; the built-in ones are about as long."""
_ENDINGS = (".md", ".markdown", ".txt")


@dataclass(frozen=True, slots=True)
class OwnSkills:
    """A repository's personas, and sentences for the people who wrote them."""

    personas: tuple[Persona, ...] = ()
    notes: tuple[str, ...] = ()


def wanted(paths: Iterable[str]) -> tuple[str, ...]:
    """The documents among the paths that belong to a skill (`FOLDER/NAME/…`), a bounded number, those of one skill together."""
    found = sorted(path for path in paths if _is_document(path))
    names = list(dict.fromkeys(_name(path) for path in found))[:MOST_SKILLS]
    return tuple(path for path in found if _name(path) in names)[:MOST_FILES]


def read(files: Sequence[Source], *, known_rules: Collection[str], taken: Collection[str]) -> OwnSkills:
    """The personas of these documents. `taken` are the names that others answer to already, in lower case."""
    personas: list[Persona] = []
    notes: list[str] = []
    for name, texts in _by_skill(files).items():
        place = f"{FOLDER}{name}/"
        if "SKILL.md" not in texts:
            notes.append(f"`{place}` is no skill, because it has no `SKILL.md`.")
            continue
        persona, complaints = skill.parse(name, texts, known_rules=known_rules, trusted=False)
        notes += [f"`{place}{one.file}:{one.line}`: {one.message}." for one in complaints]
        if {persona.name, *(alias.casefold() for alias in persona.aliases)} & set(taken):
            notes.append(f"`{place}` is left out: a persona that answers to its name is there already.")
        else:
            personas.append(replace(persona, builtin=False))
    return OwnSkills(tuple(personas), tuple(notes))


def told_of(paths: Iterable[str]) -> tuple[str, ...]:
    """A sentence for a change that touches these skills, which count as the default branch has them."""
    changed = [path for path in paths if path.startswith(FOLDER)]
    if not changed:
        return ()
    more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
    return (
        f"This pull request changes `{changed[0]}`{more}: skills take effect once it is merged, not for this review.",
    )


def _by_skill(files: Sequence[Source]) -> Mapping[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for source in files:
        inside = source.path.removeprefix(f"{FOLDER}{_name(source.path)}/")
        found.setdefault(_name(source.path), {})[inside] = secrets.redact(reveal(source.text[:LONGEST_FILE]))
    return found


def _is_document(path: str) -> bool:
    below = path.removeprefix(FOLDER)
    return below != path and below.count("/") >= 1 and path.casefold().endswith(_ENDINGS)


def _name(path: str) -> str:
    return path.removeprefix(FOLDER).partition("/")[0]
