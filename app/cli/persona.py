"""`principal persona`: who reviews, and whether a skill document of yours would."""

from __future__ import annotations

import os
from pathlib import Path

import typer

from app import library
from app.cli import house
from app.errors import UserError
from app.terminal import printable

cli = typer.Typer(no_args_is_help=True, help="The personas that review, and a check for your own.")


@cli.command("list")
def list_() -> None:
    """Name every persona, built in and your own."""
    found = house.shelf(os.environ)
    for persona in found.personas:
        origin = "built in" if persona.builtin else "yours"
        typer.echo(f"{printable(persona.name):40}  {origin:8}  {printable(persona.title)}")
    _warn(found)


@cli.command()
def show(name: str) -> None:
    """Show one persona: what it applies to, its rules, its text."""
    found = house.shelf(os.environ)
    persona = found.persona(name)
    if persona is None:
        raise UserError(f"No persona is called {name!r}; `principal persona list` names them")
    facts = {
        "title": persona.title,
        "aliases": ", ".join(persona.aliases),
        "extensions": " ".join(persona.extensions),
        "imports": " ".join(persona.imports),
        "activation": ", ".join(persona.activation),
        "model": persona.model or "",
        "rules": " ".join(persona.rules),
        "references": ", ".join(reference.name for reference in persona.references),
    }
    for key, value in facts.items():
        if value:
            typer.echo(printable(f"{key}: {value}"))
    typer.echo(f"\n{printable(persona.body)}")


@cli.command()
def check(path: Path) -> None:
    """Load a folder with a SKILL.md and say what would be used and what would not. Exit code 1 with warnings."""
    if not path.exists():
        raise UserError(f"There is nothing at {path}")
    found = library.load(skills=[path])
    yours = [persona for persona in found.personas if not persona.builtin]
    for persona in yours:
        counts = f"{len(persona.rules)} rules, {len(persona.references)} references"
        typer.echo(printable(f"{persona.name}: {persona.title}, {counts}"))
    _warn(found)
    if not yours:
        raise UserError(f"No SKILL.md was found at {path}")
    raise typer.Exit(1 if found.warnings else 0)


def _warn(found: library.Library) -> None:
    for warning in found.warnings:
        typer.echo(printable(f"warning: {warning}"), err=True)
