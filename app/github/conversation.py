"""What people say on a pull request, and what the bot says back: threads, remarks, reactions, linked issues, failed checks.

    threads    GraphQL: what is resolved, by whom     ┐ joined by the first comment's id
               REST: bodies, authors, 👎              ┴ ──► ReviewThread

An answer in a thread is sent once, as every writing that a person sees; resolving, minimising, editing and reacting leave
the same state when they are repeated.
https://docs.github.com/en/graphql/reference/objects#pullrequestreviewthread
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from app.core.change import Sha
from app.core.gate import Outgoing
from app.core.pull import FailedCheck, LinkedIssue, Remark, ReviewThread
from app.errors import Code, Permanent, Transient
from app.github import errors, replies
from app.github.transport import PER_PAGE
from app.github.wire import GRAPHQL, MAX_BODY, Effect, Reply, Request, in_repository, sendable, split

COMMENT_PAGES = 10
THREAD_PAGES = 10
FAILED = frozenset({"failure", "timed_out", "startup_failure"})

Reaction = Literal["+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes"]
Send = Callable[[Request], Awaitable[Reply]]

_THREADS = """
query ($owner: String!, $name: String!, $number: Int!, $after: String) {
  repository(owner: $owner, name: $name) {
    pullRequest(number: $number) {
      reviewThreads(first: 100, after: $after) {
        nodes {
          id
          isResolved
          resolvedBy { login }
          line
          startLine
          comments(first: 1) { nodes { id fullDatabaseId } }
        }
        pageInfo { hasNextPage endCursor }
      }
    }
  }
}
"""
_RESOLVE = "mutation ($id: ID!) { resolveReviewThread(input: {threadId: $id}) { thread { id } } }"
_UNRESOLVE = "mutation ($id: ID!) { unresolveReviewThread(input: {threadId: $id}) { thread { id } } }"
_MINIMIZE = """
mutation ($id: ID!) {
  minimizeComment(input: {subjectId: $id, classifier: RESOLVED}) { minimizedComment { isMinimized } }
}
"""
_UNMINIMIZE = (
    "mutation ($id: ID!) { unminimizeComment(input: {subjectId: $id}) { unminimizedComment { isMinimized } } }"
)


@dataclass(frozen=True, slots=True)
class Conversation:
    """The verbs of talking, over the way requests are sent. Part of `GitHub`, as `github.talk`."""

    _send: Send
    _send_resolving: Send
    """As `_send`, with the permission to resolve, where the App has it."""

    async def threads(self, repository: str, number: int) -> tuple[ReviewThread, ...]:
        """Every thread of the pull request, in the order they were begun."""
        known = {thread.first: thread for thread in await self._thread_states(repository, number)}
        begun: dict[int, replies.Comment] = {}
        remarks: dict[int, list[Remark]] = defaultdict(list)
        for comment in await self._comments(repository, "/pulls/{number}/comments", number, "read the threads"):
            first = comment.in_reply_to_id or comment.id
            begun.setdefault(first, comment)
            remarks[first].append(comment.value())
        return tuple(
            ReviewThread(
                id=state.id,
                path=begun[first].path,
                line=state.line,
                remarks=tuple(remarks[first]),
                resolved=state.resolved,
                resolved_by=state.resolved_by.login if state.resolved_by else "",
                node=state.node,
                start_line=state.start_line,
            )
            for first, state in known.items()
            if first in begun
        )

    async def remarks(self, repository: str, number: int) -> tuple[Remark, ...]:
        """The conversation of the pull request, oldest first; the diff's threads are not part of it."""
        found = await self._comments(repository, "/issues/{number}/comments", number, "read the conversation")
        return tuple(comment.value() for comment in found)

    async def reply(self, repository: str, number: int, *, to: int, body: Outgoing) -> int:
        """The id of a new answer in the thread that begins with the comment `to`; sent once."""
        request = in_repository(
            "POST",
            "/pulls/{number}/comments/{comment}/replies",
            repository,
            "answer in the thread",
            Effect.ONCE,
            body={"body": sendable(body, limit=MAX_BODY, what="the comment")},
            number=number,
            comment=to,
        )
        return replies.read(replies.Created, await self._send(replace(request, notifies=True)), request).id

    async def edit(self, repository: str, comment: int, body: Outgoing) -> None:
        """Replace the text of one of our comments in the conversation."""
        route, doing = "/issues/comments/{comment}", "edit its comment"
        request = in_repository(
            "PATCH",
            route,
            repository,
            doing,
            Effect.REPEATABLE,
            body={"body": sendable(body, limit=MAX_BODY, what="the comment")},
            comment=comment,
        )
        replies.read(replies.Created, await self._send(request), request)

    async def react(self, repository: str, comment: int, content: Reaction, *, in_thread: bool) -> None:
        """Put a reaction on a comment of a thread, or of the conversation."""
        route = f"/{'pulls' if in_thread else 'issues'}/comments/{{comment}}/reactions"
        request = in_repository(
            "POST",
            route,
            repository,
            "react to the comment",
            Effect.REPEATABLE,
            body={"content": content},
            comment=comment,
        )
        replies.read(replies.Created, await self._send(request), request)

    async def resolve(self, thread: str) -> bool:
        """Resolve the thread. False when the App may not (it needs `contents: write`); then an answer has to do."""
        return await self._allowed(self._send_resolving, _RESOLVE, thread, "resolve the thread")

    async def reopen(self, thread: str) -> bool:
        """Take back that the thread is resolved. False when the App may not."""
        return await self._allowed(self._send_resolving, _UNRESOLVE, thread, "open the thread again")

    async def minimize(self, comment: str) -> bool:
        """Fold a comment (by its node id) away as resolved. False when the App may not."""
        return await self._allowed(self._send, _MINIMIZE, comment, "minimise its comment")

    async def unfold(self, comment: str) -> bool:
        """Show a comment (by its node id) again that was folded away. False when the App may not."""
        return await self._allowed(self._send, _UNMINIMIZE, comment, "show its comment again")

    async def issue(self, repository: str, number: int) -> LinkedIssue | None:
        """The issue of that number; None when it is a pull request, is gone, or may not be seen."""
        request = in_repository("GET", "/issues/{number}", repository, "read the linked issue", number=number)
        try:
            return replies.read(replies.Issue, await self._send(request), request).value()
        except Permanent as error:
            if error.code in (Code.GITHUB_GONE, Code.GITHUB_FORBIDDEN):
                return None
            raise

    async def failed_checks(self, repository: str, head: Sha) -> tuple[FailedCheck, ...]:
        """The checks of others that failed on this head, the newest run of each."""
        request = in_repository(
            "GET",
            "/commits/{head}/check-runs",
            repository,
            "read the checks",
            query={"filter": "latest", "per_page": PER_PAGE},
            head=head,
        )
        found = replies.read(replies.ForeignChecks, await self._send(request), request)
        return tuple(run.value() for run in found.check_runs if run.conclusion in FAILED)

    async def _thread_states(self, repository: str, number: int) -> list[replies.ThreadReply]:
        found: list[replies.ThreadReply] = []
        after: str | None = None
        for _ in range(THREAD_PAGES):
            variables = {**split(repository), "number": number, "after": after}
            request = _graphql(_THREADS, variables, "read the threads", Effect.READ)
            data = _data(await self._send(request), request)
            page = data
            for name in ("repository", "pullRequest", "reviewThreads"):
                page = page.get(name) or {} if isinstance(page, Mapping) else {}
            threads = replies.read(replies.ThreadPage, Reply(200, {}, page), request)
            found += threads.nodes
            after = threads.page.cursor
            if not threads.page.more:
                break
        return found

    async def _comments(self, repository: str, route: str, number: int, doing: str) -> list[replies.Comment]:
        found: list[replies.Comment] = []
        for page in range(1, COMMENT_PAGES + 1):
            query = {"per_page": PER_PAGE, "page": page}
            request = in_repository("GET", route, repository, doing, query=query, number=number)
            some = replies.read_list(replies.Comment, await self._send(request), request)
            found += some
            if len(some) < PER_PAGE:
                break
        return found

    async def _allowed(self, send: Send, document: str, subject: str, doing: str) -> bool:
        request = _graphql(document, {"id": subject}, doing, Effect.REPEATABLE)
        try:
            _data(await send(request), request)
        except Permanent as error:
            if error.code in (Code.GITHUB_FORBIDDEN, Code.GITHUB_GONE):
                return False
            raise
        return True


