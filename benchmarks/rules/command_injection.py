"""Command injection in real packages: is the labelled line of each CVE seen?

    python benchmarks/rules/command_injection.py --repositories REPOSITORIES [--show]

The labels are those of ossf-cve-benchmark/ossf-cve-benchmark (CVEs/*.json, CWE-078): repository, commit before the patch, file
and line. Repositories that were not fetched are named and not counted. The file after the patch is scanned too: patches
mostly sanitise and keep the call, so a hit there is no error, only worth knowing.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from trees import Repository

from app import library
from app.analysis.probe import Probe, probes
from app.analysis.scan import scan
from app.core.rule import Evidence
from app.core.source import SourceFile

COMMANDS = ("command-from-request", "command-joined")
CWE = "CWE-078"


@dataclass(frozen=True)
class Case:
    """A CVE with one labelled place."""

    name: str
    repository: str
    before: str
    after: str
    path: str
    line: int


def cases(benchmark: Repository) -> list[Case]:
    """The CVEs of command injection."""
    commit = benchmark.commit()
    paths = (benchmark.git("ls-tree", "--name-only", commit, "CVEs/") or b"").decode().split()
    found: list[Case] = []
    for path in paths:
        told = json.loads(benchmark.text(commit, path) or "{}")
        if CWE not in told.get("CWEs", []):
            continue
        name = told["repository"].removeprefix("https://github.com/").removesuffix(".git")
        for weakness in told["prePatch"]["weaknesses"]:
            if "rototype" in weakness["explanation"]:
                continue
            place = weakness["location"]
            before, after = told["prePatch"]["commit"], told["postPatch"]["commit"]
            found.append(Case(told["CVE"], name, before, after, place["file"], place["line"]))
    return found


def seen_in(text: str, path: str, wanted: list[Probe]) -> list[Evidence]:
    """The evidence of command injection in a file."""
    return list(scan([SourceFile(path, text, whole=True)], wanted).new)


def main() -> None:
    """Prints a line for each labelled place, and the sum."""
    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reader.add_argument("--repositories", type=Path, required=True)
    reader.add_argument("--list", action="store_true", help="only name the repositories and commits that are needed")
    asked = reader.parse_args()
    benchmark = Repository.at(asked.repositories, "ossf-cve-benchmark/ossf-cve-benchmark")
    if benchmark is None:
        raise SystemExit("ossf-cve-benchmark/ossf-cve-benchmark is not there; the README says how to fetch it")
    all_cases = cases(benchmark)
    if asked.list:
        for case in all_cases:
            print(f"{case.repository} {case.before} {case.path}:{case.line}")
        return
    wanted = [probe for probe in probes(library.load().rules) if probe.detector.name in COMMANDS]
    print(f"labels at {benchmark.commit()}; detectors: {', '.join(probe.detector.name for probe in wanted)}\n")
    hits = judged = 0
    for case in all_cases:
        repository = Repository.at(asked.repositories, case.repository)
        text = repository.text(case.before, case.path) if repository is not None else None
        if repository is None or text is None:
            print(f"{'not fetched':12} {case.name} {case.repository} {case.path}:{case.line}")
            continue
        judged += 1
        seen = seen_in(text, case.path, wanted)
        there = [one for one in seen if one.start_line <= case.line <= one.end_line]
        hits += bool(there)
        after = repository.text(case.after, case.path)
        still = " · still seen after the patch" if after is not None and seen_in(after, case.path, wanted) else ""
        others = f" · elsewhere in the file: {[one.start_line for one in seen]}" if seen and not there else ""
        verdict = f"seen, {there[0].strength}" if there else "missed"
        print(f"{verdict:12} {case.name} {case.repository}@{case.before[:8]} {case.path}:{case.line}{others}{still}")
    print(f"\n{hits} of {judged} seen at the labelled line ({len(all_cases) - judged} places could not be fetched)")


if __name__ == "__main__":
    main()
