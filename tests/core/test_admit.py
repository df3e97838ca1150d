"""Which pull requests are reviewed, by policy, and the reason a person reads for those that are not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.core.admit import Scope, Skip, admit
from app.core.policy import Policy, parse
from app.core.pull import Pull
from app.core.untrusted import Untrusted

PULL = Pull(
    repository="octo/shop",
    repository_id=42,
    private=False,
    default_branch="main",
    number=7,
    title=Untrusted("Charge orders"),
    body=Untrusted(""),
    author="mona",
    author_is_bot=False,
    state="open",
    merged=False,
    draft=False,
    locked=False,
    head_sha="a" * 40,
    head_ref=Untrusted("topic"),
    head_repository="octo/shop",
    base_sha="b" * 40,
    base_ref="main",
    labels=("backend",),
    changed_files=1,
    additions=10,
    deletions=2,
)


def test_without_a_policy_a_persons_pull_is_reviewed_whole():
    assert admit(PULL, Policy(), by_hand=False) is Scope.WHOLE


@pytest.mark.parametrize(
    ("text", "changes", "reason"),
    [
        ("", {"draft": True}, "it is a draft (`drafts: false`)"),
        ("automatic: false", {}, "reviews are made when somebody asks with `/review` (`automatic: false`)"),
        ("authors: [Mona]", {}, "its author matches `Mona` (`authors.skip`)"),
        ("authors: {only: [hubot]}", {}, "no author of it matches `authors.only`"),
        ("labels: [back*]", {}, "its label matches `back*` (`labels.skip`)"),
        ("labels: {only: [ready]}", {}, "no label of it matches `labels.only`"),
        ("titles: ['wip*']", {"title": Untrusted("WIP: charge")}, "its title matches `wip*` (`titles.skip`)"),
        ("base_branches: [main]", {"base_ref": "release/1"}, "its base branch is not in `base_branches`"),
        ("max_changed_lines: 11", {}, "it changes 12 lines, more than 11 (`max_changed_lines`)"),
        ("bots: off", {"author_is_bot": True}, "a bot opened it (`bots: off`)"),
    ],
)
def test_a_skip_names_its_reason_and_its_key(text, changes, reason):
    assert admit(replace(PULL, **changes), parse(text), by_hand=False) == Skip(reason)


@pytest.mark.parametrize(
    ("text", "changes", "scope"),
    [
        ("drafts: true", {"draft": True}, Scope.WHOLE),
        ("labels: {only: [ready, backend]}", {}, Scope.WHOLE),
        ("base_branches: [main, 'release/*']", {"base_ref": "release/1"}, Scope.WHOLE),
        ("max_changed_lines: 0", {"additions": 900_000}, Scope.WHOLE),
        ("", {"author_is_bot": True}, Scope.SUPPLY_CHAIN),
        ("bots: full", {"author_is_bot": True}, Scope.WHOLE),
    ],
)
def test_what_the_policy_lets_in_is_reviewed(text, changes, scope):
    assert admit(replace(PULL, **changes), parse(text), by_hand=False) is scope


def test_what_a_person_asks_for_is_always_made():
    policy = parse("automatic: false\nauthors: [mona]\nbots: off\nmax_changed_lines: 1\n")
    assert admit(replace(PULL, draft=True, author_is_bot=True), policy, by_hand=True) is Scope.WHOLE
