"""What an operator sees of a delivery: one trace from the webhook to the last call, its id on every line, and numbers."""

from __future__ import annotations

import re
import shutil
import subprocess
import urllib.request

import pytest

from app import tracing
from tests.fakes.collector import Collector
from tests.fakes.models import FakeModels
from tests.stories.bot import SECRET, Bot, completed, environment, wait_for

BASE = "export const total = 1;\n"


@pytest.fixture
def models():
    with FakeModels() as server:
        server.answers_instantly({"review": {"overview": "It counts.", "findings": []}})
        yield server


@pytest.fixture
def collector():
    with Collector() as server:
        yield server


def reviewed(github, bot, name="acme/shop"):
    github.webhook(f"{bot.url}/webhooks/github", secret=SECRET)
    repository = github.create_repository(name, files={"src/a.ts": BASE})
    pull = repository.open_pull(files={"src/a.ts": BASE.replace("1", "2")}, title="Two", body="")
    completed(pull)
    return pull


def with_model(models):
    return {**models.environment(), "PRINCIPAL_MODEL": "openai:gpt-6.1-sol"}


def test_a_delivery_is_one_trace_from_the_webhook_to_every_call(github, models, collector, lines, tmp_path):
    traced = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
    with Bot(environment(github, tmp_path, **with_model(models), **traced)) as bot:
        pull = reviewed(github, bot)
        wait_for(lambda: [line for line in lines() if line["event"] == "review_ended"], why="the review did not end")
    (guid,) = {line["delivery"] for line in lines() if line["event"] == "delivery_decided" and line["job"]}
    mine = [span for span in collector.spans if span.trace == tracing.trace_of(guid)]
    by_id = {span.id: span for span in mine}

    def road(span):
        return [*(road(by_id[span.parent]) if span.parent else []), span.name]

    (first,) = [span for span in mine if not span.parent]
    assert (first.name, first.attributes["event"]) == ("webhook", "pull_request")
    roads = {tuple(road(span)) for span in mine}
    assert ("webhook", "on_delivery", "step see", "github GET /repos/{owner}/{name}/pulls/{number}") in roads
    assert ("webhook", "review_pull", "step review 1", "model review") in roads
    assert any(one[:3] == ("webhook", "review_pull", "step once") and "reviews" in one[-1] for one in roads)
    asked = next(span for span in mine if span.name == "model review")
    assert asked.attributes["model"] == "openai:gpt-6.1-sol"
    assert asked.attributes["input_tokens"] > 0
    # The calls that no delivery asked for (the start's own looks) are in other traces, and nothing of this one is elsewhere.
    assert not [span for span in collector.spans if span.parent in by_id and span.trace != first.trace]

    told = [line for line in lines() if line.get("delivery") == guid]
    assert {"webhook_taken", "delivery_decided", "reviewed", "review_ended"} <= {line["event"] for line in told}
    assert {line["trace"] for line in told} == {first.trace}
    pulls = {(line["repository"], line["number"]) for line in told if "repository" in line}
    assert pulls == {("acme/shop", pull.number)}


def test_a_step_that_fails_says_so_in_its_trace_and_not_what_was_in_it(github, models, collector, tmp_path):
    models.will_fail(401, times=9)
    traced = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{collector.url}/v1/traces"}
    with Bot(environment(github, tmp_path, **with_model(models), **traced)) as bot:
        reviewed(github, bot)
    failed = [span for span in collector.spans if span.failed and span.name == "model review"]
    assert [span.attributes["outcome"] for span in failed] == ["MODEL_UNAUTHORIZED"]
    assert "counts" not in repr(collector.spans)
    assert "total" not in repr(collector.spans)


def test_nothing_is_sent_where_the_standard_variables_say_so(github, collector, tmp_path):
    for off in ({"OTEL_SDK_DISABLED": "true"}, {"OTEL_TRACES_EXPORTER": "none"}):
        settings = environment(github, tmp_path / next(iter(off)), OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, **off)
        with Bot(settings) as bot:
            reviewed(github, bot, f"acme/{next(iter(off)).lower()}")
    assert collector.spans == []


def test_metrics_tell_of_calls_queues_money_and_the_breaker_and_are_in_good_form(github, models, tmp_path):
    with Bot(environment(github, tmp_path, **with_model(models))) as bot:
        reviewed(github, bot)
        text = urllib.request.urlopen(f"{bot.url}/metrics", timeout=90).read().decode()
    for queue in ("ingest", "reviews", "manual"):
        assert f'principal_queue_depth{{queue="{queue}"}}' in text
        assert f'principal_queue_oldest_seconds{{queue="{queue}"}}' in text
    assert 'principal_model_breaker_open{provider="openai"} 0.0' in text
    assert re.search(r'principal_model_seconds_count\{model="openai:gpt-6\.1-sol"\} [1-9]', text)
    assert re.search(r'principal_model_cost_usd_total\{model="openai:gpt-6\.1-sol"\} 0\.0*[1-9]', text)
    assert re.search(r"principal_github_seconds_count [1-9]", text)
    assert re.search(r'principal_jobs_total\{kind="review",outcome="done"\} [1-9]', text)
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed: its check of the form was left out")
    checked = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
