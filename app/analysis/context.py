"""What a refine step is given and what it gives back.

Candidate(file, node) ── refine ──► Match | None
FileContext ── search ──► Match, Match, …        for detectors that read text, not syntax
Pair(head, base) ── step ──► Match, Match, …     for detectors that compare the two sides of a change
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from ast_grep_py import SgNode

from app.analysis import languages, roles
from app.analysis.finder import Finder
from app.analysis.roles import Role
from app.core import secrets
from app.core.secrets import Certainty, Secret
from app.core.source import SourceFile, Surroundings

FUNCTION_KINDS = frozenset(
    [
        "function_declaration",
        "generator_function_declaration",
        "function_expression",
        "generator_function",
        "arrow_function",
        "method_definition",
        "function_definition",
    ]
)
LONGEST_CAPTURE = 400


@dataclass(frozen=True, slots=True)
class Match:
    """A place where the rule is broken: character offsets start..end of the node that a replacement would stand for.

    `focus` are the offsets that must be touched by the change for the finding to be its own (default: the node).
    `replacement` is the node's new text, or None; then `why_no_patch` may say why. `quote` overrides the lines' text.
    With `removed` the offsets are those of the base's text, and the change took it away.
    """

    start: int
    end: int
    note: str = ""
    captures: Mapping[str, str] = field(default_factory=dict)
    replacement: str | None = None
    why_no_patch: str = ""
    focus: tuple[int, int] | None = None
    quote: str | None = None
    removed: bool = False


class FileContext:
    """One file during a scan. What is costly to know about it is computed once, when a rule first asks."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.text = text
        self.language = languages.of(path)
        self.expected: frozenset[str] = frozenset()
        """The kinds of nodes that detectors will ask the tree for; said before the first of them asks, or not at all."""

    @cached_property
    def root(self) -> SgNode | None:
        """The syntax tree; None where no grammar reads the file."""
        return languages.parse(self.text, self.language) if self.language else None

    @cached_property
    def finder(self) -> Finder | None:
        """Finds nodes in the tree; None where there is no tree."""
        return Finder(self.root, expected=self.expected) if self.root is not None else None

    @cached_property
    def secrets(self) -> tuple[Secret, ...]:
        """The secrets in the text, doubtful ones too, because a quote shows none of them; where there is no surer one, none."""
        return secrets.find(self.text) if secrets.find(self.text, least=Certainty.LIKELY) else ()

    @cached_property
    def role(self) -> Role:
        """What the file is for."""
        return roles.of(self.path, self.text)

    @cached_property
    def lines(self) -> list[str]:
        """The lines, split at line feeds only, so that they count as git counts them."""
        return self.text.split("\n")

    @cached_property
    def _starts(self) -> list[int]:
        starts = [0]
        for line in self.lines[:-1]:
            starts.append(starts[-1] + len(line) + 1)
        return starts

    def line_of(self, offset: int) -> int:
        """The 1-based line on which a character stands."""
        return bisect_right(self._starts, offset)

    def start_of(self, line: int) -> int:
        """The offset of a line's first character."""
        return self._starts[line - 1]

    @cached_property
    def imports(self) -> dict[str, str]:
        """Local name → module, for each import and require of the file."""
        return dict(_python_imports(self.text) if self.language == languages.PYTHON else _script_imports(self.text))

    def declares(self, name: str) -> bool:
        """Whether the file seems to declare the name itself: a function, a variable, a parameter."""
        declared = rf"\b(?:function\*?|const|let|var|class|def)\s+{name}\b"
        taken = rf"[(,{{]\s*{name}\s*[,:}}=]|[(,{{]\s*{name}\s*\)\s*(?:=>|\{{|:)"
        return re.search(f"{declared}|{taken}", self.text) is not None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A node that a detector's pattern matched, in its file."""

    file: FileContext
    node: SgNode

    def match(self, **rest: object) -> Match:
        """The match of the whole node."""
        where = self.node.range()
        return Match(where.start.index, where.end.index, **rest)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Pair:
    """A file on both sides of a change. `base` is None where the file is new; `around` are the paths beside it."""

    head: FileContext
    base: FileContext | None
    file: SourceFile
    around: Surroundings

    @classmethod
    def of(cls, file: SourceFile, head: FileContext, around: Surroundings) -> Pair:
        """Both sides of a file, of which the head's is known already."""
        base = FileContext(file.path, file.before) if file.before is not None else None
        return cls(head, base, file, around)

    @property
    def path(self) -> str:
        """The file's path in the head."""
        return self.file.path

    def added(self) -> Iterator[tuple[int, str]]:
        """The lines that the change adds, with their numbers in the head."""
        return ((number, self.head.lines[number - 1]) for number in sorted(self.file.changed))

    def removed(self) -> Iterator[tuple[int, str]]:
        """The lines that the change takes away, with their numbers in the base."""
        lines = self.base.lines if self.base is not None else []
        return ((number, lines[number - 1]) for number in sorted(self.file.removed) if number <= len(lines))

    def on_line(self, number: int, **rest: object) -> Match:
        """The match of a whole line of the head."""
        return _line_match(self.head, number, removed=False, **rest)

    def on_removed_line(self, number: int, **rest: object) -> Match:
        """The match of a whole line of the base."""
        if self.base is None:
            raise ValueError("a new file has no removed lines")
        return _line_match(self.base, number, removed=True, **rest)


