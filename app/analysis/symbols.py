"""Source text in, its functions, classes and types out. Runs in the worker process."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

import tree_sitter

from app.analysis import foreign, languages
from app.core.source import Span, Symbol

LONGEST_TEXT = 1_000_000
MOST_LINES = 250
MOST_CHARACTERS = 12_000
MOST_SYMBOLS = 2_000
MOST_IDENTIFIERS = 200

_KINDS = {
    "function_declaration": "function",
    "generator_function_declaration": "function",
    "function_expression": "function",
    "arrow_function": "function",
    "function_definition": "function",
    "method_definition": "method",
    "class_declaration": "class",
    "abstract_class_declaration": "class",
    "class": "class",
    "class_definition": "class",
    "interface_declaration": "interface",
    "type_alias_declaration": "type",
    "enum_declaration": "enum",
    "internal_module": "namespace",
}
_HOLDERS = frozenset(
    ("variable_declarator", "public_field_definition", "field_definition", "pair", "assignment_expression")
)
_WRAPPERS = frozenset(
    ("export_statement", "decorated_definition", "lexical_declaration", "variable_declaration", "expression_statement")
)
_NAMES = frozenset(("identifier", "type_identifier", "property_identifier", "shorthand_property_identifier"))
_CALLS = frozenset(("call_expression", "new_expression", "call"))


def enclosing(path: str, text: str, spans: Sequence[Span]) -> tuple[Symbol | None, ...]:
    """For each span the innermost named function, class or type that contains all of it; None where there is none."""
    tree = _tree(path, text)
    if tree is None and len(text) > LONGEST_TEXT:
        return tuple(None for _ in spans)
    lines = text.split("\n")
    known = list(_symbols(path, tree.root_node) if tree is not None else foreign.symbols(path, text, spans))
    return tuple(_with_text(_innermost(known, span), lines, span) for span in spans)


def definitions(path: str, text: str, names: Sequence[str]) -> tuple[Symbol, ...]:
    """Where the names are defined in this file: functions, methods, classes, types and constants, in order."""
    tree = _tree(path, text)
    if tree is None:
        return ()
    wanted, lines = frozenset(names), text.split("\n")
    found = [one for one in _symbols(path, tree.root_node, constants=True) if one.name.rpartition(".")[2] in wanted]
    return tuple(told for one in found if (told := _with_text(one, lines, (one.start_line, one.start_line))))


def outline(path: str, text: str) -> tuple[Symbol, ...]:
    """Every named function, class, type and constant of the file, in order, without their text."""
    tree = _tree(path, text)
    return tuple(_symbols(path, tree.root_node, constants=True)) if tree is not None else ()


def identifiers(path: str, text: str, spans: Sequence[Span]) -> tuple[str, ...]:
    """The names used on these lines: called ones first, then types, then the rest, each by how often it stands there."""
    tree = _tree(path, text)
    if tree is None:
        return ()
    called: Counter[str] = Counter()
    typed: Counter[str] = Counter()
    other: Counter[str] = Counter()
    for node in _walk(tree.root_node, spans):
        if node.type in _NAMES and _within(node, spans):
            (called if _is_called(node) else typed if node.type == "type_identifier" else other)[_text(node)] += 1
    ranked = [name for group in (called, typed, other) for name, _ in group.most_common()]
    return tuple(dict.fromkeys(ranked))[:MOST_IDENTIFIERS]


def _tree(path: str, text: str) -> tree_sitter.Tree | None:
    language = languages.of(path)
    return languages.tree(text, language) if language is not None and len(text) <= LONGEST_TEXT else None


def _symbols(path: str, root: tree_sitter.Node, *, constants: bool = False) -> Iterator[Symbol]:
    """Named symbols, outer before inner; a method carries its class's name (`Shop.charge`)."""
    open_nodes: list[tuple[tree_sitter.Node, str]] = [(root, "")]
    count = 0
    while open_nodes and count < MOST_SYMBOLS:
        node, owner = open_nodes.pop()
        kind = _KINDS.get(node.type)
        name = _name(node) if kind else ""
        if kind is None and constants and not owner:
            name, kind = _constant(node)
        if kind and name:
            count += 1
            outer = _outermost(node)
            full = f"{owner}.{name}" if owner else name
            if kind == "function" and owner:
                kind = "method"
            yield Symbol(path, full, kind, outer.start_point[0] + 1, _last_line(outer))
        inner_owner = (
            (f"{owner}.{name}" if owner else name)
            if kind == "class" and name
            else owner
            if kind is None or kind == "constant"
            else ""
        )
        open_nodes += [(child, inner_owner) for child in reversed(node.named_children)]


