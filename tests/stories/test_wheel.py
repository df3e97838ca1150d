"""An installed wheel is the same program as a checkout: it finds its personas, rules, prompts, templates and sample."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The wheel's content in a folder of its own, built without the network."""
    built = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(built)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = built.glob("*.whl")
    folder = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def principal(*words, installed):
    return subprocess.run(
        [sys.executable, "-P", "-m", "app", *words],
        cwd=installed.parent,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(installed), "HOME": str(installed.parent)},
    )


def test_the_wheel_lists_the_same_personas_and_rules_as_the_checkout(installed):
    for words in (("persona", "list"), ("rules", "list")):
        there, here = principal(*words, installed=installed), principal(*words, installed=ROOT)
        assert there.returncode == 0, there.stderr
        assert there.stderr == ""
        assert there.stdout == here.stdout


def test_the_wheel_ships_prompts_templates_prices_and_the_sample_and_no_tests(installed):
    names = {str(path.relative_to(installed)) for path in installed.rglob("*") if path.is_file()}
    wanted = [
        "app/shipped/prompts/tasks/review.md",
        "app/shipped/rules/reliability/timeouts.yml",
        "app/sandbox/templates/pull.html",
        "app/llm/prices.json",
        "app/demo/sample/base/package.json",
    ]
    assert [name for name in wanted if name not in names] == []
    assert not [name for name in names if name.startswith("tests/")]
    (entry_points,) = installed.glob("*.dist-info/entry_points.txt")
    assert "principal = app.__main__:main" in entry_points.read_text()


def test_the_wheel_reviews_a_diff(installed):
    diff = (
        "--- a/src/a.ts\n+++ b/src/a.ts\n@@ -0,0 +1,2 @@\n"
        '+import { request } from "node:https";\n'
        "+request({ host, rejectUnauthorized: false });\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-m", "app", "review", "--diff", "-", "--fail-on", "low"],
        cwd=installed.parent,
        input=diff,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(installed),
            "HOME": str(installed.parent),
            "PRINCIPAL_MODEL": "none",
        },
    )
    assert done.returncode == 1, done.stderr
    assert "src/a.ts:2" in done.stdout
    assert "crypto" in done.stdout
