"""What a model sees beside the diff: which words are worth looking up, and the excerpts that were found.

Decisions only; `app.stages.read` does the looking.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from app.core import signals
from app.core.budget import Piece, estimate_tokens, is_test
from app.core.finding import Category, Kind
from app.core.rule import Rule

WORDS_PER_BATCH = 12
DEFINITIONS_PER_NAME = 2
MOST_RULES = 4
"""Whose full guidance stands in a prompt: about 250 tokens each."""
CALLERS_PER_NAME = 3
TESTS_PER_NAME = 1
SIBLINGS_PER_NAME = 1


class Part(StrEnum):
    """The parts of the context, by the names of the options that switch them."""

    ENCLOSING = "enclosing"
    DEFINITIONS = "definitions"
    CALLERS = "callers"
    TESTS = "tests"
    SIBLINGS = "siblings"
    HISTORY = "history"


SHARES = {
    Part.ENCLOSING: 0.5,
    Part.DEFINITIONS: 0.3,
    Part.CALLERS: 0.2,
    Part.TESTS: 0.2,
    Part.SIBLINGS: 0.15,
    Part.HISTORY: 0.05,
}
"""Of a prompt's budget for context. Together more than all of it, because a change rarely has all of them."""
_IDENTIFIER = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]{2,60}")
_CALL = re.compile(r"([A-Za-z_$][A-Za-z0-9_$]{2,60})\s*\(")
_TYPED = re.compile(r"(?:\bnew|\bas|\bextends|\bimplements|:|->|<)\s*\*?([A-Z][A-Za-z0-9_]{2,60})\b")
_KEYWORDS = r"function\*?|class|interface|type|enum|def|func|fn|struct|trait|const|let|var"
_DEFINED = re.compile(rf"(?:{_KEYWORDS})\s+(?:\([^()]*\)\s*)?([A-Za-z_$][\w$]{{2,60}})")
_METHOD = re.compile(r"^\s*(?:[\w$<>\[\],.?*&:@]{1,80}\s+){0,6}([A-Za-z_$][\w$]{2,60})\s*\([^;{}]*\)[^;={}]*\{\s*$")
_NUMBER = re.compile(r"u?int\d{0,3}|float\d{1,3}")
_NO_CODE = ("//", "/*", "*", "# ", "--", "<!--", '"""')
_PROSE = (".md", ".mdx", ".rst", ".txt", ".adoc")
_NO_NAMES = frozenset(
    [
        "abstract",
        "and",
        "any",
        "arguments",
        "array",
        "as",
        "assert",
        "async",
        "await",
        "bool",
        "boolean",
        "break",
        "byte",
        "case",
        "catch",
        "char",
        "class",
        "const",
        "continue",
        "console",
        "def",
        "default",
        "defer",
        "del",
        "delete",
        "elif",
        "else",
        "enum",
        "error",
        "except",
        "export",
        "extends",
        "false",
        "final",
        "finally",
        "float",
        "for",
        "from",
        "func",
        "function",
        "global",
        "goto",
        "has",
        "if",
        "implements",
        "import",
        "in",
        "int",
        "interface",
        "is",
        "lambda",
        "let",
        "length",
        "long",
        "map",
        "match",
        "module",
        "namespace",
        "new",
        "nil",
        "none",
        "not",
        "null",
        "number",
        "object",
        "only",
        "open",
        "or",
        "override",
        "package",
        "pass",
        "print",
        "private",
        "promise",
        "protected",
        "public",
        "raise",
        "range",
        "readonly",
        "ref",
        "require",
        "result",
        "return",
        "self",
        "set",
        "short",
        "static",
        "str",
        "string",
        "struct",
        "super",
        "switch",
        "symbol",
        "then",
        "this",
        "throw",
        "throws",
        "true",
        "try",
        "type",
        "typeof",
        "undefined",
        "union",
        "unknown",
        "unsigned",
        "use",
        "using",
        "value",
        "var",
        "void",
        "volatile",
        "when",
        "where",
        "while",
        "with",
        "yield",
        "describe",
        "test",
        "expect",
        "it",
        "log",
        "push",
        "slice",
        "foreach",
        "filter",
        "reduce",
        "join",
        "split",
        "tostring",
        "json",
        "text",
        "body",
        "status",
        "send",
        "get",
        "post",
        "put",
        "headers",
        "url",
    ]
)


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Lines of a file at the head, and in a few words why they are shown (`defines chargeCard`, `calls chargeCard`)."""

    path: str
    start_line: int
    text: str
    why: str


@dataclass(frozen=True, slots=True)
class Hit:
    """A line of the head tree that holds a name."""

    path: str
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Place:
    """A line worth showing, and why."""

    path: str
    line: int
    why: str
    part: Part


@dataclass(frozen=True, slots=True)
class Shown:
    """An excerpt, and as which part of the context it is shown."""

    part: Part
    excerpt: Excerpt


@dataclass(frozen=True, slots=True)
class Wanted:
    """The words of a batch that are worth looking up: names it defines (who calls them?) and names it uses (what are they?)."""

    defined: tuple[str, ...]
    used: tuple[str, ...]


def wanted(pieces: Sequence[Piece], *, around: Sequence[str] = ()) -> Wanted:
    """The names most worth looking up: what the changed lines define, then what they call most often.

    What only their neighbours call comes last: the unchanged lines of the hunks, and `around`, the functions they stand in.
    """
    bodies = [raw for piece in pieces for raw in piece.file.hunks[piece.hunk].body[piece.start : piece.end] if raw]
    changed = [raw[1:] for raw in bodies if raw[0] in "+-"]
    beside = [raw[1:] for raw in bodies if raw[0] not in "+-"]
    defined = _most_telling(name for text in changed for name in _defined(text))
    headings = _most_telling(name for piece in pieces for name in _defined(piece.file.hunks[piece.hunk].heading))
    called = dict.fromkeys((*_called(changed), *_called(beside), *_called(around)))
    known = (*defined, *(name for name in headings if name not in defined))[: WORDS_PER_BATCH // 2]
    used = tuple(name for name in called if name not in known)[: WORDS_PER_BATCH - len(known)]
    return Wanted(defined=known, used=used)


def _defined(text: str) -> tuple[str, ...]:
    return (*_DEFINED.findall(text), *_METHOD.findall(text))


def _called(lines: Iterable[str]) -> tuple[str, ...]:
    return _most_telling(name for text in lines for name in (*_CALL.findall(text), *_TYPED.findall(text)))


def is_definition(name: str, text: str) -> bool:
    """Whether a line looks like the place where the name is defined: after a keyword, or as a method with a body."""
    escaped = re.escape(name)
    by_keyword = rf"\b(?:{_KEYWORDS})\s+(?:\([^()]*\)\s*)?{escaped}\b"
    return re.search(by_keyword, text) is not None or name in _METHOD.findall(text)


def choose_files(hits: Mapping[str, Sequence[Hit]], names: Wanted, *, shown: Collection[str]) -> tuple[Place, ...]:
    """Which of the lines found are worth an excerpt: where used names are defined, who uses the defined ones, the tests
    that do, and where else something of that name is defined.

    `shown` are the paths of the change, whose enclosing functions are shown anyway.
    """
    places: list[Place] = []
    for name in names.used:
        defined = [hit for hit in hits.get(name, ()) if is_definition(name, hit.text)]
        places += [
            Place(hit.path, hit.line, f"defines {name}", Part.DEFINITIONS) for hit in defined[:DEFINITIONS_PER_NAME]
        ]
    for name in names.defined:
        met = [hit for hit in hits.get(name, ()) if _is_code(hit)]
        uses = sorted((hit for hit in met if not is_definition(name, hit.text)), key=lambda hit: hit.path in shown)
        callers = [hit for hit in uses if not is_test(hit.path)][:CALLERS_PER_NAME]
        tests = [hit for hit in uses if is_test(hit.path)][:TESTS_PER_NAME]
        places += [Place(hit.path, hit.line, f"uses {name}", Part.CALLERS) for hit in callers]
        places += [Place(hit.path, hit.line, f"tests {name}", Part.TESTS) for hit in tests]
        places += _siblings(name, met, shown)
    return tuple(dict.fromkeys(places))


def _siblings(name: str, met: Sequence[Hit], shown: Collection[str]) -> list[Place]:
    """Where else something of a changed definition's name is defined: its twin for another provider, platform, language."""
    defined = [hit for hit in met if is_definition(name, hit.text) and not is_test(hit.path)]
    if not any(hit.path in shown for hit in defined):
        return []
    folders = {path.rpartition("/")[0] for path in shown}
    others = [hit for hit in defined if hit.path not in shown]
    others.sort(key=lambda hit: hit.path.rpartition("/")[0] not in folders)
    return [Place(hit.path, hit.line, f"another {name}", Part.SIBLINGS) for hit in others[:SIBLINGS_PER_NAME]]


