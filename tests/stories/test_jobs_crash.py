"""The process is killed, as a crash or the kernel would: the next one goes on where it stood, and does nothing twice."""

from __future__ import annotations

import pytest

from tests.fakes.ledger import Ledger
from tests.fakes.service import SECRET, Process, environment, until


@pytest.fixture
def models():
    with Ledger() as ledger:
        yield ledger


@pytest.fixture
def settings(github, models, tmp_path):
    return environment(github, tmp_path, models.url)


def connect(github, process):
    github.webhook(f"{process.url}/webhooks/github", secret=SECRET)


def open_pull(github, *, deliver=True):
    return github.create_repository("acme/shop", files={"a.ts": "1\n"}).open_pull(
        files={"a.ts": "2\n"}, deliver=deliver
    )


def finished(pull):
    return lambda: len(pull.reviews) == 1 and [run.status for run in pull.check_runs] == ["completed"]


def test_r03_a_killed_review_goes_on_where_it_stood(github, models, settings):
    """The second question is asked twice, for it was in flight. The first was answered, and is never asked again."""
    models.hold(1)
    with Process(settings) as first:
        connect(github, first)
        pull = open_pull(github)
        models.wait_for(pull.head_sha, 2)
        first.kill()
    models.release()
    with Process(settings):
        until(finished(pull), lambda: f"{pull.reviews} {models.asked}")
    assert models.of(pull.head_sha) == [0, 1, 1, 2]
    assert len(pull.check_runs) == 1


def test_r03_killed_again_and_again_it_still_buys_each_answer_once(github, models, settings):
    models.hold(2)
    with Process(settings) as first:
        connect(github, first)
        pull = open_pull(github)
        models.wait_for(pull.head_sha, 3)
        first.kill()
    for kills in (1, 2):
        with Process(settings) as next_one:
            models.wait_for(pull.head_sha, 3 + kills)
            next_one.kill()
    models.release()
    with Process(settings):
        until(finished(pull), lambda: f"{pull.reviews} {models.asked}")
    assert models.of(pull.head_sha) == [0, 1, 2, 2, 2, 2]
    assert len(pull.reviews) == 1


def test_r38_a_review_that_stops_every_process_is_given_up_and_says_so(github, models, settings, tmp_path):
    models.hold()
    with Process(settings) as first:
        connect(github, first)
        pull = open_pull(github)
        models.wait_for(pull.head_sha, 1)
        first.kill()
    for _ in range(3):
        # Each of these processes begins it again, and dies before it gets anywhere.
        asked = len(models.of(pull.head_sha))
        with Process(settings) as later:
            models.wait_for(pull.head_sha, asked + 1)
            later.kill()
    models.release()
    with Process(settings):
        until(lambda: [run.status for run in pull.check_runs] == ["completed"])
        assert "failed: The job stopped the server's process several times" in pull.check_runs[0].output.title
    assert pull.reviews == []
    assert models.of(pull.head_sha) == [0, 0, 0, 0]


def test_r02_a_delivery_that_was_accepted_survives_the_process(github, settings):
    """Killed while it was being decided on: the row and the job were on the disk before GitHub had its answer."""
    gate = github.faults.hold("GET", "*/pulls/*")
    with Process(settings) as first:
        connect(github, first)
        pull = open_pull(github)
        assert pull.delivery.status_code == 202
        gate.wait_until_reached()
        first.kill()
    gate.release()
    with Process(settings) as second:
        connect(github, second)
        until(finished(pull))
        assert github.redeliver(pull.delivery.guid).status_code == 200
    assert len(pull.reviews) == 1


def test_r05_a_post_that_was_under_way_when_the_process_died_is_found_and_not_repeated(github, models, settings):
    gate = github.faults.hold("POST", "*/reviews")
    with Process(settings) as first:
        connect(github, first)
        pull = open_pull(github)
        gate.wait_until_reached()
        first.kill()
    gate.release()
    with Process(settings):
        until(finished(pull))
    assert len(pull.reviews) == 1
    assert models.of(pull.head_sha) == [0, 1, 2]


def test_r04_a_post_that_never_left_is_sent_by_the_next_process(github, settings):
    gate = github.faults.hold("GET", "*/reviews")
    with Process(settings) as first:
        connect(github, first)
        pull = open_pull(github)
        gate.wait_until_reached()
        first.kill()
    gate.release()
    with Process(settings):
        until(finished(pull))
    assert len(pull.reviews) == 1


def test_a_second_process_is_refused_and_the_first_goes_on(github, settings):
    with Process(settings) as first:
        status, said = Process(settings).ended()
        assert status != 0
        assert "Another principal process already works on this database" in said
        connect(github, first)
        pull = open_pull(github)
        until(finished(pull))
