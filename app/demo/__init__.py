"""The sample service and its pull request, as values: what `principal demo` opens and reviews.

A small order service in TypeScript (`sample/base`), and a pull request that charges orders through a payment gateway
(`sample/head` holds the files it adds or changes). The service runs and its tests pass on both sides; the change is wrong all
the same, in the ways `DEFECTS` lists.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable

BRANCH = "charge-orders"


@dataclass(frozen=True, slots=True)
class Defect:
    """Something wrong with the sample's change: the rule it breaks, the file, and a piece of the line it stands on.

    `needs_model` marks what is told only when a model reads it, though a weak detector may point there. The others are told
    by strong ones.
    """

    rule: str
    path: str
    quote: str
    needs_model: bool = False


DEFECTS = (
    Defect("timeouts", "src/gateway.ts", "await fetch(`${this.#url}/v2/charges`"),
    Defect("secrets", "src/gateway.ts", "const apiKey = ", needs_model=True),
    Defect("crypto", "src/gateway.ts", "rejectUnauthorized: false"),
    Defect("input-validation", "src/server.ts", "JSON.parse(await readText(request))", needs_model=True),
    Defect("async-io", "src/nightly.ts", ".forEach(async ("),
    Defect("idempotency", "src/charge.ts", "withRetry(() => gateway.charge(", needs_model=True),
    Defect("outbox", "src/charge.ts", 'store.addEvent("order.paid", order.id)', needs_model=True),
)


@dataclass(frozen=True, slots=True)
class Sample:
    """A service before and after a pull request: path → text for the whole tree on each side, and the pull's words."""

    base: dict[str, str]
    head: dict[str, str]
    title: str
    body: str
    branch: str


def sample() -> Sample:
    """The sample service and its pull request, read from the package."""
    root = resources.files(__name__) / "sample"
    base = _texts(root / "base")
    title, _, body = (root / "pull_request.md").read_text("utf-8").partition("\n")
    return Sample(
        base=base, head={**base, **_texts(root / "head")}, title=title.strip(), body=body.strip() + "\n", branch=BRANCH
    )


def _texts(folder: Traversable, prefix: str = "") -> dict[str, str]:
    texts: dict[str, str] = {}
    for entry in sorted(folder.iterdir(), key=lambda one: one.name):
        if entry.is_dir():
            texts |= _texts(entry, f"{prefix}{entry.name}/")
        else:
            texts[f"{prefix}{entry.name}"] = entry.read_text("utf-8")
    return texts
