"""Webhook payloads → events: only the fields we use, everything else ignored.

    (event name, bytes) ── parse ──► PullEvent        a pull request changed
                                     CommandEvent     somebody typed `/verb`, in the conversation or in a thread
                                     ReplyEvent       somebody asked something in a thread
                                     RerunEvent       somebody pressed a check run's button
                                     MergeGroupEvent  a merge queue waits for an answer
                                     RemovedEvent     the App was taken away from repositories
                                     Ignored(reason)

A payload that is not what GitHub sends (broken JSON, an id that is no id) raises `InvalidPayload`; an event we do not act
on is `Ignored` with a reason. Nothing here follows an address from a payload: paths are built from names and ids.
https://docs.github.com/en/webhooks/webhook-events-and-payloads
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from itertools import takewhile
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic_core import from_json

from app.core import remark
from app.core.change import Sha
from app.errors import UserError

ARGUMENTS_AT_MOST_CHARACTERS = 1000
BELOW_AT_MOST_CHARACTERS = 4000
"""Of a question with its code, more than anybody reads."""
COMMENT_AT_MOST_CHARACTERS = 65_536

Id = Annotated[int, Field(strict=True, ge=1, lt=2**63)]
FullName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,100}/[A-Za-z0-9_.-]{1,100}$")]
CommitId = Annotated[str, StringConstraints(pattern=r"^(?:[0-9a-f]{40}|[0-9a-f]{64})$")]
Login = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class InvalidPayload(UserError):
    """The payload is signed but is not what GitHub sends."""


class Action(StrEnum):
    """What happened to a pull request, as far as it concerns a reviewer."""

    OPENED = "opened"
    REOPENED = "reopened"
    SYNCHRONIZE = "synchronize"
    READY_FOR_REVIEW = "ready_for_review"
    BASE_CHANGED = "base_changed"
    CLOSED = "closed"
    CONVERTED_TO_DRAFT = "converted_to_draft"
    LABELED = "labeled"
    UNLABELED = "unlabeled"
    RETITLED = "retitled"

    @property
    def cancels(self) -> bool:
        """Whether a review under way has lost its purpose."""
        return self in (Action.CLOSED, Action.CONVERTED_TO_DRAFT)

    @property
    def decides_skips_anew(self) -> bool:
        """Whether it brings nothing to review, and may only make a policy want what it did not want before."""
        return self in (Action.LABELED, Action.UNLABELED, Action.RETITLED)


@dataclass(frozen=True, slots=True)
class Place:
    """The pull request an event is about, and the installation it came through (None without an App)."""

    repository: str
    repository_id: int
    number: int
    installation: int | None


@dataclass(frozen=True, slots=True)
class PullEvent:
    """Something happened to a pull request. Its current state is asked of GitHub: deliveries come late and out of order.

    `head` and `base` are the payload's, `before` the head before a push.
    """

    place: Place
    action: Action
    head: Sha
    base: Sha
    before: Sha | None = None
    kind: Literal["pull"] = "pull"


@dataclass(frozen=True, slots=True)
class CommandEvent:
    """A person typed `/verb arguments` at the start of a line of a new comment on a pull request.

    `thread` is the first comment of the thread it stands in, None in the conversation; `below` the lines under the command.
    """

    place: Place
    verb: str
    arguments: str
    comment: int
    author: str
    author_id: int
    thread: int | None = None
    below: str = ""
    kind: Literal["command"] = "command"

    @property
    def words(self) -> str:
        """All that was said with the command: what stands behind it, and below it."""
        return f"{self.arguments}\n{self.below}".strip()


@dataclass(frozen=True, slots=True)
class ReplyEvent:
    """A person asked something in a thread, without a command. `thread` is its first comment, whose author is not yet known."""

    place: Place
    comment: int
    thread: int
    author: str
    author_id: int
    kind: Literal["reply"] = "reply"


@dataclass(frozen=True, slots=True)
class RerunEvent:
    """A person pressed “Re-run” on our check run. The pull is the one we named in it: of a fork's GitHub does not tell."""

    place: Place
    check: int
    head: Sha
    author: str
    kind: Literal["rerun"] = "rerun"


