"""What a GitHub remembers: accounts, apps, installations, tokens, repositories, pulls and all that hangs on them.

Plain mutable records; `state` has the tables that find them, `hub` and `reviews` the rules, `shapes` the JSON.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from app.sandbox.hunks import Side
from app.sandbox.repository import GitRepository


class Kind(StrEnum):
    """What an account is."""

    USER = "User"
    BOT = "Bot"
    ORGANIZATION = "Organization"


class Role(StrEnum):
    """What a person may do in a repository, weakest first."""

    NONE = "none"
    READ = "read"
    TRIAGE = "triage"
    WRITE = "write"
    MAINTAIN = "maintain"
    ADMIN = "admin"

    @property
    def rank(self) -> int:
        """Higher may do more."""
        return list(Role).index(self)


class Record:
    """Shows itself by its kind and its name: records know each other, and a full repr would print the world."""

    __slots__ = ()

    def __repr__(self) -> str:
        shown = (getattr(self, name, None) for name in ("login", "slug", "full_name", "number", "event", "name", "id"))
        return f"<{type(self).__name__} {next((value for value in shown if value is not None), '')}>"


@dataclass(eq=False, slots=True, repr=False)
class Account(Record):
    """A user, a bot or an organization."""

    id: int
    login: str
    kind: Kind
    created_at: datetime


@dataclass(eq=False, slots=True, repr=False)
class App(Record):
    """A GitHub App, its bot account and where its webhooks go."""

    id: int
    slug: str
    name: str
    owner: Account
    bot: Account
    public_key_pem: bytes
    permissions: dict[str, str]
    events: tuple[str, ...]
    created_at: datetime
    webhook_url: str | None = None
    webhook_secret: str | None = None
    client_secret: str = ""
    setup_url: str | None = None
    callback_urls: tuple[str, ...] = ()
    public: bool = True

    @property
    def client_id(self) -> str:
        """The App's other name, which a JWT may also carry as its issuer."""
        return f"Iv23sandbox{self.id}"


@dataclass(eq=False, slots=True, repr=False)
class Installation(Record):
    """An App on an account: which repositories it sees (None: all of the account) and what it may do there."""

    id: int
    app: App
    account: Account
    permissions: dict[str, str]
    created_at: datetime
    repositories: set[int] | None = None
    suspended_at: datetime | None = None


@dataclass(eq=False, slots=True, repr=False)
class Token(Record):
    """An installation's token (narrowed or not) or a person's."""

    value: str
    expires_at: datetime | None
    installation: Installation | None = None
    user: Account | None = None
    permissions: dict[str, str] | None = None
    repositories: frozenset[int] | None = None
    revoked: bool = False


@dataclass(eq=False, slots=True, repr=False)
class Label(Record):
    """A label of a repository."""

    id: int
    name: str
    color: str = "ededed"


@dataclass(eq=False, slots=True, repr=False)
class Reaction(Record):
    """An emoji that someone put on something."""

    id: int
    user: Account
    content: str
    created_at: datetime


@dataclass(eq=False, slots=True, repr=False)
class IssueComment(Record):
    """A comment in the conversation of an issue or a pull."""

    id: int
    issue: Issue
    user: Account
    body: str
    created_at: datetime
    updated_at: datetime
    app: App | None = None
    reactions: list[Reaction] = field(default_factory=list)
    minimized: str | None = None


@dataclass(eq=False, slots=True, repr=False)
class Issue(Record):
    """An issue; a pull is one too."""

    id: int
    number: int
    repository: Repository
    author: Account | None
    title: str
    body: str
    created_at: datetime
    updated_at: datetime
    state: str = "open"
    locked: bool = False
    closed_at: datetime | None = None
    labels: list[Label] = field(default_factory=list)
    comments: list[IssueComment] = field(default_factory=list)
    reactions: list[Reaction] = field(default_factory=list)


@dataclass(eq=False, slots=True, repr=False)
class Pull(Issue):
    """A pull request. `head_repository` is None once the fork is deleted."""

    base_ref: str = ""
    base_sha: str = ""
    head_repository: Repository | None = None
    head_owner: Account | None = None
    head_ref: str = ""
    head_sha: str = ""
    draft: bool = False
    merged_at: datetime | None = None
    merge_sha: str | None = None
    mergeable: bool | None = None
    reviewers: list[Account] = field(default_factory=list)
    reviews: list[Review] = field(default_factory=list)
    threads: list[Thread] = field(default_factory=list)
    history: list[Push] = field(default_factory=list)

    @property
    def review_comments(self) -> list[ReviewComment]:
        """Every comment of every thread, in the order they were made; those of pending reviews are left out."""
        shown = [comment for thread in self.threads for comment in thread.comments if not comment.pending]
        return sorted(shown, key=lambda comment: comment.id)


@dataclass(frozen=True, slots=True)
class Push:
    """A head moved."""

    before: str
    after: str
    forced: bool
    at: datetime
    by: Account


class ReviewState(StrEnum):
    """What a review says."""

    PENDING = "PENDING"
    COMMENTED = "COMMENTED"
    APPROVED = "APPROVED"
    CHANGES_REQUESTED = "CHANGES_REQUESTED"
    DISMISSED = "DISMISSED"


@dataclass(eq=False, slots=True, repr=False)
class Review(Record):
    """A review; its comments stand in the pull's threads."""

    id: int
    pull: Pull
    user: Account
    body: str
    state: ReviewState
    commit_id: str
    submitted_at: datetime | None
    app: App | None = None
    minimized: str | None = None

    @property
    def comments(self) -> list[ReviewComment]:
        """The review's comments, in order."""
        own = [comment for thread in self.pull.threads for comment in thread.comments if comment.review is self]
        return sorted(own, key=lambda comment: comment.id)


