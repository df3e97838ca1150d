"""What a repository's policy does to reviews, told as its people see it: in check runs, and in what is not said."""

from __future__ import annotations

import pytest

from tests.fakes.contract import described_github
from tests.stories.bot import SECRET, WAIT_SECONDS, Bot, completed, environment, wait_for

POLICY = ".github/principal.yml"
BASE = "export const total = (items) => items.length;\n"
BAD = """import https from "node:https";

export const agent = new https.Agent({ keepAlive: true, rejectUnauthorized: false });
"""
RULE = "crypto"


@pytest.fixture(scope="module")
def github():
    with described_github(events=("pull_request", "issue_comment", "merge_group")) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def bot(github, tmp_path_factory):
    with Bot(environment(github, tmp_path_factory.mktemp("data"))) as running:
        github.webhook(f"{running.url}/webhooks/github", secret=SECRET)
        yield running


def reviewed(github, name, *, policy=None, more=None, head=None, **how):
    """A pull request into a repository with this policy, once its check run is completed."""
    files = {"src/a.js": BASE, **(more or {}), **({POLICY: policy} if policy is not None else {})}
    repository = github.create_repository(name, files=files)
    repository.add_collaborator("alice", "write")
    pull = repository.open_pull(files={"src/a.js": BAD, **(head or {})}, title="Archive", body="", **how)
    return pull, completed(pull)[0]


def test_a_policy_with_an_error_is_told_with_its_line_and_the_defaults_are_used(github, bot):
    pull, check = reviewed(github, "acme/broken", policy="drafts: true\nmax_coments: 2\n")
    assert "The policy cannot be used, so the defaults were: .github/principal.yml:2" in check.output.summary
    assert "`max_coments` is not a key; did you mean `max_comments`?" in check.output.summary
    assert len(pull.reviews) == 1


def test_who_counts_is_the_policy_s_to_say_and_every_skip_says_why(github, bot):
    cases = {
        "acme/labels": ("labels: [wip]", {"labels": ["WIP"]}, "its label matches wip (labels.skip)"),
        "acme/titles": ("titles: ['arch*']", {}, "its title matches arch* (titles.skip)"),
        "acme/authors": ("authors: [dev]", {}, "its author matches dev (authors.skip)"),
        "acme/branches": (
            "base_branches: release/*",
            {},
            "its base branch is not in base_branches",
        ),
        "acme/size": ("max_changed_lines: 1", {}, "it changes 4 lines, more than 1 (max_changed_lines)"),
        "acme/asked": ("automatic: false", {}, "reviews are made when somebody asks with /review (automatic: false)"),
        "acme/draft": ("", {"draft": True}, "it is a draft (drafts: false)"),
    }
    for name, (policy, how, reason) in cases.items():
        labels = how.pop("labels", [])
        repository = github.create_repository(name, files={"src/a.js": BASE, POLICY: policy})
        pull = repository.open_pull(files={"src/a.js": BAD}, title="Archive", body="", deliver=False, **how)
        for label in labels:
            pull.add_label(label, deliver=False)
        github.deliver_held()
        (check,) = completed(pull)
        assert (check.conclusion, check.output.title) == ("neutral", f"Not reviewed: {reason}"), name
        assert "`/review`" in check.output.summary
        assert pull.reviews == []


def test_what_was_skipped_is_reviewed_once_it_counts(github, bot):
    pull, check = reviewed(github, "acme/waits", policy="automatic: false", draft=True)
    assert "automatic: false" in check.output.title
    pull.comment("/review", by="alice")
    completed(pull, runs=2)
    assert len(pull.reviews) == 1


def test_a_label_and_a_title_decide_a_skip_anew_and_begin_nothing_else(github, bot):
    pull, check = reviewed(github, "acme/relabelled", policy="labels: {only: [ready]}\ntitles: ['hold:*']")
    assert check.output.title == "Not reviewed: no label of it matches labels.only"
    pull.edit(title="hold: Archive")
    completed(pull, runs=2)
    pull.add_label("ready")
    assert completed(pull, runs=3)[2].output.title == "Not reviewed: its title matches hold:* (titles.skip)"
    pull.edit(title="Archive")
    assert completed(pull, runs=4)[3].output.title == "One problem worth fixing before merge"
    pull.add_label("seen")
    pull.remove_label("ready")
    pull.comment("/review", by="alice")
    assert "still open" in completed(pull, runs=5)[4].output.title
    assert len(pull.check_runs) == 5
    assert len(pull.reviews) == 2


