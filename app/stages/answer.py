"""Answering: a question about a change ─► what a model says to it, with the places found that it rests on.

What the model reads is the diff around what is asked about, the code around that, and where the names in the question stand.
It is told no more than a review is: what the policy excludes stays out here too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.core import answer, budget, context, excerpts, prompt
from app.core.budget import Piece
from app.core.change import Change, FileDiff
from app.core.context import Hit, Wanted
from app.core.envelope import Envelope
from app.core.excerpts import Excerpt
from app.core.pull import Remark, ReviewThread
from app.core.reply import AnswerReply
from app.core.untrusted import Untrusted
from app.core.usage import Usage
from app.errors import Code, Permanent
from app.llm import Model
from app.stages import read
from app.stages.ask import ask
from app.stages.read import Reading
from app.stages.step import Step

DIFF_TOKENS = 12_000
CONTEXT_TOKENS = 8_000
HITS_PER_NAME = 40
FILES_LOOKED_INTO = 12


@dataclass(frozen=True, slots=True)
class Asked:
    """A person's question, and the thread it was asked in, if any."""

    words: Untrusted
    thread: ReviewThread | None = None

    @property
    def remarks(self) -> Sequence[Remark]:
        """What was said in the thread."""
        return self.thread.remarks if self.thread is not None else ()


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer as a person reads it, and what it used."""

    text: str
    usage: Usage


async def respond(
    asked: Asked, *, reading: Reading, model: Model, task: str, envelope: Envelope, step: Step
) -> Answered:
    """The model's answer. Raises `Permanent` with a MODEL_… code when it gives none."""
    change = reading.change
    pieces = _pieces(asked, change)
    around = await read.around(pieces, reading=reading, budget_tokens=CONTEXT_TOKENS)
    looked_up = await _looked_up(asked.words.text, reading=reading)
    shown = excerpts.fit(
        [one for one in (*looked_up, *around) if not reading.policies.why_excluded(one.path)],
        budget_tokens=CONTEXT_TOKENS,
    )
    written = prompt.answer(
        task.strip(),
        prompt.shared(change, envelope=envelope, background=reading.background),
        question=asked.words,
        thread=asked.remarks,
        pieces=pieces,
        excerpts=shown,
        envelope=envelope,
    )
    given = await ask(step, "answer", model=model, prompt=written, form=AnswerReply)
    if given.reply is None:
        raise Permanent(Code(given.code), given.what)
    places = answer.places(given.reply, change, await _texts(given.reply, reading=reading))
    told = answer.render(given.reply, places, usage=given.usage, model=given.model, head=change.head)
    return Answered(told, given.usage)


def _pieces(asked: Asked, change: Change) -> tuple[Piece, ...]:
    """The part of the diff that is asked about: the thread's file, the files that are named, else what matters most."""
    batches, _ = budget.cut(_files(asked, change) or change.files, batch_tokens=DIFF_TOKENS, most_tokens=DIFF_TOKENS)
    return batches[0].pieces if batches else ()


def _files(asked: Asked, change: Change) -> Sequence[FileDiff]:
    named = answer.named_files(asked.words.text, change)
    own = change.file(asked.thread.path) if asked.thread is not None else None
    return tuple(dict.fromkeys([*([own] if own is not None else []), *named]))


async def _looked_up(words: str, *, reading: Reading) -> list[Excerpt]:
    """Where the names of code in the question are defined, and used."""
    names = answer.names(words)
    if reading.tree is None or not names:
        return []
    head = reading.change.head
    found = await reading.tree.grep_many(head, names, limit=HITS_PER_NAME)
    hits = {name: [Hit(one.path, one.line, one.text) for one in some] for name, some in found.items()}
    places = context.choose_files(hits, Wanted(defined=names, used=names), shown=())
    paths = list(dict.fromkeys(place.path for place in places))[:FILES_LOOKED_INTO]
    blobs = await reading.tree.read_many(head, paths)
    lines = {path: data.decode("utf-8", "replace").split("\n") for path, data in blobs.items()}
    return [context.excerpt(place, lines[place.path]).excerpt for place in places if place.path in lines]


async def _texts(reply: AnswerReply, *, reading: Reading) -> dict[str, str]:
    """The head's text of the files that the answer names, as far as a model may know them."""
    known = reading.code.text
    paths = {one.path for one in reply.places if one.path and not reading.policies.why_excluded(one.path)}
    wanted = sorted(path for path in paths if path not in known)
    blobs = await reading.tree.read_many(reading.change.head, wanted) if reading.tree is not None else {}
    more = {path: data.decode("utf-8", "replace") for path, data in blobs.items()}
    return {path: text for path, text in {**known, **more}.items() if path in paths}
