"""Fuzz one target for some minutes and say how it went. Needs atheris: `pip install principal[fuzz]` or `pip install atheris`.

    python -m benchmarks.fuzz webhook --minutes 10

Prints executions, covered edges and what broke; ends with 1 when something did. Inputs that broke it stand in the corpus folder.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HANG_SECONDS = 10
LONGEST_INPUT = 8192
MEMORY_MEGABYTES = 2048


def main() -> int:
    arguments = _parser().parse_args()
    if arguments.child:
        return _fuzz(arguments.target, arguments.child)
    folder = Path(arguments.corpus or tempfile.mkdtemp(prefix="principal-fuzz-")).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    options = [
        f"-max_total_time={round(arguments.minutes * 60)}",
        f"-timeout={HANG_SECONDS}",
        f"-max_len={LONGEST_INPUT}",
        f"-rss_limit_mb={MEMORY_MEGABYTES}",
        f"-artifact_prefix={folder}/broken-",
        "-print_final_stats=1",
        str(folder),
    ]
    child = [sys.executable, "-m", "benchmarks.fuzz", arguments.target, "--child", *options]
    ran = subprocess.run(child, stderr=subprocess.PIPE, text=True, errors="replace", check=False)
    print(_summary(arguments.target, ran.stderr, broke=ran.returncode != 0))
    if ran.returncode:
        print("\n".join(ran.stderr.splitlines()[-40:]), file=sys.stderr)
    return int(ran.returncode != 0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz", description=__doc__)
    parser.add_argument("target", choices=["webhook", "diff", "reply", "policy", "markdown"])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--corpus", help="a folder that keeps what was found for the next run")
    parser.add_argument("--child", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return parser


def _fuzz(name: str, options: list[str]) -> int:
    import atheris  # noqa: PLC0415 - only here: whoever asks for --help need not have it.

    with atheris.instrument_imports(include=["app"]):
        from benchmarks.fuzz.targets import TARGETS  # noqa: PLC0415 - what is imported before is not watched.

    target = TARGETS[name]
    folder = Path(options[-1])
    for number, seed in enumerate(target.seeds):
        (folder / f"seed-{number}").write_bytes(seed)
    atheris.Setup([sys.argv[0], *options], target.feed)
    atheris.Fuzz()
    return 0


def _summary(name: str, said: str, *, broke: bool) -> str:
    units = re.findall(r"stat::number_of_executed_units:\s*(\d+)", said) or re.findall(r"^#(\d+)", said, re.MULTILINE)
    covered = re.findall(r"cov: (\d+) ft: (\d+)", said)
    edges, features = covered[-1] if covered else ("0", "0")
    outcome = "BROKEN" if broke else "nothing broke"
    return f"{name}: {units[-1] if units else 0} executions, {edges} edges, {features} features, {outcome}"


if __name__ == "__main__":
    sys.exit(main())
