"""From a manifest to an App at work: created for an account, its credentials fetched once, installed on repositories."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.sandbox import access, keys
from app.sandbox.hub import Hub
from app.sandbox.manifest import Malformed, Manifest, wrong_name
from app.sandbox.records import Account, App, Installation, Kind
from app.sandbox.state import State

CODE_LIFETIME = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Created:
    """A new App with what its owner sees only once."""

    app: App
    private_key_pem: str
    made_at: datetime


def create(state: State, manifest: Manifest, *, name: str, owner: Account) -> str:
    """The code with which the new App's credentials can be fetched, once and within an hour.

    Raises `Malformed` for a name that nobody may take.
    """
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    taken = any(known.slug == slug or known.name.lower() == name.lower() for known in state.apps.values())
    reason = wrong_name(name, taken)
    if reason is not None:
        raise Malformed(reason)
    key = keys.make()
    app = App(
        id=max(state.apps, default=0) + 1,
        slug=slug,
        name=name,
        owner=owner,
        bot=state.account(f"{slug}[bot]", Kind.BOT),
        public_key_pem=keys.public_pem(key),
        permissions=dict(manifest.permissions),
        events=manifest.events,
        created_at=state.now(),
        webhook_url=manifest.hook_url,
        webhook_secret=secrets.token_hex(20) if manifest.hook_url else None,
        client_secret=secrets.token_hex(20),
        setup_url=manifest.setup_url,
        callback_urls=manifest.callback_urls,
        public=manifest.public,
    )
    state.apps[app.id] = app
    code = secrets.token_hex(20)
    state.manifest_codes[code] = Created(app, keys.private_pem(key), state.now())
    return code


def convert(state: State, code: str) -> Created | None:
    """What a code stands for; None for one that is unknown, used, or older than an hour."""
    created = state.manifest_codes.pop(code, None)
    if created is None or created.made_at + CODE_LIFETIME <= state.now():
        return None
    return created


def install(
    hub: Hub,
    app: App,
    account: Account,
    *,
    repositories: set[int] | None = None,
    permissions: Mapping[str, str] | None = None,
    announce: bool = True,
) -> Installation:
    """The App at work on an account: on all its repositories, or on those given."""
    state = hub.state
    installation = Installation(
        id=next(state.installation_ids),
        app=app,
        account=account,
        permissions=dict(permissions or app.permissions),
        created_at=state.now(),
        repositories=repositories,
    )
    state.installations[installation.id] = installation
    if announce:
        seen = access.visible(state, installation)
        hub.emit_to(app, hub.events.installation("created", installation, seen), installation)
    return installation
