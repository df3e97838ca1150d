"""The texts of a repository's policy files → the policy in force, and what its people should be told about it.

    own file, else the owner's ─┐
    the one it extends ─────────┼── in_force ──► InForce(policies, notes)
    files of folders ───────────┤
    files this change rewrites ─┤    never in force, only checked
    AGENTS.md and its like ─────┘    guidance, where the policy lets it be read

A file that cannot be used is told with its line, and what it would have said is as if it were not there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from app.core import policy
from app.core.broken_policy import BrokenPolicy, Problem
from app.core.policy import FOLDER_FILE, MOST_FOLDERS, PATH, Part, Policies, Policy

OWNERS = ".github"
"""The owner's repository whose policy counts for those of its repositories that have none."""
GUIDANCE = ("AGENTS.md", "CLAUDE.md", ".github/copilot-instructions.md", "CONTRIBUTING.md")
"""Where a repository tells people and assistants how it wants to be worked on."""
CUT = "[cut]"
"""Stands at the end of a text that was too long."""
MOST_PROBLEMS_TOLD = 4
LONGEST_GUIDE = 4_000
LONGEST_GUIDANCE = 8_000
"""Characters: two thousand tokens of each prompt, at most."""


@dataclass(frozen=True, slots=True)
class Source:
    """The text of a policy file, and where it stands, as a person would look for it."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class PolicyFiles:
    """Everything that was read of policies. `proposed` holds the files that the change itself adds or rewrites."""

    root: Source | None = None
    extended: Source | None = None
    folders: tuple[Source, ...] = ()
    proposed: tuple[Source, ...] = ()
    guidance: tuple[Source, ...] = ()
    skills: tuple[Source, ...] = ()


@dataclass(frozen=True, slots=True)
class InForce:
    """The policy that applies, and sentences for the people whose files it is made of."""

    policies: Policies
    notes: tuple[str, ...] = ()
    source: str = ""
    """The file it was read from; empty when the defaults apply."""
    guidance: tuple[Source, ...] = ()
    """What the repository tells those who work on it, cut to what a prompt has room for."""
    skills: tuple[Source, ...] = ()
    """The documents of its own personas."""

    @property
    def root(self) -> Policy:
        """What applies to the pull request as a whole."""
        return self.policies.root


DEFAULTS = InForce(Policies(Policy()))


def in_force(files: PolicyFiles) -> InForce:
    """The policy in force. Whatever is broken is left out and told."""
    notes: list[str] = []
    root = _root(files, notes)
    parts = tuple(part for source in files.folders if (part := _part(source, notes)) is not None)
    notes += [_of_proposed(source) for source in files.proposed]
    guidance = _guidance(files.guidance) if root.guidance else ()
    return InForce(
        Policies(root, parts), tuple(notes), files.root.path if files.root else "", guidance, skills=files.skills
    )


def extends(text: str) -> str | None:
    """The repository that a policy's text builds on; None also when the text is broken."""
    try:
        return policy.parse(text).extends
    except BrokenPolicy:
        return None


def folder_files(paths: Sequence[str]) -> tuple[str, ...]:
    """Where policies of folders may stand for these files, outermost first, at most `MOST_FOLDERS`."""
    folders = {str(folder) for path in paths for folder in PurePosixPath(path).parents if str(folder) != "."}
    ordered = sorted(folders, key=lambda folder: (folder.count("/"), folder))
    return tuple(f"{folder}/{FOLDER_FILE}" for folder in ordered[:MOST_FOLDERS])


def is_policy(path: str) -> bool:
    """Whether the file is one that holds a policy."""
    return path == PATH or (path.endswith(f"/{FOLDER_FILE}"))


def _guidance(files: Sequence[Source]) -> tuple[Source, ...]:
    """Each text once, as far as there is room; the first named get it first."""
    kept: list[Source] = []
    room = LONGEST_GUIDANCE
    for source in files:
        text = source.text.strip()
        if not room or not text or any(text == one.text for one in kept):
            continue
        cut = min(room, LONGEST_GUIDE)
        kept.append(Source(source.path, text if len(text) <= cut else f"{text[:cut].rstrip()}\n{CUT}"))
        room -= min(len(text), cut)
    return tuple(kept)


def _root(files: PolicyFiles, notes: list[str]) -> Policy:
    own = _parsed(files.root, notes)
    if own is None:
        return Policy()
    base = _parsed(files.extended, notes)
    if own.extends and files.extended is None:
        notes.append(f"The policy extends `{own.extends}`, which has no policy that can be read here.")
    return policy.extended(own, base) if base is not None else own


def _parsed(source: Source | None, notes: list[str]) -> Policy | None:
    if source is None:
        return None
    try:
        return policy.parse(source.text, path=source.path)
    except BrokenPolicy as error:
        notes.append(f"The policy cannot be used, so the defaults were: {_first_of(error.problems)}.")
        return None


def _part(source: Source, notes: list[str]) -> Part | None:
    try:
        return policy.parse_folder(source.text, folder=str(PurePosixPath(source.path).parent))
    except BrokenPolicy as error:
        notes.append(f"The policy of a folder cannot be used: {_first_of(error.problems)}.")
        return None


def _of_proposed(source: Source) -> str:
    wrong = problems(source)
    said = f"This pull request changes `{source.path}`: that takes effect once it is merged, not for this review."
    return f"{said} The new text cannot be used: {_first_of(wrong)}." if wrong else f"{said} The new text is valid."


def problems(source: Source) -> tuple[Problem, ...]:
    """Everything that is wrong with a policy file's text, in the order of its lines; nothing when it can be used."""
    try:
        if source.path.endswith(f"/{FOLDER_FILE}") or source.path == FOLDER_FILE:
            policy.parse_folder(source.text, folder=str(PurePosixPath(source.path).parent))
        else:
            policy.parse(source.text, path=source.path)
    except BrokenPolicy as error:
        return error.problems
    return ()


def _first_of(wrong: Sequence[Problem]) -> str:
    """The problems of one file in a sentence that stays short."""
    more = len(wrong) - MOST_PROBLEMS_TOLD
    return "; ".join(str(one) for one in wrong[:MOST_PROBLEMS_TOLD]) + (f"; and {more} more" if more > 0 else "")
