"""How long diffs of 50,000 and 500,000 changed lines take to parse, and the memory of that.

Usage: python benchmarks/diff.py
"""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from app.core import diff

FILES, HUNKS, RUNS = 2_500, 2, 5
REMOVED = "-  const total_%d = order.lines.reduce((sum, line) => sum + line.price, 0);\n"
ADDED = "+  const total_%d = order.lines.map((line) => line.price * line.count);\n"


def a_diff(changed_lines: int) -> bytes:
    """A diff half of its lines removed and half added, with the usual three lines of context."""
    each = changed_lines // (FILES * HUNKS * 2)
    parts = []
    for number in range(FILES):
        name = f"src/services/orders/module_{number}.ts"
        parts.append(f"diff --git a/{name} b/{name}\nindex 1111111..2222222 100644\n--- a/{name}\n+++ b/{name}\n")
        for hunk in range(HUNKS):
            at = 1 + hunk * 100
            parts.append(f"@@ -{at},{each + 6} +{at},{each + 6} @@ export async function place(order: Order) {{\n")
            parts.append("   const unchanged = await repository.find(order.id);\n" * 3)
            parts.extend(REMOVED % row for row in range(each))
            parts.extend(ADDED % row for row in range(each))
            parts.append("   return unchanged;\n" * 3)
    return "".join(parts).encode()


def resident_megabytes() -> float:
    """What the process holds in memory now; Linux only."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


def main() -> None:
    for changed_lines in (50_000, 500_000):
        data = a_diff(changed_lines)
        before = resident_megabytes()
        seconds = []
        for _ in range(RUNS):
            start = time.perf_counter()
            files = diff.parse(data)
            seconds.append(time.perf_counter() - start)
            held = resident_megabytes() - before
            changed = sum(file.added + file.removed for file in files)
            del files
        print(
            f"{changed:>7,} changed lines, {FILES:,} files, {len(data) / 1e6:.0f} MB: best {min(seconds):.2f} s, "
            f"worst {max(seconds):.2f} s; {held:.0f} MB held by the result"
        )


if __name__ == "__main__":
    main()
