"""Random faults for as long as there is time: `python -m benchmarks.faults --seeds 10000`.

Plays the schedules of tests/faults/seeds.py (pulls that are opened, pushed to, asked about and told of twice, while their
calls to GitHub, git and the model fail before or after taking effect) and counts what was lost, doubled or stale. `--from`
goes on where an earlier run ended; `--kills N` plays so many times forty reviews under twenty SIGKILLs instead.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from tests.fakes import postgres
from tests.faults.many_kills import Killing
from tests.faults.seeds import Verdict, run
from tests.faults.world import World

SEEDS_PER_WORLD = 200
"""Then the bot, its database and the sandbox begin anew, so that a long run stays as fast as a short one."""


def main() -> int:
    words = argparse.ArgumentParser(prog="python -m benchmarks.faults", description=__doc__.split("\n")[0])
    words.add_argument("--seeds", type=int, default=1000, help="how many schedules")
    words.add_argument("--from", type=int, default=0, dest="first", help="the first seed")
    words.add_argument("--at-once", type=int, default=12, help="schedules side by side")
    words.add_argument("--kills", type=int, default=0, help="rounds of twenty kills instead of seeds")
    words.add_argument("--postgres", action="store_true", help="the kills among three workers on PostgreSQL")
    asked = words.parse_args()
    if asked.kills and asked.postgres:
        with postgres.any_server() as server:
            return kill(asked.kills, server=server, on_postgres=True)
    return kill(asked.kills) if asked.kills else play(asked.first, asked.seeds, asked.at_once)


def play(first: int, number: int, at_once: int) -> int:
    count: Counter[str] = Counter()
    began = time.monotonic()
    for start in range(first, first + number, SEEDS_PER_WORLD):
        seeds = range(start, min(start + SEEDS_PER_WORLD, first + number))
        with (
            tempfile.TemporaryDirectory() as folder,
            World(Path(folder)) as world,
            ThreadPoolExecutor(at_once) as players,
        ):
            for verdict in players.map(lambda seed: run(world, seed), seeds):
                add(count, verdict)
            count["reviews"] += sum(len(one.handle.reviews) for one in world.unders)
        minutes = (time.monotonic() - began) / 60
        print(f"seeds {first} to {seeds[-1]}: {told(count)}; {minutes:.1f} min", flush=True)
    print(f"load average {os.getloadavg()[0]:.1f}")
    return 1 if count["violations"] else 0


def add(count: Counter[str], verdict: Verdict) -> None:
    count["seeds"] += 1
    count["pulls"] += len(verdict.schedule.lives)
    count["faults"] += sum(len(life.faults) for life in verdict.schedule.lives)
    count["violations"] += len(verdict.violations)
    count["lost"] += verdict.lost
    count["twice"] += verdict.twice
    count["stale"] += verdict.stale
    if not verdict.is_clean:
        print(verdict, flush=True)


def told(count: Counter[str]) -> str:
    return ", ".join(
        f"{count[name]} {name}"
        for name in ("seeds", "pulls", "reviews", "faults", "violations", "lost", "twice", "stale")
    )


def kill(rounds: int, *, server: postgres.Postgres | None = None, on_postgres: bool = False) -> int:
    wrong = 0
    for seed in range(1, rounds + 1):
        with ExitStack() as stack:
            address = stack.enter_context(postgres.address(server)) if on_postgres else ""
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            report = stack.enter_context(Killing(folder, database=address, seed=seed)).run()
        wrong += len(report.wrong)
        print(f"round {seed}: {report}", *report.wrong, sep="\n  ", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
