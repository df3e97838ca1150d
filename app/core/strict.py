"""YAML text in, plain values with their line numbers out; or the line and the reason why not.

Only what a configuration needs: no aliases (a few of them expand to gigabytes), no tags, no duplicate keys, bounded in
length, depth and number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

LONGEST_TEXT = 262_144
DEEPEST = 30
MOST_NODES = 20_000

Key = tuple[str | int, ...]
"""The way to a value: keys and positions, outermost first."""

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The one in C where the platform has it: about ten times as fast, the same language."""


class NotStrict(ValueError):
    """The text is not YAML as we take it. `line` is 1-based."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed text: its value, and the line on which each value stands."""

    value: Any
    lines: Mapping[Key, int] = field(default_factory=dict)

    def line(self, key: Key = ()) -> int:
        """The line of a value, or of the nearest one around it."""
        while key and key not in self.lines:
            key = key[:-1]
        return self.lines.get(key, 1)


def load(text: str) -> Document:
    """The values of a YAML text and where they stand. Raises `NotStrict` with a line."""
    if len(text) > LONGEST_TEXT:
        raise NotStrict(1, f"the file is longer than {LONGEST_TEXT:,} characters")
    try:
        _refuse_bombs(text)
        loader = _LOADER(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return Document(None)
            lines: dict[Key, int] = {}
            _note_lines(node, (), lines)
            return Document(loader.construct_document(node), lines)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise NotStrict(mark.line + 1 if mark else 1, f"not YAML: {error.problem or error.context}") from error
    except yaml.YAMLError as error:
        raise NotStrict(1, f"not YAML: {str(error).splitlines()[0][:200]}") from error
    except (ValueError, OverflowError) as error:
        if isinstance(error, NotStrict):
            raise
        raise NotStrict(1, f"a value cannot be read: {str(error)[:200]}") from error


def _refuse_bombs(text: str) -> None:
    """Looks at the events alone, which takes no memory and does not recurse, before anything is built."""
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=_LOADER)):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise NotStrict(line, "anchors and aliases are not taken")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEEPEST:
            raise NotStrict(line, f"nested more than {DEEPEST} deep")
        if count > MOST_NODES:
            raise NotStrict(line, f"more than {MOST_NODES:,} values")


def _note_lines(node: yaml.Node, key: Key, lines: dict[Key, int]) -> None:
    lines[key] = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for name, value in node.value:
            word = str(name.value) if isinstance(name, yaml.ScalarNode) else ""
            if not isinstance(name, yaml.ScalarNode) or word == "<<":
                raise NotStrict(name.start_mark.line + 1, "a key must be plain text")
            if word in seen:
                raise NotStrict(name.start_mark.line + 1, f"the key `{word}` stands twice")
            seen.add(word)
            _note_lines(value, (*key, word), lines)
            lines[(*key, word)] = name.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for position, value in enumerate(node.value):
            _note_lines(value, (*key, position), lines)
