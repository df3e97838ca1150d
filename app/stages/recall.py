"""Recalling: what was said before a review, and what becomes of it after.

before   memory + our threads ──► Before ── unread ──► the part of the change that nobody has read
after    what is fixed or silenced: its thread answered and resolved · what is back: answered and opened again · all kept
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from app.core import choose, fingerprint, increment, notice
from app.core.background import Background
from app.core.change import Change, FileDiff, FileStatus
from app.core.gate import Outgoing
from app.core.increment import Unseen
from app.core.memory import Dismissed, Remembered, Said, Standing, Thread, updated
from app.core.pull import CHECK_NAME, Pull, ReviewThread
from app.core.report import Review
from app.core.weigh import Known
from app.errors import Permanent
from app.events import ReviewRequest
from app.git import Tree
from app.stages import hear, read, threads
from app.stages.memory import Memory, NoMemory
from app.stages.step import Step
from app.telemetry import log

if TYPE_CHECKING:
    from app.github import GitHub


@dataclass(frozen=True, slots=True)
class Before:
    """What is known of a pull request when its review begins; what people have done and said in its threads is part of it."""

    remembered: Remembered
    dismissed: tuple[Dismissed, ...] = ()
    background: Background = field(default_factory=Background)

    @property
    def is_first(self) -> bool:
        """Whether no head of it was reviewed whole before."""
        return self.remembered.head is None


@dataclass(frozen=True, slots=True)
class Since:
    """The files that differ from the head that was reviewed last; None when that is not known any more."""

    files: tuple[FileDiff, ...] | None

    def unread(self, change: Change) -> Unseen:
        """The part of the change that nobody has read: all of it when the earlier head is not known."""
        if self.files is None:
            return Unseen(change, 0)
        return increment.narrow(change, {file.path: file for file in self.files})

    def renames(self) -> dict[str, str]:
        """Where files were then, and where they are now."""
        moved = [file for file in self.files or () if file.status is FileStatus.RENAMED and file.old_path]
        return {str(file.old_path): file.path for file in moved}


@dataclass(frozen=True, slots=True)
class Keeper:
    """Whom a pull request's memory is asked of, and how its threads are known. `repository` is its name now."""

    request: ReviewRequest
    repository: str
    github: GitHub = field(repr=False)
    key: bytes = field(repr=False)
    memory: Memory = field(default_factory=NoMemory)

    @property
    def place(self) -> tuple[int, int]:
        """The repository's id and the pull's number."""
        return self.request.repository_id, self.request.number

    def mark(self, name: str) -> str:
        """The hidden line by which the comment about the finding of this fingerprint is found again."""
        repository_id, number = self.place
        return fingerprint.finding_marker(name, key=self.key, repository_id=repository_id, number=number)

    async def threads(self) -> tuple[ReviewThread, ...]:
        """Every thread of the pull request."""
        return await self.github.talk.threads(self.repository, self.request.number)

    def ours(self, read: Sequence[ReviewThread]) -> tuple[Thread, ...]:
        """Those of the threads that carry our mark."""
        repository_id, number = self.place
        known = (ours(thread, key=self.key, repository_id=repository_id, number=number) for thread in read)
        return tuple(one for one in known if one is not None)


def ours(thread: ReviewThread, *, key: bytes, repository_id: int, number: int) -> Thread | None:
    """The thread as one of ours, which its first comment proves by our mark; None when it is another's."""
    first = thread.remarks[0]
    name = fingerprint.finding_in(first.body.text, key=key, repository_id=repository_id, number=number)
    if name is None or not first.author_is_bot:
        return None
    return Thread(
        id=thread.id,
        fingerprint=name,
        comment=first.id,
        resolved_by=thread.resolved_by if thread.resolved else "",
        resolved_by_us=_same_account(thread.resolved_by, first.author),
        refused=first.refused,
    )


async def before(keeper: Keeper, *, pull: Pull, step: Step) -> Before:
    """What is known of the pull request. Remembered by the step, because the review itself changes it."""

    async def ask() -> Before:
        if choose.STARTS_OVER in keeper.request.arguments.split():
            await keeper.memory.forget(*keeper.place)
        remembered = await keeper.memory.of(*keeper.place)
        threads = await _threads(keeper) if remembered.said or pull.review_comments else ()
        return Before(
            replace(remembered, said=updated(remembered.said, keeper.ours(threads))),
            await keeper.memory.dismissed(keeper.request.repository_id),
            await hear.background_of(
                pull,
                threads=threads,
                known_remarks=(remembered.summary is not None) + keeper.request.trigger.startswith("comment:"),
                by_hand=keeper.request.by_hand,
                own_check=CHECK_NAME,
                github=keeper.github,
            ),
        )

    return await step.run("recall", ask, Before)


