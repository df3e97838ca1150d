"""The same files, one run: Principal's rules, semgrep and ESLint; seconds, processor seconds and memory.

    python benchmarks/rules/speed.py --code FOLDER … --scratch FOLDER [--skip semgrep,eslint] [--runs 3]

Copies the JavaScript and TypeScript files of the trees into the scratch folder, installs semgrep (pip, in an environment of
its own) and ESLint with its plugins (npm) there on the first run, and runs each tool over the copy, in turn, on one core
(taskset, where there is one). Of several runs the one with the least processor time counts. No tool reads the repository's
own configuration.

semgrep is given the few rules below, since its registry is not asked; ESLint the recommended sets of its security, n and
promise plugins. So the tools do not do the same work: the table says how many rules each had.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from app import library
from app.analysis import folder, languages
from app.analysis.probe import probes

ROOT = Path(__file__).resolve().parents[2]
SEMGREP_RULES = {
    "rules": [
        {
            "id": f"r{number}",
            "languages": ["javascript", "typescript"],
            "severity": "WARNING",
            "message": "found",
            **rule,
        }
        for number, rule in enumerate(
            (
                {"pattern": "fetch($URL)"},
                {"pattern": "eval($CODE)"},
                {"pattern": "$X.forEach(async (...) => { ... })"},
                {"pattern": "exec(`...${$X}...`)"},
                {"pattern": "JSON.parse($REQ.body)"},
                {
                    "mode": "taint",
                    "pattern-sources": [{"pattern": "$REQ.query"}, {"pattern": "$REQ.body"}],
                    "pattern-sinks": [{"pattern": "$DB.query(...)"}],
                },
            )
        )
    ]
}
ESLINT_CONFIG = """\
const security = require("eslint-plugin-security");
const promise = require("eslint-plugin-promise");
const n = require("eslint-plugin-n");
const ts = require("typescript-eslint");
const files = ["**/*.{js,mjs,cjs,jsx,ts,mts,cts,tsx}"];
module.exports = [
  { files, languageOptions: { parser: ts.parser, parserOptions: { ecmaFeatures: { jsx: true } } } },
  { files, linterOptions: { noInlineConfig: true } },
  { files, plugins: { security }, rules: security.configs.recommended.rules },
  { files, plugins: { promise }, rules: promise.configs["flat/recommended"].rules },
  { files, plugins: { n }, rules: { "n/no-sync": "off", "n/no-deprecated-api": "error", "n/no-path-concat": "error" } },
  { files, rules: { "no-await-in-loop": "error", "require-atomic-updates": "error" } },
  { files, rules: { "no-eval": "error", "no-implied-eval": "error" } },
];
"""
PACKAGES = (
    "eslint",
    "typescript",
    "typescript-eslint",
    "eslint-plugin-security",
    "eslint-plugin-promise",
    "eslint-plugin-n",
)


@dataclass(frozen=True)
class Measured:
    """One tool over all files: wall and processor seconds, the most memory one of its processes had, and its findings."""

    tool: str
    rules: int
    seconds: float
    cpu_seconds: float
    memory_mb: float
    findings: int
    problem: str = ""


def copy_sources(trees: Sequence[Path], into: Path) -> tuple[int, int]:
    """Copies the files that all three tools can read; gives their number and lines."""
    shutil.rmtree(into, ignore_errors=True)
    files = lines = 0
    for tree in trees:
        paths, _ = folder.list_paths(tree)
        for portion in folder.read(tree, paths):
            for file in portion.files:
                if languages.of(file.path) in languages.SCRIPT_LANGUAGES:
                    place = into / tree.parent.name / tree.name / file.path
                    place.parent.mkdir(parents=True, exist_ok=True)
                    place.write_text(file.text, encoding="utf-8")
                    files += 1
                    lines += file.text.count("\n") + 1
    return files, lines


def run(
    command: Sequence[str], *, cwd: Path, environment: dict[str, str]
) -> tuple[float, float, float, int, bytes, bytes]:
    """Wall seconds, processor seconds, memory in MB, exit code, output and errors of one command on one core."""
    pinned = ["taskset", "-c", "0", *command] if shutil.which("taskset") else list(command)
    with (cwd / "out.txt").open("wb") as out, (cwd / "err.txt").open("wb") as err:
        started = time.perf_counter()
        process = subprocess.Popen(pinned, cwd=cwd, env=environment, stdout=out, stderr=err)
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
    code = os.waitstatus_to_exitcode(status)
    # Children are in the sums once they were waited for, and the largest process gives the memory.
    output, errors = (cwd / "out.txt").read_bytes(), (cwd / "err.txt").read_bytes()
    return seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, code, output, errors


def principal(code: Path, scratch: Path) -> Measured:
    """`principal rules scan` with all built-in rules."""
    command = [sys.executable, "-m", "app", "rules", "scan", str(code), "--weak", "--format", "json"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PRINCIPAL_RULES": "", "PRINCIPAL_SKILLS": ""}
    seconds, cpu, memory, exit_code, output, errors = run(command, cwd=scratch, environment=environment)
    found = len(json.loads(output)["findings"]) if output else 0
    rules = len(probes(library.load().rules))
    return Measured("principal", rules, seconds, cpu, memory, found, _problem(exit_code, (0, 1, 2), errors))


def semgrep(code: Path, scratch: Path) -> Measured:
    """semgrep with local rules, without its network."""
    home = scratch / "semgrep"
    if not (home / "bin" / "semgrep").exists():
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        subprocess.run([str(home / "bin" / "pip"), "install", "-q", "semgrep"], check=True, stderr=subprocess.DEVNULL)
    rules = scratch / "semgrep.json"
    rules.write_text(json.dumps(SEMGREP_RULES))
    command = [
        *(str(home / "bin" / "semgrep"), "scan", "--config", str(rules), "--metrics=off", "--disable-version-check"),
        *("--jobs", "1", "--no-git-ignore", "--json", "-q", str(code)),
    ]
    environment = {"PATH": f"{home / 'bin'}:{os.environ['PATH']}", "HOME": str(scratch), "LANG": "C.UTF-8"}
    seconds, cpu, memory, exit_code, output, errors = run(command, cwd=scratch, environment=environment)
    found = len(json.loads(output)["results"]) if output else 0
    return Measured(
        "semgrep", len(SEMGREP_RULES["rules"]), seconds, cpu, memory, found, _problem(exit_code, (0, 1), errors)
    )


def eslint(code: Path, scratch: Path) -> Measured:
    """ESLint with the recommended rules of its plugins, and none of the repository's configuration."""
    home = scratch / "eslint"
    if not (home / "node_modules" / "eslint").exists():
        home.mkdir(parents=True, exist_ok=True)
        (home / "package.json").write_text("{}")
        subprocess.run(
            ["npm", "install", "--silent", "--ignore-scripts", "--no-audit", *PACKAGES], cwd=home, check=True
        )
    config = home / "eslint.config.cjs"
    config.write_text(ESLINT_CONFIG)
    inside = home / "code"
    inside.unlink(missing_ok=True)
    inside.symlink_to(code)
    shown = subprocess.run(
        ["node_modules/.bin/eslint", "--config", str(config), "--print-config", "x.ts"],
        cwd=home,
        capture_output=True,
        check=True,
    )
    rules = sum(1 for level in json.loads(shown.stdout)["rules"].values() if level[0])
    command = [
        *(str(home / "node_modules" / ".bin" / "eslint"), "--config", str(config), "--no-ignore", "--format", "json"),
        *("--no-warn-ignored", str(code)),
    ]
    environment = {"PATH": os.environ["PATH"], "HOME": str(scratch)}
    config_there = code.parent / "eslint.config.cjs"
    if not config_there.exists():
        config_there.symlink_to(config)
    seconds, cpu, memory, exit_code, output, errors = run(command, cwd=code.parent, environment=environment)
    found = sum(len(file["messages"]) for file in json.loads(output)) if output else 0
    return Measured("eslint", rules, seconds, cpu, memory, found, _problem(exit_code, (0, 1), errors))


