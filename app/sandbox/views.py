"""A pull and all that stands on it → the values its page shows, in the order things happened."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup

from app.sandbox import hunks, markdown, suggestions
from app.sandbox.hub import Hub
from app.sandbox.hunks import Hunk, Line
from app.sandbox.markdown import Suggested
from app.sandbox.pull_shapes import Size
from app.sandbox.records import (
    Account,
    CheckRun,
    IssueComment,
    Kind,
    Pull,
    Push,
    Review,
    ReviewComment,
    ReviewState,
    Status,
    Thread,
)
from app.sandbox.repository import Commit

CONTEXT_ROWS = 3
MAX_SHOWN_COMMITS = 100
MAX_FILE_ROWS = 1_500
MAX_PAGE_ROWS = 6_000
MAX_SHOWN_FILES = 300

VERDICTS = {
    ReviewState.COMMENTED: ("reviewed", "comment"),
    ReviewState.APPROVED: ("approved these changes", "check"),
    ReviewState.CHANGES_REQUESTED: ("requested changes", "cross"),
    ReviewState.DISMISSED: ("left a review that was dismissed", "comment"),
    ReviewState.PENDING: ("is writing a review", "comment"),
}


@dataclass(frozen=True, slots=True)
class Person:
    """Someone as the page shows them."""

    name: str
    bot: bool
    initial: str
    hue: int


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a hunk."""

    kind: str
    old: int | None
    new: int | None
    mark: str
    code: Markup
    marked: bool


@dataclass(frozen=True, slots=True)
class Said:
    """Something someone wrote."""

    id: int
    by: Person
    at: str
    body: Markup
    badge: str | None = None
    reactions: tuple[tuple[str, int], ...] = ()
    offers_commit: bool = False
    no_commit_because: str | None = None


@dataclass(frozen=True, slots=True)
class ThreadView:
    """A thread under the lines it is about."""

    id: int
    path: str
    lines: str
    rows: tuple[Row, ...]
    comments: tuple[Said, ...]
    outdated: bool
    resolved_by: Person | None


@dataclass(frozen=True, slots=True)
class ReviewView:
    """A review with the threads it opened."""

    verdict: str
    icon: str
    said: Said
    threads: tuple[ThreadView, ...]


@dataclass(frozen=True, slots=True)
class Note:
    """A small line between the larger things."""

    icon: str
    by: Person
    text: str
    at: str
    commits: tuple[Commit, ...] = ()


@dataclass(frozen=True, slots=True)
class AnnotationView:
    """An annotation of a check."""

    level: str
    where: str
    title: str | None
    message: str
    details: str | None


@dataclass(frozen=True, slots=True)
class CheckView:
    """A check run or a commit status."""

    id: int
    app: Person
    name: str
    state: str
    title: str
    took: str | None
    summary: Markup
    text: Markup
    annotations: tuple[AnnotationView, ...]


@dataclass(frozen=True, slots=True)
class FileView:
    """A file of the difference with its threads between its lines."""

    path: str
    previous_path: str | None
    status: str
    additions: int
    deletions: int
    parts: tuple[Row | ThreadView | str, ...]
    note: str | None


@dataclass(frozen=True, slots=True)
class PullView:
    """What every page of a pull shows above its own part."""

    repository: str
    private: bool
    number: int
    title: str
    url: str
    state: str
    author: Person
    base: str
    head: str
    size: Size
    comments: int
    checks: tuple[CheckView, ...]
    reviewers: tuple[tuple[Person, str], ...]
    labels: tuple[str, ...]
    people: tuple[Person, ...]
    open: bool


Entry = Said | ReviewView | Note


def person(account: Account | None) -> Person:
    """An account as the page shows it."""
    if account is None:
        return Person("ghost", bot=False, initial="?", hue=0)
    name = account.login.removesuffix("[bot]")
    return Person(name, account.kind is Kind.BOT, name[:1].upper(), zlib.crc32(name.encode()) % 360)


def pull_view(hub: Hub, pull: Pull) -> PullView:
    """The head of a pull's pages."""
    state = "merged" if pull.merged_at else "closed" if pull.state == "closed" else "draft" if pull.draft else "open"
    fork = pull.head_repository is not pull.repository
    owner = f"{pull.head_owner.login}:" if fork and pull.head_owner else ""
    writers = [pull.author, *(comment.user for comment in pull.comments), *(review.user for review in pull.reviews)]
    verdicts = {
        review.user.login: review for review in pull.reviews if review.submitted_at and review.user is not pull.author
    }
    return PullView(
        repository=pull.repository.full_name,
        private=pull.repository.private,
        number=pull.number,
        title=pull.title,
        url=hub.shapes.pull_page(pull),
        state=state,
        author=person(pull.author),
        base=pull.base_ref,
        head=owner + pull.head_ref,
        size=hub.size(pull),
        comments=len(pull.comments) + len(pull.review_comments),
        checks=tuple(checks(hub, pull)),
        reviewers=tuple((person(review.user), VERDICTS[review.state][1]) for review in verdicts.values()),
        labels=tuple(label.name for label in pull.labels),
        people=tuple({shown.name: shown for shown in map(person, writers)}.values()),
        open=pull.state == "open",
    )


