"""A month of a busy server, written straight into the tables: reviews, what they found and cost, deliveries, a few timelines.

Always the same for the same numbers. The times are counted back from the present.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from app.core import report_json
from app.core.change import Sha
from app.core.finding import Anchor, Category, Filter, Finding, Kind, Rejected, Severity, Side, VerifiedFinding
from app.core.report import Review
from app.core.usage import Usage
from app.jobs import DeliveryState, JobState
from app.jobs.database import Database
from app.jobs.diary import KeptPrompt, prompt_name, report_name, reviews
from app.jobs.memory import findings
from app.jobs.purse import EVERYWHERE, NO_NAME, ledger
from app.jobs.store import Store, deliveries, jobs
from app.jobs.vault import Vault
from app.library import load

DAYS = 30
DAY_SECONDS = 86_400
ROWS_AT_ONCE = 2_000
TIMELINES = 300
"""So many of the newest reviews have their steps, prompts and findings; a page looks at one of them by its key."""
STATES = (
    [JobState.DONE] * 84 + [JobState.SUPERSEDED] * 9 + [JobState.SKIPPED] * 4 + [JobState.CANCELLED] + [JobState.FAILED]
)
MODELS = {"openai:gpt-6.1-sol": 1.0, "anthropic:claude-sonnet-5-1": 1.4, "openai:gpt-6.1-mini": 0.2}
OWNERS = ("acme", "northwind", "globex")
WORDS = ("shop", "billing", "search", "gateway", "web", "mobile", "ledger", "auth", "reports", "queue", "docs", "infra")
HOSTILE = '<script>alert(1)</script> & "quotes" <img src=x onerror=alert(2)>'


@dataclass(frozen=True)
class Size:
    """How much there is."""

    reviews: int
    repositories: int = 200
    findings_each: int = 3


def fill(address: str, secret: bytes, size: Size, *, now: float) -> None:
    """Fill the database at this address, whose tables the server has made."""
    database = Database(address)
    try:
        store, vault, chance = Store(database), Vault(secret), random.Random(8)
        library = load()
        rules = [(rule.id, rule.category.slug, rule.kind, rule.severity) for rule in library.rules]
        made = list(_jobs(size, chance, now))
        _insert(store, jobs, made)
        _insert(store, reviews, [_numbers(job, chance) for job in made if job["state"] == JobState.DONE])
        _insert(store, findings, _findings(made, size, rules, chance, vault))
        _insert(store, ledger, _usage(size, chance, now))
        _insert(store, deliveries, _deliveries(made, chance))
        _queued(store, [job for job in made if job["ended_at"] is None], is_sqlite=database.is_sqlite)
        newest = [job for job in made if job["state"] == JobState.DONE][-TIMELINES:]
        for job in newest:
            _timeline(store, vault, job, library.personas[0].body, is_sqlite=database.is_sqlite)
        with database.own.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("ANALYZE")
            if not database.is_sqlite:
                connection.exec_driver_sql("VACUUM ANALYZE")
    finally:
        database.close()


def _name(number: int) -> str:
    return f"{OWNERS[number % 3]}/{WORDS[number % len(WORDS)]}-{number}"


def _jobs(size: Size, chance: random.Random, now: float) -> Iterator[dict[str, Any]]:
    for number in range(size.reviews):
        repository = min(int(chance.paretovariate(0.6)) - 1, size.repositories - 1)
        began = now - DAYS * DAY_SECONDS * (1 - (number + 1) / size.reviews) - 30
        state = (
            chance.choice(STATES) if number < size.reviews - 12 else [JobState.RUNNING, JobState.WAITING][number % 2]
        )
        head = hashlib.sha1(str(number).encode(), usedforsecurity=False).hexdigest()
        by_hand = chance.random() < 0.15
        trigger = f"comment:{number}" if by_hand else "push"
        pull = 1 + number // 40
        key = f"review:{7_000_000 + repository}:{pull}:{head}:{trigger}"
        failed = state == JobState.FAILED
        is_over = state not in (JobState.RUNNING, JobState.WAITING)
        attempt = 2 if failed and chance.random() < 0.4 else 1
        yield {
            "key": key,
            "repository": _name(repository),
            "repository_id": 7_000_000 + repository,
            "number": pull,
            "head": head,
            "trigger": trigger,
            "installation": 5000 + repository % 3,
            "asked_by": chance.choice(("alice", "bob", "<b>mallory</b>")) if by_hand else None,
            "request": "{}",
            "queue": "manual" if by_hand else "reviews",
            "attempt": attempt,
            "workflow_id": f"{key}:{attempt}",
            "state": state,
            "code": chance.choice(("MODEL_BUSY", "GIT_TIMEOUT", "GITHUB_UNAVAILABLE")) if failed else "",
            "detail": "The model refused every try for 4 minutes (429)" if failed else "",
            "review_id": number if state == JobState.DONE else None,
            "created_at": began,
            "started_at": began + chance.uniform(1, 20) if state != JobState.WAITING else None,
            "ended_at": began + 20 + chance.lognormvariate(3.5, 0.7) if is_over else None,
        }


def _numbers(job: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    hunks, tokens = chance.randint(1, 60), int(chance.lognormvariate(10.2, 0.8))
    return {
        "job_key": job["key"],
        "repository_id": job["repository_id"],
        "said": chance.randint(0, 5),
        "folded": chance.choice((0, 0, 0, 2, 4)),
        "rejected": chance.randint(0, 9),
        "hunks": hunks,
        "hunks_reviewed": hunks if chance.random() < 0.95 else hunks - 1,
        "calls": chance.randint(1, 9),
        "input_tokens": tokens,
        "cached_tokens": tokens // 3,
        "output_tokens": tokens // 9,
        "usd": tokens * 2.4e-6,
        "recorded_at": job["ended_at"],
    }


def _findings(
    made: list[dict[str, Any]], size: Size, rules: list[Any], chance: random.Random, vault: Vault
) -> Iterator[dict[str, Any]]:
    sealed = vault.wrap("const total = 0;")
    for number, job in enumerate(made):
        for one in range(size.findings_each):
            rule, category, kind, severity = rules[min(int(chance.expovariate(0.09)), len(rules) - 1)]
            liked = 0.35 + 0.4 * (hash_of(rule) % 100) / 100
            drawn = chance.random()
            standing = "open" if drawn > 0.7 else "fixed" if chance.random() < liked else "dismissed"
            yield {
                "repository_id": job["repository_id"],
                "number": job["number"],
                "fingerprint": f"{number:08x}{one:02x}",
                "path": "src/pay.ts",
                "quote": sealed,
                "title": sealed,
                "rule": rule if chance.random() < 0.8 else None,
                "kind": kind,
                "category": category,
                "severity": severity,
                "standing": standing,
                "head": job["head"],
                "thread": None,
                "comment": number,
                "said_at": job["created_at"],
                "changed_at": job["created_at"],
            }


def _usage(size: Size, chance: random.Random, now: float) -> Iterator[dict[str, Any]]:
    for back in range(90):
        day = dt.datetime.fromtimestamp(now - back * DAY_SECONDS, tz=dt.UTC)
        weekend = 0.25 if day.weekday() >= 5 else 1.0
        together: dict[str, dict[str, Any]] = {}
        for repository in range(size.repositories):
            for model, price in MODELS.items():
                calls = int(chance.lognormvariate(4.2, 0.5) * weekend / (repository + 1) ** 0.6) + 1
                tokens = calls * 21_000
                amounts = {
                    "calls": calls,
                    "unpriced_calls": 0,
                    "input_tokens": tokens,
                    "cached_tokens": int(tokens * 0.31),
                    "output_tokens": tokens // 11,
                    "usd": tokens * 1.1e-7 * price,
                }
                key = {"day": day.date().isoformat(), "model": model}
                yield key | {"repository_id": 7_000_000 + repository, "repository": _name(repository)} | amounts
                sums = together.setdefault(model, key | {"repository_id": EVERYWHERE, "repository": NO_NAME})
                sums |= {name: sums.get(name, 0) + amount for name, amount in amounts.items()}
        yield from together.values()


def _deliveries(made: list[dict[str, Any]], chance: random.Random) -> Iterator[dict[str, Any]]:
    for number, job in enumerate(made):
        lost = chance.random() < 0.0003
        yield {
            "guid": f"00000000-0000-4000-8000-{number:012d}",
            "event": "issue_comment" if job["asked_by"] else "pull_request",
            "repository": job["repository"],
            "installation": job["installation"],
            "received_at": job["created_at"] - 1,
            "attempt": 1,
            "put_back": 0,
            "workflow_id": f"delivery:{number}:1",
            "state": DeliveryState.FAILED if lost else DeliveryState.DONE,
            "reason": "GitHub did not answer on 60 tries (GITHUB_UNAVAILABLE)" if lost else "queued",
            "job_key": None if lost else job["key"],
        }


def _queued(store: Store, active: list[dict[str, Any]], *, is_sqlite: bool) -> None:
    """The engine's rows of what is under way, in a queue that nobody looks into: without them it would count as dead."""
    rows = [
        {
            "workflow_uuid": job["workflow_id"],
            "status": "ENQUEUED",
            "name": "review_pull",
            "queue_name": "nobody",
            "created_at": int(job["created_at"] * 1000),
            "updated_at": int(job["created_at"] * 1000),
            "priority": 0,
        }
        for job in active
    ]
    table = sa.table("workflow_status", *map(sa.column, rows[0]), schema=None if is_sqlite else "dbos")
    with store.begin() as connection:
        connection.execute(sa.insert(table), rows)


