"""The rules as shipped: all of them are there, complete, and filed where the priority model says."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

RULES = Path(__file__).parents[2] / "rules"
FILES = sorted(RULES.rglob("*.yml"))

CATEGORIES = (
    "correctness",
    "reliability",
    "security",
    "performance",
    "observability",
    "data",
    "scalability",
    "experience",
)
SKILLS = {
    "all": {"node", "javascript", "typescript"},
    "js, ts": {"javascript", "typescript"},
    "node": {"node"},
    "ts": {"typescript"},
}
CONTRACT = {
    "correctness": {
        "all": "api-contracts input-validation idempotency invariants",
        "js, ts": "time-utc",
    },
    "reliability": {"all": "timeouts retries circuit-breakers bulkheads load-shedding"},
    "security": {"all": "authz secrets data-min crypto", "js, ts": "supply-chain"},
    "performance": {
        "all": "pooling cache profiling",
        "js, ts": "async-io batching",
        "node": "event-loop streams",
    },
    "observability": {"all": "structured-logs metrics tracing alerts", "js, ts": "deploys"},
    "data": {"all": "transactions schema-evolution outbox", "js, ts": "id-generation read-models"},
    "scalability": {"all": "stateless partitioning versioning backpressure", "js, ts": "config"},
    "experience": {"all": "tests determinism lint", "ts": "typing"},
}
KEYS = {
    "id",
    "title",
    "category",
    "priority",
    "kind",
    "severity",
    "languages",
    "in",
    "summary",
    "guidance",
    "references",
    "why",
    "detectors",
}
LANGUAGES = {"javascript", "typescript", "tsx", "python", "any"}


@cache
def load(path: Path) -> dict[str, Any]:
    rule = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(rule, dict)
    return rule


def expected() -> dict[str, tuple[str, set[str]]]:
    """Each identifier with its category and the skills that name it."""
    return {
        rule: (category, SKILLS[skills])
        for category, groups in CONTRACT.items()
        for skills, names in groups.items()
        for rule in names.split()
    }


every_rule = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


def test_the_rules_are_exactly_the_forty_one_identifiers() -> None:
    assert len(expected()) == 41
    assert sorted(path.stem for path in FILES) == sorted(expected())


def test_the_folders_are_exactly_the_eight_categories() -> None:
    assert {path.name for path in RULES.iterdir() if path.is_dir()} == set(CATEGORIES)


@pytest.mark.parametrize(("skill", "count"), [("node", 32), ("javascript", 38), ("typescript", 39)])
def test_each_skill_names_as_many_rules_as_its_document(skill: str, count: int) -> None:
    assert sum(skill in load(path)["in"] for path in FILES) == count


@every_rule
def test_a_rule_is_filed_under_its_id_and_category(path: Path) -> None:
    rule = load(path)
    category, skills = expected()[path.stem]
    assert rule["id"] == path.stem
    assert rule["category"] == path.parent.name == category
    assert rule["priority"] == CATEGORIES.index(category) + 1
    assert set(rule["in"]) == skills
    assert len(rule["in"]) == len(skills)


@every_rule
def test_a_rule_has_every_key_and_only_known_values(path: Path) -> None:
    rule = load(path)
    assert set(rule) >= KEYS
    assert rule["kind"] in {"bug", "performance", "design"}
    assert rule["severity"] in {"critical", "high", "medium", "low"}
    assert rule["languages"]
    assert set(rule["languages"]) <= LANGUAGES
    assert isinstance(rule["detectors"], list)
    for key in ("title", "summary", "why"):
        assert isinstance(rule[key], str)
        assert rule[key].strip()


@every_rule
def test_a_rule_says_what_to_flag_what_not_to_and_which_question_settles_it(path: Path) -> None:
    guidance = load(path)["guidance"]
    assert set(guidance) == {"look_for", "do_not_flag", "question", "recommend"}
    for key, least in (("look_for", 4), ("do_not_flag", 3), ("recommend", 3)):
        lines = guidance[key]
        assert len(lines) >= least, key
        assert all(isinstance(line, str) and line.strip() for line in lines), key
        assert len(set(lines)) == len(lines), key
    assert guidance["question"].endswith("?")


@every_rule
def test_a_rule_explains_itself_in_two_to_four_sentences(path: Path) -> None:
    sentences = re.findall(r"[.!?](?:\s|$)", load(path)["why"].strip())
    assert 2 <= len(sentences) <= 4


@every_rule
def test_a_rule_points_to_public_pages_by_https(path: Path) -> None:
    references = load(path)["references"]
    assert references
    for reference in references:
        assert re.fullmatch(r".+ — https://[a-z0-9.-]+\.[a-z]{2,}/\S*", reference), reference


@every_rule
def test_the_guidance_of_a_rule_is_short_enough_to_send_with_every_review(path: Path) -> None:
    """About 700 tokens, at four characters each."""
    guidance = load(path)["guidance"]
    text = " ".join([*guidance["look_for"], *guidance["do_not_flag"], *guidance["recommend"], guidance["question"]])
    assert len(text) <= 2_800
