"""What a test or a person does in the sandbox, said in verbs: `repository.open_pull(…)`, `pull.push(…)`, `pull.comment(…)`.

A verb changes the state and, unless told `deliver=False`, sends the webhooks that follow and waits for each answer. Verbs
that make something return it; the others return the delivery that told the App, or None where nothing was sent. In
both cases `.delivery` holds it. Held-back deliveries wait in `sandbox.held`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from app.sandbox import checks, reviews, suggestions
from app.sandbox.access import Caller
from app.sandbox.hub import Hub
from app.sandbox.records import (
    Account,
    CheckRun,
    Delivery,
    Issue,
    IssueComment,
    Label,
    Pull,
    Repository,
    Review,
    ReviewComment,
    Role,
    Status,
    Thread,
    Token,
)
from app.sandbox.repository import Files, GitRepository, Person

T = TypeVar("T")


def acting_as(account: Account) -> Caller:
    """A person at the keyboard, who may do what their role allows."""
    return Caller(token=Token("", None, user=account))


class Post:
    """Sends what verbs cause, or holds it back."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.held: list[Delivery] = []

    def do(self, work: Callable[[], T], *, deliver: bool) -> tuple[T, Delivery | None]:
        """The work's result, and the delivery a person would call its webhook: the first, pushes and checks apart."""
        with self.hub.transaction() as deliveries:
            result = work()
        if deliver:
            self.hub.webhooks.send_all(deliveries)
        else:
            self.held += deliveries
        named = [delivery for delivery in deliveries if delivery.event != "push"]
        return result, next(iter(named or deliveries), None)


class RepositoryHandle:
    """One repository and what happens in it."""

    def __init__(self, post: Post, state: Repository) -> None:
        self._post = post
        self._hub = post.hub
        self.state = state
        self.delivery: Delivery | None = None

    @property
    def full_name(self) -> str:
        """Owner and name as they are now."""
        return self.state.full_name

    @property
    def id(self) -> int:
        """The repository's id."""
        return self.state.id

    @property
    def git(self) -> GitRepository:
        """The repository on disk."""
        return self.state.git

    @property
    def clone_url(self) -> str:
        """Where git fetches it."""
        return f"{self._hub.urls.page(self.state)}.git"

    @property
    def head(self) -> str:
        """The commit at the tip of the default branch."""
        return self.tip(self.state.default_branch)

    @property
    def check_runs(self) -> list[CheckRun]:
        """Every check run, in the order they were made."""
        return list(self.state.check_runs)

    @property
    def statuses(self) -> list[Status]:
        """Every commit status, in the order they were set."""
        return list(self.state.statuses)

    def tip(self, branch: str) -> str:
        """The commit at the tip of a branch.

        Raises:
            LookupError: there is no such branch.

        """
        sha = self.git.ref(f"refs/heads/{branch}")
        if sha is None:
            raise LookupError(f"{self.full_name} has no branch {branch}")
        return sha

    def describe(self, branch: str) -> tuple[str, str]:
        """Title and body for a pull of a branch, from the commit at its tip."""
        title, _, body = self.git.commit_at(self.tip(branch)).message.partition("\n")
        return title or branch, body.strip()

    def commit(self, files: Files, *, branch: str, start: str | None = None, by: str = "dev", message: str = "") -> str:
        """A commit on a branch, without any webhook: the branch is made from `start` (a branch or commit) if it is new."""
        with self._hub.lock:
            parent = self.git.ref(f"refs/heads/{branch}")
            if parent is None:
                parent = self.git.resolve(start or self.state.default_branch)
            parents = [parent] if parent else []
            text = message or f"Change {', '.join(list(files)[:3])}"
            author = self._person(by)
            return self.git.commit(f"refs/heads/{branch}", parents=parents, files=files, message=text, author=author)

    def push(
        self, files: Files, *, branch: str | None = None, by: str = "dev", message: str = "", deliver: bool = True
    ) -> Delivery | None:
        """A commit on a branch (by default the default one), with the webhooks of a push."""
        name = branch or self.state.default_branch

        def work() -> None:
            before = self.git.ref(f"refs/heads/{name}") or "0" * 40
            after = self.commit(files, branch=name, by=by, message=message)
            self._hub.move_branch(self.state, name, after, before=before, by=self._account(by))

        _, self.delivery = self._post.do(work, deliver=deliver)
        return self.delivery

    def open_pull(
        self,
        *,
        files: Files | None = None,
        branch: str | None = None,
        base: str | None = None,
        title: str = "A change",
        body: str = "",
        author: str = "dev",
        message: str = "",
        draft: bool = False,
        from_fork: bool = False,
        labels: Sequence[str] = (),
        deliver: bool = True,
    ) -> PullHandle:
        """A new pull: for a branch that stands, or for `files` committed on a new branch (of the author's fork)."""
        base_ref = base or self.state.default_branch
        account = self._account(author)

        def work() -> Pull:
            head = RepositoryHandle(self._post, self._hub.fork(self.state, account)) if from_fork else self
            name = branch or f"change-{len(self.state.issues) + 1}"
            if files is not None:
                head.commit(files, branch=name, start=self.tip(base_ref), by=author, message=message or title)
            return self._hub.open_pull(
                self.state,
                head_repository=head.state,
                head_ref=name,
                base_ref=base_ref,
                title=title,
                body=body,
                author=account,
                draft=draft,
                labels=[self._label(label) for label in labels],
            )

        pull, delivery = self._post.do(work, deliver=deliver)
        return PullHandle(self._post, pull, delivery)

    def _label(self, name: str) -> Label:
        return self.state.labels.setdefault(name, Label(self._hub.state.next_id(), name))

    def open_issue(
        self, *, title: str = "A question", body: str = "", author: str = "dev", deliver: bool = True
    ) -> IssueHandle:
        """A new issue that is no pull."""
        account = self._account(author)
        issue, delivery = self._post.do(
            lambda: self._hub.open_issue(self.state, title=title, body=body, author=account), deliver=deliver
        )
        return IssueHandle(self._post, issue, delivery)

    def pull(self, number: int) -> PullHandle:
        """The pull of that number.

        Raises:
            LookupError: there is none.

        """
        found = self.state.issues.get(number)
        if isinstance(found, Pull):
            return PullHandle(self._post, found, None)
        raise LookupError(f"{self.full_name} has no pull {number}")

    def add_collaborator(self, login: str, role: str = "write") -> None:
        """Gives a person a role: read, triage, write, maintain or admin; `none` takes it away."""
        self.state.collaborators[self._account(login).login.lower()] = Role(role)

    def rename(self, name: str, *, by: str | None = None, deliver: bool = True) -> Delivery | None:
        """A new name; the old one is redirected."""
        account = self._account(by) if by else self.state.owner
        _, self.delivery = self._post.do(
            lambda: self._hub.rename_repository(self.state, name, account), deliver=deliver
        )
        return self.delivery

    def delete(self) -> None:
        """Takes the repository away."""
        with self._hub.lock:
            self._hub.delete_repository(self.state)

    def make_private(self) -> None:
        """Hides the repository from whoever has no access."""
        self.state.private = True

    def _account(self, login: str) -> Account:
        return self._hub.state.account(login)

    def _person(self, login: str) -> Person:
        return self._hub.person(self._account(login))


