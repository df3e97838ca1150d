"""Changed lines in, evidence out: text that a reader does not see as a compiler, or a model, reads it.

Two rules of the service itself, which no folder holds and no policy file can lose. `deceptive-text` is what nobody types by
accident: characters that reorder or hide code, tags and selectors that carry words, names that only look like others.
`hidden-characters` is what is pasted by accident and still should not stay.
"""

from __future__ import annotations

import re
import shlex
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from app.core import hidden, lookalikes
from app.core.change import Change, FileDiff, Hunk, Line
from app.core.finding import Category, Kind, Severity
from app.core.rule import Answer, Detector, Evidence, Rule, Strength

PLACES_PER_FILE = 3
"""Places of one file that are told one by one for each detector; the lines of the rest are named."""
LINES_PER_PLACE = 12
MOST_LINES_NAMED = 20
_PROSE = (".md", ".mdx", ".rst", ".txt", ".adoc", ".html", ".csv", ".po", ".xlf", ".json", ".yml", ".yaml", ".svg")
_BYTE_ORDER_MARK = "\ufeff"
_PASTED = frozenset("\u00ad\u061c\u200e\u200f\ufe0e\ufe0f\ufeff")
_PASTED_CATEGORIES = frozenset({"Cc", "Cn", "Co", "Zs"})
_BREAKING_NOTHING = frozenset("\f")
_ODD = re.compile(r"[^\t\r\x20-\x7e]")
_ODD_SPACE = re.compile(r"[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")
_COMMENT_OR_STRING = re.compile(r"//|#|/\*|^\s*\*|<!--|--\s")

_WHERE = "Line {line} holds `{shown}`{more}."
_NO_TEST = ("test", "a scan of the source is the test: the command above belongs into CI")


def _answer(
    *, title: str, explanation: str, root_cause: str, risk: str, missing: tuple[tuple[str, str], ...]
) -> Answer:
    return Answer(
        title=title,
        explanation=explanation,
        repro="```sh\nLC_ALL=C sed -n '{line}p' -- {quoted} | cat -v   # shows every byte that is no plain character\n```",
        root_cause=root_cause,
        risk=risk,
        missing=missing,
    )


_HIDDEN_RISK = (
    "Take the characters out. Where one is meant, write it as an escape, so that the next reader sees it too."
)
_REORDERED = _answer(
    title="Hidden characters make this code read other than it runs",
    explanation=(
        "Characters that are not drawn stand between the ones that are. They can show a comment where code runs, make two names"
        f" that look the same differ, or carry words to whoever reads the bytes. {_WHERE}"
    ),
    root_cause="Editors and this page draw the text after reordering and hiding; compilers and language models read the bytes.",
    risk=_HIDDEN_RISK,
    missing=(_NO_TEST,),
)
_LEFT_BEHIND = _answer(
    title="Characters that do not show stand in this line",
    explanation=f"They are often pasted along from a web page or a document. {_WHERE}",
    root_cause="A search, a comparison or a parser does not take them for what they look like.",
    risk=_HIDDEN_RISK,
    missing=(_NO_TEST,),
)
_PRETENDED = _answer(
    title="`{shown}` only looks like `{reads_as}`",
    explanation=(
        "The word mixes in letters of another script that look like Latin ones, so it is another name than the one a reader"
        f" sees. {_WHERE}"
    ),
    root_cause="Names are compared by their characters, and these are others: {points}.",
    risk="Type the name anew. If the other script is meant, write the whole word in it.",
    missing=(_NO_TEST, ("patch", "which of the two names is meant is for its author to say")),
)


def _detector(name: str, answer: Answer) -> Detector:
    return Detector(name=name, languages=("any",), strength=Strength.STRONG, ast={}, answer=answer)


_HIDDEN, _LOOKALIKE, _STRAY = "hidden", "look-alike", "stray"
DECEPTIVE_TEXT = Rule(
    id="deceptive-text",
    title="Code reads as it runs",
    category=Category.SECURITY,
    kind=Kind.BUG,
    severity=Severity.HIGH,
    languages=("any",),
    summary="Source holds no characters that reorder or hide it, and no names that only look like others",
    why=(
        "A review approves what it sees. Characters that reorder or hide text, and letters that look like others, let a change"
        " show one program and run another."
    ),
    look_for=(),
    do_not_flag=(),
    question="",
    recommend=("Write an invisible character that is meant as an escape.", "Keep names within one script."),
    references=("Trojan Source: Invisible Vulnerabilities — https://trojansource.codes/trojan-source.pdf",),
    detectors=(_detector(_HIDDEN, _REORDERED), _detector(_LOOKALIKE, _PRETENDED)),
)
HIDDEN_CHARACTERS = Rule(
    id="hidden-characters",
    title="No character is left behind that does not show",
    category=Category.SECURITY,
    kind=Kind.BUG,
    severity=Severity.LOW,
    languages=("any",),
    summary="Source holds no soft hyphens, marks, private characters or odd spaces that nobody sees",
    why="What does not show is neither searched for nor reviewed. It breaks comparisons, and patches that are typed by hand.",
    look_for=(),
    do_not_flag=(),
    question="",
    recommend=("Remove them, or write them as escapes.",),
    detectors=(_detector(_STRAY, _LEFT_BEHIND),),
)
RULES = (DECEPTIVE_TEXT, HIDDEN_CHARACTERS)


