"""Our files on disk, and the operator's own folders, in: personas, rules and task prompts out.

prompts/personas/NAME/SKILL.md + references/ ──► Persona
rules/CATEGORY/RULE.yml ───────────────────────► Rule
prompts/tasks/NAME.md ─────────────────────────► task text

Nothing in these folders is executed. A file that cannot be used is a warning, and the others load.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from app.core import own_skills, rule_file, skill
from app.core.persona import Persona
from app.core.policy_files import Source
from app.core.rule import Rule
from app.core.rule_file import BrokenRule

MOST_PERSONAS = 200
MOST_RULE_FILES = 1_000
MOST_FILES_PER_SKILL = 60
MOST_FOLDERS = 2_000
DEEPEST_FOLDER = 3
LONGEST_RULE_BYTES = 262_144
LONGEST_DOCUMENT_BYTES = 4 * 131_072
LONGEST_TASK_BYTES = 65_536
_DOCUMENTS = (".md", ".markdown", ".txt")


@dataclass(frozen=True, slots=True)
class Warning:  # noqa: A001 - a warning is what it is called in every message about it
    """Something in the folders that could not be used, or not as it stands. `line` is 1-based, 0 where none applies.

    `lost` says that something was left out for it.
    """

    path: str
    line: int
    message: str
    lost: bool = True

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}" if self.line else f"{self.path}: {self.message}"


@dataclass(frozen=True)
class Library:
    """All personas and rules, by priority of their category, and the task prompts by name."""

    personas: tuple[Persona, ...]
    rules: tuple[Rule, ...]
    tasks: Mapping[str, str]
    warnings: tuple[Warning, ...] = ()
    places: Mapping[str, str] = field(default_factory=dict)
    """Where each rule and persona was read: `rule:ID` and `persona:NAME` → path."""

    @cached_property
    def _by_name(self) -> dict[str, Persona]:
        found: dict[str, Persona] = {}
        for persona in self.personas:
            for alias in persona.aliases:
                found.setdefault(alias.casefold(), persona)
        return found | {persona.name: persona for persona in self.personas}

    def persona(self, name: str) -> Persona | None:
        """The persona of that name or alias, however it is capitalised."""
        plain = name.strip().casefold()
        return self._by_name.get(plain) or self._by_name.get(skill.slug(plain))

    def with_skills_of(self, files: Sequence[Source]) -> tuple[Library, tuple[str, ...]]:
        """The library with a repository's own personas added to it, and sentences about what of them cannot be used."""
        taken = {name.casefold() for persona in self.personas for name in (persona.name, *persona.aliases)}
        own = own_skills.read(files, known_rules=[rule.id for rule in self.rules], taken=taken)
        return replace(self, personas=(*self.personas, *own.personas)), own.notes

    def rule(self, identifier: str) -> Rule | None:
        """The rule of that id."""
        return next((rule for rule in self.rules if rule.id == identifier.strip().casefold()), None)


def load(*, skills: Sequence[Path | str] = (), rules: Sequence[Path | str] = (), root: Path | None = None) -> Library:
    """The library: what is built in, then the operator's folders, which add to it and override it.

    `root` holds `prompts/` and `rules/`; by default they are found in the installed package or in the checkout around it.
    """
    home = root or shipped()
    shelf = _Shelf()
    shelf.add_rules(home / "rules", builtin=True)
    for folder in rules:
        shelf.add_rules(Path(folder).expanduser(), builtin=False)
    shelf.add_personas(home / "prompts" / "personas", builtin=True)
    for folder in skills:
        shelf.add_personas(Path(folder).expanduser(), builtin=False)
    tasks = {
        path.stem: shelf.text(path, LONGEST_TASK_BYTES) or ""
        for path in sorted((home / "prompts" / "tasks").glob("*.md"))
    }
    return shelf.library(tasks)


def load_rules(folder: Path) -> tuple[tuple[Rule, ...], tuple[Warning, ...]]:
    """The rules of one folder alone, and what was wrong with its files."""
    shelf = _Shelf()
    shelf.add_rules(folder, builtin=False)
    found = shelf.library({})
    return found.rules, found.warnings


