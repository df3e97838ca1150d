"""The records of `state` → the JSON objects of issues, pulls, reviews, comments, check runs and statuses."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from app.sandbox.records import (
    Account,
    Annotation,
    App,
    CheckRun,
    CheckSuite,
    Issue,
    IssueComment,
    Pull,
    Reaction,
    Repository,
    Review,
    ReviewComment,
    ReviewState,
    Role,
    Status,
)
from app.sandbox.shapes import Json, Shapes, moment, moment_or_none, node_id

REACTIONS = ("+1", "-1", "laugh", "confused", "heart", "hooray", "eyes", "rocket")
UNKNOWN_REPOSITORY = "unknown repository"

_GREEN = frozenset({"success", "neutral", "skipped"})


@dataclass(frozen=True, slots=True)
class Size:
    """How large a pull is."""

    commits: int
    additions: int
    deletions: int
    changed_files: int


@dataclass(frozen=True, slots=True)
class PullShapes(Shapes):
    """Adds what hangs on issues and pulls."""

    def issue(self, issue: Issue) -> Json:
        """An issue; for a pull with the `pull_request` member that tells the two apart."""
        api = f"{self.urls.repository(issue.repository)}/issues/{issue.number}"
        pull = isinstance(issue, Pull)
        page = f"{self.urls.page(issue.repository)}/{'pull' if pull else 'issues'}/{issue.number}"
        shape: Json = {
            "id": issue.id,
            "node_id": node_id("PR" if pull else "I", issue.id),
            "url": api,
            "repository_url": self.urls.repository(issue.repository),
            "labels_url": f"{api}/labels{{/name}}",
            "comments_url": f"{api}/comments",
            "events_url": f"{api}/events",
            "html_url": page,
            "timeline_url": f"{api}/timeline",
            "number": issue.number,
            "state": issue.state,
            "state_reason": None,
            "title": issue.title,
            "body": issue.body or None,
            "user": self.account_or_none(issue.author),
            "labels": [self.label(issue.repository, label) for label in issue.labels],
            "assignee": None,
            "assignees": [],
            "milestone": None,
            "locked": issue.locked,
            "active_lock_reason": None,
            "comments": len(issue.comments),
            "closed_at": moment_or_none(issue.closed_at),
            "created_at": moment(issue.created_at),
            "updated_at": moment(issue.updated_at),
            "author_association": self.association(issue.repository, issue.author),
            "reactions": self.reaction_rollup(f"{api}/reactions", issue.reactions),
            "performed_via_github_app": None,
        }
        if isinstance(issue, Pull):
            shape["draft"] = issue.draft
            shape["pull_request"] = {
                "url": self.pull_url(issue),
                "html_url": page,
                "diff_url": f"{page}.diff",
                "patch_url": f"{page}.patch",
                "merged_at": moment_or_none(issue.merged_at),
            }
        return shape

    def pull_url(self, pull: Pull) -> str:
        """A pull's REST address."""
        return f"{self.urls.repository(pull.repository)}/pulls/{pull.number}"

    def pull_page(self, pull: Pull) -> str:
        """A pull's web address."""
        return f"{self.urls.page(pull.repository)}/pull/{pull.number}"

    def simple_pull(self, pull: Pull) -> Json:
        """A pull as lists and review webhooks show it."""
        api, page = self.pull_url(pull), self.pull_page(pull)
        repository = self.urls.repository(pull.repository)
        issue = f"{repository}/issues/{pull.number}"
        addresses = {
            "self": api,
            "html": page,
            "issue": issue,
            "comments": f"{issue}/comments",
            "review_comments": f"{api}/comments",
            "review_comment": f"{repository}/pulls/comments{{/number}}",
            "commits": f"{api}/commits",
            "statuses": f"{repository}/statuses/{pull.head_sha}",
        }
        return {
            "url": api,
            "id": pull.id,
            "node_id": node_id("PR", pull.id),
            "html_url": page,
            "diff_url": f"{page}.diff",
            "patch_url": f"{page}.patch",
            "issue_url": issue,
            **{f"{name}_url": url for name, url in addresses.items() if name not in {"self", "html", "issue"}},
            "number": pull.number,
            "state": pull.state,
            "locked": pull.locked,
            "title": pull.title,
            "user": self.account_or_none(pull.author),
            "body": pull.body or None,
            "labels": [self.label(pull.repository, label) for label in pull.labels],
            "milestone": None,
            "created_at": moment(pull.created_at),
            "updated_at": moment(pull.updated_at),
            "closed_at": moment_or_none(pull.closed_at),
            "merged_at": moment_or_none(pull.merged_at),
            "merge_commit_sha": pull.merge_sha,
            "assignee": None,
            "assignees": [],
            "requested_reviewers": [self.account(reviewer) for reviewer in pull.reviewers],
            "requested_teams": [],
            "head": self._branch(pull.head_repository, pull.head_owner, pull.head_ref, pull.head_sha),
            "base": self._branch(pull.repository, pull.repository.owner, pull.base_ref, pull.base_sha),
            "_links": {name: {"href": url} for name, url in addresses.items()},
            "author_association": self.association(pull.repository, pull.author),
            "auto_merge": None,
            "active_lock_reason": None,
            "draft": pull.draft,
        }

    def pull(self, pull: Pull, size: Size) -> Json:
        """A pull as its own endpoint and its webhooks show it."""
        return {
            **self.simple_pull(pull),
            "merged": pull.merged_at is not None,
            "mergeable": pull.mergeable,
            "rebaseable": pull.mergeable,
            "mergeable_state": _mergeable_state(pull),
            "merged_by": None,
            "comments": len(pull.comments),
            "review_comments": len(pull.review_comments),
            "maintainer_can_modify": False,
            "commits": size.commits,
            "additions": size.additions,
            "deletions": size.deletions,
            "changed_files": size.changed_files,
        }

    def _branch(self, repository: Repository | None, owner: Account | None, ref: str, sha: str) -> Json:
        return {
            "label": f"{owner.login}:{ref}" if owner else UNKNOWN_REPOSITORY,
            "ref": ref,
            "sha": sha,
            "user": self.account_or_none(owner),
            "repo": None if repository is None else self.repository(repository),
        }

    def pull_reference(self, pull: Pull) -> Json:
        """A pull as check runs name it."""

        def end(repository: Repository, ref: str, sha: str) -> Json:
            where = {"id": repository.id, "url": self.urls.repository(repository), "name": repository.name}
            return {"ref": ref, "sha": sha, "repo": where}

        return {
            "id": pull.id,
            "number": pull.number,
            "url": self.pull_url(pull),
            "head": end(pull.head_repository or pull.repository, pull.head_ref, pull.head_sha),
            "base": end(pull.repository, pull.base_ref, pull.base_sha),
        }

    def issue_comment(self, comment: IssueComment) -> Json:
        """A comment of a conversation."""
        api = f"{self.urls.repository(comment.issue.repository)}/issues/comments/{comment.id}"
        issue = self.issue(comment.issue)
        return {
            "id": comment.id,
            "node_id": node_id("IC", comment.id),
            "url": api,
            "html_url": f"{issue['html_url']}#issuecomment-{comment.id}",
            "issue_url": issue["url"],
            "body": comment.body,
            "user": self.account(comment.user),
            "created_at": moment(comment.created_at),
            "updated_at": moment(comment.updated_at),
            "author_association": self.association(comment.issue.repository, comment.user),
            "reactions": self.reaction_rollup(f"{api}/reactions", comment.reactions),
            "performed_via_github_app": self._app_or_none(comment.app),
        }

    def review(self, review: Review) -> Json:
        """A review."""
        page = f"{self.pull_page(review.pull)}#pullrequestreview-{review.id}"
        pull = self.pull_url(review.pull)
        shape: Json = {
            "id": review.id,
            "node_id": node_id("PRR", review.id),
            "user": self.account(review.user),
            "body": review.body,
            "state": review.state.value,
            "html_url": page,
            "pull_request_url": pull,
            "_links": {"html": {"href": page}, "pull_request": {"href": pull}},
            "commit_id": review.commit_id,
            "author_association": self.association(review.pull.repository, review.user),
        }
        if review.submitted_at is not None:
            shape["submitted_at"] = moment(review.submitted_at)
        return shape

    def review_comment(self, comment: ReviewComment) -> Json:
        """A comment on the diff. What an outdated one lost is null; what it was made on stays in `original_…`."""
        pull, thread = comment.pull, comment.thread
        api = f"{self.urls.repository(pull.repository)}/pulls/comments/{comment.id}"
        page = f"{self.pull_page(pull)}#discussion_r{comment.id}"
        on_file = thread.original.line is None
        original, anchor = thread.original, thread.anchor
        shape: Json = {
            "id": comment.id,
            "node_id": node_id("PRRC", comment.id),
            "url": api,
            "html_url": page,
            "pull_request_url": self.pull_url(pull),
            "pull_request_review_id": comment.review.id,
            "diff_hunk": thread.diff_hunk,
            "path": (anchor or original).path,
            "commit_id": pull.head_sha if anchor else thread.original_commit,
            "original_commit_id": thread.original_commit,
            "user": self.account(comment.user),
            "body": comment.body,
            "created_at": moment(comment.created_at),
            "updated_at": moment(comment.updated_at),
            "author_association": self.association(pull.repository, comment.user),
            "_links": {
                "self": {"href": api},
                "html": {"href": page},
                "pull_request": {"href": self.pull_url(pull)},
            },
            "reactions": self.reaction_rollup(f"{api}/reactions", comment.reactions),
            "subject_type": "file" if on_file else "line",
            "side": original.side.value,
            "line": anchor.line if anchor else None,
            "original_line": original.line,
            "start_line": anchor.start_line if anchor else None,
            "original_start_line": original.start_line,
            "start_side": original.start_side.value if original.start_side else None,
            "position": 1 if on_file else (anchor.position if anchor else None),
            "original_position": original.position or 1,
        }
        if comment.reply_to is not None:
            shape["in_reply_to_id"] = comment.reply_to.id
        return shape

    def reaction(self, reaction: Reaction) -> Json:
        """A reaction."""
        return {
            "id": reaction.id,
            "node_id": node_id("REA", reaction.id),
            "user": self.account(reaction.user),
            "content": reaction.content,
            "created_at": moment(reaction.created_at),
        }

    def reaction_rollup(self, url: str, reactions: list[Reaction]) -> Json:
        """How many of each reaction."""
        counts = Counter(reaction.content for reaction in reactions)
        return {"url": url, "total_count": len(reactions), **{name: counts[name] for name in REACTIONS}}

    def check_run(self, run: CheckRun) -> Json:
        """A check run."""
        api = f"{self.urls.repository(run.repository)}/check-runs/{run.id}"
        page = f"{self.urls.page(run.repository)}/runs/{run.id}"
        return {
            "id": run.id,
            "node_id": node_id("CR", run.id),
            "name": run.name,
            "head_sha": run.head_sha,
            "external_id": run.external_id,
            "url": api,
            "html_url": page,
            "details_url": run.details_url or page,
            "status": run.status,
            "conclusion": run.conclusion,
            "started_at": moment(run.started_at),
            "completed_at": moment_or_none(run.completed_at),
            "output": {
                "title": run.output.title,
                "summary": run.output.summary,
                "text": run.output.text,
                "annotations_count": len(run.annotations),
                "annotations_url": f"{api}/annotations",
            },
            "check_suite": {"id": run.suite.id},
            "app": self.app(run.suite.app),
            "pull_requests": self._pulls_at(run.suite),
        }

    def check_suite(self, suite: CheckSuite) -> Json:
        """A check suite as check-run webhooks carry it."""
        runs = [run for run in suite.repository.check_runs if run.suite is suite]
        done = bool(runs) and all(run.status == "completed" for run in runs)
        failed = any(run.conclusion in {"failure", "timed_out", "action_required"} for run in runs)
        pulls = [pull for pull in suite.repository.pulls if pull.head_sha == suite.head_sha]
        return {
            "id": suite.id,
            "node_id": node_id("CS", suite.id),
            "head_branch": pulls[0].head_ref if pulls else None,
            "head_sha": suite.head_sha,
            "status": "completed" if done else "in_progress",
            "conclusion": ("failure" if failed else "success") if done else None,
            "url": f"{self.urls.repository(suite.repository)}/check-suites/{suite.id}",
            "before": pulls[0].base_sha if pulls else None,
            "after": suite.head_sha,
            "pull_requests": self._pulls_at(suite),
            "app": self.app(suite.app),
            "created_at": moment(suite.created_at),
            "updated_at": moment(suite.created_at),
        }

    def _pulls_at(self, suite: CheckSuite) -> list[Json]:
        """The open pulls of a suite; a head in a fork is never found, as on GitHub."""
        return [
            self.pull_reference(pull)
            for pull in suite.repository.pulls
            if pull.head_sha == suite.head_sha and pull.head_repository is suite.repository
        ]

    def annotation(self, run: CheckRun, annotation: Annotation) -> Json:
        """An annotation of a check run."""
        return {
            "path": annotation.path,
            "start_line": annotation.start_line,
            "end_line": annotation.end_line,
            "start_column": annotation.start_column,
            "end_column": annotation.end_column,
            "annotation_level": annotation.annotation_level,
            "title": annotation.title,
            "message": annotation.message,
            "raw_details": annotation.raw_details,
            "blob_href": f"{self.urls.repository(run.repository)}/git/blobs/{run.head_sha}",
        }

    def status(self, repository: Repository, status: Status) -> Json:
        """A commit status."""
        return {
            "url": f"{self.urls.repository(repository)}/statuses/{status.sha}",
            "avatar_url": self.account(status.creator)["avatar_url"],
            "id": status.id,
            "node_id": node_id("SC", status.id),
            "state": status.state,
            "description": status.description,
            "target_url": status.target_url,
            "context": status.context,
            "created_at": moment(status.created_at),
            "updated_at": moment(status.created_at),
            "creator": self.account(status.creator),
        }

    def association(self, repository: Repository, account: Account | None) -> str:
        """How GitHub describes a person's tie to a repository; it says little about what they may do."""
        if account is None:
            return "NONE"
        if account is repository.owner:
            return "OWNER"
        if repository.collaborators.get(account.login.lower(), Role.NONE) is not Role.NONE:
            return "COLLABORATOR"
        wrote = any(pull.author is account and pull.merged_at for pull in repository.pulls)
        return "CONTRIBUTOR" if wrote else "NONE"

    def _app_or_none(self, app: App | None) -> Json | None:
        return None if app is None else self.app(app)


def submitted(review: Review) -> bool:
    """Whether others can see a review."""
    return review.state is not ReviewState.PENDING


def _mergeable_state(pull: Pull) -> str:
    """GitHub's one word for whether it can be merged, and whether the checks of its head are green."""
    if not pull.mergeable:
        return "unknown" if pull.mergeable is None else "dirty"
    latest = {(run.suite.app.id, run.name): run for run in pull.repository.check_runs if run.head_sha == pull.head_sha}
    green = all(run.conclusion in _GREEN for run in latest.values())
    return "clean" if green else "unstable"
