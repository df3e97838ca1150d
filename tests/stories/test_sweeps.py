"""Sweeps: what was missed while the bot was down, and what is not asked for again."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from app.jobs import Timing
from app.sandbox import Sandbox
from tests.fakes.contract import violations
from tests.fakes.models import FakeModels
from tests.fakes.service import FREELY
from tests.stories.bot import SECRET, Bot, completed, environment, wait_for

BASE = "export const total = 1;\n"
HEAD = "export const total = 2;\n"
SWEEPING = Timing(
    settle_seconds=0.2,
    retry_first_seconds=0.2,
    retry_longest_seconds=1.0,
    sweep_after_start_seconds=0.1,
    sweep_seconds=0.5,
    spacing=FREELY,
)


class Clock:
    """The time GitHub has: some days before now, until it is `now()`."""

    def __init__(self) -> None:
        self.behind = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC).replace(microsecond=0) - self.behind

    def ago(self, **how: float) -> None:
        self.behind = timedelta(**how)

    def now(self) -> None:
        self.behind = timedelta()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def github(clock: Clock) -> Iterator[Sandbox]:
    with Sandbox(clock=clock) as sandbox:
        sandbox.webhook(f"{dead_address()}/webhooks/github", secret=SECRET)
        yield sandbox
        assert violations(sandbox.requests) == []


def dead_address() -> str:
    """An address at which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


def repository_of(github, name="acme/shop"):
    repository = github.create_repository(name, files={"src/a.ts": BASE})
    repository.add_collaborator("alice", "write")
    return repository


def open_pull(repository, number=1, **how):
    return repository.open_pull(files={f"src/{number}.ts": HEAD}, title=f"Change {number}", body="", **how)


def listen(github, bot):
    github.webhook(f"{bot.url}/webhooks/github", secret=SECRET)


def sweeps(github):
    return [one for one in github.requests.rest if one.path == "/app/hook/deliveries" and "failure" in one.target]


def wait_for_sweeps(github, more=2):
    """Until so many sweeps more have begun, so that all before the last are over."""
    wanted = len(sweeps(github)) + more + 1
    wait_for(lambda: len(sweeps(github)) >= wanted, why="no sweep came")


def attempts(github):
    return [one for one in github.requests.rest if one.path.endswith("/attempts")]


def test_r33_what_came_while_the_bot_was_down_is_reviewed_after_its_start_and_nothing_twice(github, clock, tmp_path):
    clock.ago(hours=1)
    shop, tools = repository_of(github), repository_of(github, "acme/tools")
    pulls = [open_pull(shop, number) for number in range(3)] + [open_pull(tools)]
    draft = open_pull(tools, 2, draft=True)
    draft.comment("/review", by="alice")
    waiting = open_pull(tools, 3, draft=True)
    assert all(not pull.delivery.succeeded for pull in pulls)
    clock.now()
    with Bot(environment(github, tmp_path), timing=SWEEPING) as bot:
        listen(github, bot)
        for pull in [*pulls, draft]:
            completed(pull)
        github.settle()
        wait_for_sweeps(github)
        asked = len(attempts(github))
        wait_for_sweeps(github)
        assert len(attempts(github)) == asked
    assert [len(pull.reviews) for pull in [*pulls, draft]] == [1] * 5
    assert [len(pull.check_runs) for pull in pulls] == [1] * 4
    # The draft that was opened may be decided on, and told so, before the request for it is.
    assert len([run for run in draft.check_runs if "it is a draft" not in run.output.title]) == 1
    assert waiting.reviews == []
    assert [run.output.title for run in waiting.check_runs] == ["Not reviewed: it is a draft (drafts: false)"]


def test_a_pull_whose_webhook_was_never_sent_is_found_by_its_head(github, clock, tmp_path):
    clock.ago(minutes=30)
    pull = open_pull(repository_of(github), deliver=False)
    clock.now()
    with Bot(environment(github, tmp_path), timing=SWEEPING) as bot:
        listen(github, bot)
        completed(pull)
        wait_for_sweeps(github)
    assert len(pull.reviews) == 1


