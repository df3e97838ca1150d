"""Path patterns as people write them in `.gitignore` and `CODEOWNERS`.

    matches("src/api/orders.ts", "src/**/*.ts")      True: `**` stands for any number of folders, also none
    matches("src/api/orders.ts", "*.ts")             True: without a slash the name is compared, in every folder
    matches("src/api/orders.ts", "src/")             True: a folder stands for everything in it
    matches("lib/src/a.ts", "/src/**")               False: a leading slash means the root, as does a slash further on

Takes time in proportion to path times pattern, whatever the pattern is: it may come from a stranger.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import translate
from functools import lru_cache

LONGEST_PATTERN = 300


def matches(path: str, pattern: str) -> bool:
    """Whether the pattern stands for this path (relative to the root, `/` between its parts)."""
    wanted = _parts(pattern) if len(pattern) <= LONGEST_PATTERN else ()
    return bool(wanted) and _match(tuple(path.split("/")), wanted)


def matches_any(path: str, patterns: Iterable[str]) -> bool:
    """Whether one of the patterns stands for this path."""
    return any(matches(path, pattern) for pattern in patterns)


@lru_cache(maxsize=4096)
def _parts(pattern: str) -> tuple[str, ...]:
    """The pattern from the root, a part for each folder; neighbouring `**` are one."""
    pattern = pattern.removeprefix("./")
    if not pattern.strip("/"):
        return ()
    if pattern.endswith("/"):
        pattern += "**"
    if "/" not in pattern:
        pattern = f"**/{pattern}"
    kept: list[str] = []
    for part in pattern.strip("/").split("/"):
        if part and not (part == "**" and kept[-1:] == ["**"]):
            kept.append(part)
    return tuple(kept)


def _match(path: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
    """A row for each part of the pattern: after which numbers of the path's parts it can have been used up."""
    ends = [True] + [False] * len(path)
    for part in wanted:
        if part == "**":
            ends = _from_the_first(ends)
        else:
            met = _pattern(part).match
            ends = [False] + [before and met(name) is not None for before, name in zip(ends, path, strict=False)]
    return ends[-1]


def _from_the_first(ends: list[bool]) -> list[bool]:
    first = ends.index(True) if True in ends else len(ends)
    return [position >= first for position in range(len(ends))]


@lru_cache(maxsize=4096)
def _pattern(part: str) -> re.Pattern[str]:
    return re.compile(translate(part))
