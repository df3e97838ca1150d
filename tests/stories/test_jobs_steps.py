"""Steps: what they return is remembered whole, what fails fails the same way twice, and what is stopped stops."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass, field

import pytest
from dbos import DBOS

from app.core.pull import Permission, Pull
from app.core.untrusted import Untrusted
from app.errors import Code, Permanent, Transient, UserError
from app.events import parse
from app.jobs import Delivery, Engine, Taken, Timing
from app.settings import Settings
from tests.fakes.service import QUICK, Outcome

A, B = "a" * 40, "b" * 40
WAIT_SECONDS = 90


def opened(head=A, action="opened", number=7):
    payload = {
        "action": action,
        "pull_request": {"number": number, "head": {"sha": head}, "base": {"sha": "c" * 40}},
        "repository": {"id": 42, "full_name": "octo/shop"},
    }
    return parse("pull_request", json.dumps(payload).encode())


@dataclass
class OnePull:
    """GitHub with one pull request, whose head a test may move."""

    head: str = A
    state: str = "open"
    reads: int = 0
    lagging: list[str] = field(default_factory=list)

    async def pull(self, repository, number):
        self.reads += 1
        head = self.lagging.pop(0) if self.lagging else self.head
        return Pull(
            repository=repository,
            repository_id=42,
            private=False,
            default_branch="main",
            number=number,
            title=Untrusted("t"),
            body=Untrusted("b"),
            author="mona",
            author_is_bot=False,
            state=self.state,
            merged=False,
            draft=False,
            locked=False,
            head_sha=head,
            head_ref=Untrusted("topic"),
            head_repository=repository,
            base_sha="c" * 40,
            base_ref="main",
            labels=(),
            changed_files=1,
            additions=1,
            deletions=1,
        )

    async def permission(self, repository, login):
        return Permission.WRITE

    async def react_to_comment(self, repository, comment_id, content="eyes", *, in_thread=False):
        pass


class Told:
    """A story that a test tells. `endings` are those it was asked to settle."""

    def __init__(self, tell):
        self._tell = tell
        self.endings = []

    async def review(self, request, *, pull, step):
        return await self._tell(step) or Outcome("posted")

    async def settle(self, request, *, ending, left):
        self.endings.append((ending.state, ending.code, left.stands))


class Refusing(OnePull):
    """GitHub that raises these errors, one after the other, before it answers."""

    def __init__(self, *errors):
        super().__init__()
        self.errors = list(errors)

    async def pull(self, repository, number):
        if self.errors:
            raise self.errors.pop(0)
        return await super().pull(repository, number)


async def no_story(step):
    """Nothing to tell: the review is posted at once."""


def play(tmp_path, tell, act, *, github=None, environ=None, timing=QUICK, story_type=Told):
    """Run `act(engine, story)` against an engine that tells the story."""
    github = github or OnePull()

    async def playing():
        async def door(_place):
            return github

        story = story_type(tell)
        settings = Settings.load(
            {"PRINCIPAL_DATA_DIR": str(tmp_path), "PRINCIPAL_QUIET_SECONDS": "0"} | (environ or {})
        )
        engine = Engine(settings, story=story, github=door, timing=timing)
        await engine.start()
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                return await act(engine, story)
        finally:
            await engine.stop(grace_seconds=0)

    return asyncio.run(playing())


async def deliver(engine, event, guid="guid"):
    return await engine.accept(Delivery(guid, "pull_request", event, time.time()))


async def until(condition):
    while not condition():  # noqa: ASYNC110 - the story is told on another loop, and `play` has a deadline.
        await asyncio.sleep(0.02)


async def over(engine, *, count=1, number=7):
    while True:
        jobs = await engine.jobs(42, number)
        if len(jobs) >= count and all(job.is_over for job in jobs):
            return jobs
        await asyncio.sleep(0.02)


async def reviewed(engine, story):
    assert (await deliver(engine, opened())).taken is Taken.ACCEPTED
    return (await over(engine))[0]


async def settled(engine, story):
    job = await reviewed(engine, story)
    await until(lambda: story.endings)
    return job, story.endings


@dataclass(frozen=True)
class Reply:
    text: str
    lines: tuple[int, ...]


@pytest.mark.parametrize(
    "text",
    ["", "words", "x" * 500_000, "\x00\x1f\u2028", "surrogates \udc80\ud800", "'\"\\", "\U0001f600" * 5000],
    ids=range(7),
)
def test_a_result_comes_back_whole(tmp_path, text):
    got = []

    async def tell(step):
        async def work():
            return Reply(text, (1, 2))

        got.append(await step.run("read", work, Reply))

    assert play(tmp_path, tell, reviewed).state == "done"
    assert got == [Reply(text, (1, 2))]


@pytest.mark.parametrize(
    ("error", "code", "detail"),
    [
        (Permanent(Code.GITHUB_GONE, "The repository is gone"), "GITHUB_GONE", "The repository is gone"),
        (UserError("No such path"), "INPUT_INVALID", "No such path"),
        (ZeroDivisionError("secret words"), "INTERNAL", "ZeroDivisionError in read"),
    ],
)
@pytest.mark.parametrize("in_a_step", [True, False])
def test_a_review_that_fails_ends_with_its_code_and_is_told(tmp_path, error, code, detail, in_a_step):
    async def tell(step):
        async def work():
            raise error

        await (step.run("read", work, int) if in_a_step else work())

    job, endings = play(tmp_path, tell, settled)
    assert (job.state, job.code) == ("failed", code)
    assert job.detail == (detail if in_a_step or code != "INTERNAL" else "ZeroDivisionError in the job")
    assert endings == [("failed", Code(code), {})]


def test_of_steps_side_by_side_the_one_that_failed_for_good_is_told(tmp_path):
    async def tell(step):
        async def good():
            return 1

        async def bad():
            raise Permanent(Code.MODEL_CREDIT, "Out of credit")

        async with asyncio.TaskGroup() as group:
            for work in (good, bad, good):
                group.create_task(step.run("ask", work, int))

    job, _ = play(tmp_path, tell, settled)
    assert (job.state, job.code) == ("failed", "MODEL_CREDIT")


def test_a_later_round_is_given_what_the_earlier_ones_had_finished(tmp_path):
    done = []

    async def tell(step):
        async def ask(number):
            done.append(number)
            if number == 1 and done.count(1) < 3:
                raise Transient(Code.MODEL_BUSY, "Busy", retry_after_seconds=0.01)
            return number * 10

        asked = [await step.run("ask", lambda number=number: ask(number), int) for number in range(3)]
        assert asked == [0, 10, 20]

    assert play(tmp_path, tell, reviewed).state == "done"
    assert done == [0, 1, 1, 1, 2]


def test_an_effect_is_looked_for_before_it_is_sent_and_refused_ones_leave_nothing(tmp_path):
    said = []

    async def tell(step):
        async def look():
            said.append("look")

        async def send():
            said.append("send")
            if said.count("send") == 1:
                raise Transient(Code.GITHUB_RATE_LIMITED, "Slow down", retry_after_seconds=0.01)
            return 5

        assert await step.once("review", look=look, send=send, result=int) == 5

    assert play(tmp_path, tell, reviewed).state == "done"
    assert said == ["look", "send", "look", "send"]


def test_an_effect_without_an_answer_is_given_up_after_a_few_tries_and_taken_up_in_the_next_round(tmp_path):
    said = []

    async def tell(step):
        async def look():
            said.append("look")
            return 7 if said.count("look") > 5 else None

        async def send():
            said.append("send")
            raise Transient(Code.GITHUB_ANSWER_UNKNOWN, "The answer was lost")

        assert await step.once("review", look=look, send=send, result=int) == 7

    timing = Timing(settle_seconds=0.01, retry_first_seconds=0.01, retry_longest_seconds=0.01, poll_seconds=0.05)
    assert play(tmp_path, tell, reviewed, timing=timing).state == "done"
    assert said == ["look", "send"] * 5 + ["look"]


def test_a_stopped_job_stops_every_step_that_runs_and_sends_nothing(tmp_path):
    github = OnePull()
    ran = []

    async def tell(step):
        async def work():
            ran.append("begun")
            try:
                await asyncio.sleep(WAIT_SECONDS)
            except asyncio.CancelledError:
                ran.append("stopped")
                raise

        async def send():
            ran.append("sent")
            return 1

        if github.head == A:
            async with asyncio.TaskGroup() as group:
                for _ in range(3):
                    group.create_task(step.run("ask", work, int))
            await step.once("review", look=send, send=send, result=int)

    async def act(engine, story):
        await deliver(engine, opened(A), "first")
        await until(lambda: ran.count("begun") == 3)
        github.head = B
        await deliver(engine, opened(B, "synchronize"), "second")
        jobs = await over(engine, count=2)
        await until(lambda: story.endings)
        return jobs, story.endings

    jobs, endings = play(tmp_path, tell, act, github=github)
    assert [job.state for job in jobs] == ["superseded", "done"]
    assert ran == ["begun"] * 3 + ["stopped"] * 3
    assert endings == [("superseded", None, {})]


def test_an_answer_of_github_that_lags_behind_the_push_is_asked_for_again(tmp_path):
    github = OnePull(head=B, lagging=[A])

    async def tell(step):
        pass

    async def act(engine, story):
        event = opened(B, "synchronize")
        pushed = type(event)(event.place, event.action, event.head, event.base, before=A)
        await deliver(engine, pushed)
        return await over(engine)

    (job,) = play(tmp_path, tell, act, github=github)
    assert job.key.split(":")[3] == B
    assert github.reads == 2


def test_repositories_that_are_not_served_are_ignored_until_they_are(tmp_path):
    async def tell(step):
        pass

    async def ignored(engine, story):
        receipt = await deliver(engine, opened())
        assert (receipt.taken, receipt.reason) == (Taken.IGNORED, "the repository is not in PRINCIPAL_REPOSITORIES")
        assert (await deliver(engine, opened())).taken is Taken.IGNORED

    async def served(engine, story):
        assert (await deliver(engine, opened())).taken is Taken.RETAKEN
        return await over(engine)

    play(tmp_path, tell, ignored, environ={"PRINCIPAL_REPOSITORIES": "acme/*"})
    (job,) = play(tmp_path, tell, served, environ={"PRINCIPAL_REPOSITORIES": "acme/*,Octo/*"})
    assert job.state == "done"


def test_what_is_old_is_removed(tmp_path):
    async def tell(step):
        async def work():
            return "x" * 20_000

        await step.run("read", work, str)

    play(tmp_path, tell, reviewed)

    async def forgotten(engine, story):
        while await engine.delivery("guid") or await engine.jobs(42, 7):  # noqa: ASYNC110 - as above.
            await asyncio.sleep(0.02)
        # The same delivery is a new one now, and its review a new job.
        return await reviewed(engine, story)

    job = play(tmp_path, tell, forgotten, environ={"PRINCIPAL_RETENTION_DAYS": "0.0000001"})
    assert (job.state, job.attempt) == ("done", 1)


def test_the_key_that_signs_is_made_once_and_the_operators_goes_first(tmp_path):
    async def tell(step):
        pass

    async def key(engine, story):
        return engine.secret_key

    made = play(tmp_path, tell, key)
    assert len(made) == 32
    assert play(tmp_path, tell, key) == made
    assert play(tmp_path, tell, key, environ={"PRINCIPAL_SECRET_KEY": "of the operator"}) == b"of the operator"


def test_a_file_that_is_no_database_is_refused(tmp_path):
    (tmp_path / "principal.db").write_bytes(b"not a database" * 1000)

    async def nothing(*_):
        pass

    with pytest.raises(UserError, match="cannot be opened: file is not a database"):
        play(tmp_path, nothing, nothing)
    (tmp_path / "principal.db").unlink()
    play(tmp_path, nothing, nothing)


def test_a_process_runs_one_engine(tmp_path):
    async def nothing(*_):
        pass

    async def another(engine, story):
        with pytest.raises(UserError, match="runs an engine already"):
            await Engine(
                Settings.load({"PRINCIPAL_DATA_DIR": str(tmp_path / "2")}), story=story, github=nothing
            ).start()

    play(tmp_path, nothing, another)


def test_r07_a_graceful_stop_lets_the_review_finish_and_a_short_one_leaves_it_to_the_next_start(tmp_path):
    begun, finished = [], []

    async def tell(step):
        async def work():
            begun.append(1)
            await asyncio.sleep(0.5 if len(begun) == 1 else WAIT_SECONDS if len(begun) == 2 else 0)
            finished.append(len(begun))

        await step.run("ask", work, type(None))

    async def graceful(engine, story):
        await deliver(engine, opened())
        await until(lambda: begun)
        await engine.stop(grace_seconds=WAIT_SECONDS)
        assert finished == [1]
        with pytest.raises(Transient):
            await deliver(engine, opened(B), "too late")

    async def short(engine, story):
        assert (await over(engine))[0].state == "done"
        await deliver(engine, opened(number=8), "next")
        await until(lambda: len(begun) == 2)

    async def after(engine, story):
        return await over(engine, number=8)

    play(tmp_path, tell, graceful)
    play(tmp_path, tell, short)
    assert finished == [1]
    (job,) = play(tmp_path, tell, after)
    assert (job.state, job.attempt) == ("done", 1)
    assert finished == [1, 3]


def test_a_delivery_is_put_back_while_github_is_away(tmp_path):
    github = Refusing(*(Transient(Code.GITHUB_UNAVAILABLE, "Away") for _ in range(3)))

    async def act(engine, story):
        await reviewed(engine, story)
        return await engine.delivery("guid")

    record = play(tmp_path, no_story, act, github=github)
    assert (record.state, record.attempt) == ("done", 4)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Permanent(Code.GITHUB_GONE, "Not there"), "Not there (GITHUB_GONE)"),
        (KeyError("x"), "KeyError in see (INTERNAL)"),
    ],
)
def test_a_delivery_that_cannot_be_decided_fails_and_may_be_sent_again(tmp_path, error, reason):
    async def act(engine, story):
        await deliver(engine, opened())
        while (record := await engine.delivery("guid")).state == "taken":  # noqa: ASYNC110 - `play` has a deadline.
            await asyncio.sleep(0.02)
        assert (record.state, record.reason) == ("failed", reason)
        assert (await deliver(engine, opened())).taken is Taken.RETAKEN
        return await over(engine)

    (job,) = play(tmp_path, no_story, act, github=Refusing(error))
    assert job.state == "done"


def test_a_review_that_the_operator_cancels_says_so_and_its_delivery_may_be_sent_again(tmp_path):
    begun = []

    async def tell(step):
        async def work():
            begun.append(1)
            await asyncio.sleep(WAIT_SECONDS if len(begun) == 1 else 0)

        await step.run("ask", work, type(None))

    async def act(engine, story):
        await deliver(engine, opened())
        await until(lambda: begun)
        (job,) = await engine.jobs(42, 7)
        await asyncio.to_thread(DBOS.cancel_workflow, job.workflow_id)
        (job,) = await over(engine)
        assert (job.state, job.detail) == ("cancelled", "The operator cancelled the review")
        await until(lambda: story.endings)
        assert (await deliver(engine, opened(), "another")).taken is Taken.ACCEPTED
        while (job := (await engine.jobs(42, 7))[0]).state != "done":  # noqa: ASYNC110 - `play` has a deadline.
            await asyncio.sleep(0.02)
        return job, story.endings

    job, endings = play(tmp_path, tell, act)
    assert job.attempt == 2
    assert endings == [("cancelled", None, {})]


@pytest.mark.parametrize("errors", [1, 2])
def test_telling_about_the_end_is_tried_again_while_github_is_away(tmp_path, errors):
    said = []

    class Stubborn(Told):
        async def settle(self, request, *, ending, left):
            said.append(left.stands)
            if len(said) <= errors:
                raise Transient(Code.GITHUB_UNAVAILABLE, "Away") if errors == 2 else Permanent(Code.GITHUB_GONE, "Gone")

    async def tell(step):
        async def look():
            return {"id": 5}

        await step.once("check", look=look, send=look, result=dict)
        raise Permanent(Code.MODEL_CREDIT, "Out of credit")

    async def act(engine, story):
        await reviewed(engine, story)
        await until(lambda: len(said) == (3 if errors == 2 else 1))

    play(tmp_path, tell, act, story_type=Stubborn)
    assert all(effects == {"check": {"id": 5}} for effects in said)


def test_a_data_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="cannot be made"):
        play(tmp_path / "file" / "data", no_story, reviewed)


def test_a_database_of_an_older_version_is_brought_up_to_date(tmp_path):
    play(tmp_path, no_story, reviewed)
    with closing(sqlite3.connect(tmp_path / "principal.db")) as database, database:
        database.execute("ALTER TABLE principal_artifacts DROP COLUMN repository_id")
        database.execute("DROP TABLE principal_removals")
        database.execute("UPDATE principal_meta SET value = '1' WHERE name = 'schema'")

    async def tell(step):
        async def read():
            return "x" * 20_000

        assert await step.run("read", read, str) == "x" * 20_000

    async def act(engine, story):
        await deliver(engine, opened(B), "another")
        return (await over(engine, count=2))[-1]

    assert play(tmp_path, tell, act, github=OnePull(head=B)).state == "done"
    with closing(sqlite3.connect(tmp_path / "principal.db")) as database:
        assert database.execute("SELECT repository_id FROM principal_artifacts").fetchall() == [(42,)]


def test_a_database_of_a_newer_version_is_refused(tmp_path):
    play(tmp_path, no_story, reviewed)
    with closing(sqlite3.connect(tmp_path / "principal.db")) as database, database:
        database.execute("UPDATE principal_meta SET value = '999' WHERE name = 'schema'")
    with pytest.raises(UserError, match="newer version"):
        play(tmp_path, no_story, reviewed)