def excerpt(place: Place, lines: Sequence[str]) -> Excerpt:
    """The lines of a file around a place: a definition with what follows it, a use with what stands around it."""
    before, after = (1, 24) if place.part in (Part.DEFINITIONS, Part.SIBLINGS) else (6, 6)
    start = max(place.line - before, 1)
    end = min(place.line + after, len(lines))
    return Excerpt(place.path, start, "\n".join(lines[start - 1 : end]), place.why)


def test_paths(path: str) -> tuple[str, ...]:
    """Where the tests of a file stand by the habits of its language, most likely first."""
    folder, _, name = path.rpartition("/")
    stem, _, ending = name.rpartition(".")
    here = f"{folder}/" if folder else ""
    if not stem or is_test(path):
        return ()
    if ending == "py":
        return (f"{here}test_{stem}.py", f"tests/test_{stem}.py", f"{here}tests/test_{stem}.py", f"test/test_{stem}.py")
    if ending == "go":
        return (f"{here}{stem}_test.go",)
    mirrored = here.removeprefix("src/")
    return tuple(
        f"{root}{stem}.{word}.{ending}"
        for root in (here, f"{here}__tests__/", f"test/{mirrored}", f"tests/{mirrored}")
        for word in ("test", "spec")
    )


def rules_touched(rules: Sequence[Rule], *, text: str, seen: Collection[str]) -> tuple[Rule, ...]:
    """The rules whose full guidance is worth its tokens: what detectors saw, then those whose signals stand in the text.

    A rule's signals are the code words in its own guidance. `text` are the changed lines, `seen` the ids with evidence.
    """
    code = signals.words(text)
    scored = [
        (rule.id not in seen, -signals.count(rule.look_for, code=code), rule.category.priority, rule.id, rule)
        for rule in rules
        if may_be_a_defect(rule)
    ]
    worth = sorted(one for one in scored if not one[0] or -one[1] >= signals.LEAST)
    return tuple(one[-1] for one in worth[:MOST_RULES])


