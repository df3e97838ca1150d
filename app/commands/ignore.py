"""`/ignore`, in the thread of a finding, dismisses it: it is not said again here, and counts against findings like it."""

from __future__ import annotations

from dataclasses import replace

from app.commands import Call, Reply
from app.core.memory import Standing
from app.stages.talk import NoTopic


async def answer(call: Call) -> Reply:
    """The finding dismissed in the review's memory, and its thread closed where the App may."""
    topic = await call.talker.topic(call.question, step=call.step)
    if isinstance(topic, NoTopic):
        return Reply(topic.why("/ignore"), well=False)

    async def dismiss() -> None:
        await call.house.memory.said(*call.pull, [replace(topic.said, standing=Standing.DISMISSED)])

    await call.step.run("dismiss", dismiss, type(None), preemptible=False)
    await call.talker.close([topic.thread], step=call.step)
    return Reply(
        "Dismissed: this finding is not said again on this pull request, not even by `/review full`. "
        "A second dismissal of the like in this part of the repository keeps such findings in the fold."
    )
