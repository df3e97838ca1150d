"""Diffs are read as git means them: the numbers are git's own, and every file can be built again from its hunks."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from app.core import diff
from app.core.change import FileDiff, FileStatus, Hunk

SIMPLE = b"""\
diff --git a/src/charge.ts b/src/charge.ts
index 1111111..2222222 100644
--- a/src/charge.ts
+++ b/src/charge.ts
@@ -10,3 +10,4 @@ function charge() {
 const a = 1;
-const b = 2;
+const b = 3;
+const c = 4;
 return a;
"""


def only(data: bytes) -> FileDiff:
    files = diff.parse(data)
    assert len(files) == 1
    return files[0]


# --- what a diff says -------------------------------------------------------------------------------------------------


def test_a_changed_file_has_its_path_modes_and_hunk() -> None:
    assert diff.parse(SIMPLE) == (
        FileDiff(
            path="src/charge.ts",
            status=FileStatus.MODIFIED,
            old_mode="100644",
            new_mode="100644",
            hunks=(
                Hunk(
                    old_start=10,
                    old_count=3,
                    new_start=10,
                    new_count=4,
                    heading="function charge() {",
                    body=(" const a = 1;", "-const b = 2;", "+const b = 3;", "+const c = 4;", " return a;"),
                ),
            ),
        ),
    )


def test_an_empty_diff_has_no_files() -> None:
    assert diff.parse(b"") == ()
    assert diff.parse(b"\n\nnothing here\n--- neither here\n+++ nor here\nnor there\n") == ()


def test_a_new_file_is_added() -> None:
    file = only(
        b"diff --git a/n b/n\nnew file mode 100755\nindex 0000000..2222222\n--- /dev/null\n+++ b/n\n@@ -0,0 +1 @@\n+x\n"
    )
    assert (file.path, file.old_path, file.status, file.old_mode, file.new_mode) == (
        "n",
        None,
        FileStatus.ADDED,
        None,
        "100755",
    )
    assert file.hunks == (Hunk(0, 0, 1, 1, "", ("+x",)),)


def test_a_deleted_file_keeps_the_path_it_had() -> None:
    file = only(
        b"diff --git a/gone b/gone\ndeleted file mode 100644\nindex 2222222..0000000\n"
        b"--- a/gone\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n"
    )
    assert (file.path, file.status, file.old_mode, file.new_mode) == ("gone", FileStatus.DELETED, "100644", None)
    assert (file.added, file.removed) == (0, 1)


def test_an_empty_new_file_has_no_hunks() -> None:
    file = only(b"diff --git a/d/empty b/d/empty\nnew file mode 100644\nindex 0000000..e69de29\n")
    assert (file.path, file.status, file.hunks, file.binary) == ("d/empty", FileStatus.ADDED, (), False)


@pytest.mark.parametrize(("verb", "status"), [(b"rename", FileStatus.RENAMED), (b"copy", FileStatus.COPIED)])
def test_a_moved_file_has_both_paths(verb: bytes, status: FileStatus) -> None:
    file = only(
        b"diff --git a/old name b/new name\nsimilarity index 90%\n"
        + verb
        + b" from old name\n"
        + verb
        + b" to new name\n"
        b"index 1111111..2222222 100644\n--- a/old name\t\n+++ b/new name\t\n@@ -1 +1 @@\n-x\n+y\n"
    )
    assert (file.path, file.old_path, file.status, len(file.hunks)) == ("new name", "old name", status, 1)


def test_a_pure_copy_has_both_paths_and_no_hunks() -> None:
    file = only(b"diff --git a/x b/y\nsimilarity index 100%\ncopy from x\ncopy to y\n")
    assert (file.path, file.old_path, file.status, file.hunks) == ("y", "x", FileStatus.COPIED, ())


def test_a_file_that_was_rewritten_is_read_like_any_other() -> None:
    file = only(SIMPLE.replace(b"index 1", b"dissimilarity index 95%\nindex 1"))
    assert (file.old_mode, file.new_mode) == ("100644", "100644")
    assert file.hunks == only(SIMPLE).hunks


def test_a_pure_rename_has_no_hunks() -> None:
    file = only(b'diff --git a/x b/"y\nsimilarity index 100%\nrename from x\nrename to "\\"y"\n')
    assert (file.path, file.old_path, file.status, file.hunks) == ('"y', "x", FileStatus.RENAMED, ())


def test_a_change_of_mode_has_both_modes() -> None:
    file = only(b"diff --git a/run b/run\nold mode 100644\nnew mode 100755\n")
    assert (file.path, file.status, file.old_mode, file.new_mode) == ("run", FileStatus.MODIFIED, "100644", "100755")


def test_a_mode_that_is_no_mode_is_left_out() -> None:
    assert only(b"diff --git a/run b/run\nold mode 10064\nnew mode 1007555\n").new_mode is None
    assert only(b"diff --git a/run b/run\nold mode 10064\nnew mode 1007555\n").old_mode is None


@pytest.mark.parametrize(
    "said",
    [
        b"Binary files a/i.png and b/i.png differ\n",
        b"Binary file i.png has changed\n",
        b"GIT binary patch\nliteral 3\nKcmZQzfB*mh\n\nliteral 0\nHcmV?d00001\n\n",
    ],
)
def test_a_binary_file_is_marked(said: bytes) -> None:
    first, second = diff.parse(b"diff --git a/i.png b/i.png\nindex 1111111..2222222 100644\n" + said + SIMPLE)
    assert (first.path, first.binary, first.hunks) == ("i.png", True, ())
    assert (second.path, second.binary) == ("src/charge.ts", False)


def test_a_file_that_became_a_link_is_one_file() -> None:
    file = only(
        b"diff --git a/l b/l\ndeleted file mode 100644\nindex 1111111..0000000\n--- a/l\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n"
        b"diff --git a/l b/l\nnew file mode 120000\nindex 0000000..2222222\n--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+to\n"
        b"\\ No newline at end of file\n"
    )
    assert (file.status, file.old_mode, file.new_mode, file.is_symlink) == (
        FileStatus.TYPE_CHANGED,
        "100644",
        "120000",
        True,
    )
    assert [hunk.body for hunk in file.hunks] == [("-x",), ("+to",)]
    assert file.binary is False


def test_a_binary_that_became_a_link_stays_marked_as_binary() -> None:
    file = only(
        b"diff --git a/l b/l\ndeleted file mode 100644\nindex 1111111..0000000\nBinary files a/l and /dev/null differ\n"
        b"diff --git a/l b/l\nnew file mode 120000\nindex 0000000..2222222\n--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+to\n"
    )
    assert (file.status, file.binary) == (FileStatus.TYPE_CHANGED, True)


def test_a_deletion_and_an_addition_of_other_files_stay_two() -> None:
    gone = b"diff --git a/l b/l\ndeleted file mode 100644\nindex 1111111..0000000\n"
    new = b"diff --git a/m b/m\nnew file mode 100644\nindex 0000000..2222222\n"
    assert [file.status for file in diff.parse(gone + new)] == [FileStatus.DELETED, FileStatus.ADDED]
    assert [file.path for file in diff.parse(new + gone)] == ["m", "l"]


def test_a_submodule_is_known_by_its_mode() -> None:
    file = only(
        b"diff --git a/lib b/lib\nindex 1111111..2222222 160000\n--- a/lib\n+++ b/lib\n@@ -1 +1 @@\n"
        b"-Subproject commit 1111\n+Subproject commit 2222\n"
    )
    assert file.is_submodule


# --- lines ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "old_open", "new_open"),
    [
        (b"-x\n\\ No newline at end of file\n+x\n", True, False),
        (b"-x\n+x\n\\ Kein Zeilenumbruch am Dateiende.\n", False, True),
        (b"-x\n\\ No newline at end of file\n+y\n\\ No newline at end of file\n", True, True),
    ],
)
def test_a_missing_newline_at_the_end_is_known_by_side(body: bytes, old_open: bool, new_open: bool) -> None:
    header = b"diff --git a/f b/f\nindex 1..2 100644\n--- a/f\n+++ b/f\n@@ -1 +1 @@\n"
    file, after = diff.parse(header + body + SIMPLE)
    hunk = file.hunks[0]
    assert (hunk.old_ends_without_newline, hunk.new_ends_without_newline) == (old_open, new_open)
    assert [line[0] for line in hunk.body] == ["-", "+"]
    assert after.path == "src/charge.ts"


def test_a_missing_newline_below_context_holds_for_both_sides() -> None:
    hunk = only(b"--- a/f\n+++ b/f\n@@ -1 +1,2 @@\n+new\n x\n\\ No newline at end of file\n").hunks[0]
    assert (hunk.old_ends_without_newline, hunk.new_ends_without_newline) == (True, True)
    assert hunk.body == ("+new", " x")


def test_s26_content_that_looks_like_a_header_is_content() -> None:
    body = b"--- a/other\n-@@ -1 +1 @@\n-\\ No newline\n+++ b/../../etc/passwd\n+diff --git a/x b/x\n+@@ -9 +9 @@\n"
    file = only(b"diff --git a/f b/f\nindex 1..2 100644\n--- a/f\n+++ b/f\n@@ -1,3 +1,3 @@\n" + body)
    assert file.path == "f"
    assert file.hunks[0].body == tuple(body.decode().split("\n")[:-1])


@pytest.mark.parametrize("odd", ["\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029", "\r", "\ufeff"])
def test_s25_only_a_line_feed_ends_a_line(odd: str) -> None:
    text = f"one{odd}+++ b/two"
    file = only(f"--- a/f\n+++ b/f\n@@ -1 +1,2 @@\n-x\n+{text}\n+y{odd}\n".encode())
    assert file.path == "f"
    assert file.hunks[0].body == ("-x", f"+{text}", f"+y{odd}")


def test_bytes_that_are_no_text_are_replaced_and_swallow_no_line() -> None:
    assert only(b"--- a/f\n+++ b/f\n@@ -1 +1,2 @@\n-x\n+\xe2\x82\n+\xffy\n").hunks[0].body == (
        "-x",
        "+\ufffd",
        "+\ufffdy",
    )


def test_a_heading_that_git_cut_inside_a_character_is_read() -> None:
    hunk = only(b"--- a/f\n+++ b/f\n@@ -1 +1 @@ caf\xc3\n-x\n+y\n").hunks[0]
    assert hunk.heading == "caf\ufffd"


def test_carriage_returns_of_the_content_are_kept_and_those_of_the_headers_are_not() -> None:
    file = only(SIMPLE.replace(b"\n", b"\r\n"))
    assert file.path == "src/charge.ts"
    assert file.hunks[0].heading == "function charge() {"
    assert file.hunks[0].body[1] == "-const b = 2;\r"


def test_an_empty_context_line_may_have_lost_its_space() -> None:
    hunk = only(b"--- a/f\n+++ b/f\n@@ -1,3 +1,3 @@\n\n-x\n+y\n\n").hunks[0]
    assert hunk.body == (" ", "-x", "+y", " ")
    assert [(line.old, line.new) for line in hunk.lines()] == [(1, 1), (2, None), (None, 2), (3, 3)]


def test_a_diff_may_end_without_a_newline() -> None:
    assert diff.parse(SIMPLE[:-1]) == diff.parse(SIMPLE)
    assert only(b"diff --git a/f b/f\nold mode 100644\nnew mode 100755").new_mode == "100755"


def test_hunks_without_context_and_with_left_out_counts_are_read() -> None:
    file = only(b"--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n+b\n@@ -7,0 +8,2 @@ head\n+c\n+d\n@@ -9,2 +11,0 @@\n-e\n-f\n")
    assert [(h.old_start, h.old_count, h.new_start, h.new_count) for h in file.hunks] == [
        (1, 1, 1, 1),
        (7, 0, 8, 2),
        (9, 2, 11, 0),
    ]
    assert [h.heading for h in file.hunks] == ["", "head", ""]


def test_s25_the_lines_of_a_file_are_split_where_git_splits_them() -> None:
    assert diff.lines(b"") == []
    assert diff.lines(b"\n") == [""]
    assert diff.lines(b"a\n\nb") == ["a", "", "b"]
    assert diff.lines(b"a\r\nb\x0cc\n\xff\n") == ["a\r", "b\x0cc", "\ufffd"]


# --- paths ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "path"),
    [
        (b"a/x b/x", "x"),
        (b"a/d b/f b/d b/f", "d b/f"),
        (b"a/p b/p b/p b/p", "p b/p"),
        (b'"a/caf\\303\\251" "b/caf\\303\\251"', "café"),
        (b'"a/\\"q\\" \\\\ \\t\\n\\a\\b\\v\\f\\r" "b/\\"q\\" \\\\ \\t\\n\\a\\b\\v\\f\\r"', '"q" \\ \t\n\a\b\v\f\r'),
        (b'"a/\\377.txt" "b/\\377.txt"', "\udcff.txt"),
        (b"i/x y w/x y", "x y"),
        (b"x/y.c x/y.c", "x/y.c"),
        (b"y.c y.c", "y.c"),
        ("a/ünï b/ünï".encode(), "ünï"),
        (b'"a/\\q9" "b/\\q9"', "q9"),
    ],
)
def test_a_path_is_read_from_the_first_header_line(header: bytes, path: str) -> None:
    assert only(b"diff --git " + header + b"\nold mode 100644\nnew mode 100755\n").path == path


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        (b"a/with space\t", b"b/with space\t", "with space"),
        (b"a/x.c\t2024-01-01 10:00:00.000000000 +0000", b"b/x.c\t2024-01-01 10:00:01.000000000 +0000", "x.c"),
        (b"x.c.orig\t2024", b"x.c\t2024", "x.c"),
        (b"trunk/x.c\t(revision 1)", b"trunk/x.c\t(working copy)", "trunk/x.c"),
        (b"before/src/x.c", b"after/src/x.c", "src/x.c"),
        (b'"a/\\303\\251"', b'"b/\\303\\251"', "é"),
        (b"a/one", b"b/two", "two"),
        (b"a/one", b"two", "two"),
        (b"one", b"b/two", "b/two"),
        (b"a/", b"b/", ""),
    ],
)
def test_a_diff_without_gits_header_has_its_path_from_the_names(old: bytes, new: bytes, path: str) -> None:
    file = only(b"Index: x\n=====\n--- " + old + b"\n+++ " + new + b"\n@@ -1 +1 @@\n-a\n+b\n")
    assert (file.path, file.old_path, file.status, file.old_mode, file.new_mode) == (
        path,
        None,
        FileStatus.MODIFIED,
        None,
        None,
    )


@pytest.mark.parametrize(
    ("names", "counts", "status", "path"),
    [
        (b"--- /dev/null\n+++ b/x", b"@@ -0,0 +1 @@\n+a\n", FileStatus.ADDED, "x"),
        (b"--- /dev/null\n+++ new/x", b"@@ -1 +1 @@\n-b\n+a\n", FileStatus.ADDED, "new/x"),
        (b"--- old/x\t1970-01-01\n+++ new/x", b"@@ -0,0 +1 @@\n+a\n", FileStatus.ADDED, "x"),
        (b"--- a/x\n+++ /dev/null", b"@@ -1 +0,0 @@\n-a\n", FileStatus.DELETED, "x"),
        (b"--- x\n+++ /dev/null", b"@@ -1 +1 @@\n-a\n+b\n", FileStatus.DELETED, "x"),
        (b"--- old/x\n+++ new/x\t1970-01-01", b"@@ -1 +0,0 @@\n-a\n", FileStatus.DELETED, "x"),
        (b"--- a/x\n+++ b/x", b"@@ -1 +1,0 @@\n-a\n", FileStatus.MODIFIED, "x"),
        (b"--- a/x\n+++ b/x", b"@@ -1,0 +1 @@\n+a\n", FileStatus.MODIFIED, "x"),
    ],
)
def test_a_diff_without_gits_header_says_what_happened_by_its_counts(
    names: bytes, counts: bytes, status: FileStatus, path: str
) -> None:
    file = only(names + b"\n" + counts)
    assert (file.status, file.path) == (status, path)


def test_a_binary_file_without_gits_header_is_not_lost() -> None:
    first, second = diff.parse(b"Binary files a/i.png and b/i.png differ\n" + SIMPLE)
    assert first == FileDiff(path="i.png", status=FileStatus.MODIFIED, binary=True)
    assert second.path == "src/charge.ts"


def test_files_compared_outside_a_repository_have_their_new_name() -> None:
    file = only(
        b"diff --git a/one.txt b/two-long.txt\nindex 1..2 100644\n--- a/one.txt\n+++ b/two-long.txt\n@@ -1 +1 @@\n-a\n+b\n"
    )
    assert (file.path, file.old_path) == ("two-long.txt", "one.txt")


def test_the_head_of_a_mail_and_its_signature_are_passed_over() -> None:
    mail = (
        b"From 1234 Mon Sep 17 00:00:00 2001\nSubject: [PATCH] x\n\n- a list\n---\n src/charge.ts | 3 ++-\n\n" + SIMPLE
    )
    assert diff.parse(mail + b"-- \n2.39.5\n\n") == diff.parse(SIMPLE)


# --- what cannot be read ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"diff --cc f\nindex 1,2..3\n", "line 1 of the diff: a combined diff"),
        (b"\ndiff --combined f\n", "line 2 of the diff: a combined diff"),
        (b"@@@ -1 -1 +1 @@@\n", "line 1 of the diff: a combined diff"),
        (b"@@ -1 +1 @@\n-a\n+b\n", "line 1 of the diff: a hunk that belongs to no file"),
        (b"--- a/f\n+++ b/f\n@@ -1 +1 @\n-a\n", "line 3 of the diff: a hunk whose header"),
        (b"--- a/f\n+++ b/f\n@@ -1,12345678901 +1 @@\n-a\n", "line 3 of the diff: a hunk whose header"),
        (b"--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n", "line 5 of the diff: a hunk that is shorter"),
        (b"--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n-b\n+c\n", "line 5 of the diff: a hunk that is shorter"),
        (b"--- a/f\n+++ b/f\n@@ -1 +1 @@\n+a\n+b\n-c\n", "line 5 of the diff: a hunk that is shorter"),
        (b"--- a/f\n+++ b/f\n@@ -0,0 +1 @@\n a\n", "line 4 of the diff: a hunk that is shorter"),
        (b"--- a/f\n+++ b/f\n@@ -1 +0,0 @@\n a\n", "line 4 of the diff: a hunk that is shorter"),
        (b"--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n a\nx\n", "line 5 of the diff: a hunk that is shorter"),
        (b"--- a/f\n+++ b/f\n@@ -1 +1 @@\n\\ No newline\n-a\n+b\n", "line 4 of the diff: a hunk that is shorter"),
        (b"--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n+b\n@@ x\n", "line 6 of the diff: a hunk whose header"),
        (b"diff --git a/f b/f\n--- a/f\n@@ -1 +1 @@\n", "line 3 of the diff: a file's old name without"),
        (b"diff --git a/f b/f\n--- a/f", "line 2 of the diff: a file's old name without"),
        (b"\n\ndiff --git a/f b/gg\nold mode 100644\n", "line 3 of the diff: a file whose name"),
        (b"diff --git ab\n", "line 1 of the diff: a file whose name"),
        (b'diff --git "a/f\nold mode 100644\n', "line 1 of the diff: a file whose name"),
        (b"diff --git a/ b/\n", "line 1 of the diff: a file whose name"),
    ],
)
def test_what_cannot_be_read_in_full_is_refused_with_its_line(data: bytes, message: str) -> None:
    with pytest.raises(diff.UnsupportedDiff) as refused:
        diff.parse(data)
    assert str(refused.value).startswith(message)


def test_a_series_of_patches_is_refused_with_the_path_that_comes_twice() -> None:
    with pytest.raises(diff.UnsupportedDiff, match=r"'src/charge\.ts' is changed twice"):
        diff.parse(SIMPLE + b"\n" + SIMPLE)
    new = b"diff --git a/l b/l\nnew file mode 100644\nindex 0..2\n"
    gone = b"diff --git a/l b/l\ndeleted file mode 100644\nindex 1..0\n"
    for twice in (new + new, gone + gone, new + gone, gone + SIMPLE + new):
        with pytest.raises(diff.UnsupportedDiff, match="'l' is changed twice"):
            diff.parse(twice)


PIECES = st.sampled_from(
    [
        b"diff --git a/f b/f\n",
        b"diff --git ",
        b'"a/\\',
        b'"',
        b"index 1..2 100644\n",
        b"new file mode 100644\n",
        b"rename from x\n",
        b"rename to y\n",
        b"--- a/f\n",
        b"+++ b/f\n",
        b"--- ",
        b"+++ ",
        b"@@ -1 +1 @@\n",
        b"@@ -1,2 +1,2 @@ x\n",
        b"@@ -0,0 +1,3 @@\n",
        b" x\n",
        b"+x\n",
        b"-x\n",
        b"\n",
        b"\\ No newline\n",
        b"\r\n",
        b"Binary files a and b differ\n",
        b"GIT binary patch\n",
        b"\xff",
        b" ",
    ]
)


@settings(max_examples=400, deadline=None)
@given(st.lists(PIECES | st.binary(max_size=6), max_size=25).map(b"".join))
@example(b'diff --git "\\')
@example(b'--- "\\\n+++ "\\4\n@@ -1 +1 @@\n-\n+\n')
def test_s26_any_bytes_are_read_or_refused(data: bytes) -> None:
    """And what was read adds up: each hunk holds the lines that its header counts."""
    try:
        files = diff.parse(data)
    except diff.UnsupportedDiff:
        return
    for hunk in (hunk for file in files for hunk in file.hunks):
        assert sum(raw[0] in " -" for raw in hunk.body) == hunk.old_count
        assert sum(raw[0] in " +" for raw in hunk.body) == hunk.new_count


# --- against git itself -----------------------------------------------------------------------------------------------

Tree = dict[bytes, tuple[bytes, bytes]]
"""Path → (mode, content); the content of a submodule is its commit."""


@dataclass(frozen=True)
class Repository:
    """A bare repository made for one test, into which trees are written."""

    path: Path
    environment: dict[str, str] = field(
        default_factory=lambda: {
            "PATH": os.environ["PATH"],
            "HOME": "/nonexistent",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "LC_ALL": "C",
        }
    )

    def git(self, *arguments: str, stdin: bytes = b"") -> bytes:
        ran = subprocess.run(
            ["git", "--git-dir", str(self.path), *arguments],
            input=stdin,
            capture_output=True,
            env=self.environment,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr.decode(errors="replace")
        return ran.stdout

    def write(self, **trees: Tree) -> None:
        """A branch with one commit for each tree."""
        script = bytearray()
        for branch, tree in trees.items():
            script += f"reset refs/heads/{branch}\ncommit refs/heads/{branch}\n".encode()
            script += b"committer A <a@example.com> 0 +0000\ndata 0\n"
            for path, (mode, content) in tree.items():
                quoted = b'"' + path.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n") + b'"'
                if mode == b"160000":
                    script += b"M 160000 " + content + b" " + quoted + b"\n"
                else:
                    script += b"M " + mode + b" inline " + quoted + b"\ndata %d\n" % len(content) + content + b"\n"
        self.git("fast-import", "--quiet", "--force", stdin=bytes(script))

    def diff(self, *flags: str, quote: bool = False) -> bytes:
        return self.git("-c", f"core.quotepath={quote}".lower(), "diff", "--no-color", "-M", *flags, "old", "new", "--")

    def numbers(self, *flags: str) -> list[tuple[str, str, str | None, str]]:
        """What `git diff --numstat -z` says: added, removed (`-` for binary), old path of a rename, path."""
        fields = self.git("diff", "--numstat", "-z", "-M", *flags, "old", "new", "--").split(b"\0")[:-1]
        found = []
        while fields:
            added, removed, path = fields.pop(0).decode("utf-8", "surrogateescape").split("\t", 2)
            old = None
            if not path:
                old, path = (fields.pop(0).decode("utf-8", "surrogateescape") for _ in range(2))
            found.append((added, removed, old, path))
        return found

    def statuses(self) -> list[str]:
        """The letters of `git diff --name-status`: A, C, D, M, R or T."""
        names = self.git("-c", "core.quotepath=on", "diff", "--name-status", "-M", "old", "new", "--")
        return [line[:1].decode() for line in names.split(b"\n")[:-1]]


def numbers(files: tuple[FileDiff, ...]) -> list[tuple[str, str, str | None, str]]:
    return [
        ("-", "-", file.old_path, file.path)
        if file.binary
        else (str(file.added), str(file.removed), file.old_path, file.path)
        for file in files
    ]


LETTERS = {
    FileStatus.ADDED: "A",
    FileStatus.COPIED: "C",
    FileStatus.DELETED: "D",
    FileStatus.MODIFIED: "M",
    FileStatus.RENAMED: "R",
    FileStatus.TYPE_CHANGED: "T",
}


def rebuild(before: list[str], file: FileDiff) -> list[str]:
    """The head's lines, from the base's lines and the hunks."""
    after, at = [], 0
    for hunk in file.hunks:
        start = hunk.old_start - 1 if hunk.old_count else hunk.old_start
        after += before[at:start]
        assert before[start : start + hunk.old_count] == [raw[1:] for raw in hunk.body if raw[0] in " -"]
        assert len(after) == (hunk.new_start - 1 if hunk.new_count else hunk.new_start)
        after += [raw[1:] for raw in hunk.body if raw[0] in " +"]
        at = start + hunk.old_count
    return after + before[at:]


def check(old: Tree, new: Tree, repository: Repository, *flags: str, quote: bool = False) -> tuple[FileDiff, ...]:
    """The parser and git agree, and the hunks turn each old file into the new one."""
    repository.write(old=old, new=new)
    files = diff.parse(repository.diff(*flags, quote=quote))
    # A binary file that only moved or changed its mode has no line in the diff that says so.
    silent = [not file.hunks and not file.binary for file in files]
    assert numbers(files) == [
        ("0", "0", *row[2:]) if quiet and row[0] == "-" else row
        for row, quiet in zip(repository.numbers(), silent, strict=True)
    ]
    assert [LETTERS[file.status] for file in files] == repository.statuses()
    for file in files:
        path = os.fsencode(file.path)
        old_mode, before = old.get(os.fsencode(file.old_path or file.path), (b"", b""))
        new_mode, after = new.get(path, (b"", b""))
        if not file.binary and b"160000" not in (old_mode, new_mode):
            if file.status is FileStatus.TYPE_CHANGED:
                before_hunks = tuple(hunk for hunk in file.hunks if hunk.new_count == 0)
                after_hunks = tuple(hunk for hunk in file.hunks if hunk.new_count)
                assert rebuild(diff.lines(before), FileDiff("", file.status, before_hunks)) == []
                assert rebuild([], FileDiff("", file.status, after_hunks)) == diff.lines(after)
            else:
                assert rebuild(diff.lines(before), file) == diff.lines(after)
                assert any(h.new_ends_without_newline for h in file.hunks) <= (after[-1:] not in (b"", b"\n"))
                assert any(h.old_ends_without_newline for h in file.hunks) <= (before[-1:] not in (b"", b"\n"))
    return files


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    path = tmp_path_factory.mktemp("diff") / "repository.git"
    repository = Repository(path)
    repository.git("init", "--quiet", "--bare", str(path))
    return repository


PLAIN, PROGRAM, LINK, MODULE = b"100644", b"100755", b"120000", b"160000"
LONG = b"".join(b"line %d of a file that is long enough to be recognised\n" % n for n in range(30))

BEFORE: Tree = {
    b"renamed.txt": (PLAIN, LONG),
    b"pure.txt": (PLAIN, b"pure\n" + LONG),
    b"mode.sh": (PLAIN, b"#!/bin/sh\n"),
    b"binary.png": (PLAIN, b"\x89PNG\0old"),
    b"open.txt": (PLAIN, b"a\nb"),
    b"closed.txt": (PLAIN, b"a\nb\n"),
    b"crlf.txt": (PLAIN, b"a\r\nb\r\nc\r\n"),
    b"return.txt": (PLAIN, b"a\rb\nc\n"),
    b"feeds.txt": (PLAIN, "a\x0cb\nc\x85d\ne\u2028f\n".encode()),
    b"latin.txt": (PLAIN, "grün\nrot\n".encode("latin-1")),
    b'quoted "name"\ttab.txt': (PLAIN, b"q\n"),
    "ünïcode 文.txt".encode(): (PLAIN, b"u\n"),
    b"with space.txt": (PLAIN, b"s\n"),
    b"headers.txt": (PLAIN, b"-- a/x\n++ b/x\n@@ -1 +1 @@\ndiff --git a/x b/x\n\\ No newline at end of file\n"),
    b"x b/x b/y.txt": (PLAIN, b"b\n"),
    b"link": (LINK, b"old-target"),
    b"becomes-link": (PLAIN, b"a file\n"),
    b"becomes-file": (LINK, b"target"),
    b"emptied.txt": (PLAIN, b"gone\n"),
    b"filled.txt": (PLAIN, b""),
    b"wide.txt": (PLAIN, b"x" * 100_000 + b"\n"),
    b"deleted.txt": (PLAIN, b"one\ntwo\n"),
    b"deleted-empty.txt": (PLAIN, b""),
    b"module": (MODULE, b"1" * 40),
    b"\xff\xfe.txt": (PLAIN, b"bytes\n"),
    b"-oProxyCommand=x": (PLAIN, b"d\n"),
}
AFTER: Tree = {
    b"dir/renamed.txt": (PLAIN, LONG.replace(b"line 7 ", b"line seven ")),
    b"dir/pure.txt": (PLAIN, b"pure\n" + LONG),
    b"mode.sh": (PROGRAM, b"#!/bin/sh\n"),
    b"binary.png": (PLAIN, b"\x89PNG\0new"),
    b"open.txt": (PLAIN, b"a\nc"),
    b"closed.txt": (PLAIN, b"a\nb"),
    b"crlf.txt": (PLAIN, b"a\r\nB\r\nc\n"),
    b"return.txt": (PLAIN, b"a\rB\nc\n"),
    b"feeds.txt": (PLAIN, "a\x0cB\nc\x85D\ne\u2028F\n".encode()),
    b"latin.txt": (PLAIN, "grün\nrött\n".encode("latin-1")),
    b'quoted "name"\ttab.txt': (PLAIN, b"Q\n"),
    "ünïcode 文.txt".encode(): (PLAIN, b"U\n"),
    b"with space.txt": (PLAIN, b"S\n"),
    b"headers.txt": (PLAIN, b"-- b/x\n++ a/x\n@@ -2 +2 @@\ndiff --git b/x a/x\n\\ No newline at the end of file\n"),
    b"x b/x b/y.txt": (PROGRAM, b"B\n"),
    b"link": (LINK, b"new-target"),
    b"becomes-link": (LINK, b"target"),
    b"becomes-file": (PLAIN, b"a file\n"),
    b"emptied.txt": (PLAIN, b""),
    b"filled.txt": (PLAIN, b"full\n"),
    b"wide.txt": (PLAIN, b"y" * 100_000 + b"\n"),
    b"new-empty.txt": (PLAIN, b""),
    b"new.txt": (PLAIN, b"\n\n"),
    b"module": (MODULE, b"2" * 40),
    b"\xff\xfe.txt": (PLAIN, b"BYTES\n"),
    b"-oProxyCommand=x": (PLAIN, b"D\n"),
}


@pytest.mark.parametrize("quote", [True, False])
@pytest.mark.parametrize(
    "flags", [(), ("-U0",), ("--no-renames",), ("--binary",), ("--src-prefix=i/", "--dst-prefix=w/"), ("--no-prefix",)]
)
def test_s26_a_change_full_of_oddities_is_read_as_git_reads_it(
    repository: Repository, flags: tuple[str, ...], quote: bool
) -> None:
    repository.write(old=BEFORE, new=AFTER)
    files = diff.parse(repository.diff(*flags, quote=quote))
    assert numbers(files) == repository.numbers(*[flag for flag in flags if flag == "--no-renames"])
    if not flags:
        check(BEFORE, AFTER, repository, quote=quote)


SEGMENTS = st.sampled_from(
    [
        b"a",
        b"b",
        b"x y",
        b" ",
        b"\t",
        b'"',
        b"\\",
        b"\xff",
        "é".encode(),
        b"-o",
        b"\n",
        b"a b",
        b"x b",
        b"...",
        b"\x7f",
        b"\x01",
    ]
)
PATHS = st.lists(SEGMENTS, min_size=1, max_size=3).map(b"/".join)
CONTENT_LINES = st.sampled_from(
    [
        b"",
        b"x",
        b"x\r",
        b"\r",
        b"-- a/x",
        b"++ b/x",
        b"@@ -1 +1 @@",
        b"diff --git a/x b/x",
        b"\\ No newline at end of file",
        b"+",
        b"-",
        b" ",
        b"\x0c",
        "\u2028".encode(),
        b"\xc2\x85",
        b"\xff",
        b"\xe2",
        b"function f() {",
        b"}",
        b"y" * 300,
    ]
)
TEXTS = st.builds(
    lambda rows, end: b"\n".join(rows) + end, st.lists(CONTENT_LINES, max_size=14), st.sampled_from([b"", b"\n"])
)
ENTRIES = (
    st.tuples(st.sampled_from([PLAIN, PLAIN, PLAIN, PROGRAM]), TEXTS)
    | st.tuples(st.just(PLAIN), TEXTS.map(lambda text: text + b"\0"))
    | st.tuples(st.just(LINK), st.sampled_from([b"x", b"../y z"]))
    | st.tuples(st.just(MODULE), st.sampled_from([b"1" * 40, b"2" * 40]))
)


def without_conflicts(tree: Tree) -> Tree:
    """No path may be a folder of another one."""
    return {path: entry for path, entry in tree.items() if not any(other.startswith(path + b"/") for other in tree)}


@st.composite
def changes(draw: st.DrawFn) -> tuple[Tree, Tree]:
    """A tree, and what somebody made of it: kept, edited, moved, deleted and new files."""
    old = without_conflicts(draw(st.dictionaries(PATHS, ENTRIES, max_size=4)))
    new: Tree = {}
    for path, (mode, content) in old.items():
        match draw(st.sampled_from(["keep", "edit", "edit", "replace", "move", "mode", "delete"])):
            case "keep":
                new[path] = (mode, content)
            case "edit" if mode in (PLAIN, PROGRAM):
                rows = content.split(b"\n")
                at = draw(st.integers(0, len(rows)))
                new[path] = (mode, b"\n".join(rows[:at] + draw(st.lists(CONTENT_LINES, max_size=3)) + rows[at + 1 :]))
            case "move":
                new[b"moved/" + path] = (mode, content)
            case "mode" if mode == PLAIN:
                new[path] = (PROGRAM, content)
            case "replace":
                new[path] = draw(ENTRIES)
    new.update(draw(st.dictionaries(PATHS, ENTRIES, max_size=2)))
    return old, without_conflicts(new)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(change=changes(), quote=st.booleans(), context=st.sampled_from(["-U0", "-U1", "-U3"]))
def test_s26_whatever_git_prints_is_read_with_gits_numbers(
    repository: Repository, change: tuple[Tree, Tree], quote: bool, context: str
) -> None:
    check(*change, repository, context, quote=quote)


def test_a_move_told_by_half_is_named_by_its_other_headers() -> None:
    """A header that tells only where a file came from is no move; the path then stands in the other headers."""
    half = b"diff --git a/a.ts b/a.ts\nrename from old.ts\n--- a/a.ts\n+++ b/a.ts\n@@ -1 +1 @@\n-x\n+y\n"
    assert [file.path for file in diff.parse(half)] == ["a.ts"]
