"""The verbs the bot speaks to GitHub in: names and numbers go in, values of `app.core.pull` come out.

Each verb is one request (lists and long checks: a bounded few), built from the configured root, names and numbers, never
from an address found in an answer. Reads, and writes that leave the same state when repeated, are tried again by
`app.retry`. A check run is looked for before it is sent again. A review and a comment are sent once; when the answer is
lost, the error says so (`GITHUB_ANSWER_UNKNOWN`), and the caller looks (`own_reviews`) before sending again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Self, TypeVar

from github.Auth import Token

from app import retry
from app.core.change import Sha
from app.core.gate import Outgoing
from app.core.installed import InstalledRepository
from app.core.pace import Kind
from app.core.pull import (
    CheckAnnotation,
    CheckRun,
    Comparison,
    Conclusion,
    OpenPull,
    Permission,
    PostedReview,
    Pull,
    ReviewComment,
    StatusState,
    Verdict,
)
from app.errors import Code, Permanent, PrincipalError, Transient
from app.github import replies
from app.github.conversation import Conversation, Reaction
from app.github.credentials import RESOLVING, Credentials, PersonalToken
from app.github.pace import Pace, Sleep
from app.github.transport import PER_PAGE, Limits, Transport
from app.github.wire import MAX_BODY, Effect, OnCall, Reply, Request, in_repository, sendable, split, too_much

TRIES = 4
COMMITS_READ = 50
"""How many commit messages a comparison brings along."""
REVIEW_PAGES = 10
PULL_PAGES = 10
REPOSITORY_PAGES = 10
ANNOTATIONS_PER_CALL = 50
ANNOTATIONS_PER_CHECK = 500
MAX_CHECK_TEXT = 65_535
MAX_ANNOTATION = 16_384
MAX_ANNOTATION_TITLE = 255
MAX_STATUS = 140
"""Characters GitHub takes: in a review or comment, a check's texts, an annotation (64 KB of bytes), a commit status."""

T = TypeVar("T")

_TOKEN = Request("POST", "/app/installations/{installation}/access_tokens", {}, "act for it", Effect.REPEATABLE)
_ACCOUNT = Request("GET", "/app", {}, "read its own account")


