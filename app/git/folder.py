"""Folders of plain files → trees of one repository that lives as long as the block: for code that is in no repository."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from app.core.change import Sha
from app.git.run import Git
from app.git.tree import Tree

AS_THEY_ARE = "* -text -filter -ident -working-tree-encoding\n"
"""No attribute that a folder declares changes a byte of it, or runs a program."""


@asynccontextmanager
async def folders(*roots: Path) -> AsyncIterator[tuple[Tree, tuple[Sha, ...]]]:
    """The folders as trees that can be read, searched and compared; a tree's id is the same for the same files.

    Raises `Permanent` with a GIT_… code when git cannot read one of them.
    """
    with tempfile.TemporaryDirectory(prefix="principal-folders-") as scratch:
        repository, empty = Path(scratch) / "repository.git", Path(scratch) / "empty"
        empty.mkdir()
        await Git(cwd=empty).run("init", "-q", "--bare", str(repository))
        (repository / "info").mkdir(exist_ok=True)
        (repository / "info" / "attributes").write_text(AS_THEY_ARE, encoding="ascii")
        ids = [
            await _written(root.resolve(), repository=repository, index=Path(scratch) / f"index-{number}")
            for number, root in enumerate(roots)
        ]
        yield Tree(Git(cwd=empty, directory=repository, work_tree=empty)), tuple(ids)


async def _written(root: Path, *, repository: Path, index: Path) -> Sha:
    git = Git(cwd=root, directory=repository, work_tree=root, variables={"GIT_INDEX_FILE": str(index)})
    await git.run("add", "--all", "--force", ".")
    ran = await git.run("write-tree")
    return Sha(ran.out.decode().strip())
