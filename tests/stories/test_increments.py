"""A pull request over many pushes: each problem is said once, what is fixed is closed, what is dismissed stays so."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from tests.stories.bot import SECRET, WAIT_SECONDS, Bot, completed, environment, wait_for

BASE = "export const total = (items) => items.length;\n"
AGENT = """import https from "node:https";

export const agent = new https.Agent({ keepAlive: true, rejectUnauthorized: false });
"""
NIGHTLY = """export async function nightly(orders) {
  orders.forEach(async (order) => {
    await order.settle();
  });
}
"""
SAFE = AGENT.replace(", rejectUnauthorized: false", "")


class Pushes:
    """A pull request, and what its check run says after each push."""

    def __init__(self, github, bot, files, *, base=()):
        github.webhook(f"{bot.url}/webhooks/github", secret=SECRET)
        files_before = {"src/a.js": BASE, "README.md": "Shop\n", **dict(base)}
        self.repository = github.create_repository("acme/shop", files=files_before)
        self.repository.add_collaborator("alice", "write")
        self.pull = self.repository.open_pull(files=files, title="Agent", body="")
        self.runs = 0
        self.next()

    def next(self):
        """The check run of what just happened, once it is completed."""
        self.runs += 1
        return completed(self.pull, self.runs)[self.runs - 1]

    def push(self, files):
        self.pull.push(files)
        return self.next()

    @property
    def comments(self):
        """Who said what in the threads, as a person scans them: the headline or the whole of a short answer."""
        return [comment.body.split("\n", 1)[0] for comment in self.pull.review_comments]


def test_each_problem_is_said_once_whatever_is_pushed_and_closed_when_it_is_fixed(github, tmp_path):
    with Bot(environment(github, tmp_path)) as bot:
        story = Pushes(github, bot, {"src/agent.js": AGENT})
        github.grant(contents="write")
        pull, first = story.pull, story.pull.head_sha
        assert len(pull.reviews) == len(pull.review_comments) == 1

        (summary,) = pull.issue_comments
        assert "| `src/` | +3 −0 | `agent.js` |" in summary.body
        assert "**Risk** high: a finding of high severity is open" in summary.body
        assert "**Findings** 1 open" in summary.body

        said = story.push({"src/nightly.js": NIGHTLY})
        assert len(pull.reviews) == 2
        assert [one.path for one in pull.review_comments] == ["src/agent.js", "src/nightly.js"]
        assert "One finding from before is still open." in pull.reviews[1].body
        assert said.output.title == "One problem worth fixing before merge"

        moved = story.push({"src/agent.js": f"// Shared by all gateways.\n\n{AGENT}", "src/other.js": BASE})
        assert moved.output.title == "Nothing new; two findings from before are still open"
        assert len(pull.reviews) == len(pull.review_comments) == 2

        fixed = story.push({"src/agent.js": SAFE})
        answer = (
            f"Fixed in {pull.head_sha[:7]}: the code this was about has changed, and the problem was not found again."
        )
        assert story.comments[2:] == [answer]
        assert [thread.resolved_by is not None for thread in pull.threads] == [True, False]
        assert "One finding was fixed." in fixed.output.summary
        assert "one finding from before is still open" in fixed.output.title

        assert [one.id for one in pull.issue_comments] == [summary.id]
        assert "**Findings** 1 open, 1 fixed" in pull.issue_comments[0].body
        assert "~~This code accepts any TLS certificate~~" in pull.issue_comments[0].body

        back = story.push({"src/agent.js": AGENT})
        assert story.comments[3:] == [f"Back in {pull.head_sha[:7]}: the problem that had been fixed was found again."]
        assert [thread.resolved_by is not None for thread in pull.threads] == [False, False]
        assert back.output.title == "Nothing new; two findings from before are still open"

        pull.reset_to(first)
        gone = story.next()
        assert story.comments[4].startswith(f"Fixed in {first[:7]}")
        assert "One finding from before is still open, one finding was fixed." in gone.output.summary
    assert len(pull.reviews) == 2
    assert len(pull.threads) == 2


def test_a_pure_rebase_says_nothing_new_and_posts_nothing(github, tmp_path):
    with Bot(environment(github, tmp_path)) as bot:
        story = Pushes(github, bot, {"src/agent.js": AGENT})
        reviewed = story.pull.head_sha
        story.repository.push({"README.md": "Shop and more\n"})
        github.requests.clear()
        story.pull.force_push({"src/agent.js": AGENT})
        check = story.next()
        assert check.output.title == "Nothing new to review"
        said = f"Nothing in this push is new since `{reviewed[:7]}` was reviewed, so nothing is said again."
        assert said in check.output.summary
        assert "One finding from before is still open." in check.output.summary
    assert len(story.pull.reviews) == len(story.pull.review_comments) == 1
    written = {one.operation for one in github.requests.rest if one.method != "GET"}
    assert written == {"checks/create", "checks/update"}


def test_what_a_person_dismissed_stays_dismissed_until_somebody_starts_over(github, tmp_path):
    with Bot(environment(github, tmp_path)) as bot:
        story = Pushes(github, bot, {"src/agent.js": AGENT, "src/nightly.js": NIGHTLY})
        pull = story.pull
        pull.resolve(pull.threads[0], by="alice")
        check = story.push({"src/agent.js": AGENT.replace("keepAlive", "maxSockets: 9, keepAlive")})
        assert check.output.title == "Nothing new; one finding from before is still open"

        pull.comment("/review full", by="alice")
        story.next()
        assert [one.path for one in pull.review_comments] == ["src/agent.js", "src/nightly.js", "src/nightly.js"]

        pull.react(pull.review_comments[2], "-1", by="alice")
        check = story.push({"src/nightly.js": NIGHTLY.replace("settle", "close")})
        assert check.output.title == "No problems found that are worth your time"
        pull.comment("/review", by="alice")
        story.next()
        assert len(pull.review_comments) == 3


def jobs(folder):
    """The state of every job, as the bot's database has it."""
    with closing(sqlite3.connect(folder / "principal.db")) as database:
        return [state for (state,) in database.execute("SELECT state FROM principal_jobs")]


def test_who_asks_while_a_review_runs_is_answered_after_it_and_hears_nothing_twice(github, tmp_path):
    """The second review of a pull request waits for the first, and so knows what it said."""
    with Bot(environment(github, tmp_path)) as bot:
        github.webhook(f"{bot.url}/webhooks/github", secret=SECRET)
        repository = github.create_repository("acme/shop", files={"src/a.js": BASE})
        repository.add_collaborator("alice", "write")
        posting = github.faults.hold("POST", "/repos/acme/shop/pulls/*/reviews")
        pull = repository.open_pull(files={"src/agent.js": AGENT}, title="Agent", body="")
        assert posting.reached.wait(WAIT_SECONDS)
        pull.comment("/review", by="alice")
        wait_for(lambda: len(jobs(tmp_path)) == 2, why="the command was not queued")
        posting.release()
        wait_for(lambda: len(pull.reviews) == 2, why="the command got no review")
        completed(pull)
    assert [one.path for one in pull.review_comments] == ["src/agent.js"]
    assert pull.reviews[1].body.startswith("**Nothing new; one finding from before is still open.**")
    assert len(pull.issue_comments) == 2, "alice's own, and one summary"
