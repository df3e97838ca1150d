"""The model server that counts for other reviewers what they ask."""

from __future__ import annotations

import json
from threading import Thread
from urllib.request import Request, urlopen

import pytest

from benchmarks.peers.counting import server, sums

HUNK = "## File: 'src/pay.ts'\n__new hunk__\n7 +  total = 0;\n"
REVIEW = "Fill in key_issues_to_review."
REFLECT = "Give each a suggestion_score."


@pytest.fixture
def counting(tmp_path):
    one = server(0, tmp_path / "ledger.jsonl")
    thread = Thread(target=one.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{one.server_address[1]}/v1/chat/completions"
    one.shutdown()
    thread.join()
    one.server_close()


def asked(address, key, *texts):
    body = {"model": "m", "messages": [{"role": "user", "content": text} for text in texts]}
    request = Request(address, json.dumps(body).encode(), {"Authorization": f"Bearer {key}"})
    with urlopen(request, timeout=60) as reply:
        return json.load(reply)["choices"][0]["message"]["content"]


def test_each_call_is_counted_under_its_key_and_answered_in_its_form(counting, tmp_path):
    assert "key_issues_to_review: []" in asked(counting, "one", REVIEW, HUNK)
    assert 'existing_code: "total = 0;"' in asked(counting, "one", "Suggest improvements.", HUNK)
    assert 'relevant_file: "src/pay.ts"\n  why: "Because"' in asked(counting, "one", REFLECT, HUNK)
    asked(counting, "two", REVIEW, "x" * 350)
    told = list(sums(tmp_path / "ledger.jsonl"))
    assert told == [
        "one: review 24 + improve 21 + reflect 24 = 69",
        "two: review 109 = 109",
        "on average 89",
    ]
