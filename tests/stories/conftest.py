"""What most stories begin with. A file that needs it otherwise makes its own."""

from __future__ import annotations

import io
import json
import logging

import pytest
import structlog

from app import telemetry
from tests.fakes.contract import described_github


@pytest.fixture
def github():
    with described_github() as sandbox:
        yield sandbox


@pytest.fixture
def lines():
    """The log as the operator reads it: every line so far, parsed."""
    stream = io.StringIO()
    before, root = structlog.get_config(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    telemetry.configure(stream=stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers[:], root.level = handlers, level
    structlog.configure(**before)