@dataclass(frozen=True, slots=True)
class _Sight:
    """What is wrong with one added line: by which detector, the text as it is, without what is hidden, and as it is shown."""

    rule: Rule
    detector: str
    line: int
    text: str
    repaired: str
    shown: str
    reads_as: str = ""
    points: str = ""


def evidence(change: Change) -> tuple[Evidence, ...]:
    """What deceives in the lines that the change adds, in order, a few places a file."""
    return tuple(one for file in change.files for one in _in_file(file))


def _in_file(file: FileDiff) -> Iterator[Evidence]:
    if not any(_ODD.search(raw) for hunk in file.hunks for raw in hunk.body):
        return
    known = frozenset[str]().union(*(lookalikes.words(raw[1:]) for hunk in file.hunks for raw in hunk.body))
    sights = [sight for hunk in file.hunks for sight in _in_hunk(hunk, file.path, known)]
    for detector in (_HIDDEN, _LOOKALIKE, _STRAY):
        places = list(_places([sight for sight in sights if sight.detector == detector], file))
        for number, place in enumerate(places[:PLACES_PER_FILE], start=1):
            rest = places[PLACES_PER_FILE:] if number == min(PLACES_PER_FILE, len(places)) else []
            yield _evidence(place, rest, file.path)


def _in_hunk(hunk: Hunk, path: str, known: frozenset[str]) -> Iterator[_Sight]:
    for line in hunk.lines():
        if line.mark == "+" and line.new is not None and _ODD.search(line.text):
            yield from _in_line(line, line.new, path, known)


def _in_line(line: Line, number: int, path: str, known: frozenset[str]) -> Iterator[_Sight]:
    text = line.text.removesuffix("\r")
    places = [place for place in hidden.places(text) if not _is_allowed(text, place, number)]
    if places:
        loud = any(not _is_pasted(text[place]) for place in places)
        rule, detector = (DECEPTIVE_TEXT, _HIDDEN) if loud else (HIDDEN_CHARACTERS, _STRAY)
        yield _Sight(rule, detector, number, text, hidden.without(text), _around(text, places[0]))
    elif (odd := _odd_space(text, path)) is not None:
        repaired = _ODD_SPACE.sub(" ", text)
        yield _Sight(HIDDEN_CHARACTERS, _STRAY, number, text, repaired, f"\\u{{{ord(text[odd]):x}}}")
    for found in lookalikes.find(text, known=known):
        points = ", ".join(dict.fromkeys(_named(character) for character in found.word if not character.isascii()))
        yield _Sight(DECEPTIVE_TEXT, _LOOKALIKE, number, text, "", found.word, found.reads_as, points)


def _is_allowed(text: str, place: int, number: int) -> bool:
    """A mark at the very beginning of a file says how it is encoded; a form feed divides a source into pages."""
    return (text[place] == _BYTE_ORDER_MARK and place == 0 and number == 1) or text[place] in _BREAKING_NOTHING


def _is_pasted(character: str) -> bool:
    return character in _PASTED or unicodedata.category(character) in _PASTED_CATEGORIES


def _odd_space(text: str, path: str) -> int | None:
    """Where a space that is none stands in code: in prose, comments and strings it is somebody's typography."""
    found = None if path.lower().endswith(_PROSE) else _ODD_SPACE.search(text)
    if found is None:
        return None
    before = text[: found.start()]
    in_string = any(before.count(quote) % 2 for quote in "\"'`")
    return None if in_string or _COMMENT_OR_STRING.search(before) else found.start()


def _around(text: str, place: int) -> str:
    return hidden.reveal(text[max(place - 12, 0) : place + 20]).strip()


def _named(character: str) -> str:
    return f"U+{ord(character):04X} {unicodedata.name(character, 'without a name').lower()}"


def _places(sights: Sequence[_Sight], file: FileDiff) -> Iterator[list[_Sight]]:
    """The sights of one detector, in runs of neighbouring lines of one hunk: each is a place where a comment may stand."""
    run: list[_Sight] = []
    ends = {hunk.new_end for hunk in file.hunks}
    for before, sight in pairwise([None, *sights]):
        new = before is None or sight is None or sight.line > before.line + 1 or before.line in ends
        if run and (new or len(run) >= LINES_PER_PLACE):
            yield run
            run = []
        if sight is not None:
            run.append(sight)
    if run:
        yield run


def _evidence(place: Sequence[_Sight], rest: Sequence[Sequence[_Sight]], path: str) -> Evidence:
    first, last = place[0], place[-1]
    others = [sight.line for run in rest for sight in run]
    shown = ", ".join(str(line) for line in others[:MOST_LINES_NAMED])
    more = f", and so do lines {shown}{' and others' if len(others) > MOST_LINES_NAMED else ''}" if others else ""
    by_line = {sight.line: sight for sight in place}
    repaired = "\n".join(sight.repaired for sight in by_line.values())
    return Evidence(
        rule=first.rule.id,
        detector=first.detector,
        strength=Strength.STRONG,
        path=path,
        start_line=first.line,
        end_line=last.line,
        quote="\n".join(sight.text for sight in by_line.values()),
        note=f"{first.detector} in {len(place) + len(others)} places",
        replacement=repaired if repaired.strip() else "",
        captures=(
            ("more", more),
            ("points", first.points),
            ("quoted", shlex.quote(path)),
            ("reads_as", first.reads_as),
            ("shown", first.shown),
            (
                "why_no_patch",
                "" if repaired.strip() or first.reads_as else "nothing that shows would be left of the line",
            ),
        ),
    )
