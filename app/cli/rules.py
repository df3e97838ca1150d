"""`principal rules`: what the detectors look for and why; whether their examples hold; what they see in a whole tree."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from app import __version__, library
from app.analysis import Scanner, folder
from app.analysis.examples import Shown, check
from app.core import evidence, plain, rule_file, sarif
from app.core.finding import Elsewhere, Severity
from app.core.rule import Evidence, Rule, Strength
from app.core.rule_file import BrokenRule
from app.core.source import ScanNote
from app.errors import UserError
from app.library import Library, Warning  # noqa: A004 - a warning is what it is called in every message about it
from app.settings import Settings
from app.terminal import Progress, printable

CLEAN, FOUND, INCOMPLETE = 0, 1, 2
MOST_SHOWN_LINES = 12

cli = typer.Typer(no_args_is_help=True, help="The rules by priority, what each of them means, and what they see.")


class Format(StrEnum):
    """How a scan is written."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"


@cli.command("list")
def list_() -> None:
    """Name every rule in the order of the priority model, with the strength of its detectors."""
    found = _shelf()
    for rule in found.rules:
        strengths = ", ".join(sorted({str(detector.strength) for detector in rule.detectors})) or "guidance"
        typer.echo(
            f"{rule.category.priority} {rule.category.slug:14} {rule.id:20} {strengths:12} {printable(rule.summary)}"
        )
    _warn(found.warnings)


@cli.command()
def explain(rule: str) -> None:
    """Explain one rule: why it matters, what is looked for, what is left alone, what to do instead, and examples."""
    found = _shelf().rule(rule)
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
    for detector in found.detectors:
        speaks = "posted on its own" if detector.strength is Strength.STRONG else "evidence for the model"
        typer.echo(printable(f"\nDetector {detector.name} ({', '.join(detector.languages)}; {speaks})"))
        for match, title in ((True, "sees"), (False, "leaves alone")):
            first = next((one for one in detector.examples if one.match is match), None)
            if first is not None:
                typer.echo(f"  {title}:")
                typer.echo(_indented(first.code if first.before is None else f"{first.before}→\n{first.code}"))


@cli.command("test")
def examples(
    path: Annotated[
        Path | None, typer.Argument(help="A rule file, or a folder of them. Default: built in, and your own.")
    ] = None,
) -> None:
    """Run the examples of the rules. Exit code 1: one does not hold; 2: a file cannot be used."""
    rules, warnings = _tested(path)
    failed = 0
    run = 0
    for rule in rules:
        shown = check(rule)
        wrong = [one for one in shown if one.problem]
        run += len(shown)
        failed += len(wrong)
        typer.echo(f"{'FAIL' if wrong else 'ok':4}  {rule.id:22} {_counted(rule, shown)}")
        for one in wrong:
            _tell(one)
    _warn(warnings)
    typer.echo(f"{len(rules)} rules, {run} examples, {failed} of them do not hold")
    if not rules and not warnings:
        raise UserError(f"No rule file was found at {path}")
    raise typer.Exit(INCOMPLETE if any(one.lost for one in warnings) else FOUND if failed else CLEAN)


@cli.command()
def scan(
    path: Annotated[Path, typer.Argument(help="A folder or a file.")],
    *,
    form: Annotated[Format, typer.Option("--format", help="How to write it.")] = Format.TEXT,
    weak: Annotated[
        bool, typer.Option("--weak", help="Also what is only evidence for a model, with the question it raises.")
    ] = False,
    only: Annotated[list[str] | None, typer.Option("--rule", help="Only this rule; may be given again.")] = None,
    fail_on: Annotated[
        Severity | None, typer.Option("--fail-on", help="Exit with 1 if a finding is at least this severe.")
    ] = None,
) -> None:
    """Try the detectors on a whole tree.

    Exit code 0: nothing at or above --fail-on; 1: something is; 2: not all of it could be scanned.
    """
    if not path.exists():
        raise UserError(f"There is nothing at {path}")
    shelf = _shelf()
    rules = _chosen(shelf, only or [])
    seen = _Seen({rule.id: rule for rule in rules}, weak=weak, live=sys.stdout if form is Format.TEXT else None)
    with Progress(stream=sys.stderr, environ=os.environ) as progress:
        asyncio.run(_scan(path, rules, seen, progress))
    _warn(shelf.warnings)
    _write(seen, form)
    raise typer.Exit(_exit_code(seen, shelf.warnings, fail_on))


