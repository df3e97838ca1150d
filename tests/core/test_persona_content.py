"""The personas as shipped: their front matter is sound, their rules exist, and what they promise stands in the text."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PERSONAS = ROOT / "prompts" / "personas"
FOLDERS = sorted(path.parent for path in PERSONAS.glob("*/SKILL.md"))
RULES = {
    path.stem: yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader) for path in (ROOT / "rules").rglob("*.yml")
}

NODE = "backend-principle-eng-nodejs-pro-max"
JAVASCRIPT = "backend-principle-eng-javascript-pro-max"
TYPESCRIPT = "backend-principle-eng-typescript-pro-max"
EXPERT = "backend-expert-nodejs"
CORE = "common-core"

SKILL_OF = {NODE: "node", JAVASCRIPT: "javascript", TYPESCRIPT: "typescript"}
LISTS = ("aliases", "languages", "extensions", "paths", "activation", "imports", "rules", "references")

BODY_LIMIT = 7_200
"""Characters, about 1,800 tokens: the body is sent with every review."""
REFERENCE_LIMIT = 10_000
DESCRIPTION_LIMIT = 1_024
"""The Agent Skills format's own limit."""

LEVELS = {
    "Correctness & Contracts": "CRITICAL",
    "Reliability & Resilience": "CRITICAL",
    "Security & Privacy": "CRITICAL",
    "Performance & Efficiency": "HIGH",
    "Observability & Operability": "HIGH",
    "Data & Consistency": "HIGH",
    "Scalability & Evolution": "MEDIUM",
    "Developer Experience & Testing": "MEDIUM",
}
ACTIVATION = [
    "backend",
    "backend expert",
    "nodejs backend",
    "fix backend",
    "optimize node",
    "node memory leak",
    "api design",
    "db transaction",
]


def read(folder: Path) -> tuple[dict[str, Any], str]:
    """The front matter and the body of a persona's document."""
    text = (folder / "SKILL.md").read_text(encoding="utf-8")
    opening, front, body = text.split("---\n", 2)
    assert opening == ""
    return yaml.safe_load(front), body


def metadata(name: str) -> dict[str, Any]:
    front, _ = read(PERSONAS / name)
    found = front["metadata"]
    assert isinstance(found, dict)
    return found


def priority_table(body: str) -> list[list[str]]:
    """The cells of the rows of the priority model, its head left out."""
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in body.splitlines() if line.startswith("| ")
    ][1:]


every_persona = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
core_personas = pytest.mark.parametrize("name", [NODE, JAVASCRIPT, TYPESCRIPT, CORE])


def test_the_four_personas_and_the_common_core_are_shipped() -> None:
    assert {folder.name for folder in FOLDERS} == {NODE, JAVASCRIPT, TYPESCRIPT, EXPERT, CORE}


@every_persona
def test_a_persona_is_a_valid_agent_skill(folder: Path) -> None:
    front, body = read(folder)
    assert front["name"] == folder.name
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", front["name"])
    assert len(front["name"]) <= 64
    assert 0 < len(front["description"].strip()) <= DESCRIPTION_LIMIT
    assert body.strip().startswith("# ")


@every_persona
def test_a_persona_carries_every_key_that_the_library_reads(folder: Path) -> None:
    front, _ = read(folder)
    found = front["metadata"]
    assert isinstance(found["title"], str)
    assert isinstance(found["header"], str)
    for key in LISTS:
        assert isinstance(found[key], list), key
    assert found["aliases"]
    assert all(extension.startswith(".") for extension in found["extensions"])


def test_no_two_personas_answer_to_the_same_name() -> None:
    names = [name for folder in FOLDERS for name in (folder.name, *metadata(folder.name)["aliases"])]
    assert len({name.casefold() for name in names}) == len(names)


@every_persona
def test_every_rule_of_a_persona_exists(folder: Path) -> None:
    assert set(metadata(folder.name)["rules"]) <= set(RULES)


@pytest.mark.parametrize(("name", "count"), [(NODE, 32), (JAVASCRIPT, 38), (TYPESCRIPT, 39)])
def test_a_persona_owns_the_rules_of_its_skill_document(name: str, count: int) -> None:
    owned = metadata(name)["rules"]
    assert len(owned) == len(set(owned)) == count
    assert set(owned) == {rule for rule, content in RULES.items() if SKILL_OF[name] in content["in"]}


def test_the_common_core_owns_what_all_three_skills_share() -> None:
    shared = set.intersection(*(set(metadata(name)["rules"]) for name in SKILL_OF))
    assert set(metadata(CORE)["rules"]) == shared
    assert len(shared) == 30


@core_personas
def test_a_persona_names_each_of_its_rules_once_under_its_category(name: str) -> None:
    _, body = read(PERSONAS / name)
    section = body.split("## Rules")[1].split("\n## ")[0]
    filed: dict[str, int] = {}
    category = 0
    for line in section.splitlines():
        if heading := re.match(r"\*\*(\d) ", line):
            category = int(heading[1])
        if rule := re.match(r"- `([a-z-]+)` \S", line):
            assert rule[1] not in filed
            filed[rule[1]] = category
    assert filed == {rule: RULES[rule]["priority"] for rule in metadata(name)["rules"]}


@core_personas
def test_a_persona_shows_the_priority_model_in_order(name: str) -> None:
    _, body = read(PERSONAS / name)
    rows = [row for row in priority_table(body) if row[0].isdigit()]
    assert [(row[1], row[2]) for row in rows] == list(LEVELS.items())
    assert [row[0] for row in rows] == list("12345678")
    assert all(row[3] and row[4] for row in rows)


