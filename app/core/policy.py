"""What a repository asks of its reviewer: the text of `.github/principal.yml` → `Policy`, or what is wrong with it and where.

    parse(text) ──► Policy                     everything has a default, so an empty file is a policy
         └────────► BrokenPolicy               all that is wrong with it (broken_policy.py)

    Policies(root, (Part("services/api", …),)).of("services/api/orders.ts") ──► what applies to one file

No key names an address, a credential, a command or a path outside the repository, so that whoever can change the file can
change how a review reads and nothing else. The form is published as JSON Schema (docs/schemas/policy.schema.json).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from app.core import glob, strict
from app.core.broken_policy import BrokenPolicy, Problem, problems
from app.core.finding import Severity

PATH = ".github/principal.yml"
FOLDER_FILE = ".principal.yml"
"""In a folder below the root: adds to the root's policy for what stands in that folder."""
LONGEST_POLICY = 65_536
MOST_FOLDERS = 50

Effort = Literal["quick", "standard", "deep"]
_Form = TypeVar("_Form", bound=BaseModel)
BotReviews = Literal["off", "supply-chain", "full"]
FailOn = Literal["critical", "high", "medium", "low"]


def _listed(value: Any) -> Any:
    """One word stands for a list of one."""
    return [value] if isinstance(value, str) else value


def _pattern(value: str) -> str:
    if ".." in value.split("/"):
        raise ValueError("must not leave the repository with `..`")
    return value


def _language(value: str) -> str:
    if not all(letter.isalpha() or letter in " -()" for letter in value):
        raise ValueError("must be the name of a language")
    return value


def _off(value: Any) -> Any:
    # YAML reads a bare `off` as false.
    return "off" if value is False else value


Pattern = Annotated[str, Field(min_length=1, max_length=glob.LONGEST_PATTERN), AfterValidator(_pattern)]
Patterns = Annotated[
    tuple[Pattern, ...],
    Field(max_length=200),
    BeforeValidator(_listed, json_schema_input_type=Pattern | tuple[Pattern, ...]),
]
Word = Annotated[str, Field(min_length=1, max_length=200)]
Words = Annotated[
    tuple[Word, ...], Field(max_length=100), BeforeValidator(_listed, json_schema_input_type=Word | tuple[Word, ...])
]


class _Keys(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, strict=False)


class Paths(_Keys):
    """Which files are reviewed. What is excluded never reaches a model."""

    include: Patterns = Field((), description="Only these files are reviewed; empty means all.")
    exclude: Patterns = Field((), description="These files are never reviewed and never reach a model.")


class Instruction(_Keys):
    """What reviewers should know about some files."""

    paths: Patterns = Field(description="The files it is about.")
    text: Annotated[str, Field(min_length=1, max_length=4000)] = Field(description="What to know, in plain words.")


class RuleChoice(_Keys):
    """What becomes of one rule."""

    off: bool = Field(default=False, description="The rule says nothing.")
    severity: Severity | None = Field(None, description="Its findings have this severity.")


class Choice(_Keys):
    """Which pull requests count, by a word of theirs: those that match `only` (empty means all) and none of `skip`."""

    only: Words = Field((), description="Only pull requests that match one of these; empty means all.")
    skip: Words = Field((), description="No pull request that matches one of these.")


def _choice(value: Any) -> Any:
    """A plain list says what is skipped."""
    return {"skip": value} if isinstance(value, (str, list)) else value


def _rule_choice(value: Any) -> Any:
    """`off`, or a severity, stands for the whole choice."""
    if value is False or value == "off":
        return {"off": True}
    return {"severity": value} if isinstance(value, str) else value


RuleChoices = Mapping[
    Word,
    Annotated[
        RuleChoice,
        BeforeValidator(_rule_choice, json_schema_input_type=RuleChoice | Severity | Literal["off", False]),
    ],
]
Choices = Annotated[Choice, BeforeValidator(_choice, json_schema_input_type=Choice | Word | tuple[Word, ...])]


class Policy(_Keys):
    """What a repository asks of its reviewer; every key has a default."""

    extends: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,100}(/[A-Za-z0-9_.-]{1,100})?$")] | None = Field(
        None, description="A repository of the same owner whose policy this one builds on, one level."
    )
    personas: Words = Field((), description="Only these personas review; empty means those that apply.")
    effort: Effort | None = Field(
        None, description="How much a review may read and ask; without it, as the operator set."
    )
    min_severity: Severity = Field(Severity.LOW, description="What is less severe is not said.")
    max_comments: int = Field(
        5, ge=0, le=30, description="Inline comments of one review; what is critical is always said."
    )
    paths: Paths = Field(default_factory=Paths)
    instructions: tuple[Instruction, ...] = Field((), max_length=50)
    rules: RuleChoices = Field(default_factory=dict, description="By rule id: `off`, or a severity.")
    drafts: bool = Field(default=False, description="Drafts are reviewed too.")
    authors: Choices = Field(default_factory=Choice, description="Whose pull requests, by login.")
    labels: Choices = Field(default_factory=Choice, description="Which pull requests, by label.")
    titles: Choices = Field(
        default_factory=Choice, description="Which pull requests, by title; `*` stands for anything."
    )
    base_branches: Patterns = Field((), description="Only pull requests into these branches; empty means all.")
    max_changed_lines: int = Field(
        20_000, ge=0, le=1_000_000, description="Larger pull requests are reviewed only when asked; 0 means no limit."
    )
    bots: Annotated[BotReviews, BeforeValidator(_off, json_schema_input_type=BotReviews | Literal[False])] = Field(
        "supply-chain", description="What is reviewed of pull requests that a bot opened."
    )
    automatic: bool = Field(default=True, description="Off: a review is made only when a person asks.")
    shadow: bool = Field(default=False, description="Reviews are made and recorded, and nothing is posted.")
    language: Annotated[str, Field(min_length=2, max_length=40), AfterValidator(_language)] = Field(
        "English", description="The language that a model writes its findings in."
    )
    summary: bool = Field(default=True, description="One summary comment, edited in place.")
    guidance: bool = Field(
        default=True, description="AGENTS.md, CLAUDE.md and their like on the default branch are read as guidance."
    )
    fail_on: FailOn | None = Field(
        None, description="The check run fails from this severity on; without it, it is neutral."
    )


