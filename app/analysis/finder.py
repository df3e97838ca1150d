"""A detector's ast-grep rule and a file in, the nodes that it matches out, many times as fast as asking the matcher anew.

A hundred detectors mostly ask the same questions: calls whose function reads so, pairs whose key reads so. The matcher would
walk the whole tree for each of them. Here the nodes of a kind, and the texts of their fields, are taken from a tree once;
a rule that only asks for kinds, fields and texts is answered from those. Every other rule goes to the matcher as it is.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

from ast_grep_py import Config, Rule, SgNode

from app.analysis import needed
from app.analysis.needed import Needs

Path = tuple[str, ...]
"""From a node through fields to the one that is looked at; `=kind` requires the kind of the node that was reached."""


@dataclass(frozen=True, slots=True)
class _Test:
    """The node at the end of the path is there, and its text matches."""

    path: Path
    text: re.Pattern[str] | None
    source: str = ""
    """The pattern as the rule has it."""


@dataclass(frozen=True, slots=True)
class _Alternative:
    """Nodes of a kind that pass all tests."""

    kind: str
    tests: tuple[_Test, ...]


class Finder:
    """Finds nodes in one syntax tree and remembers what it took from it."""

    def __init__(self, root: SgNode, *, expected: frozenset[str] = frozenset()) -> None:
        """`expected` are the kinds of nodes that will be asked for (`kinds`), so that one walk takes them all."""
        self._root = root
        self._expected = expected
        self._nodes: dict[str, Sequence[SgNode]] = {}
        self._texts: dict[tuple[str, Path], dict[str, list[int]]] = {}
        self._found: dict[str, Sequence[SgNode]] = {}

    def find(self, rule: dict[str, object]) -> Sequence[SgNode]:
        """The nodes that the rule matches, in the order of the text. Raises what the matcher raises for a wrong rule."""
        key = _key(rule)
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = self._look(rule, key)
        return found

    def _look(self, rule: dict[str, object], key: str) -> Sequence[SgNode]:
        alternatives = _plan(key)
        if alternatives is None:
            return self._root.find_all(as_config(rule))
        if len(alternatives) == 1:
            return list(self._passing(alternatives[0]))
        # The same node may pass several alternatives of one kind; its place in the text tells it apart.
        places = {
            (node.range().start.index, -node.range().end.index, alternative.kind): node
            for alternative in alternatives
            for node in self._passing(alternative)
        }
        return [node for _, node in sorted(places.items(), key=lambda one: one[0])]

    def _passing(self, alternative: _Alternative) -> Iterator[SgNode]:
        nodes = self._of_kind(alternative.kind)
        if not alternative.tests:
            yield from nodes
            return
        passed = [self._places(alternative.kind, test) for test in alternative.tests]
        yield from (nodes[place] for place in sorted(set.intersection(*passed)))

    def _places(self, kind: str, test: _Test) -> set[int]:
        """Which of the kind's nodes pass the test. Code repeats itself, so each text is looked at once."""
        pattern = test.text
        return {
            place
            for text, places in self._column(kind, test.path).items()
            if pattern is None or pattern.search(text)
            for place in places
        }

    def _of_kind(self, kind: str) -> Sequence[SgNode]:
        nodes = self._nodes.get(kind)
        if nodes is None and kind in self._expected:
            self._take_expected()
            nodes = self._nodes.get(kind)
        if nodes is None:
            nodes = self._nodes[kind] = self._root.find_all({"rule": {"kind": kind}})
        return nodes

    def _take_expected(self) -> None:
        """Takes the nodes of all expected kinds in one walk."""
        wanted, self._expected = self._expected, frozenset[str]()
        taken: dict[str, list[SgNode]] = {kind: [] for kind in wanted}
        some: list[Rule] = [{"kind": kind} for kind in sorted(wanted)]
        try:
            nodes = self._root.find_all({"rule": {"any": some}})
        except RuntimeError:
            # One of the kinds is not the grammar's. Asked for alone, it fails for the detector that wants it.
            return
        for node in nodes:
            taken[node.kind()].append(node)
        self._nodes |= taken

    def _column(self, kind: str, path: Path) -> dict[str, list[int]]:
        """The texts at the end of the path, each with the places of the kind's nodes that have it."""
        column = self._texts.get((kind, path))
        if column is None:
            column = self._texts[kind, path] = self._narrowed(kind, path) if len(path) > 1 else self._taken(kind, path)
        return column

    def _taken(self, kind: str, path: Path) -> dict[str, list[int]]:
        column: defaultdict[str, list[int]] = defaultdict(list)
        for place, node in enumerate(self._of_kind(kind)):
            text = _text(node, path)
            if text is not None:
                column[text].append(place)
        return column

    def _narrowed(self, kind: str, path: Path) -> dict[str, list[int]]:
        """The column of a longer path, from that of its first step: where equal texts stand, equal trees do."""
        column: defaultdict[str, list[int]] = defaultdict(list)
        nodes = self._of_kind(kind)
        for places in self._column(kind, path[:1]).values():
            text = _text(nodes[places[0]], path)
            if text is not None:
                column[text] += places
        return column


