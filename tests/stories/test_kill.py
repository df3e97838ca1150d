"""The bot is killed in the middle of a review, and nothing is lost, bought twice or posted twice."""

from __future__ import annotations

import signal
import threading
from collections import Counter

from app import tracing
from app.sandbox import Sandbox
from tests.fakes import contract
from tests.fakes.collector import Collector
from tests.fakes.models import FakeModels
from tests.stories.bot import SECRET, START_SECONDS, WAIT_SECONDS, BotProcess, completed, environment, wait_for
from tests.stories.test_main_job import BASE, CLAIM, FIX, HEAD, VERDICT, with_model

LESS_THAN_GITHUB_SECONDS = 25
"""The bot gives GitHub thirty seconds to answer."""
REPLIES = {
    "review": {"overview": "It charges orders.", "findings": [CLAIM]},
    "verify": {"verdicts": [VERDICT]},
    "fix": FIX,
}


def names_of(collector):
    return {span.name for span in collector.spans}


def open_pull(github, bot):
    repository = github.create_repository("acme/shop", files={"src/pay.ts": BASE})
    github.webhook(f"{bot.url}/webhooks/github", secret=SECRET)
    return repository.open_pull(files={"src/pay.ts": HEAD}, title="Skip empty orders", body="")


def test_a_bot_killed_while_it_verifies_goes_on_and_buys_no_finished_call_again(tmp_path):
    with Sandbox() as github, FakeModels() as models, Collector() as collector:
        models.answers_instantly(REPLIES)
        gate = models.will_hang(purpose="verify")
        traced = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "50"}
        with BotProcess(environment(github, tmp_path, **with_model(models), **traced)) as bot:
            pull = open_pull(github, bot)
            assert pull.delivery.status_code == 202
            models.wait_for_requests(2, within_seconds=WAIT_SECONDS)
            wait_for(lambda: names_of(collector) >= {"webhook", "model review"}, why="no spans came before the kill")
            bot.kill()
            gate.set()
            assert pull.reviews == []
            bot.start()
            completed(pull)
            assert bot.terminate() == 0
        asked = Counter(request.schema_name for request in models.requests)
        assert asked["ReviewReply"] == 1
        assert asked["FixesReply"] == 1
        assert asked["VerifyReply"] == 2, "the call that was in flight is asked again, and no other"
        assert len(pull.reviews) == 1
        assert len(pull.check_runs) == 1
        assert contract.violations(github.requests) == []
        # What the second process did stands in the trace that the first one began, below the same webhook.
        mine = [span for span in collector.spans if span.trace == tracing.trace_of(pull.delivery.guid)]
        (webhook,) = [span for span in mine if span.name == "webhook"]
        assert len([span for span in mine if span.name == "review_pull" and span.parent == webhook.id]) >= 1
        assert {"model review", "model verify", "model fix"} <= {span.name for span in mine}


def test_a_bot_killed_while_it_posts_finds_its_review_by_the_marker_and_posts_it_once(tmp_path):
    with Sandbox() as github:
        gate = github.faults.hold("POST", "*/reviews")
        with BotProcess(environment(github, tmp_path)) as bot:
            pull = open_pull(github, bot)
            gate.wait_until_reached()
            bot.kill()
            gate.release()
            wait_for(lambda: len(pull.reviews) == 1, why="the review that was sent did not stand")
            bot.start()
            completed(pull)
            assert bot.terminate() == 0
        assert len(pull.reviews) == 1
        assert len(pull.check_runs) == 1


def test_a_second_process_on_the_same_data_is_refused_and_says_why(tmp_path):
    import subprocess
    import sys

    with Sandbox() as github, BotProcess(environment(github, tmp_path)) as bot:
        second = subprocess.run(
            [sys.executable, "-P", "-m", "app", "serve"],
            env={**bot._environ, "PORT": "0"},
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
            timeout=90,
        )
        assert second.returncode == 2
        assert "another" in second.stderr.lower()
        assert "Traceback" not in second.stderr
        assert bot.is_ready()


def test_r07_told_to_stop_it_finishes_what_runs_begins_nothing_more_and_takes_what_still_comes(tmp_path):
    """Readiness goes off first; a delivery that comes in the last moments is answered, kept, and decided by the next start."""
    go_on = threading.Event()

    def review(_request):
        go_on.wait(WAIT_SECONDS)
        return REPLIES["review"]

    with Sandbox() as github, FakeModels() as models:
        models.answers_instantly({**REPLIES, "review": review})
        patient = environment(github, tmp_path, PRINCIPAL_GRACE_SECONDS="60", **with_model(models))
        with BotProcess(patient) as bot:
            running = open_pull(github, bot)
            models.wait_for_requests(1)
            bot.process.send_signal(signal.SIGTERM)
            wait_for(lambda: not bot.is_ready(), why="it still says that it is ready")
            late = running.repository.open_pull(files={"src/late.ts": HEAD}, title="Late", body="")
            assert late.delivery.status_code == 202
            go_on.set()
            assert bot.process.wait(START_SECONDS) == 0
            assert len(running.reviews) == 1
            assert [run.status for run in running.check_runs] == ["completed"]
            assert late.check_runs == []
            bot.start()
            completed(late)
            assert bot.terminate() == 0
        assert (len(running.reviews), len(late.reviews)) == (1, 1)
        assert contract.violations(github.requests) == []


def test_told_to_stop_while_github_keeps_it_waiting_it_goes_at_once_and_posts_at_the_next_start(tmp_path):
    """Nothing that it waits for holds up its end: not GitHub's answer, for which it would wait half a minute."""
    with Sandbox() as github:
        gate = github.faults.hold("POST", "*/reviews")
        with BotProcess(environment(github, tmp_path)) as bot:
            pull = open_pull(github, bot)
            gate.wait_until_reached(WAIT_SECONDS)
            bot.process.send_signal(signal.SIGTERM)
            assert bot.process.wait(LESS_THAN_GITHUB_SECONDS) == 0
            gate.release()
            wait_for(lambda: len(pull.reviews) == 1, why="the review that was sent did not stand")
            bot.start()
            completed(pull)
            assert bot.terminate() == 0
        assert len(pull.reviews) == 1
        assert contract.violations(github.requests) == []


def test_a_bot_killed_while_it_answers_goes_on_and_says_it_once(tmp_path):
    """Killed while the model thinks, and again while the answer is on its way."""
    answer = {"answer": "It charges nothing.", "places": [], "unknown": ""}
    with Sandbox() as github, FakeModels() as models:
        models.answers_instantly(REPLIES | {"answer": answer})
        thinking = models.will_hang(purpose="answer")
        with BotProcess(environment(github, tmp_path, **with_model(models))) as bot:
            pull = open_pull(github, bot)
            pull.repository.add_collaborator("alice", "write")
            completed(pull)
            asked = pull.comment("/ask what does it charge?", by="alice")
            wait_for(lambda: models.asked_for("answer"), why="the model was not asked")
            sending = github.faults.hold("POST", "*/issues/*/comments")
            bot.kill()
            thinking.set()
            bot.start()
            sending.wait_until_reached()
            bot.kill()
            sending.release()
            bot.start()
            wait_for(lambda: [one.content for one in asked.reactions] == ["eyes", "rocket"], why="no end was shown")
            assert bot.terminate() == 0
        assert len([one for one in pull.issue_comments if one.body.startswith("It charges nothing.")]) == 1
        assert len(models.asked_for("answer")) == 2, "only the call that was in flight is asked again"
