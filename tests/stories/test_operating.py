"""What operators do to it is rehearsed: secrets are rotated, the database is copied and put back, the action is run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.stories.bot import SECRET, Bot, completed, environment, wait_for

ROOT = Path(__file__).parents[2]
NEW_SECRET = "another webhook secret for the tests"
BASE = "export const total = 1;\n"
AGENT = 'import https from "node:https";\n\nexport const agent = new https.Agent({ rejectUnauthorized: false });\n'


def principal(*words, **environ):
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    command = [sys.executable, "-m", "app", *words]
    settings = {**kept, "PYTHONPATH": str(ROOT), **environ}
    return subprocess.run(command, cwd="/", env=settings, capture_output=True, text=True, check=False, timeout=90)


def signed_with(github, bot, secret, repository, name):
    """How a delivery is answered that is signed with this secret."""
    github.webhook(f"{bot.url}/webhooks/github", secret=secret)
    return repository.open_pull(files={f"src/{name}.ts": BASE}, title=name, body="").delivery.status_code


def test_the_webhook_secret_is_rotated_without_losing_a_delivery(github, tmp_path):
    repository = github.create_repository("acme/shop", files={"src/a.ts": BASE})
    both = environment(github, tmp_path, GITHUB_WEBHOOK_SECRET=f"{NEW_SECRET},{SECRET}")
    with Bot(both) as bot:
        assert signed_with(github, bot, SECRET, repository, "before") == 202
        assert signed_with(github, bot, NEW_SECRET, repository, "after") == 202
        assert signed_with(github, bot, "somebody else's secret", repository, "never") == 401
    with Bot(environment(github, tmp_path, GITHUB_WEBHOOK_SECRET=NEW_SECRET)) as bot:
        assert signed_with(github, bot, NEW_SECRET, repository, "later") == 202
        assert signed_with(github, bot, SECRET, repository, "too-late") == 401


def test_a_copy_made_while_it_runs_is_put_back_and_nothing_is_said_twice(github, tmp_path):
    data, copy = tmp_path / "data", tmp_path / "copy.db"
    settings = environment(github, data)
    with Bot(settings) as bot:
        github.webhook(f"{bot.url}/webhooks/github", secret=SECRET)
        repository = github.create_repository("acme/shop", files={"src/a.js": BASE})
        pull = repository.open_pull(files={"src/agent.js": AGENT}, title="Agent", body="")
        completed(pull)
        wait_for(lambda: len(pull.issue_comments) == 1, why="there is no summary")
        made = principal("backup", str(copy), **settings)
        assert (made.returncode, made.stderr) == (0, "")
        assert "sound. It holds the key" in made.stdout
        assert copy.stat().st_mode & 0o777 == 0o600
        again = principal("backup", str(copy), **settings)
        assert again.returncode == 2
        assert "File exists" in again.stderr
    shutil.rmtree(data)
    data.mkdir(mode=0o700)
    copy.rename(data / "principal.db")
    with Bot(settings) as bot:
        github.webhook(f"{bot.url}/webhooks/github", secret=SECRET)
        pull.push({"src/agent.js": AGENT.replace(" rejectUnauthorized: false ", "")})
        check = completed(pull, 2)[1]
    assert "One finding was fixed." in check.output.summary
    assert len(pull.reviews) == len(pull.issue_comments) == 1


def test_a_copy_is_refused_where_there_is_nothing_to_copy(tmp_path):
    settings = {"PRINCIPAL_DATA_DIR": str(tmp_path)}
    assert "There is no database" in principal("backup", str(tmp_path / "copy"), **settings).stderr
    elsewhere = {"DATABASE_URL": "postgresql://a@b/c"}
    assert "use pg_dump" in principal("backup", str(tmp_path / "copy"), **elsewhere).stderr


def test_the_action_posts_a_review_and_fails_where_it_is_told_to(github, tmp_path):
    repository = github.create_repository("acme/shop", files={"src/a.js": BASE})
    repository.add_collaborator("alice", "write")
    pull = repository.open_pull(files={"src/agent.js": AGENT}, title="Agent", body="")
    binaries = tmp_path / "principal" / "bin"
    binaries.mkdir(parents=True)
    (binaries / "principal").write_text(f'#!/bin/sh\nexec {sys.executable} -m app "$@"\n')
    (binaries / "principal").chmod(0o755)

    def run(**environ):
        given = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "PYTHONPATH": str(ROOT),
            "RUNNER_TEMP": str(tmp_path),
            "GITHUB_API_URL": github.api_url,
            "GITHUB_SERVER_URL": github.server_url,
            "GITHUB_TOKEN": github.user_token("alice"),
            "PRINCIPAL_MODEL": "none",
        }
        script = ["bash", str(ROOT / "deploy" / "action" / "review.sh")]
        return subprocess.run(script, env={**given, **environ}, capture_output=True, text=True, check=False, timeout=90)

    shown = run(PULL=pull.url, POST="false", FAIL_ON="high")
    assert shown.returncode == 1, shown.stderr
    assert "src/agent.js:3" in shown.stdout
    assert pull.reviews == []
    posted = run(PULL=pull.url, POST="true", FAIL_ON="")
    assert posted.returncode == 0, posted.stderr
    assert len(pull.reviews) == 1
    hostile = run(PULL=f"{pull.url}; touch {tmp_path}/written", POST="true")
    assert hostile.returncode == 2
    assert not (tmp_path / "written").exists()
    assert "::error::" in run(PULL="").stdout
