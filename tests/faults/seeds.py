"""Random schedules: a seed → pulls that are opened, pushed to, asked about and told of twice, while their calls fail.

    run(world, 7).is_clean                 # `schedule(7)` says what happened, in full

A schedule is a value, made by `random.Random(seed)` alone. When it is played, an action waits for a condition (so many
outside calls of its pull) and never for a time.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass

from tests.faults.world import CALLS, LOOK_SECONDS, QUIET_SECONDS, Call, Side, Under, World

PULLS_AT_MOST = 2
ACTIONS_AT_MOST = 3
FAULTS_AT_MOST = 3


@dataclass(frozen=True, slots=True)
class Action:
    """What somebody does, once the bot has made so many calls for the pull or has nothing left to do for it."""

    verb: str
    after_calls: int


@dataclass(frozen=True, slots=True)
class Life:
    """What happens to one pull request."""

    actions: tuple[Action, ...]
    faults: tuple[tuple[Call, Side], ...]

    def __str__(self) -> str:
        doing = ", ".join(f"{action.verb} after {action.after_calls}" for action in self.actions)
        return f"[{doing}] with [{'; '.join(f'{call}: {side}' for call, side in self.faults)}]"


@dataclass(frozen=True, slots=True)
class Schedule:
    """Everything that happens under one seed."""

    seed: int
    lives: tuple[Life, ...]

    def __str__(self) -> str:
        return f"seed {self.seed}: " + " | ".join(map(str, self.lives))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a schedule: the violations, by what they mean to people."""

    schedule: Schedule
    violations: tuple[str, ...]
    seconds: float

    @property
    def is_clean(self) -> bool:
        """Whether every invariant held."""
        return not self.violations

    def count(self, *names: str) -> int:
        """How many violations are of these invariants."""
        return sum(one[:2] in names for one in self.violations)

    @property
    def lost(self) -> int:
        """Deliveries, jobs, heads and reasons that went missing."""
        return self.count("I1", "I2", "I5")

    @property
    def twice(self) -> int:
        """Reviews, comments and model calls that were made twice."""
        return self.count("I3", "I6")

    @property
    def stale(self) -> int:
        """Reviews of a head that was known to be gone."""
        return self.count("I4")

    def __str__(self) -> str:
        return f"{self.schedule}\n  " + "\n  ".join(self.violations)


def schedule(seed: int) -> Schedule:
    """What happens under this seed; the same for ever, as long as the lists it draws from are."""
    dice = random.Random(seed)
    return Schedule(seed, tuple(_life(dice) for _ in range(dice.randint(1, PULLS_AT_MOST))))


def _life(dice: random.Random) -> Life:
    verbs = dice.choices(
        ("push", "command", "redeliver", "replay"), weights=(4, 2, 2, 1), k=dice.randint(0, ACTIONS_AT_MOST)
    )
    calls = sorted(dice.randint(0, 21) for _ in verbs)
    faults = []
    for _ in range(dice.randint(0, FAULTS_AT_MOST)):
        call = dice.choice(CALLS)
        again = Call(call.method, call.path, call.nth + dice.choice((0, 0, 0, 1, 2)))
        faults.append((again, dice.choice(call.sides)))
    return Life(tuple(map(Action, verbs, calls)), tuple(faults))


def run(world: World, seed: int) -> Verdict:
    """The verdict on one seed, played in this world beside whatever else is played there."""
    planned = schedule(seed)
    began = time.monotonic()
    unders = [_begin(world, life) for life in planned.lives]
    waiting = [(under, action) for under, life in zip(unders, planned.lives, strict=True) for action in life.actions]
    deadline = began + QUIET_SECONDS
    while waiting and time.monotonic() < deadline:
        waiting = [left for left in waiting if not _acted(world, waiting, left)]
        time.sleep(LOOK_SECONDS)
    world.wait_until_quiet(*unders)
    found = tuple(one for under in unders for one in world.violations(under))
    return Verdict(planned, found, time.monotonic() - began)


def _begin(world: World, life: Life) -> Under:
    under = world.pull()
    for call, side in life.faults:
        world.break_call(under, call, side)
    world.send(under)
    return under


def _acted(world: World, waiting: list[tuple[Under, Action]], left: tuple[Under, Action]) -> bool:
    """Whether it was this action's turn, and it was done."""
    under, action = left
    if next(one for one in waiting if one[0] is under) is not left:
        return False
    made = len(world.calls(under)) + len(world.asked(under))
    if made < action.after_calls and not world.is_quiet(under):
        return False
    match action.verb:
        case "push":
            world.push(under)
        case "command":
            world.command(under)
        case "redeliver":
            under.sent.append(world.github.redeliver(under.opening.guid))
        case "replay":
            under.sent.append(world.github.send_again_under_a_new_guid(under.opening))
    return True
