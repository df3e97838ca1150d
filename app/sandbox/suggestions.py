"""A comment's ```suggestion block → the lines it replaces, whether it may be committed, and the commit."""

from __future__ import annotations

import re
from collections.abc import Iterator

from app.sandbox.hub import Hub
from app.sandbox.hunks import Side
from app.sandbox.records import Account, Anchor, ReviewComment
from app.sandbox.repository import Executable

FENCE = re.compile(
    r"^(?P<fence>`{3,}|~{3,})suggestion[^\n]*\n(?P<text>.*?)^(?P=fence)[`~]*[ \t]*$", re.DOTALL | re.MULTILINE
)


class NotApplicable(ValueError):
    """GitHub would not offer to commit it."""


def text_of(body: str) -> str | None:
    """What the first suggestion in a comment puts in place of the lines, None if there is no suggestion."""
    match = FENCE.search(body.replace("\r\n", "\n"))
    return match["text"] if match else None


def replaced(comment: ReviewComment) -> list[str]:
    """The lines a comment stands on, as its head file has them."""
    anchor = _anchor(comment)
    data = comment.pull.repository.git.blob(comment.pull.head_sha, anchor.path) or b""
    rows = data.decode("utf-8", "replace").split("\n")
    return rows[(anchor.start_line or anchor.line or 1) - 1 : anchor.line]


def refusal(comment: ReviewComment) -> str | None:
    """Why a suggestion may not be committed, None if it may."""
    return next(_refusals(comment), None)


def _refusals(comment: ReviewComment) -> Iterator[str]:
    text, anchor = text_of(comment.body), comment.thread.anchor
    if text is None:
        yield "there is no suggestion"
    if comment.applied_in is not None:
        yield "it has been applied"
    if comment.pending:
        yield "the review is pending"
    if comment.pull.state != "open":
        yield "the pull request is closed"
    if anchor is None:
        yield "the code has changed since"
    elif anchor.line is None:
        yield "it stands on no line"
    elif anchor.side is Side.LEFT:
        yield "the lines are deleted"
    elif text is not None and text and text.removesuffix("\n") == "\n".join(replaced(comment)):
        yield "it changes nothing"


def apply(hub: Hub, comment: ReviewComment, *, by: Account) -> str:
    """The commit that puts a suggestion into the head branch.

    Raises:
        NotApplicable: `refusal` says why, or the head branch is gone.

    """
    reason = refusal(comment)
    pull = comment.pull
    head = pull.head_repository
    if reason is not None or head is None:
        raise NotApplicable(reason or "the head repository was deleted")
    anchor = _anchor(comment)
    entry = head.git.entry(pull.head_sha, anchor.path)
    rows = (head.git.blob(pull.head_sha, anchor.path) or b"").decode("utf-8", "surrogateescape").split("\n")
    suggested = (text_of(comment.body) or "").removesuffix("\n")
    start, end = (anchor.start_line or anchor.line or 1) - 1, anchor.line or 1
    # An empty suggestion deletes the lines.
    rows[start:end] = suggested.split("\n") if text_of(comment.body) else []
    data = "\n".join(rows).encode("utf-8", "surrogateescape")
    before = pull.head_sha
    after = head.git.commit(
        f"refs/heads/{pull.head_ref}",
        parents=[before],
        files={anchor.path: Executable(data) if entry and entry[0] == "100755" else data},
        message=f"Apply suggestion from @{comment.user.login}",
        author=hub.person(by),
    )
    comment.applied_in = after
    hub.move_branch(head, pull.head_ref, after, before=before, by=by)
    return after


def _anchor(comment: ReviewComment) -> Anchor:
    anchor = comment.thread.anchor
    if anchor is None or anchor.line is None:
        raise NotApplicable("the comment stands on no line")
    return anchor
