"""Bombs: whoever sends them costs us a bounded amount of memory and time, and hears why."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app.jobs import Timing
from app.sandbox import Sandbox
from tests.fakes.service import FREELY
from tests.stories.bot import SECRET, Bot, completed, environment, wait_for

ROOT = Path(__file__).parents[2]
CPU_SECONDS = 20
MEMORY_BYTES = 1024**3
PARSE = """
import resource
resource.setrlimit(resource.RLIMIT_CPU, ({cpu}, {cpu}))
resource.setrlimit(resource.RLIMIT_AS, ({memory}, {memory}))
from app.core import diff
from app.core.select import select
head = "diff --git a/{{0}} b/{{0}}\\nindex 1111111..2222222 100644\\n--- a/{{0}}\\n+++ b/{{0}}\\n"
data = {bomb}
kept, skipped = select(diff.parse(data.encode()), attributes={{}})
print(len(kept), len(skipped), sum(len(file.hunks) for file in kept))
"""


BOMBS = {
    "one line": ('head.format("a.ts") + "@@ -0,0 +1 @@\\n+" + "x" * 20_000_000 + "\\n"', 1),
    "files": ('"".join(head.format(f"a{n}.ts") + "@@ -1 +1 @@\\n-a\\n+b\\n" for n in range(3000))', 3000),
    "hunks": ('head.format("a") + "".join(f"@@ -{n} +{n} @@\\n-a\\n+b\\n" for n in range(1, 300_000, 3))', 1),
    "renames": (
        '"".join(f"diff --git a/a{n} b/b{n}\\nrename from a{n}\\nrename to b{n}\\n" for n in range(20_000))',
        20_000,
    ),
}


@pytest.mark.parametrize(("bomb", "files"), BOMBS.values(), ids=BOMBS)
def test_s28_a_diff_that_is_a_bomb_is_read_or_named_within_bounds(bomb: str, files: int) -> None:
    """The child has so much processor and memory, and would be killed beyond."""
    program = PARSE.format(cpu=CPU_SECONDS, memory=MEMORY_BYTES, bomb=bomb)
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
    kept, skipped, _ = map(int, ran.stdout.split())
    assert kept + skipped == files


def test_s43_who_asks_without_end_is_answered_once_and_then_no_more(tmp_path: Path) -> None:
    timing = Timing(settle_seconds=0.2, retry_first_seconds=0.2, sweep_seconds=0, spacing=FREELY, asked_at_most=2)
    with Sandbox() as github, Bot(environment(github, tmp_path), timing=timing) as bot:
        repository = github.create_repository("acme/shop", files={"a.ts": "const a = 1;\n"}, private=True)
        repository.add_collaborator("alice", "write")
        github.webhook(f"{bot.url}/webhooks/github", secret=SECRET)
        pull = repository.open_pull(files={"a.ts": "const a = 2;\n"})
        completed(pull)
        for _ in range(8):
            pull.comment("/review", by="alice")
        told = wait_for(lambda: [run for run in pull.check_runs if "ASKED_TOO_OFTEN" in title(run)], why="no answer")
        # The command of a person who has not asked yet is obeyed; it is decided after all of alice's.
        repository.add_collaborator("bob", "write")
        pull.comment("/review", by="bob")
        wait_for(lambda: len(pull.reviews) == 4, why="bob has no review")
    assert len(told) == 1
    assert [run for run in pull.check_runs if "ASKED_TOO_OFTEN" in title(run)] == told
    assert len(pull.reviews) == 4


def title(run: Any) -> str:
    return run.output.title or "" if run.status == "completed" else ""
