"""How often each detector sees lines that semgrep's rules label as wrong, and lines that they label as right.

    python benchmarks/rules/labelled.py --repositories REPOSITORIES

The fixtures of semgrep/semgrep-rules carry a comment before each line they speak of: `ruleid: …` for what their rule must
find, `ok: …` for what it must not. Their rules are not ours, so a label is only compared with detectors that see its line:
`labelled right` are false alarms, `unlabelled` lines are for a person to look at (`--show`). Each file is scanned as if
it stood in a service.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from trees import Repository

from app import library
from app.analysis.probe import probes
from app.analysis.scan import scan
from app.core.rule import Strength
from app.core.source import SourceFile

FIXTURES = "semgrep/semgrep-rules"
_READ = re.compile(r"(?:javascript|typescript|python|problem-based-packs)/.*\.(?:js|ts|tsx|jsx|py)$")
_LABEL = re.compile(r"\s*(?://|#|/\*|\{/\*)\s*(?P<what>ruleid|ok):")


@dataclass
class Seen:
    """What one detector saw: lines labelled wrong, lines labelled right, and lines without a label."""

    wrong: int = 0
    right: list[str] = field(default_factory=list)
    unlabelled: list[str] = field(default_factory=list)


def labels(text: str) -> dict[int, str]:
    """The labelled lines, each with `ruleid` or `ok`."""
    return {
        number + 1: label["what"]
        for number, line in enumerate(text.split("\n"), 1)
        if (label := _LABEL.match(line)) is not None
    }


def measure(repository: Repository, commit: str) -> dict[tuple[str, Strength], Seen]:
    """What each detector saw in all fixtures."""
    wanted = probes(library.load().rules)
    table: dict[tuple[str, Strength], Seen] = defaultdict(Seen)
    for path, text in _fixtures(repository, commit):
        known = labels(text)
        name = PurePosixPath(path).name
        file = SourceFile("src/server/" + re.sub(r"\.?test", "case", name), text, whole=True)
        for one in scan([file], wanted).new:
            row = table[f"{one.rule}/{one.detector}", one.strength]
            told = {known[line] for line in range(one.start_line, one.end_line + 1) if line in known}
            if "ruleid" in told:
                row.wrong += 1
            else:
                (row.right if told else row.unlabelled).append(f"{path}:{one.start_line}")
    return table


def _fixtures(repository: Repository, commit: str) -> Iterator[tuple[str, str]]:
    listed = (repository.git("ls-tree", "-r", "--name-only", commit) or b"").decode().split("\n")
    for path in filter(_READ.match, listed):
        text = repository.text(commit, path)
        if text is not None:
            yield path, text


def main() -> None:
    """Prints the table, strong detectors first."""
    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reader.add_argument("--repositories", type=Path, required=True)
    reader.add_argument("--show", action="store_true", help="name the lines that are not labelled wrong")
    asked = reader.parse_args()
    repository = Repository.at(asked.repositories, FIXTURES)
    if repository is None:
        raise SystemExit(f"{FIXTURES} is not there; the README says how to fetch it")
    commit = repository.commit()
    print(f"{FIXTURES} at {commit}\n")
    print("| detector | strength | labelled wrong | labelled right | unlabelled |\n|---|---|---|---|---|")
    for (name, strength), seen in sorted(measure(repository, commit).items(), key=lambda one: (one[0][1], one[0][0])):
        print(f"| {name} | {strength} | {seen.wrong} | {len(seen.right)} | {len(seen.unlabelled)} |")
        for line in (*seen.right, *seen.unlabelled) if asked.show else ():
            print(f"    {line}")


if __name__ == "__main__":
    main()