def shipped() -> Path:
    """The folder that holds `prompts/` and `rules/`: inside an installed package, else the checkout around it."""
    package = Path(__file__).resolve().parent
    installed = package / "shipped"
    return installed if (installed / "rules").is_dir() else package.parent


class _Shelf:
    """What was loaded so far, and what was said about it."""

    def __init__(self) -> None:
        self._rules: dict[str, Rule] = {}
        self._personas: dict[str, Persona] = {}
        self._places: dict[str, str] = {}
        self._warnings: list[Warning] = []

    def library(self, tasks: Mapping[str, str]) -> Library:
        rules = sorted(self._rules.values(), key=lambda rule: (rule.category.priority, rule.id))
        return Library(tuple(self._personas.values()), tuple(rules), tasks, tuple(self._warnings), self._places)

    def add_rules(self, folder: Path, *, builtin: bool) -> None:
        """Every rule file below the folder."""
        seen: dict[str, str] = {}
        for path in self._files(folder, (".yml", ".yaml")):
            text = self.text(path, LONGEST_RULE_BYTES)
            if text is None:
                continue
            try:
                rule = rule_file.parse(text, path=path.as_posix())
            except BrokenRule as error:
                self._warn(path, error.line, f"not a rule, so it is left out: {error}")
                continue
            if rule.id in seen:
                self._warn(path, 1, f"left out: `{rule.id}` stands in {seen[rule.id]} already")
                continue
            if rule.id in self._rules and not builtin:
                place = self._places[f"rule:{rule.id}"]
                self._warn(path, 1, f"takes the place of the rule `{rule.id}` in {place}", lost=False)
            seen[rule.id] = str(path)
            self._rules[rule.id] = rule
            self._places[f"rule:{rule.id}"] = str(path)

    def add_personas(self, folder: Path, *, builtin: bool) -> None:
        """The persona of the folder, or of every folder below that holds a SKILL.md."""
        found = list(_skill_folders(folder))
        if not found:
            self._warn(
                folder, 0, "no folder with a SKILL.md here" if folder.is_dir() else "not a folder that can be read"
            )
        if len(found) > MOST_PERSONAS:
            self._warn(folder, 0, f"more than {MOST_PERSONAS} skills; the rest is left out")
        for place in found[:MOST_PERSONAS]:
            files = self._skill_files(place, root=folder)
            if "SKILL.md" not in files:
                continue
            persona, complaints = skill.parse(place.resolve().name, files, known_rules=self._rules, builtin=builtin)
            self._warnings += [Warning(str(place / one.file), one.line, one.message) for one in complaints]
            self._add(persona, place)

    def _add(self, persona: Persona, place: Path) -> None:
        former = self._same(persona)
        if former is not None:
            where = self._places[f"persona:{former.name}"]
            if not former.builtin:
                self._warn(place / "SKILL.md", 1, f"left out: a persona `{former.name}` stands in {where} already")
                return
            self._warn(place / "SKILL.md", 1, f"takes the place of the persona `{former.name}` in {where}", lost=False)
            del self._personas[former.name]
            persona = _in_place_of(former, persona)
        self._personas[persona.name] = persona
        self._places[f"persona:{persona.name}"] = str(place / "SKILL.md")

    def _same(self, persona: Persona) -> Persona | None:
        """The persona that answers to this one's name, or to the name its document gives itself."""
        own = {persona.name, *(skill.slug(alias) for alias in persona.aliases if alias != persona.title)}
        for other in self._personas.values():
            if persona.name == other.name or (other.builtin and own & {other.name, *map(skill.slug, other.aliases)}):
                return other
        return None

    def _skill_files(self, folder: Path, *, root: Path) -> dict[str, str]:
        """The documents of one skill by their path inside it. Links that lead out of the given folder are not followed."""
        files: dict[str, str] = {}
        for path in self._files(folder, _DOCUMENTS, root=root, most=MOST_FILES_PER_SKILL):
            name = path.relative_to(folder).as_posix()
            text = self.text(path, LONGEST_DOCUMENT_BYTES, cut=True)
            if text is not None:
                files["SKILL.md" if name.casefold() == "skill.md" else name] = text
        return files

    def _files(
        self, folder: Path, endings: tuple[str, ...], *, root: Path | None = None, most: int = MOST_RULE_FILES
    ) -> list[Path]:
        """Regular files below the folder, in order; links out of it, devices and pipes are left out and named."""
        if not folder.is_dir():
            self._warn(folder, 0, "not a folder that can be read")
            return []
        inside = (root or folder).resolve()
        found: list[Path] = []
        for path in _walk(folder):
            if path.suffix.casefold() not in endings:
                continue
            if path.is_symlink() and not _leads_inside(path, inside):
                self._warn(path, 0, "left out: the link leads out of the folder")
            elif len(found) >= most:
                self._warn(folder, 0, f"more than {most} files; the rest is left out")
                break
            else:
                found.append(path)
        return found

    def text(self, path: Path, longest: int, *, cut: bool = False) -> str | None:
        """The text of a regular file; None, with a warning, where it is none or too long. Bytes that are no text are marked."""
        try:
            with open(path, "rb", opener=_open_without_waiting) as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    self._warn(path, 0, "left out: not a regular file")
                    return None
                data = file.read(longest + 1)
        except OSError as error:
            self._warn(path, 0, f"left out: {error.strerror or 'cannot be read'}")
            return None
        if len(data) > longest:
            if not cut:
                self._warn(path, 0, f"left out: longer than {longest:,} bytes")
                return None
            data = data[:longest]
        if b"\x00" in data[:8192] and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
            self._warn(path, 0, "left out: not text")
            return None
        encoding = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
        return data.decode(encoding, "replace")

    def _warn(self, path: Path, line: int, message: str, *, lost: bool = True) -> None:
        self._warnings.append(Warning(str(path), line, message, lost))


