"""Forty pushes of one pull request, and ten events of another in every kind of order: each problem is said once."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from tests.stories.bot import SECRET, Bot, environment, wait_for
from tests.stories.test_increments import AGENT, BASE, NIGHTLY, SAFE, Pushes

SHELL = """import { exec } from "node:child_process";

export function list(req, res) {
  exec(`ls ${req.query.dir}`, (error, out) => res.json({ out }));
}
"""
FIND = """export async function find(db, req) {
  return db.query(`SELECT * FROM orders WHERE id = '${req.params.id}'`);
}
"""
PAGE = """export function page(req, res) {
  res.send(`<h1>${req.query.name}</h1>`);
}
"""
GOOD_NIGHTLY = NIGHTLY.replace("orders.forEach(async (order) => {", "for (const order of orders) {").replace("});", "}")
GOOD_FIND = FIND.replace("'${req.params.id}'`", "$1`, [req.params.id]")
GOOD_PAGE = PAGE.replace("send(`<h1>${req.query.name}</h1>`)", "json({ name: req.query.name })")
pytestmark = pytest.mark.timeout(400)
PROBLEMS = ("certificate", "forEach", "shell", "SQL", "page")
"""A word of each problem's headline."""


class Branch(Pushes):
    """A pull request whose author moves, renames, rebases and goes back; `files` is what its head adds to the base."""

    def __init__(self, github, bot, files):
        self.files = dict(files)
        super().__init__(github, bot, files)

    def write(self, **files):
        """A push of these files; `gateway__agent` is src/gateway/agent.js."""
        changed = {f"src/{name.replace('__', '/')}.js": text for name, text in files.items()}
        self.files |= changed
        return self.push(changed)

    def rename(self, old, new, text=None):
        before = self.files.pop(f"src/{old}.js")
        self.files[f"src/{new}.js"] = text or before
        return self.push({f"src/{old}.js": None, f"src/{new}.js": text or before})

    def rebase(self, **base):
        self.repository.push({f"{name}.md": text for name, text in base.items()})
        self.pull.force_push(self.files)
        return self.next()

    def back_to(self, sha):
        self.pull.reset_to(sha)
        return self.next()

    def about(self, word):
        """The threads whose headline has the word, each with the answers that the bot gave in it."""
        threads = [thread for thread in self.pull.threads if word in thread.comments[0].body.split("\n")[0]]
        return [(thread, [one.body.split(":")[0] for one in thread.comments[1:]]) for thread in threads]


def test_after_forty_pushes_each_problem_was_said_once_and_every_fixed_one_is_closed(github, tmp_path):
    with Bot(environment(github, tmp_path)) as bot:
        branch = Branch(github, bot, {"src/agent.js": AGENT})
        github.grant(contents="write")
        pull = branch.pull
        branch.write(nightly=NIGHTLY)
        branch.write(agent=f"// Shared by all gateways.\n\n{AGENT}")
        branch.write(agent=AGENT.replace("{ keepAlive", "{  keepAlive").replace("});", " });"))
        branch.rename("agent", "gateway/agent")
        branch.write(other=BASE)
        branch.write(shell=SHELL)
        branch.rename("gateway/agent", "net/agent", f"{BASE}{AGENT}")
        reviewed = pull.head_sha
        assert branch.rebase(NOTES="Notes\n").output.title == "Nothing new to review"
        assert branch.back_to(reviewed).output.title == "Nothing new to review"

        branch.write(nightly=GOOD_NIGHTLY)
        branch.write(nightly=NIGHTLY)
        branch.write(nightly=GOOD_NIGHTLY)
        branch.write(net__agent=AGENT.replace("keepAlive", "maxSockets: 9, keepAlive"))
        pull.resolve(branch.about("shell")[0][0], by="alice")
        branch.write(shell=f"// Lists a folder.\n{SHELL}")
        branch.rename("shell", "tools/shell")
        branch.write(tools__shell=SHELL.replace("out })", "out, error })"))
        branch.write(find=FIND, page=PAGE)
        branch.write(find=GOOD_FIND)
        branch.write(page=GOOD_PAGE)
        branch.write(page=PAGE)
        branch.rebase(NOTES="Notes\n\nMore\n", README="Shop and more\n")
        branch.write(page=GOOD_PAGE)

        for number in range(7):
            branch.write(other=f"{BASE}// {number}\n", tools__shell=f"{'//' * number}\n{SHELL}")
        with_problems = pull.head_sha
        branch.write(net__agent=SAFE)
        branch.back_to(with_problems)
        for number in range(9):
            branch.write(**{f"more{number}": BASE, "net__agent": "\n" * number + AGENT})
        assert branch.runs == 41, "the opening and forty pushes"

    assert [len(branch.about(word)) for word in PROBLEMS] == [1] * len(PROBLEMS)
    assert len(pull.threads) == len(PROBLEMS)
    ends = {
        word: (thread.resolved_by is not None, answers) for word in PROBLEMS for thread, answers in branch.about(word)
    }
    for word in ("forEach", "SQL", "page"):
        closed, answers = ends[word]
        assert closed, word
        assert answers[-1].startswith("Fixed in "), word
    assert ends["shell"] == (True, []), "what a person closed is left alone"
    closed, answers = ends["certificate"]
    assert not closed
    assert [answer.split(" ")[0] for answer in answers] == ["Fixed", "Back"]
    for _, answers in ends.values():
        assert len(set(answers)) == len(answers)
        assert [answer.split(" ")[0] for answer in answers] == (["Fixed", "Back"] * 20)[: len(answers)]
    assert len(pull.issue_comments) == 1
    assert "**Findings** 1 open, 3 fixed, 1 dismissed" in pull.issue_comments[0].body


