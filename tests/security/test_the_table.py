"""The page of threats says what the tests say."""

from __future__ import annotations

import importlib.util
from pathlib import Path

ROOT = Path(__file__).parents[2]
SPEC = importlib.util.spec_from_file_location("threats", ROOT / "docs" / "threats.py")
assert SPEC is not None
assert SPEC.loader is not None
THREATS = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(THREATS)


def test_the_page_of_threats_names_the_tests_that_there_are():
    assert THREATS.PAGE.read_text() == THREATS.page(), "run: python docs/threats.py"


def test_every_case_has_its_line_and_its_threat():
    assert [case.number for case in THREATS.CASES] == list(range(1, 61))
    assert {case.threat for case in THREATS.CASES} == set(THREATS.THREATS)


def test_every_case_has_a_test():
    assert sorted(THREATS.tests()) == list(range(1, 61))
