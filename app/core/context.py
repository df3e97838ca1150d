"""What a model sees beside the diff: which words are worth looking up, and the excerpts that were found.

Decisions only; `app.stages.read` does the looking.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from app.core import signals
from app.core.budget import Piece, is_test
from app.core.excerpts import Excerpt, Part, Shown
from app.core.finding import Category, Kind
from app.core.rule import Rule

WORDS_PER_BATCH = 12
DEFINITIONS_PER_NAME = 2
MOST_RULES = 2
"""Whose full guidance stands in a prompt: about 250 tokens each."""
CALLERS_PER_NAME = 3
TESTS_PER_NAME = 1
SIBLINGS_PER_NAME = 1
LINES_AROUND_A_USE = 5
LINES_OF_A_DEFINITION = 30


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_IDENTIFIER = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]{2,60}")
_CALL = re.compile(r"([A-Za-z_$][A-Za-z0-9_$]{2,60})\s*\(")
_TYPED = re.compile(r"(?:\bnew|\bas|\bextends|\bimplements|:|->|<)\s*\*?([A-Z][A-Za-z0-9_]{2,60})\b")
_OWN = r"function\*?|class|interface|type|enum|def|func|fn|struct|trait"
_DEFINED = re.compile(rf"(?:{_OWN}|const|let|var)\s+(?:\([^()]*\)\s*)?([A-Za-z_$][\w$]{{2,60}})")
_DEFINED_INSIDE = re.compile(rf"(?:{_OWN})\s+(?:\([^()]*\)\s*)?([A-Za-z_$][\w$]{{2,60}})")
_METHOD = re.compile(r"^\s*(?:[\w$<>\[\],.?*&:@]{1,80}\s+){0,6}([A-Za-z_$][\w$]{2,60})\s*\([^;{}]*\)[^;={}]*\{\s*$")
_CLOSING = re.compile(r"\s*[)}\]]|\s*end\b")
_OPENS = re.compile(r"[{(:\[]\s*$")
_NUMBER = re.compile(r"u?int\d{0,3}|float\d{1,3}")
_NO_CODE = ("//", "/*", "*", "# ", "--", "<!--", '"""')
_PROSE = (".md", ".mdx", ".rst", ".txt", ".adoc")
_PAPERS = frozenset(("license", "copying", "notice", "authors", "changelog", "readme"))
_NO_NAMES = _words("""
    abstract and any arguments array as assert async await bool boolean break byte case catch char class const
    continue console constructor def default defer del delete elif else enum error except export extends false
    final finally float for from func function global goto has if implements import in int interface is lambda
    let length long map match module namespace new nil none not null number object only open or override package
    pass print private promise protected public raise range readonly ref require result return self set short
    static str string struct super switch symbol then this throw throws true try type typeof undefined union
    unknown unsigned use using value var void volatile when where while with yield describe test expect it log
    main push slice foreach filter reduce join split tostring json text body status send get post put headers
    url
""")


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
class Wanted:
    """The words of a batch that are worth looking up: names it defines (who calls them?) and names it uses (what are they?)."""

    defined: tuple[str, ...]
    used: tuple[str, ...]


