"""Every detector as shipped: its examples hold in each of its languages, and it can speak for itself."""

from __future__ import annotations

import re

import pytest

from app import library
from app.analysis import compare, examples, parses, refine
from app.analysis.probe import Probe
from app.analysis.scan import scan
from app.core import evidence, rule_file
from app.core.finding import Fix
from app.core.rule import Comparison, Detector, Rule, Strength
from app.core.source import SourceFile, Verdict

LEAST_EXAMPLES = 3
FIRST_DETECTORS = ("timeouts", "secrets", "crypto", "input-validation", "async-io")
SCRIPTS = {"javascript", "typescript", "tsx"}
ONLY_TYPED = {"typescript", "tsx"}
"""For casts and annotations, which JavaScript has no syntax for."""

LIBRARY = library.load()
WITH_DETECTORS = [rule for rule in LIBRARY.rules if rule.detectors]
DETECTORS = [(rule, detector) for rule in WITH_DETECTORS for detector in rule.detectors]
STRONG = [(rule, detector) for rule, detector in DETECTORS if detector.strength is Strength.STRONG]

every_rule = pytest.mark.parametrize("rule", WITH_DETECTORS, ids=lambda rule: rule.id)
every_detector = pytest.mark.parametrize(
    ("rule", "detector"), DETECTORS, ids=[f"{rule.id}-{detector.name}" for rule, detector in DETECTORS]
)
every_strong_detector = pytest.mark.parametrize(
    ("rule", "detector"), STRONG, ids=[f"{rule.id}-{detector.name}" for rule, detector in STRONG]
)


def test_the_shipped_files_load_without_a_warning() -> None:
    assert LIBRARY.warnings == ()
    assert len(LIBRARY.rules) == 41


def test_the_first_strong_detectors_are_there() -> None:
    assert set(FIRST_DETECTORS) <= {rule.id for rule, _ in STRONG}


@every_rule
def test_every_example_shows_what_it_says(rule: Rule) -> None:
    wrong = [shown for shown in examples.check(rule) if shown.problem]
    assert not wrong, "\n\n".join(
        f"{one.detector} ({one.example.language}) {one.problem}:\n{one.example.code}" for one in wrong
    )


@every_detector
def test_a_detector_has_enough_examples_of_both_kinds_in_each_language(rule: Rule, detector: Detector) -> None:
    for language in detector.languages:
        for match in (True, False):
            shown = [one for one in detector.examples if one.language == language and one.match is match]
            assert len({(one.before, one.code, one.file, one.also) for one in shown}) >= LEAST_EXAMPLES, (
                language,
                match,
            )


@every_detector
def test_a_detector_for_one_script_language_is_for_all_of_them(rule: Rule, detector: Detector) -> None:
    scripts = SCRIPTS & set(detector.languages)
    speaks_of_types = rule.id == "typing" or "property_signature" in str(detector.ast)
    assert scripts in (set(), SCRIPTS) or (scripts == ONLY_TYPED and speaks_of_types)


@every_detector
def test_a_detectors_steps_exist(rule: Rule, detector: Detector) -> None:
    assert not detector.refine or detector.refine in refine.names()
    how = detector.compare
    assert how is None or how.what is not Comparison.STEP or how.by in compare.names()


def answers(rule: Rule, detector: Detector) -> list[tuple[str, Fix, str]]:
    """Title, fix and explanation for each example that matches."""
    told = []
    for example in (one for one in detector.examples if one.match):
        for seen in examples.run(rule, detector, example).new:
            finding = evidence.to_finding(seen, rule)
            told.append((finding.title, evidence.to_fix(seen, rule), finding.explanation))
    return told


@every_strong_detector
def test_a_strong_detector_gives_every_part_of_its_answer_or_the_reason_why_not(rule: Rule, detector: Detector) -> None:
    told = answers(rule, detector)
    assert told
    for title, fix, explanation in told:
        assert title[0].isupper() or title[0] == "`"
        assert len(title) <= 110
        assert explanation.endswith(".")
        missing = dict(fix.missing)
        for part in (evidence.PART_NAMES[detector.kind or rule.kind].get(part, part) for part in rule_file.PARTS):
            assert getattr(fix, part) or missing.get(part), part


@every_strong_detector
def test_a_template_leaves_no_name_unfilled(rule: Rule, detector: Detector) -> None:
    for title, fix, explanation in answers(rule, detector):
        for prose in (title, explanation, fix.root_cause, fix.risk, *(reason for _, reason in fix.missing)):
            outside_code = re.sub(r"`[^`]*`", "", prose)
            assert not re.search(r"\{\w+\}", outside_code), prose
            assert not re.search(r"\{(?:where|Where|function|call|line|option|list|source|kind|name|reason)\}", prose)


@every_strong_detector
def test_a_replacement_stands_for_whole_lines_and_leaves_the_file_parsing(rule: Rule, detector: Detector) -> None:
    for example in (one for one in detector.examples if one.match):
        path, code = examples.path_of(example), example.code.replace(examples.JOINT, "")
        for seen in examples.run(rule, detector, example).new:
            if not seen.replacement:
                assert dict(evidence.to_fix(seen, rule).missing).get("patch")
                continue
            lines = code.split("\n")
            assert seen.quote == "\n".join(lines[seen.start_line - 1 : seen.end_line])
            after = "\n".join([*lines[: seen.start_line - 1], seen.replacement, *lines[seen.end_line :]])
            assert parses.check(path, code, after).verdict is Verdict.NO_WORSE
            if detector.compare is not None:
                continue
            again = scan([SourceFile(path, after, whole=True)], [Probe(rule.id, detector)]).new
            assert len(again) < len(scan([SourceFile(path, code, whole=True)], [Probe(rule.id, detector)]).new)
