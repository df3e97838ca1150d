"""Is everything in order? The environment goes in; a `Check` for each thing a review depends on comes out, with what mends it.

Nothing is changed anywhere, and it may be asked while a server runs. Later checks are skipped where an earlier one shows that
they could not tell anything.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel

from app import identity
from app.core import prompt
from app.core.installed import HookDelivery
from app.core.registration import MEMBERS, WEBHOOK_PATH, AppFacts, is_loopback
from app.errors import PrincipalError, UserError
from app.git.run import Git
from app.github import App
from app.github.reach import reach
from app.jobs.probe import probe
from app.llm import Model
from app.llm.models import RULES_ONLY, Models
from app.settings import Settings

GIT_OLDEST = (2, 31)
"""The first that takes its whole configuration from the environment."""
DISK_WRONG_BYTES = 200 * 1024**2
DISK_LOW_BYTES = 2 * 1024**3
CLOCK_OFF_SECONDS = 20.0
CLOCK_WRONG_SECONDS = 300.0
LOOK_BACK_SECONDS = 3 * 86_400.0
"""For so long github.com keeps deliveries that can be sent again."""
DELIVERY_PAGES = 1


class State(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: what was seen, and the exact step where something is to be done."""

    name: str
    state: State
    what: str
    step: str = ""


class Said(BaseModel):
    """What a model is asked to say."""

    ok: bool


async def examine(
    environ: Mapping[str, str], *, ask_models: bool = True, clock: Callable[[], float] = time.time
) -> tuple[Check, ...]:
    """Every check, in the order in which a person would mend things."""
    try:
        settings = Settings.load(environ)
    except UserError as error:
        return (_wrong("settings", error),)
    checks = [Check("settings", State.OK, f"every variable can be read; data in {settings.data_dir}")]
    checks.append(_credentials(settings, environ))
    checks.append(_disk(settings.data_dir))
    checks.append(await _told("database", _database(settings)))
    checks.append(await _told("git", _git()))
    checks += await _github(settings, has_app=checks[1].state is State.OK, clock=clock)
    if ask_models:
        checks += await _models(settings)
    else:
        checks.append(Check("model", State.SKIPPED, "was not to be asked"))
    return tuple(checks)


# This machine.


def _credentials(settings: Settings, environ: Mapping[str, str]) -> Check:
    try:
        app = settings.app()
    except UserError as error:
        return _wrong("credentials", error)
    if app is None:
        step = "Start `principal serve` and open the address it prints, or run `principal setup`."
        return Check("credentials", State.WRONG, "no GitHub App is configured", step)
    own = any(environ.get(name, "").strip() for name in identity.IDENTITY)
    where = "the environment" if own else f"{settings.data_dir / identity.FILE}"
    rotating = ", two webhook secrets in use" if len(app.webhook_secrets) > 1 else ""
    return Check("credentials", State.OK, f"App {app.id}, an RSA key and a webhook secret, from {where}{rotating}")


def _disk(folder: Path) -> Check:
    standing = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    if not os.access(standing, os.W_OK | os.X_OK):
        step = f"Let this user write there (chown {os.geteuid()}), or set PRINCIPAL_DATA_DIR."
        return Check("disk", State.WRONG, f"{standing} takes no files", step)
    free = shutil.disk_usage(standing).free
    what = f"{free / 1024**3:.1f} GiB free for {folder}"
    if free < DISK_WRONG_BYTES:
        return Check("disk", State.WRONG, what, "Make room: deliveries that cannot be written are refused.")
    if free < DISK_LOW_BYTES:
        return Check("disk", State.WARNING, what, "Make room, or lower PRINCIPAL_RETENTION_DAYS.")
    return Check("disk", State.OK, what)


async def _database(settings: Settings) -> Check:
    return Check("database", State.OK, probe(settings.database_url))


async def _git() -> Check:
    try:
        said = (await Git(cwd=Path("/")).run("version")).out.decode("utf-8", "replace").strip()
    except OSError:
        return Check("git", State.WRONG, "there is no git on the PATH", "Install git 2.31 or newer.")
    found = re.search(r"(\d+)\.(\d+)", said)
    if found is None or (int(found[1]), int(found[2])) < GIT_OLDEST:
        return Check("git", State.WRONG, f"{said} is too old", "Install git 2.31 or newer.")
    return Check("git", State.OK, said)


