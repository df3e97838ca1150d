"""The GraphQL endpoint: review threads and what can be done to them. The schema stands in `schema.graphql`.

A caller without the permission gets GitHub's answer: status 200, `errors` with a `type`, and null where the data would be.
Resolving a thread needs `contents=write`, which surprises many; minimising and replying need `pull_requests=write`.
"""

from __future__ import annotations

import base64
import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from graphql import GraphQLError, GraphQLSchema, build_schema, graphql_sync

from app.sandbox import access, reviews
from app.sandbox.access import Caller
from app.sandbox.hub import Hub
from app.sandbox.records import Account, IssueComment, Kind, Pull, Repository, Review, ReviewComment, Thread
from app.sandbox.refusals import NOT_BY_INTEGRATION, NOT_BY_TOKEN, Refused
from app.sandbox.rest import Answer
from app.sandbox.shapes import Json, moment, moment_or_none, node_id, number_of

MAX_NODES_PER_PAGE = 100


def answer(hub: Hub, caller: Caller, body: Mapping[str, Any]) -> Answer:
    """What a GraphQL request comes to.

    Raises:
        Refused: 401 for a caller without a token, 400 for a body without a query.

    """
    if caller.token is None:
        raise Refused(401, "This endpoint requires you to be authenticated.")
    query = body.get("query")
    if not isinstance(query, str):
        raise Refused(400, "A query attribute must be specified and must be a string.")
    result = graphql_sync(
        _schema(),
        query,
        root_value=_Root(hub, caller).fields(),
        variable_values=body.get("variables"),
        operation_name=body.get("operationName"),
    )
    shape: Json = {"data": result.data}
    if result.errors:
        shape["errors"] = [_error(error) for error in result.errors]
    return Answer(200, shape)


@functools.cache
def _schema() -> GraphQLSchema:
    return build_schema(Path(__file__).with_name("schema.graphql").read_text(encoding="utf-8"))


def _error(error: GraphQLError) -> Json:
    """An error in GitHub's form, which names the type beside the message."""
    shape = dict(error.formatted)
    kind = (error.extensions or {}).get("type")
    if kind is not None:
        shape.pop("extensions", None)
        return {"type": kind, **shape}
    return shape


def _refuse(kind: str, message: str) -> GraphQLError:
    return GraphQLError(message, extensions={"type": kind})


