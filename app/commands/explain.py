"""`/explain`, in the thread of a finding, explains it step by step with an input that shows it; in the conversation, it explains
the change.
"""

from __future__ import annotations

from app.commands import Call, Reply
from app.core.untrusted import Untrusted
from app.stages.answer import Asked

FINDING = (
    "Explain the finding that began this thread to somebody who does not see it: with one concrete input or schedule, step by "
    "step through the lines, until what a user or an operator notices. Then what makes it happen at all, and what a correction "
    "must change. If the code as it is now speaks against the finding, say so instead."
)
CHANGE = (
    "Explain this change to somebody who has to review it: what it is for, how its parts work together in the order in which "
    "they run, and which places deserve the closest look, and why."
)


async def answer(call: Call) -> Reply:
    """The explanation of a model. What was written behind the command is asked as well."""
    thread = await call.talker.thread(call.question, step=call.step)
    wanted = FINDING if thread is not None else CHANGE
    return await call.respond(Asked(Untrusted(f"{wanted}\n{call.question.words}".strip()), thread))
