"""`principal backup FILE`: the database as it is at this moment, while the service goes on."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from app.errors import UserError
from app.settings import Settings


def backup(file: Annotated[Path, typer.Argument(help="Where to write it; the file must not be there yet.")]) -> None:
    """Copy the SQLite database into a file, whole and consistent, also while `principal serve` works on it.

    PostgreSQL has `pg_dump` for that. Mirrors need no copy: what is missing is fetched again.
    """
    import sqlalchemy as sa  # noqa: PLC0415 - a third of a second that every command would wait for

    settings = Settings.load(os.environ)
    address = sa.make_url(settings.database_url)
    if address.get_backend_name() != "sqlite":
        raise UserError("DATABASE_URL names a PostgreSQL database: use pg_dump")
    source = Path(address.database or "")
    if not source.is_file():
        raise UserError(f"There is no database at {source}")
    try:
        # The key may be in it, so it is its owner's alone from the first byte.
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        with (
            closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as read,
            closing(sqlite3.connect(file)) as written,
        ):
            read.backup(written)
            (verdict,) = written.execute("PRAGMA quick_check").fetchone()
    except (OSError, sqlite3.Error) as error:
        raise UserError(f"The database was not copied: {error}") from error
    if verdict != "ok":
        raise UserError(f"The copy is not sound: {verdict}")
    held = "" if settings.secret_key else " It holds the key that seals what is in it: keep it as you keep secrets."
    typer.echo(f"{file}: {file.stat().st_size} bytes, sound.{held}")
