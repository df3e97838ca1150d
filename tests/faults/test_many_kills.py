"""Kill -9 again and again while reviews are made: on SQLite, and on PostgreSQL with three workers.

Eight kills during sixteen reviews here; `python -m benchmarks.faults --kills 1` plays twenty during forty.
"""

from __future__ import annotations

import pytest

from tests.fakes import postgres
from tests.faults.many_kills import Killing

KILLS, REVIEWS = 8, 16

pytestmark = pytest.mark.timeout(900)


def test_kill_after_kill_nothing_is_lost_doubled_or_bought_again_on_sqlite(tmp_path):
    with Killing(tmp_path, kills=KILLS, reviews=REVIEWS) as killing:
        report = killing.run()
    print(report)
    assert report.wrong == ()


def test_kill_after_kill_nothing_is_lost_doubled_or_bought_again_among_three_workers(tmp_path):
    with postgres.any_server() as server, postgres.address(server) as address:
        with Killing(tmp_path, database=address, kills=KILLS, reviews=REVIEWS) as killing:
            report = killing.run()
        print(report)
    assert report.wrong == ()
