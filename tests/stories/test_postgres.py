"""Several processes on one PostgreSQL: one job for a delivery however often it comes, and work that outlives its process.

They run on TEST_DATABASE_URL or on a private server. Where neither is to be had they are skipped, and in CI they fail.
"""

from __future__ import annotations

import concurrent.futures
import os
from collections import Counter
from contextlib import ExitStack

import psycopg
import pytest

from app.jobs import JobState
from tests.fakes import postgres
from tests.fakes.ledger import Ledger
from tests.fakes.service import SECRET, Process, Service, environment, until
from tests.fakes.workers import Worker

RECOVERY_SECONDS = 300.0


@pytest.fixture(scope="module")
def server():
    if os.environ.get("TEST_DATABASE_URL"):
        yield None
        return
    with postgres.server() as private:
        yield private


@pytest.fixture
def address(server):
    with postgres.address(server) as address:
        yield address


@pytest.fixture
def models():
    with Ledger() as ledger:
        yield ledger


@pytest.fixture
def settings(github, models, address, tmp_path):
    return environment(github, tmp_path, models.url, DATABASE_URL=address)


def connect(github, process):
    github.webhook(f"{process.url}/webhooks/github", secret=SECRET)


def open_pull(github, name="acme/shop"):
    # The name stands in the file, so that no two repositories have the same head.
    return github.create_repository(name, files={"a.ts": "1\n"}).open_pull(files={"a.ts": f"// {name}\n"})


def is_finished(pull):
    return len(pull.reviews) == 1 and [run.status for run in pull.check_runs] == ["completed"]


def finished(pull):
    return lambda: is_finished(pull)


def told(pull, *workers):
    """What stands at the pull, and the ends of the workers' logs: what to read when it does not finish."""
    runs = [(run.status, run.conclusion) for run in pull.check_runs]
    said = "\n\n".join(worker.said()[-6_000:] for worker in workers)
    return f"{pull.head_sha}: {len(pull.reviews)} reviews, check runs {runs}\n{said}"


def claimed_by(address, pull):
    """The executor that has claimed the review of this pull, or None."""
    with psycopg.connect(address, autocommit=True) as connection:
        found = connection.execute(
            "SELECT executor_id FROM dbos.workflow_status WHERE name = 'review_pull' AND status = 'PENDING'"
            " AND workflow_uuid LIKE %s",
            [f"%{pull.head_sha}%"],
        ).fetchone()
    return found and found[0]


def test_one_process_serves_reviews_and_forgets_when_the_app_is_removed(github, models, settings):
    with Service(settings) as bot:
        connect(github, bot)
        pull = open_pull(github)
        until(finished(pull))
        [job] = bot.wait_until_over(pull)
        assert job.state is JobState.DONE
        assert models.of(pull.head_sha) == [0, 1, 2]
        github.uninstall()
        until(lambda: bot.jobs(pull) == [])


def test_a_delivery_that_comes_twenty_times_to_two_processes_is_one_job(github, models, settings):
    with (
        Process(settings | {"ACCEPT_ONLY": "1"}) as one,
        Process(settings | {"ACCEPT_ONLY": "1"}) as two,
        Worker(settings),
    ):
        connect(github, one)
        pull = open_pull(github)
        guid = pull.delivery.guid
        connect(github, two)
        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(lambda _: github.redeliver(guid).status_code, range(20)))
        assert set(answers) == {200}
        until(finished(pull))
    assert models.of(pull.head_sha) == [0, 1, 2]
    assert len(pull.check_runs) == 1


def test_processes_that_start_at_once_on_an_empty_database_share_one_key(settings):
    with ExitStack() as stack:
        workers = [Worker(settings) for _ in range(3)]
        names = {stack.enter_context(worker).name for worker in workers}
    assert len(names) == 3


