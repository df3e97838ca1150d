"""`principal replay`: a webhook that came, or was recorded, once more: what would be posted, or really."""

from __future__ import annotations

from typing import Annotated

import typer


def replay(
    payload: Annotated[
        str, typer.Argument(help="A file with the payload; or the id or GUID of a delivery in GitHub's log.")
    ],
    *,
    event: Annotated[
        str, typer.Option("--event", help="The event's name (X-GitHub-Event), where the payload does not tell.")
    ] = "",
    post: Annotated[
        bool, typer.Option("--post", help="Deliver it to the running server, signed, under a new id.")
    ] = False,
    to: Annotated[str, typer.Option("--to", help="The server's webhook; this machine's by default.")] = "",
) -> None:
    """Run a delivery again and print what would be posted, without posting anything.

    The review is made for real: it reads the pull request as it stands now and asks the model, which costs what a review costs
    (`PRINCIPAL_MODEL=none` asks none). What earlier reviews remember is not looked at.
    """
    from app.cli.replaying import run  # noqa: PLC0415 - the whole service, which takes seconds to load

    run(payload, event=event, post=post, to=to)
