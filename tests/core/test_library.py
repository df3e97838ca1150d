"""Skills and rules from disk: the shipped ones, odd ones from the wild, and hostile ones."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import library
from app.core import activation, front_matter, rule_file, skill, strict
from app.core.persona import Persona
from app.library import Library

ROOT = Path(__file__).parents[2]
KNOWN = ("timeouts", "retries", "secrets", "authz", "event-loop", "streams", "cache")


def persona(text: str, *, folder: str = "my-skill", trusted: bool = True, **files: str) -> tuple[Persona, list[str]]:
    documents = {"SKILL.md": text, **{f"references/{name}.md": body for name, body in files.items()}}
    made, complaints = skill.parse(folder, documents, known_rules=KNOWN, trusted=trusted)
    return made, [complaint.message for complaint in complaints]


def put(folder: Path, text: str | bytes) -> Path:
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def skills(folder: Path) -> Library:
    return library.load(skills=[folder])


def added(loaded: Library) -> list[Persona]:
    return [one for one in loaded.personas if not one.builtin]


# --- what is shipped --------------------------------------------------------------------------------------------------


def test_a_checkout_is_found_with_everything_in_it() -> None:
    loaded = library.load()
    assert loaded.warnings == ()
    assert [one.name for one in loaded.personas if one.name == "common-core"]
    assert set(loaded.tasks) >= {"review", "verify", "fix", "summarise"}
    assert [rule.category.priority for rule in loaded.rules] == sorted(rule.category.priority for rule in loaded.rules)


def test_an_installed_package_is_read_from_its_own_folder(tmp_path: Path) -> None:
    for folder in ("prompts", "rules"):
        shutil.copytree(ROOT / folder, tmp_path / "app" / "shipped" / folder)
    loaded = library.load(root=tmp_path / "app" / "shipped")
    assert loaded.personas == library.load().personas
    assert loaded.rules == library.load().rules


@pytest.mark.parametrize("name", ["Backend Expert - Node.js", "backend-expert-nodejs", "EXPERT", " expert "])
def test_a_persona_answers_to_its_name_and_its_aliases(name: str) -> None:
    found = library.load().persona(name)
    assert found is not None
    assert found.name == "backend-expert-nodejs"
    assert found.model == "GPT-5.2"


def test_nobody_answers_to_an_unknown_name() -> None:
    assert library.load().persona("nobody") is None
    assert library.load().rule("nothing") is None


def test_a_rule_is_found_by_its_id() -> None:
    rule = library.load().rule("Timeouts")
    assert rule is not None
    assert rule.detectors


# --- front matter from the wild ---------------------------------------------------------------------------------------


def test_a_skill_in_the_open_format_is_read_whole() -> None:
    made, warnings = persona(
        """---
name: my-skill
description: Reviews payments.
license: MIT
model: openai:some-model
metadata:
  title: Payments
  aliases: [pay]
  extensions: [py, .SQL]
  paths: ["src/**"]
  imports: [stripe]
  activation: [Payments Review]
  rules: [timeouts, retries]
  header: |
    // made by us
  references:
    - file: references/refunds.md
      topics: [refund, chargeback]
---

# Payments

