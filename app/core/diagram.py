"""Steps of a flow that a change alters, as a model names them → a small Mermaid diagram, or nothing.

A diagram is drawn by GitHub, so nothing of a model's text reaches it but letters, digits and a few marks that mean nothing
in Mermaid: names of nodes are ours, labels stand in quotation marks, and there is no line that could style, link or click.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from app.core import gate

LEAST_STEPS = 2
"""One arrow says no more than the sentence beside it."""
MOST_STEPS = 8
LONGEST_NAME = 40
LONGEST_LABEL = 30
_UNSAFE = re.compile(r"[^\w .,/:()-]")


class Fate(StrEnum):
    """What the change does to a step of a flow."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"
    KEPT = "kept"


_ARROWS = {Fate.ADDED: "==>", Fate.CHANGED: "==>", Fate.REMOVED: "-.->", Fate.KEPT: "-->"}
_SAID = {Fate.ADDED: "new", Fate.CHANGED: "changed", Fate.REMOVED: "gone", Fate.KEPT: ""}


@dataclass(frozen=True, slots=True)
class FlowStep:
    """One thing calls, tells or hands something to another."""

    source: str
    target: str
    what: str
    fate: Fate


def draw(steps: Sequence[FlowStep]) -> str:
    """The diagram in its fence, in the order of the steps; empty when they alter nothing or are too few to need one."""
    drawn = [one for one in dict.fromkeys(steps) if _label(one.source) and _label(one.target)][:MOST_STEPS]
    if len(drawn) < LEAST_STEPS or all(one.fate is Fate.KEPT for one in drawn):
        return ""
    names = list(dict.fromkeys(_label(name) for one in drawn for name in (one.source, one.target)))
    lines = [f'  n{number}["{name}"]' for number, name in enumerate(names)]
    lines += [_arrow(one, names) for one in drawn]
    return "\n".join(["```mermaid", "flowchart LR", *lines, "```"])


def _arrow(step: FlowStep, names: Sequence[str]) -> str:
    said = ": ".join(part for part in (_SAID[step.fate], _label(step.what, longest=LONGEST_LABEL)) if part)
    source, target = names.index(_label(step.source)), names.index(_label(step.target))
    return f"  n{source} {_ARROWS[step.fate]}" + (f'|"{said}"|' if said else "") + f" n{target}"


def _label(text: str, *, longest: int = LONGEST_NAME) -> str:
    """One line of harmless characters. Whatever would be an address or a mention has lost what makes it one."""
    plain = _UNSAFE.sub(" ", gate.plain(text, longest=4 * longest)).replace("//", "/")
    plain = re.sub(r"(?i)\bwww\.", "", plain)
    return " ".join(plain.split())[:longest].strip()
