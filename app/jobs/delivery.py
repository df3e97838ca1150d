"""A delivery as it is handed to the engine, and what it says it did with it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from app.events import Event


class Taken(StrEnum):
    """What happened to a delivery."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    RETAKEN = "retaken"
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True)
class Delivery:
    """A signed webhook delivery: GitHub's id for it, the event's name, and what it says. `received_at` is epoch seconds."""

    guid: str
    name: str
    event: Event
    received_at: float


@dataclass(frozen=True, slots=True)
class Receipt:
    """What happened to a delivery, why, and the workflow that decides on it."""

    taken: Taken
    reason: str
    job: str | None = None