def _problem(code: int, fine: tuple[int, ...], errors: bytes) -> str:
    return "" if code in fine else f"exit code {code}: {errors.decode('utf-8', 'replace').strip()[-300:]}"


TOOLS = {"principal": principal, "semgrep": semgrep, "eslint": eslint}


def main() -> None:
    """Prints one table."""
    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reader.add_argument("--code", type=Path, action="append", required=True)
    reader.add_argument("--scratch", type=Path, required=True)
    reader.add_argument("--skip", default="")
    reader.add_argument("--runs", type=int, default=2)
    asked = reader.parse_args()
    scratch = asked.scratch.resolve()
    scratch.mkdir(parents=True, exist_ok=True)
    code = scratch / "code"
    files, lines = copy_sources([tree.resolve() for tree in asked.code], code)
    print(f"{files:,} files, {lines:,} lines; one core; the best of {asked.runs} runs\n")
    print("| tool | rules | s | processor s | processor s per 1,000 files | memory MB (largest process) | findings |")
    print("|---|---|---|---|---|---|---|")
    for name, tool in TOOLS.items():
        if name in asked.skip.split(","):
            continue
        best = min((tool(code, scratch) for _ in range(asked.runs)), key=lambda one: one.cpu_seconds)
        print(
            f"| {name} | {best.rules} | {best.seconds:.2f} | {best.cpu_seconds:.2f} | "
            f"{best.cpu_seconds / files * 1000:.2f} | {best.memory_mb:.0f} | {best.findings} |"
            f"{' ' + best.problem if best.problem else ''}",
            flush=True,
        )


if __name__ == "__main__":
    main()
