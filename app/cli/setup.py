"""`principal setup`: the GitHub App, created in a browser beside this terminal, or brought from where it exists."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer

from app import identity, telemetry
from app.errors import Code, UserError
from app.settings import Settings

HOST = "127.0.0.1"


def setup(
    *,
    name: Annotated[str, typer.Option("--name", help="What the App is to be called.")] = "",
    organisation: Annotated[str, typer.Option("--organisation", help="Whose it is; your own account without.")] = "",
    public_url: Annotated[str, typer.Option("--public-url", help="Where GitHub will reach the server.")] = "",
    webhook_url: Annotated[str, typer.Option("--webhook-url", help="Where webhooks go instead: a channel.")] = "",
    port: Annotated[int, typer.Option("--port", help="The port of the page on this machine; 0 takes a free one.")] = 0,
    app_id: Annotated[int | None, typer.Option("--app-id", help="Bring this App instead of creating one.")] = None,
    private_key: Annotated[Path | None, typer.Option("--private-key", help="Its private key, a PEM file.")] = None,
) -> None:
    """Create the GitHub App, or bring one that exists, and keep its credentials in the data folder."""
    settings = Settings.load(os.environ)
    if settings.app_configured:
        raise UserError("An App is configured already; `principal doctor` checks it", Code.SETTINGS_INVALID)
    if (app_id is None) != (private_key is None):
        raise UserError("--app-id and --private-key belong together")
    if app_id is not None and private_key is not None:
        _bring(settings, app_id=app_id, private_key=private_key)
        return
    given = {"name": name, "organisation": organisation, "public_url": public_url, "webhook_url": webhook_url}
    _create(settings, port=port, answers={key: value for key, value in given.items() if value})


def _create(settings: Settings, *, port: int, answers: dict[str, str]) -> None:
    from app import serving, web  # noqa: PLC0415 - the server takes seconds to load

    telemetry.configure(level="ERROR")
    known = {"public_url": settings.public_url} if settings.public_url else {}
    # The page is for whoever sits here; where GitHub reaches the server later is one of its answers.
    here = settings.model_copy(update={"host": HOST, "port": port, "public_url": None})

    async def wait() -> bool:
        with web.listen(here) as door:
            made = await serving.set_up(here, door, asyncio.Event(), tell=_tell, answers={**known, **answers})
            return made is not None

    if asyncio.run(wait()):
        typer.echo("The App is there. `principal serve` starts the server, `principal doctor` checks it.")


def _bring(settings: Settings, *, app_id: int, private_key: Path) -> None:
    from app.core.registration import Credentials  # noqa: PLC0415 - as below
    from app.web.setup import prove  # noqa: PLC0415 - half a second that only this way is worth

    try:
        key = private_key.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise UserError(f"{private_key} cannot be read as a PEM file") from error
    secret = typer.prompt("Webhook secret of the App", hide_input=True)
    places = {"GITHUB_API_URL": settings.github_api_url, "GITHUB_SERVER_URL": settings.github_server_url}
    variables = {**Credentials(app_id, key, secret).variables(), **places}
    facts = asyncio.run(prove(variables))
    file = identity.store(settings.data_dir, variables)
    typer.echo(f"GitHub knows it as {facts.slug}. Its credentials are in {file}.")
    for lacking in facts.lacking:
        typer.echo(f"It lacks: {lacking}. Add it at {facts.page_url}")
    typer.echo(f"Install it at {facts.install_url}")


def _tell(address: str) -> None:
    typer.echo(f"Open this address in a browser on this machine; it works once:\n\n  {address}\n")
