"""A rule's YAML text in, the `Rule` out; or file, line, key and reason why not. The format: docs/writing-a-rule.md."""

from __future__ import annotations

import re
from collections.abc import Collection
from enum import StrEnum
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any, NoReturn, TypeVar

from app.core import strict
from app.core.finding import Category, Kind, Severity
from app.core.rule import Answer, Compare, Comparison, Detector, Example, Rule, Strength
from app.core.strict import Document, Key

LANGUAGES = ("javascript", "typescript", "tsx", "python", "any")
SKILLS = ("node", "javascript", "typescript")
MOST_REMEMBERED = 256
PARTS = ("repro", "root_cause", "test", "risk")
"""What a strong detector's answer holds, or names with a reason in `missing`."""

_KEYS = frozenset((
    "id", "title", "category", "priority", "kind", "severity", "languages", "in", "summary", "guidance",
    "references", "why", "detectors",
))  # fmt: skip
_OPTIONAL = frozenset(("references", "detectors", "in", "why", "priority"))
_GUIDANCE = frozenset(("look_for", "do_not_flag", "question", "recommend"))
_DETECTOR = frozenset(
    ["name", "languages", "strength", "ast", "refine", "compare", "prefilter", "answer", "kind", "severity", "examples"]
)
_EXAMPLE = frozenset(("code", "languages", "file", "before", "also", "present"))
_BOTH_SIDES = ("before", "also", "present")
_ANSWER = frozenset(
    ["title", "explanation", "repro", "root_cause", "test", "test_path", "risk", "replacement", "missing"]
)
_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_Choice = TypeVar("_Choice", bound=StrEnum)


class BrokenRule(ValueError):
    """A rule file that cannot be used: where in it, at which key, and why."""

    def __init__(self, line: int, key: str, reason: str) -> None:
        super().__init__(f"`{key}`: {reason}" if key else reason)
        self.line = line
        self.key = key
        self.reason = reason


@lru_cache(maxsize=MOST_REMEMBERED)
def parse(text: str, *, path: str) -> Rule:
    """The rule of a file. `path` is `…/CATEGORY/ID.yml`; raises `BrokenRule`.

    A rule never changes and reading one takes milliseconds, so a process reads the same text once.
    """
    try:
        document = strict.load(text)
    except strict.NotStrict as error:
        raise BrokenRule(error.line, "", error.reason) from error
    return _Reader(document).rule(path)