def test_one_pull_reviewed_ten_times_in_whatever_order_it_is_heard_of_has_no_comment_twice(github, tmp_path):
    """Ten deliveries of a pull: as they were sent, the other way round, and shuffled; some of them twice."""
    orders = [list(range(10)), list(range(9, -1, -1))]
    for seed in range(2):
        shuffled = list(range(10))
        random.Random(seed).shuffle(shuffled)
        orders.append([*shuffled, *shuffled[:3]])
    with Bot(environment(github, tmp_path)) as bot:
        github.webhook(f"{bot.url}/webhooks/github", secret=SECRET)
        pulls = []
        for number, order in enumerate(orders):
            pull, deliveries = ten_times_heard_of(github, f"acme/shop{number}")
            for place in order:
                heard(github, deliveries[place])
            pulls.append(pull)
        for pull in pulls:
            wait_for(lambda pull=pull: reviewed_whole(pull), why=f"pull {pull.state.repository.name} is not reviewed")
    for pull in pulls:
        said = Counter((one.path, one.body.split("\n", 1)[0]) for one in pull.review_comments)
        assert sorted(path for path, _ in said) == ["src/agent.js", "src/nightly.js"]
        assert set(said.values()) == {1}
        assert len(pull.issue_comments) - 3 == 1, "one summary beside the three commands"


def heard(github, delivery):
    """The delivery taken; one that a busy machine did not answer in time is sent again, as a sweep would have it."""
    sent = github.deliver(delivery) if delivery.delivered_at is None else github.redeliver(delivery.guid)
    while not sent.succeeded:
        sent = github.redeliver(sent.guid)


def ten_times_heard_of(github, name):
    repository = github.create_repository(name, files={"src/a.js": BASE, "README.md": "Shop\n"})
    repository.add_collaborator("alice", "write")
    before = len(github.held)
    pull = repository.open_pull(files={"src/agent.js": AGENT}, title="Agent", body="", deliver=False)
    pull.push({"src/nightly.js": NIGHTLY}, deliver=False)
    pull.comment("/review", by="alice", deliver=False)
    pull.push({"src/agent.js": f"// Shared.\n{AGENT}"}, deliver=False)
    pull.close(deliver=False)
    pull.reopen(deliver=False)
    pull.comment("/review", by="alice", deliver=False)
    pull.convert_to_draft(deliver=False)
    pull.ready_for_review(deliver=False)
    pull.comment("/review deep", by="alice", deliver=False)
    held = github.held[before:]
    assert len(held) == 10
    return pull, held


def reviewed_whole(pull):
    """Whether all that was asked for has an end: three reviews were asked for, and each of them posts one."""
    return len(pull.reviews) >= 3 and all(run.status == "completed" for run in pull.check_runs)
