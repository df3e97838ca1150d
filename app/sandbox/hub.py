"""What can happen in this GitHub: every change of state passes here, whether a test's verb or a REST request asks for it.

Each method changes the records, moves refs where git is concerned, and notes the webhooks that follow. Whoever calls
opens a `transaction`, which holds the one lock and hands out the deliveries to send once the lock is free.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from app.sandbox import threads
from app.sandbox.events import Event, Events
from app.sandbox.pull_shapes import PullShapes, Size
from app.sandbox.records import (
    Account,
    App,
    Delivery,
    Installation,
    Issue,
    IssueComment,
    Kind,
    Label,
    Pull,
    Push,
    Reaction,
    Repository,
    Role,
    Thread,
)
from app.sandbox.refusals import forbidden
from app.sandbox.repository import Files, GitRepository, Person
from app.sandbox.shapes import EMAIL_HOST, Urls
from app.sandbox.state import State
from app.sandbox.webhooks import Webhooks

ALWAYS_SENT = {"installation", "installation_repositories", "github_app_authorization", "ping"}
SENT_WITH_CHECKS = {"check_run", "check_suite"}


class Hub:
    """One GitHub: its state, its repositories on disk under `directory`, its webhooks."""

    def __init__(self, *, state: State, directory: Path, urls: Urls) -> None:
        self.state = state
        self.directory = directory
        self.urls = urls
        self.lock = threading.RLock()
        self.shapes = PullShapes(urls, state)
        self.events = Events(self.shapes, self.size)
        self.webhooks = Webhooks(state)
        self._deliveries: list[Delivery] = []
        self._sizes: dict[tuple[str, str], Size] = {}

    @contextmanager
    def transaction(self) -> Iterator[list[Delivery]]:
        """Holds the lock; the list fills with the deliveries that the work inside causes."""
        with self.lock:
            outer, self._deliveries = self._deliveries, []
            try:
                yield self._deliveries
            finally:
                self._deliveries = outer

    def emit(self, event: Event) -> None:
        """Notes a delivery for each installation that asked for such events."""
        if event.repository is None:
            return
        for installation in self.state.installations_of(event.repository):
            if installation.suspended_at is None and subscribed(installation, event.name):
                lite = {"id": installation.id, "node_id": f"MDIz{installation.id}"}
                payload = {**event.payload, "installation": lite}
                self._note(installation.app, event, payload, installation)

    def emit_to(self, app: App, event: Event, installation: Installation | None = None) -> None:
        """Notes a delivery that concerns the App as such."""
        self._note(app, event, event.payload, installation)

    def _note(self, app: App, event: Event, payload: dict[str, object], installation: Installation | None) -> None:
        prepared = self.webhooks.prepare(
            app, event.name, payload, repository=event.repository, installation=installation
        )
        if prepared is not None:
            self._deliveries.append(prepared)

    # Repositories.

    def create_repository(
        self, full_name: str, *, files: Files, private: bool, default_branch: str, author: str, owner_kind: Kind
    ) -> Repository:
        """A new repository with one commit on its default branch."""
        repository_id = self.state.next_id()
        git = GitRepository.create(self.directory / f"{repository_id}.git", default_branch=default_branch)
        git.commit(
            f"refs/heads/{default_branch}",
            parents=(),
            files=files,
            message="First commit",
            author=self.person(self.state.account(author)),
        )
        return self.add_repository(
            full_name,
            git=git,
            repository_id=repository_id,
            private=private,
            default_branch=default_branch,
            owner_kind=owner_kind,
        )

    def add_repository(
        self,
        full_name: str,
        *,
        git: GitRepository,
        repository_id: int,
        private: bool,
        default_branch: str,
        owner_kind: Kind,
    ) -> Repository:
        """A repository around a git directory that stands already."""
        owner, _, name = full_name.partition("/")
        repository = Repository(
            id=repository_id,
            owner=self.state.account(owner, owner_kind),
            name=name,
            private=private,
            default_branch=default_branch,
            git=git,
            created_at=self.state.now(),
        )
        self.state.repositories[repository.id] = repository
        return repository

    def fork(self, parent: Repository, owner: Account) -> Repository:
        """The owner's fork, made if there is none."""
        known = self.state.repository(f"{owner.login}/{parent.name}")
        if known is not None:
            return known
        repository_id = self.state.next_id()
        directory = self.directory / f"{repository_id}.git"
        git = GitRepository.create(directory, default_branch=parent.default_branch, objects_of=parent.git)
        git.commits_made = parent.git.commits_made
        git.set_refs({f"refs/heads/{name}": sha for name, sha in parent.git.branches().items()})
        fork = self.add_repository(
            f"{owner.login}/{parent.name}",
            git=git,
            repository_id=repository_id,
            private=parent.private,
            default_branch=parent.default_branch,
            owner_kind=owner.kind,
        )
        fork.parent = parent
        fork.collaborators = dict(parent.collaborators)
        return fork

    def rename_repository(self, repository: Repository, name: str, by: Account) -> None:
        """Gives a repository a new name; the old one leads to it from then on."""
        old = repository.name
        self.state.renamed[repository.full_name.lower()] = repository.id
        repository.name = name
        self.state.renamed.pop(repository.full_name.lower(), None)
        changes = {"repository": {"name": {"from": old}}}
        self.emit(self.events.repository("renamed", repository, by, changes=changes))

    def delete_repository(self, repository: Repository) -> None:
        """Takes a repository away; pulls from it lose their head repository and keep their commits."""
        repository.deleted = True
        for other in self.state.repositories.values():
            for pull in other.pulls:
                if pull.head_repository is repository:
                    pull.head_repository = None

    def person(self, account: Account) -> Person:
        """An account as a commit's author."""
        return Person(account.login, f"{account.login}@{EMAIL_HOST}")

    # Issues and pulls.

    def open_issue(self, repository: Repository, *, title: str, body: str, author: Account) -> Issue:
        """A new issue."""
        now = self.state.now()
        number = len(repository.issues) + 1
        issue = Issue(self.state.next_id(), number, repository, author, title, body, now, now)
        repository.issues[number] = issue
        self.emit(self.events.issues("opened", issue, author))
        return issue

    def open_pull(
        self,
        repository: Repository,
        *,
        head_repository: Repository,
        head_ref: str,
        base_ref: str,
        title: str,
        body: str,
        author: Account,
        draft: bool,
        labels: Sequence[Label] = (),
    ) -> Pull:
        """A new pull for two branches that stand already.

        Raises:
            ValueError: a branch is missing, or there is nothing between the two.

        """
        base, head = repository.git.ref(f"refs/heads/{base_ref}"), head_repository.git.ref(f"refs/heads/{head_ref}")
        if base is None or head is None:
            raise ValueError(f"no branch {base_ref if base is None else head_ref}")
        ancestor = repository.git.merge_base(base, head)
        if ancestor is None or ancestor == head:
            raise ValueError(f"no commits between {base_ref} and {head_ref}")
        now = self.state.now()
        pull = Pull(
            id=self.state.next_id(),
            number=len(repository.issues) + 1,
            repository=repository,
            author=author,
            title=title,
            body=body,
            created_at=now,
            updated_at=now,
            base_ref=base_ref,
            base_sha=base,
            head_repository=head_repository,
            head_owner=head_repository.owner,
            head_ref=head_ref,
            head_sha=head,
            draft=draft,
            labels=list(labels),
        )
        repository.issues[pull.number] = pull
        self._publish_refs(pull)
        self.emit(self.events.pull_request("opened", pull, author))
        return pull

    def _publish_refs(self, pull: Pull) -> None:
        git = pull.repository.git
        name = f"refs/pull/{pull.number}"
        git.set_refs({f"{name}/head": pull.head_sha})
        message = f"Merge {pull.head_sha} into {pull.base_sha}"
        author = self.person(pull.repository.owner)
        merged = git.merge(f"{name}/merge", base=pull.base_sha, head=pull.head_sha, message=message, author=author)
        pull.mergeable = merged is not None
        pull.merge_sha = merged

    def size(self, pull: Pull) -> Size:
        """How large a pull is, as git counts."""
        base = self.merge_base(pull)
        key = (base, pull.head_sha)
        if key not in self._sizes:
            changes = pull.repository.git.changes(base, pull.head_sha)
            self._sizes[key] = Size(
                commits=pull.repository.git.count(base, pull.head_sha),
                additions=sum(file.additions or 0 for file in changes),
                deletions=sum(file.deletions or 0 for file in changes),
                changed_files=len(changes),
            )
        return self._sizes[key]

    def merge_base(self, pull: Pull, head: str | None = None) -> str:
        """The commit a pull's difference starts from."""
        return pull.repository.git.merge_base(pull.base_sha, head or pull.head_sha) or pull.base_sha

    def move_branch(self, repository: Repository, branch: str, after: str, *, before: str, by: Account) -> None:
        """A branch was pushed: open pulls from it get a new head. Pulls into it keep their base until they move themselves."""
        forced = repository.git.merge_base(before, after) != before
        self.emit(self.events.push(repository, f"refs/heads/{branch}", by, before=before, after=after, forced=forced))
        for other in list(self.state.repositories.values()):
            for pull in other.pulls:
                if pull.state != "open":
                    continue
                if pull.head_repository is repository and pull.head_ref == branch:
                    self._synchronize(pull, after, forced=forced, by=by)

    def _synchronize(self, pull: Pull, after: str, *, forced: bool, by: Account) -> None:
        before = pull.head_sha
        old_base = self.merge_base(pull)
        pull.base_sha = pull.repository.git.ref(f"refs/heads/{pull.base_ref}") or pull.base_sha
        pull.head_sha = after
        pull.updated_at = self.state.now()
        pull.history.append(Push(before, after, forced, self.state.now(), by))
        self._publish_refs(pull)
        new_base = self.merge_base(pull)
        for thread in pull.threads:
            threads.relocate(thread, old=(old_base, before), new=(new_base, after))
        self.emit(self.events.pull_request("synchronize", pull, by, before=before, after=after))

    def set_state(self, pull: Pull, state: str, by: Account) -> None:
        """Closes a pull or opens it again."""
        pull.state = state
        pull.closed_at = self.state.now() if state == "closed" else None
        pull.updated_at = self.state.now()
        self.emit(self.events.pull_request("closed" if state == "closed" else "reopened", pull, by))

    def merge_pull(self, pull: Pull, by: Account) -> str:
        """Merges a pull into its base branch and closes it; the id of the merge commit."""
        git = pull.repository.git
        message = f"Merge pull request #{pull.number} from {pull.head_ref}"
        base = git.ref(f"refs/heads/{pull.base_ref}") or pull.base_sha
        ref = f"refs/heads/{pull.base_ref}"
        merged = git.merge(ref, base=base, head=pull.head_sha, message=message, author=self.person(by))
        if merged is None:
            raise ValueError("the branches conflict")
        pull.merge_sha, pull.merged_at = merged, self.state.now()
        self.set_state(pull, "closed", by)
        return merged

    def set_draft(self, pull: Pull, draft: bool, by: Account) -> None:
        """Makes a pull a draft, or ready for review."""
        pull.draft = draft
        self.emit(self.events.pull_request("converted_to_draft" if draft else "ready_for_review", pull, by))

    def edit_pull(
        self, pull: Pull, *, by: Account, title: str | None = None, body: str | None = None, base: str | None = None
    ) -> None:
        """Changes a pull's texts or the branch it goes into."""
        changes: dict[str, object] = {}
        if title is not None:
            changes["title"] = {"from": pull.title}
            pull.title = title
        if body is not None:
            changes["body"] = {"from": pull.body}
            pull.body = body
        if base is not None:
            changes["base"] = {"ref": {"from": pull.base_ref}, "sha": {"from": pull.base_sha}}
            self._change_base(pull, base)
        pull.updated_at = self.state.now()
        self.emit(self.events.pull_request("edited", pull, by, changes=changes))

    def add_label(self, pull: Pull, label: Label, by: Account) -> None:
        """Puts a label on a pull."""
        if label not in pull.labels:
            pull.labels.append(label)
        shape = self.shapes.label(pull.repository, label)
        self.emit(self.events.pull_request("labeled", pull, by, label=shape))

    def remove_label(self, pull: Pull, label: Label, by: Account) -> None:
        """Takes a label off a pull."""
        pull.labels = [one for one in pull.labels if one is not label]
        shape = self.shapes.label(pull.repository, label)
        self.emit(self.events.pull_request("unlabeled", pull, by, label=shape))

    def _change_base(self, pull: Pull, base: str) -> None:
        tip = pull.repository.git.ref(f"refs/heads/{base}")
        if tip is None:
            raise ValueError(f"no branch {base}")
        old = (self.merge_base(pull), pull.head_sha)
        pull.base_ref, pull.base_sha = base, tip
        self._publish_refs(pull)
        for thread in pull.threads:
            threads.relocate(thread, old=old, new=(self.merge_base(pull), pull.head_sha))

    # Conversation.

    def comment(self, issue: Issue, *, body: str, by: Account, app: App | None = None) -> IssueComment:
        """A new comment in a conversation; a locked one takes them from people with write permission and Apps."""
        if issue.locked and app is None and self.state.role(issue.repository, by).rank < Role.WRITE.rank:
            raise forbidden("Unable to create comment because issue is locked.")
        now = self.state.now()
        comment = IssueComment(self.state.next_id(), issue, by, body, now, now, app)
        issue.comments.append(comment)
        issue.updated_at = now
        self.state.issue_comments[comment.id] = comment
        self.emit(self.events.issue_comment("created", comment, by))
        return comment

    def edit_comment(self, comment: IssueComment, *, body: str, by: Account) -> None:
        """New text for a comment."""
        before, comment.body = comment.body, body
        comment.updated_at = self.state.now()
        changes = {"body": {"from": before}}
        self.emit(self.events.issue_comment("edited", comment, by, changes=changes))

    def delete_comment(self, comment: IssueComment, *, by: Account) -> None:
        """Takes a comment out of its conversation."""
        comment.issue.comments.remove(comment)
        del self.state.issue_comments[comment.id]
        self.emit(self.events.issue_comment("deleted", comment, by))

    def react(self, reactions: list[Reaction], *, content: str, by: Account) -> tuple[Reaction, bool]:
        """The account's reaction of that kind, and whether it is new."""
        for reaction in reactions:
            if reaction.user is by and reaction.content == content:
                return reaction, False
        reaction = Reaction(self.state.next_id(), by, content, self.state.now())
        reactions.append(reaction)
        return reaction, True

    def resolve(self, thread: Thread, *, by: Account | None, actor: Account) -> None:
        """Marks a thread resolved by someone, or open again where `by` is None."""
        changed = (thread.resolved_by is None) != (by is None)
        thread.resolved_by = by
        if changed:
            self.emit(self.events.thread("resolved" if by else "unresolved", thread, actor))


def subscribed(installation: Installation, event: str) -> bool:
    """Whether an installation's App is told of such events."""
    if event in ALWAYS_SENT:
        return True
    if event in SENT_WITH_CHECKS:
        return installation.permissions.get("checks") == "write"
    return event in installation.app.events
