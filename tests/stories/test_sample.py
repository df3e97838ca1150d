"""The demo's sample: a change that reads well, runs, and is wrong in known places."""

from __future__ import annotations

import json

import pytest

from app import demo
from app.demo import Defect

SAMPLE = demo.sample()


def test_the_change_adds_and_changes_files_and_removes_none() -> None:
    assert set(SAMPLE.base) < set(SAMPLE.head)
    changed = {path for path, text in SAMPLE.base.items() if SAMPLE.head[path] != text}
    assert "src/server.ts" in changed
    assert "src/orders.ts" not in changed


def test_the_pull_request_tells_what_it_is_for() -> None:
    assert SAMPLE.title == "Charge orders through the new payment gateway"
    assert SAMPLE.body.startswith("We move from")
    assert SAMPLE.branch == "charge-orders"


@pytest.mark.parametrize("defect", demo.DEFECTS, ids=lambda defect: defect.rule)
def test_each_defect_stands_on_one_line_that_the_change_brings(defect: Defect) -> None:
    head = SAMPLE.head[defect.path].splitlines()
    assert sum(defect.quote in line for line in head) == 1
    assert defect.quote not in SAMPLE.base.get(defect.path, "")


def test_the_service_needs_nothing_but_its_runtime() -> None:
    for side in (SAMPLE.base, SAMPLE.head):
        package = json.loads(side["package.json"])
        assert "dependencies" not in package
        assert package["private"] is True


def test_every_file_of_the_sample_ends_with_one_newline() -> None:
    for path, text in (SAMPLE.base | SAMPLE.head).items():
        assert text.endswith("\n"), path
        assert not text.endswith("\n\n"), path
        assert "\r" not in text, path
