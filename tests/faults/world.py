"""The bot between a sandbox GitHub and model servers, and the questions that are asked after every fault.

    with World(folder) as world:
        pull = world.pull()                       # of an owner of its own: faults, pauses and ledgers never mix
        world.break_call(pull, call, Side.LOST)
        world.send(pull)
        assert world.violations(pull) == []

What must hold, and where it is asked:

    I1  a 2xx means that the delivery is in the database            _durable
    I2  every accepted delivery ends; every head gets a review
        or a reason that a person can see                           _lost
    I3  a review, a comment, a marker stands once                   _twice
    I4  no review of a head that was known to be gone               _stale
    I5  every check run ends, and tells no secret or traceback      _unsaid
    I6  nothing that a model answered is bought again; bounded      _unbounded, many_kills.py
    I7  others go on: a noisy or deadly job stops nobody else       tests/stories/test_queues.py, test_jobs_crash.py
    I8  what was not reviewed is named                              _truncated

Every pull belongs to a fresh owner, so to a fresh installation. Its code carries a name of its own, by which the model
server tells whose request it is. That is why hundreds of cases may run side by side and each is still deterministic.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import sqlite3
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

import psycopg

from app.sandbox import Kind, Sandbox
from tests.fakes.models import Cut, FakeModels, Said, Sent
from tests.faults.timing import TIMING
from tests.stories.bot import SECRET, Bot, environment
from tests.stories.test_main_job import BASE, CLAIM, FIX, VERDICT

QUIET_SECONDS = 300.0
"""Generous: a busy machine, and a breaker that stays open for a minute because other seeds made it. It costs only who fails."""
LOOK_SECONDS = 0.03
MOST_CALLS_PER_JOB = 40
"""A review makes 18 outside calls; a fault adds a few. More than this is a loop."""

LINE = "  if (total = 0) return; // case_{mark}"
NAMED = re.compile(r"case_(\w+)")
SCOPE = re.compile(r"(\d+) of (\d+) hunks?")
DONE = frozenset({"done", "failed", "superseded", "cancelled"})
CODE = re.compile(r"`[A-Z]+(_[A-Z]+)+`")


class Side(StrEnum):
    """How a call fails."""

    REFUSED = "502 before its effect"
    FAILED = "502 after its effect"
    CUT = "connection cut before its effect"
    LOST = "answer lost after its effect"
    LIMITED = "403 secondary limit"
    THROTTLED = "429 with Retry-After"
    TRUNCATED = "reply cut off by the limit of tokens"


GITHUB_SIDES = (Side.REFUSED, Side.FAILED, Side.CUT, Side.LOST, Side.LIMITED, Side.THROTTLED)
GIT_SIDES = (Side.REFUSED, Side.CUT, Side.LOST)
MODEL_SIDES = (Side.REFUSED, Side.CUT, Side.LOST, Side.THROTTLED, Side.TRUNCATED)


@dataclass(frozen=True, slots=True)
class Call:
    """An outside call of a review: the `nth` (from 0) of its kind. For a model `method` is MODEL and `path` the purpose.

    `path` is a shell pattern with `{owner}` and `{installation}` where the pull's own stand.
    """

    method: str
    path: str
    nth: int = 0

    @property
    def sides(self) -> tuple[Side, ...]:
        """The ways this call can fail."""
        if self.method == "MODEL":
            return MODEL_SIDES
        return GIT_SIDES if ".git/" in self.path else GITHUB_SIDES

    def __str__(self) -> str:
        return f"{self.method} {self.path} #{self.nth}"


_REVIEWED_PULL = "/repos/{owner}/shop/pulls/1"
CALLS = (
    Call("POST", "/app/installations/{installation}/access_tokens"),
    Call("GET", _REVIEWED_PULL),
    Call("GET", "/repos/{owner}/shop/commits/*/check-runs"),
    Call("POST", "/repos/{owner}/shop/check-runs"),
    Call("GET", "/repos/{owner}/shop/compare/*"),
    Call("GET", "/{owner}/shop.git/info/refs"),
    Call("POST", "/{owner}/shop.git/git-upload-pack", 0),
    Call("POST", "/{owner}/shop.git/git-upload-pack", 1),
    Call("POST", "/app/installations/{installation}/access_tokens", 1),
    Call("MODEL", "review"),
    Call("MODEL", "verify"),
    Call("MODEL", "fix"),
    Call("GET", f"{_REVIEWED_PULL}/reviews"),
    Call("GET", _REVIEWED_PULL, 1),
    Call("POST", f"{_REVIEWED_PULL}/reviews"),
    Call("GET", "/repos/{owner}/shop/issues/1/comments"),
    Call("POST", "/repos/{owner}/shop/issues/1/comments"),
    Call("PATCH", "/repos/{owner}/shop/check-runs/*"),
)
"""Every outside call of a small review, in order. A test holds the list against what a review really does."""


@dataclass
class Under:
    """A pull under test: the sandbox's handle, whose it is, and what was done to it."""

    owner: str
    installation: int
    handle: Any
    repository: Any
    mark: str
    pushes: int = 0
    opening: Any = None
    heads: list[tuple[str, int]] = field(default_factory=list)
    """Each head that was pushed away from, and how many requests had arrived when it was gone for certain."""
    sent: list[Any] = field(default_factory=list)
    faults: int = 0
    rules: list[Any] = field(default_factory=list)
    broken: dict[str, dict[int, Side]] = field(default_factory=lambda: defaultdict(dict))
    """What becomes of this pull's model requests: by purpose and number."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request to the model server: whose, for what, the request's hash, and whether it was answered whole."""

    mark: str
    purpose: str
    digest: str
    whole: bool


