"""`principal policy`: whether a policy can be used, and what it makes of a pull request."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app import library
from app.cli import house
from app.core import own_skills, policy_files
from app.core.admit import Scope, Skip, admit
from app.core.policy import PATH, ForFile
from app.core.policy_files import Source
from app.errors import Code, UserError
from app.settings import Settings
from app.terminal import printable

if TYPE_CHECKING:
    from app.core.persona import Persona
    from app.core.pull import Pull
    from app.review import Read

LARGEST_FILE_BYTES = 1024 * 1024

cli = typer.Typer(no_args_is_help=True, help="A repository's policy: whether it can be used, and what it does.")


@cli.command()
def check(
    file: Annotated[Path, typer.Argument(help="A policy file of a repository, or of a folder in it.")] = Path(PATH),
) -> None:
    """Say whether a policy file can be used, with the file and line of everything that is wrong. Exit code 1 when it cannot."""
    try:
        with file.open("rb") as opened:
            text = opened.read(LARGEST_FILE_BYTES).decode("utf-8", "replace")
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}") from error
    wrong = policy_files.problems(Source(file.as_posix(), text))
    typer.echo(printable("\n".join(str(one) for one in wrong) or f"{file}: this policy can be used"))
    raise typer.Exit(1 if wrong else 0)


@cli.command()
def explain(pull: Annotated[str, typer.Argument(help="The address of a pull request.")]) -> None:
    """Say what applies to a pull request and to each of its files, which file says so, and what reviewers are told besides.

    GITHUB_TOKEN reads it; nothing is reviewed, and nothing is written.
    """
    settings = Settings.load(house.with_cache_folder(os.environ))
    found, reading = asyncio.run(_read(pull, settings))
    shelf, of_skills = library.load(skills=settings.skills, rules=settings.rules).with_skills_of(reading.policy.skills)
    own = [one for one in shelf.personas if not one.trusted]
    for line in explained(found, reading, own_personas=own, notes=of_skills):
        typer.echo(printable(line))


def explained(
    pull: Pull, reading: Read, *, own_personas: Sequence[Persona] = (), notes: Sequence[str] = ()
) -> Iterator[str]:
    """What applies, line by line: to the pull request, then to each file.

    `own_personas` are those that the repository's own skills make, and `notes` what of them cannot be used.
    """
    root = reading.policy.root
    yield f"policy: {reading.policy.source or 'the defaults, as no policy was found'}"
    yield from (f"note: {note}" for note in (*reading.policy.notes, *notes))
    match admit(pull, root, by_hand=False):
        case Skip(reason):
            yield f"not reviewed by itself: {reason}"
        case Scope.SUPPLY_CHAIN:
            yield "reviewed for its supply chain only: a bot opened it (`bots: supply-chain`)"
        case Scope.WHOLE:
            yield "reviewed by itself" + (", in the shadow (`shadow: true`)" if root.shadow else "")
    gate = f"fails from {root.fail_on} on (`fail_on`)" if root.fail_on else "neutral, whatever is found"
    yield f"check run: {gate}"
    yield f"comments: at most {root.max_comments} (`max_comments`)"
    yield from (f"guidance: {_measured(one)}" for one in reading.policy.guidance)
    yield from (f"skill: {one.name}, where it applies ({own_skills.FOLDER}{one.name}/)" for one in own_personas)
    for path in sorted([file.path for file in reading.change.files]):
        yield f"\n{path}"
        yield from (f"  {line}" for line in _of_file(reading.policy.policies.of(path)))
    for skipped in reading.change.skipped:
        yield f"\n{skipped.path}\n  not reviewed: {skipped.reason}"


def _measured(guide: Source) -> str:
    cut = ", cut to what a prompt has room for" if guide.text.endswith(policy_files.CUT) else ""
    return f"{guide.path} ({len(guide.text):,} characters{cut})"


def _of_file(applies: ForFile) -> Iterator[str]:
    yield f"said from {applies.min_severity} on (`min_severity`)"
    for name, choice in sorted(applies.rules.items()):
        yield f"rule {name}: {'off' if choice.off else choice.severity or 'as it is'} (`rules`)"
    for text in applies.instructions:
        yield f"instruction: {' '.join(text.split())}"


async def _read(address: str, settings: Settings) -> tuple[Pull, Read]:
    from app.git import Mirrors  # noqa: PLC0415 - what only an address is worth waiting for
    from app.github import GitHub, parse_pull_url  # noqa: PLC0415 - the same
    from app.review import AtOnce, read_pull  # noqa: PLC0415 - the same

    repository, number = parse_pull_url(address, settings.github_server_url)
    if settings.github_token is None:
        raise UserError("GITHUB_TOKEN is needed to read a pull request", Code.SETTINGS_INVALID)
    async with GitHub.with_token(settings.github_token.get_secret_value(), api_url=settings.github_api_url) as github:
        pull = await github.pull(repository, number)
        mirrors = Mirrors(settings.data_dir / "mirrors", settings.github_server_url)
        return pull, await read_pull(pull, github=github, mirrors=mirrors, step=AtOnce())