@pytest.mark.parametrize(
    ("name", "number", "signal"),
    [
        (JAVASCRIPT, 1, "strong validation"),
        (TYPESCRIPT, 1, "strong validation"),
        (JAVASCRIPT, 4, "async I/O, caching"),
        (TYPESCRIPT, 4, "async I/O, caching"),
        (NODE, 4, "event-loop health"),
        (JAVASCRIPT, 6, "versioning"),
        (TYPESCRIPT, 6, "versioning"),
        (JAVASCRIPT, 7, "backpressure"),
        (TYPESCRIPT, 7, "backpressure"),
        (JAVASCRIPT, 8, "linting"),
        (TYPESCRIPT, 8, "typing"),
    ],
)
def test_a_signal_stands_only_with_the_languages_that_watch_it(name: str, number: int, signal: str) -> None:
    signals = {key: priority_table(read(PERSONAS / key)[1])[number - 1][4] for key in SKILL_OF}
    watching = {
        "strong validation": {JAVASCRIPT, TYPESCRIPT},
        "async I/O, caching": {JAVASCRIPT, TYPESCRIPT},
        "event-loop health": {NODE},
        "versioning": {JAVASCRIPT, TYPESCRIPT},
        "backpressure": {JAVASCRIPT, TYPESCRIPT},
        "linting": {JAVASCRIPT},
        "typing": {TYPESCRIPT},
    }[signal]
    assert name in watching
    assert {key for key, text in signals.items() if signal in text} == watching


@pytest.mark.parametrize("name", [NODE, JAVASCRIPT, TYPESCRIPT])
def test_a_core_persona_promises_the_whole_life_of_code_on_bun_and_node_20(name: str) -> None:
    front, body = read(PERSONAS / name)
    for promise in ("planning", "building", "reviewing", "debugging", "optimizing", "scaling", "Bun", "Node 20 LTS"):
        assert promise in front["description"], promise
    assert "Bun" in body
    assert "Node 20 LTS" in body


@every_persona
def test_the_body_of_a_persona_is_short_and_carries_all_three_answer_patterns(folder: Path) -> None:
    _, body = read(folder)
    assert len(body) <= BODY_LIMIT
    patterns = body.split("## Answer patterns")[1]
    for part in ("**Bug**", "root cause", "**Performance**", "how to measure", "pagination", "rate limits", "Refuse"):
        assert part in patterns, part


@every_persona
def test_every_reference_exists_has_topics_and_is_linked_from_the_body(folder: Path) -> None:
    _, body = read(folder)
    listed = metadata(folder.name)["references"]
    on_disk = {path.relative_to(folder).as_posix() for path in folder.glob("references/*.md")}
    assert {reference["file"] for reference in listed} == on_disk
    for reference in listed:
        assert reference["topics"]
        assert all(isinstance(topic, str) and topic.strip() for topic in reference["topics"])
        assert f"({reference['file']})" in body
        assert 0 < len((folder / reference["file"]).read_text(encoding="utf-8")) <= REFERENCE_LIMIT


@pytest.mark.parametrize(
    ("name", "extensions"),
    [
        (TYPESCRIPT, {".ts", ".tsx", ".mts", ".cts"}),
        (JAVASCRIPT, {".js", ".jsx", ".mjs", ".cjs"}),
        (NODE, set()),
        (EXPERT, set()),
        (CORE, set()),
    ],
)
def test_a_persona_applies_by_the_extensions_of_its_language(name: str, extensions: set[str]) -> None:
    assert set(metadata(name)["extensions"]) == extensions


def test_only_the_node_persona_applies_by_imports() -> None:
    assert {"node:", "express", "fastify", "koa"} <= set(metadata(NODE)["imports"])
    assert all(not metadata(folder.name)["imports"] for folder in FOLDERS if folder.name != NODE)


def test_the_expert_keeps_its_name_model_phrases_and_header() -> None:
    front, _ = read(PERSONAS / EXPERT)
    found = front["metadata"]
    assert front["model"] == "GPT-5.2"
    assert "Backend Expert - Node.js" in found["aliases"]
    assert found["activation"] == ACTIVATION
    assert all(f'"{phrase}"' in " ".join(front["description"].split()) for phrase in ACTIVATION)
    assert found["header"].startswith("/**")
    assert found["header"].rstrip().endswith("*/")
    assert "Backend NodeJS Expert AI assistant" in found["header"]


def test_only_the_expert_names_a_model_or_a_header() -> None:
    for folder in FOLDERS:
        front, _ = read(folder)
        assert ("model" in front) == (folder.name == EXPERT)
        assert bool(front["metadata"]["header"]) == (folder.name == EXPERT)


def test_every_rule_that_the_expert_cites_exists() -> None:
    """It owns no rules; its core rules and its checklist point to those of the priority model."""
    _, body = read(PERSONAS / EXPERT)
    cited = {
        rule
        for bracket in re.findall(r"\[((?:`[a-z-]+`(?:, )?)+)\]", body)
        for rule in re.findall(r"`([a-z-]+)`", bracket)
    }
    rows = (PERSONAS / EXPERT / "references" / "checklist.md").read_text(encoding="utf-8").splitlines()
    for row in rows:
        if row.startswith("| ") and "`" in row:
            cited |= set(re.findall(r"`([a-z-]+)`", row.strip("| ").split("|")[-1]))
    assert len(cited) > 15
    assert cited <= set(RULES)