class _Root:
    """Resolvers: records become dicts whose fields with arguments are functions."""

    def __init__(self, hub: Hub, caller: Caller) -> None:
        self._hub = hub
        self._caller = caller
        self._shapes = hub.shapes

    def fields(self) -> Json:
        """The fields of queries and mutations."""
        return {
            "viewer": lambda _info: self._viewer(),
            "rateLimit": lambda _info, **_arguments: self._rate_limit(),
            "repository": lambda _info, **arguments: self._repository(**arguments),
            "node": lambda _info, id: self._node(id),  # noqa: A006 - the field's own name.
            "resolveReviewThread": lambda _info, input: self._resolve(input, resolved=True),  # noqa: A006 - as above.
            "unresolveReviewThread": lambda _info, input: self._resolve(input, resolved=False),  # noqa: A006 - as above.
            "minimizeComment": lambda _info, input: self._minimize(input),  # noqa: A006 - as above.
            "unminimizeComment": lambda _info, input: self._unminimize(input),  # noqa: A006 - as above.
            "addPullRequestReviewThreadReply": lambda _info, input: self._reply(input),  # noqa: A006 - as above.
        }

    # Queries.

    def _viewer(self) -> Json:
        account = self._account()
        return {**self._actor(account), "__typename": "User", "login": account.login}

    def _account(self) -> Account:
        return reviews.writer(self._caller)

    def _rate_limit(self) -> Json:
        return {"cost": 1, "limit": 5_000, "remaining": 4_999, "used": 1, "resetAt": moment(self._hub.state.now())}

    def _repository(self, *, owner: str, name: str, **_arguments: object) -> Json:
        found = self._hub.state.repository(f"{owner}/{name}")
        if found is None or not self._sees(found):
            raise _refuse("NOT_FOUND", f"Could not resolve to a Repository with the name '{owner}/{name}'.")
        return {
            "__typename": "Repository",
            "id": node_id("R", found.id),
            "isPrivate": found.private,
            "nameWithOwner": found.full_name,
            "pullRequest": lambda _info, number: self._pull_of(found, number),
        }

    def _sees(self, repository: Repository) -> bool:
        return access.may_see(self._hub.state, self._caller, repository)

    def _pull_of(self, repository: Repository, number: int) -> Json:
        found = repository.issues.get(number)
        if not isinstance(found, Pull):
            raise _refuse("NOT_FOUND", f"Could not resolve to a PullRequest with the number of {number}.")
        self._require(repository, "pull_requests", "read")
        return self._pull(found)

    def _node(self, wanted: str) -> Json:
        for finder in (self._found_thread, self._found_comment):
            found = finder(wanted)
            if found is not None:
                return found
        raise self._unknown(wanted)

    def _unknown(self, wanted: str) -> GraphQLError:
        return _refuse("NOT_FOUND", f"Could not resolve to a node with the global id of '{wanted}'")

    def _found_thread(self, wanted: str) -> Json | None:
        thread = self._thread_at(wanted)
        return None if thread is None else self._thread(thread)

    def _found_comment(self, wanted: str) -> Json | None:
        subject = self._subject(wanted)
        return None if subject is None else self._minimizable(subject)

    # Mutations.

    def _resolve(self, wanted: Mapping[str, Any], *, resolved: bool) -> Json:
        thread = self._thread_at(wanted["threadId"])
        if thread is None:
            raise self._unknown(wanted["threadId"])
        self._require(thread.pull.repository, "contents", "write")
        account = self._account()
        self._hub.resolve(thread, by=account if resolved else None, actor=account)
        return {"clientMutationId": wanted.get("clientMutationId"), "thread": self._thread(thread)}

    def _minimize(self, wanted: Mapping[str, Any]) -> Json:
        subject = self._writable(wanted["subjectId"])
        subject.minimized = str(wanted["classifier"]).lower().replace("_", "-")
        return {
            "clientMutationId": wanted.get("clientMutationId"),
            "minimizedComment": self._minimizable(subject),
        }

    def _unminimize(self, wanted: Mapping[str, Any]) -> Json:
        subject = self._writable(wanted["subjectId"])
        subject.minimized = None
        return {
            "clientMutationId": wanted.get("clientMutationId"),
            "unminimizedComment": self._minimizable(subject),
        }

    def _reply(self, wanted: Mapping[str, Any]) -> Json:
        thread = self._thread_at(wanted["pullRequestReviewThreadId"])
        if thread is None:
            raise self._unknown(wanted["pullRequestReviewThreadId"])
        self._require(thread.pull.repository, "pull_requests", "write")
        try:
            made = reviews.reply(self._hub, thread.pull, thread.comments[0].id, wanted["body"], caller=self._caller)
        except Refused as refused:
            raise _refuse("UNPROCESSABLE", refused.message) from refused
        return {"clientMutationId": wanted.get("clientMutationId"), "comment": self._comment(made)}

    def _require(self, repository: Repository, name: str, level: str) -> None:
        try:
            access.require(self._hub.state, self._caller, repository, (f"{name}={level}",), writes=level != "read")
        except Refused as refused:
            installation = self._caller.installation is not None
            raise _refuse("FORBIDDEN", NOT_BY_INTEGRATION if installation else NOT_BY_TOKEN) from refused

    # Finding by node id. What the caller may not see is not there.

    def _thread_at(self, wanted: str) -> Thread | None:
        number = number_of(wanted, "PRRT")
        for repository in self._hub.state.repositories.values():
            for pull in repository.pulls if self._sees(repository) else []:
                for thread in pull.threads:
                    if thread.id == number:
                        return thread
        return None

    def _subject(self, wanted: str) -> IssueComment | ReviewComment | Review | None:
        state = self._hub.state
        found: IssueComment | ReviewComment | Review | None = None
        if (number := number_of(wanted, "IC")) is not None:
            found = state.issue_comments.get(number)
        elif (number := number_of(wanted, "PRRC")) is not None:
            found = state.review_comments.get(number)
        elif (number := number_of(wanted, "PRR")) is not None:
            every = (
                review
                for repository in state.repositories.values()
                for pull in repository.pulls
                for review in pull.reviews
            )
            found = next((review for review in every if review.id == number), None)
        return found if found is not None and self._sees(_repository_of(found)) else None

    def _writable(self, wanted: str) -> IssueComment | ReviewComment | Review:
        subject = self._subject(wanted)
        if subject is None:
            raise self._unknown(wanted)
        self._require(_repository_of(subject), "pull_requests", "write")
        return subject

    # Records → objects.

    def _actor(self, account: Account) -> Json:
        shape = self._shapes.account(account)
        kinds = {Kind.BOT: "Bot", Kind.ORGANIZATION: "Organization"}
        # A bot's login has no suffix here, unlike in REST.
        return {
            "__typename": kinds.get(account.kind, "User"),
            "databaseId": account.id,
            "id": shape["node_id"],
            "login": account.login.removesuffix("[bot]"),
            "url": shape["html_url"],
        }

    def _pull(self, pull: Pull) -> Json:
        state = "MERGED" if pull.merged_at else pull.state.upper()
        submitted = [review for review in pull.reviews if review.submitted_at or review.user is self._caller.account]
        return {
            "__typename": "PullRequest",
            "author": self._actor(pull.author) if pull.author else None,
            "baseRefName": pull.base_ref,
            "baseRefOid": pull.base_sha,
            "body": pull.body,
            "comments": _connection(pull.comments, self._issue_comment),
            "fullDatabaseId": str(pull.id),
            "headRefName": pull.head_ref,
            "headRefOid": pull.head_sha,
            "id": node_id("PR", pull.id),
            "isDraft": pull.draft,
            "merged": pull.merged_at is not None,
            "number": pull.number,
            "reviewThreads": _connection(pull.threads, self._thread),
            "reviews": _connection(submitted, self._review),
            "state": state,
            "title": pull.title,
            "url": self._shapes.pull_page(pull),
        }

    def _thread(self, thread: Thread) -> Json:
        original, anchor = thread.original, thread.anchor
        may_resolve = self._may_resolve(thread)
        return {
            "__typename": "PullRequestReviewThread",
            "comments": _connection(thread.comments, self._comment),
            "diffSide": original.side.value,
            "id": node_id("PRRT", thread.id),
            "isCollapsed": thread.resolved_by is not None,
            "isOutdated": anchor is None,
            "isResolved": thread.resolved_by is not None,
            "line": anchor.line if anchor else None,
            "originalLine": original.line,
            "originalStartLine": original.start_line,
            "path": (anchor or original).path,
            "pullRequest": lambda _info: self._pull(thread.pull),
            "resolvedBy": self._actor(thread.resolved_by) if thread.resolved_by else None,
            "startDiffSide": original.start_side.value if original.start_side else None,
            "startLine": anchor.start_line if anchor else None,
            "subjectType": "FILE" if original.line is None else "LINE",
            "viewerCanReply": self._holds(thread.pull.repository, "pull_requests"),
            "viewerCanResolve": may_resolve and thread.resolved_by is None,
            "viewerCanUnresolve": may_resolve and thread.resolved_by is not None,
        }

    def _may_resolve(self, thread: Thread) -> bool:
        return self._holds(thread.pull.repository, "contents")

    def _holds(self, repository: Repository, permission: str) -> bool:
        try:
            access.require(self._hub.state, self._caller, repository, (f"{permission}=write",), writes=True)
        except Refused:
            return False
        return True

    def _comment(self, comment: ReviewComment) -> Json:
        shape = self._shapes.review_comment(comment)
        return {
            **self._common(comment.user, shape, comment.minimized),
            "__typename": "PullRequestReviewComment",
            "createdAt": shape["created_at"],
            "diffHunk": shape["diff_hunk"],
            "line": shape["line"],
            "originalLine": shape["original_line"],
            "outdated": comment.thread.anchor is None,
            "path": shape["path"],
            "pullRequestReview": lambda _info: self._review(comment.review),
            "replyTo": lambda _info: self._comment(comment.reply_to) if comment.reply_to else None,
            "startLine": shape["start_line"],
            "updatedAt": shape["updated_at"],
        }

    def _issue_comment(self, comment: IssueComment) -> Json:
        shape = self._shapes.issue_comment(comment)
        return {
            **self._common(comment.user, shape, comment.minimized),
            "__typename": "IssueComment",
            "createdAt": shape["created_at"],
            "updatedAt": shape["updated_at"],
        }

    def _review(self, review: Review) -> Json:
        return {
            **self._common(review.user, self._shapes.review(review), review.minimized),
            "__typename": "PullRequestReview",
            "commit": {"id": f"C_{review.commit_id[:20]}", "oid": review.commit_id},
            "state": review.state.value,
            "submittedAt": moment_or_none(review.submitted_at),
        }

    def _common(self, user: Account, shape: Json, minimized: str | None) -> Json:
        return {
            "author": self._actor(user),
            "body": shape["body"],
            # The 32 bits of an Int have become too few for today's ids.
            "databaseId": None,
            "fullDatabaseId": str(shape["id"]),
            "id": shape["node_id"],
            "isMinimized": minimized is not None,
            "minimizedReason": minimized,
            "url": shape["html_url"],
            "viewerCanMinimize": True,
            "viewerDidAuthor": user is self._caller.account,
        }

    def _minimizable(self, subject: IssueComment | ReviewComment | Review) -> Json:
        match subject:
            case IssueComment():
                return self._issue_comment(subject)
            case ReviewComment():
                return self._comment(subject)
            case Review():
                return self._review(subject)


