"""Repositories at fixed commits, read through git: what the other scripts here measure on. Nothing is checked out.

REPOSITORIES/OWNER/NAME      a clone, or a bare git directory
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast


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

    def extract(self, commit: str, into: Path, path: str = "") -> int:
        """Writes the regular files of a folder of the commit; gives how many objects were not fetched and so left out."""
        listed = self.git("ls-tree", "-r", "-z", "--full-tree", commit, *([path] if path else []))
        if not listed:
            raise SystemExit(f"{self.name}: there is no {path or 'tree'} at {commit}")
        entries = [entry.partition(b"\t") for entry in listed.rstrip(b"\0").split(b"\0")]
        wanted = [(meta.split()[2], name.decode()) for meta, _, name in entries if meta.startswith(b"100")]
        missing = 0
        for name, data in zip((name for _, name in wanted), self._blobs([blob for blob, _ in wanted]), strict=True):
            if data is None:
                missing += 1
                continue
            place = into / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
        return missing

    def _blobs(self, ids: Sequence[bytes]) -> Iterator[bytes | None]:
        """The objects in order; None for one that is not there."""
        with tempfile.TemporaryFile() as asked:
            asked.write(b"\n".join(ids) + b"\n")
            asked.seek(0)
            command = ["git", "-C", str(self.folder), "cat-file", "--batch"]
            environment = os.environ | {"GIT_NO_LAZY_FETCH": "1"}
            with subprocess.Popen(command, stdin=asked, stdout=subprocess.PIPE, env=environment) as reading:
                answers = cast("IO[bytes]", reading.stdout)
                for _ in ids:
                    head = answers.readline().split()
                    if head[-1] == b"missing":
                        yield None
                    else:
                        data = answers.read(int(head[2]) + 1)
                        yield data[:-1]
