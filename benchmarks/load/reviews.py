"""Reviews: what hundreds of them cost while they wait for a slow model, and what more processes bring."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.load import webhooks
from benchmarks.load.bot import Bot, environment, until
from benchmarks.load.world import SlowModel, World
from tests.fakes import postgres

SETTLE_SECONDS = 3.0
MEASURED_SECONDS = 8.0
START_SECONDS = 300.0
SLOTS_OF_A_WORKER = 2
"""So few that the wait for the model is what counts, also on two cores."""


@dataclass(frozen=True)
class Waiting:
    """What a process holds and uses while its reviews wait, and how long it took to bring them there and to end them."""

    reviews: int
    own_mib: float
    with_children_mib: float
    cpu_share: float
    begun_seconds: float
    ended_seconds: float
    reviewed_once: int


def waiting(world: World, folder: Path) -> Waiting:
    """Every pull under review at once, and no answer of the model."""
    number = len(world.pulls)
    with SlowModel() as model:
        more = model.environment | {"PRINCIPAL_QUIET_SECONDS": "0", "PRINCIPAL_MODEL_CALLS_AT_ONCE": str(number)}
        with Bot(environment(world.github, folder, **more), folder) as bot:
            began = time.monotonic()
            webhooks.send(webhooks.address(bot), world.payloads("opened"), number=number, per_second=50, prefix="wait")
            until(lambda: model.asked >= number, "the reviews did not begin", seconds=START_SECONDS)
            begun_seconds = time.monotonic() - began
            time.sleep(SETTLE_SECONDS)
            before = bot.cost()
            time.sleep(MEASURED_SECONDS)
            after = bot.cost()
            model.let_go()
            began = time.monotonic()
            until(lambda: world.reviewed() == number, "the reviews did not end", seconds=START_SECONDS)
            ended_seconds = time.monotonic() - began
    return Waiting(
        reviews=model.asked,
        own_mib=after.own_mib,
        with_children_mib=after.resident_mib,
        cpu_share=after.cpu_share(before),
        begun_seconds=begun_seconds,
        ended_seconds=ended_seconds,
        reviewed_once=world.reviewed(),
    )


def cleared_seconds(world: World, folder: Path, *, workers: int, model_seconds: float) -> float:
    """How long so many workers on one PostgreSQL take from the first webhook until every pull has its review."""
    number = len(world.pulls)
    with ExitStack() as stack:
        model = stack.enter_context(SlowModel(seconds=model_seconds))
        database = stack.enter_context(postgres.address(stack.enter_context(postgres.server())))
        more = model.environment | {
            "DATABASE_URL": database,
            "PRINCIPAL_QUIET_SECONDS": "0",
            "PRINCIPAL_REVIEWS_AT_ONCE": str(SLOTS_OF_A_WORKER),
        }
        doors = environment(world.github, folder, **more)
        front = stack.enter_context(Bot(doors, folder, command=("serve", "--accept-only")))
        for worker in range(workers):
            own = doors | {"PRINCIPAL_DATA_DIR": str(folder / f"data-{workers}-{worker}")}
            stack.enter_context(Bot(own, folder, command=("worker",)))
        began = time.monotonic()
        webhooks.send(
            webhooks.address(front), world.payloads("opened"), number=number, per_second=200, prefix="backlog"
        )
        until(lambda: world.reviewed() == number, "the backlog was not cleared", seconds=START_SECONDS)
        return time.monotonic() - began
