"""What of a review can be switched off or set, so that what each part is worth can be measured: `Options`.

    changed(Options(), without=["context.callers"], settings=["effort=quick", "comments=3"]) ──► Options

A switch is a field here, and one place in a stage that obeys it. A new field can be named on the command line of
`principal eval` at once; nothing else has to know of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, Literal, get_args, get_origin, get_type_hints

Effort = Literal["quick", "standard", "deep"]
EFFORTS: tuple[Effort, ...] = get_args(Effort)


@dataclass(frozen=True, slots=True)
class ContextOptions:
    """What a model sees beside the diff."""

    enclosing: bool = True
    """The functions around the changed lines."""
    definitions: bool = True
    """What the changed lines call, where it is defined."""
    callers: bool = True
    """Who uses what the change defines."""
    tests: bool = True
    """Who tests what the change defines; for the fix also the file's tests."""
    siblings: bool = True
    """Where something of the same name is defined besides: the twin that may need the same change."""
    history: bool = False
    """Which commits last touched the changed lines. Off: a mirror has no history without fetching it."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a review is made. The defaults are what everybody gets."""

    effort: Effort = "standard"
    comments: int = 5
    """Inline comments at most; a critical finding is never folded for it."""
    evidence: bool = True
    """What weak detectors saw stands in the prompt."""
    knowledge: bool = True
    """The personas' documents stand in the prompt."""
    guidance: bool = True
    """The full guidance of the rules that the change touches stands in the prompt."""
    certainty: float = 0.0
    """How certain a claim has to be that no sceptic judges, from 0 to 1; 0: what the effort asks for."""
    triage: bool = True
    """Hunks of white space and comments, and files that a cheap model calls plain, are not read by the reviewers."""
    verify: bool = True
    """A sceptic looks at each claim. Without, every claim whose quote is found is believed."""
    fix: bool = True
    """Repro, root cause, patch and tests are written for what is said."""
    context: ContextOptions = field(default_factory=ContextOptions)


def changed(options: Options, *, without: Sequence[str] = (), settings: Sequence[str] = ()) -> Options:
    """The options with some switched off (`context.callers`) and some set (`effort=quick`).

    Raises `ValueError` with a sentence that names what there is.
    """
    for name in without:
        kind = _kind(name)
        if kind is not bool:
            raise ValueError(f"{name} cannot be switched off; set it: {name}={_words(kind)}")
        options = _put(options, name.split("."), False)
    for setting in settings:
        name, equals, word = setting.partition("=")
        if not equals:
            raise ValueError(f"{setting!r} is not of the form NAME=VALUE")
        options = _put(options, name.strip().split("."), _value(name.strip(), word.strip()))
    return options


def differences(options: Options) -> tuple[str, ...]:
    """How the options differ from the defaults, in the words of the command line."""
    usual = dict(_values(Options()))
    return tuple(
        f"without {name}" if value is False and usual[name] is True else f"{name}={value}"
        for name, value in _values(options)
        if value != usual[name]
    )


def names() -> tuple[str, ...]:
    """Everything that can be named, outermost first."""
    return tuple(name for name, _ in _values(Options()))


def _values(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for one in fields(value):
        inner = getattr(value, one.name)
        if is_dataclass(inner):
            yield from _values(inner, f"{prefix}{one.name}.")
        else:
            yield f"{prefix}{one.name}", inner


def _put(value: Any, path: Sequence[str], given: Any) -> Any:
    first, *rest = path
    return replace(value, **{first: _put(getattr(value, first), rest, given) if rest else given})


def _kind(name: str) -> Any:
    """The type of the option of that name."""
    if name not in names():
        raise ValueError(f"there is no option {name!r}; there are {', '.join(names())}")
    kind: Any = Options
    for word in name.split("."):
        kind = get_type_hints(kind)[word]
    return kind


def _value(name: str, word: str) -> Any:
    kind = _kind(name)
    if get_origin(kind) is Literal:
        allowed: dict[str, Any] = {str(one): one for one in get_args(kind)}
    elif kind is bool:
        allowed = {"on": True, "true": True, "off": False, "false": False}
    else:
        try:
            return kind(word)
        except ValueError:
            raise ValueError(f"{name} is a number, and {word!r} is none") from None
    if word not in allowed:
        raise ValueError(f"{name} is {_words(kind)}, not {word!r}")
    return allowed[word]


def _words(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return "|".join(str(one) for one in get_args(kind))
    return "on|off" if kind is bool else "NUMBER"
