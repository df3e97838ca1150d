"""Threads of ours: closed when their finding is done, open again when it is back, as far as the App may.

Resolving needs `contents: write`, which an operator may not want to give. Then the first comment is folded away instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.errors import Permanent
from app.telemetry import log

if TYPE_CHECKING:
    from app.core.pull import ReviewThread
    from app.github import GitHub


async def close(thread: ReviewThread, *, github: GitHub) -> bool:
    """Whether the thread is resolved or its first comment folded away now. Safe to repeat."""
    try:
        return await github.talk.resolve(thread.id) or await github.talk.minimize(thread.node)
    except Permanent as error:
        log.warning("thread_not_closed", code=error.code, what=error.what)
        return False


async def open_again(thread: ReviewThread, *, github: GitHub) -> bool:
    """Whether what `close` did is taken back. Safe to repeat."""
    try:
        return await github.talk.reopen(thread.id) or await github.talk.unfold(thread.node)
    except Permanent as error:
        log.warning("thread_not_opened", code=error.code, what=error.what)
        return False
