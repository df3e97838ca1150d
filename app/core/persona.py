"""Personas: skill documents that review. Which of them apply to a change is decided here."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reference:
    """A document of a persona that is loaded only when one of its topics is in the change."""

    name: str
    topics: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Persona:
    """A skill document, ready to review. `name` is the folder's slug, `body` the document without its front matter.

    It applies by extension of the changed files, by imports or paths in the change, and by activation phrases; with
    none of these it applies to every change. `model` is the model its front matter names, or None. `header` opens
    the files it writes. `trusted` is False for a repository's own skills, which may not name a model.
    """

    name: str
    title: str
    description: str
    body: str
    aliases: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()
    activation: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    references: tuple[Reference, ...] = ()
    model: str | None = None
    header: str = ""
    sections: tuple[str, ...] = ()
    """The headings of the body that a review reads; what else stands there is told by the tasks. None: all of it."""
    fix_sections: tuple[str, ...] = ()
    """The headings that whoever writes a fix reads, without the opening. None: what a review reads."""
    builtin: bool = True
    trusted: bool = True

    def knowledge(self) -> str:
        """What this persona tells a reviewer: its opening and the sections it names, or its whole document."""
        opening, *_ = _SECTION.split(self.body.strip())
        told = self._sections(self.sections)
        return _joined([opening, *told]) if told else self.body.strip()

    def craft(self) -> str:
        """What it tells whoever writes a fix."""
        return _joined(self._sections(self.fix_sections)) or self.knowledge()

    def _sections(self, names: Collection[str]) -> list[str]:
        return [part for part in _SECTION.split(self.body.strip())[1:] if _heading(part) in names]


_SECTION = re.compile(r"(?m)^(?=##[ \t])")


def _joined(parts: Sequence[str]) -> str:
    return "\n".join(part.strip("\n") + "\n" for part in parts).strip()


def _heading(part: str) -> str:
    return part.partition("\n")[0].strip("# \t")