def _repository_of(subject: IssueComment | ReviewComment | Review) -> Repository:
    return subject.issue.repository if isinstance(subject, IssueComment) else subject.pull.repository


def _connection(items: Sequence[Any], render: Callable[[Any], Json]) -> Callable[..., Json]:
    """A field that pages through a list by `first` and `after`, or `last` and `before`."""

    def page(_info: object, **arguments: Any) -> Json:
        first, last = arguments.get("first"), arguments.get("last")
        if first is None and last is None:
            message = "You must provide a `first` or `last` value to properly paginate the connection."
            raise _refuse("MISSING_PAGINATION_BOUNDARIES", message)
        wanted = first if first is not None else last
        if not isinstance(wanted, int) or not 0 <= wanted <= MAX_NODES_PER_PAGE:
            message = f"Requesting {wanted} records exceeds the limit of {MAX_NODES_PER_PAGE} records."
            raise _refuse("EXCESSIVE_PAGINATION", message)
        start, end = _position(arguments.get("after"), -1) + 1, _position(arguments.get("before"), len(items))
        if first is not None:
            end = min(end, start + wanted)
        else:
            start = max(start, end - wanted)
        return {
            "nodes": [render(item) for item in items[start:end]],
            "totalCount": len(items),
            "pageInfo": {
                "endCursor": _cursor(end - 1) if end > start else None,
                "hasNextPage": end < len(items),
                "hasPreviousPage": start > 0,
                "startCursor": _cursor(start) if end > start else None,
            },
        }

    return page


def _cursor(index: int) -> str:
    return base64.b64encode(f"cursor:{index}".encode()).decode()


def _position(cursor: str | None, default: int) -> int:
    if cursor is None:
        return default
    try:
        return int(base64.b64decode(cursor).decode().removeprefix("cursor:"))
    except ValueError:
        raise _refuse("INVALID_CURSOR_ARGUMENTS", f"`{cursor}` does not appear to be a valid cursor.") from None