def test_a_push_stops_the_older_review_in_another_process_and_it_buys_nothing_more(github, models, settings, address):
    models.hold(1)
    with Service(settings | {"ACCEPT_ONLY": "1"}) as front, Worker(settings) as first:
        connect(github, front)
        pull = open_pull(github)
        old = pull.head_sha
        models.wait_for(old, 2)
        assert claimed_by(address, pull) == first.name
        with Worker(settings):
            pull.push({"a.ts": "3\n"})
            models.wait_for(pull.head_sha, 2)
            until(lambda: [run.status for run in pull.check_runs if run.head_sha == old] == ["completed"])
            models.release()
            until(lambda: len(pull.reviews) == 1)
    assert pull.reviews[0].commit_id == pull.head_sha
    assert models.of(old) == [0, 1]
    assert models.of(pull.head_sha) == [0, 1, 2]


def test_three_workers_of_which_one_is_killed_review_every_head_once_and_ask_no_answered_question_again(
    github, models, settings, address
):
    """Every review stands at its second question when one worker dies: only the dead one's are asked again."""
    models.hold(1)
    with Service(settings | {"ACCEPT_ONLY": "1"}) as front, ExitStack() as stack:
        workers = [stack.enter_context(Worker(settings)) for _ in range(3)]
        connect(github, front)
        # Of three installations, because one has fewer lanes than this.
        pulls = [open_pull(github, f"acme{number % 3}/shop{number}") for number in range(9)]
        for pull in pulls:
            models.wait_for(pull.head_sha, 2)
        owners = {pull.head_sha: claimed_by(address, pull) for pull in pulls}
        victim = next(worker for worker in workers if worker.name in owners.values())
        victim.kill()
        models.release()
        for pull in pulls:
            until(finished(pull))
    for pull in pulls:
        again = [1] if owners[pull.head_sha] == victim.name else []
        assert models.of(pull.head_sha) == [0, 1, *again, 2]
        assert len(pull.check_runs) == 1


def test_a_worker_that_is_told_to_stop_hands_its_review_to_the_others(github, models, settings, address):
    models.hold(1)
    with Service(settings | {"ACCEPT_ONLY": "1"}) as front, Worker(settings) as first:
        connect(github, front)
        pull = open_pull(github)
        models.wait_for(pull.head_sha, 2)
        assert first.terminate() == 0, first.said()
        assert claimed_by(address, pull) is None
        models.release()
        with Worker(settings):
            until(finished(pull))
    assert models.of(pull.head_sha) == [0, 1, 1, 2]


def test_a_worker_taken_for_dead_by_mistake_posts_nothing_when_it_comes_back(github, models, settings, address):
    """Frozen while GitHub answers its last look, its connections cut meanwhile: the other one has posted when it wakes."""
    gate = github.faults.hold("GET", "*/reviews")
    with Service(settings | {"ACCEPT_ONLY": "1"}) as front, Worker(settings) as sleeper:
        connect(github, front)
        pull = open_pull(github)
        gate.wait_until_reached()
        sleeper.pause()
        cut_connections(address)
        with Worker(settings):
            gate.release()
            until(finished(pull))
            sleeper.go_on()
            again = pull.repository.open_pull(files={"b.ts": "1\n"})
            until(finished(again))
    assert len(pull.reviews) == 1
    assert models.of(pull.head_sha) == [0, 1, 2]


@pytest.mark.timeout(900)
def test_a_database_that_is_restarted_under_load_loses_nothing(github, models, settings, server):
    if server is None:
        pytest.skip("the server of TEST_DATABASE_URL is not ours to restart; the private one is")
    models.hold(1)
    with Service(settings | {"ACCEPT_ONLY": "1"}) as front, Worker(settings) as one, Worker(settings) as other:
        connect(github, front)
        pulls = [open_pull(github, f"acme/shop{number}") for number in range(6)]
        for pull in pulls:
            models.wait_for(pull.head_sha, 2)
        server.stop()
        late = open_pull(github, "acme/late")
        assert late.delivery.status_code == 503
        models.release()
        server.start()
        until(lambda: github.redeliver(late.delivery.guid).status_code == 202)
        for pull in [*pulls, late]:
            # The engine waits longer after each try in vain, up to a minute; a busy machine makes the outage long.
            until(finished(pull), lambda at=pull: told(at, one, other), seconds=RECOVERY_SECONDS)
    asked = Counter(models.asked)
    assert {asked[pull.head_sha, number] for pull in pulls for number in (0, 1, 2)} == {1}


def cut_connections(address):
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
