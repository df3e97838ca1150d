"""`/resolve` marks a finding as done, in its thread; in the conversation, all that are open. One that comes back is said."""

from __future__ import annotations

from dataclasses import replace

from app.commands import Call, Reply
from app.core.memory import Said, Standing
from app.stages.talk import NoTopic, Topic

DONE = "Done: marked as resolved. When a later review finds the problem again, this thread is opened again."


async def answer(call: Call) -> Reply:
    """The finding of the thread, or every open one, remembered as fixed, and the threads closed where the App may."""
    if call.question.in_thread:
        topic = await call.talker.topic(call.question, step=call.step)
        if isinstance(topic, NoTopic):
            return Reply(topic.why("/resolve"), well=False)
        await _settle(call, [topic])
        return Reply(DONE)
    topics = await call.talker.topics(step=call.step)
    still_open = [one for one in topics if one.said.standing is Standing.OPEN]
    if not still_open:
        return Reply("No finding with a thread of its own is open here.")
    await _settle(call, still_open)
    number = len(still_open)
    findings = "One finding is" if number == 1 else f"{number} findings are"
    return Reply(f"{findings} marked as resolved. What a later review finds again is opened again.")


async def _settle(call: Call, topics: list[Topic]) -> None:
    settled: list[Said] = [replace(one.said, standing=Standing.FIXED) for one in topics]

    async def settle() -> None:
        await call.house.memory.said(*call.pull, settled)

    await call.step.run("settle", settle, type(None), preemptible=False)
    await call.talker.close([one.thread for one in topics], step=call.step)
