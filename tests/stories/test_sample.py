"""The demo's sample: a change that reads well, runs, and is wrong in known places."""

from __future__ import annotations

import asyncio
import json

import pytest

from app import demo, library
from app.analysis.scanner import Scanner
from app.core.rule import Evidence, Strength
from app.core.source import SourceFile
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


def changed_files() -> list[SourceFile]:
    return [
        SourceFile(path, text, changed=frozenset(_changed_lines(SAMPLE.base.get(path, ""), text)))
        for path, text in SAMPLE.head.items()
        if SAMPLE.base.get(path) != text
    ]


def _changed_lines(before: str, after: str) -> list[int]:
    known = set(before.splitlines())
    return [number for number, line in enumerate(after.splitlines(), start=1) if line not in known]


async def strong_evidence() -> list[Evidence]:
    async with Scanner() as scanner:
        found = await scanner.scan(changed_files(), library.load().rules)
    return [evidence for evidence in found.new if evidence.strength is Strength.STRONG]


def test_the_rules_alone_find_what_needs_no_model_and_nothing_else() -> None:
    found = [(evidence.rule, evidence.path, evidence.start_line) for evidence in asyncio.run(strong_evidence())]
    expected = [(defect.rule, defect.path, _line_of(defect)) for defect in demo.DEFECTS if not defect.needs_model]
    assert sorted(found) == sorted(expected)


def _line_of(defect: Defect) -> int:
    lines = SAMPLE.head[defect.path].splitlines()
    return next(number for number, line in enumerate(lines, start=1) if defect.quote in line)