@dataclass(frozen=True, slots=True)
class MergeGroupEvent:
    """A merge queue has built a commit and waits for every required check on it. `place.number` is 0."""

    place: Place
    head: Sha
    kind: Literal["merge_group"] = "merge_group"


@dataclass(frozen=True, slots=True)
class RemovedEvent:
    """The App no longer sees these repositories of an installation; none named: the whole installation is gone."""

    place: Place
    repositories: tuple[int, ...]
    kind: Literal["removed"] = "removed"


@dataclass(frozen=True, slots=True)
class AnewEvent:
    """A reason is over for which the pull was skipped. No payload's: it comes from ourselves."""

    place: Place
    kind: Literal["anew"] = "anew"


@dataclass(frozen=True, slots=True)
class Ignored:
    """An event that we do not act on, and why, in words for the delivery's record."""

    reason: str
    repository: str = ""
    installation: int | None = None
    kind: Literal["ignored"] = "ignored"


Actionable = PullEvent | CommandEvent | ReplyEvent | RerunEvent | MergeGroupEvent | RemovedEvent | AnewEvent
Event = Actionable | Ignored


@dataclass(frozen=True, slots=True)
class ReviewRequest:
    """A review to be made. Repository, number, head and trigger are its identity: the same four are the same job.

    `head` is None when whatever the head is should be reviewed. `trigger` is `push`, `base:<sha>`, `comment:<id>` or
    `rerun:<check run>`. `delivery` is the id of the delivery that brought it, for logs and traces; `comment` is the one that
    asked for it, which then shows how it ended.
    """

    repository: str
    repository_id: int
    number: int
    installation: int | None
    head: Sha | None
    trigger: str
    asked_by: str | None = None
    arguments: str = ""
    delivery: str = ""
    comment: int | None = None
    in_thread: bool = False

    @property
    def place(self) -> Place:
        """The pull request it is of."""
        return Place(self.repository, self.repository_id, self.number, self.installation)

    @property
    def by_hand(self) -> bool:
        """Whether a person asked for it."""
        return self.asked_by is not None

    @property
    def key(self) -> str:
        """The job's identity in words: `review:<repository id>:<number>:<head>:<trigger>`."""
        return f"review:{self.repository_id}:{self.number}:{self.head or 'head'}:{self.trigger}"


UNKNOWN_COMMAND = "unknown command"


class Prompted(StrEnum):
    """How a question came to us."""

    COMMAND = "command"
    REPLY = "reply"
    """Somebody asked in a thread, without a command."""
    UNKNOWN = "unknown"
    """A command that there is not."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a person wants answered in words. `verb` is the command's, `words` what stood behind it.

    `comment` is theirs; `thread` the first comment of the thread it stands in, None in the conversation.
    """

    place: Place
    verb: str
    words: str
    comment: int
    thread: int | None
    asked_by: str
    prompted: Prompted = Prompted.COMMAND
    delivery: str = ""
    kind: Literal["question"] = "question"

    @property
    def about(self) -> str:
        """What is answered once. Each command is; of the rest, only the first.

        Nobody can tell a machine with a person's account from a person, so whoever asks without a command is answered once
        in a thread, and unknown commands once on a pull request: then two bots cannot keep each other talking.
        """
        match self.prompted:
            case Prompted.COMMAND:
                return f"comment:{self.comment}"
            case Prompted.REPLY:
                return f"reply:{self.thread}:{self.asked_by}"
            case Prompted.UNKNOWN:
                return UNKNOWN_COMMAND

    @property
    def in_thread(self) -> bool:
        """Whether it was asked in a thread."""
        return self.thread is not None

    @property
    def key(self) -> str:
        """The job's identity in words: `answer:<repository id>:<number>:comment:<id>`."""
        of = UNKNOWN_COMMAND if self.prompted is Prompted.UNKNOWN else f"comment:{self.comment}"
        return f"answer:{self.place.repository_id}:{self.place.number}:{of}"


