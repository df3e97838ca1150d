"""An expression in, the text that it makes out: the literal pieces, and the values between them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ast_grep_py import SgNode

from app.analysis import calls, flow
from app.analysis.context import enclosing_function

HOPS = 4


@dataclass(frozen=True, slots=True)
class Text:
    """A text as the code makes it: the literal pieces, and each value with the literal that stands right before it."""

    literal: str
    values: tuple[tuple[str, SgNode], ...]


def has_values(node: SgNode) -> bool:
    """Whether the expression makes a text with anything but constants in it."""
    text = text_of(node, HOPS)
    return text is not None and bool(text.values)


def all_values(text: Text) -> list[SgNode]:
    """The values alone, in their order."""
    return [value for _, value in text.values]


def text_of(node: SgNode, hops: int) -> Text | None:
    """The pieces of a joined text; None when the node is no text that this function makes."""
    if hops <= 0:
        return None
    match node.kind():
        case "template_string":
            return _template(node)
        case "string":
            return _template(node) if is_formatted(node) else Text(_inner(node), ())
        case "concatenated_string":
            return _merged(
                [text_of(part, hops) or Text("", (("", part),)) for part in node.children() if part.is_named()]
            )
        case "binary_expression" | "binary_operator":
            return _joined(node, hops)
        case "parenthesized_expression" | "as_expression" | "await_expression" | "non_null_expression":
            inner = next((child for child in node.children() if child.is_named()), None)
            return text_of(inner, hops - 1) if inner is not None else None
        case "call" | "call_expression":
            return _formatted(node, hops)
        case "identifier":
            return _named_text(node, hops)
        case _:
            return None


def _template(node: SgNode) -> Text:
    literal, values = "", []
    for child in node.children():
        match child.kind():
            case "template_substitution" | "interpolation":
                inner = next((one for one in child.children() if one.is_named()), None)
                if inner is not None:
                    values.append((literal, inner))
                    literal += " ? "
            case "string_fragment" | "string_content" | "escape_sequence":
                literal += child.text()
            case _:
                continue
    return Text(literal, tuple(values))


def is_formatted(string: SgNode) -> bool:
    """Whether a Python string holds values."""
    return any(child.kind() == "interpolation" for child in string.children())


def _inner(node: SgNode) -> str:
    return node.text().strip("\"'`")


def _joined(node: SgNode, hops: int) -> Text | None:
    operator = next((child.text() for child in node.children() if not child.is_named()), "")
    left, right = node.field("left"), node.field("right")
    if left is None or right is None:
        return None
    if operator == "%" and left.kind() in ("string", "concatenated_string"):
        values = [child for child in right.children() if child.is_named()] if right.kind() == "tuple" else [right]
        return Text(left.text(), tuple((left.text().split("%")[0], one) for one in values))
    if operator != "+":
        return None
    parts = [text_of(one, hops) or Text("", (("", one),)) for one in (left, right)]
    merged = _merged(parts)
    return merged if merged.literal.strip(" ?") else None


def _merged(parts: list[Text]) -> Text:
    literal, values = "", []
    for part in parts:
        values += [(f"{literal}{before}", value) for before, value in part.values]
        literal += part.literal or (" ? " if part.values else "")
    return Text(literal, tuple(values))


def _formatted(node: SgNode, hops: int) -> Text | None:
    """`"…{}…".format(value)` and `util.format("… %s", value)`."""
    name, given = calls.callee(node), calls.arguments(node)
    function = node.field("function")
    held = function.field("object") if function is not None else None
    if name.endswith(".format") and held is not None and held.kind() == "string" and given:
        return Text(_inner(held), tuple((_inner(held).split("{")[0], one) for one in given))
    if name == "util.format" and given and given[0].kind() == "string":
        return Text(_inner(given[0]), tuple((_inner(given[0]).split("%")[0], one) for one in given[1:]))
    if held is not None and held.kind() == "array" and name.endswith(".join"):
        pieces = [text_of(part, hops - 1) or Text("", (("", part),)) for part in held.children() if part.is_named()]
        return _merged(pieces)
    if held is not None and re.search(r"\.(?:trim|toString|strip)$", name):
        return text_of(held, hops - 1)
    return None


def _named_text(node: SgNode, hops: int) -> Text | None:
    value = flow.declaration(node.text(), node)
    made = text_of(value, hops - 1) if value is not None else None
    function = enclosing_function(node)
    if function is None or flow.is_python(function):
        return made
    added = [
        part
        for one in function.find_all({"rule": {"kind": "augmented_assignment_expression"}})
        if (left := one.field("left")) is not None
        and left.text() == node.text()
        and (part := one.field("right")) is not None
    ]
    if not added or made is None:
        return made
    return _merged([made, *(text_of(part, hops - 1) or Text("", (("", part),)) for part in added)])
