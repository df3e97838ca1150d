"""GitHub's JSON comes in, our values go out: only the fields that are used, everything else is ignored.

https://docs.github.com/en/rest: the shapes below follow its pages for pulls, reviews, commits, checks and collaborators.
"""

from __future__ import annotations

from base64 import b64decode
from datetime import datetime
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.core.change import Sha
from app.core.installed import HookDelivery, Installation, InstalledRepository
from app.core.pull import (
    CheckRun,
    Comparison,
    FailedCheck,
    LinkedIssue,
    OpenPull,
    Permission,
    PostedReview,
    Pull,
    Remark,
)
from app.core.registration import AppFacts, Credentials, Registered
from app.core.untrusted import Untrusted
from app.github import errors
from app.github.wire import Reply, Request

GHOST = "ghost"
"""How GitHub shows an account that was deleted; its JSON has null."""


class Model(BaseModel):
    """Part of an answer. What stands in it is never repeated in an error: it may be a token or a stranger's text."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


class AccessToken(Model):
    """A fresh installation token."""

    token: str = Field(min_length=1, repr=False)
    expires_at: datetime


class App(Model):
    """The App itself."""

    slug: str = Field(min_length=1)


class AppReply(Model):
    """The App as it is described to itself. Its slug may be missing on an older server."""

    id: int
    slug: str | None = None
    html_url: str = ""
    permissions: dict[str, str] = Field(default_factory=dict)
    events: tuple[str, ...] = ()

    def value(self) -> AppFacts:
        """The App as ours."""
        return AppFacts(
            id=self.id,
            slug=self.slug or str(self.id),
            page_url=self.html_url.rstrip("/"),
            permissions=self.permissions,
            events=self.events,
        )


class NewAppReply(AppReply):
    """A new App with the credentials that are given out once."""

    pem: str = Field(min_length=1, repr=False)
    webhook_secret: str = Field(min_length=1, repr=False)
    client_id: str = ""
    client_secret: str = Field("", repr=False)

    def registered(self) -> Registered:
        """The App and its credentials as ours."""
        given = Credentials(self.id, self.pem, self.webhook_secret, self.client_id, self.client_secret)
        return Registered(self.value(), given)


class HookConfig(Model):
    """Where an App's webhooks go."""

    url: str = ""


class User(Model):
    """An account: a person, an organisation or a bot."""

    login: str = Field(min_length=1)
    type: str = "User"


class Named(Model):
    """Something that matters by its name only."""

    name: str


class Created(Model):
    """What a write made. A write whose answer has no id did not happen as it should."""

    id: int


class Content(Model):
    """A file as the contents API gives it; without its text when it is large or no file."""

    content: str = ""
    encoding: str = ""

    def text(self) -> str | None:
        """The file's text; None when it is not given or is not text."""
        try:
            return b64decode(self.content).decode() if self.encoding == "base64" else None
        except ValueError:
            return None


class Repository(Model):
    """A repository as it stands beside a head or base."""

    id: int
    full_name: str
    private: bool = True
    default_branch: str = ""


class Side(Model):
    """Head or base of a pull request. The repository of a head is null once the fork is deleted."""

    sha: Sha = Field(pattern=r"^[0-9a-f]{40,64}$")
    ref: str
    repo: Repository | None = None


class BaseSide(Side):
    """The base: its repository is the one the pull request belongs to."""

    repo: Repository


class PullRequest(Model):
    """What every form of a pull request has."""

    number: int
    title: str
    body: str | None = None
    user: User | None = None
    state: str
    draft: bool = False
    locked: bool = False
    labels: tuple[Named, ...] = ()
    head: Side
    base: BaseSide


class ListedPullRequest(PullRequest):
    """A pull request in a list."""

    updated_at: datetime

    def summary(self) -> OpenPull:
        """The few things a list tells."""
        return OpenPull(
            number=self.number,
            head_sha=self.head.sha,
            base_ref=self.base.ref,
            base_sha=self.base.sha,
            draft=self.draft,
            author=_login(self.user),
            author_is_bot=_is_bot(self.user),
            updated_at=self.updated_at.timestamp(),
        )


