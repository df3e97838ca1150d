"""Every way to come to nothing ends where a person sees it.

One check run with what, why and what to do, one log line, one metric, and a code that all three share with the documentation.
"""

from __future__ import annotations

from pathlib import Path

from app import main, web
from app.core import gate
from app.errors import MEANINGS, Code, Permanent
from app.jobs import Engine
from app.settings import Settings
from app.telemetry import REGISTRY
from tests.fakes.service import QUICK, until
from tests.stories.bot import SECRET, Bot, environment, wait_for

DOCS = Path(__file__).parents[2] / "docs" / "errors.md"
BASE = "export const total = 1;\n"


def open_pull(github, bot, name="acme/shop", **how):
    github.webhook(f"{bot.url}/webhooks/github", secret=SECRET)
    repository = github.create_repository(name, files={"src/a.ts": BASE})
    repository.add_collaborator("alice", "write")
    return repository.open_pull(files={"src/a.ts": BASE.replace("1", "2")}, title="Two", body="", **how)


def failures(kind, code):
    return REGISTRY.get_sample_value("principal_failures_total", {"kind": kind, "code": code}) or 0.0


def completed(pull):
    return wait_for(
        lambda: [run for run in pull.check_runs if run.status == "completed"], why=f"nothing is told on {pull.number}"
    )


def wrong_as(name):
    return f"This went wrong in the way of {name}"


class Doomed(main.PullStory):
    """A review that fails before it has a check run, with the code its repository is named after; the rest is the service's."""

    async def review(self, request, *, pull, step):
        del pull, step
        _, _, name = request.repository.partition("/")
        raise Permanent(Code(name.upper()), wrong_as(name))


class DoomedBot(Bot):
    """The bot with that story in place of the review."""

    def __init__(self, environ):
        super().__init__(environ, timing=QUICK)
        self.story = Doomed(Settings.load(environ), kept=lambda: self.engine)

    async def _serve(self):
        settings = Settings.load(self._environ)
        self.engine = Engine(settings, story=self.story, github=self.story.door, timing=self._timing)
        await self.engine.start()
        try:
            await self._answer(web.build(settings, self.engine), settings)
        finally:
            await self.engine.stop(0)
            await self.story.close()


def test_every_code_that_can_end_a_review_is_told_on_the_pull_logged_counted_and_documented(github, tmp_path, lines):
    documented = DOCS.read_text()
    before = {code: failures("review", code) for code in Code}
    with DoomedBot(environment(github, tmp_path)) as bot:
        pulls = {code: open_pull(github, bot, f"acme/{code.lower()}") for code in Code}
        for code, pull in pulls.items():
            (run,) = completed(pull)
            assert run.conclusion == "neutral"
            assert run.output.title == f"Not reviewed: {wrong_as(code.lower())} ({code})"
            assert gate.line(MEANINGS[code].why) in run.output.summary
            assert MEANINGS[code].action in run.output.summary
            assert f"`{code}`" in documented
            until(lambda code=code: failures("review", code) == before[code] + 1)
    for code in Code:
        told = [line for line in lines() if line.get("code") == code]
        assert [line["event"] for line in told] == ["review_ended"]
        assert told[0]["repository"] == f"acme/{code.lower()}"


def test_a_push_that_cannot_even_be_decided_on_is_told_on_its_head(github, tmp_path, lines):
    github.faults.answer(403, "GET", "*/pulls/*", times=99)
    before = failures("delivery", "GITHUB_FORBIDDEN")
    with Bot(environment(github, tmp_path)) as bot:
        pull = open_pull(github, bot)
        (run,) = completed(pull)
    assert run.head_sha == pull.head_sha
    assert "(GITHUB_FORBIDDEN)" in run.output.title
    assert "Accept the App's permissions" in run.output.summary
    assert failures("delivery", "GITHUB_FORBIDDEN") == before + 1
    assert [line["code"] for line in lines() if line["event"] == "delivery_failed"] == ["GITHUB_FORBIDDEN"]


def test_a_command_that_cannot_be_obeyed_gets_a_shrug(github, tmp_path, lines):
    with Bot(environment(github, tmp_path)) as bot:
        pull = open_pull(github, bot, deliver=False)
        github.faults.answer(403, "GET", "*/collaborators/*", times=99)
        comment = pull.comment("/review", by="alice")
        wait_for(lambda: comment.reactions, why="the person was left alone")
    assert [reaction.content for reaction in comment.reactions] == ["confused"]
    assert [line["code"] for line in lines() if line["event"] == "delivery_failed"] == ["GITHUB_FORBIDDEN"]
    assert pull.check_runs == []


def test_an_app_that_was_removed_says_nothing_more(github, tmp_path, lines):
    with Bot(environment(github, tmp_path)) as bot:
        pull = open_pull(github, bot, deliver=False)
        github.webhook(None)  # Its word that the App was removed is lost: with it, the pull would be forgotten.
        github.uninstall()
        github.webhook(f"{bot.url}/webhooks/github", secret=SECRET)
        github.deliver_held()
        wait_for(lambda: [line for line in lines() if line["event"] == "delivery_failed"], why="nothing was logged")
    assert (pull.check_runs, pull.reviews) == ([], [])
