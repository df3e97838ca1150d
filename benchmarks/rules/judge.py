"""Hits of strong rules for a person to judge, and the table of the judgements.

    python benchmarks/rules/judge.py sample OWNER/NAME[@COMMIT][:FOLDER] … --repositories REPOSITORIES --output sample.csv
    python benchmarks/rules/judge.py table judgements.csv …
    python benchmarks/rules/judge.py again judgements.csv … --repositories REPOSITORIES

`sample` scans each tree, draws at most `--per-rule` hits of every strong detector (the same ones for the same seed; of them at
most `--per-file` of one file and `--per-repository` of one repository, so that none decides the figure), prints each with the
code around it, and writes a CSV. Fill two columns by hand, with `yes` or `no`: `true` (is what is said true of
that code?) and `post` (would you, as its reviewer, post it?), and say why in `why` where it is a no. `table` reads them back.
`again` scans the judged files anew and counts only the judgements of what a strong detector still says.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import random
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from trees import Repository

from app import library
from app.analysis import Scanner, folder
from app.analysis.probe import probes
from app.analysis.scan import scan
from app.core import evidence, secrets
from app.core.rule import Evidence, Rule, Strength
from app.core.source import SourceFile

COLUMNS = ("repository", "commit", "path", "line", "rule", "detector", "title", "true", "post", "why")
AROUND = 6
LEAST_POST, LEAST_TRUE = 0.85, 0.97

Row = dict[str, str]


def sample(asked: argparse.Namespace) -> None:
    """Prints the hits with the code around them and writes the CSV."""
    rules = {rule.id: rule for rule in library.load().rules}
    found: dict[tuple[str, str], list[tuple[Row, str]]] = defaultdict(list)
    for target in asked.target:
        for row, shown in asyncio.run(_hits(target, asked.repositories, rules)):
            found[row["rule"], row["detector"]].append((row, shown))
    dice = random.Random(asked.seed)
    spread = {key: _spread(hits, dice, asked.per_file, asked.per_repository) for key, hits in sorted(found.items())}
    drawn = [hit for hits in spread.values() for hit in hits[: asked.per_rule]]
    for number, (row, shown) in enumerate(drawn, 1):
        print(f"--- {number}  {row['rule']}/{row['detector']}  {row['repository']} {row['path']}:{row['line']}")
        print(f"    {row['title']}\n{shown}\n")
    with asked.output.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(row for row, _ in drawn)
    for (rule, detector), hits in sorted(found.items()):
        drawn_here = min(len(spread[rule, detector]), asked.per_rule)
        print(f"{len(hits):5} hits, {drawn_here:3} drawn  {rule}/{detector}")


def _spread(
    hits: list[tuple[Row, str]], dice: random.Random, per_file: int, per_repository: int
) -> list[tuple[Row, str]]:
    """The hits in a drawn order, without those of which the same file or repository gave enough before."""
    files: dict[tuple[str, str], int] = defaultdict(int)
    repositories: dict[str, int] = defaultdict(int)
    kept: list[tuple[Row, str]] = []
    for row, shown in dice.sample(hits, len(hits)):
        if files[row["repository"], row["path"]] < per_file and repositories[row["repository"]] < per_repository:
            files[row["repository"], row["path"]] += 1
            repositories[row["repository"]] += 1
            kept.append((row, shown))
    return kept


async def _hits(target: str, repositories: Path, rules: dict[str, Rule]) -> list[tuple[Row, str]]:
    spot, _, path = target.partition(":")
    name, _, revision = spot.partition("@")
    repository = Repository.at(repositories, name)
    if repository is None:
        raise SystemExit(f"{name} is not there; the README says how to fetch it")
    commit = repository.commit(revision or "HEAD")
    found: list[tuple[Row, str]] = []
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / "tree"
        missing = repository.extract(commit, root, path)
        if missing:
            print(f"{name}: {missing} files of {commit} were not fetched and are left out", file=sys.stderr)
        async with Scanner() as scanner:
            async for portion in folder.scan(root, list(rules.values()), scanner=scanner):
                strong = [one for one in portion.result.new if one.strength is Strength.STRONG]
                found += [(_row(one, rules[one.rule], name, commit), _shown(root, one)) for one in strong]
        workflows = scan(list(_workflows(root)), probes(rules.values())).new
        strong = [one for one in workflows if one.strength is Strength.STRONG]
        found += [(_row(one, rules[one.rule], name, commit), _shown(root, one)) for one in strong]
    return found


def _workflows(root: Path) -> Iterable[SourceFile]:
    """What a scan of a folder leaves out, since it is hidden, and a review reads."""
    for path in sorted((root / ".github").rglob("*.y*ml")):
        yield SourceFile(str(path.relative_to(root)), path.read_text("utf-8", "replace"), whole=True)


def _row(one: Evidence, rule: Rule, repository: str, commit: str) -> Row:
    told = (
        repository,
        commit,
        one.path,
        str(one.start_line),
        one.rule,
        one.detector,
        evidence.to_finding(one, rule).title,
    )
    return dict.fromkeys(COLUMNS, "") | dict(zip(COLUMNS, told, strict=False))


def _shown(root: Path, one: Evidence) -> str:
    """The lines around the hit, with what is secret in them taken out."""
    lines = secrets.redact((root / one.path).read_bytes().decode("utf-8", "replace")).split("\n")
    first, last = max(1, one.start_line - AROUND), min(len(lines), one.end_line + AROUND)
    return "\n".join(
        f"    {'>' if one.start_line <= number <= one.end_line else ' '} {number:5} {lines[number - 1][:160]}"
        for number in range(first, last + 1)
    )


def table(asked: argparse.Namespace) -> None:
    """Prints the judgements by detector, the sums, and the repositories with their commits."""
    _print([row for file in asked.judgements for row in _read(file)])


def again(asked: argparse.Namespace) -> None:
    """Prints the same table of what is still told."""
    wanted = probes(library.load().rules)
    by_file: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for file in asked.judgements:
        for row in _read(file):
            by_file[row["repository"], row["commit"], row["path"]].append(row)
    told: list[Row] = []
    for (name, commit, path), rows in sorted(by_file.items()):
        repository = Repository.at(asked.repositories, name)
        text = repository.text(commit, path) if repository is not None else None
        if text is None:
            raise SystemExit(f"{name} at {commit}: {path} is not there; the README says how to fetch it")
        seen = scan([SourceFile(path, text, whole=True)], wanted).new
        strong = {(one.rule, str(one.start_line)) for one in seen if one.strength is Strength.STRONG}
        told += [row for row in rows if (row["rule"], row["line"]) in strong]
    _print(told)


def _print(rows: list[Row]) -> None:
    judged = [row for row in rows if row["true"] and row["post"]]
    by_detector: dict[str, list[Row]] = defaultdict(list)
    for row in judged:
        by_detector[f"{row['rule']}/{row['detector']}"].append(row)
    print("| detector | judged | true | worth posting | why not |\n|---|---|---|---|---|")
    for name, some in sorted(by_detector.items()):
        why = "; ".join(dict.fromkeys(row["why"] for row in some if row["why"]))
        print(f"| {name} | {len(some)} | {_share(some, 'true')} | {_share(some, 'post')} | {why} |")
    print(f"| **all** | {len(judged)} | {_share(judged, 'true')} | {_share(judged, 'post')} | |\n")
    print(f"Wanted: true in at least {LEAST_TRUE:.0%}, worth posting in at least {LEAST_POST:.0%}.")
    for name, commit in sorted({(row["repository"], row["commit"]) for row in judged}):
        print(f"- {name} at {commit}")
    if len(judged) < len(rows):
        print(f"{len(rows) - len(judged)} rows are not judged yet.")


def _read(file: Path) -> Iterable[Row]:
    with file.open(newline="", encoding="utf-8") as text:
        yield from csv.DictReader(text)


def _share(rows: list[Row], column: str) -> str:
    yes = sum(1 for row in rows if row[column].strip().lower() in ("yes", "y", "1", "true"))
    return f"{yes} ({yes / len(rows):.0%})" if rows else "-"


def main() -> None:
    """Reads what is asked and does it."""
    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = reader.add_subparsers(required=True)
    drawing = verbs.add_parser("sample")
    drawing.add_argument("target", nargs="+")
    drawing.add_argument("--repositories", type=Path, required=True)
    drawing.add_argument("--output", type=Path, required=True)
    drawing.add_argument("--per-rule", type=int, default=15)
    drawing.add_argument("--per-file", type=int, default=2)
    drawing.add_argument("--per-repository", type=int, default=8)
    drawing.add_argument("--seed", type=int, default=6)
    drawing.set_defaults(do=sample)
    reading = verbs.add_parser("table")
    reading.add_argument("judgements", type=Path, nargs="+")
    reading.set_defaults(do=table)
    telling = verbs.add_parser("again")
    telling.add_argument("judgements", type=Path, nargs="+")
    telling.add_argument("--repositories", type=Path, required=True)
    telling.set_defaults(do=again)
    asked = reader.parse_args()
    asked.do(asked)


if __name__ == "__main__":
    main()
