"""Juice Shop's SQL-injection challenges: are the vulnerable variants found, and the correct fixes left alone?

    python benchmarks/rules/juice_shop.py --repositories REPOSITORIES [--commit COMMIT]

Each challenge of data/static/codefixes has one correct fix and some wrong ones. Wrong fixes that their authors call a mere
functional bug, with the statement bound as it should be, hold no injection and are counted apart.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import yaml
from trees import Repository

from app import library
from app.analysis.probe import probes
from app.analysis.scan import scan
from app.core.source import SourceFile

FIXES = "data/static/codefixes"
CHALLENGES = ("dbSchema", "loginAdmin", "loginBender", "loginJim", "unionSqlInjection")


def main() -> None:
    """Prints a line for each variant, and the sums."""
    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reader.add_argument("--repositories", type=Path, required=True)
    reader.add_argument("--commit", default="HEAD")
    asked = reader.parse_args()
    shop = Repository.at(asked.repositories, "juice-shop/juice-shop")
    if shop is None:
        raise SystemExit("juice-shop/juice-shop is not there; the README says how to fetch it")
    commit = shop.commit(asked.commit)
    wanted = [probe for probe in probes(library.load().rules) if "sql" in probe.detector.name]
    print(f"juice-shop/juice-shop at {commit}; detectors: {', '.join(probe.detector.name for probe in wanted)}\n")
    found: dict[str, list[bool]] = {"vulnerable": [], "correct": [], "functional bug only": []}
    listed = (shop.git("ls-tree", "--name-only", commit, f"{FIXES}/") or b"").decode().split()
    for path in listed:
        name = re.fullmatch(rf"{FIXES}/(\w+)Challenge_(\d)(_correct)?\.ts", path)
        if name is None or name[1] not in CHALLENGES:
            continue
        text = shop.text(commit, path) or ""
        info = yaml.safe_load(shop.text(commit, f"{FIXES}/{name[1]}Challenge.info.yml") or "")
        told = next(fix["explanation"] for fix in info["fixes"] if fix["id"] == int(name[2]))
        what = "correct" if name[3] else "functional bug only" if "functional bug" in told else "vulnerable"
        seen = scan([SourceFile(f"routes/{name[1]}.ts", text, whole=True)], wanted).new
        found[what].append(bool(seen))
        told_seen = ", ".join(f"line {one.start_line} {one.detector} ({one.strength})" for one in seen)
        print(f"{what:20} {path.removeprefix(FIXES + '/'):44} {told_seen or '-'}")
    print()
    for what, hits in found.items():
        print(f"{what}: {sum(hits)} of {len(hits)} flagged")


if __name__ == "__main__":
    main()
