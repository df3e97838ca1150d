"""Where the App is installed, and how its webhooks arrived: what GitHub tells the App itself, as values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Installation:
    """An account that installed the App. A suspended one gives no tokens."""

    id: int
    suspended: bool


@dataclass(frozen=True, slots=True)
class InstalledRepository:
    """A repository that an installation covers."""

    id: int
    full_name: str
    archived: bool


@dataclass(frozen=True, slots=True)
class HookDelivery:
    """One try of GitHub's to deliver a webhook, `delivered_at` in epoch seconds. A redelivery has the same GUID, another id.

    `status_code` is the answer's, 0 where none came.
    """

    id: int
    guid: str
    event: str
    delivered_at: float
    succeeded: bool
    installation_id: int | None
    status_code: int = 0