# GitHub.


async def _github(settings: Settings, *, has_app: bool, clock: Callable[[], float]) -> list[Check]:
    after = ("app", "installations", "webhook", "deliveries")
    try:
        reached = await reach(settings.github_api_url)
    except PrincipalError as error:
        address = settings.github_api_url
        step = f"Let this machine reach {address} (DNS, firewall, proxy, certificates), or correct GITHUB_API_URL."
        return [Check("github", State.WRONG, error.what, step), *_skipped(("clock", *after), "GitHub is not reached")]
    what = f"{settings.github_api_url} answered {reached.status} in {reached.seconds * 1000:.0f} ms"
    checks = [Check("github", State.OK, what), _clock(reached.server_time, clock())]
    identified = settings.app() if has_app else None
    if identified is None:
        return [*checks, *_skipped(after, "there is no App to ask about")]
    key = identified.private_key.get_secret_value()
    async with App(app_id=identified.id, private_key_pem=key, api_url=settings.github_api_url) as app:
        return [*checks, *await _app(app, settings, now=reached.server_time or clock())]


def _clock(server_time: float | None, now: float) -> Check:
    if server_time is None:
        return Check("clock", State.SKIPPED, "GitHub did not tell its time")
    off = now - server_time
    step = "Set the clock (NTP): claims, budgets and retention go by it."
    what = f"{abs(off):.0f} s {'ahead of' if off > 0 else 'behind'} GitHub's"
    if abs(off) > CLOCK_WRONG_SECONDS:
        return Check("clock", State.WRONG, what, step)
    return Check("clock", State.WARNING, what, step) if abs(off) > CLOCK_OFF_SECONDS else Check("clock", State.OK, what)


async def _app(app: App, settings: Settings, *, now: float) -> list[Check]:
    try:
        facts = await app.facts()
    except PrincipalError as error:
        step = (
            "GITHUB_APP_ID and the private key must belong together: make a new key on the App's page where in doubt."
        )
        refused = Check("app", State.WRONG, error.what, step)
        return [refused, *_skipped(("installations", "webhook", "deliveries"), "the App is not known")]
    return [
        _rights(facts, lets_members_in=settings.dashboard_org is not None),
        await _told("installations", _installations(app, facts)),
        await _told("webhook", _webhook(app, facts, settings)),
        await _told("deliveries", _deliveries(app, facts, since=now - LOOK_BACK_SECONDS)),
    ]


def _rights(facts: AppFacts, *, lets_members_in: bool) -> Check:
    if facts.lacking:
        step = f"Add them on {facts.page_url} (App settings, Permissions & events), then accept them in every installation."
        return Check("app", State.WRONG, f"{facts.slug} lacks {', '.join(facts.lacking)}", step)
    if lets_members_in and not facts.may(MEMBERS, "read"):
        what = f"{facts.slug} may not ask who is a member of PRINCIPAL_DASHBOARD_ORG: nobody can log in by GitHub"
        step = (
            f"Add the organisation permission “Members: read” on {facts.page_url}, then accept it in the organisation."
        )
        return Check("app", State.WRONG, what, step)
    if facts.beyond:
        # What is offered as an option is no fault.
        return Check("app", State.OK, f"{facts.slug} has what it needs, and also {', '.join(facts.beyond)}")
    return Check("app", State.OK, f"{facts.slug} has exactly the permissions and events it needs")


async def _installations(app: App, facts: AppFacts) -> Check:
    found = await app.installations()
    if not found:
        return Check("installations", State.WRONG, "it is installed nowhere", f"Install it: {facts.install_url}")
    suspended = sum(one.suspended for one in found)
    what = f"{len(found)} account{'s' if len(found) > 1 else ''}"
    if suspended:
        return Check(
            "installations", State.WARNING, f"{what}, {suspended} suspended", "Its owner can lift the suspension."
        )
    return Check("installations", State.OK, what)


