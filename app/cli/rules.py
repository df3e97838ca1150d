"""`principal rules`: what the detectors look for, and why."""

from __future__ import annotations

import os

import typer

from app.cli import house
from app.errors import UserError
from app.terminal import printable

cli = typer.Typer(no_args_is_help=True, help="The rules by priority, and what each of them means.")


@cli.command("list")
def list_() -> None:
    """Name every rule in the order of the priority model, with the strength of its detectors."""
    found = house.shelf(os.environ)
    for rule in sorted(found.rules, key=lambda one: (one.category.priority, one.id)):
        strengths = ", ".join(sorted({str(detector.strength) for detector in rule.detectors})) or "guidance"
        typer.echo(
            f"{rule.category.priority} {rule.category.slug:14} {rule.id:20} {strengths:10} {printable(rule.summary)}"
        )
    for warning in found.warnings:
        typer.echo(printable(f"warning: {warning}"), err=True)


@cli.command()
def explain(rule: str) -> None:
    """Explain one rule: why it matters, what is looked for, what is left alone, what to do instead."""
    found = next((one for one in house.shelf(os.environ).rules if one.id == rule), None)
    if found is None:
        raise UserError(f"No rule is called {rule!r}; `principal rules list` names them")
    typer.echo(printable(f"{found.id}: {found.title} ({found.category.title}, priority {found.category.priority})"))
    typer.echo(printable(f"\n{found.summary}\n\n{found.why}"))
    for title, texts in (
        ("Looked for", found.look_for),
        ("Left alone", found.do_not_flag),
        ("The question that settles it", (found.question,)),
        ("Instead", found.recommend),
        ("Read more", found.references),
    ):
        if any(texts):
            typer.echo(f"\n{title}")
            for text in texts:
                typer.echo(printable(f"  - {text}"))
