"""The words of the door: a request before it is sent, a reply as it came back, and what a repetition would do.

Request(GET, "/repos/{owner}/{name}/pulls/{number}", owner=…, name=…, number=7) ─► /repos/acme/shop/pulls/7
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import Enum
from urllib.parse import parse_qs, quote

from app.core.pace import Kind
from app.errors import Code, Permanent, UserError

GRAPHQL = "/graphql"
MAX_BODY = 65_536
"""Characters of a review's body or a comment."""
_UNSENDABLE = re.compile("[\0\ud800-\udfff]")
CURSOR_AT_MOST_CHARACTERS = 200
REPOSITORY = re.compile(r"([A-Za-z0-9_][A-Za-z0-9_-]{0,99})/([A-Za-z0-9._-]{1,100})")


class Effect(Enum):
    """What it means to send a request a second time."""

    READ = "read"
    """Nothing changes."""
    REPEATABLE = "repeatable"
    """It writes, and writing it twice leaves the same state: a reaction, a status, a check's text."""
    ONCE = "once"
    """It adds something that a person sees: sent once, and looked for before it is sent again."""


@dataclass(frozen=True, slots=True)
class Request:
    """One call of the REST API. `route` is a path with `{parts}`; `doing` completes “GitHub does not let the bot …”."""

    method: str
    route: str
    parts: Mapping[str, str | int]
    doing: str
    effect: Effect = Effect.READ
    query: Mapping[str, str | int] = field(default_factory=dict)
    body: Mapping[str, object] | None = None
    notifies: bool = False

    @property
    def kind(self) -> Kind:
        """What it is to the pace."""
        if self.effect is Effect.READ:
            return Kind.READ
        return Kind.NOTICE if self.notifies else Kind.WRITE

    @property
    def is_graphql(self) -> bool:
        """Whether it goes to GraphQL, which stands at a root of its own."""
        return self.route == GRAPHQL

    @property
    def path(self) -> str:
        """The route with its parts filled in, each quoted so that no part can leave its place."""
        return self.route.format_map({name: quote(str(value), safe="") for name, value in self.parts.items()})


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of GitHub. Header names are in lower case; `body` is parsed JSON, or None if there was none or no JSON."""

    status: int
    headers: Mapping[str, str]
    body: object
    broken: bool = False

    @property
    def server_time(self) -> float | None:
        """The server's clock in seconds since the epoch, if it told."""
        return http_date(self.headers.get("date", ""))


@dataclass(frozen=True, slots=True)
class Call:
    """One exchange with GitHub, for the metrics. `route` has no names or numbers in it; `status` is None without an answer."""

    method: str
    route: str
    status: int | None
    seconds: float


OnCall = Callable[[Call], None]


def split(repository: str) -> dict[str, str | int]:
    """The parts `owner` and `name` of `owner/name`; raises `UserError` for anything else."""
    match = REPOSITORY.fullmatch(repository)
    if match is None or match[2] in (".", ".."):
        raise UserError(f"{repository[:140]!r} is not the name of a repository (owner/name)")
    return {"owner": match[1], "name": match[2]}


def next_cursor(link: str) -> str:
    """The cursor of the next page in a Link header, or nothing. Only the cursor: addresses from answers are not followed.

    https://docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api
    """
    for part in link.split(","):
        address, _, relation = part.partition(";")
        if 'rel="next"' in relation:
            query = parse_qs(address.strip().strip("<>").partition("?")[2])
            return query.get("cursor", [""])[0][:CURSOR_AT_MOST_CHARACTERS]
    return ""


def http_date(text: str) -> float | None:
    """The seconds since the epoch of an HTTP date, or None if it is none."""
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, IndexError):
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def in_repository(
    method: str,
    route: str,
    repository: str,
    doing: str,
    effect: Effect = Effect.READ,
    *,
    query: Mapping[str, str | int] | None = None,
    body: Mapping[str, object] | None = None,
    **parts: str | int,
) -> Request:
    """A request about a repository (`owner/name`); `route` goes on from there."""
    whole = f"/repos/{{owner}}/{{name}}{route}"
    return Request(method, whole, {**split(repository), **parts}, doing, effect, query or {}, body)


def sendable(text: str, *, limit: int, what: str) -> str:
    """The text as GitHub can take it; raises `Permanent` when it is too long, as the caller decides what to leave out.

    NUL and halves of surrogate pairs, which a model's reply or a path may hold, make GitHub refuse the whole request.
    """
    sound = _UNSENDABLE.sub("\N{REPLACEMENT CHARACTER}", text)
    if len(sound) > limit:
        raise too_much(f"characters of {what}", len(sound), limit)
    return sound


def too_much(what: str, count: int, limit: int) -> Permanent:
    """The error for more than GitHub takes."""
    return Permanent(Code.GITHUB_REFUSED, f"GitHub takes at most {limit} {what}, not {count}")