def _in_place_of(former: Persona, persona: Persona) -> Persona:
    """The operator's persona with the built-in one's name, and its applicability where it states none of its own."""
    aliases = tuple(dict.fromkeys((*persona.aliases, persona.name, *former.aliases)))
    named = replace(persona, name=former.name, aliases=tuple(alias for alias in aliases if alias != former.name))
    if persona.extensions or persona.imports or (persona.paths and persona.paths != ("**",)):
        return named
    return replace(
        named,
        extensions=former.extensions,
        paths=former.paths,
        imports=former.imports,
        activation=persona.activation or former.activation,
        rules=persona.rules or former.rules,
        header=persona.header or former.header,
    )


def _skill_folders(folder: Path) -> Iterator[Path]:
    """Folders that hold a SKILL.md, from this one down; what lies below a skill belongs to it."""
    open_folders: list[tuple[Path, int]] = [(folder, 0)]
    visited = 0
    while open_folders and visited < MOST_FOLDERS:
        here, depth = open_folders.pop()
        visited += 1
        entries = _entries(here)
        if any(entry.name.casefold() == "skill.md" for entry in entries):
            yield here
        elif depth < DEEPEST_FOLDER:
            inside = folder.resolve()
            below = [
                entry
                for entry in entries
                if entry.is_dir() and not entry.name.startswith(".") and _leads_inside(entry, inside)
            ]
            open_folders += [(entry, depth + 1) for entry in reversed(below)]


def _walk(folder: Path) -> Iterator[Path]:
    """Files below a folder, folder by folder in order; links to folders are not followed, hidden ones not entered."""
    open_folders = [folder]
    visited = 0
    while open_folders and visited < MOST_FOLDERS:
        entries = _entries(open_folders.pop())
        visited += 1
        yield from (entry for entry in entries if not entry.is_dir())
        below: Iterable[Path] = (entry for entry in reversed(entries) if entry.is_dir() and not entry.is_symlink())
        open_folders += [entry for entry in below if not entry.name.startswith(".")]


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _leads_inside(path: Path, folder: Path) -> bool:
    try:
        return path.resolve(strict=True).is_relative_to(folder)
    except (OSError, RuntimeError):
        return False


def _open_without_waiting(name: str, flags: int) -> int:
    return os.open(name, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
