"""What a review came to and what models were asked, written down for the dashboard (board.py and timeline.py read it).

    reviews   a review's numbers, a row a job; all it found and left out stands sealed among the artifacts
    prompts   sealed among the artifacts, under the digest that the answer's step remembers

A prompt's system part is the same for all reviews with the same personas, so it is kept once and named in the others.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict

from app.core import report_json
from app.core.prompt import Prompt
from app.core.report import Review
from app.events import Question, ReviewRequest
from app.jobs.store import Store, metadata
from app.jobs.vault import Vault

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

    async def asked(self, request: ReviewRequest | Question, prompt: Prompt, *, name: str) -> None:
        """See `Diary.asked`."""
        if not self._keeps_prompts:
            return
        repository_id = request.place.repository_id
        for artifact, body in (await asyncio.to_thread(self._sealed, prompt, name, repository_id)).items():
            await self._store.call(self._store.keep, artifact, body, kind="prompt", repository_id=repository_id)

    async def reviewed(self, request: ReviewRequest, found: Review) -> None:
        """See `Diary.reviewed`."""
        sealed = await asyncio.to_thread(self._vault.seal, json.dumps(report_json.render(found)))
        artifact = report_name(self._vault, request.key, repository_id=request.repository_id)
        await self._store.call(self._store.keep, artifact, sealed, kind="report", repository_id=request.repository_id)
        await self._store.call(self._put, request, found)

    def purge(self, *, before: float) -> int:
        """Forget the reviews of before this time (epoch seconds). Blocks; returns how many."""
        with self._store.begin() as connection:
            return connection.execute(sa.delete(reviews).where(reviews.c.recorded_at < before)).rowcount

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

    def _put(self, request: ReviewRequest, found: Review) -> None:
        values = {
            "repository_id": request.repository_id,
            "said": len(found.said),
            "folded": len(found.folded) + len(found.elsewhere),
            "rejected": len(found.rejected),
            "hunks": found.hunks,
            "hunks_reviewed": found.hunks_reviewed,
            "recorded_at": time.time(),
            "calls": found.usage.calls,
            "input_tokens": found.usage.input_tokens,
            "cached_tokens": found.usage.cached_tokens,
            "output_tokens": found.usage.output_tokens,
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
