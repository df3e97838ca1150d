"""Random faults in random moments of random pull requests: nothing lost, nothing twice, nothing stale."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.faults.seeds import run, schedule
from tests.faults.world import World

SEEDS = 300
"""What two cores play in some minutes. `python -m benchmarks.faults --seeds N` plays as many as there is time for."""
GROUP = 25
AT_ONCE = 8

pytestmark = pytest.mark.timeout(1800)


@pytest.fixture
def world(tmp_path_factory):
    with World(tmp_path_factory.mktemp("bot")) as made:
        yield made


def test_a_seed_always_means_the_same():
    assert schedule(7) == schedule(7)
    assert len({schedule(seed).lives for seed in range(100)}) > 90


@pytest.mark.parametrize("first", range(0, SEEDS, GROUP))
def test_nothing_is_lost_twice_or_stale_under_the_seeds_from(first, world):
    with ThreadPoolExecutor(AT_ONCE) as players:
        verdicts = list(players.map(lambda seed: run(world, seed), range(first, first + GROUP)))
    assert [str(verdict) for verdict in verdicts if not verdict.is_clean] == []
