"""Jobs: every pull request reviewed, once, on its newest head, whatever order the world tells it in.

The service, the database and the door to GitHub are the real ones; GitHub is the sandbox; the story is short.
"""

from __future__ import annotations

import itertools
import json
import random

import pytest

from tests.fakes.contract import described_github
from tests.fakes.deliveries import post
from tests.fakes.ledger import Ledger
from tests.fakes.service import QUESTIONS, SECRET, Service, environment, until

ALL = list(range(QUESTIONS))


@pytest.fixture(scope="module")
def github():
    with described_github() as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def models():
    with Ledger() as ledger:
        yield ledger


@pytest.fixture(scope="module")
def service(github, models, tmp_path_factory):
    with Service(environment(github, tmp_path_factory.mktemp("jobs"), models.url)) as running:
        github.webhook(f"{running.url}/webhooks/github", secret=SECRET)
        yield running
        github.webhook(None)


names = itertools.count()


@pytest.fixture
def repository(github, service, models):
    # An owner of its own is an installation of its own: tests do not share the pace that GitHub asks of one.
    yield github.create_repository(f"owner-{next(names)}/shop", files=fresh(), private=True)
    github.faults.clear()
    models.release()


def fresh():
    """A change that no other test makes: equal content would be equal commits, also in another repository."""
    return {"a.ts": f"{next(names)}\n"}


def push(pull):
    """Push a new version of the file. Returns the new head."""
    pull.push(fresh())
    return pull.head_sha


def answer(delivery):
    return delivery.status_code, json.loads(delivery.response_body)


def states(jobs):
    return [job.state for job in jobs]


def markers(pull):
    return [review.body for review in pull.reviews]


def heads_reviewed(pull):
    return [body.split(":")[3] for body in markers(pull)]


# Once


def test_an_opened_pull_is_reviewed_once_and_its_check_run_completed(github, service, models, repository):
    github.requests.clear()
    pull = repository.open_pull(files=fresh())
    assert answer(pull.delivery)[0] == 202
    (job,) = service.wait_until_over(pull)
    assert (job.state, job.attempt, job.review_id) == ("done", 1, pull.reviews[0].id)
    assert heads_reviewed(pull) == [pull.head_sha]
    assert models.of(pull.head_sha) == ALL
    assert [(run.status, run.conclusion) for run in pull.check_runs] == [("completed", "neutral")]
    # What deciding read of the pull was handed to the review and not read again.
    assert len(github.requests.find("GET", f"/repos/{repository.full_name}/pulls/1")) == 1


def test_a_delivery_whose_review_succeeded_is_known(github, service, repository):
    pull = repository.open_pull(files=fresh())
    service.wait_until_over(pull)
    assert answer(github.redeliver(pull.delivery.guid)) == (
        200,
        {"status": "duplicate", "reason": "this delivery is known", "job": f"delivery:{pull.delivery.guid}:1"},
    )
    assert len(pull.reviews) == 1


def test_s41_r30_the_same_event_under_a_new_guid_is_the_same_job(github, service, models, repository):
    pull = repository.open_pull(files=fresh())
    service.wait_until_over(pull)
    again = github.send_again_under_a_new_guid(pull.delivery)
    assert answer(again)[0] == 202
    until(lambda: decided(service, again) is not None)
    assert states(service.jobs(pull)) == ["done"]
    assert len(pull.reviews) == 1
    assert models.of(pull.head_sha) == ALL


def decided(service, delivery):
    """The reason that was recorded for a delivery, once it is decided."""
    record = service.run(service.engine.delivery(delivery.guid))
    return record.reason if record.state in ("done", "failed") else None


def test_a_failed_review_says_so_and_its_delivery_is_taken_up_again(github, service, models, repository):
    github.faults.answer(422, "POST", f"*{repository.full_name}/pulls/*/reviews", times=1)
    pull = repository.open_pull(files=fresh())
    (job,) = service.wait_until_over(pull)
    assert (job.state, job.code) == ("failed", "GITHUB_REFUSED")
    until(lambda: [run.status for run in pull.check_runs] == ["completed"])
    assert "failed" in pull.check_runs[0].output.title

    again = github.redeliver(pull.delivery.guid)
    assert answer(again)[0] == 202
    assert answer(again)[1]["status"] == "retaken"
    until(lambda: states(service.wait_until_over(pull)) == ["done"])
    (job,) = service.jobs(pull)
    assert job.attempt == 2
    assert len(pull.reviews) == 1


