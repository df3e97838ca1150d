"""Repositories at fixed commits, read through git: what the other scripts here measure on. Nothing is checked out.

REPOSITORIES/OWNER/NAME      a clone, or a bare git directory
"""

from __future__ import annotations

import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Repository:
    """A repository below the folder of repositories."""

    name: str
    folder: Path

    @classmethod
    def at(cls, repositories: Path, name: str) -> Repository | None:
        """The repository `OWNER/NAME`, if it was fetched."""
        folder = repositories / name
        return cls(name, folder.resolve()) if folder.exists() else None

    def git(self, *arguments: str) -> bytes | None:
        """What git prints, or None when it cannot."""
        ran = subprocess.run(["git", "-C", str(self.folder), *arguments], capture_output=True, check=False)
        return ran.stdout if ran.returncode == 0 else None

    def commit(self, revision: str = "HEAD") -> str:
        """The full id of a revision."""
        return (self.git("rev-parse", f"{revision}^{{commit}}") or b"").decode().strip()

    def text(self, commit: str, path: str) -> str | None:
        """A file at a commit."""
        data = self.git("show", f"{commit}:{path}")
        return data.decode("utf-8", "replace") if data is not None else None

    def extract(self, commit: str, into: Path, path: str = "") -> bool:
        """Writes a folder of the commit as files. Objects that were not fetched make it fail."""
        into.mkdir(parents=True, exist_ok=True)
        archive = into.parent / f"{into.name}.tar"
        arguments = ["archive", "-o", str(archive), commit, *([path] if path else [])]
        if self.git(*arguments) is None:
            return False
        with tarfile.open(archive) as members:
            members.extractall(into, filter="data")
        archive.unlink()
        return True