def may_be_a_defect(rule: Rule) -> bool:
    """Whether breaking the rule can make a change wrong. Wishes for logs, metrics, types and tests are not asked for."""
    return rule.kind is not Kind.DESIGN or rule.category not in (Category.OBSERVABILITY, Category.EXPERIENCE)


def fit(excerpts: Iterable[Excerpt], *, budget_tokens: int) -> tuple[Excerpt, ...]:
    """The excerpts that fit, in order, none of them twice."""
    return share_out([Shown(Part.ENCLOSING, one) for one in excerpts], budget_tokens=budget_tokens, shares={})


def share_out(
    found: Iterable[Shown], *, budget_tokens: int, shares: Mapping[Part, float] = SHARES
) -> tuple[Excerpt, ...]:
    """The same, where each part has its share of the budget, so that none crowds out another."""
    kept: list[Excerpt] = []
    whole = budget_tokens
    left = {part: int(budget_tokens * shares.get(part, 1.0)) for part in Part}
    for one in found:
        tokens = estimate_tokens(one.excerpt.text)
        if tokens <= min(left[one.part], whole) and not any(_shows(other, one.excerpt) for other in kept):
            kept.append(one.excerpt)
            left[one.part] -= tokens
            whole -= tokens
    return tuple(kept)


def _shows(one: Excerpt, other: Excerpt) -> bool:
    """Whether an excerpt has the first half of another, with the line that it is about."""
    last, middle = one.start_line + one.text.count("\n"), other.start_line + other.text.count("\n") // 2
    return one.path == other.path and one.start_line <= other.start_line and middle <= last


def _is_code(hit: Hit) -> bool:
    """Whether the line may use a name, and does not only speak of it."""
    return not (_is_import(hit.text) or hit.text.lstrip().startswith(_NO_CODE) or hit.path.lower().endswith(_PROSE))


def _is_import(text: str) -> bool:
    stripped = text.lstrip()
    return stripped.startswith(("import ", "from ", "export {", "export * ", "use ", "#include"))


def is_telling(name: str) -> bool:
    """Whether a name is likely somebody's own, and not a word of many languages."""
    return name.lower() not in _NO_NAMES and _NUMBER.fullmatch(name.lower()) is None


def _most_telling(names: Iterable[str]) -> tuple[str, ...]:
    """Names by how often they stand there, longer ones first: a long name is more likely the project's own."""
    counted = Counter(name for name in names if is_telling(name))
    return tuple(sorted(counted, key=lambda name: (-counted[name], -len(name), name)))