def kinds(rule: dict[str, object]) -> frozenset[str]:
    """The kinds of nodes that the finder will take from a tree to answer the rule; none when the matcher answers it."""
    return _kinds(_key(rule))


def names(rule: dict[str, object]) -> tuple[Needs, ...]:
    """What a file must hold for the rule to match in it: for one of the alternatives, one name of each set."""
    return _names(_key(rule))


def as_config(ast: dict[str, object]) -> Config:
    """The matcher's configuration: a rule object stands for a configuration that has only a rule."""
    return cast("Config", ast if "rule" in ast else {"rule": ast})


def _text(node: SgNode, path: Path) -> str | None:
    here: SgNode | None = node
    for step in path:
        if here is None:
            return None
        if not step.startswith("="):
            here = here.field(step)
        elif here.kind() != step[1:]:
            return None
    return here.text() if here is not None else None


def _key(rule: dict[str, object]) -> str:
    # Rules live as long as the worker keeps them, so most are found by identity.
    known = _keys.get(id(rule))
    if known is None or known[0] is not rule:
        if len(_keys) >= MOST_KEYS:
            _keys.clear()
        known = _keys[id(rule)] = (rule, json.dumps(rule, sort_keys=True))
    return known[1]


MOST_KEYS = 2_000
_keys: dict[int, tuple[dict[str, object], str]] = {}


@cache
def _kinds(key: str) -> frozenset[str]:
    return frozenset(alternative.kind for alternative in _plan(key) or ())


@cache
def _names(key: str) -> tuple[Needs, ...]:
    alternatives = _plan(key)
    if alternatives is None:
        return ((),)
    return tuple(tuple(some for test in one.tests for some in _needs_of(one.kind, test)) for one in alternatives)


def _needs_of(kind: str, test: _Test) -> Needs:
    """The names that a test asks for; what is called must stand before a sign that can follow it."""
    if not test.source:
        return ()
    names = needed.names(test.source)
    called = needed.called(test.source) if (kind, test.path) in _CALLEES else frozenset[str]()
    if called and names == needed.endings(test.source):
        return (called,)
    return tuple(some for some in (names, called) if some)


_CALLEES = frozenset((
    ("call_expression", ("function",)),
    ("call_expression", ("function", "=member_expression", "property")),
    ("call", ("function",)),
))  # fmt: skip


@cache
def _plan(key: str) -> tuple[_Alternative, ...] | None:
    """How to answer the rule from kinds and texts; None when it asks for anything else."""
    rule = json.loads(key)
    some = rule["any"] if set(rule) == {"any"} and isinstance(rule["any"], list) else [rule]
    alternatives = [_alternative(one) for one in some]
    return tuple(one for one in alternatives if one is not None) if all(alternatives) else None


def _alternative(rule: object) -> _Alternative | None:
    if not isinstance(rule, dict) or not isinstance(rule.get("kind"), str):
        return None
    tests = _tests({name: value for name, value in rule.items() if name != "kind"}, ())
    return _Alternative(rule["kind"], tuple(tests)) if tests is not None else None


def _tests(rule: dict[str, Any], path: Path) -> list[_Test] | None:
    """The tests that the rule makes of the node at the path; None when it is more than kinds, fields and texts."""
    found: list[_Test] = []
    for name, value in rule.items():
        match name, value:
            case "kind", str():
                more: list[_Test] | None = [_Test((*path, f"={value}"), None)]
            case "regex", str():
                more = _of_regex(value, path)
            case "has", {"field": str() as field} if "stopBy" not in value:
                rest = {asked: wanted for asked, wanted in value.items() if asked != "field"}
                more = _tests(rest, (*path, field)) if rest else [_Test((*path, field), None)]
            case "all", list():
                each = [_tests(one, path) if isinstance(one, dict) else None for one in value]
                more = [test for one in each for test in one or ()] if None not in each else None
            case _:
                more = None
        if more is None:
            return None
        found += more
    return found


def _of_regex(source: str, path: Path) -> list[_Test] | None:
    """The text's test, where Python's patterns mean the same as the matcher's."""
    try:
        pattern = re.compile(re.sub(r"(?<!\\)\$$", r"\\Z", source))
    except re.error:
        return None
    return [_Test(path, pattern, source)] if not re.search(r"\\[pPzZAG]|\[\[|&&|\(\?P?<|\\x\{|\\u\{", source) else None
