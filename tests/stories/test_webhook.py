"""The webhook: what is let in, what is kept out, and what GitHub is told. Over real HTTP, with a real database."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from urllib.parse import urlsplit

import pytest

from app.web.webhook import BODY_AT_MOST_BYTES, is_signed
from tests.fakes.contract import described_github
from tests.fakes.deliveries import PING, chunk, exchange, get, post, rows, signature
from tests.fakes.ledger import Ledger
from tests.fakes.service import SECRET, Service, environment

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def github():
    with described_github() as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("webhook")


@pytest.fixture(scope="module")
def service(github, folder):
    with Ledger() as ledger, Service(environment(github, folder, ledger.url)) as running:
        yield running


# Proof


def test_githubs_own_test_vector_is_accepted():
    secret = b"It's a Secret to Everybody"
    given = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert is_signed(b"Hello, World!", [given], [secret])
    assert not is_signed(b"Hello, World?", [given], [secret])


def test_a_signed_delivery_is_recorded_before_the_answer(service, folder):
    status, text = post(service, PING, guid="signed-1")
    assert status == 200
    assert json.loads(text) == {"status": "ignored", "reason": "ping is not acted on", "job": None}
    assert rows(folder, "signed-1") == [("ignored", "ping is not acted on")]


GOOD = signature(PING)


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Hub-Signature-256": None},
        {"X-Hub-Signature-256": ""},
        {"X-Hub-Signature-256": "sha256="},
        {"X-Hub-Signature-256": GOOD[:-1]},
        {"X-Hub-Signature-256": GOOD + "0"},
        {"X-Hub-Signature-256": GOOD.upper().replace("SHA256", "sha256")},
        {"X-Hub-Signature-256": GOOD[:-1] + "g"},
        {"X-Hub-Signature-256": "sha1=" + hmac.new(SECRET.encode(), PING, hashlib.sha1).hexdigest()},
        {"X-Hub-Signature-256": None, "X-Hub-Signature": "sha1=" + hmac.new(SECRET.encode(), PING, "sha1").hexdigest()},
        {"X-Hub-Signature-256": signature(PING + b" ")},
        {"X-Hub-Signature-256": signature(PING, "another-secret-of-somebody")},
        {"X-Hub-Signature-256": "sha256=" + "é" * 64},
        {"X-Hub-Signature-256": f"{GOOD}, {GOOD}"},
        {"X-Hub-Signature-256": f" {GOOD} x"},
    ],
    ids=range(14),
)
def test_s17_what_is_not_signed_is_refused_and_leaves_no_row(service, folder, headers):
    status, text = post(service, PING, guid="unsigned", headers=headers.items())
    assert status == 401
    assert "signature" in text
    assert rows(folder, "unsigned") == []


def test_s17_a_second_signature_header_is_refused(service):
    headers = [("Content-Length", str(len(PING))), ("X-Hub-Signature-256", GOOD), ("X-Hub-Signature-256", GOOD)]
    assert exchange(service, headers, [PING])[0] == 401


def test_s17_unsigned_rubbish_is_not_even_parsed(service):
    assert post(service, b"[" * 1000, sign=False)[0] == 401


@pytest.mark.parametrize("missing", ["X-GitHub-Delivery", "X-GitHub-Event"])
@pytest.mark.parametrize("value", [None, "", "../../etc/passwd", "a b", "x" * 65])
def test_a_delivery_names_itself_and_its_event(service, missing, value):
    status, text = post(service, PING, headers=[(missing, value)])
    assert status == 400
    assert missing.lower() in text


# Bodies


def test_r36_the_largest_body_github_sends_is_accepted(service):
    body = b'{"a":"' + b"x" * (BODY_AT_MOST_BYTES - 8) + b'"}'
    assert len(body) == BODY_AT_MOST_BYTES
    assert post(service, body, guid="largest", event="push")[0] == 200


def test_r36_a_larger_body_is_refused_when_announced(service):
    headers = [("Content-Length", str(BODY_AT_MOST_BYTES + 1))]
    assert exchange(service, headers, [b"x"])[0] == 413


@pytest.mark.parametrize("length", ["-1", "1e9", "9" * 30, "0x10"])
def test_r36_a_length_that_is_none_is_refused(service, length):
    assert exchange(service, [("Content-Length", length)], [b"x"])[0] in (400, 413)


def test_r36_a_larger_body_is_refused_when_it_comes_in_chunks(service):
    parts = [chunk(b"x" * MIB) for _ in range(300)]
    status, _ = exchange(service, [("Transfer-Encoding", "chunked")], parts)
    assert status == 413


def test_r36_a_small_body_in_chunks_is_accepted(service):
    headers = [
        ("Transfer-Encoding", "chunked"),
        ("Content-Type", "application/json"),
        ("X-GitHub-Delivery", "chunks"),
        ("X-GitHub-Event", "ping"),
        ("X-Hub-Signature-256", GOOD),
    ]
    assert exchange(service, headers, [chunk(PING[:5]), chunk(PING[5:]), b"0\r\n\r\n"])[0] == 200


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "GZIP"])
def test_r36_an_encoded_body_is_refused(service, encoding):
    assert post(service, PING, headers=[("Content-Encoding", encoding)])[0] == 415


def test_a_form_is_refused_with_what_to_set(service):
    status, text = post(service, b"payload=%7B%7D", headers=[("Content-Type", "application/x-www-form-urlencoded")])
    assert status == 415
    assert "application/json" in text


def test_a_client_that_leaves_in_the_middle_disturbs_nobody(service):
    address = urlsplit(service.url)
    with socket.create_connection((address.hostname, address.port)) as leaving:
        leaving.sendall(b"POST /webhooks/github HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc")
    assert post(service, PING, guid="after-the-leaver")[0] == 200


@pytest.mark.parametrize("event", ["pull_request", "issue_comment", "ping"])
@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'{"a":NaN}', b'{"a":"\\ud800"}', b'{"a":' + b"[" * 100_000, b'{"a":' + b"9" * 9999 + b"}"],
    ids=range(7),
)
def test_s47_signed_rubbish_is_a_bad_request(service, folder, event, body):
    status, text = post(service, body, guid="rubbish", event=event)
    assert status == 400
    assert "payload" in text
    assert rows(folder, "rubbish") == []


def test_s57_an_id_that_is_none_is_a_bad_request(service):
    body = json.dumps({"action": "opened", "pull_request": {"number": "7"}, "repository": {"id": -1}}).encode()
    assert post(service, body, event="pull_request")[0] == 400


# Duplicates


def test_s41_r30_fifty_copies_at_once_are_one_delivery(github, service, folder):
    """S-41: each is told that it is safe, one of them that it is new."""
    pull = github.create_repository("acme/copies", files={"a.ts": "1"}).open_pull(files={"a.ts": "2"})
    body = github.payload("opened", pull)
    gate = github.faults.hold("GET", "*/pulls/*")
    with ThreadPoolExecutor(max_workers=25) as people:
        answers = list(people.map(lambda _: post(service, body, guid="fifty", event="pull_request"), range(50)))
    gate.release()
    assert sorted(status for status, _ in answers) == [200] * 49 + [202]
    said = [json.loads(text) for _, text in answers]
    assert sorted(one["status"] for one in said) == ["accepted"] + ["duplicate"] * 49
    assert {one["job"] for one in said} == {"delivery:fifty:1"}
    assert len(rows(folder, "fifty")) == 1
    assert len(service.wait_until_over(pull)) == 1


def test_many_different_deliveries_at_once_are_all_safe(service, folder):
    def deliver(number):
        return post(service, PING, guid=f"crowd-{number}")[0]

    with ThreadPoolExecutor(max_workers=25) as people:
        assert set(people.map(deliver, range(200))) == {200}
    with closing(sqlite3.connect(folder / "principal.db")) as database:
        (count,) = database.execute("SELECT count(*) FROM principal_deliveries WHERE guid LIKE 'crowd-%'").fetchone()
    assert count == 200


# Health and metrics


def test_health_readiness_and_metrics(service):
    assert get(service, "/health") == (200, '{"status":"alive"}')
    assert get(service, "/ready") == (200, '{"status":"ready"}')
    post(service, PING, sign=False)
    status, text = get(service, "/metrics")
    assert status == 200
    assert 'principal_webhooks_total{outcome="refused_401"}' in text
    assert 'principal_queue_depth{queue="ingest"}' in text
    assert "principal_webhook_seconds_bucket" in text


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json", "/webhooks/github", "/nothing"])
def test_s58_nothing_else_is_shown(service, path):
    assert get(service, path)[0] in (404, 405)
