"""The sandbox's own reading of git's output, against git and against the texts themselves."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.sandbox import hunks
from app.sandbox.hunks import Side
from app.sandbox.repository import GitRepository, Person

WHO = Person("dev", "dev@example.org")
# Lines that look like parts of a diff, and line ends that only look like them.
LINES = st.sampled_from(
    ["a", "b", "", "--- a/x", "+++ b/x", "@@ -1 +1 @@", "diff --git a/x b/x", "c\r", "d\x0c", "e\u2028f", "-", "+"]
)
TEXTS = st.tuples(st.lists(LINES, max_size=30), st.booleans()).map(
    lambda drawn: "\n".join(drawn[0]) + ("\n" if drawn[1] and drawn[0] else "")
)


@pytest.fixture(scope="module")
def git(tmp_path_factory: pytest.TempPathFactory) -> GitRepository:
    directory: Path = tmp_path_factory.mktemp("hunks") / "a.git"
    return GitRepository.create(directory, default_branch="main")


def committed(git: GitRepository, text: str) -> str:
    return git.commit("refs/heads/main", parents=(), files={"x": text, "y": text}, message="m", author=WHO)


def rows(text: str) -> list[str]:
    found = text.split("\n")
    return found[:-1] if found[-1] == "" else found


@given(old=TEXTS, new=TEXTS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_line_of_a_hunk_is_the_line_of_that_number(git: GitRepository, old: str, new: str) -> None:
    base, head = committed(git, old), committed(git, new)
    changes = git.changes(base, head)
    patches = git.patches(base, head, changes)
    assert {file.path for file in changes} == ({"x", "y"} if old != new else set())
    for file in changes:
        found = hunks.read(patches[file.path])
        assert found
        for hunk in found:
            for line in hunk.lines:
                assert line.old is None or rows(old)[line.old - 1] == line.text
                assert line.new is None or rows(new)[line.new - 1] == line.text
        added = sum(line.mark == "+" for hunk in found for line in hunk.lines)
        assert added == file.additions


@given(old=TEXTS, new=TEXTS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_line_that_moved_is_found_with_the_same_text(git: GitRepository, old: str, new: str) -> None:
    base, head = committed(git, old), committed(git, new)
    changes = git.changes(base, head)
    found = hunks.read(git.patch(base, head, changes[0])) if changes else ()
    removed = {line.old for hunk in found for line in hunk.lines if line.mark == "-"}
    for number, text in enumerate(rows(old), start=1):
        moved = hunks.moved(found, number)
        assert (moved is None) == (number in removed)
        assert moved is None or rows(new)[moved - 1] == text


def test_positions_count_every_row_below_the_first_header() -> None:
    patch = "@@ -1,2 +1,2 @@\n-a\n+b\n c\n@@ -9 +9 @@ f()\n-x\n\\ No newline at end of file\n+y\n\\ No newline at end of file"
    first, second = hunks.read(patch)
    assert [line.position for line in first.lines] == [1, 2, 3]
    assert [line.position for line in second.lines] == [5, 7]
    assert second.down_to(1) == "@@ -9 +9 @@ f()\n-x\n\\ No newline at end of file\n+y"
    assert (first.find(Side.LEFT, 2), first.find(Side.RIGHT, 2), first.find(Side.RIGHT, 3)) == (2, 2, None)


def test_a_file_without_hunks_has_none() -> None:
    assert hunks.read("") == ()
    assert list(hunks.sections(b"")) == []
