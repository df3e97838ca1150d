"""More than the bot can do: what is put off says so, nothing is refused, and what was put off is made when there is room."""

from __future__ import annotations

import dataclasses
import threading

import pytest

from app.jobs import Timing
from app.sandbox import Sandbox
from tests.fakes.contract import violations
from tests.fakes.models import FakeModels
from tests.fakes.service import FREELY
from tests.stories.bot import SECRET, WAIT_SECONDS, Bot, completed, environment, wait_for
from tests.stories.test_sweeps import Clock, dead_address

QUEUE = Timing(
    settle_seconds=0.1,
    retry_first_seconds=0.2,
    retry_longest_seconds=1.0,
    sweep_seconds=0,
    spacing=FREELY,
    reviews_at_most=6,
    commands_at_most=1,
)
CLEAN = {"overview": "It counts.", "findings": []}
ANSWER = {"answer": "Because.", "places": [], "unknown": ""}


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def github(clock):
    with Sandbox(clock=clock) as sandbox:
        sandbox.webhook(f"{dead_address()}/webhooks/github", secret=SECRET)
        yield sandbox
        assert violations(sandbox.requests) == []


@pytest.fixture
def go_on():
    """Until it is set, no model answers."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def models(go_on):
    def review(_request):
        go_on.wait(WAIT_SECONDS)
        return CLEAN

    with FakeModels() as server:
        server.answers_instantly({"review": review})
        yield server
        go_on.set()


def bot_of(github, models, folder, **timing):
    model = {**models.environment("openai"), "PRINCIPAL_MODEL": "openai:gpt-6.1-sol"}
    return Bot(environment(github, folder, **model), timing=dataclasses.replace(QUEUE, **timing))


def listen(github, bot):
    github.webhook(f"{bot.url}/webhooks/github", secret=SECRET)


def repository_of(github, name):
    made = github.create_repository(name, files={"src/a.ts": "export const total = 1;\n"})
    made.add_collaborator("alice", "write")
    return made


def open_pulls(place, count, **how):
    return [
        place.open_pull(files={f"src/{number}.ts": f"export const n = {number};\n"}, title=f"{number}", body="", **how)
        for number in range(count)
    ]


def told(pull):
    return [run.output.title for run in pull.check_runs if run.status == "completed"]


def those_told(pulls):
    return wait_for(lambda: [pull for pull in pulls if told(pull)], why="nobody was told")


def test_when_too_many_wait_the_busiest_repository_s_oldest_is_put_off_and_told(github, models, go_on, tmp_path):
    with bot_of(github, models, tmp_path) as bot:
        listen(github, bot)
        # Four run, of which none is put off, and two wait: the queue is full.
        noisy = open_pulls(repository_of(github, "acme/noisy"), 6)
        models.wait_for_requests(4)
        (quiet,) = open_pulls(repository_of(github, "acme/quiet"), 1)
        assert quiet.delivery.status_code == 202
        models.wait_for_requests(5)
        (put_off,) = those_told(noisy)
        (run,) = put_off.check_runs
        assert run.conclusion == "skipped"
        assert run.output.title == "Not reviewed: Too many reviews wait already (QUEUE_FULL)"
        assert "`/review` asks for it now" in run.output.summary
        go_on.set()
        for pull in [quiet, *noisy]:
            completed(pull)
    assert [len(pull.reviews) for pull in [quiet, *noisy]] == [int(pull is not put_off) for pull in [quiet, *noisy]]


def test_a_person_whose_review_was_put_off_may_ask_for_it_now(github, models, go_on, tmp_path):
    with bot_of(github, models, tmp_path) as bot:
        listen(github, bot)
        pulls = open_pulls(repository_of(github, "acme/noisy"), 7)
        (put_off,) = those_told(pulls)
        put_off.comment("/review", by="alice")
        models.wait_for_requests(5)
        go_on.set()
        wait_for(lambda: len(put_off.reviews) == 1, why="the person's request was not heard")


def test_a_command_too_many_is_seen_and_answered(github, models, go_on, tmp_path):
    with bot_of(github, models, tmp_path) as bot:
        listen(github, bot)
        first, second = open_pulls(repository_of(github, "acme/shop"), 2, deliver=False)
        first.comment("/review", by="alice")
        models.wait_for_requests(1)
        comment = second.comment("/review", by="alice")
        assert second.delivery.status_code == 202
        those_told([second])
        assert "QUEUE_FULL" in told(second)[0]
        assert [reaction.content for reaction in comment.reactions] == ["eyes"]
        go_on.set()


def test_a_question_too_many_is_told_so(github, models, go_on, tmp_path):
    with bot_of(github, models, tmp_path) as bot:
        listen(github, bot)
        (pull,) = open_pulls(repository_of(github, "acme/shop"), 1, deliver=False)
        models.answers_instantly({"answer": lambda _: go_on.wait(WAIT_SECONDS) and ANSWER})
        pull.comment("/ask why?", by="alice")
        models.wait_for_requests(1)
        pull.comment("/ask what?", by="alice")
        wait_for(lambda: len(pull.issue_comments) == 3, why="the second question got no answer")
        told = pull.issue_comments[-1].body
        assert told.startswith("Not answered: Too many questions wait already.")
        assert "(`TOO_MANY_QUESTIONS`)" in told
        go_on.set()
        wait_for(lambda: len(pull.issue_comments) == 4, why="the first question got no answer")


def test_what_was_put_off_is_made_by_a_sweep_when_there_is_room(github, clock, models, go_on, tmp_path):
    clock.ago(minutes=10)
    pulls = open_pulls(repository_of(github, "acme/noisy"), 7, deliver=False)
    clock.now()
    with bot_of(github, models, tmp_path) as bot:
        listen(github, bot)
        github.deliver_held()
        (put_off,) = those_told(pulls)
        go_on.set()
        for pull in pulls:
            completed(pull)
    assert put_off.reviews == []
    with bot_of(github, models, tmp_path, sweep_after_start_seconds=0.1, sweep_seconds=0.5) as bot:
        listen(github, bot)
        wait_for(lambda: put_off.reviews, why="no sweep found it")
    assert [len(pull.reviews) for pull in pulls] == [1] * 7