def _timeline(store: Store, vault: Vault, job: dict[str, Any], system: str, *, is_sqlite: bool) -> None:
    """The steps of one review as the engine keeps them, the prompts of its questions, and its findings."""
    names = ["once:check x", "compare", "policy", "recall", "scan", "review 1", "review 2", "summarise"]
    names += ["verify 1", "verify 2", "fix 1", "once:marker", "keep", "once:summary x", "finish check"]
    at, of = job["started_at"], job["repository_id"]
    rows: list[dict[str, Any]] = []
    for place, name in enumerate(names, start=1):
        asks = name.startswith(("review", "verify", "fix", "summarise"))
        took = 6.5 if asks else 0.4
        digest = hashlib.sha256(f"{job['key']}{name}".encode()).hexdigest()
        used = Usage(14_000, 5_000, 900, 0.041, 1)
        reply = {
            "prompt": digest,
            "reply": json.dumps({"overview": "It charges orders. " * 20}),
            "model": "openai:gpt-6.1-sol",
        }
        value = {**reply, "usage": {name: getattr(used, name) for name in Usage.__slots__}, "code": "", "what": ""}
        if asks:
            _keep(store, vault.name(system, repository_id=of), vault.seal(json.dumps(system)), of)
            shared = f"# The change\n\nSkip empty orders {HOSTILE}\n"
            body = f"## Diff\n\n+  if (total = 0) return; // {HOSTILE}\n" * 120
            kept = KeptPrompt(purpose="review", system=vault.name(system, repository_id=of), shared=shared, body=body)
            _keep(store, prompt_name(vault, digest, repository_id=of), vault.seal(kept.model_dump_json()), of)
        rows.append(
            {
                "workflow_uuid": job["workflow_id"],
                "function_id": place,
                "function_name": name,
                "output": json.dumps({"value": vault.wrap(json.dumps(value if asks else {"state": "posted"}))}),
                "started_at_epoch_ms": int(at * 1000),
                "completed_at_epoch_ms": int((at + took) * 1000),
                "serialization": "portable_json",
                "retention_timestamp": int(at * 1000),
            }
        )
        at += took if not name.startswith("review 1") else 1.2
    table = sa.table("operation_outputs", *map(sa.column, rows[0]), schema=None if is_sqlite else "dbos")
    with store.begin() as connection:
        connection.execute(sa.insert(table), rows)
    document = json.dumps(report_json.render(_review(job)))
    _keep(store, report_name(vault, job["key"], repository_id=of), vault.seal(document), of)


