"""`principal sandbox`: a local GitHub on a repository of yours, to see the bot at work without the real one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.errors import UserError


def sandbox(
    repo: Annotated[Path, typer.Option("--repo", help="A git repository; it is copied, not changed.")],
    base: Annotated[str, typer.Option("--base", help="The branch or commit the pull request goes into.")],
    head: Annotated[str, typer.Option("--head", help="The branch or commit it comes from.")],
    *,
    port: Annotated[int, typer.Option("--port", help="The port to serve on.")] = 9999,
    webhook: Annotated[str | None, typer.Option("--webhook", help="Where to send webhooks.")] = None,
    secret: Annotated[str | None, typer.Option("--secret", help="The secret that signs them.")] = None,
) -> None:
    """Serve a local GitHub with one pull request from a repository of yours, until Ctrl-C."""
    from app.sandbox import run  # noqa: PLC0415 - only this command needs a GitHub of its own

    try:
        run(repo, base=base, head=head, port=port, webhook_url=webhook, secret=secret)
    except (LookupError, ValueError) as error:
        raise UserError(str(error)) from error
    except OSError as error:
        raise UserError(f"The sandbox cannot serve: {error.strerror or error}") from error
