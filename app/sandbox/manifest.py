"""A GitHub App's manifest, read as GitHub reads it: a whole `Manifest`, or every reason why there is none.

https://docs.github.com/en/apps/sharing-github-apps/registering-a-github-app-from-a-manifest
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

LONGEST_NAME = 34
LEVELS = ("read", "write", "admin")
PERMISSIONS = frozenset(
    {
        "actions",
        "administration",
        "checks",
        "contents",
        "deployments",
        "issues",
        "members",
        "merge_queues",
        "metadata",
        "pull_requests",
        "statuses",
        "workflows",
    }
)
EVENT_NEEDS = {
    "issue_comment": "issues",
    "issues": "issues",
    "merge_group": "merge_queues",
    "pull_request": "pull_requests",
    "pull_request_review": "pull_requests",
    "pull_request_review_comment": "pull_requests",
    "pull_request_review_thread": "pull_requests",
    "push": "contents",
    "repository": "metadata",
    "status": "statuses",
}
"""The permission without which nobody may subscribe to an event. What comes unasked for cannot be subscribed to."""


class Malformed(Exception):
    """A manifest that makes no App, with the reasons."""

    def __init__(self, *reasons: str) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = reasons


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an App is to be."""

    name: str
    url: str
    redirect_url: str
    hook_url: str | None
    setup_url: str | None
    callback_urls: tuple[str, ...]
    public: bool
    permissions: Mapping[str, str]
    events: tuple[str, ...]


def read(text: str) -> Manifest:
    """The manifest that the form's field holds. Raises `Malformed` with every reason at once."""
    try:
        given = json.loads(text)
    except ValueError:
        raise Malformed("The manifest is not JSON") from None
    if not isinstance(given, dict):
        raise Malformed("The manifest is not a JSON object")
    hook = given.get("hook_attributes") or {}
    permissions, events = given.get("default_permissions") or {}, given.get("default_events") or []
    reasons = [*_wrong_addresses(given, hook), *_wrong_rights(permissions, events)]
    if reasons:
        raise Malformed(*reasons)
    return Manifest(
        name=str(given.get("name") or ""),
        url=given["url"],
        redirect_url=given["redirect_url"],
        hook_url=hook["url"] if hook.get("active", True) and hook else None,
        setup_url=given.get("setup_url"),
        callback_urls=tuple(given.get("callback_urls") or ()),
        public=bool(given.get("public", False)),
        permissions={"metadata": "read", **permissions},
        events=tuple(events),
    )


def wrong_name(name: str, taken: bool) -> str | None:
    """Why an App may not be called so; None if it may."""
    if not name.strip():
        return "Name can't be blank"
    if len(name) > LONGEST_NAME:
        return f"Name is too long (maximum is {LONGEST_NAME} characters)"
    return "Name has already been taken" if taken else None


def _wrong_addresses(given: Mapping[str, Any], hook: Mapping[str, Any]) -> list[str]:
    needed = {"url": given.get("url"), "redirect_url": given.get("redirect_url")}
    optional = {"hook_attributes.url": hook.get("url") if hook else None, "setup_url": given.get("setup_url")}
    wrong = [name for name, value in needed.items() if not _is_address(value)]
    wrong += [name for name, value in optional.items() if value is not None and not _is_address(value)]
    wrong += ["callback_urls"] * any(not _is_address(one) for one in given.get("callback_urls") or ())
    missing = ["hook_attributes.url is required"] if hook and not hook.get("url") else []
    return [*(f"{name} must be a valid URL" for name in wrong), *missing]


def _wrong_rights(permissions: Mapping[str, Any], events: list[str]) -> list[str]:
    unknown = [name for name, level in permissions.items() if name not in PERMISSIONS or level not in LEVELS]
    strange = [name for name in events if name not in EVENT_NEEDS]
    held = {"metadata", *permissions}
    alone = [name for name in events if name in EVENT_NEEDS and EVENT_NEEDS[name] not in held]
    return [
        *(f"Default permission records resource is not included in the list: {name}" for name in unknown),
        *(f"Default events unsupported: {name}" for name in strange),
        *(f"Default events are not supported by permissions: {name}" for name in alone),
    ]


def _is_address(value: object) -> bool:
    parts = urlsplit(value) if isinstance(value, str) else None
    return parts is not None and parts.scheme in ("http", "https") and bool(parts.hostname)
