"""The waits of a bot under faults, apart from the world: processes that are started again and again load what they need."""

from __future__ import annotations

from dataclasses import replace

from app.jobs import Timing
from tests.fakes.service import FREELY

TIMING = Timing(settle_seconds=0.1, retry_first_seconds=0.05, retry_longest_seconds=0.5, spacing=FREELY)
"""Short waits, but queues are looked into no oftener than by default: each look costs processor, and what counts is rung for."""
SOON = replace(TIMING, look_seconds=0.3, grace_seconds=0.6, beat_seconds=0.2)
"""Dead processes are noticed after a second in place of ten."""
