"""A repository's own skills: text, bounded, from their own folders, beside the others and never in their place."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from app.core import own_skills
from app.core.own_skills import FOLDER, LONGEST_FILE, MOST_FILES, MOST_SKILLS
from app.core.policy_files import Source

KEY = "AKIA" + "Q3ZK7XKZ2PLM9R4T"
SKILL = f"""---
name: payments
title: Payments
paths: ["src/pay/**"]
model: openai:the-dearest
references:
  - file: references/refunds.md
    topics: [refund]
  - ../../../.env
---
Money is an integer, in cents. The sandbox's key is {KEY}.
"""


def read(*files: tuple[str, str], taken: tuple[str, ...] = ()):
    sources = [Source(f"{FOLDER}{path}", text) for path, text in files]
    return own_skills.read(sources, known_rules=["timeouts"], taken=taken)


def test_a_skill_is_a_persona_that_may_not_name_a_model_nor_leave_its_folder():
    own = read(("payments/SKILL.md", SKILL), ("payments/references/refunds.md", "Refunds are once."))
    (persona,) = own.personas
    assert (persona.name, persona.title, persona.paths) == ("payments", "Payments", ("src/pay/**",))
    assert (persona.model, persona.trusted, persona.builtin) == (None, False, False)
    assert [(one.name, one.text) for one in persona.references] == [("refunds.md", "Refunds are once.")]
    assert "Money is an integer" in persona.body
    assert KEY not in persona.body
    missing, model = sorted(own.notes, key=lambda note: "model" in note)
    assert missing.startswith(
        f"`{FOLDER}payments/SKILL.md:6`: the reference `../../../.env` is missing, outside the folder"
    )
    assert model == f"`{FOLDER}payments/SKILL.md:5`: `model` is ignored: a repository's own skills may not name one."


def test_nobody_s_place_is_taken_and_a_folder_without_a_skill_is_told():
    own = read(("payments/SKILL.md", SKILL), ("notes/README.md", "Hello"), taken=("payments",))
    assert own.personas == ()
    assert f"`{FOLDER}notes/` is no skill, because it has no `SKILL.md`." in own.notes
    assert f"`{FOLDER}payments/` is left out: a persona that answers to its name is there already." in own.notes


def test_a_long_document_is_cut():
    (persona,) = read(("long/SKILL.md", "# Long\n" + "x" * 100_000)).personas
    assert len(persona.body) <= LONGEST_FILE


def test_only_documents_in_a_skill_s_folder_are_wanted():
    paths = [f"{FOLDER}{name}" for name in ("a/SKILL.md", "a/references/b.md", "a/run.sh", "README.md")]
    assert own_skills.wanted([*paths, "src/SKILL.md"]) == tuple(paths[:2])


def test_a_change_of_a_skill_is_told_when_it_counts():
    assert own_skills.told_of(["src/a.ts"]) == ()
    assert own_skills.told_of([f"{FOLDER}a/SKILL.md", f"{FOLDER}b/SKILL.md"]) == (
        f"This pull request changes `{FOLDER}a/SKILL.md` and 1 more: skills take effect once it is merged, not for this review.",
    )


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 9)), max_size=80))
def test_however_many_there_are_few_are_read_and_each_of_a_kept_skill_comes_with_its_neighbours(numbers):
    paths = [f"{FOLDER}s{skill}/r{number}.md" for skill, number in numbers]
    kept = own_skills.wanted(paths)
    assert len(kept) <= MOST_FILES
    assert len({path.split("/")[3] for path in kept}) <= MOST_SKILLS