def _name(node: tree_sitter.Node) -> str:
    own = node.child_by_field_name("name")
    if own is not None:
        return _text(own)
    holder = node.parent
    if holder is None or holder.type not in _HOLDERS:
        return ""
    named = next(
        (found for field in ("name", "property", "key", "left") if (found := holder.child_by_field_name(field))), None
    )
    text = _text(named) if named is not None else ""
    return text if re.fullmatch(r"[\w$.#\"'-]{1,120}", text) else ""


def _constant(node: tree_sitter.Node) -> tuple[str, str | None]:
    """A top-level variable whose value is no function: its name, and that it is a constant."""
    if node.type == "variable_declarator":
        value = node.child_by_field_name("value")
        top = node.parent.parent if node.parent is not None else None
        name = node.child_by_field_name("name")
        if (
            name is not None
            and name.type == "identifier"
            and (value is None or value.type not in _KINDS)
            and _is_top(top)
        ):
            return _text(name), "constant"
    if node.type == "assignment" and node.parent is not None and _is_top(node.parent.parent):
        left = node.child_by_field_name("left")
        if left is not None and left.type == "identifier":
            return _text(left), "constant"
    return "", None


def _is_top(node: tree_sitter.Node | None) -> bool:
    return node is not None and node.type in ("program", "export_statement", "module")


def _outermost(node: tree_sitter.Node) -> tree_sitter.Node:
    """The node with what belongs to it: the variable it is assigned to, its export, its decorators."""
    above = node.parent
    while above is not None and (above.type in _HOLDERS or above.type in _WRAPPERS):
        if above.type in ("lexical_declaration", "variable_declaration") and above.named_child_count > 1:
            break
        node, above = above, above.parent
    return node


def _last_line(node: tree_sitter.Node) -> int:
    row, column = node.end_point
    return row if column == 0 and row > node.start_point[0] else row + 1


def _innermost(known: Sequence[Symbol], span: Span) -> Symbol | None:
    around = [one for one in known if one.start_line <= span[0] and span[1] <= one.end_line]
    return min(around, key=lambda one: one.end_line - one.start_line, default=None)


def _with_text(symbol: Symbol | None, lines: Sequence[str], span: Span) -> Symbol | None:
    """The symbol with its lines, or as many of them around the span as the cap allows."""
    if symbol is None:
        return None
    first, last = symbol.start_line, symbol.end_line
    cut = last - first + 1 > MOST_LINES
    if cut:
        first = max(first, min(span[0] - MOST_LINES // 3, last - MOST_LINES + 1))
        last = first + MOST_LINES - 1
    text = "\n".join(lines[first - 1 : last])
    if len(text) > MOST_CHARACTERS:
        text, cut = text[:MOST_CHARACTERS].rpartition("\n")[0], True
    return Symbol(symbol.path, symbol.name, symbol.kind, first, first + text.count("\n"), text, cut)


def _walk(root: tree_sitter.Node, spans: Sequence[Span]) -> Iterator[tree_sitter.Node]:
    open_nodes = [root]
    while open_nodes:
        node = open_nodes.pop()
        yield node
        open_nodes += [child for child in reversed(node.named_children) if _touches(child, spans)]


def _touches(node: tree_sitter.Node, spans: Sequence[Span]) -> bool:
    return any(node.start_point[0] + 1 <= last and first <= node.end_point[0] + 1 for first, last in spans)


def _within(node: tree_sitter.Node, spans: Sequence[Span]) -> bool:
    return any(first <= node.start_point[0] + 1 <= last for first, last in spans)


def _is_called(node: tree_sitter.Node) -> bool:
    above = node.parent
    if above is None:
        return False
    if above.type in ("member_expression", "attribute"):
        tail = above.child_by_field_name("property") or above.child_by_field_name("attribute")
        if tail is None or tail.id != node.id:
            return False
        node, above = above, above.parent
    if above is None or above.type not in _CALLS:
        return False
    target = above.child_by_field_name("function") or above.child_by_field_name("constructor")
    return target is not None and target.id == node.id


def _text(node: tree_sitter.Node) -> str:
    return (node.text or b"").decode("utf-8", "replace")
