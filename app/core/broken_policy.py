"""What is wrong with a policy's text → problems, each with file, line, key, reason, and the nearest key that exists.

A checked form knows its own types and words; people read these.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from app.core import strict


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong. `line` is 1-based; `nearest` is the key that was perhaps meant."""

    path: str
    line: int
    reason: str
    key: str = ""
    nearest: str = ""

    def __str__(self) -> str:
        said = f"`{self.key}` {self.reason}" if self.key else self.reason
        return f"{self.path}:{self.line}: {said}" + (f"; did you mean `{self.nearest}`?" if self.nearest else "")


class BrokenPolicy(ValueError):
    """A policy that cannot be used, with everything that is wrong with it, in the order of its lines."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(str(one) for one in problems))
        self.problems = tuple(problems)


def problems(
    error: ValidationError, *, document: strict.Document, path: str, form: type[BaseModel]
) -> tuple[Problem, ...]:
    """Everything that is wrong with a document that this form refused, in our words, in the order of its lines."""
    found = error.errors(include_url=False, include_context=True, include_input=False)
    told = [_problem(one, document=document, path=path, form=form) for one in found]
    # A short form is refused once for each of the forms it could have been short for.
    return tuple(dict.fromkeys(sorted(told, key=lambda one: one.line)))


def _problem(found: Any, *, document: strict.Document, path: str, form: type[BaseModel]) -> Problem:
    key = _place(found["loc"], document)
    name = ".".join(str(part + 1) if isinstance(part, int) else part for part in key)
    nearest = ""
    if found["type"] == "extra_forbidden":
        nearest = next(iter(difflib.get_close_matches(str(key[-1]), _known(form, key[:-1]), n=1, cutoff=0.5)), "")
    return Problem(path=path, line=document.line(key), reason=_reason(found), key=name, nearest=nearest)


def _place(loc: tuple[int | str, ...], document: strict.Document) -> strict.Key:
    """The part of the way that stands in the file: a short form was widened before it was checked."""
    while loc and loc not in document.lines:
        loc = loc[:-1]
    return loc


def _reason(problem: Mapping[str, Any]) -> str:
    context = problem.get("ctx", {})
    match problem["type"]:
        case "extra_forbidden":
            return "is not a key"
        case "missing":
            return f"lacks `{problem['loc'][-1]}`"
        case "literal_error" | "enum":
            return f"must be {context['expected']}"
        case "value_error":
            return str(context["error"])
        case "model_type" | "dict_type" | "mapping_type":
            return "must hold keys with values"
        case "tuple_type":
            return "must be a list"
        case "int_parsing" | "int_type" | "int_from_float":
            return "must be a whole number"
        case "bool_parsing" | "bool_type":
            return "must be `true` or `false`"
        case "string_type":
            return "must be text"
        case "string_pattern_mismatch":
            return "must be the name of a repository, as `name` or `owner/name`"
        case "less_than_equal" | "greater_than_equal":
            return f"must be {'at most' if 'le' in context else 'at least'} {context.get('le', context.get('ge'))}"
        case _:
            said = str(problem["msg"])
            return said[:1].lower() + said[1:]


def _known(form: type[BaseModel], key: strict.Key) -> list[str]:
    """The keys that exist where this one stands."""
    for part in key:
        if isinstance(part, str) and part in form.model_fields:
            inner = next(iter(_models(form.model_fields[part].annotation)), None)
            if inner is None:
                return []
            form = inner
    return list(form.model_fields)


def _models(annotation: Any) -> Iterable[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)
