"""The command line: `principal`. A file per command; each reads its words, calls the house, and says how it went.

Exit codes: 0 all is well · 1 findings at or above `--fail-on` · 2 something could not be done, and it is said what.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections import UserDict
from typing import Any

import typer
from typer.core import TyperGroup

from app import __version__
from app.errors import PrincipalError

FAILED = 2
INTERRUPTED = 130
PIPE_CLOSED = 141
COMMANDS = (
    *("review", "serve", "worker", "setup", "doctor", "backup", "replay", "channel", "sandbox", "demo"),
    *("eval", "persona", "policy", "rules"),
)
"""Each has a file here of its name, with a function of its name, or with its own commands in `cli`."""


class _Files(UserDict[str, Any]):
    """The commands by their names. A file is imported when its command is asked for: what a service needs takes a second."""

    def __getitem__(self, name: str) -> Any:
        """The command, ready to be called. Raises `KeyError` for an unknown one."""
        if self.data[name] is None:
            self.data[name] = _command(name)
        return self.data[name]


def _command(name: str) -> Any:
    file = importlib.import_module(f"app.cli.{name}")
    if hasattr(file, "cli"):
        return typer.main.get_group(file.cli)
    alone = typer.Typer(add_completion=False)
    alone.command(name)(getattr(file, name))
    return typer.main.get_command(alone)


class _Commands(TyperGroup):
    """The commands of `principal`, each imported when it is asked for."""

    def __init__(self, **rest: Any) -> None:
        super().__init__(**{**rest, "commands": None})
        self.commands = _Files(dict.fromkeys(COMMANDS))


cli = typer.Typer(
    name="principal",
    cls=_Commands,
    help="A self-hosted pull-request reviewer that reads a change like a principal engineer.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"principal {__version__}")
        raise typer.Exit


@cli.callback()
def _options(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Say the version and end."),
) -> None:
    """Read by typer before any command."""


def main() -> None:
    """Run the command line; a failure is one line on the error stream, never a stack trace."""
    try:
        cli()
    except PrincipalError as error:
        typer.echo(f"principal: {error}", err=True)
        if error.code not in ("INPUT_INVALID", "SETTINGS_INVALID"):
            typer.echo(f"  {error.meaning.action}", err=True)
        sys.exit(FAILED)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # Whoever read the output has seen enough (`| head`). Python would complain once more when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(PIPE_CLOSED)
