"""GitHub's own example payloads: every one is an event or is ignored with a reason."""

import os
from pathlib import Path

import pytest

from app.events import Ignored, PullEvent, RemovedEvent, parse

FOLDER = Path(__file__).parents[2].parent / "shared" / "contract" / "webhook-payloads"
PAYLOADS = sorted(path for path in FOLDER.glob("*.json") if path.name != "index.json")
REQUIRED = os.environ.get("PRINCIPAL_CONTRACT_REQUIRED") == "1"


@pytest.fixture(autouse=True)
def _recorded():
    if not PAYLOADS:
        (pytest.fail if REQUIRED else pytest.skip)(f"GitHub's example payloads are not at {FOLDER}")


def test_all_of_them_are_there():
    assert len(PAYLOADS) == 88


@pytest.mark.parametrize("path", PAYLOADS or [FOLDER], ids=lambda path: path.name)
def test_a_recorded_payload_is_an_event_or_is_ignored_with_a_reason(path):
    event = parse(path.name.partition(".")[0], path.read_bytes())
    assert not isinstance(event, Ignored) or event.reason


def test_what_takes_repositories_away_is_understood():
    taking = ("installation.deleted.", "installation_repositories.removed.")
    found = [path for path in PAYLOADS if path.name.startswith(taking)]
    assert found
    assert all(isinstance(parse(path.name.partition(".")[0], path.read_bytes()), RemovedEvent) for path in found)


def test_every_handled_action_that_is_recorded_is_handled():
    events = [parse(path.name.partition(".")[0], path.read_bytes()) for path in PAYLOADS]
    handled = {event.action for event in events if isinstance(event, PullEvent)}
    assert {"opened", "reopened", "synchronize", "ready_for_review", "closed", "converted_to_draft"} <= handled
