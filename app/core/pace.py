"""When an installation may write next: what its page in the book says → how long to wait, and the page after.

GitHub asks for a second between two writes, and slows down who notifies people faster than every three seconds. A short
rest saves up a burst of writes, so that a first review (its check run, the review, the check run's end) never waits.
https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#pause-between-mutative-requests

All times are seconds on the clock of whoever keeps the book.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Protocol

PAUSE_AT_MOST_SECONDS = 3_900.0
"""GitHub's longest limit is an hour's; a page that says more was written under another clock."""
AHEAD_AT_MOST_SECONDS = 300.0
"""No turn is given further ahead, so a page that says so was written under another clock."""


class Kind(Enum):
    """What a request is to the pace."""

    READ = "read"
    """Waits for nothing but a pause."""
    WRITE = "write"
    NOTICE = "notice"
    """A write that notifies people: a review, a comment."""


@dataclass(frozen=True, slots=True)
class Rate:
    """One every `seconds`, and `burst` at once after a rest. Zero seconds are no limit."""

    seconds: float
    burst: int = 1

    def wait_seconds(self, until: float, *, now: float) -> float:
        """How long the next one waits, when turns are given away until `until`."""
        return max(0.0, until - now - (self.burst - 1) * self.seconds)

    def after(self, until: float, *, now: float) -> float:
        """Until when turns are given away after one more."""
        return max(until, now) + self.seconds


@dataclass(frozen=True, slots=True)
class Spacing:
    """How fast one installation may go: between two writes, and what one process may spend on it in a minute and an hour.

    A read is one point and a write five. The bounds lie below GitHub's own: 900 points and 80 writes a minute, 500 an hour.
    https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits
    """

    write: Rate = Rate(seconds=1.0, burst=3)
    notice: Rate = Rate(seconds=3.0)
    points_per_minute: int = 800
    writes_per_minute: int = 60
    writes_per_hour: int = 450


AS_GITHUB_ASKS = Spacing()


@dataclass(frozen=True, slots=True)
class Page:
    """What is known about one installation: until when its turns are given away, and until when GitHub wants quiet."""

    write_until: float = 0.0
    notice_until: float = 0.0
    paused_until: float = 0.0


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn: to be used after `wait_seconds` if it is `mine`, else to be asked for again then."""

    wait_seconds: float
    mine: bool


class Book(Protocol):
    """Where the pages of the installations are kept, for all who act for them."""

    @property
    def spacing(self) -> Spacing:
        """How fast an installation may go."""
        ...

    async def take(self, installation: int, kind: Kind, *, patience_seconds: float) -> Turn:
        """The next turn, taken if its time comes within the patience."""
        ...

    async def pause(self, installation: int, seconds: float) -> None:
        """Give no turn for so long, to nobody."""
        ...


def take(page: Page, kind: Kind, *, spacing: Spacing, now: float, patience_seconds: float) -> tuple[Turn, Page]:
    """The next turn, and the page after it. Turns are taken ahead, so that those who wait are served in order."""
    page = believable(page, now=now)
    if page.paused_until > now:
        return Turn(page.paused_until - now, mine=False), page
    if kind is Kind.READ:
        return Turn(0.0, mine=True), page
    wait = spacing.write.wait_seconds(page.write_until, now=now)
    if kind is Kind.NOTICE:
        wait = max(wait, spacing.notice.wait_seconds(page.notice_until, now=now))
    if wait > patience_seconds:
        return Turn(wait, mine=False), page
    taken = replace(page, write_until=spacing.write.after(page.write_until, now=now))
    if kind is Kind.NOTICE:
        taken = replace(taken, notice_until=spacing.notice.after(page.notice_until, now=now + wait))
    return Turn(wait, mine=True), taken


def paused(page: Page, seconds: float, *, now: float) -> Page:
    """The page of an installation that GitHub told to wait; a pause never ends sooner than one that it knows already."""
    page = believable(page, now=now)
    return replace(page, paused_until=max(page.paused_until, now + min(seconds, PAUSE_AT_MOST_SECONDS)))


def believable(page: Page, *, now: float) -> Page:
    """The page without times that lie too far ahead: a clock that was set back must not stop an installation for days."""
    return Page(
        write_until=_until(page.write_until, now + AHEAD_AT_MOST_SECONDS),
        notice_until=_until(page.notice_until, now + AHEAD_AT_MOST_SECONDS),
        paused_until=_until(page.paused_until, now + PAUSE_AT_MOST_SECONDS),
    )


def _until(moment: float, latest: float) -> float:
    return moment if moment <= latest else 0.0
