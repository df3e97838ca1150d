"""What `principal replay` does: a delivery is found, then rehearsed by a whole service of its own, or delivered once more.

The rehearsal is the shipped service on a database and a folder of its own; only its way to GitHub holds writes back.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from app import main, telemetry, terminal
from app.cli import delivering
from app.core.pace import Rate, Spacing
from app.core.registration import WEBHOOK_PATH
from app.errors import Code, UserError
from app.events import Ignored, parse
from app.github import App
from app.github.rehearsal import Held, Rehearsal
from app.jobs import Delivery, DeliveryState, Engine, JobRecord, Taken, Timing
from app.settings import App as Identity
from app.settings import Settings

PAYLOAD_AT_MOST_BYTES = 25 * 1024 * 1024
END_SECONDS = 900.0
LOOK_EVERY_SECONDS = 0.1
ALONE = Timing(sweep_seconds=0, retry_first_seconds=2, spacing=Spacing(write=Rate(0), notice=Rate(0)))
"""Nothing is swept, and nothing that is held back needs a pace."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A delivery as it came: the event's name, and the payload's bytes."""

    event: str
    body: bytes


def run(payload: str, *, event: str, post: bool, to: str) -> None:
    """Replay it and print what came of it. Raises `UserError` for what is no delivery."""
    telemetry.configure(level="ERROR")
    settings = Settings.load(os.environ)
    identity = settings.app()
    if identity is None:
        raise UserError("No App is configured: a replay reads the pull request as the App", Code.SETTINGS_INVALID)
    recorded = _of_file(Path(payload), event) if Path(payload).is_file() else asyncio.run(_of_log(payload, settings))
    if post:
        _post(recorded, settings, identity, to=to)
        return
    asyncio.run(_rehearse(recorded, settings))


# Where it comes from.


def _of_file(path: Path, event: str) -> Recorded:
    """A recorded payload: bare, or as GitHub's API gives a delivery."""
    try:
        with path.open("rb") as file:
            given = json.loads(file.read(PAYLOAD_AT_MOST_BYTES))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is not a payload in JSON") from error
    if not isinstance(given, dict):
        raise UserError(f"{path} is not a payload in JSON")
    request = given.get("request")
    if isinstance(request, dict) and isinstance(request.get("payload"), dict):
        return _recorded(event or str(given.get("event") or ""), request["payload"])
    return _recorded(event, given)


async def _of_log(wanted: str, settings: Settings) -> Recorded:
    """A delivery of GitHub's own log, by its number or by the GUID that our log has."""
    identity = settings.app()
    if identity is None:
        raise UserError("No App is configured", Code.SETTINGS_INVALID)
    key = identity.private_key.get_secret_value()
    async with App(app_id=identity.id, private_key_pem=key, api_url=settings.github_api_url) as app:
        found = await app.hook_delivery(wanted)
    if found is None:
        raise UserError(f"{wanted} is neither a file nor a delivery of the last days in GitHub's log")
    event, payload = found
    return _recorded(event, payload)


def _recorded(event: str, payload: Mapping[str, Any]) -> Recorded:
    name = event or _event_of(payload)
    if not name:
        raise UserError("The payload does not tell which event it is: name it with --event")
    return Recorded(name, json.dumps(payload, ensure_ascii=False).encode())


def _event_of(payload: Mapping[str, Any]) -> str:
    """The event's name by what is in the payload; the first that fits, as some hold others."""
    for part, name in (("check_run", "check_run"), ("merge_group", "merge_group")):
        if part in payload:
            return name
    if "comment" in payload:
        return "issue_comment" if "issue" in payload else "pull_request_review_comment"
    return "pull_request" if "pull_request" in payload and "review" not in payload else ""


# What is done with it.


def _post(recorded: Recorded, settings: Settings, identity: Identity, *, to: str) -> None:
    url = to or f"http://127.0.0.1:{settings.port}{WEBHOOK_PATH}"
    guid, secret = str(uuid.uuid4()), identity.webhook_secrets[0].get_secret_value()
    headers = delivering.headers(event=recorded.event, guid=guid, body=recorded.body, secret=secret)
    status, text = delivering.deliver(url, recorded.body, headers)
    typer.echo(terminal.printable(f"Delivered as {guid}; the server answered {status}: {text}"))
    if status >= 300:
        raise UserError("The server did not take it")


async def _rehearse(recorded: Recorded, settings: Settings) -> None:
    event = parse(recorded.event, recorded.body)
    if isinstance(event, Ignored):
        typer.echo(f"Nothing would be done: {event.reason}.")
        return
    delivery = Delivery(str(uuid.uuid4()), recorded.event, event, time.time())
    held: list[Held] = []
    transport = Rehearsal(api_url=settings.github_api_url, held=held.append)
    with tempfile.TemporaryDirectory(prefix="principal-replay-") as folder:
        alone = settings.model_copy(
            update={
                "data_dir": Path(folder),
                "database": None,
                "quiet_seconds": 0.0,
                "otel_sdk_disabled": True,
            }
        )
        async with main.service(alone, timing=ALONE, transport=transport) as running:
            receipt = await running.engine.accept(delivery)
            if receipt.taken is Taken.IGNORED:
                typer.echo(f"Nothing would be done: {receipt.reason}.")
                return
            reason, job = await _end(running.engine, delivery.guid)
    for one in held:
        _tell(one)
    typer.echo(_outcome(reason, job, writes=len(held)))


async def _end(engine: Engine, guid: str) -> tuple[str, JobRecord | None]:
    """Why the delivery led to what it did, and the job, if there was one, once it is over."""
    deadline = time.monotonic() + END_SECONDS
    while time.monotonic() < deadline:
        known = await engine.delivery(guid)
        if known is not None and known.state is not DeliveryState.TAKEN:
            job = await engine.job(known.job_key) if known.job_key else None
            if job is None or job.is_over:
                return known.reason, job
        await asyncio.sleep(LOOK_EVERY_SECONDS)
    raise UserError(f"It came to no end within {END_SECONDS / 60:.0f} minutes")


def _outcome(reason: str, job: JobRecord | None, *, writes: int) -> str:
    if job is None:
        return f"No review: {reason or 'the event asks for none'}. {writes} writes were held back."
    told = f" ({job.code}: {job.detail})" if job.code else ""
    return f"The review would end as {job.state}{told}. {writes} writes were held back; nothing was posted."


def _tell(held: Held) -> None:
    typer.echo(terminal.printable(f"── would {held.doing}: {held.method} {held.path}"))
    for name, text in _texts(held.body):
        typer.echo(terminal.printable(f"{name}:\n{text}\n" if "\n" in text else f"{name}: {text}"))


def _texts(body: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Every text of a request, by its place in it."""
    found: list[tuple[str, str]] = []
    for name, value in body.items():
        place = f"{prefix}{name}"
        match value:
            case Mapping():
                found += _texts(value, f"{place}.")
            case list() | tuple():
                for number, item in enumerate(value, start=1):
                    inner = item if isinstance(item, Mapping) else {"": item}
                    found += _texts(inner, f"{place}[{number}].")
            case None:
                pass
            case _:
                found.append((place, str(value)))
    return found
