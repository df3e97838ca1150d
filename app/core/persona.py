"""Personas: skill documents that review. Which of them apply to a change is decided here."""

from __future__ import annotations

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
    builtin: bool = True
    trusted: bool = True