class WholePullRequest(PullRequest):
    """A pull request asked for by its number."""

    merged: bool
    changed_files: int
    additions: int
    deletions: int
    comments: int = 0
    review_comments: int = 0
    mergeable_state: str = ""

    def value(self) -> Pull:
        """The pull request as ours."""
        return Pull(
            repository=self.base.repo.full_name,
            repository_id=self.base.repo.id,
            private=self.base.repo.private,
            default_branch=self.base.repo.default_branch,
            number=self.number,
            title=Untrusted(self.title),
            body=Untrusted(self.body or ""),
            author=_login(self.user),
            author_is_bot=_is_bot(self.user),
            state=self.state,
            merged=self.merged,
            draft=self.draft,
            locked=self.locked,
            head_sha=self.head.sha,
            head_ref=Untrusted(self.head.ref),
            head_repository=self.head.repo.full_name if self.head.repo else None,
            base_sha=self.base.sha,
            base_ref=self.base.ref,
            labels=tuple(label.name for label in self.labels),
            changed_files=self.changed_files,
            additions=self.additions,
            deletions=self.deletions,
            comments=self.comments,
            review_comments=self.review_comments,
            merge_state=self.mergeable_state,
        )


class _Commit(Model):
    message: str


class _CommitItem(Model):
    commit: _Commit


class _Ref(Model):
    sha: Sha


class Compared(Model):
    """The answer to a comparison."""

    merge_base_commit: _Ref
    ahead_by: int
    commits: tuple[_CommitItem, ...] = ()

    def value(self) -> Comparison:
        """The comparison as ours."""
        return Comparison(
            merge_base=self.merge_base_commit.sha,
            commit_messages=tuple(Untrusted(item.commit.message) for item in self.commits),
            ahead_by=self.ahead_by,
        )


class Collaborator(Model):
    """What a person may do. `permission` has four levels; `role_name` is finer, and may be an organisation's own word."""

    permission: str
    role_name: str = ""

    def value(self) -> Permission:
        """The finer role where it is one of GitHub's own and agrees with the level; nothing for a word we do not know."""
        level = next((known for known in Permission if known == self.permission), Permission.NONE)
        match level, self.role_name:
            case Permission.READ, "triage":
                return Permission.TRIAGE
            case Permission.WRITE, "maintain":
                return Permission.MAINTAIN
            case _:
                return level


class Review(Model):
    """A review on a pull request."""

    id: int
    body: str | None = None
    user: User | None = None
    submitted_at: str | None = None
    commit_id: Sha | None = None
    html_url: str = ""

    def value(self) -> PostedReview:
        """The review as ours."""
        return PostedReview(
            id=self.id,
            body=Untrusted(self.body or ""),
            author=_login(self.user),
            author_is_bot=_is_bot(self.user),
            submitted_at=self.submitted_at,
            commit=self.commit_id,
            url=self.html_url,
        )


class _Output(Model):
    annotations_count: int = 0


class Check(Model):
    """A check run."""

    id: int
    external_id: str | None = None
    status: str
    conclusion: str | None = None
    output: _Output = _Output()

    def value(self) -> CheckRun:
        """The check run as ours."""
        return CheckRun(id=self.id, external_id=self.external_id or "", status=self.status, conclusion=self.conclusion)


class Checks(Model):
    """A page of check runs."""

    check_runs: tuple[Check, ...]

    def values(self) -> tuple[CheckRun, ...]:
        """The check runs as ours."""
        return tuple(run.value() for run in self.check_runs)


class InstallationReply(Model):
    """Where the App is installed."""

    id: int
    suspended_at: datetime | None = None

    def value(self) -> Installation:
        """The installation as ours."""
        return Installation(id=self.id, suspended=self.suspended_at is not None)


class InstalledRepositoryReply(Model):
    """A repository in the list of those an installation covers."""

    id: int
    full_name: str
    archived: bool = False

    def value(self) -> InstalledRepository:
        """The repository as ours."""
        return InstalledRepository(id=self.id, full_name=self.full_name, archived=self.archived)


class InstalledRepositories(Model):
    """One page of the repositories that an installation covers."""

    repositories: tuple[InstalledRepositoryReply, ...]


