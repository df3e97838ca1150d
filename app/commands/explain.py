"""`/explain`, in the thread of a finding, explains it step by step with an input that shows it; in the conversation, it explains
the change. Without a language model it tells what the finding's rule says.
"""

from __future__ import annotations

from app.commands import NO_MODEL, Call, Reply
from app.core.lesson import lesson
from app.core.rule import Rule
from app.core.untrusted import Untrusted
from app.stages.answer import Asked
from app.stages.talk import NoTopic

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
    """The explanation of a model, or of the finding's rule. What was written behind the command is asked as well."""
    if call.model() is None:
        rule = await _rule(call)
        return Reply(lesson(rule, version=call.house.reviewer.version)) if rule else Reply(NO_MODEL, well=False)
    thread = await call.talker.thread(call.question, step=call.step)
    wanted = FINDING if thread is not None else CHANGE
    return await call.respond(Asked(Untrusted(f"{wanted}\n{call.question.words}".strip()), thread))


async def _rule(call: Call) -> Rule | None:
    """The rule that found what this thread is about; None in the conversation, and where none did."""
    topic = await call.talker.topic(call.question, step=call.step)
    return None if isinstance(topic, NoTopic) else call.rules().get(topic.said.rule or "")