@dataclass(frozen=True, slots=True)
class Anchor:
    """Where a thread stands: one file, or a range of lines that ends at `line`. Line None is a comment on the file."""

    path: str
    side: Side
    line: int | None
    start_line: int | None = None
    start_side: Side | None = None
    position: int | None = None


@dataclass(eq=False, slots=True, repr=False)
class Thread(Record):
    """A review comment with its replies. `anchor` None means outdated; `original` never changes."""

    id: int
    pull: Pull
    original: Anchor
    original_commit: str
    diff_hunk: str
    anchor: Anchor | None
    comments: list[ReviewComment] = field(default_factory=list)
    resolved_by: Account | None = None


@dataclass(eq=False, slots=True, repr=False)
class ReviewComment(Record):
    """One comment of a thread."""

    id: int
    thread: Thread
    review: Review
    user: Account
    body: str
    created_at: datetime
    updated_at: datetime
    reply_to: ReviewComment | None = None
    app: App | None = None
    reactions: list[Reaction] = field(default_factory=list)
    minimized: str | None = None
    applied_in: str | None = None

    @property
    def pending(self) -> bool:
        """Whether only its author sees it yet."""
        return self.review.state is ReviewState.PENDING

    @property
    def pull(self) -> Pull:
        """The pull it stands on."""
        return self.thread.pull

    @property
    def path(self) -> str:
        """The file it stands on."""
        return self.thread.original.path

    @property
    def line(self) -> int | None:
        """The line it stands on now; None on a whole file or when outdated."""
        return self.thread.anchor.line if self.thread.anchor else None

    @property
    def start_line(self) -> int | None:
        """The first line of its range, where it has one."""
        return self.thread.anchor.start_line if self.thread.anchor else None

    @property
    def side(self) -> Side:
        """The side its line counts on."""
        return self.thread.original.side


@dataclass(frozen=True, slots=True)
class Annotation:
    """A note on lines of a file in a check run."""

    path: str
    start_line: int
    end_line: int
    annotation_level: str
    message: str
    start_column: int | None = None
    end_column: int | None = None
    title: str | None = None
    raw_details: str | None = None


@dataclass(eq=False, slots=True, repr=False)
class CheckSuite(Record):
    """The check runs of one App on one commit."""

    id: int
    repository: Repository
    app: App
    head_sha: str
    created_at: datetime


@dataclass(slots=True)
class CheckOutput:
    """What a check run says."""

    title: str | None = None
    summary: str | None = None
    text: str | None = None
    annotations: list[Annotation] = field(default_factory=list)


@dataclass(eq=False, slots=True, repr=False)
class CheckRun(Record):
    """A check run with its output."""

    id: int
    suite: CheckSuite
    name: str
    status: str
    started_at: datetime
    conclusion: str | None = None
    completed_at: datetime | None = None
    details_url: str | None = None
    external_id: str = ""
    output: CheckOutput = field(default_factory=CheckOutput)

    @property
    def annotations(self) -> list[Annotation]:
        """Its notes on lines, in the order they were sent."""
        return self.output.annotations

    @property
    def head_sha(self) -> str:
        """The commit it judges."""
        return self.suite.head_sha

    @property
    def repository(self) -> Repository:
        """Where it stands."""
        return self.suite.repository


@dataclass(eq=False, slots=True, repr=False)
class Status(Record):
    """A commit status."""

    id: int
    sha: str
    state: str
    context: str
    description: str | None
    target_url: str | None
    creator: Account
    created_at: datetime


@dataclass(eq=False, slots=True, repr=False)
class Repository(Record):
    """A repository: its git directory and everything GitHub adds. A fork names its parent."""

    id: int
    owner: Account
    name: str
    private: bool
    default_branch: str
    git: GitRepository
    created_at: datetime
    description: str | None = None
    parent: Repository | None = None
    collaborators: dict[str, Role] = field(default_factory=dict)
    issues: dict[int, Issue] = field(default_factory=dict)
    suites: list[CheckSuite] = field(default_factory=list)
    check_runs: list[CheckRun] = field(default_factory=list)
    statuses: list[Status] = field(default_factory=list)
    labels: dict[str, Label] = field(default_factory=dict)
    archived: bool = False
    deleted: bool = False

    @property
    def full_name(self) -> str:
        """Owner and name with a slash between."""
        return f"{self.owner.login}/{self.name}"

    @property
    def pulls(self) -> list[Pull]:
        """The pulls, by number."""
        return [issue for issue in self.issues.values() if isinstance(issue, Pull)]


@dataclass(eq=False, slots=True, repr=False)
class Delivery(Record):
    """One try to bring a webhook to its address. A redelivery has the same GUID under a new id."""

    id: int
    app: App
    guid: str
    event: str
    action: str | None
    headers: dict[str, str]
    body: bytes
    installation_id: int | None
    repository_id: int | None
    redelivery: bool = False
    delivered_at: datetime | None = None
    duration_seconds: float = 0.0
    status_code: int = 0
    status: str = "pending"
    response_headers: dict[str, str] = field(default_factory=dict)
    response_body: str = ""

    @property
    def succeeded(self) -> bool:
        """Whether the other side answered with a 2xx in time."""
        return 200 <= self.status_code < 300