class FolderPolicy(_Keys):
    """What the policy file of a folder may hold: only what can apply to some files and not to others."""

    paths: Paths = Field(default_factory=Paths)
    instructions: tuple[Instruction, ...] = Field((), max_length=50)
    rules: RuleChoices = Field(default_factory=dict)
    min_severity: Severity | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """The policy of one folder (no slash at either end); its patterns are relative to it."""

    folder: str
    policy: FolderPolicy

    def holds(self, path: str) -> bool:
        """Whether the path stands in the folder."""
        return path.startswith(f"{self.folder}/")

    def within(self, path: str) -> str:
        """The path as the folder sees it."""
        return path.removeprefix(f"{self.folder}/")


@dataclass(frozen=True, slots=True)
class ForFile:
    """What applies to one file. `excluded` is empty, or why the file is not reviewed."""

    excluded: str
    instructions: tuple[str, ...]
    min_severity: Severity
    rules: Mapping[str, RuleChoice]

    def severity(self, rule: str | None, otherwise: Severity) -> Severity:
        """The severity of a finding of this rule."""
        choice = self.rules.get(rule) if rule else None
        return (choice and choice.severity) or otherwise

    def says(self, rule: str | None) -> bool:
        """Whether the rule may speak about this file."""
        choice = self.rules.get(rule) if rule else None
        return choice is None or not choice.off


@dataclass(frozen=True)
class Policies:
    """A repository's whole policy: the root's, and what folders add, outermost first."""

    root: Policy
    parts: tuple[Part, ...] = ()

    def of(self, path: str) -> ForFile:
        """What applies to the file at this path; the nearest folder has the last word."""
        holding = [part for part in self._outermost_first if part.holds(path)]
        rules: dict[str, RuleChoice] = dict(self.root.rules)
        least = self.root.min_severity
        instructions = [one.text for one in self.root.instructions if glob.matches_any(path, one.paths)]
        for part in holding:
            rules |= part.policy.rules
            least = part.policy.min_severity or least
            instructions += [
                one.text for one in part.policy.instructions if glob.matches_any(part.within(path), one.paths)
            ]
        return ForFile(self._excluded(path, holding), tuple(instructions), least, rules)

    def why_excluded(self, path: str) -> str:
        """Why the file is kept from every model; empty when it is not."""
        return self.of(path).excluded

    @cached_property
    def _outermost_first(self) -> tuple[Part, ...]:
        return tuple(sorted(self.parts, key=lambda part: part.folder.count("/")))

    def _excluded(self, path: str, holding: Iterable[Part]) -> str:
        reason = _why_excluded(path, self.root.paths, PATH)
        for part in holding:
            # A folder adds exclusions; it cannot take back what the root keeps from the models.
            reason = reason or _why_excluded(part.within(path), part.policy.paths, f"{part.folder}/{FOLDER_FILE}")
        return reason


def _why_excluded(path: str, paths: Paths, file: str) -> str:
    if glob.matches_any(path, paths.exclude):
        return f"excluded by `paths.exclude` of {file}"
    if paths.include and not glob.matches_any(path, paths.include):
        return f"not in `paths.include` of {file}"
    return ""


def parse(text: str, *, path: str = PATH) -> Policy:
    """The policy of a file's text. Raises `BrokenPolicy` with the place in it."""
    return _parse(text, path, Policy)


def parse_folder(text: str, *, folder: str) -> Part:
    """The policy of a folder's file. Raises `BrokenPolicy` with the place in it."""
    return Part(folder, _parse(text, f"{folder}/{FOLDER_FILE}", FolderPolicy))


def extended(own: Policy, base: Policy) -> Policy:
    """The policy that builds on another repository's.

    A key that the own policy sets wins; exclusions and instructions are both kept, and rules are chosen one by one.
    """
    said = {key: getattr(own, key) for key in own.model_fields_set - {"extends"}}
    said["rules"] = {**base.rules, **own.rules}
    said["instructions"] = (*base.instructions, *own.instructions)
    include = own.paths.include or base.paths.include
    said["paths"] = Paths(include=include, exclude=(*base.paths.exclude, *own.paths.exclude))
    return base.model_copy(update=said | {"extends": own.extends})


EVERYTHING = Policies(Policy())
"""The policy of a repository that has none."""


def schema() -> dict[str, Any]:
    """The JSON Schema of a policy, for editors and for checks."""
    made = Policy.model_json_schema(mode="validation")
    return (
        {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Principal policy"}
        | made
        | {"description": "The policy of a repository: `.github/principal.yml` on its default branch."}
    )


def _parse(text: str, path: str, form: type[_Form]) -> _Form:
    if len(text) > LONGEST_POLICY:
        reason = f"the file is longer than {LONGEST_POLICY:,} characters"
        raise BrokenPolicy([Problem(path=path, line=1, reason=reason)])
    try:
        document = strict.load(text)
    except strict.NotStrict as error:
        raise BrokenPolicy([Problem(path=path, line=error.line, reason=error.reason)]) from error
    try:
        return form.model_validate({} if document.value is None else document.value)
    except ValidationError as error:
        raise BrokenPolicy(problems(error, document=document, path=path, form=form)) from None
