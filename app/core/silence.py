"""Comments in the code that silence a rule where they stand: `principal-ignore RULE -- reason`.

    head's text + diff + base's text ── asked ─► Silence(path, line, rules, reason, by_change)
    findings + silences ─── obeyed ─► Heard(loud, silenced, refused)

It counts for its own line, or, alone on its line, for the next line of code; without a reason it counts for nothing. A
change must not acquit itself: what it asks to silence about security, or what is critical, is said all the same until the
comment stands on the base.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from app.core.change import Change
from app.core.finding import Category, Elsewhere, Finding, Severity, Side, VerifiedFinding

WORD = "principal-ignore"
MOST = 200
"""Comments read in one change; nobody means more."""
LONGEST_LINE = 2_000
LONGEST_REASON = 200
_COMMENT = re.compile(
    r"^(?P<before>.*?)(?:\#|//|/\*{1,2}|--|<!--|;|%|^\s*\*)\s{0,9}principal-ignore\s{1,9}"
    r"(?P<rules>[a-z0-9-]{1,60}(?:\s{0,9},\s{0,9}[a-z0-9-]{1,60}){0,9})"
    r"(?:\s{1,9}--\s{1,9}(?P<reason>.*?))?\s{0,9}(?:\*/\}?|-->)?\s*$",
    re.IGNORECASE,
)
_OPENS = re.compile(r"\s*(?:\{\s*)?$")


@dataclass(frozen=True, slots=True)
class Silence:
    """What one comment asks for: these rules say nothing on this line of the head (1-based).

    `place` is the line the comment stands on; `by_change` says that the change itself brought it.
    """

    path: str
    place: int
    line: int
    rules: tuple[str, ...]
    reason: str
    by_change: bool

    def covers(self, path: str, start: int, end: int, rule: str | None) -> bool:
        """Whether it is about this rule on one of the lines from `start` to `end`."""
        return self.path == path and start <= self.line <= end and rule is not None and rule.casefold() in self.rules

    def may_silence(self, finding: Finding) -> bool:
        """Whether it is obeyed: with a reason, and not where a change would acquit itself of the worst."""
        grave = finding.category is Category.SECURITY or finding.severity is Severity.CRITICAL
        return bool(self.reason) and not (self.by_change and grave)


@dataclass(frozen=True, slots=True)
class Silenced:
    """A finding, and the comment in the code that speaks about it."""

    found: VerifiedFinding
    by: Silence


@dataclass(frozen=True, slots=True)
class Heard:
    """What is said, what comments silence, and what is said although a comment asks for silence (`loud` holds that too)."""

    loud: tuple[VerifiedFinding, ...]
    silenced: tuple[Silenced, ...] = ()
    refused: tuple[Silenced, ...] = ()


def asked(change: Change, *, text: Mapping[str, str], before: Mapping[str, str]) -> tuple[Silence, ...]:
    """Every such comment in the changed files. `text` and `before` hold the files' head and base by head path."""
    found: list[Silence] = []
    for file in change.files:
        head = text.get(file.path, "")
        if WORD not in head.casefold():
            continue
        added = {line.new for hunk in file.hunks for line in hunk.lines() if line.mark == "+"}
        known = {line.strip() for line in before.get(file.path, "").split("\n") if WORD in line.casefold()}
        for place, line, rules, reason, raw in _comments(head.split("\n")):
            is_new = place in added or raw.strip() not in known
            found.append(Silence(file.path, place, line, rules, reason, by_change=is_new))
    return tuple(found[:MOST])


def obeyed(found: Sequence[VerifiedFinding], silences: Sequence[Silence]) -> Heard:
    """The findings by whether a comment silences them. What stands on removed lines has no comment."""
    loud: list[VerifiedFinding] = []
    silenced: list[Silenced] = []
    refused: list[Silenced] = []
    for one in found:
        about = _about(one, silences)
        allowed = next((by for by in about if by.may_silence(one.finding)), None)
        if allowed is not None:
            silenced.append(Silenced(one, allowed))
            continue
        loud.append(one)
        refused += [Silenced(one, by) for by in about[:1]]
    return Heard(tuple(loud), tuple(silenced), tuple(refused))


def spoken(beside: Iterable[Elsewhere], silences: Sequence[Silence]) -> tuple[Elsewhere, ...]:
    """Those problems on lines that the change left alone of which no comment says that they are known."""
    return tuple(one for one in beside if not any(_is_known(one, by) for by in silences))


def _is_known(one: Elsewhere, by: Silence) -> bool:
    return by.covers(one.finding.path, one.line, one.line, one.finding.rule) and by.may_silence(one.finding)


def _about(one: VerifiedFinding, silences: Sequence[Silence]) -> list[Silence]:
    where = one.anchor
    if where.side is not Side.RIGHT:
        return []
    return [by for by in silences if by.covers(where.path, where.start_line, where.line, one.finding.rule)]


_Comment = tuple[int, int, tuple[str, ...], str, str]


def _comments(lines: Sequence[str]) -> Iterator[_Comment]:
    """(its line, the line it is about, rules, reason, text) of each comment of the form."""
    alone: list[tuple[int, re.Match[str]]] = []
    for number, raw in enumerate(lines, start=1):
        met = _COMMENT.match(raw[:LONGEST_LINE]) if WORD in raw.casefold() else None
        if met is not None and _OPENS.fullmatch(met["before"]):
            alone.append((number, met))
            continue
        if raw.strip():
            yield from (_read(place, number, one) for place, one in alone)
            alone = []
        if met is not None:
            yield _read(number, number, met)


def _read(place: int, line: int, met: re.Match[str]) -> _Comment:
    rules = tuple(rule.strip().casefold() for rule in met["rules"].split(","))
    return place, line, rules, " ".join((met["reason"] or "").split())[:LONGEST_REASON], met.string