def _graphql(document: str, variables: Mapping[str, Any], doing: str, effect: Effect) -> Request:
    return Request("POST", GRAPHQL, {}, doing, effect, body={"query": document, "variables": dict(variables)})


def _data(reply: Reply, request: Request) -> Any:
    """The data of a GraphQL answer: there a refusal, too, comes with the status 200."""
    body = reply.body
    if not isinstance(body, Mapping):
        raise errors.lost(request, "GitHub's answer was not what its documentation describes")
    refused = body.get("errors")
    if not refused:
        return body.get("data")
    kind = refused[0].get("type") if isinstance(refused, list) and isinstance(refused[0], Mapping) else None
    said = errors.message({"errors": refused})
    match kind:
        case "FORBIDDEN":
            raise Permanent(Code.GITHUB_FORBIDDEN, f"GitHub does not let the bot {request.doing}: {said}")
        case "NOT_FOUND":
            raise Permanent(Code.GITHUB_GONE, f"GitHub has nothing there that the bot may see, to {request.doing}")
        case "RATE_LIMITED":
            raise Transient(
                Code.GITHUB_RATE_LIMITED,
                "GitHub asked this installation to slow down",
                retry_after_seconds=errors.reset_seconds(reply) or errors.SECONDARY_WAIT_SECONDS,
            )
        case "INTERNAL" | "RESOURCE_LIMITS_EXCEEDED" | None:
            raise Transient(Code.GITHUB_UNAVAILABLE, f"GitHub could not {request.doing}: {said}")
        case _:
            raise Permanent(Code.GITHUB_REFUSED, f"GitHub refused to {request.doing}: {said}")