def _line_match(file: FileContext, number: int, **rest: object) -> Match:
    start, line = file.start_of(number), file.lines[number - 1]
    indent = len(line) - len(line.lstrip())
    return Match(start + indent, start + max(len(line), indent + 1), **rest)  # type: ignore[arg-type]


def enclosing_function(node: SgNode) -> SgNode | None:
    """The innermost function around a node, or None."""
    return next((above for above in node.ancestors() if above.kind() in FUNCTION_KINDS), None)


def function_name(function: SgNode | None) -> str:
    """The name a reader knows a function by: its own, or that of the variable, key or field it is the value of."""
    while function is not None:
        if named := own_name(function):
            return named
        function = enclosing_function(function)
    return ""


def own_name(function: SgNode) -> str:
    """A function's own name, or that of the variable, key or field it is the value of; empty where it has none."""
    named = function.field("name") or _name_of_holder(function)
    return named.text() if named is not None else ""


def exported_name(node: SgNode) -> str:
    """The name under which a test could call the code around a node: that of an exported top-level function, or empty."""
    outermost = [above for above in node.ancestors() if above.kind() in FUNCTION_KINDS]
    if not outermost or any(above.kind() == "class_declaration" for above in node.ancestors()):
        return ""
    top = outermost[-1]
    name = top.field("name") or _name_of_holder(top)
    if name is None:
        return ""
    text = name.text()
    if top.kind() == "function_definition":
        return "" if text.startswith("_") else text
    if re.fullmatch(r"(?:module\.)?exports\.[\w$]+", text):
        return text.rpartition(".")[2]
    shown = any(above.kind() == "export_statement" and "default" not in above.text()[:16] for above in top.ancestors())
    return text if shown and re.fullmatch(r"[\w$]+", text) else ""


def _name_of_holder(function: SgNode) -> SgNode | None:
    holder = function.parent()
    if holder is None:
        return None
    match holder.kind():
        case "variable_declarator" | "public_field_definition" | "field_definition":
            return holder.field("name") or holder.field("property")
        case "pair":
            return holder.field("key")
        case "assignment_expression":
            left = holder.field("left")
            return left if left is not None and "\n" not in left.text() else None
        case _:
            return None


_DEFAULT_IMPORT = re.compile(
    r"import(?<=\bimport)\s+(?:type\s+)?(?P<clause>[\w$*{}\s,]{1,2000}?)\s+from\s*[\"'](?P<module>[^\"'\n]{1,300})[\"']"
)
_REQUIRE = re.compile(
    r"\b(?:const|let|var)\s+(?P<clause>[\w$]+|\{[^{}]{0,2000}\})\s*=\s*(?:await\s+import|require)"
    r"\(\s*[\"'](?P<module>[^\"'\n]{1,300})[\"']\s*\)"
    r"(?:\.default)?"
)
_IMPORT_EQUALS = re.compile(
    r"import(?<=\bimport)\s+(?P<clause>[\w$]+)\s*=\s*require\(\s*[\"'](?P<module>[^\"'\n]{1,300})[\"']"
)


_SCRIPT_IMPORTS = (
    (("import",), _DEFAULT_IMPORT),
    (("require(", "import("), _REQUIRE),
    (("require(",), _IMPORT_EQUALS),
)
"""How modules are named, each behind words one of which it needs. A pattern that begins with a plain word is found faster."""


def _script_imports(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for words, pattern in _SCRIPT_IMPORTS:
        for statement in pattern.finditer(text) if any(word in text for word in words) else ():
            module = statement["module"].removeprefix("node:")
            for name in re.split(r"[{},]", statement["clause"]):
                local = re.split(r"\s+as\s+|:", name.strip())[-1].strip().removeprefix("type ")
                if local:
                    found.append((local, module))
    return found


def _python_imports(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for statement in re.finditer(r"^[ \t]*import[ \t]+([\w., \t]+)", text, re.MULTILINE):
        for name in statement[1].split(","):
            module, _, alias = name.strip().partition(" as ")
            found.append((alias.strip() or module.split(".")[0].strip(), module.strip()))
    for statement in re.finditer(
        r"^[ \t]*from[ \t]+([\w.]+)[ \t]+import[ \t]+(\([^)]{0,2000}\)|[^\n#]+)", text, re.MULTILINE
    ):
        for name in statement[2].strip("()").split(","):
            original, _, alias = name.strip().partition(" as ")
            if original:
                found.append((alias.strip() or original.strip(), f"{statement[1]}.{original.strip()}"))
    return found