def parse(event_name: str, payload: bytes) -> Event:
    """The event that this payload describes. Raises `InvalidPayload` when it is not a payload of GitHub's."""
    reader = _READERS.get(event_name)
    return reader(payload) if reader else _other_event(event_name, payload)


@dataclass(frozen=True, slots=True)
class Command:
    """`/verb arguments` as it was typed, and the lines below it. The verb is in lower case."""

    verb: str
    arguments: str = ""
    below: str = ""


def command(body: str) -> Command | None:
    """The first `/verb arguments` at the start of a line, with what stands below it up to the next one; None without any.

    Lines inside quotes, code fences and HTML comments are somebody else's words: no command begins there.
    """
    lines = remark.lines(body[:COMMENT_AT_MOST_CHARACTERS])
    for line, is_own in lines:
        if is_own and (typed := _COMMAND.match(line)):
            below = takewhile(lambda one: not (one[1] and _COMMAND.match(one[0])), lines)
            return Command(
                verb=typed[1].lower(),
                arguments=(typed[2] or "").strip()[:ARGUMENTS_AT_MOST_CHARACTERS],
                below="\n".join(text.rstrip() for text, _ in below).strip("\n")[:BELOW_AT_MOST_CHARACTERS],
            )
    return None


P = TypeVar("P", bound="_Payload")

_COMMAND = re.compile(r"^/([a-z][a-z-]{0,30})(?:[ \t]+([^\r]*))?\r?$", re.IGNORECASE | re.ASCII)


class _Payload(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)


class _User(_Payload):
    id: Id
    login: Login
    type: str = "User"


class _Repository(_Payload):
    id: Id
    full_name: FullName


class _Installation(_Payload):
    id: Id


class _HeadRepository(_Payload):
    id: Id


class _Side(_Payload):
    sha: CommitId


class _Head(_Side):
    repo: _HeadRepository | None = None  # None when the fork was deleted.


class _Located(_Payload):
    """A payload about a repository."""

    action: str
    repository: _Repository
    installation: _Installation | None = None


class _Pull(_Payload):
    number: Id
    draft: bool = False
    head: _Head
    base: _Side


class _Changes(_Payload):
    base: dict[str, Any] | None = None
    title: dict[str, Any] | None = None


class _PullPayload(_Located):
    pull_request: _Pull
    changes: _Changes | None = None
    before: CommitId | None = None


class _Issue(_Payload):
    number: Id
    state: str = "open"
    pull_request: dict[str, Any] | None = None


class _Comment(_Payload):
    id: Id
    body: str | None = None
    user: _User | None = None
    performed_via_github_app: dict[str, Any] | None = None


class _ThreadPull(_Payload):
    number: Id
    state: str = "open"


class _ThreadComment(_Comment):
    in_reply_to_id: Id | None = None


class _ThreadCommentPayload(_Located):
    pull_request: _ThreadPull
    comment: _ThreadComment
    sender: _User


class _CheckRun(_Payload):
    id: Id
    head_sha: CommitId
    external_id: str | None = None


class _CheckPayload(_Located):
    check_run: _CheckRun
    sender: _User


class _MergeGroup(_Payload):
    head_sha: CommitId


class _MergeGroupPayload(_Located):
    merge_group: _MergeGroup


class _CommentPayload(_Located):
    issue: _Issue
    comment: _Comment
    sender: _User


class _RemovedRepository(_Payload):
    id: Id


class _InstallationPayload(_Payload):
    action: str
    installation: _Installation
    repositories_removed: tuple[_RemovedRepository, ...] = ()


class _RepositoryPayload(_Located):
    """A repository itself has changed."""