class IssueHandle:
    """One issue and its conversation."""

    def __init__(self, post: Post, state: Issue, delivery: Delivery | None) -> None:
        self._post = post
        self._hub = post.hub
        self._issue = state
        self.delivery = delivery

    @property
    def number(self) -> int:
        """Its number in the repository."""
        return self._issue.number

    @property
    def issue_comments(self) -> list[IssueComment]:
        """The conversation, oldest first."""
        return list(self._issue.comments)

    def comment(self, body: str, *, by: str = "dev", deliver: bool = True) -> IssueComment:
        """A comment in the conversation."""
        account = self._hub.state.account(by)
        made, self.delivery = self._post.do(
            lambda: self._hub.comment(self._issue, body=body, by=account), deliver=deliver
        )
        return made

    def edit_comment(self, comment: IssueComment, body: str, *, deliver: bool = True) -> Delivery | None:
        """New text for a comment."""
        _, self.delivery = self._post.do(
            lambda: self._hub.edit_comment(comment, body=body, by=comment.user), deliver=deliver
        )
        return self.delivery

    def lock(self) -> None:
        """Closes the conversation to people without write permission."""
        self._issue.locked = True


class PullHandle(IssueHandle):
    """One pull: what happens to it, and what stands on it."""

    def __init__(self, post: Post, state: Pull, delivery: Delivery | None) -> None:
        super().__init__(post, state, delivery)
        self.state = state

    @property
    def url(self) -> str:
        """Its page."""
        return self._hub.shapes.pull_page(self.state)

    @property
    def head_sha(self) -> str:
        """The commit at its head."""
        return self.state.head_sha

    @property
    def base_sha(self) -> str:
        """The commit of its base branch it was last compared with."""
        return self.state.base_sha

    @property
    def repository(self) -> RepositoryHandle:
        """Where it stands."""
        return RepositoryHandle(self._post, self.state.repository)

    @property
    def reviews(self) -> list[Review]:
        """The submitted reviews that say something: those GitHub makes around single comments and replies are left out."""
        return [review for review in self.all_reviews if review.body or len(review.comments) != 1]

    @property
    def all_reviews(self) -> list[Review]:
        """Every submitted review, as the API lists them."""
        return [review for review in self.state.reviews if review.submitted_at is not None]

    @property
    def review_comments(self) -> list[ReviewComment]:
        """Every comment on the diff, replies included, in the order they were made."""
        return self.state.review_comments

    @property
    def threads(self) -> list[Thread]:
        """The threads on the diff."""
        return list(self.state.threads)

    @property
    def check_runs(self) -> list[CheckRun]:
        """The check runs on any commit this pull's head has been, in the order they were made."""
        heads = {self.head_sha, *(push.before for push in self.state.history)}
        return [run for run in self.state.repository.check_runs if run.head_sha in heads]

    @property
    def statuses(self) -> list[Status]:
        """The statuses of the head commit."""
        return [status for status in self.state.repository.statuses if status.sha == self.head_sha]

    def push(
        self, files: Files, *, by: str | None = None, message: str = "A further change", deliver: bool = True
    ) -> Delivery | None:
        """A commit on the head branch."""
        return self._move(files, parent=self.head_sha, by=by, message=message, deliver=deliver)

    def force_push(
        self, files: Files, *, by: str | None = None, message: str = "Another change", deliver: bool = True
    ) -> Delivery | None:
        """Replaces every commit of the head branch by one on top of the base."""
        return self._move(files, parent=self.base_sha, by=by, message=message, deliver=deliver)

    def reset_to(self, sha: str, *, by: str | None = None, deliver: bool = True) -> Delivery | None:
        """Points the head branch at a commit that stands already: back to an earlier head, for one."""
        head = self._head()
        ref = f"refs/heads/{self.state.head_ref}"

        def point() -> str:
            head.git.set_refs({ref: sha})
            return sha

        return self._moved(point, by=by, deliver=deliver)

    def _move(self, files: Files, *, parent: str, by: str | None, message: str, deliver: bool) -> Delivery | None:
        head = self._head()
        author = self._hub.person(self._by(by))
        ref = f"refs/heads/{self.state.head_ref}"
        return self._moved(
            lambda: head.git.commit(ref, parents=[parent], files=files, message=message, author=author),
            by=by,
            deliver=deliver,
        )

    def _moved(self, change: Callable[[], str], *, by: str | None, deliver: bool) -> Delivery | None:
        def work() -> None:
            before = self.head_sha
            after = change()
            self._hub.move_branch(self._head(), self.state.head_ref, after, before=before, by=self._by(by))

        _, self.delivery = self._post.do(work, deliver=deliver)
        return self.delivery

    def _head(self) -> Repository:
        if self.state.head_repository is None:
            raise LookupError("the pull's head repository was deleted")
        return self.state.head_repository

    def _by(self, login: str | None) -> Account:
        if login is not None:
            return self._hub.state.account(login)
        return self.state.author or self._hub.state.account("ghost")

    def delete_head_repository(self) -> None:
        """Deletes the fork the pull comes from; its commits stay under `refs/pull`."""
        with self._hub.lock:
            self._hub.delete_repository(self._head())

    def close(self, *, by: str | None = None, deliver: bool = True) -> Delivery | None:
        """Closes it without merging."""
        return self._do(lambda: self._hub.set_state(self.state, "closed", self._by(by)), deliver=deliver)

    def reopen(self, *, by: str | None = None, deliver: bool = True) -> Delivery | None:
        """Opens it again."""
        return self._do(lambda: self._hub.set_state(self.state, "open", self._by(by)), deliver=deliver)

    def merge(self, *, by: str | None = None, deliver: bool = True) -> Delivery | None:
        """Merges and closes it."""
        return self._do(lambda: self._hub.merge_pull(self.state, self._by(by)), deliver=deliver)

    def ready_for_review(self, *, by: str | None = None, deliver: bool = True) -> Delivery | None:
        """It is a draft no longer."""
        return self._do(lambda: self._hub.set_draft(self.state, False, self._by(by)), deliver=deliver)

    def convert_to_draft(self, *, by: str | None = None, deliver: bool = True) -> Delivery | None:
        """It is a draft again."""
        return self._do(lambda: self._hub.set_draft(self.state, True, self._by(by)), deliver=deliver)

    def edit(
        self,
        *,
        title: str | None = None,
        body: str | None = None,
        base: str | None = None,
        by: str | None = None,
        deliver: bool = True,
    ) -> Delivery | None:
        """Another title, description or base branch."""
        return self._do(
            lambda: self._hub.edit_pull(self.state, by=self._by(by), title=title, body=body, base=base),
            deliver=deliver,
        )

    def add_label(self, name: str, *, by: str | None = None, deliver: bool = True) -> Delivery | None:
        """Puts a label on it."""
        labels = self.state.repository.labels
        label = labels.setdefault(name, Label(self._hub.state.next_id(), name))
        return self._do(lambda: self._hub.add_label(self.state, label, self._by(by)), deliver=deliver)

    def remove_label(self, name: str, *, by: str | None = None, deliver: bool = True) -> Delivery | None:
        """Takes a label off it."""
        label = self.state.repository.labels[name]
        return self._do(lambda: self._hub.remove_label(self.state, label, self._by(by)), deliver=deliver)

    def reply(self, comment: ReviewComment, body: str, *, by: str = "dev", deliver: bool = True) -> ReviewComment:
        """A reply in the thread of a comment on the diff."""
        account = self._hub.state.account(by)
        top = comment.thread.comments[0]
        made, self.delivery = self._post.do(
            lambda: reviews.reply(self._hub, self.state, top.id, body, caller=acting_as(account)), deliver=deliver
        )
        return made

    def comment_on_line(
        self, path: str, line: int, body: str, *, by: str = "dev", side: str = "RIGHT", deliver: bool = True
    ) -> ReviewComment:
        """A person's comment on a line of the diff, which opens a thread."""
        account = self._hub.state.account(by)
        wanted = {"path": path, "line": line, "side": side, "body": body, "commit_id": self.head_sha}
        made, self.delivery = self._post.do(
            lambda: reviews.comment(self._hub, self.state, wanted, caller=acting_as(account)), deliver=deliver
        )
        return made

    def react(self, comment: ReviewComment | IssueComment, content: str, *, by: str = "dev") -> None:
        """Puts a person's reaction on a comment; GitHub sends no webhook for it."""
        self._hub.react(comment.reactions, content=content, by=self._hub.state.account(by))

    def finish_check_of_another_app(
        self, name: str, *, conclusion: str, title: str = "", summary: str = "", deliver: bool = True
    ) -> CheckRun:
        """A finished check run on the head, made by an App that is not the one under test."""
        body = {
            "name": name,
            "head_sha": self.head_sha,
            "status": "completed",
            "conclusion": conclusion,
            "output": {"title": title or name, "summary": summary},
        }
        caller = Caller(token=Token("", None, installation=self._hub.state.foreign(self.state.repository)))
        made, self.delivery = self._post.do(
            lambda: checks.create(self._hub, self.state.repository, body, caller=caller), deliver=deliver
        )
        return made

    def rerun(self, run: CheckRun, *, by: str = "dev", deliver: bool = True) -> Delivery | None:
        """Presses the button that asks for a check run again."""
        account = self._hub.state.account(by)
        return self._do(
            lambda: self._hub.emit(self._hub.events.check_run("rerequested", run, account)), deliver=deliver
        )

    def queue_for_merge(self, *, by: str = "dev", deliver: bool = True) -> str:
        """A merge queue builds a commit of the pull on its base and asks for checks on it. Returns that commit."""
        hub, repository = self._hub, self.state.repository
        person = hub.person(hub.state.account(by))
        name = f"gh-readonly-queue/{self.state.base_ref}/pr-{self.state.number}-{self.head_sha}"
        base = repository.git.ref(f"refs/heads/{self.state.base_ref}")
        made = repository.git.merge(
            f"refs/heads/{name}", base=str(base), head=self.head_sha, message="Merge", author=person
        )
        event = hub.events.merge_group(repository, hub.state.account(by), ref=name, head=str(made), base=str(base))
        self._do(lambda: hub.emit(event), deliver=deliver)
        return str(made)

    def resolve(self, thread: Thread, *, by: str = "dev", deliver: bool = True) -> Delivery | None:
        """Marks a thread as resolved."""
        account = self._hub.state.account(by)
        return self._do(lambda: self._hub.resolve(thread, by=account, actor=account), deliver=deliver)

    def unresolve(self, thread: Thread, *, by: str = "dev", deliver: bool = True) -> Delivery | None:
        """Opens a resolved thread again."""
        account = self._hub.state.account(by)
        return self._do(lambda: self._hub.resolve(thread, by=None, actor=account), deliver=deliver)

    def apply_suggestion(
        self, comment: ReviewComment, *, by: str | None = None, deliver: bool = True
    ) -> Delivery | None:
        """Commits what a comment suggests, as the page's button does.

        Raises:
            suggestions.NotApplicable: GitHub would not offer it; the message says why.

        """
        return self._do(lambda: suggestions.apply(self._hub, comment, by=self._by(by)), deliver=deliver)

    def _do(self, work: Callable[[], object], *, deliver: bool) -> Delivery | None:
        _, self.delivery = self._post.do(work, deliver=deliver)
        return self.delivery
