"""What people may type on a pull request: a file per verb, found by its name; its docstring is its help text.

A command's module has one function, `answer(event, github) -> ReviewRequest | Refused`. To add a verb, add a file.
"""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Literal, Protocol

from app.core.pull import Permission
from app.events import CommandEvent, ReviewRequest
from app.telemetry import COMMANDS, log


@dataclass(frozen=True, slots=True)
class Refused:
    """A command that is not obeyed, and why, for the record: nothing is answered to the person."""

    reason: str


Reaction = Literal["eyes", "rocket", "confused"]


class Door(Protocol):
    """What a command needs of GitHub."""

    async def permission(self, repository: str, login: str) -> Permission:
        """What this person may do, as GitHub confirms it."""
        ...

    async def react_to_comment(
        self, repository: str, comment_id: int, content: Reaction = "eyes", *, in_thread: bool = False
    ) -> None:
        """Put a reaction on a comment of the conversation, or of a thread."""
        ...


Answer = Callable[[CommandEvent, Door], Awaitable[ReviewRequest | Refused]]


@cache
def verbs() -> dict[str, Answer]:
    """Every verb with what answers it."""
    modules = [import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)]
    return {module.__name__.rpartition(".")[2]: module.answer for module in modules}


def help_texts() -> dict[str, str]:
    """Every verb with its help text."""
    return {verb: inspect.cleandoc(inspect.getmodule(answer).__doc__ or "") for verb, answer in verbs().items()}


async def answer(event: CommandEvent, github: Door) -> ReviewRequest | Refused:
    """What the command asks for. Refused when the verb is unknown or the person may not give commands."""
    known = verbs().get(event.verb)
    if known is None:
        return Refused(f"/{event.verb} is not a command")
    outcome = await known(event, github)
    refused = isinstance(outcome, Refused)
    COMMANDS.labels(event.verb, "denied" if refused else "obeyed").inc()
    log.info("command_answered", verb=event.verb, author=event.author, obeyed=not refused)
    return outcome


async def obeyed(event: CommandEvent, github: Door) -> Refused | None:
    """None when GitHub confirms write permission or better; the person then sees 👀 at once.

    The association that a payload carries is not asked: it calls private members of an organisation strangers.
    """
    permission = await github.permission(event.place.repository, event.author)
    if not permission.may_write:
        return Refused(f"{event.author} has {permission} permission, and commands need write")
    await github.react_to_comment(event.place.repository, event.comment, "eyes", in_thread=event.thread is not None)
    return None