def conversation(hub: Hub, pull: Pull) -> list[Entry]:
    """What happened on a pull, oldest first; the description is the first entry."""
    now = hub.state.now()
    first = Said(
        pull.id, person(pull.author), ago(pull.created_at, now), _body(pull.body or "*No description.*"), "Author"
    )
    git = pull.repository.git
    start = pull.history[0].before if pull.history else pull.head_sha
    commits = git.log(included=start, excluded=hub.merge_base(pull, start), limit=MAX_SHOWN_COMMITS)
    pushed = Note("commit", person(pull.author), _commits_word(len(commits)), ago(pull.created_at, now), tuple(commits))
    timed: list[tuple[datetime, int, Entry]] = [
        (comment.created_at, comment.id, _comment(comment, now)) for comment in pull.comments
    ]
    timed += [
        (review.submitted_at, review.id, view)
        for review in pull.reviews
        if review.submitted_at is not None and (view := _review(review, now)) is not None
    ]
    timed += [(push.at, 0, _push(pull, push, now)) for push in pull.history]
    if pull.closed_at is not None:
        word = "merged this pull request" if pull.merged_at else "closed this"
        timed.append((pull.closed_at, pull.id << 1, Note("merge", person(pull.author), word, ago(pull.closed_at, now))))
    return [first, pushed, *(entry for _, _, entry in sorted(timed, key=lambda item: item[:2]))]


def _body(text: str) -> Markup:
    return markdown.render(text)


def _commits_word(count: int) -> str:
    return "added 1 commit" if count == 1 else f"added {count} commits"


def _comment(comment: IssueComment, now: datetime) -> Said:
    author = comment.user is comment.issue.author
    return Said(
        comment.id,
        person(comment.user),
        ago(comment.created_at, now),
        _body(comment.body),
        "Author" if author else None,
        _reactions(comment.reactions),
    )


EMOJI = {
    "+1": "👍",
    "-1": "👎",
    "laugh": "😄",
    "confused": "😕",
    "heart": "❤️",
    "hooray": "🎉",
    "eyes": "👀",
    "rocket": "🚀",
}


def _reactions(given: Iterable[object]) -> tuple[tuple[str, int], ...]:
    counts: dict[str, int] = {}
    for reaction in given:
        emoji = EMOJI[getattr(reaction, "content", "+1")]
        counts[emoji] = counts.get(emoji, 0) + 1
    return tuple(counts.items())


def _review(review: Review, now: datetime) -> ReviewView | None:
    opened = [made.thread for made in review.comments if made.reply_to is None]
    if not opened and not review.body:
        return None
    verdict, icon = VERDICTS[review.state]
    said = Said(review.id, person(review.user), ago(review.submitted_at or now, now), _body(review.body))
    return ReviewView(verdict, icon, said, tuple(thread_view(thread, now) for thread in opened))


def thread_view(thread: Thread, now: datetime) -> ThreadView:
    """A thread as it is shown: the lines up to the one it stands on, then what was said."""
    anchor = thread.anchor or thread.original
    shown = tuple(_hunk_rows(thread))
    return ThreadView(
        id=thread.id,
        path=anchor.path,
        lines=_lines_word(anchor.start_line, anchor.line),
        rows=shown,
        comments=tuple(_review_comment(made, now) for made in thread.comments if not made.pending),
        outdated=thread.anchor is None,
        resolved_by=person(thread.resolved_by) if thread.resolved_by else None,
    )


def _lines_word(start: int | None, end: int | None) -> str:
    if end is None:
        return "the file"
    return f"line {end}" if start is None else f"lines {start} to {end}"


def _hunk_rows(thread: Thread) -> Iterable[Row]:
    """The commented lines with a few above them, as they were when the thread was opened."""
    found = hunks.read(thread.diff_hunk)
    original = thread.original
    if not found or original.line is None:
        return []
    hunk = found[0]
    last = len(hunk.lines) - 1
    start = last
    if original.start_line is not None:
        start = hunk.find(original.start_side or original.side, original.start_line) or 0
    first = max(0, start - CONTEXT_ROWS)
    return _rows(hunk.lines[first:], original.path, marked=range(start - first, last - first + 1))


KINDS = {"+": "add", "-": "del", " ": "same"}


def _rows(lines: Sequence[Line], path: str, *, marked: range = range(0)) -> Iterable[Row]:
    code = markdown.code_lines("\n".join(line.text for line in lines), markdown.lexer_for(path))
    for index, line in enumerate(lines):
        text = code[index] if index < len(code) else Markup("")
        yield Row(KINDS[line.mark], line.old, line.new, line.mark, text, index in marked)


def _review_comment(made: ReviewComment, now: datetime) -> Said:
    suggested = None
    has = suggestions.text_of(made.body) is not None
    reason = suggestions.refusal(made) if has else None
    if has:
        suggested = _suggested(made)
    return Said(
        made.id,
        person(made.user),
        ago(made.created_at, now),
        markdown.render(made.body, suggested=suggested),
        "Author" if made.user is made.pull.author else None,
        _reactions(made.reactions),
        offers_commit=has and reason is None,
        no_commit_because=reason,
    )


