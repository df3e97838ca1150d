"""Log lines that a stranger can neither forge nor flood, and metrics that stay bounded."""

import io
import json
import logging
import urllib.request

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from app import telemetry


@pytest.fixture(scope="module")
def lines():
    root = logging.getLogger()
    before, known, raising = list(root.handlers), structlog.get_config(), logging.raiseExceptions
    stream = io.StringIO()
    telemetry.configure(level="INFO", stream=stream)
    yield stream
    root.handlers[:] = before
    logging.raiseExceptions = raising
    structlog.configure(**known)


def said(stream):
    text = stream.getvalue()
    stream.truncate(0)
    stream.seek(0)
    return text


@given(st.text(max_size=50) | st.sampled_from(["\n", "\r\n", "\x1b[31m", "\x00", "\u2028", "\udc80", "x" * 100_000]))
def test_s42_an_event_is_one_line_of_bounded_fields(lines, text):
    with telemetry.bind(title=text):
        telemetry.log.info("review_posted", branch=[text, {"login": text}])
    written = said(lines)
    assert written.endswith("\n")
    assert written.count("\n") == 1
    assert written.isascii()
    assert not any(ord(character) < 32 for character in written[:-1])
    event = json.loads(written)
    assert event["event"] == "review_posted"
    assert len(event["title"]) <= telemetry.FIELD_MAX_CHARACTERS
    assert event["title"] == text or len(text) > telemetry.FIELD_MAX_CHARACTERS


def test_a_library_speaks_json_too(lines):
    logging.getLogger("some.library").warning("odd: %s\n", "x")
    assert json.loads(said(lines))["event"] == "odd: x\n"


def test_a_process_without_a_port_of_its_own_can_serve_its_metrics():
    with telemetry.served("127.0.0.1", 0) as port:
        text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=90).read().decode()
    assert "principal_model_calls_total" in text
    with telemetry.served("127.0.0.1", None) as port:
        assert port is None


def test_a_stack_trace_keeps_its_end(lines):
    def deep(levels):
        return deep(levels - 1) if levels else 1 / 0

    try:
        deep(200)
    except ZeroDivisionError:
        telemetry.log.exception("defect")
    trace = json.loads(said(lines))["exception"]
    assert trace.endswith("ZeroDivisionError: division by zero")
    assert len(trace) <= telemetry.FIELD_MAX_CHARACTERS


def test_fields_end_with_their_block(lines):
    with telemetry.bind(delivery="1"):
        pass
    telemetry.log.info("later")
    assert "delivery" not in json.loads(said(lines))


def test_s34_only_harmless_headers_are_logged():
    given_headers = {
        "x-github-event": "push",
        "x-github-encoded-secret": "aHVzaA==",
        "authorization": "hush",
        "user-agent": "x",
    }
    assert telemetry.headers(given_headers) == {"x-github-event": "push", "user-agent": "x"}


def test_metrics_are_in_prometheus_form():
    telemetry.FINDINGS.labels("security", "high").inc()
    assert b'principal_findings_total{category="security",severity="high"}' in telemetry.metrics()
