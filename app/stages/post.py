"""Posting: one review, once, on the head that was reviewed, and a check run that always ends."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from app.core import comment, fingerprint
from app.core.change import Sha
from app.core.comment import CheckText
from app.core.gate import release
from app.core.pull import CHECK_NAME, Conclusion, StatusState
from app.core.report import Review
from app.errors import Code, Permanent
from app.events import ReviewRequest
from app.stages.recall import Keeper
from app.stages.step import Step
from app.telemetry import log

if TYPE_CHECKING:
    from app.github import GitHub

CHECK_KEY = "check "
"""Before a review's key: the name under which its check run is remembered."""


@dataclass(frozen=True, slots=True)
class Posted:
    """How posting ended: the review's id, or why there is none."""

    state: Literal["posted", "already", "superseded", "closed", "quiet"]
    review_id: int | None = None
    head: Sha | None = None

    @property
    def stands(self) -> bool:
        """Whether everything that the review has to say is said."""
        return self.state in ("posted", "already", "quiet")


QUIET = Posted("quiet")
"""Nothing is posted, because there is nothing to say that was not said before."""


@dataclass(frozen=True, slots=True)
class Check:
    """A check run of ours on a head; `id` is 0 where check runs may not be written and a commit status stands instead."""

    id: int
    repository: str
    head: Sha


async def start_check(request: ReviewRequest, *, repository: str, head: Sha, github: GitHub, step: Step) -> Check:
    """A check run in progress on the head. After a crash it is found again rather than started twice."""

    async def look() -> Check | None:
        if not github.may_write_checks:
            return None
        standing = await github.find_check(repository, head=head, name=CHECK_NAME, external_id=external_id)
        return Check(standing.id, repository, head) if standing and standing.status != "completed" else None

    async def send() -> Check:
        if not github.may_write_checks:
            await github.set_status(
                repository, head, state=StatusState.PENDING, description=release("Reviewing"), context=CHECK_NAME
            )
            return Check(0, repository, head)
        started = await github.start_check(
            repository,
            head=head,
            name=CHECK_NAME,
            external_id=external_id,
            title=release("Reviewing"),
            summary=release("The review is being written; it appears on the pull request when it is done."),
        )
        return Check(started, repository, head)

    # The pull's number survives a re-run from a fork, where GitHub does not tell it.
    external_id = str(request.number)
    return await step.once(f"{CHECK_KEY}{request.key}", look=look, send=send, result=Check)


async def tell(text: CheckText, *, request: ReviewRequest, github: GitHub) -> None:
    """A check run with this text on the head of a review that never began one. When it stands there already, nothing."""
    if request.head is None:
        return
    if github.may_write_checks:
        standing = await github.find_check(
            request.repository, head=request.head, name=CHECK_NAME, external_id=str(request.number)
        )
        if standing is not None and standing.conclusion == text.conclusion:
            return
        # Never one in progress: that is a review's, which would write over what is told here.
        await github.tell_check(
            request.repository,
            head=request.head,
            name=CHECK_NAME,
            external_id=str(request.number),
            conclusion=text.conclusion,
            title=text.title,
            summary=text.summary,
        )
        return
    await finish_check(text, check=Check(0, request.repository, request.head), github=github)


async def end_unheard(text: CheckText, *, request: ReviewRequest, held: Collection[int], github: GitHub) -> bool:
    """A review's check run whose start was never answered, completed with this text; False where none stands in progress.

    The runs that are `held` by reviews under way stay as they are.
    """
    if request.head is None:
        return False
    if not github.may_write_checks:
        await finish_check(text, check=Check(0, request.repository, request.head), github=github)
        return True
    standing = await github.find_checks(
        request.repository, head=request.head, name=CHECK_NAME, external_id=str(request.number)
    )
    strays = [run.id for run in standing if run.status != "completed" and run.id not in held]
    for stray in strays:
        await finish_check(text, check=Check(stray, request.repository, request.head), github=github)
    return bool(strays)


async def update_check(text: CheckText, *, check: Check, github: GitHub) -> None:
    """The check run's text while it is in progress; nothing where check runs may not be written. Safe to repeat."""
    if check.id:
        await github.update_check(check.repository, check.id, title=text.title, summary=text.summary)


async def finish_check(text: CheckText, *, check: Check, github: GitHub) -> None:
    """The check run completed with this text; a commit status where check runs may not be written. Safe to repeat."""
    if check.id:
        await github.finish_check(
            check.repository,
            check.id,
            conclusion=text.conclusion,
            title=text.title,
            summary=text.summary,
            annotations=text.annotations,
        )
        return
    state = StatusState.FAILURE if text.conclusion is Conclusion.FAILURE else StatusState.SUCCESS
    await github.set_status(check.repository, check.head, state=state, description=text.title, context=CHECK_NAME)


async def post(review: Review, keeper: Keeper, *, version: str, step: Step) -> Posted:
    """The review on the pull request, once: found by its marker if it stands there already, not sent to a stale head."""
    request, repository, github = keeper.request, keeper.repository, keeper.github
    mark = fingerprint.marker(
        key=keeper.key,
        repository_id=request.repository_id,
        number=request.number,
        head=review.head,
        trigger=request.trigger,
    )

    async def look() -> Posted | None:
        for one in await github.own_reviews(repository, request.number):
            if fingerprint.carries(one.body.text, mark):
                return Posted("already", one.id, review.head)
        return None

    async def overtaken() -> Posted | None:
        now = await github.pull(repository, request.number)
        if not now.is_open:
            return Posted("closed", head=now.head_sha)
        return Posted("superseded", head=now.head_sha) if now.head_sha != review.head else None

    async def attempt(said: Review) -> Posted:
        posted = await github.post_review(
            repository,
            request.number,
            commit=said.head,
            body=comment.body(said, marker=mark, version=version),
            comments=comment.inline(said, mark=lambda one: keeper.mark(fingerprint.fingerprint(one))),
            in_turn=True,
        )
        return Posted("posted", posted.id, said.head)

    async def send() -> Posted:
        if stale := await overtaken():
            return stale
        try:
            return await attempt(review)
        except Permanent as error:
            if error.code is not Code.GITHUB_REFUSED or not review.said:
                raise
            log.warning("comments_refused", what=error.what, comments=len(review.said))
        # GitHub takes all comments of a review or none, and does not say which one it refused, so everything is said in the
        # body instead. That is another write, with a wait of its own: what was true before may not be any more.
        await github.turn_to_post()
        return await look() or await overtaken() or await attempt(replace(review, said=(), folded=review.findings))

    return await step.once(mark, turn=github.turn_to_post, look=look, send=send, result=Posted)
