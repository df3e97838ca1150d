"""`/help` lists these commands."""

from __future__ import annotations

from app.commands import Call, Reply, verbs
from app.core import gate
from app.events import Prompted

ABOUT = (
    "A command stands at the start of a line of a new comment; quotes, code and edits are not heard. "
    "It is obeyed for people who may write to this repository."
)
BY_RULES = (
    "This server reviews by rules alone, without a language model: `/ask` is not answered, and `/explain` and `/fix` say what "
    "the rule of a finding says."
)


async def answer(call: Call) -> Reply:
    """Every command with its help text; for an unknown one, that it is none."""
    listed = "\n".join(f"- {text}" for text in (" ".join(verb.help.split()) for verb in verbs().values()))
    if call.question.prompted is not Prompted.UNKNOWN:
        return Reply("\n\n".join([ABOUT, *([BY_RULES] if call.model() is None else []), listed]))
    unknown = gate.span(f"/{call.question.words}")
    return Reply(f"{unknown} is no command of this reviewer; these are. It says so once on a pull request.\n\n{listed}")
