"""`/resume` takes automatic reviews up again after `/pause`."""

from __future__ import annotations

from app.commands import Call, Reply


async def answer(call: Call) -> Reply:
    """Pushes are reviewed again from now on."""

    async def resume() -> None:
        await call.house.memory.pause(*call.pull, paused=False)

    await call.step.run("resume", resume, type(None), preemptible=False)
    return Reply(
        "Resumed: the next push is reviewed, with all that came since the last review; `/review` reviews it now."
    )
