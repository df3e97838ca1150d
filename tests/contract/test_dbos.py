"""What we lean on in DBOS beyond its public verbs, held against the version that is installed."""

from __future__ import annotations

import asyncio
import inspect
import threading
from importlib.metadata import version

import pytest
import sqlalchemy as sa
from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer

from app.jobs.nudge import THREAD, Nudge
from tests.fakes.service import until


@pytest.fixture
def engine(tmp_path):
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'engine.db'}")
    yield engine
    DBOS.destroy(destroy_registry=True)
    engine.dispose()


def test_the_version_is_the_one_that_was_measured():
    assert version("dbos").startswith("3.4.")


def test_giving_back_takes_a_list_of_executors():
    assert list(inspect.signature(DBOS._recover_pending_workflows).parameters) == ["executor_ids"]


def test_giving_back_queues_what_a_dead_executor_claimed_and_counts_the_tries(engine):
    """Claimed work goes back to its own queue once, runs on, keeps its finished step, and its tries are counted."""
    config: DBOSConfig = {
        "name": "contract",
        "application_version": "1",
        "executor_id": "living",
        "system_database_engine": engine,
        "serializer": DBOSPortableJSONSerializer(),
        "log_level": "ERROR",
    }
    DBOS(config=config)
    steps: list[str] = []
    held, release = threading.Event(), threading.Event()

    @DBOS.workflow(name="two_steps", max_recovery_attempts=3)
    async def two_steps() -> str:
        async def first() -> str:
            steps.append("first")
            return "bought"

        bought = await DBOS.run_step_async({"name": "first"}, first)
        if not release.is_set():
            held.set()
            await asyncio.to_thread(release.wait)
        return bought

    DBOS.launch()
    DBOS.register_queue("work", polling_interval_sec=0.05)
    handle = DBOS.enqueue_workflow("work", two_steps)
    assert held.wait(90)
    with engine.begin() as connection:
        # As if another executor had claimed it, and died.
        connection.exec_driver_sql("UPDATE workflow_status SET executor_id = 'dead'")
    assert DBOS._recover_pending_workflows(["somebody else"]) == []
    # The first run is still held here: if it went on, it might end before the work is given back.
    given_back = DBOS._recover_pending_workflows(["dead"])
    assert [one.workflow_id for one in given_back] == [handle.workflow_id]
    release.set()
    assert handle.get_result() == "bought"
    assert DBOS._recover_pending_workflows(["dead"]) == []
    assert steps == ["first"]
    with engine.connect() as connection:
        row = connection.exec_driver_sql("SELECT queue_name, executor_id, recovery_attempts FROM workflow_status").one()
    assert tuple(row) == ("work", "living", 2)


def test_a_queue_that_is_rung_for_is_looked_into_at_once_and_stops_at_once(engine):
    """It would look once an hour: that it works shows that its wait was ended, and by nothing but the event it waits on."""
    config: DBOSConfig = {
        "name": "contract",
        "application_version": "1",
        "executor_id": "living",
        "system_database_engine": engine,
        "serializer": DBOSPortableJSONSerializer(),
        "log_level": "ERROR",
    }
    dbos = DBOS(config=config)

    @DBOS.workflow(name="answer")
    async def answer(number: int) -> int:
        return number

    DBOS.launch()
    nudge = Nudge(dbos.background_thread_stop_events)
    DBOS.register_queue("seldom", polling_interval_sec=3600)
    until(lambda: any(thread.name == f"{THREAD}seldom" for thread in threading.enumerate()))
    for number in range(2):
        handle = DBOS.enqueue_workflow("seldom", answer, number)
        nudge.ring("seldom")
        until(lambda handle=handle: handle.get_status().status == "SUCCESS")
    for stopping in dbos.background_thread_stop_events:
        stopping.set()
    until(lambda: not any(thread.name.startswith(THREAD) for thread in threading.enumerate()))
