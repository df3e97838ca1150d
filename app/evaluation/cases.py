"""A folder of labelled pull requests → cases, in our own form (`case.yml`) or as `case.json` with `pr.diff`.

    case.yml    what the change is for, what ought to be found, what ought not to be said (`CaseFile`; docs/evaluation.md)
    case.json   repository, merge base, head, and labels with path, lines, category and whether people judged them valid

The change itself lies beside it: `base/` and `head/` with all files, or `pr.diff` (and `tree/` with the files of the head), or
a repository that the case names. A case that cannot be read is a value too, so that it is reported and not dropped.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from app.core import strict
from app.core.change import Intent
from app.core.finding import Severity, Side
from app.core.strict import NotStrict
from app.core.untrusted import Untrusted
from app.errors import Code, UserError
from app.evaluation.values import Failure, Topic

OURS, THEIRS = "case.yml", "case.json"
DIFF = "pr.diff"
TREES = ("tree", "head", "repository", "repo")
"""Where the head's files may lie beside a diff."""
DEEPEST = 3
MOST_CASES = 2_000
LARGEST_CASE_BYTES = 4 * 1024 * 1024
SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"


@dataclass(frozen=True, slots=True)
class Diff:
    """A change as a unified diff; `tree` holds the head's files (a folder, or a repository with the head in it)."""

    path: Path
    tree: Path | None = None
    base: str = ""
    head: str = ""


@dataclass(frozen=True, slots=True)
class Folders:
    """A change as all files before and after it."""

    base: Path
    head: Path


@dataclass(frozen=True, slots=True)
class Repository:
    """A change as two revisions of a repository on this machine."""

    path: Path
    base: str
    head: str


Source = Diff | Folders | Repository


@dataclass(frozen=True, slots=True)
class Expectation:
    """A label before the change was read: it stands on lines, or where its quote stands."""

    path: str
    side: Side
    lines: tuple[int, int] | None
    quote: str
    topic: Topic
    valid: bool
    text: str
    severity: str = ""
    context: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """A labelled pull request that can be opened."""

    name: str
    source: Source
    expectations: tuple[Expectation, ...]
    language: str = ""
    kind: str = ""
    intent: Intent = field(default_factory=Intent)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A case that could not be read, and why."""

    name: str
    failure: Failure


def read(places: Sequence[Path], *, repositories: Path | None = None) -> tuple[Case | Unreadable, ...]:
    """Every case in or below these folders, by name. `repositories` holds clones as OWNER/NAME, for cases that name one.

    Raises `UserError` when there is none.
    """
    found: dict[str, Case | Unreadable] = {}
    for place in places:
        for folder in _folders(place):
            name = _name(folder, place, taken=found)
            found[name] = _case(folder, name, repositories)
            if len(found) > MOST_CASES:
                raise UserError(f"There are more than {MOST_CASES} cases")
    if not found:
        raise UserError(f"No {OURS} or {THEIRS} lies in or below {', '.join(str(place) for place in places)}")
    return tuple(found[name] for name in sorted(found))


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of `case.yml`."""
    return {"$schema": SCHEMA_DIALECT, **CaseFile.model_json_schema()}


# --- our own form -----------------------------------------------------------------------------------------------------


def _span(value: Any) -> Any:
    """12, "12" and "12-14" → (first, last)."""
    if value is None or isinstance(value, list | tuple):
        return value
    first, dash, last = str(value).partition("-")
    try:
        span = int(first), int(last if dash else first)
    except ValueError:
        raise ValueError("lines are given as 12 or as 12-14") from None
    if not 1 <= span[0] <= span[1]:
        raise ValueError("lines begin at 1 and do not run backwards")
    return span


Span = Annotated[
    tuple[int, int] | None,
    BeforeValidator(_span, json_schema_input_type=int | str | None),
]


