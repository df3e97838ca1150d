"""Whether a database could be worked on, asked without starting to: an address in, a few words about it out.

It takes no lock for itself, so it may be asked while a server runs, and it writes nothing.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import sqlalchemy as sa

from app.errors import Code, UserError
from app.jobs.database import SQLITE_OLDEST

WAIT_SECONDS = 5


def probe(url: str) -> str:
    """What stands at this address, in a few words. Raises `UserError` (DATABASE_UNUSABLE) saying why it cannot be used."""
    address = sa.make_url(url)
    if address.get_backend_name() == "sqlite":
        return _sqlite(Path(address.database or ""))
    return _postgresql(address.set(drivername="postgresql+psycopg"))


def _sqlite(path: Path) -> str:
    version = sqlite3.sqlite_version
    if sqlite3.sqlite_version_info < SQLITE_OLDEST:
        raise _unusable(f"SQLite {version} is too old: 3.35 or newer is needed")
    if not path.exists():
        if not os.access(_nearest(path.parent), os.W_OK | os.X_OK):
            raise _unusable(f"{path} is not there, and its folder takes no new file")
        return f"SQLite {version}; {path} is made at the first start"
    try:
        connection = sqlite3.connect(f"file:{path}?mode=rw", uri=True, timeout=WAIT_SECONDS)
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise _unusable(f"{path} cannot be written: {error}") from error
    return f"SQLite {version}, {path}, {path.stat().st_size / 1e6:.1f} MB"


def _postgresql(address: sa.URL) -> str:
    engine = sa.create_engine(address, poolclass=sa.pool.NullPool, connect_args={"connect_timeout": WAIT_SECONDS})
    try:
        with engine.connect() as connection:
            version = connection.exec_driver_sql("SHOW server_version").scalar()
            may = connection.exec_driver_sql("SELECT has_schema_privilege(current_schema(), 'CREATE')").scalar()
    except sa.exc.SQLAlchemyError as error:
        # The driver's own words may hold the address with its password.
        raise _unusable(f"PostgreSQL at {address.host} did not let us in ({type(error).__name__})") from error
    if not may:
        raise _unusable("The PostgreSQL role may not create tables in its schema")
    return f"PostgreSQL {version} at {address.host}"


def _nearest(folder: Path) -> Path:
    return next((parent for parent in (folder, *folder.parents) if parent.exists()), folder)


def _unusable(what: str) -> UserError:
    return UserError(what, Code.DATABASE_UNUSABLE)
