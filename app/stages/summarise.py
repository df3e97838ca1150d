"""Summarising: the one comment that says how a pull request stands, made once and then edited in place."""

from __future__ import annotations

from app.core import fingerprint, summary
from app.core.change import Change
from app.core.gate import Outgoing
from app.core.report import Review
from app.errors import Code, Permanent
from app.stages.recall import Before, Keeper, as_it_stands
from app.stages.step import Step
from app.telemetry import log


async def keep(found: Review, change: Change, keeper: Keeper, *, before: Before, version: str, step: Step) -> None:
    """The comment as this review leaves it. `change` is the whole pull request. One that a person deleted stays deleted."""
    repository_id, number = keeper.place
    mark = fingerprint.summary_marker(key=keeper.key, repository_id=repository_id, number=number)
    # A review of a push has read a part only: what the pull request does as a whole is as it was told before.
    told = "" if found.hunks == change.hunks else before.remembered.told
    body = summary.render(change, found, as_it_stands(found), marker=mark, version=version, told=told)
    standing = before.remembered.summary
    kept = told or summary.story(found)
    if standing is not None:
        await _edit(standing, body, keeper, told=kept, step=step)
        return
    made = await _make(body, mark, keeper, step=step)

    async def note() -> None:
        await keeper.memory.summarised(*keeper.place, comment=made, told=kept)

    await step.run("keep summary", note, type(None), preemptible=False)


async def _make(body: Outgoing, mark: str, keeper: Keeper, *, step: Step) -> int:
    repository, number, github = keeper.repository, keeper.request.number, keeper.github

    async def look() -> int | None:
        remarks = await github.talk.remarks(repository, number)
        return next((one.id for one in remarks if one.author_is_bot and mark in one.body.text), None)

    async def send() -> int:
        return await github.comment(repository, number, body)

    return await step.once(f"summary {keeper.request.key}", look=look, send=send, result=int)


async def _edit(comment: int, body: Outgoing, keeper: Keeper, *, told: str, step: Step) -> None:
    async def edit() -> None:
        await keeper.memory.summarised(*keeper.place, comment=comment, told=told)
        try:
            await keeper.github.talk.edit(keeper.repository, comment, body)
        except Permanent as error:
            if error.code is not Code.GITHUB_GONE:
                raise
            log.info("summary_is_gone", comment=comment)

    await step.run("edit summary", edit, type(None), preemptible=False)