@dataclass(slots=True)
class _Seen:
    """What a scan has seen so far. With `live` each finding is written as it comes, and only the worst severity is kept."""

    rules: dict[str, Rule]
    weak: bool
    live: TextIO | None
    found: list[Elsewhere] = field(default_factory=list)
    notes: list[ScanNote] = field(default_factory=list)
    count: int = 0
    files: int = 0
    worst: Severity | None = None

    def take(self, portion: folder.Portion) -> None:
        """Adds a portion of the tree."""
        self.files = portion.done
        self.notes += portion.result.notes
        for one in portion.result.new:
            if self.weak or one.strength is Strength.STRONG:
                self._add(one)

    def _add(self, one: Evidence) -> None:
        finding = evidence.to_finding(one, self.rules[one.rule])
        self.count += 1
        if one.strength is Strength.STRONG and (self.worst is None or finding.severity.rank < self.worst.rank):
            self.worst = finding.severity
        if self.live is None:
            self.found.append(Elsewhere(finding, one.start_line))
            return
        column = sarif.column(one.quote)
        told = finding.title if finding.strong else f"{finding.title} (evidence: {self.rules[one.rule].question})"
        self.live.write(
            printable(
                f"{one.path}:{one.start_line}:{column}  {finding.severity.value}  {finding.source}  {' '.join(told.split())}"
            )
            + "\n"
        )


async def _scan(path: Path, rules: Sequence[Rule], seen: _Seen, progress: Progress) -> None:
    async with Scanner() as scanner:
        async for portion in folder.scan(path, rules, scanner=scanner):
            seen.take(portion)
            progress.stage("Scanning", portion.done, portion.total)


def _write(seen: _Seen, form: Format) -> None:
    problems = [(note.subject, note.reason) for note in dict.fromkeys(seen.notes)]
    match form:
        case Format.TEXT:
            for subject, reason in problems:
                typer.echo(printable(f"{subject}: {reason}"), err=True)
            typer.echo(f"{_number(seen.count, 'finding')} in {_number(seen.files, 'file')}", err=True)
        case Format.JSON:
            _echo_json(
                {
                    "version": 1,
                    "files": seen.files,
                    "findings": [_entry(one) for one in seen.found],
                    "problems": [
                        {"subject": plain.said(subject), "reason": plain.said(why)} for subject, why in problems
                    ],
                }
            )
        case Format.SARIF:
            _echo_json(sarif.render_tree(seen.found, rules=seen.rules, version=__version__, problems=problems))


def _entry(one: Elsewhere) -> dict[str, Any]:
    finding = one.finding
    return {
        "path": plain.well_formed(finding.path),
        "line": one.line,
        "column": sarif.column(finding.quote),
        "rule": finding.rule,
        "detector": finding.source.partition("/")[2],
        "category": finding.category.slug,
        "kind": finding.kind.value,
        "severity": finding.severity.value,
        "strong": finding.strong,
        "title": plain.said(finding.title),
        "explanation": plain.said(finding.explanation),
        "quote": plain.said(finding.quote),
    }


def _exit_code(seen: _Seen, warnings: Iterable[Warning], fail_on: Severity | None) -> int:
    if fail_on is not None and seen.worst is not None and seen.worst.rank <= fail_on.rank:
        return FOUND
    return INCOMPLETE if seen.notes or any(one.lost for one in warnings) else CLEAN


def _chosen(shelf: Library, names: Sequence[str]) -> tuple[Rule, ...]:
    for name in names:
        if shelf.rule(name) is None:
            raise UserError(f"No rule is called {name!r}; `principal rules list` names them")
    return tuple(rule for rule in shelf.rules if not names or rule.id in names)


def _tested(path: Path | None) -> tuple[tuple[Rule, ...], tuple[Warning, ...]]:
    """The rules to test and what was wrong with their files: all of them, or those of one file or folder."""
    if path is None:
        shelf = _shelf()
        return shelf.rules, shelf.warnings
    if not path.exists():
        raise UserError(f"There is nothing at {path}")
    if path.is_dir():
        return library.load_rules(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
        return (rule_file.parse(text, path=path.resolve().as_posix()),), ()
    except BrokenRule as error:
        return (), (Warning(str(path), error.line, f"not a rule: {error}"),)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"Cannot read {path}: {error}") from error


def _tell(one: Shown) -> None:
    typer.echo(printable(f"      {one.detector} ({one.example.language}): {one.problem}"))
    if one.example.code:
        typer.echo(_indented(one.example.code))


def _indented(code: str) -> str:
    lines = printable(code).rstrip("\n").split("\n")
    more = [f"… {len(lines) - MOST_SHOWN_LINES} more lines"] if len(lines) > MOST_SHOWN_LINES else []
    return "\n".join(f"        {line}" for line in (*lines[:MOST_SHOWN_LINES], *more))


def _counted(rule: Rule, shown: Sequence[Shown]) -> str:
    return f"{len(rule.detectors)} detectors, {len(shown)} examples"


def _echo_json(value: object) -> None:
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def _shelf() -> Library:
    settings = Settings.load(os.environ)
    return library.load(skills=settings.skills, rules=settings.rules)


def _warn(warnings: Iterable[Warning]) -> None:
    for warning in warnings:
        typer.echo(printable(f"warning: {warning}"), err=True)


def _number(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
