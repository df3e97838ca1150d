"""Hearing: what people and machines have said about a pull request, as far as a reviewer should know it.

An ordinary review asks for none of it: each request is made only where GitHub has said that there is something to read.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING, TypeVar

from app.core import background
from app.core.background import Background
from app.core.pull import FailedCheck, LinkedIssue, Pull, ReviewThread
from app.errors import Permanent
from app.telemetry import log

if TYPE_CHECKING:
    from app.github import GitHub

T = TypeVar("T")


async def background_of(
    pull: Pull, *, threads: Sequence[ReviewThread], known_remarks: int, by_hand: bool, own_check: str, github: GitHub
) -> Background:
    """The issues it says it settles, the checks of others that failed, and what people have raised.

    `threads` are those of the pull, if they were read; `known_remarks` is how many remarks of the conversation are ours, or are
    commands that were obeyed.
    """
    talk, place = github.talk, (pull.repository, pull.number)
    issues: list[LinkedIssue] = []
    for number in background.linked(pull.body, repository=pull.repository):
        found = await _if_allowed(talk.issue(pull.repository, number), "linked_issue")
        issues += [found] if found else []
    failed: tuple[FailedCheck, ...] = ()
    if _may_have_failed_checks(pull, by_hand=by_hand):
        runs = await _if_allowed(talk.failed_checks(pull.repository, pull.head_sha), "failed_checks") or ()
        failed = tuple(run for run in runs if run.name != own_check)
    remarks = await _if_allowed(talk.remarks(*place), "conversation") if pull.comments > known_remarks else ()
    return Background(issues=tuple(issues), failed=failed, points=background.points(threads, remarks or ()))


def _may_have_failed_checks(pull: Pull, *, by_hand: bool) -> bool:
    """`blocked` may also mean that a review is required, as it often is: only for a person who waits is that worth a look."""
    return pull.merge_state == "unstable" or (by_hand and pull.merge_state == "blocked")


async def _if_allowed(asked: Awaitable[T], what: str) -> T | None:
    """The answer; None where it is refused. A review without it is better than none."""
    try:
        return await asked
    except Permanent as error:
        log.warning("background_not_read", part=what, code=error.code, what=error.what)
        return None
