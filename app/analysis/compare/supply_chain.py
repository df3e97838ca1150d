"""Rule `supply-chain`: what a change does to manifests."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from app.analysis.compare import compares
from app.analysis.context import FileContext, Match, Pair
from app.analysis.roles import Role
from app.core import companions

Dependencies = dict[str, str]
"""What a manifest asks for: name → version, as it stands there."""

_QUIET_ROLES = frozenset((Role.TEST, Role.EXAMPLE))
_NODE_SECTIONS = ("dependencies", "devDependencies", "optionalDependencies")
_REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\])?\s*(?P<version>[^;#]*)")
_COMMIT = re.compile(r"[#@][0-9a-f]{7,40}\b|[#@](?:semver:|v?\d+\.\d+)")
_GIT = re.compile(r"^(?:git(?:\+|:|@)|github:|gitlab:|bitbucket:)|^[\w-]+/[\w.-]+(?:#|$)|\.git(?:#|$)")


@compares("supply-chain.lock-file")
def lock_file(pair: Pair) -> Iterable[Match]:
    """A dependency changed, and the lock file that stands there did not."""
    locks = [path for path in companions.lock_paths(pair.path) if path in pair.around.present]
    if pair.base is None or not locks or pair.around.touched.intersection(locks):
        return
    before, after = dependencies(pair.base), dependencies(pair.head)
    if before is None or after is None:
        return
    changed = [name for name in after if before.get(name) != after[name]]
    gone = [name for name in before if name not in after]
    for name in changed:
        line = _line(name, pair.added())
        if line:
            yield pair.on_line(line, captures={"name": name, "lock": locks[0]})
            return
    for name in gone:
        line = _line(name, pair.removed())
        if line:
            yield pair.on_removed_line(line, captures={"name": name, "lock": locks[0]})
            return


@compares("supply-chain.unpinned")
def unpinned(pair: Pair) -> Iterable[Match]:
    """A dependency that floats: any version, a branch, or a file over plain HTTP."""
    if pair.head.role in _QUIET_ROLES:
        return
    before = (dependencies(pair.base) if pair.base is not None else None) or {}
    after = dependencies(pair.head) or {}
    for name, version in after.items():
        reason = _floats(version, pair.path, after)
        line = _line(name, pair.added()) if reason and before.get(name) != version else 0
        if line:
            yield pair.on_line(line, captures={"name": name, "version": version or "no version", "reason": reason})


def dependencies(file: FileContext) -> Dependencies | None:
    """What the manifest asks for; None where it is no manifest, or cannot be read."""
    name = PurePosixPath(file.path).name
    try:
        match name:
            case "package.json":
                return dict(_of_node(json.loads(file.text)))
            case "pyproject.toml":
                return dict(_of_python(tomllib.loads(file.text)))
            case _ if re.fullmatch(r"requirements[\w.-]*\.(?:txt|in)", name):
                return dict(_of_lines(file.text.split("\n")))
    except (ValueError, RecursionError):
        return None
    return None


def _of_node(manifest: object) -> Iterator[tuple[str, str]]:
    for section in _NODE_SECTIONS:
        for name, version in _mapping(_mapping(manifest).get(section)).items():
            if isinstance(version, str):
                yield name, version.strip()


def _of_python(manifest: object) -> Iterator[tuple[str, str]]:
    project = _mapping(_mapping(manifest).get("project"))
    groups = (
        *_mapping(project.get("optional-dependencies")).values(),
        *_mapping(_mapping(manifest).get("dependency-groups")).values(),
    )
    for listed in (project.get("dependencies"), *groups):
        if isinstance(listed, list):
            yield from _of_lines([line for line in listed if isinstance(line, str)])
    poetry = _mapping(_mapping(_mapping(manifest).get("tool")).get("poetry"))
    for name, version in _mapping(poetry.get("dependencies")).items():
        if name != "python" and isinstance(version, str):
            yield name, version.strip()


def _of_lines(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The requirements among the lines; options (`-r`, `--hash`) and comments are none."""
    for line in lines:
        found = _REQUIREMENT.match(line.strip())
        if found is not None:
            yield found["name"], found["version"].strip(" \\")


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _line(name: str, lines: Iterable[tuple[int, str]]) -> int:
    """The first of these lines that holds the name as a word of its own; 0 when none does."""
    word = re.compile(rf"(?<![\w@/.-]){re.escape(name)}(?![\w/.-])")
    return next((number for number, line in lines if word.search(line)), 0)


def _floats(version: str, path: str, among: Dependencies) -> str:
    """Why the version may be another one tomorrow; empty where it may not, or where a range is this manifest's habit."""
    if version.startswith("http://"):
        return "it is fetched without encryption"
    if path.endswith(".json"):
        if version in ("*", "x", "latest", "next", ""):
            return "any version will do"
        if _GIT.search(version) and not _COMMIT.search(version):
            return "a branch moves"
        return ""
    if re.search(r"(?:^@?\s*|\s)git\+", version) and not _COMMIT.search(
        version.partition("://")[2].partition("@")[2] and version
    ):
        return "a branch moves"
    others = [other for other in among.values() if other != version]
    pins = sum(1 for other in others if other.startswith("=="))
    if version in ("", "*") and path.endswith(".txt") and pins * 2 >= max(1, len(others)):
        return "any version will do"
    return ""
