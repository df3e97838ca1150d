"""What the bot bears, printed as a table: `python -m benchmarks.load [idle burst steady waiting workers]`.

The bot is a process of its own, as shipped; the client of the webhooks is another one; GitHub is the sandbox and the model a
server, both on loopback in this process. All share the machine's cores, so a run tells little while others use them: the
load average stands beside each figure, and what two runs of one machine can be compared by are the ratios.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.load import reviews, webhooks
from benchmarks.load.bot import Bot, environment, until
from benchmarks.load.client import Sent
from benchmarks.load.world import SlowModel, world

REPOSITORIES, PULLS_EACH = 100, 3
BURST, BURST_PER_SECOND = 10_000, 1000.0
STEADY, STEADY_PER_SECOND = 1500, 50.0
REVIEWS_BESIDE = 20
INSTALLATIONS = 30
STARTED_SECONDS, IDLE_SECONDS = 8.0, 10.0
MODEL_SECONDS = 2.0
NOT_YET = "3000"
"""A quiet period that outlasts the run: the jobs are counted, and no review begins."""

Row = tuple[str, str, str, bool | None]
"""What was measured, the figure, the aim, and whether it was reached; None where there is no aim."""


def burst(folder: Path) -> list[Row]:
    """10,000 webhooks of 100 repositories in ten seconds, after the same against a server that does nothing."""
    with world(repositories=REPOSITORIES, pulls_each=PULLS_EACH) as there:
        payloads = there.payloads("synchronize")
        bare = webhooks.baseline(payloads, number=BURST, per_second=BURST_PER_SECOND)
        with Bot(environment(there.github, folder, PRINCIPAL_QUIET_SECONDS=NOT_YET), folder) as bot:
            before = bot.cost()
            sent = webhooks.send(
                webhooks.address(bot), payloads, number=BURST, per_second=BURST_PER_SECOND, prefix="burst"
            )
            cpu = bot.cost().cpu_seconds - before.cpu_seconds
            database = folder / "data" / "principal.db"
            rows = webhooks.kept(database, "burst").rows
            found = webhooks.decided(database, "burst")
        wrong = webhooks.without_their_one_job(found, there.heads)
    size = sum(map(len, payloads)) / len(payloads) / 1024
    return [
        (f"bare server: {BURST:,} requests of {size:.0f} KiB, p50 / p99", _times(bare), "", None),
        ("… the client sent late (p99), and used", f"{_ms(bare.late_p99)}, {bare.cpu_seconds:.1f} s CPU", "", None),
        ("burst: not answered 2xx", f"{webhooks.refused(sent)} of {BURST:,}", "0", webhooks.refused(sent) == 0),
        ("… sent and answered within", f"{sent.seconds:.1f} s", "", None),
        ("… ack p50 / p99, from when it was due", _times(sent), "p99 ≤ 1 s", sent.p99 <= 1.0),
        ("… p99 over the bare server's", f"{sent.p99 / bare.p99:.0f} x", "", None),
        ("… CPU of the bot for each", f"{cpu / BURST * 1e3:.2f} ms", "", None),
        ("… deliveries lost", f"{BURST - rows} of {BURST:,}", "0", rows == BURST),
        ("… undecided, of those kept", f"{found.states.get('taken', 0)}", "0", found.are_decided),
        ("… pulls without exactly one job, of their newest head", f"{wrong} of {len(there.heads)}", "0", wrong == 0),
    ]


def steady(folder: Path) -> list[Row]:
    """Fifty webhooks a second for half a minute, while reviews run."""
    with world(repositories=REPOSITORIES, pulls_each=1) as there, SlowModel(seconds=MODEL_SECONDS) as model:
        environ = environment(there.github, folder, PRINCIPAL_QUIET_SECONDS="0", **model.environment)
        with Bot(environ, folder) as bot:
            payloads = there.payloads("synchronize")
            beside = payloads[:REVIEWS_BESIDE]
            address = webhooks.address(bot)
            webhooks.send(address, beside, number=REVIEWS_BESIDE, per_second=STEADY_PER_SECOND, prefix="beside")
            until(lambda: model.asked, "no review began")
            sent = webhooks.send(address, payloads, number=STEADY, per_second=STEADY_PER_SECOND, prefix="steady")
            reviewed = there.reviewed()
            kept = webhooks.kept(folder / "data" / "principal.db", "steady").rows
    return [
        ("steady: not answered 2xx, lost", f"{webhooks.refused(sent)}, {STEADY - kept}", "0, 0", kept == STEADY),
        ("… ack p50 / p99 at 50/s", _times(sent), "p99 ≤ 100 ms", sent.p99 <= 0.1),
        ("… reviews posted meanwhile", str(reviewed), "", None),
    ]


def waiting(folder: Path) -> list[Row]:
    """300 reviews that wait for a model which does not answer."""
    with world(repositories=REPOSITORIES, pulls_each=PULLS_EACH) as there:
        found = reviews.waiting(there, folder)
    return [
        ("waiting: reviews in flight at the model", str(found.reviews), "300", found.reviews == 300),
        ("… resident, the process", f"{found.own_mib:.0f} MiB", "≤ 400 MB", found.own_mib * 1.048576 <= 400),
        ("… resident, with the parser's process", f"{found.with_children_mib:.0f} MiB", "", None),
        ("… CPU, of one core", f"{found.cpu_share:.0%}", "≤ 50 %", found.cpu_share <= 0.5),
        ("… all asked the model within", f"{found.begun_seconds:.0f} s", "", None),
        ("… all posted after it answered, within", f"{found.ended_seconds:.0f} s", "", None),
        ("… pulls with exactly one review", str(found.reviewed_once), "300", found.reviewed_once == 300),
    ]


def workers(folder: Path) -> list[Row]:
    """A backlog of 30 installations, cleared by one worker and by three."""

    def seconds(number: int) -> float:
        with world(repositories=INSTALLATIONS, pulls_each=1) as there:
            return reviews.cleared_seconds(there, folder, workers=number, model_seconds=MODEL_SECONDS)

    one, three = seconds(1), seconds(3)
    slots = reviews.SLOTS_OF_A_WORKER
    return [
        (f"backlog of {INSTALLATIONS} installations: one worker of {slots} slots", f"{one:.1f} s", "", None),
        ("… three workers", f"{three:.1f} s", "", None),
        ("… three are faster", f"{one / three:.2f} x", "≥ 2.2 x", one / three >= 2.2),
    ]


def idle(folder: Path) -> list[Row]:
    """A bot that nobody asks for anything, once its start is over."""
    with world(repositories=1, pulls_each=0) as there, Bot(environment(there.github, folder), folder) as bot:
        time.sleep(STARTED_SECONDS)
        before = bot.cost()
        time.sleep(IDLE_SECONDS)
        after = bot.cost()
    return [
        ("idle: CPU, of one core", f"{after.cpu_share(before):.1%}", "", None),
        ("… resident, the process", f"{after.own_mib:.0f} MiB", "", None),
    ]


PARTS: dict[str, Callable[[Path], list[Row]]] = {
    "idle": idle,
    "burst": burst,
    "steady": steady,
    "waiting": waiting,
    "workers": workers,
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all when none is named")
    chosen = parser.parse_args().parts or list(PARTS)
    if unknown := set(chosen) - set(PARTS):
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    table = Table("measured", "figure", "aim", "", "load before / after")
    for part in chosen:
        before = os.getloadavg()[0]
        with tempfile.TemporaryDirectory(prefix="principal-load-") as folder:
            rows = PARTS[part](Path(folder))
        load = f"{before:.1f} / {os.getloadavg()[0]:.1f}"
        for name, figure, aim, reached in rows:
            table.add_row(name, figure, aim, {None: "", True: "yes", False: "NO"}[reached], load)
        table.add_section()
    Console(width=130).print(table)


def _times(sent: Sent) -> str:
    return f"{_ms(sent.p50)} / {_ms(sent.p99)}"


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.1f} ms"


if __name__ == "__main__":
    main()
