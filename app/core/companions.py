"""Changed paths in, the paths of files that usually change with them out: lock files of manifests, tests of sources.

Whether they exist is for the tree to say; detectors that compare base and head are told which of them do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from app.core.context import test_paths

MOST_COMPANIONS = 2_000

LOCKS = {
    "package.json": (
        "package-lock.json",
        "npm-shrinkwrap.json",
        "yarn.lock",
        "pnpm-lock.yaml",
        "bun.lock",
        "bun.lockb",
    ),
    "pyproject.toml": ("uv.lock", "poetry.lock", "pdm.lock", "pixi.lock"),
    "Pipfile": ("Pipfile.lock",),
    "Cargo.toml": ("Cargo.lock",),
    "go.mod": ("go.sum",),
    "Gemfile": ("Gemfile.lock",),
    "composer.json": ("composer.lock",),
}
"""Manifests, and the lock files that are made from them."""


def of(paths: Iterable[str]) -> tuple[str, ...]:
    """Where the companions of these files would stand, at most `MOST_COMPANIONS`."""
    found = dict.fromkeys(path for each in paths for path in (*lock_paths(each), *test_paths(each)))
    return tuple(found)[:MOST_COMPANIONS]


def lock_paths(path: str) -> tuple[str, ...]:
    """Where a manifest's lock files may stand: beside it, or in a folder above it, the workspace's root; none for others."""
    folder, _, name = path.rpartition("/")
    return tuple(f"{above}{lock}" for above in _upwards(folder) for lock in LOCKS.get(name, ()))


def _upwards(folder: str) -> Iterator[str]:
    """The folder and those above it, each with its slash; the root is empty."""
    while folder:
        yield f"{folder}/"
        folder = folder.rpartition("/")[0]
    yield ""