def test_sweeps_cost_a_review_none_of_its_calls(github, clock, tmp_path):
    """Sweeps come every half second while one review after the other is made: they list, and ask for no pull that is new.

    A review takes eight calls, and two for its summary.
    """
    with Bot(environment(github, tmp_path), timing=SWEEPING) as bot:
        listen(github, bot)
        repository = repository_of(github)
        for number in range(2):
            completed(open_pull(repository, number))
            wait_for_sweeps(github)
    asked = [one for one in github.requests.rest if one.path.startswith("/repos/acme/shop/")]
    assert len([one for one in asked if one.path != "/repos/acme/shop/pulls"]) <= 2 * (8 + 2)


def test_a_delivery_that_failed_four_days_ago_is_not_asked_for_again(github, clock, tmp_path):
    clock.ago(days=4)
    pull = open_pull(repository_of(github), draft=True)
    pull.comment("/review", by="alice")
    assert pull.delivery.status_code == 0
    clock.now()
    with Bot(environment(github, tmp_path), timing=SWEEPING) as bot:
        listen(github, bot)
        wait_for_sweeps(github)
    assert attempts(github) == []
    assert pull.reviews == []


def test_an_installation_that_github_slows_down_is_left_alone_and_others_are_not(github, clock, tmp_path):
    clock.ago(hours=1)
    limited = open_pull(repository_of(github), deliver=False)
    other = open_pull(repository_of(github, "other/shop"), deliver=False)
    clock.now()
    github.faults.limit(429, "GET", "/repos/acme/*", retry_after_seconds=3600, times=99)
    with Bot(environment(github, tmp_path), timing=SWEEPING) as bot:
        listen(github, bot)
        completed(other)
        wait_for_sweeps(github, more=3)
    assert len([one for one in github.requests.rest if one.path.startswith("/repos/acme/")]) == 1
    assert limited.reviews == []
    assert len(other.reviews) == 1


def test_repositories_that_are_not_served_are_not_even_listed(github, clock, tmp_path):
    clock.ago(hours=1)
    left_out = open_pull(repository_of(github), deliver=False)
    served = open_pull(repository_of(github, "acme/tools"), deliver=False)
    clock.now()
    with Bot(environment(github, tmp_path, PRINCIPAL_REPOSITORIES="acme/tools"), timing=SWEEPING) as bot:
        listen(github, bot)
        completed(served)
        wait_for_sweeps(github)
    assert [one.path for one in github.requests.rest if "/repos/acme/shop" in one.path] == []
    assert left_out.check_runs == []


def test_a_head_whose_review_failed_for_good_is_not_taken_again(github, clock, tmp_path):
    with FakeModels() as models:
        models.will_fail(401, times=50)
        clock.ago(hours=1)
        pull = open_pull(repository_of(github), deliver=False)
        clock.now()
        model = {**models.environment("openai"), "PRINCIPAL_MODEL": "openai:gpt-6.1-sol"}
        with Bot(environment(github, tmp_path, **model), timing=SWEEPING) as bot:
            listen(github, bot)
            completed(pull)
            wait_for_sweeps(github)
    assert len(pull.check_runs) == 1


def test_a_head_that_was_reviewed_before_the_database_was_lost_is_known_by_its_check_run(github, clock, tmp_path):
    clock.ago(hours=1)
    pull = open_pull(repository_of(github), deliver=False)
    clock.now()
    for _ in range(2):
        with Bot(environment(github, tmp_path / "data"), timing=SWEEPING) as bot:
            listen(github, bot)
            completed(pull)
            wait_for_sweeps(github)
        shutil.rmtree(tmp_path / "data")
    assert (len(pull.reviews), len(pull.check_runs)) == (1, 1)


def test_a_review_cancelled_by_closing_is_made_when_the_pull_was_reopened_unheard(github, clock, tmp_path):
    with FakeModels() as models:
        gate = models.will_hang()
        repository = repository_of(github)
        model = {**models.environment("openai"), "PRINCIPAL_MODEL": "openai:gpt-6.1-sol"}
        with Bot(environment(github, tmp_path, **model), timing=SWEEPING) as bot:
            listen(github, bot)
            pull = open_pull(repository)
            models.wait_for_requests(1)
            pull.close()
            gate.set()
            completed(pull)
        models.answers_instantly({"review": {"overview": "It counts.", "findings": []}})
        clock.ago(minutes=10)
        pull.reopen(deliver=False)
        clock.now()
        with Bot(environment(github, tmp_path, **model), timing=SWEEPING):
            wait_for(lambda: pull.reviews, why="the reopened pull was not reviewed")
            wait_for_sweeps(github)
    assert len(pull.reviews) == 1