class _Form(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Remark(_Form):
    """Something that can be said about the change, and where."""

    path: str = Field(description="The file, as the diff names it.")
    lines: Span = Field(None, description="The lines it is about: 12 or 12-14. Or give `quote`.")
    quote: str = Field("", description="The code it is about, verbatim; its lines are looked up.")
    side: Literal["right", "left"] = Field(
        "right", description="right: lines of the head. left: removed lines of the base."
    )
    topic: Topic = Topic.DEFECT
    severity: Severity | None = None
    text: str = Field(description="What is wrong, in a sentence or two: what a good comment would say.")

    @model_validator(mode="after")
    def _stands_somewhere(self) -> Remark:
        if self.lines is None and not self.quote.strip():
            raise ValueError("give `lines` or `quote`")
        return self


class Revisions(_Form):
    """Two revisions of a repository on this machine."""

    path: str = Field(description="The repository's folder, relative to this file.")
    base: str
    head: str


class CaseFile(_Form):
    """A labelled pull request (`case.yml`). The change lies beside it, or in the repository it names."""

    model_config = ConfigDict(title="Principal evaluation case")

    title: str = ""
    description: str = ""
    commits: tuple[str, ...] = ()
    language: str = Field("", description="For the results by language.")
    kind: str = Field("", description="What sort of change it is, in your own words.")
    repository: Revisions | None = None
    expect: tuple[Remark, ...] = Field((), description="What ought to be found. Empty: there is nothing to find.")
    reject: tuple[Remark, ...] = Field((), description="What ought not to be said.")


def _ours(folder: Path, name: str) -> Case:
    form = CaseFile.model_validate(strict.load(_text(folder / OURS)).value or {})
    return Case(
        name=name,
        source=_repository(form.repository, folder) if form.repository else _beside(folder),
        expectations=(
            *(_expectation(remark, valid=True) for remark in form.expect),
            *(_expectation(remark, valid=False) for remark in form.reject),
        ),
        language=form.language,
        kind=form.kind,
        intent=_intent(form.title, form.description, form.commits),
    )


def _repository(revisions: Revisions, folder: Path) -> Repository:
    return Repository((folder / revisions.path).resolve(), revisions.base, revisions.head)


def _expectation(remark: Remark, *, valid: bool) -> Expectation:
    return Expectation(
        path=remark.path,
        side=Side(remark.side.upper()),
        lines=remark.lines,
        quote=remark.quote,
        topic=remark.topic,
        valid=valid,
        text=remark.text,
        severity=remark.severity or "",
    )


# --- case.json with pr.diff -------------------------------------------------------------------------------------------


def _topic(word: Any) -> Any:
    known = {
        "defect": Topic.DEFECT,
        "secur": Topic.SECURITY,
        "perform": Topic.PERFORMANCE,
        "maintain": Topic.MAINTAINABILITY,
    }
    said = str(word).lower()
    return next((topic for start, topic in known.items() if start in said), Topic.OTHER)


class _Judged(BaseModel):
    """A label of `case.json`."""

    valid: bool
    path: str
    side: Annotated[Side, BeforeValidator(lambda word: str(word).upper())] = Side.RIGHT
    from_line: int = Field(ge=1)
    to_line: int = Field(ge=1)
    category: Annotated[Topic, BeforeValidator(_topic)] = Topic.OTHER
    context: str = ""
    text: str


class _CaseJson(BaseModel):
    """`case.json`; what it holds besides is left alone."""

    repository: str = ""
    merge_base: str = ""
    head: str = ""
    language: str = ""
    kind: str = ""
    title: str = ""
    description: str = ""
    labels: tuple[_Judged, ...]


def _theirs(folder: Path, name: str, repositories: Path | None) -> Case:
    form = _CaseJson.model_validate(json.loads(_text(folder / THEIRS)))
    clone = _clone(form.repository, repositories)
    is_named = bool(clone and form.merge_base and form.head)
    return Case(
        name=name,
        source=Repository(clone, form.merge_base, form.head)
        if clone is not None and is_named
        else _beside(folder, base=form.merge_base, head=form.head),
        expectations=tuple(
            Expectation(
                path=label.path,
                side=label.side,
                lines=(label.from_line, max(label.from_line, label.to_line)),
                quote="",
                topic=label.category,
                valid=label.valid,
                text=label.text,
                context=label.context,
            )
            for label in form.labels
        ),
        language=form.language,
        kind=form.kind,
        intent=_intent(form.title, form.description, ()),
    )


def _clone(repository: str, repositories: Path | None) -> Path | None:
    """The clone of OWNER/NAME among the folders of clones. A name that would lead out of them is none."""
    if repositories is None or not repository or ".." in repository.split("/") or repository.startswith("/"):
        return None
    tried = (repositories / f"{repository}{ending}" for ending in ("", ".git"))
    return next((path for path in tried if path.is_dir()), None)


# --- what lies where --------------------------------------------------------------------------------------------------


def _folders(place: Path) -> Iterator[Path]:
    """The case folders at a place and below it, not far below, and none inside another case."""
    level = [place]
    for _ in range(DEEPEST + 1):
        below: list[Path] = []
        for folder in level:
            if (folder / OURS).is_file() or (folder / THEIRS).is_file():
                yield folder
            elif folder.is_dir():
                below += sorted(
                    entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith(".")
                )
        level = below


def _name(folder: Path, place: Path, *, taken: Mapping[str, object]) -> str:
    """The folder's way from the place that was named, without what all have in common; the whole path if that is taken."""
    name = folder.relative_to(place).as_posix().removeprefix("cases/") if folder != place else folder.resolve().name
    return name if name not in taken else folder.as_posix()


def _case(folder: Path, name: str, repositories: Path | None) -> Case | Unreadable:
    try:
        return _ours(folder, name) if (folder / OURS).is_file() else _theirs(folder, name, repositories)
    except NotStrict as error:
        return _unreadable(name, f"{OURS}, line {error.line}: {error.reason}")
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        return _unreadable(name, f"{where or 'the case'}: {first['msg'].removeprefix('Value error, ')}")
    except (OSError, ValueError, RecursionError) as error:
        return _unreadable(name, str(error) or type(error).__name__)


def _unreadable(name: str, why: str) -> Unreadable:
    return Unreadable(name, Failure(Code.INPUT_INVALID, why))


def _beside(folder: Path, *, base: str = "", head: str = "") -> Source:
    """The change that lies beside a case."""
    if (folder / DIFF).is_file():
        tree = next((folder / name for name in TREES if (folder / name).is_dir()), None)
        return Diff(folder / DIFF, tree, base, head)
    if (folder / "base").is_dir() and (folder / "head").is_dir():
        return Folders(folder / "base", folder / "head")
    repository = next((folder / name for name in ("repository", "repo") if (folder / name).is_dir()), None)
    if repository is not None and base and head:
        return Repository(repository, base, head)
    raise ValueError(f"there is no {DIFF}, no base/ with head/, and no repository that it names")


def _text(path: Path) -> str:
    with path.open("rb") as file:
        data = file.read(LARGEST_CASE_BYTES + 1)
    if len(data) > LARGEST_CASE_BYTES:
        raise ValueError(f"{path.name} is larger than {LARGEST_CASE_BYTES // 1024 // 1024} MiB")
    return data.decode("utf-8")


def _intent(title: str, description: str, commits: Sequence[str]) -> Intent:
    return Intent(
        title=Untrusted(title), body=Untrusted(description), commits=tuple(Untrusted(message) for message in commits)
    )