def _review(job: dict[str, Any]) -> Review:
    titles = (
        "A retry after a lost answer charges the customer twice",
        f"The gateway call has no limit {HOSTILE}",
        "Every order is read in a query of its own",
    )
    made = [
        Finding(
            kind=Kind.BUG,
            category=[Category.CORRECTNESS, Category.RELIABILITY, Category.PERFORMANCE][number],
            severity=[Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM][number],
            confidence=0.9 - number / 10,
            path="src/charge.ts",
            quote="  const reply = await axios.post(url, body);",
            title=title,
            explanation="If the gateway accepts the connection and never answers, this handler hangs for good, and with it "
            "a slot of the pool of twenty; twenty such calls stop the service.",
            source="typescript",
            rule=["idempotency", "timeouts", "query-efficiency"][number],
            line=42 + number,
            scenario="The gateway accepts and stays silent.",
        )
        for number, title in enumerate(titles)
    ]
    anchors = [Anchor("src/charge.ts", Side.RIGHT, 42 + number, 42 + number, 0) for number in range(3)]
    return Review(
        base=Sha("a" * 40),
        head=Sha(job["head"]),
        said=tuple(
            VerifiedFinding(one, anchor, verified_by="callers in src/routes/orders.ts", sources=("typescript",))
            for one, anchor in zip(made[:2], anchors, strict=False)
        ),
        folded=(VerifiedFinding(made[2], anchors[2], sources=("typescript",)),),
        rejected=(
            *(Rejected(one, "its quote does not stand in the change", Filter.PLACE) for one in made[:2]),
            Rejected(made[2], "the sceptic: the loop runs over at most ten rows", Filter.DOUBT),
        ),
        hunks=17,
        hunks_reviewed=17,
        overview="The change moves charging behind a queue; the risky part is src/charge.ts, where a retry can charge twice.",
        personas=("TypeScript", "Node.js"),
        models=("openai:gpt-6.1-sol",),
        usage=Usage(84_000, 30_000, 5_400, 0.246, 6),
        seconds=41.0,
    )


def _keep(store: Store, name: str, body: bytes, repository_id: int) -> None:
    store.keep(name, body, kind="benchmark", repository_id=repository_id)


def _insert(store: Store, table: sa.Table, rows: Any) -> None:
    waiting: list[dict[str, Any]] = []
    for row in rows:
        waiting.append(row)
        if len(waiting) == ROWS_AT_ONCE:
            _write(store, table, waiting)
            waiting = []
    if waiting:
        _write(store, table, waiting)


def _write(store: Store, table: sa.Table, rows: list[dict[str, Any]]) -> None:
    with store.begin() as connection:
        connection.execute(sa.insert(table), rows)


def hash_of(text: str) -> int:
    """A number for a text that is the same in every process."""
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16)
