"""More than the bot can do: what is put off says so, nothing is refused, and what was put off is made when there is room."""

from __future__ import annotations

import threading

import pytest

from app.jobs import Timing
from tests.fakes.contract import described_github
from tests.fakes.models import FakeModels
from tests.fakes.service import FREELY
from tests.stories.bot import SECRET, Bot, completed, environment, wait_for

QUEUE = Timing(
    settle_seconds=0.1,
    retry_first_seconds=0.2,
    retry_longest_seconds=1.0,
    sweep_seconds=0,
    spacing=FREELY,
    reviews_at_most=6,
    commands_at_most=1,
)
BASE = "export const total = 1;\n"
CLEAN = {"review": {"overview": "It counts.", "findings": []}}


@pytest.fixture
def github():
    with described_github() as sandbox:
        yield sandbox


@pytest.fixture
def models():
    with FakeModels() as server:
        server.answers_instantly(CLEAN)
        yield server


def with_model(models):
    return {**models.environment("openai"), "PRINCIPAL_MODEL": "openai:gpt-6.1-sol"}


def repository_of(github, name):
    made = github.create_repository(name, files={"src/a.ts": BASE})
    made.add_collaborator("alice", "write")
    return made


def open_pulls(place, count, **how):
    return [
        place.open_pull(files={f"src/{number}.ts": f"export const n = {number};\n"}, title=f"{number}", body="", **how)
        for number in range(count)
    ]


def told(pull):
    return [run.output.title for run in pull.check_runs if run.status == "completed"]


def test_when_too_many_wait_the_busiest_repository_s_oldest_is_put_off_and_told(github, models, tmp_path):
    gate = threading.Event()
    models.will_hang(gate, times=100)
    with Bot(environment(github, tmp_path, **with_model(models)), timing=QUEUE) as bot:
        github.webhook(f"{bot.url}/webhooks/github", secret=SECRET)
        # Four run, of which none is put off, and two wait: the queue is full.
        noisy = open_pulls(repository_of(github, "acme/noisy"), 6)
        models.wait_for_requests(4)
        (quiet,) = open_pulls(repository_of(github, "acme/quiet"), 1)
        assert quiet.delivery.status_code == 202
        models.wait_for_requests(5)
        put_off = wait_for(lambda: [pull for pull in noisy if told(pull)], why="nobody was told")
        assert len(put_off) == 1
        (run,) = put_off[0].check_runs
        assert (run.conclusion, run.output.title) == ("skipped", "Not reviewed: Too many reviews wait already (QUEUE_FULL)")
        assert "`/review` asks for it now" in run.output.summary
        assert told(quiet) == []
        gate.set()


def test_what_was_put_off_is_reviewed_when_there_is_room(github, models, tmp_path):
    gate = threading.Event()
    models.will_hang(gate, times=4)
    with Bot(environment(github, tmp_path, **with_model(models)), timing=QUEUE) as bot:
        github.webhook(f"{bot.url}/webhooks/github", secret=SECRET)
        pulls = open_pulls(repository_of(github, "acme/noisy"), 7)
        (put_off,) = wait_for(lambda: [pull for pull in pulls if told(pull)], why="nobody was told")
        put_off.comment("/review", by="alice")
        wait_for(lambda: len(put_off.reviews) == 1, why="the person's request was not heard")
        gate.set()


def test_a_command_too_many_is_seen_and_answered(github, models, tmp_path):
    gate = threading.Event()
    models.will_hang(gate, times=100)
    with Bot(environment(github, tmp_path, **with_model(models)), timing=QUEUE) as bot:
        github.webhook(f"{bot.url}/webhooks/github", secret=SECRET)
        first, second = open_pulls(repository_of(github, "acme/shop"), 2, draft=True)
        first.comment("/review", by="alice")
        models.wait_for_requests(1)
        comment = second.comment("/review", by="alice")
        assert second.delivery.status_code == 202
        wait_for(lambda: told(second), why="nobody was told")
        assert "QUEUE_FULL" in told(second)[0]
        assert [reaction.content for reaction in comment.reactions] == ["eyes"]
        gate.set()


def test_a_pull_that_was_put_off_is_found_by_the_next_sweep(github, models, tmp_path):
    gate = threading.Event()
    models.will_hang(gate, times=100)
    with Bot(environment(github, tmp_path, **with_model(models)), timing=QUEUE) as bot:
        github.webhook(f"{bot.url}/webhooks/github", secret=SECRET)
        pulls = open_pulls(repository_of(github, "acme/noisy"), 7)
        (put_off,) = wait_for(lambda: [pull for pull in pulls if told(pull)], why="nobody was told")
        gate.set()
        for pull in pulls:
            completed(pull)
    assert put_off.reviews == []
