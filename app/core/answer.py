"""A model's answer to a person ─► the comment they read: each place it rests on is found in the code, or is not named.

Models name lines that are not there. So the answer carries numbers, each number a quote, and only a quote that stands in the
head becomes a file and a line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from app.core import context, destructive, gate, telling
from app.core.anchor import Missing, Outside, locate
from app.core.change import Change, FileDiff, FileStatus
from app.core.finding import Side, VerifiedFinding
from app.core.reply import AnswerReply, PlaceReply
from app.core.usage import Usage
from app.core.wording import spent

LONGEST_ANSWER = 6_000
ASKING_ON = "`/ask` asks on"
PATCH_CHECKED = "the patch applies and parses"
NAMES_LOOKED_UP = 6
_NUMBERED = re.compile(r" ?\[\[(\d{1,2})\]\]")
_NAME = re.compile(r"[A-Za-z_$][\w$]{2,60}")
_LOOKS_LIKE_CODE = re.compile(r"[a-z][A-Z]|_|\$|^[A-Z][a-z]+[A-Z]")
_SPAN = re.compile(r"`([^`\n]{1,200})`")


def names(words: str) -> tuple[str, ...]:
    """The names of code in a question, worth looking up: those in code spans, then those that are spelled as code is."""
    spans = [name for span in _SPAN.findall(words) for name in _NAME.findall(span)]
    spelled = [name for name in _NAME.findall(_SPAN.sub(" ", words)) if _LOOKS_LIKE_CODE.search(name)]
    called = re.findall(r"([A-Za-z_$][\w$]{2,60})\(\)", words)
    return tuple(name for name in dict.fromkeys([*spans, *called, *spelled]) if context.is_telling(name))[
        :NAMES_LOOKED_UP
    ]


def named_files(words: str, change: Change) -> tuple[FileDiff, ...]:
    """The files of the change that a question names, by their path or their name."""
    said = {word.strip("`'\"()[]{}<>,;:!?").rstrip(".") for word in words.split()}
    return tuple(file for file in change.files if said & {file.path, file.path.rpartition("/")[2]})


def places(reply: AnswerReply, change: Change, texts: Mapping[str, str]) -> tuple[str, ...]:
    """Where each quoted place stands (`src/pay.ts:3`), in the reply's order; empty for one that stands nowhere."""
    return tuple(_place(one, change, texts) for one in reply.places)


def render(reply: AnswerReply, found: Sequence[str], *, usage: Usage, model: str, head: str) -> str:
    """The answer as a comment: what is answered, what nobody can tell from the code, and who wrote it."""
    told = gate.clean(reply.answer, longest=LONGEST_ANSWER)
    known = _NUMBERED.sub(lambda number: _cited(int(number[1]), found), told)
    lost = sum(1 for one in found if not one)
    parts = [known, destructive.caution(reply.answer)]
    if reply.unknown.strip():
        parts.append(f"**Not known from this code** {gate.clean(reply.unknown, longest=LONGEST_ANSWER)}")
    if lost:
        parts.append(f"<sub>{_left_out(lost)}</sub>")
    return "\n\n".join([*(part for part in parts if part), _signed(ASKING_ON, usage=usage, model=model, head=head)])


def correction(found: VerifiedFinding, *, usage: Usage, model: str, head: str) -> str:
    """The answer to who asks for a fix, with what was checked of it."""
    checked = PATCH_CHECKED if has_patch(found) else ASKING_ON
    return f"{telling.correction(found)}\n\n{_signed(checked, usage=usage, model=model, head=head)}"


def rule_correction(found: VerifiedFinding, *, version: str, head: str) -> str:
    """The same where nobody but the finding's rule was asked."""
    checked = PATCH_CHECKED if has_patch(found) else "`/explain` tells what the rule recommends"
    author = f"Written by the rules of principal {version}, without a language model"
    return f"{telling.correction(found)}\n\n<sub>{author} · read {gate.span(head[:7])} · {checked}</sub>"


def has_patch(found: VerifiedFinding) -> bool:
    """Whether there is a correction to take over."""
    return found.fix is not None and found.fix.patch is not None


def _signed(ending: str, *, usage: Usage, model: str, head: str) -> str:
    author = gate.line(model, longest=80)
    written = f"Written by a language model ({author}) · read {gate.span(head[:7])} · {spent(usage)} · {ending}"
    return f"<sub>{written}</sub>"


def _place(one: PlaceReply, change: Change, texts: Mapping[str, str]) -> str:
    text = texts.get(one.path)
    if text is None:
        return ""
    file = change.file(one.path) or FileDiff(one.path, FileStatus.MODIFIED)
    match locate(one.quote, file=file, head_lines=text.split("\n"), hint=None):
        case Missing():
            return ""
        case Outside(line):
            return f"{one.path}:{line}"
        case anchor:
            removed = " (removed)" if anchor.side is Side.LEFT else ""
            return f"{one.path}:{anchor.start_line}{removed}"


def _cited(number: int, found: Sequence[str]) -> str:
    """The place of that number; nothing for one that is not proven, so that no reader looks for it."""
    where = found[number - 1] if 1 <= number <= len(found) else ""
    return f" ({gate.span(where)})" if where else ""


def _left_out(lost: int) -> str:
    named = "A place that was named does" if lost == 1 else f"{lost} places that were named do"
    return f"{named} not stand in the code and {'is' if lost == 1 else 'are'} left out."
