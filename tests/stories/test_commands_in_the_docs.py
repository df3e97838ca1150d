"""Every command that the documentation shows is run: here, or by the test that is named; what cannot be run says why."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from app.cli import cli

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "deploy" / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

HERE = {
    "git diff | principal review --diff -": 0,
    "git init --quiet --initial-branch main shop && cd shop": 0,
    'git commit --quiet --allow-empty --message "Begin"': 0,
    "echo 'import https from \"node:https\"; export const agent = new https.Agent({ rejectUnauthorized: false });' > agent.js": 0,
    "git add agent.js": 0,
    "principal review --staged --fail-on high": 1,
}
"""What is run below as it stands, and with which exit code it ends there."""

BY_ANOTHER_TEST = {
    "principal review": "tests/stories/test_command_line.py",
    "principal policy check": "tests/stories/test_policy_on_the_terminal.py",
    "principal rules explain ": "test_personas_and_rules_are_listed_and_explained",
    "principal persona list": "test_personas_and_rules_are_listed_and_explained",
    "bash .ci/test": "tests/stories/test_wheel.py",
    "principal demo": "test_the_demo_reviews_the_sample_by_rules_and_ends_where_nobody_watches",
    "principal review https://github.com/": "test_a_pull_request_is_read_and_posted_with_a_personal_token",
    "principal serve": "test_s16_the_server_does_not_start_half_configured",
    "principal sandbox --repo PATH ": "tests/stories/test_sandbox.py",
    "principal backup /backups/principal-2026-11-21.db": "test_a_copy_made_while_it_runs_is_put_back_and_nothing_is_said_twice",
    "principal policy explain https://github.com/acme/shop/pull/7": "tests/stories/test_policy_on_the_terminal.py",
    "principal doctor": "tests/stories/test_doctor.py",
    "principal setup": "tests/stories/test_setup",
    "principal eval": "tests/stories/test_eval.py",
    "principal replay": "tests/stories/test_replay.py",
    "principal channel": "tests/stories/test_channel.py",
    "PRINCIPAL_MODEL=none principal eval benchmarks/cases": "tests/stories/test_eval.py",
    "python3 -m venv .venv && .venv/bin/pip install": "tests/stories/test_wheel.py",
}
"""By how they begin: who runs them. A test's name, or its file."""

NOT_RUN = {
    "export ": "sets a variable in the reader's shell",
    "docker compose ": "needs a container engine; deploy/check-image.sh builds and runs the image",
    "kubectl ": "needs a cluster; tests/contract/test_deploy.py validates the manifests",
    "cp deploy/principal.env.example ": "the file is filled in by hand",
    "mutmut ": "takes hours; docs/mutation-testing.md has what it found",
}
"""By how they begin: why they are not."""


def shown():
    """Every command in a console block of the documentation, without its comment, with the page it stands on."""
    for page in PAGES:
        for block in re.findall(r"^ *```console\n(.*?)^ *```", page.read_text(), re.DOTALL | re.MULTILINE):
            for line in block.replace("\\\n", " ").splitlines():
                command = " ".join(re.sub(r"\s+#\s.*$", "", line.strip().removeprefix("$ ")).split())
                if command and not command.startswith("#"):
                    yield command, page.relative_to(ROOT).as_posix()


SHOWN = dict(shown())
OURS = sorted(command for command in SHOWN if re.search(r"(^|\| |=\S+ )principal\b", command))


@pytest.mark.parametrize("command", sorted(SHOWN))
def test_a_command_in_the_documentation_is_run_or_says_why_not(command):
    beginnings = [one for one in (*BY_ANOTHER_TEST, *NOT_RUN) if command.startswith(one)]
    assert command in HERE or beginnings, f"{SHOWN[command]} shows a command that nobody runs"


def test_who_is_said_to_run_a_command_is_there():
    sources = {path.relative_to(ROOT).as_posix(): path.read_text() for path in (ROOT / "tests").rglob("test_*.py")}
    for beginning, runner in BY_ANOTHER_TEST.items():
        if not any(command.startswith(beginning) for command in SHOWN):
            continue
        known = [
            path
            for path, text in sources.items()
            if path.startswith(runner) or f"def {runner}" in text or runner in path
        ]
        assert known, f"{runner} does not exist"


@pytest.mark.parametrize("command", OURS)
def test_the_command_line_knows_the_words_and_options_that_are_shown(command):
    words = shlex.split(command[re.search(r"(^|\| |=\S+ )principal\b", command).end() :])
    current = typer.main.get_command(cli)
    while words and words[0] in getattr(current, "commands", {}):
        current = current.commands[words.pop(0)]
    # A group that takes words of its own runs one of its commands.
    taking = [current, *getattr(current, "commands", {}).values()]
    known = {option for one in taking for part in one.params for option in (*part.opts, *part.secondary_opts)}
    unknown = [word for word in words if word.startswith("--") and word.partition("=")[0] not in known]
    assert unknown == []


def test_what_can_be_run_anywhere_does_what_the_documentation_says(tmp_path):
    binaries = tmp_path / "bin"
    binaries.mkdir()
    (binaries / "principal").write_text(f'#!/bin/sh\nexec {sys.executable} -P -m app "$@"\n')
    (binaries / "principal").chmod(0o755)
    identity = {f"GIT_{who}_{what}": "dev@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    environ = {
        "PATH": f"{binaries}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "PYTHONPATH": str(ROOT),
        "PRINCIPAL_MODEL": "none",
        **identity,
    }
    checkout = tmp_path / "checkout"
    prepare = (
        "git init -q -b main . && echo 1 > a.ts && git add . && git commit -qm One && git checkout -qb more --track"
    )
    checkout.mkdir()
    subprocess.run(["bash", "-c", f"{prepare} && echo 2 > a.ts"], cwd=checkout, env=environ, check=True)
    folder = checkout
    for command, expected in HERE.items():
        done = subprocess.run(
            ["bash", "-c", f"set -o pipefail; {command} && pwd"],
            cwd=folder,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=90,
        )
        if command.endswith("cd shop"):
            folder = Path(done.stdout.strip().splitlines()[-1])
        assert "Traceback" not in done.stderr
        assert done.returncode == expected, f"{command}: {done.stderr}"
    assert set(HERE) <= set(SHOWN), set(HERE) - set(SHOWN)
