"""Questions that several refine steps ask about a call in JavaScript, TypeScript or Python."""

from __future__ import annotations

import re

from ast_grep_py import SgNode

from app.analysis.context import enclosing_function

_STRINGS = frozenset(("string", "template_string"))
_LOOPBACK = re.compile(
    r"^(?:[a-z+]+:)?//(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\]|host\.docker\.internal)\b", re.IGNORECASE
)
_NOT_REMOTE = re.compile(r"^(?:/(?!/)|\.{1,2}/|\?|#|data:|blob:|file:|about:)")
_BOUND = re.compile(r"timeout|race|deadline|abort|withlimit|timebox", re.IGNORECASE)


def arguments(call: SgNode) -> list[SgNode]:
    """The arguments of a call, comments left out."""
    held = call.field("arguments")
    if held is None:
        return []
    return [child for child in held.children() if child.is_named() and child.kind() != "comment"]


def callee(call: SgNode) -> str:
    """The called expression's text without spaces (`axios.post`)."""
    function = call.field("function")
    return re.sub(r"\s+", "", function.text()) if function is not None else ""


def keys(literal: SgNode) -> frozenset[str] | None:
    """The keys of an object literal; None when it is not one, or may hold keys that cannot be seen (spread, computed)."""
    if literal.kind() != "object":
        return None
    found: set[str] = set()
    for child in literal.children():
        match child.kind():
            case "pair":
                key = child.field("key")
                if key is None or key.kind() == "computed_property_name":
                    return None
                found.add(key.text().strip("\"'"))
            case "shorthand_property_identifier":
                found.add(child.text())
            case "method_definition":
                name = child.field("name")
                found.add(name.text() if name is not None else "")
            case "spread_element" | "ERROR":
                return None
            case _:
                continue
    return frozenset(found)


def value_of(literal: SgNode, key: str) -> SgNode | None:
    """The value of a key in an object literal, or None."""
    for child in literal.children():
        if child.kind() == "pair":
            name = child.field("key")
            if name is not None and name.text().strip("\"'") == key:
                return child.field("value")
    return None


def literal_text(node: SgNode) -> str | None:
    """What stands between the quotes of a string or template, or None for anything else."""
    return node.text()[1:-1] if node.kind() in _STRINGS and len(node.text()) >= 2 else None


def stays_here(url: SgNode) -> bool:
    """Whether an address is relative to a page, on the loopback, or no network address at all."""
    text = literal_text(url)
    if text is None:
        return "localhost" in url.text() or "127.0.0.1" in url.text()
    return _NOT_REMOTE.match(text) is not None or _LOOPBACK.match(text) is not None


def looks_remote(url: SgNode) -> bool:
    """Whether an address is plainly another service's: absolute, or built from the environment."""
    text = url.text()
    return re.match(r"[\"'`](?:https?:)?//", text) is not None or "process.env" in text or "new URL(" in text


def is_bounded_outside(call: SgNode) -> bool:
    """Whether something around the call limits it: a race, a wrapper whose name speaks of a timeout."""
    for above in call.ancestors():
        if above.kind() in ("call_expression", "call", "new_expression") and _BOUND.search(callee(above)):
            return True
        if above.kind() in ("with_statement", "with_item") and _BOUND.search(above.text().split(":", 1)[0]):
            return True
    function = enclosing_function(call)
    return (
        function is not None
        and re.search(r"Promise\.race\(|\.timeout\(|asyncio\.wait_for\(", function.text()) is not None
    )


def with_option(call: SgNode, *, position: int, option: str, filler: str = "undefined") -> str | None:
    """The call's text with an option added to the object literal at `position`, which is created where it is missing.

    None when something else stands there.
    """
    given = arguments(call)
    whole, base = call.text(), call.range().start.index
    if position < len(given):
        literal = given[position]
        if literal.kind() != "object":
            return None
        at = literal.range().start.index - base + 1
        return whole[:at] + _opening(literal, option) + whole[at:]
    missing = [filler] * (position - len(given))
    added = ", ".join([*missing, f"{{ {option} }}"])
    if not given:
        held = call.field("arguments")
        at = held.range().start.index - base + 1 if held is not None else len(whole) - 1
        return whole[:at] + added + whole[at:]
    at = given[-1].range().end.index - base
    return f"{whole[:at]}, {added}{whole[at:]}"


def _opening(literal: SgNode, option: str) -> str:
    """The option as the first member, laid out as the literal is."""
    members = [child for child in literal.children() if child.is_named() and child.kind() != "comment"]
    if not members:
        return f" {option} "
    before = literal.text()[: members[0].range().start.index - literal.range().start.index]
    if "\n" in before:
        indent = re.search(r"[ \t]*$", before)
        return f"\n{indent.group() if indent else ''}{option},"
    return f" {option}," if before.endswith(" ") else f"{option}, "