def wanted(pieces: Sequence[Piece], *, around: Sequence[str] = (), named: Sequence[str] = ()) -> Wanted:
    """The names most worth looking up: what the changed lines define, then `named`, then what they call most often.

    What only their neighbours call comes last: the unchanged lines of the hunks, and `around`, the functions they stand in.
    """
    code = [piece for piece in pieces if not _is_prose(piece.file.path)]
    bodies = [raw for piece in code for raw in piece.file.hunks[piece.hunk].body[piece.start : piece.end] if raw]
    changed = [raw[1:] for raw in bodies if raw[0] in "+-"]
    beside = [raw[1:] for raw in bodies if raw[0] not in "+-"]
    defined = _most_telling(name for text in changed for name in _defined(text))
    headings = _most_telling(name for piece in code for name in _defined(piece.file.hunks[piece.hunk].heading))
    called = dict.fromkeys((*named[: WORDS_PER_BATCH // 2], *_called(changed), *_called(beside), *_called(around)))
    known = (*defined, *(name for name in headings if name not in defined))[: WORDS_PER_BATCH // 2]
    used = tuple(name for name in called if name not in known)[: WORDS_PER_BATCH - len(known)]
    return Wanted(defined=known, used=used)


def _defined(text: str) -> tuple[str, ...]:
    """What a line defines. Variables inside a block are nobody else's, so nobody looks for who uses them."""
    known = _DEFINED if text[:1].strip() else _DEFINED_INSIDE
    return (*known.findall(text), *_METHOD.findall(text))


def _called(lines: Iterable[str]) -> tuple[str, ...]:
    return _most_telling(name for text in lines for name in (*_CALL.findall(text), *_TYPED.findall(text)))


def is_definition(name: str, text: str) -> bool:
    """Whether a line looks like the place where the name is defined: after a keyword, or as a method with a body."""
    escaped = re.escape(name)
    by_keyword = rf"\b(?:{_OWN})\s+(?:\([^()]*\)\s*)?{escaped}\b|^(?:[a-z]+\s+){{0,3}}(?:const|let|var)\s+{escaped}\b"
    return re.search(by_keyword, text) is not None or name in _METHOD.findall(text)


def choose_files(hits: Mapping[str, Sequence[Hit]], names: Wanted, *, shown: Collection[str]) -> tuple[Place, ...]:
    """Which of the lines found are worth an excerpt: where used names are defined, who uses the defined ones, the tests
    that do, and where else something of that name is defined.

    `shown` are the paths of the change, whose enclosing functions are shown anyway.
    """
    places: list[Place] = []

    def far(hit: Hit) -> int:
        return _distance(hit.path, shown)

    for name in names.used:
        defined = [hit for hit in hits.get(name, ()) if is_definition(name, hit.text) and not _is_prose(hit.path)]
        defined.sort(key=far)
        places += [
            Place(hit.path, hit.line, f"defines {name}", Part.DEFINITIONS) for hit in defined[:DEFINITIONS_PER_NAME]
        ]
    for name in names.defined:
        met = [hit for hit in hits.get(name, ()) if _is_code(hit) and hit.text.strip().rstrip(",;") != name]
        uses = sorted(
            (hit for hit in met if not is_definition(name, hit.text)), key=lambda hit: (hit.path in shown, far(hit))
        )
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
    others = [hit for hit in defined if hit.path not in shown]
    others.sort(key=lambda hit: _distance(hit.path, shown))
    return [Place(hit.path, hit.line, f"another {name}", Part.SIBLINGS) for hit in others[:SIBLINGS_PER_NAME]]


def excerpt(place: Place, lines: Sequence[str]) -> Shown:
    """The lines of a file around a place: a definition with what follows it, a use with what stands around it."""
    if place.part in (Part.DEFINITIONS, Part.SIBLINGS):
        start, end = max(place.line - 1, 1), _end_of_definition(place.line, lines)
    else:
        start, end = max(place.line - LINES_AROUND_A_USE, 1), min(place.line + LINES_AROUND_A_USE, len(lines))
    return Shown(place.part, Excerpt(place.path, start, "\n".join(lines[start - 1 : end]), place.why), place.line)


def _end_of_definition(line: int, lines: Sequence[str]) -> int:
    """The last line of what is defined on a line: where a line is indented no deeper, or after as much as is worth showing."""
    depth = _depth(lines[line - 1])
    last = min(line + LINES_OF_A_DEFINITION, len(lines))
    for number in range(line + 1, last + 1):
        text = lines[number - 1]
        closes = _CLOSING.match(text) is not None
        if text.strip() and _depth(text) <= depth and not ((closes or text.strip() == "{") and _OPENS.search(text)):
            return number if closes else number - 1
    return last


def _depth(text: str) -> int:
    return len(text) - len(text.lstrip())


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


def _distance(path: str, others: Collection[str]) -> int:
    """How many folders lie between a file and the nearest of the others: what stands near is more likely what is meant."""
    folders = path.split("/")[:-1]
    return min((_steps(folders, other.split("/")[:-1]) for other in others), default=0)


def _steps(folders: Sequence[str], others: Sequence[str]) -> int:
    same = next((at for at, (one, other) in enumerate(zip(folders, others, strict=False)) if one != other), None)
    common = min(len(folders), len(others)) if same is None else same
    return len(folders) + len(others) - 2 * common


def _is_code(hit: Hit) -> bool:
    """Whether the line may use a name, and does not only speak of it."""
    return not (_is_import(hit.text) or hit.text.lstrip().startswith(_NO_CODE) or _is_prose(hit.path))


def _is_prose(path: str) -> bool:
    name = path.rpartition("/")[2].lower()
    return name.endswith(_PROSE) or name.partition(".")[0] in _PAPERS


def _is_import(text: str) -> bool:
    stripped = text.lstrip()
    return stripped.startswith(("import ", "from ", "export {", "export * ", "use ", "#include"))


def is_telling(name: str) -> bool:
    """Whether a name is likely somebody's own, and not a word of many languages."""
    return name.lower() not in _NO_NAMES and not name.startswith("__") and _NUMBER.fullmatch(name.lower()) is None


def _most_telling(names: Iterable[str]) -> tuple[str, ...]:
    """Names by how often they stand there, longer ones first: a long name is more likely the project's own."""
    counted = Counter(name for name in names if is_telling(name))
    return tuple(sorted(counted, key=lambda name: (-counted[name], -len(name), name)))
