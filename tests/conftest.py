"""What holds for every test."""

from __future__ import annotations

import gc

from hypothesis import settings

# How long one example takes says how busy the machine is; speed is measured in benchmarks/.
settings.register_profile("unhurried", parent=settings(), deadline=None)
settings.load_profile("unhurried")


def pytest_collection_finish() -> None:
    """What was imported lives as long as the process: looking through it for garbage, again and again, finds none."""
    gc.collect()
    gc.freeze()
