"""A pull request and what is said on it, as values: what GitHub told us, and what we are about to tell GitHub.

    Pull, Comparison, OpenPull, Permission         read
    ReviewComment, CheckAnnotation, Verdict        to be written
    PostedReview, CheckRun                         written, as GitHub remembers it
    Remark, ReviewThread, LinkedIssue, FailedCheck what people and machines say about it

Text that a stranger may have written (titles, bodies, branch names, commit messages) is `Untrusted`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from app.core.change import Sha
from app.core.finding import Side
from app.core.gate import Outgoing
from app.core.untrusted import Untrusted


@dataclass(frozen=True, slots=True)
class Pull:
    """A pull request at the moment it was read.

    `repository` is the name GitHub uses now, which differs from the one asked for after a rename: go on with this one.
    `head_repository` is None when the fork was deleted; `author` is `ghost` when the account was. `comments` counts the
    conversation, `review_comments` the threads' remarks; `merge_state` is GitHub's word for what
    stands in its way (`unstable`: a check).
    """

    repository: str
    repository_id: int
    private: bool
    default_branch: str
    number: int
    title: Untrusted
    body: Untrusted
    author: str
    author_is_bot: bool
    state: str
    merged: bool
    draft: bool
    locked: bool
    head_sha: Sha
    head_ref: Untrusted
    head_repository: str | None
    base_sha: Sha
    base_ref: str
    labels: tuple[str, ...]
    changed_files: int
    additions: int
    deletions: int
    comments: int = 0
    review_comments: int = 0
    merge_state: str = ""

    @property
    def is_open(self) -> bool:
        """Whether it can still be merged: neither closed nor merged."""
        return self.state == "open"

    @property
    def from_fork(self) -> bool:
        """Whether the head stands in another repository (or in one that is gone)."""
        return self.head_repository != self.repository


@dataclass(frozen=True, slots=True)
class OpenPull:
    """The few things a list of open pull requests tells about each; `updated_at` is in epoch seconds."""

    number: int
    head_sha: Sha
    base_ref: str
    base_sha: Sha
    draft: bool
    author: str
    author_is_bot: bool
    updated_at: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """What lies between a base and a head. `commit_messages` are the first ones, oldest first; `ahead_by` counts all."""

    merge_base: Sha
    commit_messages: tuple[Untrusted, ...]
    ahead_by: int


class Permission(StrEnum):
    """What a person may do in a repository, from least to most."""

    NONE = "none"
    READ = "read"
    TRIAGE = "triage"
    WRITE = "write"
    MAINTAIN = "maintain"
    ADMIN = "admin"

    @property
    def may_write(self) -> bool:
        """Whether commands of this person are obeyed."""
        return self in (Permission.WRITE, Permission.MAINTAIN, Permission.ADMIN)


class Verdict(StrEnum):
    """What a review says about the whole, in GitHub's words."""

    COMMENT = "COMMENT"
    APPROVE = "APPROVE"
    REQUEST_CHANGES = "REQUEST_CHANGES"


@dataclass(frozen=True, slots=True)
class ReviewComment:
    """An inline comment. It stands on `line`, or on `start_line` to `line` when `start_line` is smaller; both in one hunk."""

    path: str
    line: int
    body: Outgoing
    side: Side = Side.RIGHT
    start_line: int | None = None


@dataclass(frozen=True, slots=True)
class PostedReview:
    """A review that stands on the pull request. `commit` may have been rewritten by GitHub after a force-push: trust it not.

    `submitted_at` is ISO 8601, None for a pending review; `author` is `ghost` when the account was deleted.
    """

    id: int
    body: Untrusted
    author: str
    author_is_bot: bool
    submitted_at: str | None
    commit: Sha | None
    url: str = ""


class AnnotationLevel(StrEnum):
    """How loud an annotation is, in GitHub's words."""

    NOTICE = "notice"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class CheckAnnotation:
    """A remark of a check run on lines of the head."""

    path: str
    start_line: int
    end_line: int
    level: AnnotationLevel
    message: Outgoing
    title: Outgoing | None = None


CHECK_NAME = "principal"
"""What our check run is called, or the commit status that stands for it."""


class Conclusion(StrEnum):
    """How a check run ended, in GitHub's words."""

    SUCCESS = "success"
    FAILURE = "failure"
    NEUTRAL = "neutral"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"
    TIMED_OUT = "timed_out"
    ACTION_REQUIRED = "action_required"


@dataclass(frozen=True, slots=True)
class CheckRun:
    """A check run of ours. `conclusion` is None until it is completed."""

    id: int
    external_id: str
    status: str
    conclusion: str | None


class StatusState(StrEnum):
    """The four states of a commit status."""

    PENDING = "pending"
    SUCCESS = "success"
    FAILURE = "failure"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Remark:
    """Something said in the conversation or in a thread. `refused` counts 👎; `created_at` is ISO 8601."""

    id: int
    author: str
    author_is_bot: bool
    body: Untrusted
    created_at: str
    refused: int = 0


@dataclass(frozen=True, slots=True)
class ReviewThread:
    """A thread on the diff, its first remark first. It stands on `start_line` to `line`, or on `line` alone, which is None once
    the code is gone.

    `id` is GitHub's for resolving, `node` that of the first remark for folding it away; `resolved_by` is empty when nobody
    did, or when GitHub does not tell.
    """

    id: str
    path: str
    line: int | None
    remarks: tuple[Remark, ...]
    resolved: bool = False
    resolved_by: str = ""
    node: str = ""
    start_line: int | None = None


@dataclass(frozen=True, slots=True)
class LinkedIssue:
    """An issue that the pull request says it is about."""

    number: int
    title: Untrusted
    body: Untrusted


@dataclass(frozen=True, slots=True)
class FailedCheck:
    """A check of somebody else's that failed on the head, with what it says."""

    name: str
    title: Untrusted
    summary: Untrusted
