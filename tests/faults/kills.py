"""Reviews that each stand at another outside call when their process is killed with SIGKILL, and the process after it."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.faults.world import CALLS, Call, Under, World
from tests.stories.bot import BotProcess, wait_for


@dataclass(frozen=True, slots=True)
class Point:
    """Where a review stands when its process dies: at a call that takes `effect` all the same, or never does."""

    call: Call
    effect: bool

    def __str__(self) -> str:
        return f"{'after' if self.effect else 'before'} {self.call}"


POINTS = tuple(Point(call, effect) for call in CALLS for effect in (False, True))
"""Every outside call on both sides of its effect. A killed process hears no answer, so the effect is all that differs."""


class Killable(BotProcess):
    """The bot with short waits."""

    def start(self) -> None:
        command = [sys.executable, "-P", "-m", "tests.faults.serve"]
        self.process = subprocess.Popen(command, env=self._environ, cwd="/")
        wait_for(self.is_ready, why="the bot did not become ready")


def world(folder: Path) -> World:
    """A world whose bot is a process of its own."""
    return World(folder, bot=Killable)


def kill_at(here: World, points: Sequence[Point]) -> dict[Point, list[str]]:
    """One review for each point, all of them there when the process is killed: what is wrong after the next has worked."""
    unders: dict[Point, Under] = {}
    gates = []
    for point in points:
        under = unders[point] = here.pull()
        if point.call.method == "MODEL":
            waiting = here.held[under.mark, point.call.path] = (threading.Event(), threading.Event())
            gates.append((*waiting, waiting[1].set))
        else:
            path = here.path(under, point.call)
            gate = here.github.faults.hold(point.call.method, path, after=point.call.nth, effect=point.effect)
            gates.append((gate.reached, None, gate.release))
        here.send(under)
    for (reached, *_), point in zip(gates, points, strict=True):
        assert reached.wait(60), f"no review came to the point {point}"
    here.bot.kill()
    for *_, release in gates:
        release()
    for point, under in unders.items():
        if point.effect and point.call.method != "MODEL":
            wait_for(lambda under=under: here.calls(under)[-1].status is not None, why=f"{point} took no effect")
    here.bot.start()
    here.wait_until_quiet(*unders.values())
    return {point: found for point, under in unders.items() if (found := _wrong(here, under, point))}


def _wrong(here: World, under: Under, point: Point) -> list[str]:
    found = here.violations(under, kills=1)
    bought = Counter(one.purpose for one in here.asked(under))
    allowed = Counter(call.path for call in CALLS if call.method == "MODEL")
    if point.call.method == "MODEL":
        allowed[point.call.path] += 1
    found += [f"I6 {purpose} was bought {count} times" for purpose, count in bought.items() if count > allowed[purpose]]
    if len(under.handle.reviews) != 1:
        found.append(f"I2 {len(under.handle.reviews)} reviews")
    if len(under.handle.check_runs) != 1:
        found.append(f"I3 {len(under.handle.check_runs)} check runs")
    return found
