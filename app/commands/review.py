"""`/review` reviews the pull request now, also a draft. `/review full|quick|deep`, `/review persona NAME` and `/review PATH`
say how and what.
"""

from __future__ import annotations

from app.commands import Door, Refused, obeyed
from app.events import CommandEvent, ReviewRequest


async def answer(event: CommandEvent, github: Door) -> ReviewRequest | Refused:
    """A review of whatever the head is now, asked for by this comment: a second comment is a second review."""
    refused = await obeyed(event, github)
    if refused:
        return refused
    return ReviewRequest(
        repository=event.place.repository,
        repository_id=event.place.repository_id,
        number=event.place.number,
        installation=event.place.installation,
        head=None,
        trigger=f"comment:{event.comment}",
        asked_by=event.author,
        arguments=event.arguments,
    )
