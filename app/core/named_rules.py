"""A skill's document → the rules that it names: in the front matter, else in a table or a list of the body."""

from __future__ import annotations

import re
from collections.abc import Collection

from app.core.activation import BULLET
from app.core.front_matter import Desk, Front, texts_of

_RULE_ID = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_LISTED_ID = re.compile(
    r"^[ \t]*(?:[-*+•]|\d{1,3}[.)])[ \t]+(?:\[[ xX]\][ \t]+)?[*_`\[]{0,4}(?P<id>[a-z][a-z0-9]*(?:-[a-z0-9]+)*)[*_`\]]{0,4}"
    r"(?=[ \t]*(?:$|[:—–(]|-[ \t]))"
)


def rules_of(front: Front, known: Collection[str], desk: Desk) -> tuple[str, ...]:
    """The rules that the front matter names; without them those that a table or a list of the body names."""
    if "rules" in front.values:
        named = [(one, front.line("rules")) for one in texts_of(front, "rules", desk)]
    else:
        named = _named_in_body(front, frozenset(known))
    for one, line in named:
        if one not in known:
            desk.warn(f"there is no rule `{one[:60]}`; it is left out", line=line)
    return tuple(dict.fromkeys(one for one, _ in named if one in known))


def _named_in_body(front: Front, known: frozenset[str]) -> list[tuple[str, int]]:
    found: list[tuple[str, int]] = []
    for block in _blocks(front.body, front.body_line):
        ids = _of_table(block, known) if block[0][1].lstrip().startswith("|") else _of_list(block)
        if sum(1 for one, _ in ids if one in known) >= 2:
            found += ids
    return found


def _blocks(body: str, first_line: int) -> list[list[tuple[int, str]]]:
    """Runs of table rows and of list items, each with its lines' numbers."""
    blocks: list[list[tuple[int, str]]] = []
    kind = ""
    for number, line in enumerate(body.split("\n"), start=first_line):
        new = (
            "table"
            if line.lstrip().startswith("|")
            else "list"
            if BULLET.match(line)
            else ""
            if not line.strip()
            else "text"
        )
        if new == "text" and kind == "list" and line[0].isspace():
            continue
        if new in ("table", "list"):
            if new != kind:
                blocks.append([])
            blocks[-1].append((number, line))
        kind = kind if new == "" and kind == "list" else new
    return [block for block in blocks if block]


def _of_table(block: list[tuple[int, str]], known: frozenset[str]) -> list[tuple[str, int]]:
    """The ids of the column that holds most of the known ones; a cell may hold several."""
    rows = [(number, [cell.strip() for cell in line.strip().strip("|").split("|")]) for number, line in block]
    columns = max(len(cells) for _, cells in rows)

    def ids(cell: str) -> list[str]:
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", cell)
        return [
            part
            for part in (piece.strip(" `*_.") for piece in re.split(r"[,;/]|<br\s*/?>|\s{2,}|(?<=`)\s+(?=`)", plain))
            if _RULE_ID.fullmatch(part)
        ]

    def hits(column: int) -> int:
        return sum(1 for _, cells in rows if column < len(cells) for one in ids(cells[column]) if one in known)

    best = max(range(columns), key=hits)
    return [
        (one, number)
        for position, (number, cells) in enumerate(rows)
        if best < len(cells)
        for one in ids(cells[best])
        if position > 0 or one in known
    ]


def _of_list(block: list[tuple[int, str]]) -> list[tuple[str, int]]:
    return [(found["id"], number) for number, line in block if (found := _LISTED_ID.match(line))]