def test_a_review_whose_answer_was_lost_is_posted_once(github, service, repository):
    """R-05: the review stands, the connection was cut before GitHub could say so."""
    github.faults.lose_answer("POST", f"*{repository.full_name}/pulls/*/reviews")
    pull = repository.open_pull(files=fresh())
    (job,) = service.wait_until_over(pull)
    assert (job.state, job.review_id) == ("done", pull.reviews[0].id)
    assert len(pull.reviews) == 1


def test_a_review_that_never_arrived_is_sent_again(github, service, repository):
    github.faults.cut("POST", f"*{repository.full_name}/pulls/*/reviews")
    pull = repository.open_pull(files=fresh())
    (job,) = service.wait_until_over(pull)
    assert job.state == "done"
    assert len(pull.reviews) == 1


def test_r21_a_server_error_after_the_effect_does_not_post_twice(github, service, repository):
    github.faults.answer_after_effect(502, "POST", f"*{repository.full_name}/pulls/*/reviews", times=1)
    pull = repository.open_pull(files=fresh())
    assert states(service.wait_until_over(pull)) == ["done"]
    assert len(pull.reviews) == 1


def test_a_review_that_must_wait_buys_nothing_twice(service, models, repository):
    """A model that fails for a moment: the story is told again, with what the finished steps had returned."""
    models.hold()
    pull = repository.open_pull(files=fresh())
    models.wait_for(pull.head_sha, 1)
    models.break_next()
    models.release()
    assert states(service.wait_until_over(pull)) == ["done"]
    assert models.of(pull.head_sha) == [0, 1, 1, 2]
    assert len(pull.reviews) == len(pull.check_runs) == 1


def test_r21_a_delivery_waits_out_an_outage_of_github(github, service, repository):
    github.faults.answer(503, "GET", f"*{repository.full_name}/pulls/*", times=5)
    pull = repository.open_pull(files=fresh())
    assert states(service.wait_until_over(pull)) == ["done"]
    assert len(pull.reviews) == 1


# Newest


def test_s52_a_newer_head_stops_the_running_review_which_buys_nothing_more(service, models, repository):
    models.hold()
    pull = repository.open_pull(files=fresh())
    old = pull.head_sha
    models.wait_for(old, 1)
    new = push(pull)
    models.wait_for(new, 1)
    models.release()
    assert states(service.wait_until_over(pull, jobs=2)) == ["superseded", "done"]
    assert models.of(old) == [0]
    assert heads_reviewed(pull) == [new]
    until(lambda: all(run.status == "completed" for run in check_runs(repository, old, new)))
    assert [run.output.title.split(":")[0] for run in check_runs(repository, old, new)] == ["superseded", "posted"]


def check_runs(repository, *heads):
    runs = {run.id: run for run in repository.check_runs if run.head_sha in heads}
    return [runs[name] for name in sorted(runs)]


def test_r24_a_head_that_comes_back_is_reviewed(service, models, repository):
    """A, then B, then A again while neither was finished: A is a job that was superseded, and begins its second attempt."""
    models.hold()
    pull = repository.open_pull(files=fresh())
    first = pull.head_sha
    models.wait_for(first, 1)
    second = push(pull)
    models.wait_for(second, 1)
    pull.reset_to(first)
    models.wait_for(first, 2)
    models.release()
    jobs = {job.key.split(":")[3]: job for job in service.wait_until_over(pull, jobs=2)}
    assert (jobs[first].state, jobs[first].attempt) == ("done", 2)
    assert jobs[second].state == "superseded"
    assert heads_reviewed(pull) == [first]


def test_r24_a_head_that_was_reviewed_and_comes_back_is_read_again_and_its_review_not_posted_twice(service, repository):
    """What was fixed in between is back, so the story is told again; it finds its review of this head and posts no other."""
    pull = repository.open_pull(files=fresh())
    first = pull.head_sha
    service.wait_until_over(pull)
    second = push(pull)
    service.wait_until_over(pull, jobs=2)
    pull.reset_to(first)
    until(lambda: sorted((job.attempt, job.state) for job in service.jobs(pull)) == [(1, "done"), (2, "done")])
    assert heads_reviewed(pull) == [first, second]


def test_closing_stops_the_review(service, models, repository):
    models.hold()
    pull = repository.open_pull(files=fresh())
    models.wait_for(pull.head_sha, 1)
    pull.close()
    assert states(service.wait_until_over(pull)) == ["cancelled"]
    models.release()
    until(lambda: [run.status for run in pull.check_runs] == ["completed"])
    assert pull.reviews == []
    assert models.of(pull.head_sha) == [0]
    pull.reopen()
    until(lambda: states(service.jobs(pull)) == ["done"])
    assert len(pull.reviews) == 1