class HookDeliveryReply(Model):
    """One try to deliver a webhook. What was answered with a 2xx has succeeded."""

    id: int
    guid: str
    event: str
    delivered_at: datetime
    status_code: int
    installation_id: int | None = None

    def value(self) -> HookDelivery:
        """The try as ours."""
        return HookDelivery(
            id=self.id,
            guid=self.guid,
            event=self.event,
            delivered_at=self.delivered_at.timestamp(),
            succeeded=200 <= self.status_code < 300,
            installation_id=self.installation_id,
            status_code=self.status_code,
        )


class _Sent(Model):
    payload: dict[str, object]


class WholeDelivery(Model):
    """A delivery with what was sent."""

    event: str
    request: _Sent


class _Reactions(Model):
    refused: int = Field(0, alias="-1")


class Comment(Model):
    """A comment of a conversation or of a thread; `in_reply_to_id` is the thread's first one."""

    id: int
    body: str | None = None
    user: User | None = None
    created_at: str
    path: str = ""
    line: int | None = None
    in_reply_to_id: int | None = None
    reactions: _Reactions = _Reactions()

    def value(self) -> Remark:
        """The comment as ours."""
        return Remark(
            id=self.id,
            author=_login(self.user),
            author_is_bot=_is_bot(self.user),
            body=Untrusted(self.body or ""),
            created_at=self.created_at,
            refused=self.reactions.refused,
        )


class Issue(Model):
    """An issue."""

    number: int
    title: str
    body: str | None = None
    pull_request: dict[str, object] | None = None

    def value(self) -> LinkedIssue | None:
        """The issue as ours; None for a pull request, which is an issue too."""
        if self.pull_request is not None:
            return None
        return LinkedIssue(self.number, Untrusted(self.title), Untrusted(self.body or ""))


class _CheckOutput(Model):
    title: str | None = None
    summary: str | None = None


class ForeignCheck(Model):
    """A check run of anybody's."""

    name: str
    conclusion: str | None = None
    output: _CheckOutput = _CheckOutput()

    def value(self) -> FailedCheck:
        """The check run as ours."""
        return FailedCheck(self.name, Untrusted(self.output.title or ""), Untrusted(self.output.summary or ""))


class ForeignChecks(Model):
    """A page of check runs."""

    check_runs: tuple[ForeignCheck, ...]


class _Actor(Model):
    login: str


class _FirstComment(Model):
    id: str = ""
    database_id: int | None = Field(None, alias="fullDatabaseId")


class _FirstComments(Model):
    nodes: tuple[_FirstComment, ...]


class ThreadReply(Model):
    """A thread as GraphQL tells of it: what REST does not know."""

    id: str
    resolved: bool = Field(alias="isResolved")
    resolved_by: _Actor | None = Field(None, alias="resolvedBy")
    line: int | None = None
    start_line: int | None = Field(None, alias="startLine")
    comments: _FirstComments

    @property
    def first(self) -> int | None:
        """The id of its first comment."""
        return self.comments.nodes[0].database_id if self.comments.nodes else None

    @property
    def node(self) -> str:
        """Its first comment's id in GraphQL."""
        return self.comments.nodes[0].id if self.comments.nodes else ""


class _PageInfo(Model):
    more: bool = Field(alias="hasNextPage")
    cursor: str | None = Field(None, alias="endCursor")


class ThreadPage(Model):
    """A page of threads."""

    nodes: tuple[ThreadReply, ...]
    page: _PageInfo = Field(alias="pageInfo")


M = TypeVar("M", bound=Model)


def read(model: type[M], reply: Reply, request: Request) -> M:
    """The body of a reply as `model`; raises `Transient` when it is not what the documentation describes."""
    try:
        return model.model_validate(reply.body)
    except ValidationError as error:
        raise errors.lost(request, "GitHub's answer was not what its documentation describes") from error


def read_list(model: type[M], reply: Reply, request: Request) -> tuple[M, ...]:
    """The body of a reply as a list of `model`; raises `Transient` when it is not what the documentation describes."""
    if not isinstance(reply.body, list):
        raise errors.lost(request, "GitHub's answer was not what its documentation describes")
    return tuple(read(model, Reply(reply.status, reply.headers, item), request) for item in reply.body)


def _login(user: User | None) -> str:
    return user.login if user else GHOST


def _is_bot(user: User | None) -> bool:
    return user is not None and user.type == "Bot"
