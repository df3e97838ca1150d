"""What happened → the webhook payload that tells it, in the shapes GitHub sends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from app.sandbox.pull_shapes import PullShapes, Size
from app.sandbox.records import (
    Account,
    CheckRun,
    CheckSuite,
    Installation,
    Issue,
    IssueComment,
    Kind,
    Pull,
    Repository,
    Review,
    ReviewComment,
    Thread,
)
from app.sandbox.shapes import Json, node_id


@dataclass(frozen=True, slots=True)
class Event:
    """A payload without the parts that differ by installation, and where it happened."""

    name: str
    payload: Json
    repository: Repository | None = None

    @property
    def action(self) -> str | None:
        """What was done."""
        return self.payload.get("action")


@dataclass(frozen=True, slots=True)
class Events:
    """Builds events. `size` tells how large a pull is; it asks git and is therefore the caller's."""

    shapes: PullShapes
    size: Callable[[Pull], Size]

    def pull_request(self, action: str, pull: Pull, sender: Account, **extra: object) -> Event:
        """Something about a pull itself; `extra` is what the action adds, such as `before` and `after`."""
        body = {"action": action, "number": pull.number, "pull_request": self.shapes.pull(pull, self.size(pull))}
        return self._in(pull.repository, sender, "pull_request", {**body, **extra})

    def issue_comment(self, action: str, comment: IssueComment, sender: Account, **extra: object) -> Event:
        """A comment in a conversation."""
        issue = self.shapes.issue(comment.issue)
        body = {"action": action, "issue": issue, "comment": self.shapes.issue_comment(comment)}
        return self._in(comment.issue.repository, sender, "issue_comment", {**body, **extra})

    def issues(self, action: str, issue: Issue, sender: Account) -> Event:
        """Something about an issue itself."""
        return self._in(issue.repository, sender, "issues", {"action": action, "issue": self.shapes.issue(issue)})

    def review(self, action: str, review: Review, sender: Account) -> Event:
        """A review was submitted, edited or dismissed. Its state is written small here, unlike in REST."""
        shape = self.shapes.review(review)
        shape["state"] = review.state.value.lower()
        body = {"action": action, "review": shape, "pull_request": self.shapes.simple_pull(review.pull)}
        return self._in(review.pull.repository, sender, "pull_request_review", body)

    def review_comment(self, action: str, comment: ReviewComment, sender: Account, **extra: object) -> Event:
        """A comment on the diff."""
        pull = self.shapes.simple_pull(comment.pull)
        body = {"action": action, "comment": self.shapes.review_comment(comment), "pull_request": pull}
        return self._in(comment.pull.repository, sender, "pull_request_review_comment", {**body, **extra})

    def thread(self, action: str, thread: Thread, sender: Account) -> Event:
        """A thread was resolved or opened again."""
        shape = {
            "node_id": node_id("PRRT", thread.id),
            "comments": [self.shapes.review_comment(comment) for comment in thread.comments],
        }
        body = {"action": action, "pull_request": self.shapes.simple_pull(thread.pull), "thread": shape}
        return self._in(thread.pull.repository, sender, "pull_request_review_thread", body)

    def check_run(self, action: str, run: CheckRun, sender: Account) -> Event:
        """A check run was made, finished, or asked for again."""
        suite = self.shapes.check_suite(run.suite)
        shape = {**self.shapes.check_run(run), "check_suite": suite}
        return self._in(run.repository, sender, "check_run", {"action": action, "check_run": shape})

    def check_suite(self, action: str, suite: CheckSuite, sender: Account) -> Event:
        """A check suite was asked for, or finished."""
        shape = self.shapes.check_suite(suite)
        return self._in(suite.repository, sender, "check_suite", {"action": action, "check_suite": shape})

    def merge_group(self, repository: Repository, sender: Account, *, ref: str, head: str, base: str) -> Event:
        """A merge queue waits for the checks of a commit it has built."""
        group = {
            "head_sha": head,
            "head_ref": f"refs/heads/{ref}",
            "base_sha": base,
            "base_ref": f"refs/heads/{repository.default_branch}",
            "head_commit": self.shapes.commit(repository, repository.git.commit_at(head))["commit"],
        }
        return self._in(repository, sender, "merge_group", {"action": "checks_requested", "merge_group": group})

    def push(
        self, repository: Repository, ref: str, sender: Account, *, before: str, after: str, forced: bool
    ) -> Event:
        """A ref moved."""
        body = {
            "ref": ref,
            "before": before,
            "after": after,
            "created": not before.strip("0"),
            "deleted": not after.strip("0"),
            "forced": forced,
            "base_ref": None,
            "compare": f"{self.shapes.urls.page(repository)}/compare/{before[:12]}...{after[:12]}",
            "commits": [],
            "head_commit": None,
            "pusher": {"name": sender.login, "email": None},
        }
        return self._in(repository, sender, "push", body)

    def repository(self, action: str, repository: Repository, sender: Account, **extra: object) -> Event:
        """Something about a repository itself."""
        return self._in(repository, sender, "repository", {"action": action, **extra})

    def installation(self, action: str, installation: Installation, repositories: list[Repository]) -> Event:
        """An App was installed, removed, suspended or brought back."""
        body = {
            "action": action,
            "installation": self.shapes.installation(installation),
            "repositories": [self.shapes.small_repository(repository) for repository in repositories],
            "requester": None,
            "sender": self.shapes.account(installation.account),
        }
        return Event("installation", body)

    def taken_away(self, installation: Installation, repository: Repository) -> Event:
        """An installation no longer covers a repository."""
        body = {
            "action": "removed",
            "installation": self.shapes.installation(installation),
            "repository_selection": "selected",
            "repositories_added": [],
            "repositories_removed": [self.shapes.small_repository(repository)],
            "requester": None,
            "sender": self.shapes.account(installation.account),
        }
        return Event("installation_repositories", body)

    def ping(self, hook: Json) -> Event:
        """The first delivery to a new address."""
        return Event("ping", {"zen": "Small steps leave clear prints.", "hook_id": hook["id"], "hook": hook})

    def _in(self, repository: Repository, sender: Account, name: str, body: Json) -> Event:
        payload: Json = {
            **body,
            "repository": self.shapes.repository(repository),
            "sender": self.shapes.account(sender),
        }
        if repository.owner.kind is Kind.ORGANIZATION:
            payload["organization"] = self._organization(repository.owner)
        return Event(name, payload, repository)

    def _organization(self, owner: Account) -> Json:
        url = f"{self.shapes.urls.api}/orgs/{owner.login}"
        return {
            "login": owner.login,
            "id": owner.id,
            "node_id": node_id("O", owner.id),
            "url": url,
            "repos_url": f"{url}/repos",
            "events_url": f"{url}/events",
            "hooks_url": f"{url}/hooks",
            "issues_url": f"{url}/issues",
            "members_url": f"{url}/members{{/member}}",
            "public_members_url": f"{url}/public_members{{/member}}",
            "avatar_url": f"{self.shapes.urls.server}/avatars/u/{owner.id}",
            "description": "",
        }
