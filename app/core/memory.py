"""What was said on a pull request, held against what is found now: nothing is said twice, and what is over is closed.

    said before + found now + the head's code ── recall ──► Recall
        new      found, never said                    a comment
        back     was fixed, is found again            an answer in its thread, which is opened again
        standing said, and its code still stands      silence
        gone     said, and its code is gone           asked about, then answered and closed
        hushed   said, and a comment in the code now silences it    answered and closed
        quiet    found, never said, silenced by a comment           kept, so that the summary names it
        settled  dismissed by a person; or fixed, or silenced, before and still so    silence

A problem is the same one when its code is the same, wherever it moved and however it was indented, to another file too when
it is gone from its own; or when its code was rewritten and the same kind of thing is now said about the file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer

from app.core.change import Sha
from app.core.finding import Category, Finding, Kind, Severity, VerifiedFinding
from app.core.fingerprint import code_of, fingerprint, shared_words

Level = Annotated[
    Category,
    PlainSerializer(lambda one: one.slug),
    BeforeValidator(lambda one: Category.from_slug(one) if isinstance(one, str) else one),
]
"""A category that is kept by its name."""
LEAST_CODE = 6
"""A quote of fewer characters stands everywhere: its being there says nothing."""
SAME_WORDS = 0.5
ALIKE_WORDS = 0.6
DISMISSALS_THAT_SILENCE = 2


class Standing(StrEnum):
    """Where a finding that was said stands."""

    OPEN = "open"
    FIXED = "fixed"
    DISMISSED = "dismissed"
    SILENCED = "silenced"
    """A comment in the code says that it is known."""


@dataclass(frozen=True, slots=True)
class Said:
    """A finding that was said on this pull request. `quote` is the code as it was then, `head` the commit it was said of.

    `thread` is GitHub's id of the thread, `comment` that of its first comment; None while it is only in the summary.
    """

    fingerprint: str
    path: str
    quote: str
    title: str
    kind: Kind
    category: Level
    severity: Severity
    head: Sha
    rule: str | None = None
    standing: Standing = Standing.OPEN
    thread: str | None = None
    comment: int | None = None

    @classmethod
    def of(cls, finding: Finding, *, head: Sha) -> Said:
        """The finding as it is remembered once it is said."""
        return cls(
            fingerprint=fingerprint(finding),
            path=finding.path,
            quote=finding.quote,
            title=finding.title,
            kind=finding.kind,
            category=finding.category,
            severity=finding.severity,
            head=head,
            rule=finding.rule,
        )


@dataclass(frozen=True, slots=True)
class Thread:
    """One of our threads as GitHub shows it. `fingerprint` is proven by our marker; `refused` counts 👎 of people.

    `resolved_by` is who resolved it, empty when nobody did.
    """

    id: str
    fingerprint: str
    comment: int
    resolved_by: str = ""
    resolved_by_us: bool = False
    refused: int = 0

    @property
    def dismissed(self) -> bool:
        """Whether a person has said, by resolving it or with 👎, that this is no problem."""
        return bool(self.refused or (self.resolved_by and not self.resolved_by_us))


@dataclass(frozen=True, slots=True)
class Dismissed:
    """A finding that a person dismissed somewhere in this repository."""

    path: str
    title: str
    category: Level
    rule: str | None = None


@dataclass(frozen=True, slots=True)
class Remembered:
    """What is known of a pull request from before: the head that was reviewed last and its merge base, and what was said.

    `summary` is the id of the summary comment, `told` what it says the pull request does. Nothing of it is needed to be right:
    without it more is read than has to be.
    """

    head: Sha | None = None
    base: Sha | None = None
    said: tuple[Said, ...] = ()
    summary: int | None = None
    paused: bool = False
    told: str = ""


@dataclass(frozen=True, slots=True)
class Recall:
    """What becomes of everything that was said and found; see the top of this file."""

    new: tuple[VerifiedFinding, ...]
    back: tuple[tuple[Said, VerifiedFinding], ...] = ()
    standing: tuple[Said, ...] = ()
    gone: tuple[Said, ...] = ()
    hushed: tuple[Said, ...] = ()
    quiet: tuple[VerifiedFinding, ...] = ()
    settled: tuple[Said, ...] = ()


def recall(
    said: Sequence[Said],
    found: Sequence[VerifiedFinding],
    *,
    code: Mapping[str, str],
    renames: Mapping[str, str] | None = None,
    silenced: Sequence[VerifiedFinding] = (),
) -> Recall:
    """What becomes of what was said and of what is found now; `silenced` was found too, and a comment silences it.

    `code` is the head's text by path, of every file that something was said about and that still exists; `renames` leads
    from the path of then to the path of now.
    """
    then = [replace(one, path=(renames or {}).get(one.path, one.path)) for one in said]
    hushings = _pairs(then, silenced, code)
    pairs = _pairs(then, found, code)
    met = {number: found[place] for place, number in pairs.items()}
    back: list[tuple[Said, VerifiedFinding]] = []
    again: list[VerifiedFinding] = []
    standing: list[Said] = []
    gone: list[Said] = []
    hushed: list[Said] = []
    settled: list[Said] = []
    for number, one in enumerate(then):
        match one.standing:
            case Standing.DISMISSED:
                settled.append(one)
            case Standing.SILENCED if number in met and one.comment is None:
                again.append(met[number])  # It was never said: there is no thread to answer in.
            case Standing.FIXED | Standing.SILENCED:
                if number in met:
                    back.append((one, met[number]))
                else:
                    settled.append(one)
            case Standing.OPEN if number in hushings.values():
                hushed.append(one)
            case Standing.OPEN if number in met:
                # Its code may have been rewritten or moved: from now on it is known by what stands there.
                now = met[number].finding
                standing.append(replace(one, path=now.path, quote=now.quote))
            case Standing.OPEN:
                (standing if _stands(one, code) else gone).append(one)
    new = tuple(one for place, one in enumerate(found) if place not in pairs)
    quiet = tuple(one for place, one in enumerate(silenced) if place not in hushings)
    return Recall(
        (*new, *again), tuple(back), tuple(standing), tuple(gone), tuple(hushed), quiet, settled=tuple(settled)
    )


def updated(said: Sequence[Said], threads: Sequence[Thread]) -> tuple[Said, ...]:
    """What was said, with what people have done since: the thread's id, and whether it was dismissed."""
    by_name = {thread.fingerprint: thread for thread in threads}
    return tuple(_updated(one, by_name.get(one.fingerprint)) for one in said)


