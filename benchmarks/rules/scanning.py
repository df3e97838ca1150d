"""Processor seconds of a scan alone, beside those of parsing the same files: in one process, without start-up.

    python benchmarks/rules/scanning.py FOLDER … [--runs 3] [--evidence FILE]

On a busy machine seconds mean little, and processor seconds half as much as on an idle one. So the files are taken in portions,
of each portion the least of several runs counts, and parsing all of them is measured beside it: the ratio of the two stays about
the same. With `--evidence` every piece of it is written down, one a line, to be compared with another version's.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from app import library
from app.analysis import folder, languages
from app.analysis.probe import probes
from app.analysis.scan import scan
from app.analysis.worker import GARBAGE_THRESHOLD
from app.core.source import SourceFile

FILES_PER_PORTION = 60
SECONDS_PER_DETECTOR = 60.0


def least(files: Sequence[SourceFile], work: Callable[[Sequence[SourceFile]], None], *, runs: int) -> float:
    """The processor seconds of the work on all files: of each portion those of its best run."""
    seconds = 0.0
    for start in range(0, len(files), FILES_PER_PORTION):
        portion = files[start : start + FILES_PER_PORTION]
        tries: list[float] = []
        for _ in range(runs):
            started = time.process_time()
            work(portion)
            tries.append(time.process_time() - started)
        seconds += min(tries)
    return seconds


def parse(files: Sequence[SourceFile]) -> None:
    """Builds every tree."""
    for file in files:
        languages.parse(file.text, languages.of(file.path) or "")


def main() -> None:
    """Prints a line for each folder."""
    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reader.add_argument("folder", type=Path, nargs="+")
    reader.add_argument("--runs", type=int, default=3)
    reader.add_argument("--evidence", type=Path)
    asked = reader.parse_args()
    gc.set_threshold(GARBAGE_THRESHOLD)
    wanted = probes(library.load().rules)
    seen: set[str] = set()

    def look(files: Sequence[SourceFile]) -> None:
        seen.update(map(repr, scan(files, wanted, seconds_each=SECONDS_PER_DETECTOR).new))

    for tree in asked.folder:
        paths, _ = folder.list_paths(tree.resolve())
        files = [
            file
            for portion in folder.read(tree.resolve(), paths)
            for file in portion.files
            if languages.of(file.path) is not None
        ]
        scanning, parsing = least(files, look, runs=asked.runs), least(files, parse, runs=asked.runs)
        print(
            f"{tree}: {len(files):,} files; scan {scanning:.2f} s, {scanning / len(files) * 1000:.2f} per 1,000; "
            f"parsing all {parsing:.2f} s; ratio {scanning / parsing:.2f}"
        )
    if asked.evidence is not None:
        asked.evidence.write_text("\n".join(sorted(seen)), encoding="utf-8")


if __name__ == "__main__":
    main()
