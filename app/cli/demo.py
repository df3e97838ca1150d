"""`principal demo`: the whole bot on a local stand-in for GitHub, with a pull request that has real defects."""

from __future__ import annotations

from typing import Annotated

import typer


def demo(*, port: Annotated[int, typer.Option("--port", help="The port of the page; 0 takes a free one.")] = 0) -> None:
    """Open a pull request on a local GitHub, let the bot review it, and show what it said.

    With OPENAI_API_KEY or ANTHROPIC_API_KEY it reviews with the model, otherwise by rules. On a terminal it stays until
    Ctrl-C, so that the page can be looked at.
    """
    from app.cli.demonstration import show  # noqa: PLC0415 - a server, a job engine and a GitHub take seconds to load

    show(port=port)
