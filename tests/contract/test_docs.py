"""What the documentation says of the code is made from the code, or checked against it."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from app.errors import MEANINGS, Code
from app.settings import Settings

ROOT = Path(__file__).parents[2]
SPEC = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
assert SPEC is not None
assert SPEC.loader is not None
GENERATE = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(GENERATE)


@pytest.mark.parametrize("name", sorted(GENERATE.PAGES))
def test_a_generated_page_says_what_the_code_says(name):
    assert (ROOT / "docs" / name).read_text() == GENERATE.PAGES[name](), "run: python docs/generate.py"


def test_every_code_has_a_meaning():
    assert set(MEANINGS) == set(Code)
    assert all(meaning.why.endswith(".") and meaning.action.endswith(".") for meaning in MEANINGS.values())


def test_every_variable_the_readme_names_is_a_setting():
    aliases = {field.alias for field in Settings.model_fields.values()}
    table = (ROOT / "README.md").read_text().partition("## Settings")[2].partition("## How")[0]
    named = {word for word in table.split("`") if word.isupper() and "_" in word}
    assert named <= aliases | {"HOST", "PORT", "NAME_FILE", "OPENAI_API_KEY_FILE"}, named - aliases


def test_every_page_the_readme_links_to_exists():
    pages = re.findall(r"\]\((?!http)([^)#]+)\)", (ROOT / "README.md").read_text())
    assert [page for page in pages if not (ROOT / page).exists()] == []