class GitHub:
    """GitHub as one installation or one person sees it. Made by `App.installation` and `GitHub.with_token`."""

    def __init__(
        self,
        *,
        transport: Transport,
        credentials: Credentials,
        pace: Pace,
        sleep: Sleep = asyncio.sleep,
        app_id: int | None = None,
    ) -> None:
        self._transport = transport
        self._credentials = credentials
        self._pace = pace
        self._sleep = sleep
        self._app_id = app_id
        self.talk = Conversation(self._send, self._send_resolving)

    @classmethod
    def with_token(
        cls,
        token: str,
        *,
        api_url: str,
        on_call: OnCall | None = None,
        limits: Limits | None = None,
        sleep: Sleep = asyncio.sleep,
    ) -> GitHub:
        """GitHub as the owner of `token` sees it; close it when done. Raises `UserError` for settings that cannot work."""
        transport = Transport(api_url=api_url, on_call=on_call, limits=limits)
        credentials = PersonalToken(token, transport=transport)
        return cls(transport=transport, credentials=credentials, pace=Pace(sleep=sleep), sleep=sleep)

    def __repr__(self) -> str:
        return f"GitHub({self._credentials!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections. An installation's are its `App`'s: close that instead."""
        await self._transport.close()

    async def ready(self) -> None:
        """Have a token at hand. Raises `Permanent` when GitHub gives none: App removed, suspended, permissions missing."""
        if not self._credentials.is_ready:
            await self._token()

    @property
    def may_write_checks(self) -> bool:
        """Whether check runs may be written: only by Apps. Others use `set_status`."""
        return self._credentials.is_app

    # Reading

    async def pull(self, repository: str, number: int) -> Pull:
        """The pull request as it is now: always asked for, never from memory."""
        request = in_repository("GET", "/pulls/{number}", repository, "read the pull request", number=number)
        return replies.read(replies.WholePullRequest, await self._send(request), request).value()

    async def policy_of(self, repository: str) -> str | None:
        """The policy file on the default branch of another repository of the same owner, read under a token for that alone.

        None when it has none, or when the App may not see that repository.
        """
        request = in_repository("GET", "/contents/.github/principal.yml", repository, "read the owner's policy")
        credentials = self._credentials.beside(str(request.parts["name"]))
        try:
            reply = await self._retried(lambda: self._attempt(request, credentials))
        except Permanent as error:
            if error.code in (Code.GITHUB_GONE, Code.GITHUB_FORBIDDEN):
                return None
            raise
        return replies.read(replies.Content, reply, request).text()

    async def open_pulls(self, repository: str, *, pages: int = PULL_PAGES) -> tuple[OpenPull, ...]:
        """The open pull requests, those that changed last first, at most a thousand (a hundred a page)."""
        query: dict[str, str | int] = {"state": "open", "sort": "updated", "direction": "desc"}
        request = in_repository("GET", "/pulls", repository, "list the open pull requests", query=query)
        found = [
            item.summary()
            for page in await self._pages(request, pages=pages)
            for item in replies.read_list(replies.ListedPullRequest, page, request)
        ]
        # A pull that changes while we turn the page shows up on both.
        return tuple({pull.number: pull for pull in found}.values())

    async def repositories(self) -> tuple[InstalledRepository, ...]:
        """The repositories that this installation covers, at most a thousand. For Apps only."""
        request = Request("GET", "/installation/repositories", {}, "list the installed repositories")
        found: dict[int, InstalledRepository] = {}
        for number in range(1, REPOSITORY_PAGES + 1):
            reply = await self._send(replace(request, query={"per_page": PER_PAGE, "page": number}))
            page = replies.read(replies.InstalledRepositories, reply, request).repositories
            found |= {item.id: item.value() for item in page}
            if len(page) < PER_PAGE:
                break
        return tuple(found.values())

    async def compare(self, repository: str, base: str, head: str) -> Comparison:
        """The merge base of two commits, and the messages of the first commits between it and `head`.

        A fork's head is found by its id in the base's repository: they share one store of objects.
        """
        request = in_repository(
            "GET",
            "/compare/{base}...{head}",
            repository,
            "compare base and head",
            query={"per_page": COMMITS_READ, "page": 1},
            base=base,
            head=head,
        )
        return replies.read(replies.Compared, await self._send(request), request).value()

    async def permission(self, repository: str, login: str) -> Permission:
        """What this person may do in the repository; nothing for who is unknown there."""
        request = in_repository(
            "GET",
            "/collaborators/{login}/permission",
            repository,
            "look up what a person may do",
            login=login,
        )
        try:
            reply = await self._send(request)
        except Permanent as error:
            if error.code is Code.GITHUB_GONE:
                return Permission.NONE
            raise
        return replies.read(replies.Collaborator, reply, request).value()

    async def viewer(self) -> str:
        """The login under which the bot's words appear (`principal[bot]`); asked for once, then remembered."""
        return await self._retried(lambda: self._transport.run(self._credentials.login, _ACCOUNT))

    async def git_token(self, repository: str) -> str:
        """A token with which git may read `repository` over HTTPS (user `x-access-token`); lives five minutes at least."""
        split(repository)
        return await self._token()

    # Reviews and comments

    async def turn_to_post(self) -> None:
        """Wait until a review may be posted, so that what must be true right before it can be read after the wait.

        Raises `Transient` (GITHUB_RATE_LIMITED) with the time to come back when that is long.
        """
        await self._pace.turn(Kind.NOTICE)

    async def post_review(
        self,
        repository: str,
        number: int,
        *,
        commit: Sha,
        body: Outgoing,
        comments: Sequence[ReviewComment] = (),
        verdict: Verdict = Verdict.COMMENT,
        in_turn: bool = False,
    ) -> PostedReview:
        """The review as posted: everything in one request, sent once, all of it or nothing.

        With `in_turn` the caller has waited with `turn_to_post`; else the wait is here.
        Raises `Transient(GITHUB_ANSWER_UNKNOWN)` when it may have been posted: look at `own_reviews` before another try.
        Raises `Permanent(GITHUB_REFUSED)` for an anchor outside the diff (GitHub does not say which) and for too long texts.
        """
        request = in_repository(
            "POST",
            "/pulls/{number}/reviews",
            repository,
            "post the review",
            Effect.ONCE,
            body={
                "commit_id": commit,
                "body": sendable(body, limit=MAX_BODY, what="the review's body"),
                "event": verdict.value,
                "comments": [_comment(comment) for comment in comments],
            },
            number=number,
        )
        request = replace(request, notifies=True)
        return replies.read(replies.Review, await self._send(request, in_turn=in_turn), request).value()

    async def own_reviews(self, repository: str, number: int) -> tuple[PostedReview, ...]:
        """The reviews that may be ours, oldest first: an App's are by bots. Which are ours, their signed markers tell."""
        request = in_repository("GET", "/pulls/{number}/reviews", repository, "list the reviews", number=number)
        found = [
            item.value()
            for page in await self._pages(request, pages=REVIEW_PAGES)
            for item in replies.read_list(replies.Review, page, request)
        ]
        return tuple(
            {review.id: review for review in found if review.author_is_bot or not self.may_write_checks}.values()
        )

    async def comment(self, repository: str, number: int, body: Outgoing) -> int:
        """The id of a new comment in the conversation of a pull request; sent once."""
        request = in_repository(
            "POST",
            "/issues/{number}/comments",
            repository,
            "comment on the pull request",
            Effect.ONCE,
            body={"body": sendable(body, limit=MAX_BODY, what="the comment")},
            number=number,
        )
        return await self._created(replace(request, notifies=True))

    async def react_to_comment(
        self, repository: str, comment_id: int, content: Reaction = "eyes", *, in_thread: bool = False
    ) -> None:
        """Put a reaction on a comment of the conversation, or of a thread."""
        await self.talk.react(repository, comment_id, content, in_thread=in_thread)

    # Checks and statuses

    async def start_check(
        self, repository: str, *, head: Sha, name: str, external_id: str, title: Outgoing, summary: Outgoing
    ) -> int:
        """The id of a check run in progress. When GitHub's answer is lost, the run is looked for before it is sent again."""
        request = in_repository(
            "POST",
            "/check-runs",
            repository,
            "start the check run",
            Effect.ONCE,
            body={
                "name": name,
                "head_sha": head,
                "external_id": external_id,
                "status": "in_progress",
                "output": _output(title=title, summary=summary),
            },
        )
        found = self._runs_of(repository, head=head, name=name)

        async def look() -> int | None:
            runs = replies.read(replies.Checks, await self._attempt(found), found).values()
            return max(
                (run.id for run in runs if run.external_id == external_id and run.conclusion is None), default=None
            )

        async def send() -> int:
            return replies.read(replies.Created, await self._attempt(request), request).id

        return await self._surely(send, look)

    async def tell_check(
        self,
        repository: str,
        *,
        head: Sha,
        name: str,
        external_id: str,
        conclusion: Conclusion,
        title: Outgoing,
        summary: Outgoing,
    ) -> int:
        """The id of a check run that is completed from the start: a word about a head, not a piece of work on it."""
        request = in_repository(
            "POST",
            "/check-runs",
            repository,
            "tell by a check run",
            Effect.ONCE,
            body={
                "name": name,
                "head_sha": head,
                "external_id": external_id,
                "status": "completed",
                "conclusion": conclusion.value,
                "output": _output(title=title, summary=summary),
            },
        )
        found = self._runs_of(repository, head=head, name=name)

        async def look() -> int | None:
            runs = replies.read(replies.Checks, await self._attempt(found), found).values()
            same = (run.id for run in runs if (run.external_id, run.conclusion) == (external_id, conclusion.value))
            return max(same, default=None)

        async def send() -> int:
            return replies.read(replies.Created, await self._attempt(request), request).id

        return await self._surely(send, look)

    async def update_check(self, repository: str, check_id: int, *, title: Outgoing, summary: Outgoing) -> None:
        """Show how far a check run in progress is."""
        body = {"status": "in_progress", "output": _output(title=title, summary=summary)}
        await self._created(_patch_check(repository, check_id, Effect.REPEATABLE, body=body))

    async def finish_check(
        self,
        repository: str,
        check_id: int,
        *,
        conclusion: Conclusion,
        title: Outgoing,
        summary: Outgoing,
        text: Outgoing | None = None,
        annotations: Sequence[CheckAnnotation] = (),
    ) -> None:
        """Complete a check run. Of more than 50 annotations, the rest goes ahead, so that the last request completes it.

        Annotations add up on GitHub's side: when an answer is lost, they are counted before they are sent again.
        """
        if len(annotations) > ANNOTATIONS_PER_CHECK:
            raise too_much("annotations of one check", len(annotations), ANNOTATIONS_PER_CHECK)
        output = _output(title=title, summary=summary, text=text)
        sent = 0
        while len(annotations) - sent > ANNOTATIONS_PER_CALL:
            some = annotations[sent : sent + ANNOTATIONS_PER_CALL]
            sent += ANNOTATIONS_PER_CALL
            progress = {"status": "in_progress", "output": _annotated(output, some)}
            await self._annotate(repository, check_id, body=progress, adding_up_to=sent)
        rest = annotations[sent:]
        end = {"status": "completed", "conclusion": conclusion.value, "output": _annotated(output, rest)}
        if rest:
            await self._annotate(repository, check_id, body=end, adding_up_to=len(annotations))
        else:
            await self._created(_patch_check(repository, check_id, Effect.REPEATABLE, body=end))

    async def find_check(self, repository: str, *, head: Sha, name: str, external_id: str) -> CheckRun | None:
        """The newest check run of this name and `external_id` on `head`, if there is one: to adopt it after a crash."""
        runs = await self.find_checks(repository, head=head, name=name, external_id=external_id)
        return max(runs, key=lambda run: run.id, default=None)

    async def find_checks(self, repository: str, *, head: Sha, name: str, external_id: str) -> tuple[CheckRun, ...]:
        """Our check runs of this name and `external_id` on `head`."""
        request = self._runs_of(repository, head=head, name=name)
        runs = replies.read(replies.Checks, await self._send(request), request).values()
        return tuple(run for run in runs if run.external_id == external_id)

    async def set_status(
        self,
        repository: str,
        head: Sha,
        *,
        state: StatusState,
        context: str,
        description: Outgoing,
        target_url: str = "",
    ) -> None:
        """Set a commit status, the check run of those who are no App. A description over 140 characters is shortened."""
        link = {"target_url": target_url} if target_url else {}
        request = in_repository(
            "POST",
            "/statuses/{head}",
            repository,
            "set the commit status",
            Effect.REPEATABLE,
            body={
                "state": state.value,
                "context": context,
                "description": description if len(description) <= MAX_STATUS else f"{description[: MAX_STATUS - 1]}…",
                **link,
            },
            head=head,
        )
        await self._created(request)

    # One level below: how a request is sent

    def _runs_of(self, repository: str, *, head: Sha, name: str) -> Request:
        query: dict[str, str | int] = {"check_name": name, "filter": "all", "per_page": PER_PAGE}
        if self._app_id is not None:
            query["app_id"] = self._app_id
        return in_repository(
            "GET", "/commits/{head}/check-runs", repository, "find the check run", query=query, head=head
        )

    async def _annotate(self, repository: str, check_id: int, *, body: Mapping[str, object], adding_up_to: int) -> None:
        request = _patch_check(repository, check_id, Effect.ONCE, body=body)
        found = in_repository("GET", "/check-runs/{check}", repository, "read the check run", check=check_id)

        async def look() -> bool | None:
            run = replies.read(replies.Check, await self._attempt(found), found)
            return True if run.output.annotations_count >= adding_up_to else None

        async def send() -> bool:
            await self._attempt(request)
            return True

        await self._surely(send, look)

    async def _surely(self, send: Callable[[], Awaitable[T]], look: Callable[[], Awaitable[T | None]]) -> T:
        """The result of a write that is sent again only after its answer was lost and `look` found nothing."""
        lost = False

        async def attempt() -> T:
            nonlocal lost
            if lost and (found := await look()) is not None:
                return found
            try:
                return await send()
            except Transient as error:
                if error.code is not Code.GITHUB_ANSWER_UNKNOWN:
                    raise
                # `retry` leaves an unknown outcome to who can look, and that is here.
                lost = True
                raise Transient(Code.GITHUB_UNAVAILABLE, error.what) from error

        try:
            return await self._retried(attempt)
        except PrincipalError as error:
            if not lost:
                raise
            # Whatever the looks came to: what was sent may stand there.
            raise Transient(Code.GITHUB_ANSWER_UNKNOWN, error.what) from error

    async def _created(self, request: Request) -> int:
        return replies.read(replies.Created, await self._send(request), request).id

    async def _pages(self, request: Request, *, pages: int) -> list[Reply]:
        """The pages of a list, one after the other, until one is not full; at most `pages`."""
        found: list[Reply] = []
        for number in range(1, pages + 1):
            reply = await self._send(replace(request, query={**request.query, "per_page": PER_PAGE, "page": number}))
            found.append(reply)
            if not isinstance(reply.body, list) or len(reply.body) < PER_PAGE:
                break
        return found

    async def _send(self, request: Request, *, in_turn: bool = False) -> Reply:
        if request.effect is Effect.ONCE:
            # A token that must be fetched first may fail and be tried again; the write itself is sent once.
            await self.ready()
            return await self._attempt(request, in_turn=in_turn)
        return await self._retried(lambda: self._attempt(request))

    async def _send_resolving(self, request: Request) -> Reply:
        """As `_send`, under a token for nothing but resolving threads."""
        credentials = self._credentials.narrowed(RESOLVING)
        return await self._retried(lambda: self._attempt(request, credentials))

    async def _attempt(
        self, request: Request, credentials: Credentials | None = None, *, in_turn: bool = False
    ) -> Reply:
        acting = credentials or self._credentials
        return await self._pace.paced(
            request.kind,
            lambda: self._transport.run(lambda: self._exchange(request, acting), request),
            in_turn=in_turn,
        )

    def _exchange(self, request: Request, credentials: Credentials) -> Reply:
        """One exchange with these credentials; a rejected token is renewed once, as nothing happened under it."""
        token = credentials.token()
        try:
            return self._transport.send(request, auth=Token(token))
        except Permanent as error:
            if error.code is not Code.GITHUB_UNAUTHORIZED:
                raise
            renewed = credentials.renewed(token)
            if renewed is None:
                raise
        return self._transport.send(request, auth=Token(renewed))

    async def _token(self) -> str:
        return await self._retried(lambda: self._transport.run(self._credentials.token, _TOKEN))

    async def _retried(self, work: Callable[[], Awaitable[T]]) -> T:
        return await retry.call(work, tries=TRIES, sleep=self._sleep)