async def since(before: Before, *, tree: Tree, change: Change) -> Since:
    """What differs from the head that was reviewed last. Its commit may be gone: then everything is read again."""
    head = before.remembered.head
    if head is None:
        return Since(None)
    try:
        return Since(await read.files(tree, head, change.head))
    except Permanent as error:
        log.warning("reviewed_head_is_gone", head=head, what=error.what)
        return Since(None)


async def known(before: Before, *, since: Since, tree: Tree, change: Change) -> Known:
    """What the findings are held against, with the head's text of every file that something was said about."""
    renames = since.renames()
    paths = {renames.get(one.path, one.path) for one in before.remembered.said}
    blobs = await tree.read_many(change.head, sorted(paths))
    code = {path: data.decode("utf-8", "replace") for path, data in blobs.items()}
    return Known(before.remembered.said, before.dismissed, code, renames, before.background.points)


async def after(found: Review, keeper: Keeper, *, whole: bool, step: Step) -> None:
    """Close what is fixed, open what is back, and keep everything; `whole` when nothing of the head was left unread."""
    recalled = found.recalled
    answers = _Answers(keeper)
    for one in recalled.gone:
        await answers.give(one, notice.fixed(found.head), step=step)
        await answers.close(one, step=step)
    for one in recalled.hushed:
        await answers.give(one, notice.hushed(found.head), step=step)
        await answers.close(one, step=step)
    for one, _ in recalled.back:
        was_silenced = one.standing is Standing.SILENCED
        await answers.give(one, notice.back(found.head, was_silenced=was_silenced), step=step)
        await answers.open_again(one, step=step)

    async def keep() -> None:
        await keeper.memory.said(*keeper.place, as_it_stands(found))
        if whole:
            await keeper.memory.reviewed(*keeper.place, head=found.head, base=found.base)

    await step.run("keep", keep, type(None), preemptible=False)


def as_it_stands(found: Review) -> tuple[Said, ...]:
    """Everything that was said on the pull request, as this review leaves it."""
    recalled = found.recalled
    new = [Said.of(one.finding, head=found.head) for one in found.findings]
    back = [
        replace(old, quote=now.finding.quote, head=found.head, standing=Standing.OPEN) for old, now in recalled.back
    ]
    gone = [replace(one, standing=Standing.FIXED) for one in recalled.gone]
    hushed = [replace(one, standing=Standing.SILENCED) for one in recalled.hushed]
    quiet = [replace(Said.of(one.finding, head=found.head), standing=Standing.SILENCED) for one in recalled.quiet]
    return (*new, *back, *recalled.standing, *gone, *hushed, *quiet, *recalled.settled)


class _Answers:
    """Answers in threads, each once, and what becomes of the threads. They are read once, and anew when an answer was lost."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._read: Mapping[int, ReviewThread] | None = None

    async def give(self, one: Said, text: Outgoing, *, step: Step) -> None:
        """Say it in the finding's thread, unless it stands there. What was only in a summary has no thread."""
        if one.comment is None:
            return
        first, keeper = one.comment, self._keeper
        asked = False

        async def look() -> int | None:
            nonlocal asked
            thread = (await self._threads(afresh=asked)).get(first)
            asked = True
            said = [remark for remark in thread.remarks if remark.author_is_bot] if thread else []
            return next((remark.id for remark in said if remark.body.text == text), None)

        async def send() -> int:
            return await keeper.github.talk.reply(keeper.repository, keeper.request.number, to=first, body=text)

        try:
            await step.once(f"answer {first} {text[:40]}", look=look, send=send, result=int)
        except Permanent as error:
            log.warning("thread_not_answered", comment=first, code=error.code, what=error.what)

    async def close(self, one: Said, *, step: Step) -> None:
        """Close the finding's thread, as far as the App may."""
        await self._switch(one, "resolve", threads.close, step=step)

    async def open_again(self, one: Said, *, step: Step) -> None:
        """Take back that the finding's thread was closed."""
        await self._switch(one, "reopen", threads.open_again, step=step)

    async def _switch(self, one: Said, name: str, switch: Callable[..., Awaitable[bool]], *, step: Step) -> None:
        first = one.comment
        if first is None:
            return

        async def work() -> bool:
            thread = (await self._threads(afresh=False)).get(first)
            return thread is not None and await switch(thread, github=self._keeper.github)

        await step.run(name, work, bool, preemptible=False)

    async def _threads(self, *, afresh: bool) -> Mapping[int, ReviewThread]:
        if self._read is None or afresh:
            self._read = {thread.remarks[0].id: thread for thread in await self._keeper.threads()}
        return self._read


async def _threads(keeper: Keeper) -> tuple[ReviewThread, ...]:
    try:
        return await keeper.threads()
    except Permanent as error:
        log.warning("threads_not_read", code=error.code, what=error.what)
        return ()


def _same_account(one: str, other: str) -> bool:
    """GraphQL calls an App by its name alone, REST adds `[bot]`."""
    return bool(one) and one.removesuffix("[bot]") == other.removesuffix("[bot]")