class World:
    """One bot, one GitHub and one model server for a whole module of cases."""

    def __init__(
        self,
        folder: Path,
        *,
        bot: Callable[[dict[str, str]], Any] | None = None,
        database: str = "",
        thinking_seconds: float = 0.0,
    ) -> None:
        """`database` is a PostgreSQL to work on; `thinking_seconds` is how long the model takes for every answer."""
        self.folder = folder
        self._database = database
        self._thinking_seconds = thinking_seconds
        self.github = Sandbox()
        self.models = FakeModels()
        self._make = bot or (lambda environ: Bot(environ, timing=TIMING))
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._looking = threading.Lock()
        self._looked_at = 0.0
        self._seen_jobs: dict[int, list[tuple[Any, ...]]] = {}
        self._seen_deliveries: dict[str, dict[str, str]] = {}
        self._asked: list[Asked] = []
        self._seen: Counter[tuple[str, str]] = Counter()
        self._unders: dict[str, Under] = {}
        self.held: dict[tuple[str, str], tuple[threading.Event, threading.Event]] = {}
        """Model requests that wait: by case and purpose, the events *reached* and *let go*."""

    def __enter__(self) -> Self:
        self.github.__enter__()
        self.models.__enter__()
        self.models.answers(self._answer)
        more = {**self.models.environment("openai"), "PRINCIPAL_MODEL": "openai:gpt-6.1-sol"}
        if self._database:
            more["DATABASE_URL"] = self._database
        self.bot = self._make(environment(self.github, self.folder, **more))
        self.bot.__enter__()
        self.github.webhook(f"{self.bot.url}/webhooks/github", secret=SECRET)
        return self

    def __exit__(self, *how: object) -> None:
        try:
            self.bot.__exit__(*how)
        finally:
            for _, let_go in self.held.values():
                let_go.set()
            self.github.faults.clear()
            self.models.__exit__(*how)
            self.github.__exit__(*how)

    # What people do.

    def pull(self) -> Under:
        """A pull request that stands on GitHub and of which the bot has not heard."""
        mark = f"p{next(self._numbers)}x"
        owner = f"owner-{mark}"
        repository = self.github.create_repository(f"{owner}/shop", files={"src/pay.ts": BASE}, private=True)
        repository.add_collaborator("alice", "write")
        handle = repository.open_pull(
            files={"src/pay.ts": code(mark, 0)}, title="Skip empty orders", body="", deliver=False
        )
        opening = handle.delivery
        installation = json.loads(opening.body)["installation"]["id"]
        under = Under(owner, installation, handle, repository, mark, opening=opening)
        self._unders[mark] = under
        return under

    def send(self, under: Under) -> None:
        """The bot hears that the pull was opened."""
        under.sent.append(self.github.deliver(under.opening))

    def push(self, under: Under) -> None:
        """A newer head."""
        under.pushes += 1
        old = under.handle.head_sha
        delivery = under.handle.push({"src/pay.ts": code(under.mark, under.pushes)})
        under.heads.append((old, len(self.github.requests)))
        under.sent.append(delivery)

    def command(self, under: Under) -> None:
        """Somebody who may write asks for a review."""
        under.handle.comment("/review", by="alice")
        told = [one for one in self.github.deliveries if one.repository_id == under.repository.id]
        under.sent.append([one for one in told if one.event == "issue_comment"][-1])

    def break_call(self, under: Under, call: Call, side: Side) -> None:
        """That call of this pull will fail so, once."""
        under.faults += 1
        if call.method == "MODEL":
            under.broken[call.path][call.nth] = side
            return
        path = self.path(under, call)
        faults, after = self.github.faults, call.nth
        match side:
            case Side.REFUSED:
                rule = faults.answer(502, call.method, path, after=after)
            case Side.FAILED:
                rule = faults.answer_after_effect(502, call.method, path, after=after)
            case Side.CUT:
                rule = faults.cut(call.method, path, after=after)
            case Side.LOST:
                rule = faults.lose_answer(call.method, path, after=after)
            case Side.LIMITED | Side.THROTTLED:
                rule = faults.limit(403 if side is Side.LIMITED else 429, call.method, path, after=after)
            case _:
                raise AssertionError(f"{call} cannot fail by {side}")
        under.rules.append(rule)

    @staticmethod
    def met(under: Under) -> bool:
        """Whether every fault was met by a request."""
        return all(rule.used for rule in under.rules) and not any(under.broken.values())

    @staticmethod
    def path(under: Under, call: Call) -> str:
        """The pattern of the call's path for this pull."""
        return call.path.format(owner=under.owner, installation=under.installation)

    # What was seen.

    @property
    def unders(self) -> list[Under]:
        """Every pull of this world."""
        return list(self._unders.values())

    def calls(self, under: Under) -> list[Any]:
        """The requests that GitHub had for this pull, in order."""
        own = (f"/{under.owner}/", f"/installations/{under.installation}/")
        return [one for one in self.github.requests if any(part in one.path for part in own) and one.kind != Kind.PAGE]

    def asked(self, under: Under) -> list[Asked]:
        """The requests that the model server had for this pull, in order."""
        with self._lock:
            return [one for one in self._asked if one.mark.startswith(under.mark)]

    def note(self, *asked: Asked) -> None:
        """Take these for requests that the model server had."""
        with self._lock:
            self._asked += asked

    def _look(self) -> None:
        """One look at the database for everybody who waits: hundreds of cases that each look would slow the bot down.

        Deliveries come first: the job of one that is done is then among the jobs for certain.
        """
        deliveries: dict[str, dict[str, str]] = defaultdict(dict)
        for repository, guid, state in self.rows("SELECT repository, guid, state FROM principal_deliveries"):
            deliveries[repository][guid] = state
        jobs: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
        for repository, *job in self.rows(
            "SELECT repository_id, head, trigger, state, code, attempt FROM principal_jobs"
        ):
            jobs[repository].append(tuple(job))
        self._seen_jobs, self._seen_deliveries = jobs, deliveries
        self._looked_at = time.monotonic()

    def looked(self) -> None:
        """Returns when the last look at the database is fresh."""
        with self._looking:
            if time.monotonic() - self._looked_at > LOOK_SECONDS:
                self._look()

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """What the bot's database says."""
        if self._database:
            with psycopg.connect(self._database, options="-c search_path=public,dbos") as connection:
                return connection.execute(query.replace("?", "%s"), values).fetchall()
        path = f"file:{self.folder / 'principal.db'}?mode=ro"
        with closing(sqlite3.connect(path, uri=True, timeout=5)) as database:
            return database.execute(query, values).fetchall()

    def jobs(self, under: Under) -> list[tuple[Any, ...]]:
        """(head, trigger, state, code, attempt) of every job of the pull."""
        query = "SELECT head, trigger, state, code, attempt FROM principal_jobs WHERE repository_id = ?"
        return self.rows(query, under.repository.id)

    def deliveries(self, under: Under) -> dict[str, str]:
        """The state of every delivery of the pull that was accepted for work, by its id."""
        query = "SELECT guid, state FROM principal_deliveries WHERE repository = ?"
        return dict(self.rows(query, f"{under.owner}/shop"))

    def recorded(self, under: Under) -> set[str]:
        """The purposes whose answer is remembered, for the pull's present attempts: it must never be bought again."""
        query = (
            "SELECT function_name FROM operation_outputs JOIN principal_jobs"
            " ON principal_jobs.workflow_id = operation_outputs.workflow_uuid WHERE repository_id = ?"
        )
        return {name.split(" ")[0] for (name,) in self.rows(query, under.repository.id)}

    def is_quiet(self, under: Under) -> bool:
        """Whether nothing is left to do for the pull."""
        if not under.handle.check_runs or any(run.status != "completed" for run in under.handle.check_runs):
            return False
        self.looked()
        jobs = self._seen_jobs.get(under.repository.id, [])
        deliveries = self._seen_deliveries.get(f"{under.owner}/shop", {})
        return (
            all(one.guid in deliveries for one in under.sent if one.succeeded)
            and bool(deliveries)
            and all(state != "taken" for state in deliveries.values())
            and all(state in DONE for _, _, state, _, _ in jobs)
        )

    def wait_until_quiet(self, *unders: Under, seconds: float = QUIET_SECONDS) -> list[Under]:
        """Returns once nothing is left to do; what comes back is the pulls for which that did not happen in time."""
        deadline = time.monotonic() + seconds
        left = list(unders)
        while left and time.monotonic() < deadline:
            left = [under for under in left if not self.is_quiet(under)]
            time.sleep(LOOK_SECONDS)
        return left

    # The invariants of a pull that is quiet, or should be.

    def violations(self, under: Under, *, kills: int = 0) -> list[str]:
        """Each invariant that does not hold for this pull, as a sentence that begins with its name."""
        jobs = self.jobs(under)
        return [
            *self._durable(under),
            *self._lost(under, jobs),
            *self._twice(under, jobs),
            *self._stale(under),
            *self._unsaid(under),
            *self._unbounded(under, jobs, kills=kills),
            *self._truncated(under),
        ]

    def _durable(self, under: Under) -> list[str]:
        known = self.deliveries(under)
        return [
            f"I1 delivery {one.guid} was answered {one.status_code} and is not in the database"
            for one in under.sent
            if one.succeeded and one.guid not in known
        ]

    def _lost(self, under: Under, jobs: list[tuple[Any, ...]]) -> list[str]:
        found = [
            f"I2 delivery {guid} stayed taken" for guid, state in self.deliveries(under).items() if state == "taken"
        ]
        found += [f"I2 the job of {head[:7]} stayed {state}" for head, _, state, _, _ in jobs if state not in DONE]
        head = under.handle.head_sha
        found += [] if any(job[0] == head for job in jobs) else [f"I2 the head {head[:7]} has no job"]
        reviewed = any(one.commit_id == head for one in under.handle.reviews)
        told = any(
            run.status == "completed" and _tells(run.output.summary or "", head, said=bool(under.handle.reviews))
            for run in under.handle.check_runs
            if run.head_sha == head
        )
        return found + ([] if reviewed or told else [f"I2 the head {head[:7]} has neither a review nor a reason"])

    def _twice(self, under: Under, jobs: list[tuple[Any, ...]]) -> list[str]:
        wanted = Counter(head for head, *_ in jobs)
        stands = Counter(one.commit_id for one in under.handle.reviews)
        found = [
            f"I3 {count} reviews of {head[:7]}, asked for {wanted[head]} times"
            for head, count in stands.items()
            if count > wanted[head]
        ]
        marks = Counter(
            line for one in under.handle.reviews for line in one.body.splitlines() if "principal:review" in line
        )
        found += [f"I3 the marker {mark} stands {count} times" for mark, count in marks.items() if count > 1]
        summaries = sum("principal:summary" in one.body for one in under.handle.issue_comments)
        found += [f"I3 the summary stands {summaries} times"] if summaries > 1 else []
        comments = Counter(
            (one["path"], one["body"][:80]) for review in self._posts(under) for one in review.body.get("comments", ())
        )
        return found + [f"I3 comment {what} {n} times" for what, n in comments.items() if n > 1]

    def _posts(self, under: Under) -> list[Any]:
        """The posts of reviews that took effect and were answered so."""
        return [one for one in self.calls(under) if one.operation == "pulls/create-review" and one.status == 200]

    def _stale(self, under: Under) -> list[str]:
        """A review may be overtaken between the look at the head and the post, and says then which commit it is of."""
        calls = self.calls(under)
        found = []
        for post in (one for one in calls if one.method == "POST" and one.path.endswith("/reviews")):
            head = post.body["commit_id"]
            looks = [one.number for one in calls if one.operation == "pulls/get" and one.number < post.number]
            gone = next((number for old, number in under.heads if old == head), None)
            if gone is not None and looks and looks[-1] > gone:
                found.append(f"I4 {head[:7]} was posted although a later head had been seen")
            if f"`{head[:7]}`" not in post.body["body"]:
                found.append(f"I4 the review of {head[:7]} does not say which commit it is of")
        return found

    def _unsaid(self, under: Under) -> list[str]:
        found = [
            f"I5 the check run of {run.head_sha[:7]} stayed {run.status}"
            for run in under.handle.check_runs
            if run.status != "completed"
        ]
        texts = [f"{run.output.title} {run.output.summary}" for run in under.handle.check_runs if run.output]
        return found + [f"I5 a secret or a traceback in {text[:60]!r}" for text in texts if _tells_too_much(text)]

    def _unbounded(self, under: Under, jobs: list[tuple[Any, ...]], *, kills: int) -> list[str]:
        attempts = sum(attempt for *_, attempt in jobs)
        whole = Counter((one.purpose, one.digest) for one in self.asked(under) if one.whole)
        found = [
            f"I6 the same {purpose} call was bought {count} times by {attempts} attempts"
            for (purpose, _), count in whole.items()
            if count > attempts + kills
        ]
        calls = len(self.calls(under)) + len(self.asked(under))
        most = MOST_CALLS_PER_JOB * (max(attempts, 1) + kills) + 10 * under.faults
        return found + ([f"I6 {calls} outside calls"] if calls > most else [])

    def _truncated(self, under: Under) -> list[str]:
        found = []
        for review in under.handle.reviews:
            match = SCOPE.search(review.body)
            if match is None:
                found.append("I8 a review does not say how much it covers")
            elif match[1] != match[2] and "ot reviewed" not in review.body:
                found.append(f"I8 a review covers {match[0]} and names no reason")
        return found

    # The model.

    def _answer(self, request: Any) -> Any:
        mark = NAMED.search(request.text)
        name = mark[1] if mark else ""
        purpose = next(one for one in ("review", "verify", "fix", "") if one in request.schema_name.lower())
        whose = name.split("_")[0]
        with self._lock:
            number = self._seen[whose, purpose]
            self._seen[whose, purpose] += 1
            under = self._unders.get(whose)
            side = under.broken[purpose].pop(number, None) if under else None
            digest = hashlib.sha256(request.text.encode()).hexdigest()
            waiting = self.held.get((whose, purpose))
        self.note(Asked(name, purpose, digest, whole=side is None))
        if waiting is not None and not waiting[0].is_set():
            reached, let_go = waiting
            reached.set()
            let_go.wait(QUIET_SECONDS)
        if self._thinking_seconds:
            time.sleep(self._thinking_seconds)
        match side:
            case None:
                return _reply(purpose, name)
            case Side.REFUSED:
                return Sent(502, b"<html>Bad Gateway</html>", content_type="text/html")
            case Side.THROTTLED:
                return Sent(429, b'{"error": {"message": "slow down", "type": "rate"}}', {"Retry-After": "1"})
            case Side.CUT:
                return Cut()
            case Side.LOST:
                return Cut(after_bytes=40)
            case _:
                return Said('{"overview": "It ch', stop="length")


def code(mark: str, push: int) -> str:
    """The file of a pull after so many pushes. The one problem in it carries the pull's name."""
    lines = BASE.splitlines()
    return "\n".join([*lines[:2], LINE.format(mark=f"{mark}_{push}"), *lines[2:]]) + "\n"


def _reply(purpose: str, name: str) -> Any:
    line = LINE.format(mark=name)
    match purpose:
        case "review":
            return {"overview": "It charges orders.", "findings": [{**CLAIM, "quote": line}]}
        case "verify":
            return {"verdicts": [VERDICT]}
        case "fix":
            return {**FIX, "original": line, "replacement": line.replace("= 0", "=== 0")}
    raise AssertionError(f"nobody foresaw a request for {purpose!r}")


def _tells(summary: str, head: str, *, said: bool) -> bool:
    """Whether a check run gives the reason of what went wrong or, where a review stands, says that this head has nothing new."""
    return bool(CODE.search(summary)) or (said and "Nothing new" in summary and f"reviewed `{head[:7]}`" in summary)


def _tells_too_much(text: str) -> bool:
    return any(word in text for word in ("Traceback", "ghs_", "sk-loopback", "x-access-token"))
