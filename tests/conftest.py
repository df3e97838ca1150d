"""What holds for every test."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from hypothesis import settings

# How long one example takes says how busy the machine is; speed is measured in benchmarks/.
settings.register_profile("unhurried", parent=settings(), deadline=None)
settings.load_profile("unhurried")


def pytest_collection_finish() -> None:
    """What was imported lives as long as the process: looking through it for garbage, again and again, finds none."""
    _sweep()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """The same holds of what is left after a file's last test: libraries keep what each bot gave them to remember.

    Without this a process with sixty bots behind it spends three quarters of its time on looking through them.
    """
    yield
    if nextitem is not None and nextitem.path != item.path:
        _sweep()


def _sweep() -> None:
    gc.collect()
    gc.freeze()
