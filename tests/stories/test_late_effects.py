"""What a review has sent before it was stopped may take effect after people were told of its end: no check run is left behind."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace

from tests.fakes.service import QUICK
from tests.stories.bot import SECRET, Bot, BotProcess, environment, wait_for

BASE = "export const total = 1;\n"
CHECKS = "/repos/acme/shop/check-runs"


def open_pull(github, bot):
    github.webhook(f"{bot.url}/webhooks/github", secret=SECRET)
    repository = github.create_repository("acme/shop", files={"src/a.ts": BASE})
    return repository.open_pull(files={"src/a.ts": BASE.replace("1", "2")}, title="Two", body="")


def endings_told(folder):
    with closing(sqlite3.connect(f"file:{folder / 'principal.db'}?mode=ro", uri=True, timeout=90)) as database:
        query = "SELECT count(*) FROM workflow_status WHERE workflow_uuid LIKE 'settle:%' AND status = 'SUCCESS'"
        return database.execute(query).fetchone()[0]


def all_completed(pull, *, runs):
    standing = pull.check_runs
    return len(standing) == runs and all(run.status == "completed" for run in standing)


def test_a_check_run_that_starts_after_its_review_was_ended_is_ended_as_well(github, tmp_path):
    on_its_way = github.faults.hold("POST", CHECKS)
    with Bot(environment(github, tmp_path), timing=QUICK) as bot:
        pull = open_pull(github, bot)
        on_its_way.wait_until_reached(60)
        pull.push({"src/a.ts": BASE.replace("1", "3")})
        wait_for(lambda: endings_told(tmp_path), why="nobody was told of the first review's end")
        assert not any(run.head_sha != pull.head_sha for run in pull.check_runs)
        on_its_way.release()
        wait_for(lambda: all_completed(pull, runs=2), why="a check run stayed in progress")
    (late,) = (run for run in pull.check_runs if run.head_sha != pull.head_sha)
    assert "superseded" in late.output.title.lower() or "newer" in late.output.summary


def test_a_check_run_whose_start_was_never_answered_is_ended_with_its_review(github, tmp_path):
    on_its_way = github.faults.hold("POST", CHECKS)
    with BotProcess(environment(github, tmp_path)) as bot:
        pull = open_pull(github, bot)
        on_its_way.wait_until_reached(60)
        bot.kill()
    on_its_way.release()
    wait_for(lambda: pull.check_runs, why="the check run was not started")
    with Bot(environment(github, tmp_path), timing=replace(QUICK, settle_seconds=5.0)) as bot:
        github.webhook(f"{bot.url}/webhooks/github", secret=SECRET)
        pull.push({"src/a.ts": BASE.replace("1", "3")})
        wait_for(lambda: all_completed(pull, runs=2), why="a check run stayed in progress")