def _suggested(made: ReviewComment) -> Suggested:
    """The lines a suggestion replaces, from the hunk it was made on, so that it reads the same when outdated."""
    original = made.thread.original
    start = original.start_line or original.line or 1
    lines = [
        line.text
        for hunk in hunks.read(made.thread.diff_hunk)
        for line in hunk.lines
        if (number := line.number(original.side)) is not None and start <= number <= (original.line or 1)
    ]
    return Suggested(original.path, start, tuple(lines))


def _push(pull: Pull, push: Push, now: datetime) -> Note:
    git = pull.repository.git
    if push.forced:
        text = f"force-pushed the branch from {push.before[:7]} to {push.after[:7]}"
        return Note("push", person(push.by), text, ago(push.at, now))
    commits = git.log(included=push.after, excluded=push.before, limit=MAX_SHOWN_COMMITS)
    return Note("commit", person(push.by), _commits_word(len(commits)), ago(push.at, now), tuple(commits))


def checks(hub: Hub, pull: Pull) -> Iterable[CheckView]:
    """The latest run of each check on the head commit, then the statuses."""
    runs = {run.name: run for run in pull.repository.check_runs if run.head_sha == pull.head_sha}
    for run in runs.values():
        yield _check(run)
    statuses = {status.context: status for status in pull.repository.statuses if status.sha == pull.head_sha}
    for status in statuses.values():
        yield _status(status)


def _check(run: CheckRun) -> CheckView:
    took = None
    if run.completed_at is not None:
        seconds = int((run.completed_at - run.started_at).total_seconds())
        took = f"{seconds // 60}m {seconds % 60}s" if seconds >= 60 else f"{max(seconds, 0)}s"
    state = run.conclusion or run.status
    return CheckView(
        id=run.id,
        app=person(run.suite.app.bot),
        name=run.name,
        state=state,
        title=run.output.title or state.replace("_", " ").capitalize(),
        took=took,
        summary=_body(run.output.summary or ""),
        text=_body(run.output.text or ""),
        annotations=tuple(
            AnnotationView(
                level=annotation.annotation_level,
                where=f"{annotation.path}:{annotation.start_line}"
                + (f"–{annotation.end_line}" if annotation.end_line != annotation.start_line else ""),
                title=annotation.title,
                message=annotation.message,
                details=annotation.raw_details,
            )
            for annotation in run.annotations
        ),
    )


def _status(status: Status) -> CheckView:
    state = {"pending": "in_progress", "error": "failure"}.get(status.state, status.state)
    return CheckView(
        id=status.id,
        app=person(status.creator),
        name=status.context,
        state=state,
        title=status.description or status.state,
        took=None,
        summary=Markup(""),
        text=Markup(""),
        annotations=(),
    )


def files(hub: Hub, pull: Pull) -> list[FileView]:
    """The files of the difference, each with its threads where they stand."""
    git, base, now = pull.repository.git, hub.merge_base(pull), hub.state.now()
    shown: list[FileView] = []
    changed = git.changes(base, pull.head_sha)[:MAX_SHOWN_FILES]
    patches = git.patches(base, pull.head_sha, changed)
    left = MAX_PAGE_ROWS
    for file in changed:
        standing = [thread for thread in pull.threads if thread.anchor and thread.anchor.path == file.path]
        found = hunks.read(patches[file.path])
        rows = sum(len(hunk.lines) for hunk in found)
        large = rows > min(MAX_FILE_ROWS, left)
        left -= 0 if large else rows
        note = "Binary file" if file.binary else f"Not shown: {rows} lines" if large else None
        parts = [] if note else list(_parts(file.path, found, standing, now))
        if not parts and note is None:
            note = "Renamed without changes" if file.status == "renamed" else "Nothing to show"
        shown.append(
            FileView(
                file.path,
                file.previous_path,
                file.status,
                file.additions or 0,
                file.deletions or 0,
                tuple(parts),
                note,
            )
        )
    return shown


def _parts(
    path: str, found: tuple[Hunk, ...], standing: Sequence[Thread], now: datetime
) -> Iterable[Row | ThreadView | str]:
    yield from (thread_view(thread, now) for thread in standing if thread.anchor and thread.anchor.line is None)
    for hunk in found:
        yield hunk.header
        for line, row in zip(hunk.lines, _rows(hunk.lines, path), strict=True):
            yield row
            for thread in standing:
                anchor = thread.anchor
                if (
                    anchor
                    and anchor.line is not None
                    and line.number(anchor.side) == anchor.line
                    and _owns(line, thread)
                ):
                    yield thread_view(thread, now)


def _owns(line: Line, thread: Thread) -> bool:
    return thread.anchor is not None and line.position == thread.anchor.position


def ago(when: datetime, now: datetime) -> str:
    """How long ago something was, as a person says it."""
    seconds = max(0, int((now - when).total_seconds()))
    for size, word in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            count = seconds // size
            return f"{count} {word}{'s' if count > 1 else ''} ago"
    return "now"
