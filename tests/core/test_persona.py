"""What of a persona's document goes into which prompt."""

from __future__ import annotations

from dataclasses import replace

from app.core import prompt
from app.core.persona import Persona

BODY = "You are careful.\n\n## What you check\n\n- Pools are bounded.\n\n## Answer patterns\n\nShort and idiomatic.\n"
EXPERT = Persona("expert", "Expert", "", BODY, sections=("What you check",), fix_sections=("Answer patterns",))


def test_a_reviewer_reads_the_opening_and_the_sections_that_are_named():
    assert EXPERT.knowledge() == "You are careful.\n\n## What you check\n\n- Pools are bounded."
    assert replace(EXPERT, sections=()).knowledge() == BODY.strip()


def test_whoever_writes_a_fix_reads_how_this_persona_writes_them():
    assert prompt.fixing("Write the fixes.\n", EXPERT) == (
        "Write the fixes.\n\n# Persona: Expert\n\n## Answer patterns\n\nShort and idiomatic."
    )
    assert replace(EXPERT, fix_sections=()).craft() == EXPERT.knowledge()
    assert prompt.fixing("Write the fixes.\n", None) == "Write the fixes."
