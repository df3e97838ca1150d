"""Queues: whoever asks much does not make others wait, people's own requests have slots of their own, pushes wait a moment.

Reviews are held where they ask the model, so that what has begun and what waits is told by what was asked.
"""

from __future__ import annotations

import itertools

import pytest

from app.jobs.placing import LANES
from app.jobs.queueing import MANUAL, REVIEWS
from tests.fakes.ledger import Ledger
from tests.fakes.service import SECRET, Service, environment, until

names = itertools.count()


@pytest.fixture
def models():
    with Ledger() as ledger:
        yield ledger


def serving(github, models, folder, **more):
    """The service, with the sandbox's webhook to it."""
    service = Service(environment(github, folder, models.url, **more))
    service.__enter__()
    github.webhook(f"{service.url}/webhooks/github", secret=SECRET)
    return service


@pytest.fixture
def service(github, models, tmp_path):
    running = serving(github, models, tmp_path)
    yield running
    models.release()
    running.__exit__()


def repository(github, owner):
    made = github.create_repository(f"{owner}/shop-{next(names)}", files={"a.ts": "1\n"}, private=True)
    made.add_collaborator("alice", "write")
    return made


def pulls(place, count):
    """So many pull requests, each with a head of its own."""
    return [place.open_pull(files={f"{next(names)}.ts": f"{next(names)}\n"}) for _ in range(count)]


def begun(models, found):
    """Those of these pulls whose review has asked the model."""
    asked = {head for head, _ in models.asked}
    return [pull for pull in found if pull.head_sha in asked]


def all_reviewed(service, models, found):
    models.release()
    for pull in found:
        assert service.wait_until_over(pull)[0].state == "done"
    assert [len(pull.reviews) for pull in found] == [1] * len(found)


def test_a_repository_with_fifty_pushes_does_not_make_its_neighbour_wait(github, service, models):
    models.hold()
    noisy = pulls(repository(github, "acme"), 50)
    until(lambda: len(begun(models, noisy)) == LANES[REVIEWS].of_repository)
    (quiet,) = pulls(repository(github, "acme"), 1)
    models.wait_for(quiet.head_sha, 1)
    assert len(begun(models, noisy)) == LANES[REVIEWS].of_repository
    # Not all fifty-one are waited for: GitHub lets an installation write sixty times a minute.
    all_reviewed(service, models, [quiet])


def test_an_installation_has_so_many_reviews_at_once_and_leaves_the_other_slots_to_others(github, service, models):
    models.hold()
    busy = [pull for _ in range(4) for pull in pulls(repository(github, "acme"), 4)]
    until(lambda: len(begun(models, busy)) == LANES[REVIEWS].of_installation)
    (other,) = pulls(repository(github, "other"), 1)
    models.wait_for(other.head_sha, 1)
    assert len(begun(models, busy)) == LANES[REVIEWS].of_installation
    all_reviewed(service, models, [other, *busy])


def test_a_person_s_request_has_slots_of_its_own(github, service, models):
    """Every lane of the installation holds a review that a push asked for; a comment's review begins all the same."""
    models.hold()
    busy = [pull for _ in range(3) for pull in pulls(repository(github, "acme"), 4)]
    until(lambda: len(begun(models, busy)) == LANES[REVIEWS].of_installation)
    waiting = next(pull for pull in busy if pull not in begun(models, busy))
    waiting.comment("/review", by="alice")
    models.wait_for(waiting.head_sha, 1)
    assert len(begun(models, busy)) == LANES[REVIEWS].of_installation + 1
    models.release()
    for pull in busy:
        until(lambda pull=pull: pull.reviews)
    assert [len(pull.reviews) for pull in busy] == [1] * len(busy)


def test_the_requests_of_one_repository_s_people_leave_slots_to_another_s(github, service, models):
    models.hold()
    noisy = pulls(repository(github, "acme"), 6)
    held = len(begun(models, noisy))
    drafts = [repository(github, "acme") for _ in range(2)]
    asked = [[place.open_pull(files={f"{next(names)}.ts": "1\n"}, deliver=False) for _ in range(4)] for place in drafts]
    for pull in asked[0]:
        pull.comment("/review", by="alice")
    until(lambda: len(begun(models, asked[0])) == LANES[MANUAL].of_repository)
    asked[1][0].comment("/review", by="alice")
    models.wait_for(asked[1][0].head_sha, 1)
    assert len(begun(models, asked[0])) == LANES[MANUAL].of_repository
    assert len(begun(models, noisy)) >= held
    models.release()
    until(lambda: all(pull.reviews for pull in [*noisy, *asked[0], asked[1][0]]))


def test_opening_and_asking_start_at_once_and_pushing_waits_a_moment(github, models, tmp_path):
    service = serving(github, models, tmp_path, PRINCIPAL_QUIET_SECONDS="3600")
    try:
        (pull,) = pulls(repository(github, "acme"), 1)
        service.wait_until_over(pull)
        pull.push({"b.ts": "2\n"})
        until(lambda: [job.state for job in service.jobs(pull)] == ["done", "waiting"])
        pull.push({"b.ts": "3\n"})
        until(lambda: [job.state for job in service.jobs(pull)] == ["done", "superseded", "waiting"])
        pull.comment("/review", by="alice")
        until(lambda: [job.state for job in service.jobs(pull)] == ["done", "superseded", "superseded", "done"])
        assert [review.commit_id for review in pull.reviews][1:] == [pull.head_sha]
        assert len({head for head, _ in models.asked}) == 2
    finally:
        service.__exit__()


def test_when_the_moment_is_over_the_newest_head_is_reviewed(github, models, tmp_path):
    service = serving(github, models, tmp_path, PRINCIPAL_QUIET_SECONDS="1")
    try:
        (pull,) = pulls(repository(github, "acme"), 1)
        service.wait_until_over(pull)
        for number in range(3):
            pull.push({"b.ts": f"{number}\n"}, deliver=False)
        github.deliver_held()
        until(lambda: len(pull.reviews) == 2)
        assert pull.reviews[-1].commit_id == pull.head_sha
        assert [job.state for job in service.wait_until_over(pull, jobs=2)] == ["done", "done"]
    finally:
        service.__exit__()
