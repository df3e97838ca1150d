"""Writes the reference pages that are made from the code: `python docs/generate.py`. A test keeps them equal to it."""

from __future__ import annotations

import json
from pathlib import Path

from app.core import policy
from app.errors import MEANINGS, Code

HERE = Path(__file__).parent


def errors() -> str:
    """docs/errors.md: every code with why it happens and what to do."""
    lines = [
        "# Error codes",
        "",
        "Where a review could not be made, or not all of it, the check run, the log line and the metric carry one of these.",
        "This page is made from `app/errors.py` by `python docs/generate.py`.",
        "",
        "| code | why | what to do |",
        "|---|---|---|",
    ]
    lines += [f"| `{code}` | {MEANINGS[code].why} | {MEANINGS[code].action} |" for code in Code]
    return "\n".join(lines) + "\n"


def policy_schema() -> str:
    """docs/schemas/policy.schema.json: the form of a repository's policy, for editors and for checks."""
    return json.dumps(policy.schema(), indent=2, ensure_ascii=False) + "\n"


PAGES = {"errors.md": errors, "schemas/policy.schema.json": policy_schema}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (HERE / name).write_text(page(), encoding="utf-8")