def _patch_check(repository: str, check_id: int, effect: Effect, *, body: Mapping[str, object]) -> Request:
    return in_repository(
        "PATCH", "/check-runs/{check}", repository, "write the check run", effect, body=body, check=check_id
    )


def _comment(comment: ReviewComment) -> dict[str, str | int]:
    placed: dict[str, str | int] = {
        "path": comment.path,
        "line": comment.line,
        "side": comment.side.value,
        "body": sendable(comment.body, limit=MAX_BODY, what="a review comment"),
    }
    # GitHub refuses a range of one line.
    if comment.start_line is not None and comment.start_line < comment.line:
        placed |= {"start_line": comment.start_line, "start_side": comment.side.value}
    return placed


def _output(*, title: Outgoing, summary: Outgoing, text: Outgoing | None = None) -> dict[str, object]:
    texts = {"title": sendable(title, limit=MAX_CHECK_TEXT, what="the check's title")}
    texts["summary"] = sendable(summary, limit=MAX_CHECK_TEXT, what="the check's summary")
    if text:
        texts["text"] = sendable(text, limit=MAX_CHECK_TEXT, what="the check's text")
    return dict(texts)


def _annotated(output: Mapping[str, object], annotations: Sequence[CheckAnnotation]) -> dict[str, object]:
    return {**output, "annotations": [_annotation(one) for one in annotations]} if annotations else dict(output)


def _annotation(one: CheckAnnotation) -> dict[str, str | int]:
    title = (
        {"title": sendable(one.title, limit=MAX_ANNOTATION_TITLE, what="an annotation's title")} if one.title else {}
    )
    return {
        "path": one.path,
        "start_line": one.start_line,
        "end_line": one.end_line,
        "annotation_level": one.level.value,
        "message": sendable(one.message, limit=MAX_ANNOTATION, what="an annotation"),
        **title,
    }