class _Reader:
    """Reads values out of one document and raises with their place when they are not what they should be."""

    def __init__(self, document: Document) -> None:
        self._document = document

    def rule(self, path: str) -> Rule:
        whole = self._mapping((), self._document.value, allowed=_KEYS, optional=_OPTIONAL)
        where = PurePosixPath(path)
        if whole["id"] != where.stem:
            self._fail(("id",), f"must be the file's name, `{where.stem}`")
        if not _SLUG.fullmatch(str(whole["id"])):
            self._fail(("id",), "must be lower-case words joined by hyphens")
        category = self._category(whole["category"], folder=where.parent.name)
        if whole.get("priority", category.priority) != category.priority:
            self._fail(("priority",), f"`{category.slug}` has priority {category.priority}")
        guidance = self._mapping(("guidance",), whole["guidance"], allowed=_GUIDANCE, optional=_GUIDANCE)
        return Rule(
            id=whole["id"],
            title=self._text(("title",), whole["title"]),
            category=category,
            kind=self._choice(("kind",), whole["kind"], Kind),
            severity=self._choice(("severity",), whole["severity"], Severity),
            languages=self._words(("languages",), whole["languages"], LANGUAGES),
            summary=self._text(("summary",), whole["summary"]),
            why=self._text(("why",), whole.get("why", "")),
            look_for=self._texts(("guidance", "look_for"), guidance.get("look_for", [])),
            do_not_flag=self._texts(("guidance", "do_not_flag"), guidance.get("do_not_flag", [])),
            question=self._text(("guidance", "question"), guidance.get("question", "")),
            recommend=self._texts(("guidance", "recommend"), guidance.get("recommend", [])),
            references=self._texts(("references",), whole.get("references", [])),
            skills=self._words(("in",), whole.get("in", []), SKILLS),
            detectors=self._detectors(whole.get("detectors", [])),
        )

    def _category(self, value: object, *, folder: str) -> Category:
        if value not in [category.slug for category in Category]:
            self._fail(("category",), f"must be one of {_listed(category.slug for category in Category)}")
        if folder and folder in [category.slug for category in Category] and value != folder:
            self._fail(("category",), f"must be the folder's, `{folder}`")
        return Category.from_slug(str(value))

    def _detectors(self, value: object) -> tuple[Detector, ...]:
        if not isinstance(value, list):
            self._fail(("detectors",), "must be a list")
        found = tuple(self._detector(("detectors", position), one) for position, one in enumerate(value))
        names = [one.name for one in found]
        for position, name in enumerate(names):
            if name in names[:position]:
                self._fail(("detectors", position, "name"), f"`{name}` stands twice")
        return found

    def _detector(self, key: Key, value: object) -> Detector:
        one = self._mapping(key, value, allowed=_DETECTOR, optional=_DETECTOR - {"name", "languages", "strength"})
        languages = self._words((*key, "languages"), one["languages"], LANGUAGES)
        ast = one.get("ast") or {}
        if not isinstance(ast, dict):
            self._fail((*key, "ast"), "must be a mapping: an ast-grep rule")
        refine = self._text((*key, "refine"), one.get("refine", ""))
        compare = self._compare((*key, "compare"), one["compare"]) if "compare" in one else None
        if compare is not None and compare.what is Comparison.STEP:
            if ast or refine:
                self._fail((*key, "compare"), "a step does the whole work, so `ast` and `refine` have no place here")
        elif not ast and not refine:
            self._fail(key, "needs `ast`, or a `refine` that searches the text, or a step to `compare` by")
        detector = Detector(
            name=self._text((*key, "name"), one["name"]),
            languages=languages,
            strength=self._choice((*key, "strength"), one["strength"], Strength),
            ast=ast,
            refine=refine,
            compare=compare,
            prefilter=self._texts((*key, "prefilter"), one.get("prefilter", [])),
            answer=self._answer((*key, "answer"), one.get("answer") or {}),
            kind=self._choice((*key, "kind"), one["kind"], Kind) if "kind" in one else None,
            severity=self._choice((*key, "severity"), one["severity"], Severity) if "severity" in one else None,
            examples=self._examples(
                (*key, "examples"), one.get("examples") or {}, languages, both_sides=compare is not None
            ),
        )
        if not any(example.match for example in detector.examples):
            self._fail((*key, "examples"), "needs an example that matches: a pattern that does not parse says nothing")
        if detector.strength is Strength.STRONG:
            self._must_speak_for_itself((*key, "answer"), detector.answer)
        return detector

    def _compare(self, key: Key, value: object) -> Compare:
        known = frozenset(str(one) for one in Comparison)
        one = self._mapping(key, value, allowed=known, optional=known)
        if len(one) != 1:
            self._fail(key, f"needs one of {_listed(Comparison)}")
        ((what, by),) = one.items()
        text = self._text((*key, what), by)
        if not text:
            self._fail((*key, what), "must not be empty")
        return Compare(Comparison(what), text)

    def _must_speak_for_itself(self, key: Key, answer: Answer) -> None:
        told = {part for part, _ in answer.missing}
        for part in ("title", "explanation"):
            if not getattr(answer, part):
                self._fail((*key, part), "a strong detector needs it")
        for part in PARTS:
            if not getattr(answer, part) and part not in told:
                self._fail((*key, part), "a strong detector needs it, or the reason in `missing`")

    def _answer(self, key: Key, value: object) -> Answer:
        one = self._mapping(key, value, allowed=_ANSWER, optional=_ANSWER)
        missing = self._mapping((*key, "missing"), one.get("missing") or {}, allowed=None)
        texts = {
            name: self._text((*key, name), one.get(name, ""))
            for name in ("title", "explanation", "repro", "root_cause", "test", "test_path", "risk", "replacement")
        }
        reasons = tuple((part, self._text((*key, "missing", part), reason)) for part, reason in missing.items())
        return Answer(**texts, missing=reasons)

    def _examples(
        self, key: Key, value: object, languages: tuple[str, ...], *, both_sides: bool
    ) -> tuple[Example, ...]:
        names = frozenset(("match", "no_match"))
        both = self._mapping(key, value, allowed=names, optional=names)
        return tuple(
            example
            for name in ("match", "no_match")
            for position, one in enumerate(self._list((*key, name), both.get(name) or []))
            for example in self._example(
                (*key, name, position), one, languages, match=name == "match", both_sides=both_sides
            )
        )

    def _example(
        self, key: Key, value: object, languages: tuple[str, ...], *, match: bool, both_sides: bool
    ) -> list[Example]:
        """An example once for each of its languages; plain text is short for `code`."""
        if not isinstance(value, dict):
            code = self._text(key, value, strip=False)
            return [Example(language, code, match) for language in languages]
        one = self._mapping(key, value, allowed=_EXAMPLE, optional=_EXAMPLE - {"code"})
        for name in _BOTH_SIDES:
            if name in one and not both_sides:
                self._fail((*key, name), "is for detectors that `compare`")
        before = self._text((*key, "before"), one["before"], strip=False) if "before" in one else None
        return [
            Example(
                language,
                self._text((*key, "code"), one["code"], strip=False),
                match,
                file=self._text((*key, "file"), one.get("file", "")),
                before=before,
                also=self._texts((*key, "also"), one.get("also", [])),
                present=self._texts((*key, "present"), one.get("present", [])),
            )
            for language in self._words((*key, "languages"), one.get("languages", list(languages)), LANGUAGES)
        ]

    def _mapping(
        self, key: Key, value: object, *, allowed: frozenset[str] | None, optional: frozenset[str] = frozenset()
    ) -> dict[str, Any]:
        if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
            self._fail(key, "must be a mapping")
        if allowed is not None:
            for name in value:
                if name not in allowed:
                    self._fail((*key, name), f"unknown key; known are {_listed(sorted(allowed))}")
            for name in sorted(allowed - optional):
                if name not in value:
                    self._fail((*key, name), "is missing")
        return value

    def _list(self, key: Key, value: object) -> list[Any]:
        if not isinstance(value, list):
            self._fail(key, "must be a list")
        return value

    def _texts(self, key: Key, value: object) -> tuple[str, ...]:
        return tuple(self._text((*key, position), one) for position, one in enumerate(self._list(key, value)))

    def _text(self, key: Key, value: object, *, strip: bool = True) -> str:
        if not isinstance(value, str):
            self._fail(key, f"must be text, not {_kind(value)}")
        return value.strip() if strip else value

    def _words(self, key: Key, value: object, known: Collection[str]) -> tuple[str, ...]:
        words = self._texts(key, value)
        for position, word in enumerate(words):
            if word not in known:
                self._fail((*key, position), f"`{word}` is none of {_listed(known)}")
        return words

    def _choice(self, key: Key, value: object, kind: type[_Choice]) -> _Choice:
        try:
            return kind(str(value))
        except ValueError:
            self._fail(key, f"must be one of {_listed(kind)}")

    def _fail(self, key: Key, reason: str) -> NoReturn:
        name = ".".join(str(part) if isinstance(part, str) else f"{part + 1}" for part in key)
        raise BrokenRule(self._document.line(key), name, reason)


def _listed(words: Any) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _kind(value: object) -> str:
    match value:
        case bool():
            return "yes or no"
        case int() | float():
            return "a number"
        case list():
            return "a list"
        case dict():
            return "a mapping"
        case None:
            return "nothing"
        case _:
            return type(value).__name__
