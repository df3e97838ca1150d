"""The App's credentials in the data folder: written once by the set-up, read by `Settings.load` where nothing else names one.

One JSON object from the names of the settings table to their values, in a file that is its owner's alone.
"""

from __future__ import annotations

import json
import os
import secrets
import stat
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from app.errors import Code, UserError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

FILE = "github-app.json"
AT_MOST_BYTES = 256 * 1024
SHARED_MODE = 0o027
"""A group may read a key, as mounted secrets need it; nobody else may anything."""
NAMES = frozenset(
    {
        "GITHUB_API_URL",
        "GITHUB_APP_ID",
        "GITHUB_CLIENT_ID",
        "GITHUB_CLIENT_SECRET",
        "GITHUB_PRIVATE_KEY",
        "GITHUB_SERVER_URL",
        "GITHUB_WEBHOOK_SECRET",
        "PRINCIPAL_PUBLIC_URL",
    }
)
"""What may stand in the file. Whoever can write into the data folder must not be able to set more than the App."""
IDENTITY = frozenset({"GITHUB_APP_ID", "GITHUB_PRIVATE_KEY", "GITHUB_PRIVATE_KEY_PATH"})
"""Where the environment names one of these, the App is the environment's and the file is not read."""


def store(folder: Path, variables: Mapping[str, str]) -> Path:
    """The file that now holds the credentials: all of them or none, readable by its owner only, safe on the disk.

    Raises `UserError` when there is an App already, or when the folder does not take the file.
    """
    file, beside = folder / FILE, folder / f".{FILE}.{secrets.token_hex(8)}"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as made:
                made.write(json.dumps(dict(sorted(variables.items())), indent=1).encode())
                made.flush()
                os.fsync(made.fileno())
            # A link never replaces: of two that set up at the same time, one is told.
            os.link(beside, file)
        finally:
            with suppress(FileNotFoundError):
                beside.unlink()
        _sync(folder)
    except FileExistsError as error:
        raise UserError(f"{file} holds an App already", Code.SETTINGS_INVALID) from error
    except OSError as error:
        raise _unusable(folder, error) from error
    return file


def check(folder: Path) -> None:
    """Nothing, where `store` would succeed as far as can be seen. Raises `UserError` otherwise."""
    probe = folder / f".{FILE}.{secrets.token_hex(8)}"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe.touch(mode=0o600, exist_ok=False)
        probe.unlink()
    except OSError as error:
        raise _unusable(folder, error) from error


def read(folder: Path) -> dict[str, str]:
    """The variables that were stored; none where there was no set-up.

    Raises `UserError` for a file that others may use, that belongs to somebody else, or that is no such file.
    """
    file = folder / FILE
    try:
        with file.open("rb") as opened:
            refuse_shared(file, os.fstat(opened.fileno()), named="PRINCIPAL_DATA_DIR")
            given = json.loads(opened.read(AT_MOST_BYTES))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}", Code.SETTINGS_INVALID) from error
    except ValueError:
        given = None
    if not isinstance(given, dict) or not all(
        name in NAMES and isinstance(value, str) for name, value in given.items()
    ):
        raise UserError(f"{file} is damaged: restore it, or delete it and set up again", Code.SETTINGS_INVALID)
    return given


@lru_cache(maxsize=8)
def signing_key(pem: str) -> RSAPrivateKey:
    """The key that the App signs with. Raises `ValueError` with what it is not.

    Reading takes fifty times as long as signing, because it proves that the numbers make a key: so each is read once.
    """
    # A tenth of a second that only an App is worth.
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError("is not a private key in PEM form") from None
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("is not an RSA key, and GitHub Apps sign with RSA")  # noqa: TRY004 - the text is wrong, not its type
    return key


def refuse_shared(path: Path, facts: os.stat_result, *, named: str) -> None:
    """Whoever can read the key is the App; whoever can replace it, or owns it, can become another."""
    mode = stat.S_IMODE(facts.st_mode)
    if mode & SHARED_MODE:
        raise UserError(f"{named}: others may use {path} (mode {mode:04o}); chmod 600 it", Code.SETTINGS_INVALID)
    if facts.st_uid not in (0, os.geteuid()):
        what = f"{named}: {path} belongs to another user ({facts.st_uid}); chown it"
        raise UserError(what, Code.SETTINGS_INVALID)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _unusable(folder: Path, error: OSError) -> UserError:
    return UserError(f"PRINCIPAL_DATA_DIR: {folder} cannot be used: {error.strerror}", Code.SETTINGS_INVALID)
