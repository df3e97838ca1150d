"""What a review came to and what models cost, written down for the dashboard (board.py and figures.py read it).

    reviews   a review's numbers, a row a job; all it found and left out stands sealed among the artifacts
    usage     what models used, a row a day, repository and model, and one for all repositories together
    prompts   sealed among the artifacts, under the digest that the answer's step remembers

A prompt's system part is the same for all reviews with the same personas, so it is kept once and named in the others.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import time
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict

from app.core import report_json
from app.core.prompt import Prompt
from app.core.report import Review
from app.core.usage import Usage
from app.events import Place, Question, ReviewRequest
from app.jobs.store import Store, metadata
from app.jobs.vault import Vault

EVERYWHERE = 0
"""No repository's id: the rows of all of them together, which also stay when one is taken away."""
USAGE_DAYS_KEPT = 400
"""A year to look back on, and a month to look at it."""
DAY_SECONDS = 86_400.0

reviews = sa.Table(
    "principal_reviews",
    metadata,
    sa.Column("job_key", sa.String(200), primary_key=True),
    sa.Column("repository_id", sa.BigInteger, nullable=False, index=True),
    sa.Column("said", sa.Integer, nullable=False),
    sa.Column("folded", sa.Integer, nullable=False),
    sa.Column("rejected", sa.Integer, nullable=False),
    sa.Column("hunks", sa.Integer, nullable=False),
    sa.Column("hunks_reviewed", sa.Integer, nullable=False),
    sa.Column("calls", sa.Integer, nullable=False),
    sa.Column("input_tokens", sa.BigInteger, nullable=False),
    sa.Column("cached_tokens", sa.BigInteger, nullable=False),
    sa.Column("output_tokens", sa.BigInteger, nullable=False),
    sa.Column("usd", sa.Float),
    sa.Column("recorded_at", sa.Float, nullable=False, index=True),
)
usage = sa.Table(
    "principal_usage",
    metadata,
    sa.Column("day", sa.String(10), primary_key=True),
    sa.Column("repository_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("model", sa.String(150), primary_key=True),
    sa.Column("repository", sa.String(201), nullable=False),
    sa.Column("calls", sa.BigInteger, nullable=False),
    sa.Column("unpriced_calls", sa.BigInteger, nullable=False),
    sa.Column("input_tokens", sa.BigInteger, nullable=False),
    sa.Column("cached_tokens", sa.BigInteger, nullable=False),
    sa.Column("output_tokens", sa.BigInteger, nullable=False),
    sa.Column("usd", sa.Float, nullable=False),
)


class KeptPrompt(BaseModel):
    """A prompt as it is kept: `system` names an artifact, the rest is text."""

    model_config = ConfigDict(frozen=True)

    purpose: str
    system: str
    shared: str
    body: str


class StoredDiary:
    """`app.stages.diary.Diary`, kept in the tables above. Prompts are kept only where there is a dashboard to show them."""

    def __init__(self, store: Store, vault: Vault, *, keeps_prompts: bool) -> None:
        self._store = store
        self._vault = vault
        self._keeps_prompts = keeps_prompts

    async def asked(
        self, request: ReviewRequest | Question, prompt: Prompt, *, name: str, model: str, usage: Usage
    ) -> None:
        """See `Diary.asked`."""
        place = request.place
        if self._keeps_prompts:
            for artifact, body in (await asyncio.to_thread(self._sealed, prompt, name, place.repository_id)).items():
                await self._store.call(
                    self._store.keep, artifact, body, kind="prompt", repository_id=place.repository_id
                )
        if usage.calls:
            await self._store.call(self._add, place, model, usage)

    async def reviewed(self, request: ReviewRequest, found: Review) -> None:
        """See `Diary.reviewed`."""
        sealed = await asyncio.to_thread(self._vault.seal, json.dumps(report_json.render(found)))
        artifact = report_name(self._vault, request.key, repository_id=request.repository_id)
        await self._store.call(self._store.keep, artifact, sealed, kind="report", repository_id=request.repository_id)
        await self._store.call(self._put, request, found)

    def purge(self, *, before: float) -> int:
        """Forget the reviews of before this time (epoch seconds), and what models used a year ago. Blocks; returns how many."""
        oldest = _day(time.time() - USAGE_DAYS_KEPT * DAY_SECONDS)
        with self._store.begin() as connection:
            gone = connection.execute(sa.delete(reviews).where(reviews.c.recorded_at < before)).rowcount
            return gone + connection.execute(sa.delete(usage).where(usage.c.day < oldest)).rowcount

    # On a thread.

    def _sealed(self, prompt: Prompt, name: str, repository_id: int) -> Mapping[str, bytes]:
        system = self._vault.name(prompt.system, repository_id=repository_id)
        kept = KeptPrompt(purpose=prompt.purpose, system=system, shared=prompt.shared, body=prompt.body)
        own = prompt_name(self._vault, name, repository_id=repository_id)
        # ASCII, so that the lone surrogates of odd file names survive.
        return {
            system: self._vault.seal(json.dumps(prompt.system)),
            own: self._vault.seal(json.dumps(kept.model_dump())),
        }

    def _add(self, place: Place, model: str, used: Usage) -> None:
        amounts = _amounts(used) | {"unpriced_calls": 0 if used.cost_usd is not None else used.calls}
        sums: dict[str, Any] = {column: usage.c[column] + amount for column, amount in amounts.items()}
        with self._store.begin() as connection:
            for repository_id, name in ((EVERYWHERE, ""), (place.repository_id, place.repository)):
                key = {"day": _day(time.time()), "repository_id": repository_id, "model": model[:150]}
                statement = self._store.insert(usage).values(**key, repository=name, **amounts)
                changed = sums | {"repository": name}
                connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_=changed))

    def _put(self, request: ReviewRequest, found: Review) -> None:
        values = {
            "repository_id": request.repository_id,
            "said": len(found.said),
            "folded": len(found.folded) + len(found.elsewhere),
            "rejected": len(found.rejected),
            "hunks": found.hunks,
            "hunks_reviewed": found.hunks_reviewed,
            "recorded_at": time.time(),
            **_amounts(found.usage),
            "usd": found.usage.cost_usd,
        }
        statement = self._store.insert(reviews).values(job_key=request.key, **values)
        with self._store.begin() as connection:
            connection.execute(statement.on_conflict_do_update(index_elements=["job_key"], set_=values))


def report_name(vault: Vault, job_key: str, *, repository_id: int) -> str:
    """The artifact that holds all a review found and left out, as `core.report_json.Document`."""
    return vault.name(f"report {job_key}", repository_id=repository_id)


def prompt_name(vault: Vault, digest: str, *, repository_id: int) -> str:
    """The artifact that holds the prompt of this digest, as `KeptPrompt`."""
    return vault.name(f"prompt {digest}", repository_id=repository_id)


def _amounts(used: Usage) -> dict[str, Any]:
    return {
        "calls": used.calls,
        "input_tokens": used.input_tokens,
        "cached_tokens": used.cached_tokens,
        "output_tokens": used.output_tokens,
        "usd": used.cost_usd or 0.0,
    }


def _day(now: float) -> str:
    return dt.datetime.fromtimestamp(now, tz=dt.UTC).date().isoformat()
