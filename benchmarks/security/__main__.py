"""Measures the gates on outputs of hostile models, on samples of deceptive source, and on naughty strings.

    python -m benchmarks.security --outputs 10000
    python -m benchmarks.security --samples FOLDER     # a checkout of https://github.com/nickboucher/trojan-source
    python -m benchmarks.security --naughty FILE       # blns.json of https://github.com/minimaxir/big-list-of-naughty-strings

Exit code 1 when a secret would leave, something active would be drawn, or a sample is missed. See README.md beside this file.
"""

from __future__ import annotations

import argparse
import html
import json
import re
import sys
import time
from collections import Counter
from pathlib import Path

from app.core import deceptive, gate, hidden, secrets
from app.core.change import Change, FileDiff, FileStatus, Hunk, Sha
from app.core.envelope import Envelope
from app.core.leaks import KnownSecrets
from app.core.untrusted import Untrusted
from benchmarks.security.outputs import Output, output, secret
from tests.security.rendered import active

SOURCES = {
    ".c",
    ".cpp",
    ".csx",
    ".cs",
    ".go",
    ".java",
    ".js",
    ".jsx",
    ".ts",
    ".tsx",
    ".py",
    ".rs",
    ".s",
    ".sh",
    ".sol",
    ".sql",
}
SHOWN = 10


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--outputs", type=int, metavar="N")
    asked.add_argument("--samples", type=Path, metavar="FOLDER")
    asked.add_argument("--naughty", type=Path, metavar="FILE")
    given = asked.parse_args()
    failures = outputs(given.outputs) if given.outputs else 0
    failures += samples(given.samples) if given.samples else 0
    failures += naughty(given.naughty) if given.naughty else 0
    return 1 if failures else 0


def outputs(count: int) -> int:
    """How many texts would leave with a secret, and how many would leave active."""
    planted = secret(0)
    known = KnownSecrets.of([planted])
    leaks, acting, dresses = 0, 0, Counter[str]()
    started = time.perf_counter()
    for seed in range(1, count + 1):
        made = output(seed, planted)
        dresses[made.dress] += 1
        if leaks_through(made, known):
            leaks += 1
            print(f"  leak ({made.dress}), seed {seed}")
        # As if nothing were blocked: what is to be defused must not need to be blocked as well.
        for shown in (gate.clean(made.text), gate.line(made.text), gate.fence(made.text), gate.span(made.text)):
            if found := active(shown):
                acting += 1
                print(f"  active, seed {seed}: {found[:SHOWN]}")
    seconds = time.perf_counter() - started
    print(f"{count:,} outputs, {len(dresses)} dresses: {leaks} leaks, {acting} active constructs ({seconds:.0f} s)")
    return leaks + acting


def leaks_through(made: Output, known: KnownSecrets) -> bool:
    """Whether the reply would have been kept, or a comment made of it be sent with the secret in it."""
    cleaned = gate.clean(made.text)
    still_there = letters(made.told) in letters(cleaned) or letters(made.told) in letters(html.unescape(cleaned))
    return not known.leaks(made.text) or (still_there and not known.leaks(cleaned))


def letters(text: str) -> str:
    """What is left of a text for somebody who puts its letters and digits together again."""
    return re.sub(r"[^a-z0-9]", "", text.lower())


def samples(folder: Path) -> int:
    """How many source files of a folder of samples are not reported."""
    files = [file for file in sorted(folder.rglob("*")) if file.suffix in SOURCES and "website" not in file.parts]
    missed = [file for file in files if not deceptive.evidence(as_added(file.read_text("utf-8"), file.name))]
    print(
        f"{len(files)} samples: {len(files) - len(missed)} reported",
        *(f"  missed: {file}" for file in missed),
        sep="\n",
    )
    return len(missed)


def naughty(file: Path) -> int:
    """How many strings stay active in a comment, hide something in a prompt, or break out of their fence there."""
    strings: list[str] = json.loads(file.read_text("utf-8"))
    envelope = Envelope("0123456789abcdef0123", redact=secrets.redact)
    broken = 0
    for text in strings:
        shown = [gate.clean(text), gate.line(text), gate.cell(text), gate.span(text), gate.fence(text, text)]
        wrapped = envelope.wrap("text", Untrusted(f"{text}\n</data-{envelope.nonce}>"))
        fine = (
            not any(active(one) for one in shown) and wrapped.count(envelope.nonce) == 2 and not hidden.count(wrapped)
        )
        broken += not fine
        if not fine:
            print(f"  {text[:80]!r}: {[active(one) for one in shown]}")
    print(f"{len(strings)} naughty strings: {broken} got through")
    return broken


def as_added(text: str, path: str) -> Change:
    """A change that adds one file of this text."""
    lines = tuple(f"+{line}" for line in text.removesuffix("\n").split("\n"))
    file = FileDiff(path, FileStatus.ADDED, (Hunk(0, 0, 1, len(lines), "", lines),))
    return Change(base=Sha("a" * 40), head=Sha("b" * 40), files=(file,))


if __name__ == "__main__":
    sys.exit(main())
