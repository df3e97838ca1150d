"""A PostgreSQL for the stories: TEST_DATABASE_URL's, else a private server of this machine's own binaries."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

REQUIRED = os.environ.get("PRINCIPAL_CONTRACT_REQUIRED") == "1" or os.environ.get("CI") == "true"
START_SECONDS = 90
FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum=off", "max_connections=200")


class Postgres:
    """A server of our own in a temporary folder, on a free loopback port; it may be stopped and started again."""

    def __init__(self, binaries: Path, folder: Path) -> None:
        self._binaries = binaries
        self._data = folder / "data"
        self._log = folder / "log"
        # The server refuses to run as root.
        self._as = () if os.geteuid() else _as_somebody_else(folder)
        self._port = _free_port()
        self._run(
            "initdb", "-D", self._data, "-U", "principal", "--auth=trust", "--no-sync", "--encoding=UTF8", "--no-locale"
        )
        options = ("port=" + str(self._port), "listen_addresses=127.0.0.1", "unix_socket_directories=", *FAST)
        self._options = " ".join(f"-c {one}" if one[-1] != "=" else f"-c {one}''" for one in options)
        self.start()

    def start(self) -> None:
        self._run("pg_ctl", "start", "-D", self._data, "-l", self._log, "-w", "-t", START_SECONDS, "-o", self._options)

    def stop(self) -> None:
        """Stop at once, as a crash does: every connection is cut."""
        self._run("pg_ctl", "stop", "-D", self._data, "-m", "immediate", "-w", "-t", START_SECONDS)

    def address(self, database: str = "postgres") -> str:
        return f"postgresql://principal@127.0.0.1:{self._port}/{database}"

    def _run(self, program: str, *arguments: object) -> None:
        command = [*self._as, str(self._binaries / program), *map(str, arguments)]
        # To a file, not to a pipe: the server inherits it and would hold a pipe open for as long as it lives.
        with tempfile.TemporaryFile() as said:
            status = subprocess.run(
                command, cwd="/", stdin=subprocess.DEVNULL, stdout=said, stderr=said, check=False, timeout=90
            )
            said.seek(0)
            assert status.returncode == 0, said.read().decode(errors="replace")


@contextmanager
def any_server() -> Iterator[Postgres | None]:
    """None where TEST_DATABASE_URL names a server, else a private one."""
    if os.environ.get("TEST_DATABASE_URL"):
        yield None
        return
    with server() as private:
        yield private


@contextmanager
def server() -> Iterator[Postgres]:
    """A private server. Without PostgreSQL's programs the test is skipped, where they are not required."""
    binaries = _binaries()
    if binaries is None:
        _missing()
    folder = Path(tempfile.mkdtemp(prefix="principal-postgres-"))
    try:
        running = Postgres(binaries, folder)
        try:
            yield running
        finally:
            running.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def address(private: Postgres | None) -> Iterator[str]:
    """The address of an empty database, on the given server or on TEST_DATABASE_URL's; it is dropped in the end."""
    root = private.address() if private else os.environ["TEST_DATABASE_URL"]
    name = f"principal_test_{secrets.token_hex(6)}"
    with psycopg.connect(root, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    try:
        yield psycopg_address(root, name)
    finally:
        with psycopg.connect(root, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def psycopg_address(root: str, name: str) -> str:
    """The same server's other database."""
    before, question, query = root.partition("?")
    return f"{before.rpartition('/')[0]}/{name}{question}{query}"


def wait_until_up(where: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            psycopg.connect(where, connect_timeout=2).close()
        except psycopg.OperationalError:
            assert time.monotonic() < deadline, "PostgreSQL did not come back"
            time.sleep(0.05)
        else:
            return


def _binaries() -> Path | None:
    newest_first = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True
    )
    on_path = shutil.which("initdb")
    candidates = [*newest_first, *([Path(on_path).resolve().parent] if on_path else [])]
    return next((path for path in candidates if (path / "initdb").exists() and (path / "pg_ctl").exists()), None)


def _missing() -> None:
    said = "PostgreSQL's initdb and pg_ctl were not found, and TEST_DATABASE_URL is not set"
    if REQUIRED:
        pytest.fail(said)
    pytest.skip(said)


def _as_somebody_else(folder: Path) -> tuple[str, ...]:
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    other = names.get("postgres") or names["nobody"]
    os.chown(folder, other.pw_uid, other.pw_gid)
    return ("setpriv", f"--reuid={other.pw_uid}", f"--regid={other.pw_gid}", "--clear-groups", "--")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
