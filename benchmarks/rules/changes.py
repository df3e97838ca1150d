"""How long the rules take for the changed files of ordinary commits, and how much they say.

    python benchmarks/rules/changes.py OWNER/NAME … --repositories REPOSITORIES [--commits 60]

The newest commits of each repository that change a script file, base and head read through git; each is scanned through the
worker process as a review does it, warm, and the milliseconds are those that a review would wait. Reading is not in them.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from trees import Repository

from app import library
from app.analysis import Scanner, languages
from app.core import companions, diff
from app.core.change import FileStatus
from app.core.rule import Strength
from app.core.select import select
from app.core.source import SourceFile, Surroundings


def change(repository: Repository, commit: str) -> tuple[list[SourceFile], Surroundings]:
    """The files of a commit with their base, and the paths around them."""
    files = diff.parse(repository.git("diff-tree", "-r", "-p", "-M", "--no-commit-id", "--full-index", commit) or b"")
    kept, skipped = select(files)
    found: list[SourceFile] = []
    for file in kept:
        text = repository.text(commit, file.path)
        is_new = file.status in (FileStatus.ADDED, FileStatus.COPIED)
        before = None if is_new else repository.text(f"{commit}^", file.old_path or file.path)
        if text is not None and len(text) <= 1_000_000:
            found.append(SourceFile.of(file, text, before=before))
    paths = [file.path for file in kept]
    locks = {path for each in paths for path in companions.lock_paths(each)}
    there = frozenset(path for path in locks if repository.git("cat-file", "-e", f"{commit}:{path}") is not None)
    return found, Surroundings(frozenset((*paths, *(one.path for one in skipped))), present=there)


async def measure(repository: Repository, commits: int) -> None:
    """Prints one line for the repository."""
    rules = library.load().rules
    listed = (repository.git("log", "--no-merges", f"-{commits * 4}", "--format=%H") or b"").decode().split()
    milliseconds: list[float] = []
    sizes: list[int] = []
    said = {Strength.STRONG: 0, Strength.WEAK: 0}
    async with Scanner() as scanner:
        await scanner.scan([SourceFile("warm.ts", "const warm = 1;\n", whole=True)], rules)
        for commit in listed:
            files, around = change(repository, commit)
            if not any(languages.of(file.path) for file in files):
                continue
            started = time.perf_counter()
            result = await scanner.scan(files, rules, around=around)
            milliseconds.append((time.perf_counter() - started) * 1_000)
            sizes.append(len(files))
            for one in result.new:
                said[one.strength] += 1
            if len(milliseconds) == commits:
                break
    if not milliseconds:
        print(f"{repository.name}: no commit could be read")
        return
    ordered = sorted(milliseconds)
    print(
        f"{repository.name} at {listed[0]}: {len(ordered)} commits, {statistics.median(sizes):.0f} files at the median; "
        f"median {statistics.median(ordered):.0f} ms, p90 {ordered[int(len(ordered) * 0.9)]:.0f} ms, most {ordered[-1]:.0f} ms; "
        f"{said[Strength.STRONG]} strong and {said[Strength.WEAK]} weak findings"
    )


def main() -> None:
    """Prints a line for each repository."""
    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reader.add_argument("name", nargs="+")
    reader.add_argument("--repositories", type=Path, required=True)
    reader.add_argument("--commits", type=int, default=60)
    asked = reader.parse_args()
    for name in asked.name:
        repository = Repository.at(asked.repositories, name)
        if repository is None:
            raise SystemExit(f"{name} is not there; the README says how to fetch it")
        asyncio.run(measure(repository, asked.commits))


if __name__ == "__main__":
    main()
