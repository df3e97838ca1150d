"""`/resume` takes automatic reviews up again after `/pause`, beginning with a head that was left out."""

from __future__ import annotations

from app.commands import Call, Reply


async def answer(call: Call) -> Reply:
    """Pushes are reviewed again from now on."""

    async def resume() -> None:
        await call.house.memory.pause(*call.pull, paused=False)

    await call.step.run("resume", resume, type(None), preemptible=False)
    return Reply(
        "Resumed: pushes are reviewed again, and now this head, if its review was left out while they were paused."
    )
