"""What is asked of a file's text before its tree is built loses nothing: all examples of all rules, with and without it."""

from collections.abc import Iterator

import pytest

from app import library
from app.analysis import examples, prefilter
from app.analysis.context import FileContext
from app.analysis.matching import matches
from app.analysis.probe import Probe, probes
from app.analysis.refine import is_asked, shows
from app.core.rule import Rule

LIBRARY = library.load()
PROBES = [one for one in probes(LIBRARY.rules) if one.detector.compare is None and one.detector.ast]
INDEX = prefilter.Index(PROBES)


def files() -> Iterator[tuple[Rule, FileContext]]:
    """The file of every example, with the rule whose example it is."""
    for rule in LIBRARY.rules:
        for detector in rule.detectors:
            for example in detector.examples:
                file = examples.file_of(detector, example)
                yield rule, FileContext(file.path, file.text)


def sees(probe: Probe, file: FileContext) -> bool:
    """Whether the detector finds something when nothing was asked of the text before."""
    return is_asked(probe.detector.refine, file) and bool(matches(probe.detector, file, most=1))


def test_no_detector_loses_what_it_would_see_in_any_example() -> None:
    category = {rule.id: rule.category for rule in LIBRARY.rules}
    checked = 0
    for rule, file in files():
        kept = {id(one) for one in INDEX.may_see(file.text, file.language)}
        for probe in (one for one in PROBES if category[one.rule] is rule.category):
            if file.language in probe.detector.languages and sees(probe, file):
                checked += 1
                assert id(probe) in kept, f"{probe.detector.name} lost {file.path}:\n{file.text}"
                assert shows(probe.detector.refine)(file), f"{probe.detector.name} skipped {file.path}:\n{file.text}"
    assert checked > len(PROBES)


def test_most_examples_need_the_trees_of_few_detectors() -> None:
    asked = [len(INDEX.may_see(file.text, file.language)) for _, file in files() if file.language]
    assert sum(asked) / len(asked) < len(PROBES) / 10


@pytest.mark.parametrize(
    "body",
    [
        "it('adds', () => {\n  add(1, 2);\n});",
        (
            "describe('sums', () => {\n  it('adds', async () => {\n    await add(1, 2);\n  });\n"
            "\n  it('says', () => {\n    expect(1).toBe(1);\n  });\n});"
        ),
        "it(\n  'should check',\n  () => {\n    add(1, 2);\n  }\n);",
        "it('a', () => { add(1, 2); });\nexpect(1);",
        "for (const one of all) it(`adds ${one}`, function () {\n  add(one, 2);\n});",
        "test('adds', () => {\n  const text = `\nexpected\n`;\n  add(text, 2);\n});",
    ],
)
def test_a_test_without_an_assertion_is_seen_however_it_is_laid_out(body: str) -> None:
    file = FileContext("src/add.test.js", f"{body}\n")
    (probe,) = [one for one in PROBES if one.detector.name == "no-assertion"]
    assert sees(probe, file)
    assert shows(probe.detector.refine)(file)


def test_a_file_whose_tests_all_assert_is_not_parsed_for_one_that_does_not() -> None:
    tests = "it('adds', () => {\n  expect(add(1, 2)).toBe(3);\n});\n" * 3
    assert not shows("tests.no-assertion")(FileContext("src/add.test.js", tests))
