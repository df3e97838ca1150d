"""How the story's steps are run: the port, and the simpler of its two implementations."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from app.errors import Code, Transient

T = TypeVar("T")
SENDS = 3
"""How often an effect is tried, each time after a look."""


async def at_once() -> None:
    """Waits for nothing."""


class Step(Protocol):
    """How the story's steps are run: at once, or durably by the job engine."""

    async def run(self, name: str, work: Callable[[], Awaitable[T]], result: type[T], *, preemptible: bool = True) -> T:
        """The result of `work`, remembered: after a crash the remembered one is returned and `work` is not run again.

        Steps must start in the same order on every run. A preemptible step is stopped when its job is cancelled.
        """
        ...

    async def once(
        self,
        key: str,
        *,
        look: Callable[[], Awaitable[T | None]],
        send: Callable[[], Awaitable[T]],
        result: type[T],
        turn: Callable[[], Awaitable[None]] = at_once,
    ) -> T:
        """The result of an effect that happens once: `look` is asked before every `send`, also after a lost answer.

        `turn` is awaited before each look: whatever the effect must wait for, so that looking and sending are one moment.
        """
        ...


class AtOnce:
    """Runs each step as it comes and remembers nothing: for the command line, where a person is waiting."""

    async def run(
        self,
        name: str,
        work: Callable[[], Awaitable[T]],
        result: type[T],
        *,
        preemptible: bool = True,
    ) -> T:
        """The result of `work`."""
        return await work()

    async def once(
        self,
        key: str,
        *,
        look: Callable[[], Awaitable[T | None]],
        send: Callable[[], Awaitable[T]],
        result: type[T],
        turn: Callable[[], Awaitable[None]] = at_once,
    ) -> T:
        """The result of `send`, or of what already stood there; a lost answer is looked for before it is sent again."""
        for left in reversed(range(SENDS)):
            await turn()
            standing = await look()
            if standing is not None:
                return standing
            try:
                return await send()
            except Transient as error:
                if error.code is not Code.GITHUB_ANSWER_UNKNOWN or not left:
                    raise
        raise AssertionError("unreachable: the last try returns or raises")
