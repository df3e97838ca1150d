"""The App is taken away from a repository: what runs for it ends, and nothing of it is left; others keep theirs."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from app.core.usage import Usage
from app.events import parse
from app.jobs import Delivery
from tests.stories.test_jobs_steps import A, deliver, play, until

TABLES = ("principal_jobs", "principal_artifacts", "principal_outbox", "principal_runs", "principal_inbox")
GONE = {"action": "removed", "installation": {"id": 9}, "repositories_removed": [{"id": 42}]}


def opened(repository: int) -> Any:
    payload = {
        "action": "opened",
        "pull_request": {"number": 7, "head": {"sha": A}, "base": {"sha": "c" * 40}},
        "repository": {"id": repository, "full_name": f"octo/shop-{repository}"},
        "installation": {"id": 9},
    }
    return parse("pull_request", json.dumps(payload).encode())


def rows(folder: Path, tables: Iterable[str]) -> dict[str, int]:
    with closing(sqlite3.connect(folder / "principal.db")) as database:
        return {name: database.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables}


@pytest.mark.parametrize(
    ("event", "payload"),
    [
        ("installation_repositories", GONE),
        ("repository", {"action": "deleted", "repository": {"id": 42, "full_name": "octo/shop-42"}, "installation": {"id": 9}}),
    ],
)  # fmt: skip
def test_a_repository_that_was_taken_away_is_forgotten_while_it_is_reviewed(
    tmp_path: Path, event: str, payload: dict[str, Any]
) -> None:
    begun: list[str] = []

    async def tell(step: Any) -> None:
        async def read() -> str:
            return "code " * 4000

        async def wait() -> None:
            begun.append(step.workflow_id)
            if ":42:" in step.workflow_id:
                await asyncio.Event().wait()  # Until it is stopped.

        await step.run("read", read, str)
        await step.run("wait", wait, type(None))

    async def act(engine: Any, story: Any) -> None:
        await deliver(engine, opened(43), "kept")
        await deliver(engine, opened(42), "gone")
        await engine.purse(opened(42).place).pay("", "openai:m", Usage(output_tokens=5, cost_usd=0.5, calls=1))
        await until(lambda: len(begun) == 2)
        await engine.accept(removed())
        while (await engine.delivery("removed")).state != "done":  # noqa: ASYNC110 - it ends on another loop.
            await asyncio.sleep(0.02)
        assert await engine.jobs(42, 7) == []
        assert await engine.delivery("gone") is None
        assert [job.state for job in await engine.jobs(43, 7)] == ["done"]
        assert story.endings == []

    def removed() -> Any:
        return Delivery("removed", event, parse(event, json.dumps(payload).encode()), 0.0)

    play(tmp_path, tell, act)
    assert rows(tmp_path, TABLES) == {
        "principal_jobs": 1,
        "principal_artifacts": 1,
        "principal_outbox": 0,
        "principal_runs": 1,
        "principal_inbox": 0,
    }
    with closing(sqlite3.connect(tmp_path / "principal.db")) as database:
        spent = "SELECT repository_id, repository, usd FROM principal_usage ORDER BY 1"
        assert database.execute(spent).fetchall() == [(0, "", 0.5), (42, "", 0.5)], "a budget would be full again"
        assert database.execute("SELECT repository_id FROM principal_removals").fetchall() == [(42,)]
        assert database.execute(
            "SELECT count(*) FROM workflow_status WHERE workflow_uuid LIKE 'review:42:%'"
        ).fetchone() == (0,)