Look at money.
""",
        refunds="# Refunds\n\nSend money back.",
    )
    assert warnings == []
    assert (made.title, made.model, made.header) == ("Payments", "openai:some-model", "// made by us")
    assert made.extensions == (".py", ".sql")
    assert made.activation == ("payments review",)
    assert made.rules == ("timeouts", "retries")
    assert made.references[0].topics == ("refund", "chargeback")
    assert made.body == "# Payments\n\nLook at money."


def test_without_front_matter_folder_and_heading_stand_in() -> None:
    made, warnings = persona("# Principal JavaScript engineer\n\nBe careful.", folder="Javascript Pro_Max")
    assert (made.name, made.title) == ("javascript-pro-max", "Principal JavaScript engineer")
    assert "Javascript Pro_Max" in made.aliases
    assert warnings == ["no front matter; the folder's name and the first heading stand in"]


def test_a_title_alone_is_enough() -> None:
    made, warnings = persona("---\ntitle: Only a title\n---\nText.")
    assert (made.name, made.title, made.body) == ("my-skill", "Only a title", "Text.")
    assert warnings == []


def test_a_colon_that_breaks_yaml_does_not_break_the_skill() -> None:
    made, warnings = persona("---\nname: my-skill\ndescription: Use when: reviewing, or fixing\nmodel: gpt\n---\nText.")
    assert made.description == "Use when: reviewing, or fixing"
    assert made.model == "gpt"
    assert len(warnings) == 1
    assert "line by line" in warnings[0]


@pytest.mark.parametrize(
    "front",
    [
        "name: [broken",
        "\tname: tab",
        "- just\n- a list",
        "just text",
        "name: &a x\nother: *a",
        "name: !!python/object/apply:os.system [id]",
        "name: a\nname: b",
        ": : :",
        "{" * 200,
        "a: 2026-99-99",
    ],
)
def test_front_matter_that_is_no_mapping_costs_a_warning_and_not_the_body(front: str) -> None:
    made, warnings = persona(f"---\n{front}\n---\n# Title\n\nText that stays.")
    assert "Text that stays." in made.body
    assert warnings


def test_front_matter_that_is_never_closed_is_read_as_text() -> None:
    made, warnings = persona("---\nname: my-skill\n\nText.")
    assert "Text." in made.body
    assert "not closed" in warnings[0]


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff---\nname: my-skill\n---\nText.",
        "---\r\nname: my-skill\r\n---\r\nText.\r\n",
        "\n\n---\nname: my-skill\n---\nText.",
        "---\nname: my-skill\n...\nText.",
        "--- \nname: my-skill\n---  \nText.",
    ],
)
def test_marks_line_ends_and_blanks_around_front_matter_do_not_matter(text: str) -> None:
    made, warnings = persona(text)
    assert made.body == "Text."
    assert warnings == []


def test_unicode_names_stay_names() -> None:
    made, _ = persona("# Überprüfer\n\nText.", folder="Prüfer für Zahlungen 支払い")
    assert made.name == "prüfer-für-zahlungen-支払い"
    assert made.title == "Überprüfer"


def test_a_name_unlike_the_folder_stays_an_alias() -> None:
    made, warnings = persona("---\nname: Backend Expert - Node.js\n---\nText.")
    assert made.name == "my-skill"
    assert "Backend Expert - Node.js" in made.aliases
    assert warnings == ["`name` is not the folder's name; it is known as `my-skill`"]


def test_values_of_other_types_are_read_as_far_as_they_make_sense() -> None:
    made, warnings = persona(
        "---\nname: 42\ndescription:\n  - Reviews code.\n  - Finds bugs.\nmetadata:\n  extensions: ts, tsx\n  paths: 'src/**'\n"
        "  aliases: {a: b}\n  rules: [timeouts, [x], no-such-rule]\n  activation: null\n---\nText."
    )
    assert made.extensions == (".ts", ".tsx")
    assert made.paths == ("src/**",)
    assert made.rules == ("timeouts",)
    assert "Reviews code." in made.description
    assert any("`aliases` must be a list" in warning for warning in warnings)
    assert any("there is no rule `no-such-rule`" in warning for warning in warnings)


def test_keys_may_stand_outside_metadata_and_be_written_otherwise() -> None:
    made, _ = persona("---\nname: my-skill\nTriggers: [a b, c d]\nFile-Extensions: [go]\n---\nText.")
    assert made.activation == ("a b", "c d")
    assert made.extensions == (".go",)


def test_a_huge_document_is_cut_with_a_warning() -> None:
    made, warnings = persona("# Title\n\n" + "word " * 100_000)
    assert len(made.body) <= front_matter.LONGEST_DOCUMENT
    assert any("longer than" in warning for warning in warnings)


def test_an_empty_document_is_said_to_be_empty() -> None:
    made, warnings = persona("")
    assert made.name == "my-skill"
    assert any("no text" in warning for warning in warnings)


def test_a_heading_may_be_underlined() -> None:
    assert persona("A title\n=======\n\nText.")[0].title == "A title"


def test_of_many_warnings_only_the_first_are_told() -> None:
    _, warnings = persona(f"---\nmetadata:\n  rules: {[f'rule-{number}' for number in range(45)]}\n---\nText.")
    assert len(warnings) == front_matter.MOST_WARNINGS + 1
    assert warnings[-1] == "and 15 more warnings"


@pytest.mark.parametrize(
    ("key", "value", "read"),
    [("extensions", "3", (".3",)), ("paths", "true", ("True",)), ("aliases", "''", ()), ("imports", "2026-01-01", ())],
)
def test_a_list_of_another_type_is_read_as_a_list_of_one_where_that_makes_sense(
    key: str, value: str, read: tuple[str, ...]
) -> None:
    made, _ = persona(f"---\nname: my-skill\nmetadata: {{{key}: {value}}}\n---\nText.")
    assert [one for one in getattr(made, key) if one != made.title] == list(read)


def test_a_model_that_is_no_name_is_ignored() -> None:
    made, warnings = persona("---\nname: my-skill\nmodel: 'rm -rf /; <b>'\n---\nText.")
    assert made.model is None
    assert warnings == ["`model` is no model's name; it is ignored"]


def test_an_empty_front_matter_is_no_warning() -> None:
    made, warnings = persona("---\n# nothing yet\n---\nText.")
    assert (made.body, warnings) == ("Text.", [])


@pytest.mark.parametrize("named", ["references/a.md", "[references/a.md]", "{path: ./references/a.md}"])
def test_references_may_be_named_in_other_shapes(named: str) -> None:
    made, warnings = persona(f"---\nname: my-skill\nreferences: {named}\n---\nText.", a="# Pools\n\ntext")
    assert [one.name for one in made.references] == ["a.md"]
    assert made.references[0].topics == ("pools",)
    assert warnings == []


@pytest.mark.parametrize("model", ["none", "inherit", "", "null"])
def test_no_model_is_no_model(model: str) -> None:
    made, _ = persona(f"---\nname: my-skill\nmodel: {model}\n---\nText.")
    assert made.model is None


def test_s18_a_skill_of_a_repository_may_not_name_a_model() -> None:
    made, warnings = persona("---\nname: my-skill\nmodel: GPT-5.2\n---\nText.", trusted=False)
    assert made.model is None
    assert "may not name one" in warnings[0]


# --- activation phrases inside a description --------------------------------------------------------------------------

PHRASES = ("backend", "fix backend", "node memory leak")


@pytest.mark.parametrize(
    "description",
    [
        "Helps with back ends.\nActivation phrases:\n- backend\n- fix backend\n- node memory leak",
        "Helps with back ends.\n\n**Activation phrases:**\n\n* `backend`\n* \"fix backend\"\n* 'node memory leak'",
        "Helps with back ends. Activation phrases: backend, fix backend, node memory leak.",
        'Helps with back ends. Activation: "backend", "fix backend", "node memory leak". More text, which says other things.',
        "Helps with back ends. Triggers: [backend, fix backend, node memory leak]",
        "Helps. Activates on: backend | fix backend | node memory leak",
        "Helps. Trigger words: backend; fix backend; node memory leak",
        "Activation Keywords:\n1. Backend\n2. Fix  Backend\n3. Node memory leak\n\nOther text.",
        "Helps. Activation: “backend”, “fix backend” or “node memory leak”",
    ],
)
def test_phrases_are_read_from_a_description_in_any_shape(description: str) -> None:
    found, labelled = activation.phrases(description)
    assert found == PHRASES
    assert labelled


def test_phrases_may_be_a_list_inside_a_description_that_is_a_mapping() -> None:
    made, _ = persona(
        "---\nname: my-skill\ndescription:\n  text: Helps.\n  activation: [backend, Fix Backend, node memory leak]\n---\nText."
    )
    assert made.description == "Helps."
    assert made.activation == PHRASES
    assert made.paths == ()


def test_phrases_in_prose_are_known_and_do_not_silence_the_skill() -> None:
    made, _ = persona(
        '---\nname: my-skill\ndescription: Use when the user asks to "check money" or "audit".\n---\nText.'
    )
    assert made.activation == ("check money", "audit")
    assert made.paths == ("**",)


@pytest.mark.parametrize(
    "description", ["", "Reviews code.", "Use when reviewing services.", "Trigger happy people beware."]
)
def test_a_description_without_phrases_has_none(description: str) -> None:
    assert activation.phrases(description)[0] == ()


# --- rules inside a body ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        "| rule | asks for |\n|---|---|\n| `timeouts` | limits |\n| `retries` | jitter |",
        "| Priority | Category | Rules |\n|--|--|--|\n| 2 | Reliability | `timeouts`, `retries` |",
        "|1|**timeouts**|x|\n|2|**retries**|y|",
        "- `timeouts`: limits\n- `retries` — jitter",
        "* **timeouts** - limits\n* **retries** (with jitter)",
        "1. timeouts: limits\n   more text\n2. retries: jitter",
        "- [x] timeouts\n- [ ] retries",
        "| Category | Link |\n|-|-|\n| Reliability | [timeouts](#a) / [retries](#b) |",
    ],
)
def test_rules_are_read_from_tables_and_lists_of_other_shapes(body: str) -> None:
    made, _ = persona(f"# Title\n\n{body}\n")
    assert made.rules == ("timeouts", "retries")


def test_an_unknown_rule_in_a_table_of_rules_is_named_with_its_line() -> None:
    text = "# Title\n\n| rule | x |\n|---|---|\n| timeouts | a |\n| our-own-rule | b |\n| retries | c |\n"
    made, complaints = skill.parse("my-skill", {"SKILL.md": text}, known_rules=KNOWN)
    assert made.rules == ("timeouts", "retries")
    assert ("there is no rule `our-own-rule`; it is left out", 6) in [(one.message, one.line) for one in complaints]


@pytest.mark.parametrize(
    "body",
    ["- timeouts happen", "Text about `timeouts` and `retries`.", "| a | b |\n|---|---|\n| x | y |", "|\n||\n|||"],
)
def test_other_tables_and_lists_name_no_rules(body: str) -> None:
    made, warnings = persona(f"# Title\n\n{body}\n")
    assert made.rules == ()
    assert not [warning for warning in warnings if "rule" in warning]


# --- references -------------------------------------------------------------------------------------------------------


def test_references_are_found_without_being_named_and_topics_are_guessed() -> None:
    made, _ = persona("# T\n\nText.", **{"event-loop-guide": "# The runtime\n\n## Worker threads\n\ntext"})
    assert made.references[0].name == "event-loop-guide.md"
    assert {"event", "loop", "worker threads"} <= set(made.references[0].topics)


def test_a_reference_may_name_its_own_topics() -> None:
    made, _ = persona("# T\n\nText.", streams="---\ntopics: [pipeline, backpressure]\n---\n# Streams\n\ntext")
    assert made.references[0].topics == ("pipeline", "backpressure")
    assert made.references[0].text == "# Streams\n\ntext"


@pytest.mark.parametrize("path", ["references/none.md", "../../etc/passwd", "/etc/passwd", "SKILL.md"])
def test_a_reference_outside_the_folder_is_left_out(path: str) -> None:
    made, warnings = persona(
        f"---\nname: my-skill\nmetadata:\n  references:\n    - {{file: {path}, topics: [x]}}\n---\nText."
    )
    assert made.references == ()
    assert "missing, outside the folder, or not text" in warnings[0]


@given(st.text(max_size=400), st.text(max_size=400))
def test_no_document_makes_the_loader_fail(front: str, body: str) -> None:
    made, _ = skill.parse("x", {"SKILL.md": f"---\n{front}\n---\n{body}"}, known_rules=KNOWN)
    assert made.name == "x"


@given(st.text(alphabet="|-* `:timeousr\n[]#0a,", max_size=300))
def test_no_table_makes_the_loader_fail(body: str) -> None:
    made, _ = skill.parse("x", {"SKILL.md": body, "references/a.md": body}, known_rules=KNOWN)
    assert set(made.rules) <= set(KNOWN)


# --- folders of an operator -------------------------------------------------------------------------------------------


def test_a_folder_may_be_a_skill_or_hold_skills_at_some_depth(tmp_path: Path) -> None:
    put(tmp_path / "one" / "SKILL.md", "# One\n\nText.")
    put(tmp_path / "group" / "two" / "skill.md", "# Two\n\nText.")
    put(tmp_path / "notes.md", "no skill")
    assert {one.name for one in added(skills(tmp_path))} == {"one", "two"}
    assert {one.name for one in added(skills(tmp_path / "one"))} == {"one"}


def test_a_missing_or_empty_folder_is_a_warning(tmp_path: Path) -> None:
    assert "not a folder" in str(skills(tmp_path / "nowhere").warnings[0])
    assert "no folder with a SKILL.md" in str(skills(tmp_path).warnings[0])


def test_an_operators_skill_of_the_same_name_takes_the_built_in_ones_place(tmp_path: Path) -> None:
    put(tmp_path / "node" / "SKILL.md", "---\nname: backend-principle-eng-nodejs-pro-max\n---\n# Ours\n\nOur text.")
    loaded = skills(tmp_path)
    found = loaded.persona("backend-principle-eng-nodejs-pro-max")
    assert found is not None
    assert (found.body, found.builtin) == ("# Ours\n\nOur text.", False)
    assert "node:" in found.imports
    assert len(loaded.personas) == len(library.load().personas)
    assert any("takes the place" in str(warning) for warning in loaded.warnings)


def test_of_two_skills_with_one_name_the_first_counts(tmp_path: Path) -> None:
    put(tmp_path / "a" / "mine" / "SKILL.md", "# First\n\nText.")
    put(tmp_path / "b" / "mine" / "SKILL.md", "# Second\n\nText.")
    loaded = skills(tmp_path)
    assert [one.title for one in added(loaded)] == ["First"]
    assert "stands in" in str(loaded.warnings[-1])


def test_a_warning_names_file_and_line(tmp_path: Path) -> None:
    place = put(tmp_path / "mine" / "SKILL.md", "---\nname: mine\nmetadata:\n  rules: [nothing]\n---\nText.")
    assert [str(warning) for warning in skills(tmp_path).warnings] == [
        f"{place}:4: there is no rule `nothing`; it is left out"
    ]


def test_s11_links_that_lead_out_of_the_folder_are_not_followed(tmp_path: Path) -> None:
    secret = put(tmp_path / "outside" / "passwd.md", "root:x:0:0")
    put(tmp_path / "outside" / "skill" / "SKILL.md", "# Outside\n\nText.")
    put(tmp_path / "skills" / "mine" / "SKILL.md", "# Mine\n\nText.")
    (tmp_path / "skills" / "mine" / "references").mkdir()
    (tmp_path / "skills" / "mine" / "references" / "x.md").symlink_to(secret)
    (tmp_path / "skills" / "linked").symlink_to(tmp_path / "outside" / "skill")
    (tmp_path / "skills" / "loop").symlink_to(tmp_path / "skills")
    loaded = skills(tmp_path / "skills")
    assert [one.title for one in added(loaded)] == ["Mine"]
    assert added(loaded)[0].references == ()
    assert any("leads out of the folder" in str(warning) for warning in loaded.warnings)


def test_links_inside_the_folder_are_followed_as_mounted_volumes_need_it(tmp_path: Path) -> None:
    put(tmp_path / "mine" / "..data" / "SKILL.md", "# Mounted\n\nText.")
    (tmp_path / "mine" / "SKILL.md").symlink_to(Path("..data") / "SKILL.md")
    assert [one.title for one in added(skills(tmp_path))] == ["Mounted"]


def test_pipes_binaries_and_large_files_are_left_out_or_cut(tmp_path: Path) -> None:
    put(tmp_path / "mine" / "SKILL.md", "# Mine\n\n" + "x" * 10_000_000)
    put(tmp_path / "mine" / "references" / "image.md", b"\x89PNG\x00\x00\x00")
    os.mkfifo(tmp_path / "mine" / "references" / "pipe.md")
    loaded = skills(tmp_path)
    assert len(added(loaded)[0].body) <= front_matter.LONGEST_DOCUMENT
    told = "\n".join(map(str, loaded.warnings))
    assert "image.md: left out: not text" in told
    assert "pipe.md: left out: not a regular file" in told
    assert "longer than" in told


def test_an_unreadable_folder_is_no_crash(tmp_path: Path) -> None:
    put(tmp_path / "mine" / "SKILL.md", "# Mine\n\nText.")
    (tmp_path / "broken").symlink_to(tmp_path / "nowhere")
    assert [one.title for one in added(skills(tmp_path))] == ["Mine"]


# --- rules ------------------------------------------------------------------------------------------------------------

RULE = (ROOT / "rules" / "scalability" / "stateless.yml").read_text().partition("\ndetectors:")[0] + "\ndetectors: []\n"
DETECTOR = """detectors:
  - name: no-eval
    languages: [javascript]
    strength: weak
    ast: {pattern: eval($CODE)}
    examples: {match: ["eval(x)"], no_match: ["run(x)"]}
