"""One writer at a time, and whom GitHub waits for before all others."""

from __future__ import annotations

import threading

from app.jobs.database import Turn
from tests.fakes.service import until

WAIT_SECONDS = 90


def test_an_urgent_writer_goes_before_those_who_waited_longer():
    turn, order = Turn(), []
    assert turn.acquire(urgent=False, timeout_seconds=WAIT_SECONDS)
    begun = threading.Semaphore(0)

    def write(name, urgent):
        begun.release()
        assert turn.acquire(urgent=urgent, timeout_seconds=WAIT_SECONDS)
        order.append(name)
        turn.release()

    patient = [threading.Thread(target=write, args=(f"patient {n}", False)) for n in range(3)]
    for thread in patient:
        thread.start()
        begun.acquire()
    urgent = threading.Thread(target=write, args=("urgent", True))
    urgent.start()
    until(lambda: turn.urgent_waiting == 1)
    turn.release()
    for thread in [*patient, urgent]:
        thread.join(WAIT_SECONDS)
    assert order[0] == "urgent"
    assert sorted(order[1:]) == ["patient 0", "patient 1", "patient 2"]


def test_who_waits_in_vain_leaves_the_turn_to_others():
    turn = Turn()
    assert turn.acquire(urgent=True, timeout_seconds=WAIT_SECONDS)
    assert not turn.acquire(urgent=True, timeout_seconds=0.01)
    assert not turn.acquire(urgent=False, timeout_seconds=0.01)
    turn.release()
    assert turn.acquire(urgent=False, timeout_seconds=WAIT_SECONDS)
    turn.release()
    assert turn.acquire(urgent=True, timeout_seconds=WAIT_SECONDS)
