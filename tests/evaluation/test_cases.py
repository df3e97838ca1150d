"""Reading labelled pull requests: both forms, every place where the change may lie, and what cannot be read."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from app.core import strict
from app.core.finding import Side
from app.errors import UserError
from app.evaluation import cases
from app.evaluation.cases import Case, Diff, Folders, Repository, Unreadable
from app.evaluation.opening import Opened, opened
from app.evaluation.values import Topic

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "benchmarks" / "cases"
PUBLISHED = ROOT / "docs" / "schemas" / "case.schema.json"
DIFF = """\
diff --git a/a.ts b/a.ts
--- a/a.ts
+++ b/a.ts
@@ -1,2 +1,2 @@
 const one = 1;
-const two = 2;
+const two = 3;
"""
JSON: dict[str, Any] = {
    "repository": "acme/shop",
    "pull": 7,
    "language": "TypeScript",
    "merge_base": "a" * 40,
    "head": "b" * 40,
    "kind": "Bug Fix",
    "labels": [
        {
            "valid": True,
            "path": "a.ts",
            "side": "right",
            "from_line": 2,
            "to_line": 2,
            "category": "Security Vulnerability",
            "context": "Diff Level",
            "text": "Three is not two.",
        }
    ],
}


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_yml", ".yml").replace("_json", ".json").replace("_ts", ".ts")
        path = path.with_name("pr.diff") if name == "pr" else path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def only(folder: Path, **more: Any) -> Case:
    (case,) = cases.read([folder], **more)
    assert isinstance(case, Case), case
    return case


def open_(case: Case) -> Opened:
    async def story() -> Opened:
        async with opened(case) as ready:
            return ready

    return asyncio.run(story())


def test_a_case_of_json_and_diff_is_read_with_its_labels(tmp_path):
    case = only(write(tmp_path / "one", pr=DIFF, case_json=json.dumps(JSON)))
    assert (case.name, case.language, case.kind) == ("one", "TypeScript", "Bug Fix")
    ready = open_(case)
    assert ready.change.head == "b" * 40
    assert ready.tree is None
    (label,) = ready.labels
    assert (label.topic, label.valid, label.from_line, label.side) == (Topic.SECURITY, True, 2, Side.RIGHT)


def test_a_label_of_ours_stands_where_its_quote_stands(tmp_path):
    yml = "expect:\n  - {path: a.ts, quote: const two = 3;, text: not two}\nreject:\n  - {path: a.ts, lines: 1-2, text: style}\n"
    first, second = open_(only(write(tmp_path, pr=DIFF, case_yml=yml))).labels
    assert (first.from_line, first.to_line, first.valid, first.topic) == (2, 2, True, Topic.DEFECT)
    assert (second.from_line, second.to_line, second.valid) == (1, 2, False)


def test_a_label_whose_quote_stands_nowhere_is_an_error_and_not_a_miss(tmp_path):
    case = only(write(tmp_path, pr=DIFF, case_yml="expect:\n  - {path: a.ts, quote: const nine = 9;, text: x}\n"))
    with pytest.raises(UserError, match="does not stand in"):
        open_(case)


def test_base_and_head_folders_make_a_change_that_git_tells(tmp_path):
    write(tmp_path, case_yml="title: Two\n", base__a_ts="one\n", head__a_ts="one\ntwo\n", head__b_ts="new\n")
    case = only(tmp_path)
    assert isinstance(case.source, Folders)
    ready = open_(case)
    assert [(file.path, file.added, file.removed) for file in ready.change.files] == [("a.ts", 1, 0), ("b.ts", 1, 0)]
    assert ready.change == open_(case).change  # The same ids each time, so that prompts repeat.


def test_files_beside_a_diff_can_be_read_by_the_reviewer(tmp_path):
    write(
        tmp_path, pr=DIFF, case_yml="title: Two\n", tree__a_ts="const one = 1;\nconst two = 3;\n", tree__b_ts="here\n"
    )

    async def story() -> bytes | None:
        async with opened(only(tmp_path)) as ready:
            assert ready.tree is not None
            return await ready.tree.read(ready.change.head, "b.ts")

    assert asyncio.run(story()) == b"here\n"


def git(folder: Path, *arguments: str) -> str:
    words = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false", *arguments]
    return subprocess.run(words, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def repository(folder: Path) -> tuple[str, str]:
    folder.mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main")
    ids = []
    for text in ("one\n", "one\ntwo\n"):
        (folder / "a.ts").write_text(text)
        git(folder, "add", "-A")
        git(folder, "commit", "-q", "-m", f"Say {text.split()[-1]}")
        ids.append(git(folder, "rev-parse", "HEAD"))
    return ids[0], ids[1]


def test_a_case_may_name_two_revisions_of_a_repository(tmp_path):
    base, head = repository(tmp_path / "shop")
    write(tmp_path / "case", case_yml=f"repository: {{path: ../shop, base: {base}, head: {head}}}\n")
    case = only(tmp_path / "case")
    assert isinstance(case.source, Repository)
    ready = open_(case)
    assert ready.change.head == head
    assert ready.change.intent.title.text == "Say two"


def test_a_clone_of_the_repository_that_a_case_names_is_used_when_it_is_there(tmp_path):
    base, head = repository(tmp_path / "clones" / "acme" / "shop")
    named = json.dumps({**JSON, "merge_base": base, "head": head})
    folder = write(tmp_path / "case", pr=DIFF, case_json=named)
    assert isinstance(only(folder).source, Diff)
    ready = open_(only(folder, repositories=tmp_path / "clones"))
    assert ready.tree is not None
    assert [file.path for file in ready.change.files] == ["a.ts"]


def test_a_name_does_not_lead_out_of_the_folder_of_clones(tmp_path):
    repository(tmp_path / "shop")
    folder = write(tmp_path / "case", pr=DIFF, case_json=json.dumps({**JSON, "repository": "../shop"}))
    (tmp_path / "clones").mkdir()
    assert isinstance(only(folder, repositories=tmp_path / "clones").source, Diff)


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"case_yml": "expect: [\n"}, "not YAML"),
        ({"case_yml": "expects: []\n", "pr": DIFF}, "expects"),
        ({"case_yml": "expect:\n  - {path: a.ts, text: x}\n", "pr": DIFF}, "give `lines` or `quote`"),
        ({"case_yml": "expect:\n  - {path: a.ts, lines: 9-3, text: x}\n", "pr": DIFF}, "run backwards"),
        ({"case_yml": "title: x\n"}, "there is no pr.diff"),
        ({"case_json": "{", "pr": DIFF}, "Expecting"),
        ({"case_json": '{"labels": [{"valid": true}]}', "pr": DIFF}, "labels.0.path"),
    ],
)
def test_a_case_that_cannot_be_read_is_kept_with_the_reason(tmp_path, files, why):
    (found,) = cases.read([write(tmp_path / "bad", **files)])
    assert isinstance(found, Unreadable)
    assert why in found.failure.what


def test_a_folder_without_cases_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"No case\.yml or case\.json"):
        cases.read([tmp_path])


def test_our_examples_are_cases_that_open():
    found = cases.read([EXAMPLES])
    assert [case.name for case in found] == ["gateway", "nightly-charges", "shared-money"]
    for case in found:
        assert isinstance(case, Case)
        assert open_(case).change.files


def test_the_published_schema_is_the_one_of_the_code_and_takes_our_examples():
    said = json.dumps(cases.schema(), indent=2) + "\n"
    assert PUBLISHED.read_text("utf-8") == said, (
        "write it again: python -c 'import json; from app.evaluation import cases; "
        "print(json.dumps(cases.schema(), indent=2))' > docs/schemas/case.schema.json"
    )
    validator = Draft202012Validator(cases.schema())
    for path in sorted(EXAMPLES.glob("*/case.yml")):
        validator.validate(strict.load(path.read_text("utf-8")).value)