"""


STRONG = DETECTOR.replace("weak", "strong").replace(
    "    examples:",
    "    answer: {title: t, explanation: e, repro: r, root_cause: c, missing: {test: why, risk: why}}\n    examples:",
)


def rules(folder: Path) -> Library:
    return library.load(rules=[folder])


def test_an_operators_rule_is_added(tmp_path: Path) -> None:
    put(tmp_path / "scalability" / "own-rule.yml", RULE.replace("id: stateless", "id: own-rule"))
    loaded = rules(tmp_path)
    assert loaded.rule("own-rule") is not None
    assert len(loaded.rules) == 42
    assert loaded.warnings == ()


def test_an_operators_rule_of_the_same_id_overrides_the_built_in_one(tmp_path: Path) -> None:
    put(tmp_path / "scalability" / "stateless.yml", RULE.replace("title: ", "title: Our own ", 1))
    loaded = rules(tmp_path)
    assert len(loaded.rules) == 41
    rule = loaded.rule("stateless")
    assert rule is not None
    assert rule.title.startswith("Our own")
    assert "takes the place" in str(loaded.warnings[0])


def test_a_broken_rule_file_is_named_with_file_line_and_key_and_the_others_load(tmp_path: Path) -> None:
    put(tmp_path / "scalability" / "own-rule.yml", RULE.replace("id: stateless", "id: own-rule"))
    bad = put(tmp_path / "scalability" / "bad-rule.yml", "id: bad-rule\ntitle: 3\n")
    loaded = rules(tmp_path)
    assert loaded.rule("own-rule") is not None
    assert loaded.rule("bad-rule") is None
    assert str(loaded.warnings[0]).startswith(f"{bad}:1: not a rule, so it is left out: `category`: is missing")


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("id: stateless", "id: other", "id"),
        ("category: scalability", "category: nonsense", "category"),
        ("category: scalability", "category: data", "category"),
        ("priority: 7", "priority: 1", "priority"),
        ("kind: ", "kind: opinion # ", "kind"),
        ("severity: ", "severity: awful # ", "severity"),
        ("title: ", "titel: ", "titel"),
        ("  question: ", "  questions: ", "guidance.questions"),
        ("languages: [", "languages: [klingon, ", "languages.1"),
        ("detectors: []", "detectors: {}", "detectors"),
        ("detectors: []", "detectors: [{name: a}]", "detectors.1.languages"),
        ("detectors: []", DETECTOR.replace("weak", "strong"), "detectors.1.answer.title"),
        ("detectors: []", DETECTOR.replace('["eval(x)"]', "[]"), "detectors.1.examples"),
        ("detectors: []", DETECTOR.replace("ast:", "asd:"), "detectors.1.asd"),
        ("detectors: []", DETECTOR + DETECTOR.partition("\n")[2], "detectors.2.name"),
        ("detectors: []", DETECTOR.replace("{pattern: eval($CODE)}", "eval"), "detectors.1.ast"),
        ("detectors: []", DETECTOR.replace("    ast: {pattern: eval($CODE)}\n", ""), "detectors.1"),
        ("detectors: []", DETECTOR.replace('["eval(x)"]', '{"a": 1}'), "detectors.1.examples.match"),
        (
            "detectors: []",
            DETECTOR.replace('["eval(x)"]', "[{code: x, languages: [cobol]}]"),
            "detectors.1.examples.match.1.languages.1",
        ),
        ("detectors: []", STRONG.replace("repro: r", "risk: r"), "detectors.1.answer.repro"),
        ("title: ", "title: [a] # ", "title"),
        ("title: ", "title: 1 # ", "title"),
        ("title: ", "title: yes # ", "title"),
        ("title: ", "title: {a: b} # ", "title"),
        ("title: ", "title: # ", "title"),
        ("title: ", "title: 2026-01-01 # ", "title"),
        ("id: stateless", "id: stateless\n- x", ""),
    ],
)
def test_what_is_wrong_in_a_rule_is_said_with_its_key(old: str, new: str, key: str) -> None:
    assert old in RULE
    with pytest.raises(rule_file.BrokenRule) as told:
        rule_file.parse(RULE.replace(old, new, 1), path="rules/scalability/stateless.yml")
    assert told.value.key == key
    assert told.value.line >= 1


def test_a_rule_may_bring_its_own_detector() -> None:
    rule = rule_file.parse(RULE.replace("detectors: []", DETECTOR), path="rules/scalability/stateless.yml")
    assert rule.detectors[0].ast == {"pattern": "eval($CODE)"}
    assert [example.match for example in rule.detectors[0].examples] == [True, False]


def test_a_strong_detector_names_the_parts_it_cannot_give() -> None:
    text = STRONG.replace('["eval(x)"]', "[{code: eval(x)}, {code: eval(y), languages: [javascript]}]")
    rule = rule_file.parse(RULE.replace("detectors: []", text), path="rules/scalability/stateless.yml")
    assert rule.detectors[0].answer.missing == (("test", "why"), ("risk", "why"))
    assert [example.code for example in rule.detectors[0].examples] == ["eval(x)", "eval(y)", "run(x)"]


def test_a_rules_id_is_a_slug() -> None:
    with pytest.raises(rule_file.BrokenRule, match="hyphens"):
        rule_file.parse(RULE.replace("id: stateless", "id: State_Less"), path="scalability/State_Less.yml")


def test_a_rule_that_is_no_mapping_is_refused() -> None:
    with pytest.raises(rule_file.BrokenRule, match="must be a mapping"):
        rule_file.parse("- a\n", path="scalability/a.yml")


def test_two_files_with_one_id_are_said(tmp_path: Path) -> None:
    put(tmp_path / "a" / "scalability" / "own-rule.yml", RULE.replace("id: stateless", "id: own-rule"))
    put(tmp_path / "b" / "scalability" / "own-rule.yml", RULE.replace("id: stateless", "id: own-rule"))
    loaded = rules(tmp_path)
    assert len(loaded.rules) == 42
    assert "stands in" in str(loaded.warnings[0])


def test_a_rule_file_that_is_too_long_is_left_out(tmp_path: Path) -> None:
    put(tmp_path / "scalability" / "long.yml", "# " + "x" * 300_000)
    assert "longer than" in str(rules(tmp_path).warnings[0])


def test_a_folder_of_rules_that_is_not_there_is_a_warning(tmp_path: Path) -> None:
    assert "not a folder" in str(rules(tmp_path / "nowhere").warnings[0])


def test_more_skills_or_files_than_anyone_writes_are_cut_with_a_warning(tmp_path: Path) -> None:
    for number in range(library.MOST_PERSONAS + 5):
        put(tmp_path / "many" / f"skill-{number:03}" / "SKILL.md", "# S\n\nText.")
    for number in range(library.MOST_FILES_PER_SKILL + 5):
        put(tmp_path / "full" / "one" / "references" / f"{number:03}.md", "# R\n\nText.")
    put(tmp_path / "full" / "one" / "SKILL.md", "# One\n\nText.")
    assert len(added(skills(tmp_path / "many"))) == library.MOST_PERSONAS
    told = "\n".join(map(str, skills(tmp_path / "full").warnings))
    assert "more than 60 files" in told
    assert "more than 20 references" in told


def test_a_document_in_utf_16_is_read(tmp_path: Path) -> None:
    put(tmp_path / "mine" / "SKILL.md", "# Überprüfer\n\nText.".encode("utf-16"))
    assert [one.title for one in added(skills(tmp_path))] == ["Überprüfer"]


BOMB = "a: &a [x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (BOMB, "anchors"),
        ("[" * 10_000, "deep"),
        ("a: " + "x" * 300_000, "longer"),
        ("- a\n" * 25_000, "more than"),
        ("a: !!python/object/apply:os.system [id]", "not YAML"),
        ("a: 1\na: 2", "twice"),
        ("<<: {a: 1}", "plain text"),
        ("? [a]\n: b", "plain text"),
        ("a: [", "not YAML"),
        ("a: \x01", "not YAML"),
        ("a: 0001-99-99T00:00:00Z", "cannot be read"),
    ],
)
def test_s11_yaml_that_is_hostile_or_broken_is_refused_with_a_reason(text: str, reason: str) -> None:
    with pytest.raises(strict.NotStrict, match=reason):
        strict.load(text)


def test_values_know_their_lines() -> None:
    document = strict.load("a:\n  b:\n    - x\n    - y: 1\n")
    assert document.value == {"a": {"b": ["x", {"y": 1}]}}
    assert [document.line(key) for key in (("a",), ("a", "b"), ("a", "b", 1, "y"), ("a", "nothing"))] == [1, 2, 4, 1]


@given(st.text(max_size=300))
def test_no_text_makes_the_yaml_reader_fail_otherwise(text: str) -> None:
    with contextlib.suppress(strict.NotStrict):
        assert strict.load(text).line() >= 1