def test_converting_to_a_draft_stops_the_review(service, models, repository):
    models.hold()
    pull = repository.open_pull(files=fresh())
    models.wait_for(pull.head_sha, 1)
    pull.convert_to_draft()
    assert states(service.wait_until_over(pull)) == ["cancelled"]
    models.release()
    assert pull.reviews == []


def test_a_new_base_is_a_new_review_of_the_same_head(service, repository):
    repository.commit({"b.ts": "1\n"}, branch="release")
    pull = repository.open_pull(files=fresh())
    service.wait_until_over(pull)
    pull.edit(base="release")
    jobs = service.wait_until_over(pull, jobs=2)
    assert states(jobs) == ["done", "done"]
    assert [job.key.split(":")[4] for job in jobs] == ["push", "base"]
    assert len(pull.reviews) == 2
    text_only = pull.edit(body="Another text")
    assert answer(text_only)[0] == 200


@pytest.mark.parametrize("seed", range(4))
def test_r31_any_order_of_deliveries_ends_with_the_newest_head(github, service, repository, seed):
    pull = repository.open_pull(files=fresh(), deliver=False)
    for _ in range(3):
        pull.push(fresh(), deliver=False)
    pull.close(deliver=False)
    pull.reopen(deliver=False)
    held = list(github.held)
    assert len(held) == 6
    random.Random(seed).shuffle(held)
    for delivery in held:
        github.deliver(delivery)
    for delivery in held:
        until(lambda delivery=delivery: decided(service, delivery) is not None)
    assert states(service.wait_until_over(pull)) == ["done"]
    assert heads_reviewed(pull) == [pull.head_sha]


# Commands


def reactions(comment):
    return [reaction.content for reaction in comment.reactions]


def test_a_command_of_a_writer_is_seen_at_once_and_obeyed(service, repository):
    repository.add_collaborator("alice", "write")
    pull = repository.open_pull(files=fresh())
    service.wait_until_over(pull)
    comment = pull.comment("/review", by="alice")
    jobs = service.wait_until_over(pull, jobs=2)
    assert states(jobs) == ["done", "done"]
    assert jobs[1].key.endswith(f":comment:{comment.id}")
    assert reactions(comment) == ["eyes"]
    assert len(pull.reviews) == 2


def test_a_draft_is_reviewed_when_asked(service, repository):
    repository.add_collaborator("alice", "maintain")
    pull = repository.open_pull(files=fresh(), draft=True, deliver=False)
    pull.comment("Please:\n/review quick", by="alice")
    assert states(service.wait_until_over(pull)) == ["done"]


@pytest.mark.parametrize("permission", ["none", "read", "triage"])
def test_s12_a_command_without_write_permission_is_counted_and_not_answered(service, models, repository, permission):
    repository.add_collaborator("eve", permission)
    pull = repository.open_pull(files=fresh(), deliver=False)
    comment = pull.comment("/review", by="eve")
    until(lambda: "commands need write" in (decided(service, pull.delivery) or ""))
    assert service.jobs(pull) == []
    assert reactions(comment) == []
    assert models.of(pull.head_sha) == []


def test_a_command_during_the_review_of_an_older_head_is_answered_about_the_newer_one(service, models, repository):
    """A push supersedes a review that a person asked for; the review of the new head is then theirs."""
    repository.add_collaborator("alice", "write")
    models.hold()
    pull = repository.open_pull(files=fresh(), deliver=False)
    pull.comment("/review", by="alice")
    models.wait_for(pull.head_sha, 1)
    new = push(pull)
    models.wait_for(new, 1)
    models.release()
    jobs = service.wait_until_over(pull, jobs=2)
    assert states(jobs) == ["superseded", "done"]
    assert jobs[1].workflow_id.endswith(f"{new}:push:1")
    assert heads_reviewed(pull) == [new]


# Settings


def test_an_event_without_an_installation_is_ignored_by_an_app(github, service, repository):
    pull = repository.open_pull(files=fresh(), deliver=False)
    payload = json.loads(github.payload("opened", pull))
    del payload["installation"]
    status, text = post(service, json.dumps(payload).encode(), guid="no-installation", event="pull_request")
    assert (status, json.loads(text)["reason"]) == (200, "the event names no installation")