def _pull_event(data: bytes) -> Event:
    payload = _validated(_PullPayload, data)
    action = _action(payload)
    if action is None:
        return _ignored(payload, f"pull_request {payload.action} is not acted on")
    return PullEvent(
        place=_place(payload.repository, payload.pull_request.number, payload.installation),
        action=action,
        head=Sha(payload.pull_request.head.sha),
        base=Sha(payload.pull_request.base.sha),
        before=Sha(payload.before) if payload.before else None,
    )


def _action(payload: _PullPayload) -> Action | None:
    if payload.action == "edited":
        if payload.changes is None:
            return None
        return Action.BASE_CHANGED if payload.changes.base else Action.RETITLED if payload.changes.title else None
    if payload.action in (Action.BASE_CHANGED, Action.RETITLED):  # Our own words, never GitHub's.
        return None
    return _ACTIONS.get(payload.action)


_ACTIONS = {action.value: action for action in Action}


def _command_event(data: bytes) -> Event:
    payload = _validated(_CommentPayload, data)
    reason = _why_not_heard(payload, on=payload.issue)
    if not reason and payload.issue.pull_request is None:
        reason = "the comment is on an issue"
    typed = command(payload.comment.body or "")
    if not reason and typed is None:
        reason = "the comment holds no command"
    if reason or typed is None:
        return _ignored(payload, reason)
    return _command(payload, typed, number=payload.issue.number, thread=None)


def _thread_event(data: bytes) -> Event:
    payload = _validated(_ThreadCommentPayload, data)
    reason = _why_not_heard(payload, on=payload.pull_request)
    if reason:
        return _ignored(payload, reason)
    number, thread = payload.pull_request.number, payload.comment.in_reply_to_id
    typed = command(payload.comment.body or "")
    if typed is not None:
        return _command(payload, typed, number=number, thread=thread or payload.comment.id)
    if thread is None:
        return _ignored(payload, "the comment begins a thread of its own")
    if not remark.asks((payload.comment.body or "")[:COMMENT_AT_MOST_CHARACTERS]):
        return _ignored(payload, "the comment asks nothing")
    author = payload.comment.user or payload.sender
    return ReplyEvent(
        place=_place(payload.repository, number, payload.installation),
        comment=payload.comment.id,
        thread=thread,
        author=author.login,
        author_id=author.id,
    )


def _command(
    payload: _CommentPayload | _ThreadCommentPayload, typed: Command, *, number: int, thread: int | None
) -> CommandEvent:
    author = payload.comment.user or payload.sender
    return CommandEvent(
        place=_place(payload.repository, number, payload.installation),
        verb=typed.verb,
        arguments=typed.arguments,
        comment=payload.comment.id,
        author=author.login,
        author_id=author.id,
        thread=thread,
        below=typed.below,
    )


def _why_not_heard(payload: _CommentPayload | _ThreadCommentPayload, *, on: _Issue | _ThreadPull) -> str:
    author = payload.comment.user or payload.sender
    reasons = (
        # An edit could put a command into words that somebody else is known to have written.
        (payload.action != "created", f"a comment that is {payload.action} is not acted on"),
        # Bots that answer each other have filled pull requests with comments: only a person is heard.
        ({payload.sender.type, author.type} != {"User"}, "the comment was written by a bot"),
        (payload.comment.performed_via_github_app is not None, "the comment was written by a bot"),
        (author.id != payload.sender.id, "the comment was written in another person's name"),
        (on.state != "open", "the pull request is closed"),
    )
    return next((reason for applies, reason in reasons if applies), "")


def _rerun_event(data: bytes) -> Event:
    payload = _validated(_CheckPayload, data)
    run = payload.check_run
    number = run.external_id or ""
    if payload.action != "rerequested":
        return _ignored(payload, f"check_run {payload.action} is not acted on")
    if payload.sender.type != "User":
        return _ignored(payload, "the check run was asked for by a bot")
    if not (number.isascii() and number.isdigit() and int(number[:18]) > 0):
        return _ignored(payload, "the check run names no pull request")
    return RerunEvent(
        place=_place(payload.repository, int(number[:18]), payload.installation),
        check=run.id,
        head=Sha(run.head_sha),
        author=payload.sender.login,
    )


