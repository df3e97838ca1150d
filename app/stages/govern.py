"""Governing: policy, guidance and skills of a pull request's repository, as its default branch has them, never the head.

The repository's own files are read from git, which has the default branch anyway; the owner's and the one that is extended
are asked of GitHub, under a token for that repository alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from app.core import own_skills
from app.core.change import Sha
from app.core.policy import MOST_FOLDERS, PATH
from app.core.policy_files import GUIDANCE, OWNERS, PolicyFiles, Source, extends, folder_files, is_policy
from app.git import Tree

if TYPE_CHECKING:
    from app.github import GitHub


async def files(tree: Tree, *, repository: str, head: Sha, paths: Sequence[str], github: GitHub) -> PolicyFiles:
    """The files that may say something about a change of these paths, or to its reviewers."""
    own = await _texts(tree, tree.tip, [PATH, *folder_files(paths)])
    root = next((one for one in own if one.path == PATH), None) or await _of_owner(repository, github)
    return PolicyFiles(
        root=root,
        extended=await _extended(root, repository, github),
        folders=tuple(one for one in own if one.path != PATH),
        proposed=await _texts(tree, head, [path for path in paths if is_policy(path)][:MOST_FOLDERS]),
        guidance=await _texts(tree, tree.tip, GUIDANCE),
        skills=await _skills(tree),
    )


async def _skills(tree: Tree) -> tuple[Source, ...]:
    if tree.tip is None:
        return ()
    paths = await tree.files(tree.tip, folder=own_skills.FOLDER)
    return await _texts(tree, tree.tip, own_skills.wanted(paths))


async def _texts(tree: Tree, revision: Sha | None, paths: Sequence[str]) -> tuple[Source, ...]:
    if revision is None or not paths:
        return ()
    found = await tree.read_many(revision, paths)
    return tuple(Source(path, found[path].decode("utf-8", "replace")) for path in paths if path in found)


async def _of_owner(repository: str, github: GitHub) -> Source | None:
    return await _beside(OWNERS, repository, github)


async def _extended(root: Source | None, repository: str, github: GitHub) -> Source | None:
    name = extends(root.text) if root is not None else None
    return await _beside(name, repository, github) if name else None


async def _beside(name: str, repository: str, github: GitHub) -> Source | None:
    """The policy of another repository of the same owner; of anybody else's nothing is read."""
    owner = repository.partition("/")[0]
    of, _, rest = name.rpartition("/")
    whole = f"{owner}/{rest}"
    if (of and of.casefold() != owner.casefold()) or whole.casefold() == repository.casefold():
        return None
    text = await github.policy_of(whole)
    return Source(f"{whole}/{PATH}", text) if text is not None else None
