"""Sorting: which hunks of a change no costly model has to read, by their text, and where one is set up by a cheap model's word.

Change ── plain ──► hunks of white space and comments ── a cheap model ──► files whose change alters nothing ──► PassedOver
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.core import plain_change, prompt
from app.core.budget import cut
from app.core.envelope import Envelope
from app.core.reply import TriageReply
from app.core.usage import Usage
from app.llm import Model
from app.stages.ask import ask_all, total
from app.stages.read import Reading
from app.stages.step import Step

TRIAGE_TOKENS = 24_000
"""Of diff in one question to the cheap model, and at most as many questions as fit into its share of the review."""
MOST_TRIAGE_TOKENS = 100_000


@dataclass(frozen=True, slots=True)
class PassedOver:
    """Hunks (path, number) that no reviewer is shown, why in words for the footer, and what sorting took."""

    hunks: frozenset[tuple[str, int]] = frozenset()
    notes: tuple[str, ...] = ()
    usage: Usage = field(default_factory=Usage)


async def sort(
    reading: Reading, *, model: Model | None, tasks: Mapping[str, str], envelope: Envelope, step: Step
) -> PassedOver:
    """What may be passed over. A cheap model that does not answer, or that names other files, passes over nothing."""
    change = reading.change
    by_text = plain_change.plain(change) if reading.options.triage else frozenset()
    notes = [_counted(len(by_text), "nothing but white space and comments")] if by_text else []
    if model is None or not reading.options.triage:
        return PassedOver(by_text, tuple(notes))
    batches, _ = cut(change.files, batch_tokens=TRIAGE_TOKENS, most_tokens=MOST_TRIAGE_TOKENS)
    shared = prompt.shared(change, envelope=envelope)
    questions = [
        (model, prompt.triage(tasks["triage"], shared, body=prompt.body(batch, envelope=envelope))) for batch in batches
    ]
    answers = await ask_all(step, "triage", questions, TriageReply)
    by_path: dict[str, bool] = {}
    for batch, answer in zip(batches, answers, strict=True):
        said = {one.path: one.plain for one in answer.reply.files} if answer.reply is not None else {}
        for path in batch.paths:
            # A file that several batches show is plain only if it is in all of them.
            by_path[path] = said.get(path, False) and by_path.get(path, True)
    by_word = {
        (file.path, number) for file in change.files if by_path.get(file.path) for number in range(len(file.hunks))
    } - by_text
    if by_word:
        notes.append(_counted(len(by_word), f"nothing that {model.name} holds for worth reading"))
    return PassedOver(by_text | by_word, tuple(notes), total(answers))


def _counted(number: int, what: str) -> str:
    if number == 1:
        return f"1 hunk changes {what}; no reviewer was shown it"
    return f"{number} hunks change {what}; no reviewer was shown them"