async def _webhook(app: App, facts: AppFacts, settings: Settings) -> Check:
    url = await app.hook_url()
    wanted = f"{settings.public_url}{WEBHOOK_PATH}" if settings.public_url else ""
    step = f"Set the webhook URL on {facts.page_url} (App settings, General), and make it active."
    if not url:
        return Check("webhook", State.WRONG, "the App sends no webhooks", step)
    if is_loopback(url) and not is_loopback(settings.github_server_url):
        return Check("webhook", State.WRONG, f"GitHub cannot reach {url}", step)
    if wanted and url != wanted:
        what = f"webhooks go to {url}, and PRINCIPAL_PUBLIC_URL says {wanted}"
        return Check("webhook", State.WARNING, what, f"{step} A channel for development is meant to differ.")
    return Check("webhook", State.OK, f"webhooks go to {url}")


async def _deliveries(app: App, facts: AppFacts, *, since: float) -> Check:
    failed = await app.hook_deliveries(succeeded=False, since=since, pages=DELIVERY_PAGES)
    taken = await app.hook_deliveries(succeeded=True, since=since, pages=DELIVERY_PAGES)
    newest = max((*failed, *taken), key=lambda one: one.delivered_at, default=None)
    if newest is None:
        what = "none in the last three days"
        return Check("deliveries", State.WARNING, what, "Open a pull request where the App is installed.")
    many = f"{len(taken)} taken and {len(failed)} failed in the last three days"
    if newest.succeeded:
        return Check("deliveries", State.OK, f"{many}; the last one was taken ({_when(newest)})")
    what = f"{many}; the last one failed with {newest.status_code or 'no answer'} ({_when(newest)})"
    return Check("deliveries", State.WRONG, what, _mended(newest, facts))


def _mended(delivery: HookDelivery, facts: AppFacts) -> str:
    match delivery.status_code:
        case 0:
            return "GitHub did not reach the server: look at its address, TLS and firewall."
        case 401:
            return (
                f"The webhook secret on {facts.page_url} is another than GITHUB_WEBHOOK_SECRET: set the same on both."
            )
        case 503:
            return "The server was not set up, was stopping, or its database took no writes: look at its log."
        case _:
            return f"What GitHub got back stands on {facts.page_url} (App settings, Advanced)."


def _when(delivery: HookDelivery) -> str:
    return datetime.fromtimestamp(delivery.delivered_at, UTC).strftime("%Y-%m-%d %H:%M UTC")


# Models.


async def _models(settings: Settings) -> list[Check]:
    try:
        models = Models.build(settings)
    except UserError as error:
        return [_wrong("model", error)]
    async with models:
        asked = {model.name: model for model in (models.review, models.verify, models.triage) if model is not None}
        if asked:
            return [await _told(f"model {name}", _answers(model)) for name, model in asked.items()]
    if (settings.model or "").strip().lower() == RULES_ONLY:
        return [Check("model", State.OK, "none, as PRINCIPAL_MODEL says: reviews are made by rules")]
    step = "Set OPENAI_API_KEY or ANTHROPIC_API_KEY; or PRINCIPAL_MODEL=none, if this is meant."
    return [Check("model", State.WARNING, "no provider is configured: reviews are made by rules only", step)]


async def _answers(model: Model) -> Check:
    began = time.monotonic()
    completion = await model.complete(prompt.probe(), Said)
    cost = f", ${completion.usage.cost_usd:.4f}" if completion.usage.cost_usd is not None else ""
    what = f"answered in {time.monotonic() - began:.1f} s with {completion.usage.tokens} tokens{cost}"
    if completion.model != model.name:
        step = "The chain went on to the next. Check the first one's key and name."
        return Check(f"model {model.name}", State.WARNING, f"did not answer; {completion.model} {what}", step)
    return Check(f"model {model.name}", State.OK, what)


async def _told(name: str, work: Awaitable[Check]) -> Check:
    try:
        return await work
    except PrincipalError as error:
        return _wrong(name, error)


def _wrong(name: str, error: PrincipalError) -> Check:
    return Check(name, State.WRONG, error.what, error.meaning.action)


def _skipped(names: tuple[str, ...], why: str) -> list[Check]:
    return [Check(name, State.SKIPPED, why) for name in names]
