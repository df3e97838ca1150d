"""`/review` reviews the pull request now, also a draft or a paused one, and says nothing twice; `/review full` starts over.
`quick` or `deep` says how thoroughly, `persona NAME` who reviews, a path what: `/review deep src/`.
"""

from __future__ import annotations

from app.events import CommandEvent, ReviewRequest


def review(event: CommandEvent) -> ReviewRequest:
    """A review of whatever the head is now, asked for by this comment: a second comment is a second review."""
    return ReviewRequest(
        repository=event.place.repository,
        repository_id=event.place.repository_id,
        number=event.place.number,
        installation=event.place.installation,
        head=None,
        trigger=f"comment:{event.comment}",
        asked_by=event.author,
        arguments=event.arguments,
        comment=event.comment,
        in_thread=event.thread is not None,
    )
