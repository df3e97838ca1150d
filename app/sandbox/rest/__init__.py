"""The REST operations, each a plain function from a `Call` to an `Answer`, registered under GitHub's own name and path.

An operation says which permissions would do (`needs`, any one of them); the door checks them before it runs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from app.sandbox.access import Caller
from app.sandbox.hub import Hub
from app.sandbox.records import Account, Issue, IssueComment, Pull, Repository, Review, ReviewComment
from app.sandbox.refusals import not_found

MAX_PER_PAGE = 100
DEFAULT_PER_PAGE = 30

# These parameters hold slashes; all others are one segment of the path.
MULTI_SEGMENT = {"path", "basehead", "ref", "branch"}


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, a body (JSON, or bytes with their media type), and headers."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    media: str = "application/json; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Call:
    """One request on its way to an operation."""

    hub: Hub
    caller: Caller
    method: str
    path: str
    params: Mapping[str, str]
    query: Mapping[str, str]
    body: Mapping[str, Any]
    accept: str
    found: Repository | None = None

    @property
    def repository(self) -> Repository:
        """The repository of the path, which the door has found."""
        if self.found is None:
            raise not_found()
        return self.found

    @property
    def issue(self) -> Issue:
        """The issue or pull that the path names."""
        found = self.repository.issues.get(self.number("number"))
        if found is None:
            raise not_found()
        return found

    @property
    def pull(self) -> Pull:
        """The pull that the path names."""
        found = self.issue
        if not isinstance(found, Pull):
            raise not_found()
        return found

    @property
    def review(self) -> Review:
        """The review that the path names; a pending one only for its author."""
        wanted = self.number("review_id")
        for review in self.pull.reviews:
            if review.id == wanted and (review.submitted_at or review.user is self.caller.account):
                return review
        raise not_found()

    @property
    def issue_comment(self) -> IssueComment:
        """The conversation comment that the path names."""
        found = self.hub.state.issue_comments.get(self.number("comment_id"))
        if found is None or found.issue.repository is not self.repository:
            raise not_found()
        return found

    @property
    def review_comment(self) -> ReviewComment:
        """The comment on the diff that the path names."""
        found = self.hub.state.review_comments.get(self.number("comment_id"))
        if found is None or found.pull.repository is not self.repository:
            raise not_found()
        return found

    @property
    def user(self) -> Account | None:
        """Whose name is written under what this call makes."""
        return self.caller.account

    def number(self, name: str) -> int:
        """A number in the path; GitHub answers 404 where it is none."""
        try:
            return int(self.params[name])
        except ValueError:
            raise not_found() from None

    def wants(self, media: str) -> bool:
        """Whether the caller asked for `application/vnd.github.MEDIA`, with a version in front or not."""
        return re.search(rf"application/vnd\.github\.(?:v3\.)?{media}\b", self.accept) is not None


Operation = Callable[[Call], Answer]


@dataclass(frozen=True, slots=True)
class Route:
    """One operation: GitHub's name for it, its method, path and permissions."""

    name: str
    method: str
    template: str
    pattern: re.Pattern[str]
    needs: tuple[str, ...]
    auth: str
    run: Operation


ROUTES: list[Route] = []


def operation(
    name: str, method: str, template: str, *, needs: Sequence[str] = (), auth: str = "token"
) -> Callable[[Operation], Operation]:
    """Registers a function under GitHub's name for it.

    `auth` is `token` (the usual rules), `app` (the App's JWT) or `any`.
    """

    def register(run: Operation) -> Operation:
        pattern = re.compile(re.sub(r"\{(\w+)\}", _segment, template) + "/?")
        ROUTES.append(Route(name, method, template, pattern, tuple(needs), auth, run))
        return run

    return register


def _segment(match: re.Match[str]) -> str:
    name = match[1]
    return f"(?P<{name}>.+)" if name in MULTI_SEGMENT else f"(?P<{name}>[^/]+)"


def paged(call: Call, items: Sequence[Any], render: Callable[[Any], Any], *, wrap: str | None = None) -> Answer:
    """One page of a list with GitHub's Link header; `wrap` names the list inside an object with its total."""
    size = _positive(call.query.get("per_page"), DEFAULT_PER_PAGE, most=MAX_PER_PAGE)
    page = _positive(call.query.get("page"), 1)
    last = max(1, -(-len(items) // size))
    shown = [render(item) for item in items[(page - 1) * size : page * size]]
    links = []
    if page > 1:
        links += [("prev", min(page - 1, last)), ("first", 1)]
    if page < last:
        links += [("next", page + 1), ("last", last)]
    headers = {"Link": ", ".join(f'<{_page_url(call, number)}>; rel="{rel}"' for rel, number in links)} if links else {}
    return Answer(200, shown if wrap is None else {"total_count": len(items), wrap: shown}, headers)


def _positive(text: str | None, default: int, *, most: int | None = None) -> int:
    try:
        value = int(text) if text else default
    except ValueError:
        return default
    value = value if value > 0 else default
    return value if most is None else min(value, most)


def _page_url(call: Call, page: int) -> str:
    # Links name a repository by its id, so that they outlive a rename.
    path = call.path
    if call.found is not None:
        path = f"/repositories/{call.found.id}" + "/" + path.split("/", 4)[4] if path.count("/") > 3 else path
    return f"{call.hub.urls.api}{path}?{urlencode({**call.query, 'page': page})}"
