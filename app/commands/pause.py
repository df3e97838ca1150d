"""`/pause` ends automatic reviews of this pull request until `/resume`; `/review` still makes one."""

from __future__ import annotations

from app.commands import Call, Reply


async def answer(call: Call) -> Reply:
    """Pushes are not reviewed from now on."""

    async def pause() -> None:
        await call.house.memory.pause(*call.pull, paused=True)

    await call.step.run("pause", pause, type(None), preemptible=False)
    return Reply(
        "Paused: pushes to this pull request are not reviewed until `/resume`; `/review` still makes a review."
    )
