"""The functions and classes of languages that have no detectors here: what stands around a change in them.

Only ast-grep's own grammars read these files, so no rule looks into them and no patch of them is parsed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from ast_grep_py import SgNode, SgRoot

from app.core.source import Span, Symbol

MOST_NODES = 200_000
LONGEST_NAME = 120

_BY_EXTENSION = {
    ".c": "c",
    ".h": "cpp",
    ".cc": "cpp",
    ".cpp": "cpp",
    ".cxx": "cpp",
    ".hpp": "cpp",
    ".cs": "csharp",
    ".go": "go",
    ".java": "java",
    ".kt": "kotlin",
    ".kts": "kotlin",
    ".php": "php",
    ".rb": "ruby",
    ".rs": "rust",
    ".scala": "scala",
    ".swift": "swift",
}
_KINDS = {
    "function_declaration": "function",
    "function_definition": "function",
    "function_item": "function",
    "method_declaration": "method",
    "constructor_declaration": "method",
    "init_declaration": "method",
    "method": "method",
    "singleton_method": "method",
    "class": "class",
    "module": "module",
    "class_declaration": "class",
    "class_definition": "class",
    "class_specifier": "class",
    "struct_specifier": "struct",
    "struct_declaration": "struct",
    "struct_item": "struct",
    "impl_item": "impl",
    "trait_item": "trait",
    "trait_definition": "trait",
    "enum_item": "enum",
    "enum_declaration": "enum",
    "interface_declaration": "interface",
    "object_declaration": "object",
    "object_definition": "object",
    "record_declaration": "record",
    "type_declaration": "type",
}
_NAMED_BY = frozenset(("simple_identifier", "type_identifier", "identifier", "type_spec"))
_NAME = re.compile(rf"[\w$:.~]{{1,{LONGEST_NAME}}}")


def symbols(path: str, text: str, spans: Sequence[Span]) -> Iterator[Symbol]:
    """The named functions, classes and types that hold one of the spans, outer before inner, without their text."""
    language = _BY_EXTENSION.get(PurePosixPath(path).suffix.lower())
    if language is None:
        return
    open_nodes, left = [SgRoot(text, language).root()], MOST_NODES
    while open_nodes and left:
        left -= 1
        node = open_nodes.pop()
        kind, (first, last) = _KINDS.get(node.kind()), _lines(node)
        if kind is not None and (name := _name(node)):
            yield Symbol(path, name, kind, first, last)
        open_nodes += [child for child in reversed(node.children()) if child.is_named() and _holds(child, spans)]


def _holds(node: SgNode, spans: Sequence[Span]) -> bool:
    first, last = _lines(node)
    return any(first <= span[0] and span[1] <= last for span in spans)


def _lines(node: SgNode) -> Span:
    place = node.range()
    ends_before = place.end.column == 0 and place.end.line > place.start.line
    return place.start.line + 1, place.end.line + (0 if ends_before else 1)


def _name(node: SgNode) -> str:
    """The name in its own field; of a declarator what stands before the brackets; else that of the first child which is one."""
    told = node.field("name") or node.field("declarator")
    if told is None:
        told = next((child for child in node.children() if child.kind() in _NAMED_BY), None)
    found = _NAME.search(told.text()) if told is not None else None
    return found.group() if found else ""
