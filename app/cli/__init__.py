"""The command line: `principal`. A file per command; each reads its words, calls the house, and says how it went.

Exit codes: 0 all is well · 1 findings at or above `--fail-on` · 2 something could not be done, and it is said what.
"""

from __future__ import annotations

import os
import sys

import typer

from app import __version__
from app.cli import backup, channel, demo, doctor, persona, policy, replay, review, rules, sandbox, serve, setup, worker
from app.cli import eval as measure
from app.errors import PrincipalError

FAILED = 2
INTERRUPTED = 130
PIPE_CLOSED = 141

cli = typer.Typer(
    name="principal",
    help="A self-hosted pull-request reviewer that reads a change like a principal engineer.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
cli.command()(review.review)
cli.command()(serve.serve)
cli.command()(worker.worker)
cli.command()(setup.setup)
cli.command()(doctor.doctor)
cli.command()(backup.backup)
cli.command()(replay.replay)
cli.command()(channel.channel)
cli.command()(sandbox.sandbox)
cli.command()(demo.demo)
cli.add_typer(measure.cli, name="eval")
cli.add_typer(persona.cli, name="persona")
cli.add_typer(policy.cli, name="policy")
cli.add_typer(rules.cli, name="rules")


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
