"""How many labelled secrets the detectors cover, and how often they alarm on ordinary code.

    python benchmarks/rules/secrets.py --samples CREDSWEEPER/tests --code OUTLINE/server --code NODEBB/src

Recall: the samples of Samsung/CredSweeper with their expected output (tests/data/output.json). A labelled value counts as
covered when at least 80 % of its characters lie inside what was found. Alarms: everything found in ordinary code, by
certainty; tests, lock files and folders that a review leaves out are left out here too. The README says how to fetch them.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from app.analysis import folder, roles
from app.core import secrets

COVERED = 0.8
BEST_MEASURED_BEFORE = 523


@dataclass(frozen=True)
class Label:
    """A secret that the samples' authors marked: its line, its characters, and the rule they found it with."""

    path: str
    line: int
    start: int
    value: str
    rule: str


def labels(tests: Path) -> list[Label]:
    """Every labelled value of the samples that are text, once for each rule that found it."""
    expected = json.loads((tests / "data" / "output.json").read_text("utf-8"))
    found: dict[Label, None] = {}
    for one in expected:
        for line in one["line_data_list"]:
            path = tests.parent / line["path"]
            if line["value"] and path.is_file() and b"\0" not in path.read_bytes()[:8000]:
                found[Label(line["path"], line["line_num"], line["value_start"], line["value"], one["rule"])] = None
    return list(found)


def recall(tests: Path, *, show: bool) -> tuple[int, int]:
    """How many labels are covered, of how many."""
    all_labels = labels(tests)
    by_file: dict[str, list[Label]] = {}
    for label in all_labels:
        by_file.setdefault(label.path, []).append(label)
    covered: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for path, some in by_file.items():
        text = (tests.parent / path).read_bytes().decode("utf-8", "replace")
        marked = bytearray(len(text))
        for secret in secrets.find(text):
            marked[secret.start : secret.end] = b"\1" * (secret.end - secret.start)
        for label in some:
            total[label.rule] += 1
            if is_covered(label, text, marked):
                covered[label.rule] += 1
            elif show:
                print(f"  missed {path}:{label.line} [{label.rule}] {line_of(text, label.line).strip()[:160]}")
    for rule, count in total.most_common():
        print(f"  {covered[rule]:4} of {count:4}  {rule}")
    return covered.total(), total.total()


def is_covered(label: Label, text: str, marked: bytearray) -> bool:
    """Whether most of the value's characters lie inside what was found, at its line or wherever it stands near it."""
    place = text.find(label.value, max(0, start_of(text, label.line)))
    if place < 0:
        place = text.find(label.value)
    return place >= 0 and sum(marked[place : place + len(label.value)]) >= COVERED * len(label.value)


def start_of(text: str, line: int) -> int:
    """The offset of a line. The samples' authors count lines as Python splits them."""
    return sum(len(one) for one in text.splitlines(keepends=True)[: line - 1])


def line_of(text: str, line: int) -> str:
    """The text of a line."""
    lines = text.splitlines()
    return lines[line - 1] if 0 < line <= len(lines) else ""


def alarms(root: Path, *, show: bool) -> tuple[Counter[str], int, float, int]:
    """What is found in a tree by certainty, in how many lines, in how many seconds, of how many characters."""
    found: Counter[str] = Counter()
    lines = characters = 0
    seconds = 0.0
    for path, text in sources(root):
        started = time.process_time()
        seen = secrets.find(text)
        seconds += time.process_time() - started
        lines += text.count("\n") + 1
        characters += len(text)
        for secret in seen:
            found[secret.certainty.name] += 1
            if show:
                number = text.count("\n", 0, secret.start) + 1
                print(
                    f"  {secret.certainty.name:8} {path}:{number} {text[secret.start : secret.end][:60]!r} ({secret.name})"
                )
    return found, lines, seconds, characters


def sources(root: Path) -> Iterator[tuple[str, str]]:
    """The files of a tree that people write, without tests and examples."""
    paths, _ = folder.list_paths(root)
    for portion in folder.read(root, paths):
        for file in portion.files:
            if roles.of(file.path, file.text) not in (roles.Role.TEST, roles.Role.EXAMPLE):
                yield file.path, file.text


def main() -> None:
    """Prints both tables."""
    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reader.add_argument("--samples", type=Path, help="CredSweeper's tests folder")
    reader.add_argument("--code", type=Path, action="append", default=[], help="a tree of ordinary code")
    reader.add_argument("--show", action="store_true", help="name what was missed, and every alarm")
    asked = reader.parse_args()
    if asked.samples:
        covered, total = recall(asked.samples, show=asked.show)
        print(f"covered {covered} of {total} labelled values (the best measured before: {BEST_MEASURED_BEFORE} of 863)")
    for root in asked.code:
        found, lines, seconds, characters = alarms(root, show=asked.show)
        rate = 1_000 * found.total() / max(lines, 1)
        loud = 1_000 * (found["LIKELY"] + found["PROVEN"]) / max(lines, 1)
        print(
            f"{root}: {found.total()} found in {lines:,} lines, {rate:.2f} per 1,000 ({dict(found)}; "
            f"{loud:.2f} per 1,000 would be told); {characters / 1e6 / max(seconds, 1e-9):.1f} MB/s"
        )


if __name__ == "__main__":
    main()