def _merge_group_event(data: bytes) -> Event:
    payload = _validated(_MergeGroupPayload, data)
    if payload.action != "checks_requested":
        return _ignored(payload, f"merge_group {payload.action} is not acted on")
    return MergeGroupEvent(
        place=_place(payload.repository, 0, payload.installation), head=Sha(payload.merge_group.head_sha)
    )


def _installation_event(data: bytes) -> Event:
    payload = _validated(_InstallationPayload, data)
    if payload.action != "deleted":
        return _ignored(payload, f"installation {payload.action} is not acted on")
    return RemovedEvent(place=_nowhere(payload), repositories=())


def _repositories_event(data: bytes) -> Event:
    payload = _validated(_InstallationPayload, data)
    gone = tuple(one.id for one in payload.repositories_removed)
    if payload.action != "removed" or not gone:
        return _ignored(payload, f"installation_repositories {payload.action} is not acted on")
    return RemovedEvent(place=_nowhere(payload), repositories=gone)


def _repository_event(data: bytes) -> Event:
    payload = _validated(_RepositoryPayload, data)
    if payload.action != "deleted" or payload.installation is None:
        return _other_event("repository", data)
    return RemovedEvent(Place("", 0, 0, payload.installation.id), repositories=(payload.repository.id,))


_READERS: dict[str, Callable[[bytes], Event]] = {
    "pull_request": _pull_event,
    "issue_comment": _command_event,
    "pull_request_review_comment": _thread_event,
    "check_run": _rerun_event,
    "merge_group": _merge_group_event,
    "installation": _installation_event,
    "installation_repositories": _repositories_event,
    "repository": _repository_event,
}
ACTED_ON = frozenset(_READERS)
"""The names of the events that may lead to something."""


def _nowhere(payload: _InstallationPayload) -> Place:
    return Place("", 0, 0, payload.installation.id)


def _place(repository: _Repository, number: int, installation: _Installation | None) -> Place:
    return Place(
        repository=repository.full_name,
        repository_id=repository.id,
        number=number,
        installation=installation.id if installation else None,
    )


def _ignored(payload: _Located | _InstallationPayload, reason: str) -> Ignored:
    return Ignored(
        reason=reason,
        repository="" if isinstance(payload, _InstallationPayload) else payload.repository.full_name,
        installation=payload.installation.id if payload.installation else None,
    )


def _other_event(event_name: str, payload: bytes) -> Ignored:
    """An event we know nothing of, with what its record can show. Its ids are not used, so bad ones are left out."""
    try:
        # The parser refuses NaN, nesting beyond 200 levels, lone surrogates and numbers of more than 4,300 digits.
        data = from_json(payload, allow_inf_nan=False)
    except ValueError as error:
        raise InvalidPayload(f"the payload is not JSON: {error}") from None
    if not isinstance(data, dict):
        raise InvalidPayload("the payload is not a JSON object")
    return Ignored(
        reason=f"{event_name} is not acted on",
        repository=_optional(_Repository, data.get("repository"), "full_name") or "",
        installation=_optional(_Installation, data.get("installation"), "id"),
    )


def _optional(model: type[_Payload], value: object, field: str) -> Any:
    try:
        return getattr(model.model_validate(value), field)
    except ValidationError:
        return None


def _validated(model: type[P], payload: bytes) -> P:
    try:
        # What is not a field of the model is passed over by the parser, and never becomes an object: that is most of it.
        return model.model_validate_json(payload)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in problem["loc"])
        match problem["type"]:
            case "json_invalid":
                what = f"the payload is not JSON: {problem['msg']}"
            case "model_type" if not where:
                what = "the payload is not a JSON object"
            case _:
                what = f"the payload's {where} is wrong: {problem['msg']}"
        raise InvalidPayload(what) from None
