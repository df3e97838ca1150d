"""The webhook of a service of its own: secrets that change, nothing configured, a database that does not take writes."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing

import pytest

from tests.fakes.contract import described_github
from tests.fakes.deliveries import PING, exchange, get, post, rows, signature
from tests.fakes.service import SECRET, Service, environment, until


@pytest.fixture(scope="module")
def github():
    with described_github() as sandbox:
        yield sandbox


def test_s19_both_active_secrets_are_accepted_and_no_other(github, tmp_path):
    old, new = "the-old-secret-of-the-tests", "the-new-secret-of-the-tests"
    with Service(environment(github, tmp_path, GITHUB_WEBHOOK_SECRET=f"{new},{old}")) as rotating:
        for number, (secret, expected) in enumerate([(old, 200), (new, 200), (SECRET, 401)]):
            headers = [("X-Hub-Signature-256", signature(PING, secret))]
            assert post(rotating, PING, guid=f"rotation-{number}", headers=headers)[0] == expected


def test_without_an_app_webhooks_are_told_what_to_set(tmp_path):
    with Service(environment(None, tmp_path)) as unconfigured:
        status, text = post(unconfigured, PING)
        assert status == 503
        assert "GITHUB_APP_ID" in text
        assert get(unconfigured, "/ready")[0] == 200


def test_r08_a_delivery_that_is_not_safe_is_never_answered_with_success(github, tmp_path):
    with Service(environment(github, tmp_path)) as service:
        with closing(sqlite3.connect(tmp_path / "principal.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            status, text = post(service, PING, guid="while-locked")
            assert status == 503
            assert "database" in text
            assert get(service, "/ready")[0] == 503
            assert get(service, "/health")[0] == 200
            other.execute("ROLLBACK")
        assert rows(tmp_path, "while-locked") == []
        assert post(service, PING, guid="while-locked")[0] == 200
        assert get(service, "/ready")[0] == 200


def test_readiness_goes_off_first_when_the_service_stops_and_deliveries_are_safe_until_the_end(github, tmp_path):
    with Service(environment(github, tmp_path)) as service:
        stopping = threading.Thread(target=lambda: service.run(service.engine.stop(grace_seconds=0)))
        stopping.start()
        until(lambda: get(service, "/ready")[0] == 503)
        status, _ = post(service, PING, guid="late")
        assert bool(rows(tmp_path, "late")) == (status == 200)
        stopping.join()
        assert post(service, PING, guid="too-late")[0] == 503
        assert get(service, "/health")[0] == 200


HEADS = {"announced": [("Content-Length", "100")], "chunked": [("Transfer-Encoding", "chunked")]}


def test_r35_a_body_that_stalls_is_given_up(github, tmp_path):
    with Service(environment(github, tmp_path, READ_SECONDS="0.2")) as impatient:
        assert exchange(impatient, HEADS["announced"], [b"abc"])[0] == 408
        assert exchange(impatient, HEADS["chunked"], [b"5\r\nabcde\r\n"])[0] == 408
        assert post(impatient, PING, guid="after-the-stalled")[0] == 200
