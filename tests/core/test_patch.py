from __future__ import annotations

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core import patch, suggestion
from app.core.finding import Side
from app.core.patch import Draft, NoPatch
from tests.core.values import anchor, file, hunk

HEAD = "import x\n\nfunction pay() {\n  const a = 1;\n  const b = 2;\n}\n"
WHERE = anchor(start_line=5, line=5)


def draft(original="  const b = 2;", replacement="  const b = 3;", head=HEAD, near=WHERE):
    return patch.draft(original, replacement, path="src/charge.ts", head_text=head, near=near)


def test_the_quoted_lines_are_replaced_and_told_as_a_diff():
    made = draft()
    assert isinstance(made, Draft)
    assert (made.start_line, made.end_line, made.replacement) == (5, 5, "  const b = 3;")
    assert made.after == HEAD.replace("b = 2", "b = 3")
    assert made.diff.startswith("--- a/src/charge.ts\n+++ b/src/charge.ts\n@@ -2,5 +2,5 @@\n")
    assert "-  const b = 2;\n+  const b = 3;\n" in made.diff


def test_lines_without_their_indentation_are_found_and_the_replacement_is_moved_to_their_depth():
    made = draft("const a = 1;\nconst b = 2;", "const a = 1;\n\nif (a) {\n  pay(a);\n}")
    assert isinstance(made, Draft)
    assert (made.start_line, made.end_line) == (4, 5)
    assert made.replacement == "  const a = 1;\n\n  if (a) {\n    pay(a);\n  }"


def test_a_replacement_with_its_own_indentation_keeps_it():
    made = draft("  const a = 1;", "    const a = 1;")
    assert isinstance(made, Draft)
    assert made.replacement == "    const a = 1;"


def test_the_place_nearest_to_the_finding_is_chosen():
    head = "a\nsame\nb\nsame\nc\n"
    assert draft("same", "other", head, anchor(start_line=4, line=4)).start_line == 4
    assert draft("same", "other", head, anchor(start_line=1, line=1)).start_line == 2
    assert draft("same", "other", head, anchor(start_line=3, line=3)).start_line == 2


def test_a_verbatim_place_is_preferred_to_a_nearer_one_that_differs_in_white_space():
    assert draft("  same", "  other", "same\nb\nc\n  same\n", anchor(start_line=1, line=1)).start_line == 4


def test_lines_can_be_removed():
    made = draft("  const b = 2;", "")
    assert isinstance(made, Draft)
    assert made.after == HEAD.replace("  const b = 2;\n", "")
    assert made.replacement == ""


def test_a_file_with_windows_line_ends_keeps_them():
    made = draft(head=HEAD.replace("\n", "\r\n"))
    assert isinstance(made, Draft)
    assert made.after == HEAD.replace("\n", "\r\n").replace("b = 2", "b = 3")
    assert made.replacement == "  const b = 3;"


@pytest.mark.parametrize(
    ("original", "replacement", "reason"),
    [
        ("", "x", "no lines to replace were given"),
        ("  \n", "x", "no lines to replace were given"),
        ("not there", "x", "the lines it would replace do not stand in the file"),
        ("  const b = 2;", "  const b = 2;\n", "it would change nothing"),
        ("  const b = 2;", "x\n" * 61, "it is longer than a patch that can be read at a glance"),
    ],
)
def test_what_is_no_patch_says_why(original, replacement, reason):
    assert draft(original, replacement) == NoPatch(reason)


@pytest.mark.parametrize(("start", "end"), [(0, 1), (3, 2), (5, 8)])
def test_a_range_outside_the_file_is_no_patch(start, end):
    made = patch.replace_lines("x", path="a", head_text=HEAD, start_line=start, end_line=end)
    assert made == NoPatch("the lines it would replace do not stand in the file")


CODE = file("src/charge.ts", hunk(" function pay() {", "+  const a = 1;", "+  const b = 2;", " }", old=3, new=3))


def test_a_patch_inside_its_hunk_may_be_committed_with_one_click():
    assert suggestion.refusal(draft(), file=CODE, anchor=WHERE) == ""
    assert suggestion.refusal(draft("function pay() {", "function pay(): void {"), file=CODE, anchor=WHERE) == ""
    assert suggestion.refusal(draft("}", "};"), file=CODE, anchor=WHERE) == ""


def test_a_patch_is_no_suggestion_on_removed_lines_beyond_the_hunk_or_in_files_that_steer_builds():
    assert "removed" in suggestion.refusal(draft(), file=CODE, anchor=anchor(side=Side.LEFT))
    assert "beyond" in suggestion.refusal(draft("import x", "import y"), file=CODE, anchor=WHERE)
    assert "beyond" in suggestion.refusal(draft("\nfunction pay() {", "\nfunction p() {"), file=CODE, anchor=WHERE)
    other = file("src/charge.ts", hunk("+import x", old=0, new=1), *CODE.hunks)
    assert "beyond" in suggestion.refusal(draft("import x", "import y"), file=other, anchor=anchor(hunk=1))
    assert "do not show" in suggestion.refusal(draft(replacement="  const b\u200b = 3;"), file=CODE, anchor=WHERE)
    emptied = patch.replace_lines("", path="src/charge.ts", head_text="a\nb", start_line=1, end_line=2)
    assert "empty" in suggestion.refusal(emptied, file=file("src/charge.ts", hunk("+a", "+b")), anchor=WHERE)
    for path in (
        ".github/workflows/ci.yml",
        ".github/principal.yml",
        ".gitlab-ci.yml",
        "Jenkinsfile",
        ".circleci/config.yml",
    ):
        made = patch.replace_lines("x", path=path, head_text="a\nb\n", start_line=1, end_line=1)
        assert "steer" in suggestion.refusal(made, file=file(path, hunk("+a", "+b")), anchor=WHERE)


LINES = st.lists(st.text(alphabet="ab \t{}", max_size=6), min_size=1, max_size=25)


@settings(deadline=None, max_examples=40)
@given(LINES, st.data())
def test_git_applies_every_diff_that_is_made(tmp_path_factory, lines, data):
    text = "\n".join(lines) + data.draw(st.sampled_from(["", "\n"]))
    start = data.draw(st.integers(1, len(lines)))
    end = data.draw(st.integers(start, min(len(lines), start + 5)))
    replacement = "\n".join(data.draw(st.lists(st.text(alphabet="xy z", max_size=6), max_size=4)))
    made = patch.replace_lines(replacement, path="f.txt", head_text=text, start_line=start, end_line=end)
    if isinstance(made, NoPatch) or not made.diff:
        return
    folder = tmp_path_factory.mktemp("apply")
    (folder / "f.txt").write_bytes(made.before.encode())
    done = subprocess.run(["git", "apply", "-"], cwd=folder, input=made.diff.encode(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    left = (folder / "f.txt").read_bytes() if (folder / "f.txt").exists() else b""
    assert left == made.after.encode()


def test_a_patch_that_repeats_a_secret_is_no_suggestion():
    token = "ghp_" + "a1B2c3D4e5F6g7H8i9J0" + "k1L2m3N4o5P6q7R8"
    made = draft(replacement=f'  const b = "{token}";')
    assert suggestion.refusal(made, file=CODE, anchor=WHERE) == "it would repeat a secret"