def is_unwanted(finding: Finding, dismissed: Sequence[Dismissed]) -> bool:
    """Whether people of this repository have dismissed the like of it more than once. Nothing critical is ever unwanted."""
    if finding.severity is Severity.CRITICAL:
        return False
    return sum(1 for one in dismissed if _alike(finding, one)) >= DISMISSALS_THAT_SILENCE


def _updated(one: Said, thread: Thread | None) -> Said:
    if thread is None:
        return one
    one = replace(one, thread=thread.id, comment=thread.comment)
    if one.standing is Standing.OPEN and thread.dismissed:
        return replace(one, standing=Standing.DISMISSED)
    return one


def _pairs(said: Sequence[Said], found: Sequence[VerifiedFinding], code: Mapping[str, str]) -> dict[int, int]:
    """Which of the found is which of the said, by their places: first those with the same code, then moved and rewritten ones.

    Code that was said stays taken: who finds it again, in other words or twice, finds nothing new. What was rewritten
    pairs one to one, because one thing that went away explains one thing that came.
    """
    pairs: dict[int, int] = {}
    for place, one in enumerate(found):
        number = next((number for number, old in enumerate(said) if _same_code(old, one.finding)), None)
        if number is not None:
            pairs[place] = number
    free = [
        number for number, old in enumerate(said) if number not in pairs.values() and not _stands(old, code)
    ]  # What still stands is not what was found elsewhere.
    for is_it in (_moved, _rewritten):
        for place, one in enumerate(found):
            number = next((number for number in free if is_it(said[number], one.finding)), None)
            if place not in pairs and number is not None:
                pairs[place] = number
                free.remove(number)
    return pairs


def _same_code(old: Said, finding: Finding) -> bool:
    if old.fingerprint == fingerprint(finding):
        return True
    one, other = code_of(old.quote), code_of(finding.quote)
    overlap = min(len(one), len(other)) >= LEAST_CODE and (one in other or other in one)
    return old.path == finding.path and overlap and _same_thing(old, finding)


def _moved(old: Said, finding: Finding) -> bool:
    """The same code in another file, where git sees no rename. What was fixed and comes elsewhere is a new problem there."""
    code = code_of(finding.quote)
    is_known = old.standing in (Standing.OPEN, Standing.DISMISSED)
    return is_known and len(code) >= LEAST_CODE and code == code_of(old.quote) and _same_thing(old, finding)


def _rewritten(old: Said, finding: Finding) -> bool:
    return old.path == finding.path and _same_thing(old, finding)


def _same_thing(old: Said, finding: Finding) -> bool:
    if old.rule is not None and finding.rule is not None:
        return old.rule == finding.rule
    return old.category is finding.category and shared_words(old.title, finding.title) >= SAME_WORDS


def _stands(one: Said, code: Mapping[str, str]) -> bool:
    """Whether the code it was about still stands in its file, however it was moved or indented."""
    text, quote = code.get(one.path), code_of(one.quote)
    return text is not None and len(quote) >= LEAST_CODE and quote in code_of(text)


def _alike(finding: Finding, one: Dismissed) -> bool:
    """The same rule or nearly the same words, about the same kind of file in the same part of the tree."""
    same = finding.rule == one.rule if finding.rule and one.rule else False
    said = same or (finding.category is one.category and shared_words(finding.title, one.title) >= ALIKE_WORDS)
    return said and _neighbourhood(finding.path) == _neighbourhood(one.path)


def _neighbourhood(path: str) -> tuple[str, str]:
    """The top folder and the kind of file: where people judge alike."""
    parts = PurePosixPath(path)
    return parts.parts[0] if len(parts.parts) > 1 else "", parts.suffix.lower()
