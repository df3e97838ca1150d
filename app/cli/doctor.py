"""`principal doctor`: is everything in order, and if not, what is the step that mends it."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from app import telemetry, terminal

if TYPE_CHECKING:
    from app.doctor import Check

WRONG = 1
MARKS = {"ok": "✓", "warning": "!", "wrong": "✗", "skipped": "–"}


def doctor(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of lines.")] = False,
    ask_models: Annotated[bool, typer.Option(help="Make one tiny call to each model; it costs a few tokens.")] = True,
) -> None:
    """Check settings, credentials, disk, database, git, clock, GitHub, the App and its webhook, and the models.

    Exit code 0: nothing is wrong (there may be warnings); 1: something is, and the line below says what to do.
    """
    from app.doctor import State, examine  # noqa: PLC0415 - GitHub, models and database take seconds to load

    telemetry.configure(level="ERROR")
    checks = asyncio.run(examine(os.environ, ask_models=ask_models))
    wrong = any(check.state is State.WRONG for check in checks)
    if as_json:
        typer.echo(json.dumps({"ok": not wrong, "checks": [asdict(check) for check in checks]}, indent=2))
    else:
        _tell(checks)
    if wrong:
        raise typer.Exit(WRONG)


def _tell(checks: tuple[Check, ...]) -> None:
    width = max(len(check.name) for check in checks)
    for check in checks:
        typer.echo(terminal.printable(f"{MARKS[check.state]} {check.name:<{width}}  {check.what}"))
        if check.step:
            typer.echo(terminal.printable(f"  {'':<{width}}  → {check.step}"))
