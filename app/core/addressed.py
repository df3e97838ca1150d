"""Text of a change that speaks to its reviewer: orders to a model, turns of a talk that never was, papers that nobody signed.

Nobody obeys it, whatever is found here: it stands between fences as everything else does. But a person should know that somebody
tried, because a change that argues with its reviewer deserves a second look.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from app.core import gate
from app.core.change import Change

MOST_PLACES = 6
"""Places named in the note; the rest is counted."""
_LONGEST = 1_000
"""A longer line is cut: no sentence that anybody reads begins behind it."""
_WHO = (
    r"(?:(?:ai|llm|language model|automated|code review|review)\s(?:reviewers?|assistants?|agents?|bots?|models?)"
    r"|reviewers?|review bots?|llms?)"
)
_ORDERS = (
    r"\b(?:ignore|disregard|forget|override)\s.{0,30}\b(?:previous|prior|above|earlier|all|any|your|system)\b"
    r".{0,30}\b(?:instructions?|prompts?|rules?|guidelines?|directions?|context)\b"
)
_NEW_SELF = r"\byou are (?:now )?(?:an? |the )?(?:\w{1,20} ){0,3}(?:assistant|reviewer|model|agent|ai)\b"
_FALSE_TURN = (
    r"\b(?:system|developer) (?:prompt|message|instructions?)\b|<\|im_(?:start|end)\|>|\[/?INST\]|<<SYS>>"
    r"|^\s{0,9}(?-i:Human|Assistant|System):\s"
)
_ADDRESS = (
    rf"\b(?:note|message|instructions?|attention|important)\b\s?(?:to|for)\s(?:the\s|any\s|all\s)?{_WHO}\b\s?[:,—]"
)
_DUTY = (
    rf"\b{_WHO}\b.{{0,20}}\b(?:must|should|shall|please|need to|are to|can|may)\b.{{0,20}}"
    r"\b(?:ignore|skip|approve|not (?:report|flag|mention)|report nothing|say nothing)"
)
_SILENCE = (
    r"\b(?:do not|don't|never|no need to)\b.{0,12}\b(?:report|flag|mention|comment on|raise|review)\b.{0,40}"
    r"\b(?:findings?|issues?|problems?|vulnerabilit\w{1,5}|this (?:file|change|code|pattern|pull request|pr))\b"
)
_VERDICT = r"\b(?:approve|lgtm|merge)\b.{0,12}\bthis (?:pull request|pr|change|patch)\b"
_PAPER = (
    r"\b(?:already|formally|previously)\b.{0,20}\b(?:reviewed|approved|audited|accepted|signed off|cleared)\b.{0,30}"
    r"\b(?:security|appsec|architecture|compliance|risk)\b"
)
_WAYS = (_ORDERS, _NEW_SELF, _FALSE_TURN, _ADDRESS, _DUTY, _SILENCE, _VERDICT, _PAPER)
_SPEAKS = re.compile("|".join(_WAYS), re.IGNORECASE)


def note(change: Change) -> str:
    """One sentence that names where the change speaks to its reviewer; empty when it does not."""
    places = list(dict.fromkeys(_places(change)))
    if not places:
        return ""
    more = len(places) - MOST_PLACES
    named = ", ".join(places[:MOST_PLACES]) + (f" and {more} more" if more > 0 else "")
    return f"Text that speaks to a reviewer or to a language model stands in {named}; it was read as material and not obeyed"


def _places(change: Change) -> Iterator[str]:
    intent = change.intent
    told = [("the title", intent.title), ("the description", intent.body), ("the branch's name", intent.branch)]
    told += [("a commit message", message) for message in intent.commits]
    for name, text in told:
        if any(_speaks(line) for line in text.text.split("\n")):
            yield name
    if any(_speaks(label) for label in intent.labels):
        yield "a label"
    for file in change.files:
        for hunk in file.hunks:
            for line in hunk.lines():
                if line.mark == "+" and _speaks(line.text):
                    yield gate.span(f"{file.path}:{line.new}")


def _speaks(text: str) -> bool:
    return _SPEAKS.search(text[:_LONGEST].replace("-", " ")) is not None
