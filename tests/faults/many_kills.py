"""Forty reviews during which processes are killed twenty times: every head reviewed once, no remembered answer bought again.

    SQLite      one process, killed and started again
    PostgreSQL  one process that takes deliveries, three that review; one of the three is killed, and another takes its place

A model request may repeat only if its answer was not yet remembered when a process died: the database is asked at every kill.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.faults.kills import Killable
from tests.faults.world import CALLS, Under, World
from tests.stories.bot import wait_for

KILLS = 20
REVIEWS = 40
WORKERS = 3
THINKING_SECONDS = 0.15
FEWEST_ANSWERS_BETWEEN_KILLS, MOST_ANSWERS_BETWEEN_KILLS = 3, 9
"""Six on average: forty reviews ask for 120 answers."""
PURPOSES = frozenset(call.path for call in CALLS if call.method == "MODEL")


class Crew(Killable):
    """One process that takes deliveries, and workers."""

    def start(self) -> None:
        self.process = self._begin("accept")
        self._workers = [self._begin("work") for _ in range(WORKERS)]
        wait_for(self.is_ready, why="the bot did not become ready")

    def replace_one(self, place: int) -> None:
        """Kill one worker, and begin another that the killed one knows nothing of."""
        gone = self._workers[place]
        gone.kill()
        gone.wait()
        self._workers[place] = self._begin("work")

    def kill(self) -> None:
        for worker in self._workers:
            worker.kill()
            worker.wait()
        super().kill()

    def _begin(self, part: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-P", "-m", "tests.faults.serve", part], env=self._environ, cwd="/")


@dataclass(frozen=True, slots=True)
class Report:
    """What came of it. `in_flight` counts the requests that no answer was remembered of when a process died."""

    wrong: tuple[str, ...]
    reviews: int
    kills: int
    requests: int
    repeated: int
    in_flight: int
    recovery_seconds: float

    def __str__(self) -> str:
        return (
            f"{self.reviews} reviews, {self.kills} kills: {len(self.wrong)} violations; {self.requests} model requests, "
            f"{self.repeated} repeated of {self.in_flight} in flight at a kill; "
            f"all done {self.recovery_seconds:.1f} s after the last kill"
        )


class Killing:
    """The world while its processes are killed."""

    def __init__(
        self, folder: Path, *, database: str = "", seed: int = 1, kills: int = KILLS, reviews: int = REVIEWS
    ) -> None:
        self._kills = kills
        self._reviews = reviews
        self._dice = random.Random(seed)
        self._several = bool(database)
        self._allowed: Counter[tuple[str, str]] = Counter()
        self.unders: list[Under] = []
        made = Crew if database else Killable
        self.world = World(folder, bot=made, database=database, thinking_seconds=THINKING_SECONDS)

    def __enter__(self) -> Self:
        self.world.__enter__()
        return self

    def __exit__(self, *how: object) -> None:
        self.world.__exit__(*how)

    def run(self) -> Report:
        """The report of all kills, when nothing is left to do."""
        for number in range(self._kills):
            self._send(self._reviews * (number + 1) // self._kills - len(self.unders))
            self._wait_for_answers(self._dice.randint(FEWEST_ANSWERS_BETWEEN_KILLS, MOST_ANSWERS_BETWEEN_KILLS))
            self._kill()
        began = time.monotonic()
        left = self.world.wait_until_quiet(*self.unders)
        took = time.monotonic() - began
        wrong = [f"{under.mark} is not done" for under in left]
        wrong += [one for under in self.unders for one in self._wrong(under)]
        asked = self._asked()
        return Report(
            wrong=tuple(wrong),
            reviews=len(self.unders),
            kills=self._kills,
            requests=asked.total(),
            repeated=sum(count - 1 for count in asked.values()),
            in_flight=self._allowed.total(),
            recovery_seconds=took,
        )

    def _send(self, number: int) -> None:
        for _ in range(number):
            under = self.world.pull()
            self.unders.append(under)
            self.world.send(under)

    def _wait_for_answers(self, more: int) -> None:
        """Until so many more requests came to the model, or there is nothing to wait for."""
        wanted = self._asked().total() + more
        wait_for(
            lambda: self._asked().total() >= wanted or all(map(self.world.is_quiet, self.unders)),
            why="no review goes on",
        )

    def _kill(self) -> None:
        if self._several:
            self.world.bot.replace_one(self._dice.randrange(WORKERS))
            self._allow()
            return
        self.world.bot.kill()
        self._allow()
        self.world.bot.start()

    def _allow(self) -> None:
        """What was asked and is not remembered may be asked again, once for this kill."""
        for under in self.unders:
            asked = {one.purpose for one in self.world.asked(under)}
            for purpose in asked - (self.world.recorded(under) & PURPOSES):
                self._allowed[under.mark, purpose] += 1

    def _asked(self) -> Counter[tuple[str, str]]:
        return Counter((under.mark, one.purpose) for under in self.unders for one in self.world.asked(under))

    def _wrong(self, under: Under) -> list[str]:
        found = self.world.violations(under, kills=self._kills)
        if [one.commit_id for one in under.handle.reviews] != [under.handle.head_sha]:
            found.append(f"I2 {under.mark} has {len(under.handle.reviews)} reviews")
        if len(under.handle.check_runs) != 1:
            found.append(f"I3 {under.mark} has {len(under.handle.check_runs)} check runs")
        for (mark, purpose), count in self._asked().items():
            if mark == under.mark and count > 1 + self._allowed[mark, purpose]:
                found.append(
                    f"I6 {purpose} of {mark} was bought {count} times, with {self._allowed[mark, purpose]} kills"
                )
        return found