def test_a_label_that_comes_while_a_review_finds_out_that_it_is_not_wanted_lets_it_in_all_the_same(github, bot):
    gate = github.faults.hold("POST", "*/labelled-late/check-runs")
    files = {"src/a.js": BASE, POLICY: "labels: {only: [ready]}"}
    pull = github.create_repository("acme/labelled-late", files=files).open_pull(
        files={"src/a.js": BAD}, title="T", body=""
    )
    gate.wait_until_reached(WAIT_SECONDS)
    read = len(github.requests)
    pull.add_label("ready")
    wait_for(lambda: any("/pulls/" in one.path for one in github.requests[read:]), why="the label was not decided on")
    gate.release()
    titles = [run.output.title for run in completed(pull, runs=2)]
    assert titles == ["Not reviewed: no label of it matches labels.only", "One problem worth fixing before merge"]


def test_what_the_policy_excludes_or_silences_is_not_said_and_its_severity_decides_the_check(github, bot):
    hidden, check = reviewed(github, "acme/hidden", policy="paths: {exclude: src/**}")
    assert "`src/a.js` (excluded by `paths.exclude` of .github/principal.yml)" in check.output.summary
    assert hidden.review_comments == []
    off, check = reviewed(github, "acme/off", policy=f"rules: {{{RULE}: off}}")
    assert off.review_comments == []
    failing, check = reviewed(github, "acme/gate", policy="fail_on: high")
    assert check.conclusion == "failure"
    assert "This check fails because the severity of a finding is high or worse." in check.output.summary
    assert RULE in failing.review_comments[0].body
    folders = {"src/.principal.yml": f"rules: {{{RULE}: low}}"}
    folder, check = reviewed(github, "acme/folder", policy="fail_on: high", more=folders)
    assert check.conclusion == "success"
    assert folder.review_comments == []
    assert RULE in folder.reviews[0].body


def test_a_policy_may_stand_in_the_owner_s_repository_and_extend_another(github, bot):
    github.create_repository("globex/.github", files={POLICY: "extends: standards\nlabels: [wip]\n"})
    github.create_repository("globex/standards", files={POLICY: "automatic: false\nmax_comments: 3\n"})
    _, check = reviewed(github, "globex/shop")
    assert check.output.title.endswith("(automatic: false)")
    _, check = reviewed(github, "globex/own", policy="fail_on: high")
    assert check.conclusion == "failure"
    asked = {one.path.split("/contents/")[0] for one in github.requests if one.operation == "repos/get-content"}
    assert asked == {"/repos/globex/.github", "/repos/globex/standards"}


def test_a_pull_that_changes_the_policy_is_told_when_it_counts_and_whether_it_is_valid(github, bot):
    pull, check = reviewed(github, "acme/changes", policy="summary: false", head={POLICY: "automatic: fales\n"})
    said = (
        "This pull request changes `.github/principal.yml`: that takes effect once it is merged, not for this review."
    )
    assert said in check.output.summary
    assert "The new text cannot be used: .github/principal.yml:1: `automatic`" in check.output.summary
    assert pull.issue_comments == []
    assert len(pull.reviews) == 1


def test_in_the_shadow_a_review_is_made_and_nothing_is_posted(github, bot):
    pull, check = reviewed(github, "acme/shadow", policy="shadow: true")
    assert (check.conclusion, check.output.title) == ("neutral", "Reviewed in the shadow")
    assert (pull.reviews, pull.review_comments, pull.issue_comments) == ([], [], [])


def test_a_bot_s_pull_is_reviewed_for_its_supply_chain_only(github, bot):
    repository = github.create_repository("acme/bumps", files={"src/a.js": BASE, "package.json": "{}\n"})
    other = repository.open_pull(files={"src/b.js": BASE}, title="Build", body="", deliver=False)
    other.finish_check_of_another_app("build", conclusion="success", deliver=False)
    pull = repository.open_pull(
        files={"src/a.js": BAD, "package.json": '{"dependencies": {"left-pad": "2"}}\n'},
        title="Bump left-pad",
        body="",
        author="builder[bot]",
    )
    (check,) = completed(pull)
    assert "`src/a.js` (not part of a supply-chain review (`bots: supply-chain`))" in check.output.summary
    assert "1 of 1 hunk" in check.output.summary


def test_the_re_run_button_reviews_again_also_for_a_fork(github, bot):
    pull, check = reviewed(github, "acme/fork", from_fork=True)
    said = len(pull.review_comments)
    pull.rerun(check, by="alice")
    completed(pull, runs=2)
    assert len(pull.reviews) == 2
    assert len(pull.review_comments) == said
    assert "is still open" in pull.reviews[-1].body


def test_a_merge_queue_gets_its_answer_on_the_commit_it_has_built(github, bot):
    pull, _ = reviewed(github, "acme/queue")
    commit = pull.queue_for_merge()
    (check,) = wait_for(
        lambda: [one for one in pull.state.repository.check_runs if one.head_sha == commit and one.conclusion],
        why="the merge queue still waits",
    )
    assert (check.conclusion, check.output.title) == ("success", "Each pull request was reviewed on its own")
