"""A file before and after a patch in; whether it parses no worse out.

The comparison is with the file as it was, because one good file in a hundred has an error node to begin with.
"""

from __future__ import annotations

import json

import tree_sitter

from app.analysis import languages
from app.core.source import ParseCheck, Verdict

LONGEST_TEXT = 2_000_000
MOST_ERRORS = 1_000


def check(path: str, before: str | None, after: str) -> ParseCheck:
    """Whether `after` has syntax errors that `before` has not; `before` is None for a new file."""
    if len(after) > LONGEST_TEXT:
        return ParseCheck(Verdict.UNCHECKED, "the file is too long to parse here")
    if path.lower().endswith(".json"):
        return _check_json(before, after)
    language = languages.of(path)
    if language is None:
        return ParseCheck(Verdict.UNCHECKED, "no parser here for this kind of file")
    broken = _errors(after, language)
    if not broken:
        return ParseCheck(Verdict.NO_WORSE)
    known = _errors(before, language) if before is not None else []
    if len(broken) <= len(known):
        return ParseCheck(Verdict.NO_WORSE)
    old = {text for _, text in known}
    line, text = next(((line, text) for line, text in broken if text not in old), broken[0])
    return ParseCheck(Verdict.WORSE, f"line {line} no longer parses: {text}")


def _check_json(before: str | None, after: str) -> ParseCheck:
    try:
        json.loads(after)
    except RecursionError:
        return ParseCheck(Verdict.UNCHECKED, "nested too deep to parse here")
    except ValueError as error:
        if before is not None and not _is_json(before):
            # tsconfig.json and its kin hold comments; what plain JSON refused before says nothing now.
            return ParseCheck(Verdict.UNCHECKED, "the file was not plain JSON before either")
        return ParseCheck(Verdict.WORSE, f"no longer JSON: {error}")
    return ParseCheck(Verdict.NO_WORSE)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _errors(text: str, language: str) -> list[tuple[int, str]]:
    """(line, what) of each error and each missing token, in order."""
    root = languages.tree(text, language).root_node
    if not root.has_error:
        return []
    found: list[tuple[int, str]] = []
    open_nodes: list[tree_sitter.Node] = [root]
    while open_nodes and len(found) < MOST_ERRORS:
        node = open_nodes.pop()
        if node.is_missing:
            found.append((node.start_point[0] + 1, f"`{node.type}` is missing"))
        elif node.is_error:
            text_there = (node.text or b"").decode("utf-8", "replace").strip().split("\n")[0][:60]
            found.append((node.start_point[0] + 1, f"unexpected `{text_there}`"))
        open_nodes += [child for child in node.children if child.has_error or child.is_missing]
    return sorted(found)
