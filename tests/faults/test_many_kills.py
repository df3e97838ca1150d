"""Kill -9, twenty times during forty reviews: on SQLite, and on PostgreSQL with three workers."""

from __future__ import annotations

import pytest

from tests.fakes import postgres
from tests.faults.many_kills import Killing

pytestmark = pytest.mark.timeout(300)


def test_twenty_kills_lose_nothing_double_nothing_and_buy_nothing_again_on_sqlite(tmp_path):
    with Killing(tmp_path) as killing:
        report = killing.run()
    print(report)
    assert report.wrong == ()


def test_twenty_kills_among_three_workers_lose_nothing_double_nothing_and_buy_nothing_again(tmp_path):
    with postgres.any_server() as server, postgres.address(server) as address:
        with Killing(tmp_path, database=address) as killing:
            report = killing.run()
        print(report)
    assert report.wrong == ()
