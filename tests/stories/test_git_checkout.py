"""The command line's way to read code: any checkout, uncommitted work included, and not a byte of it is written to."""

from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from app.core import diff
from app.core.change import FileDiff, FileStatus
from app.errors import PrincipalError, UserError
from app.git import Checkout, Resolved, sha_of_diff
from app.git.checkout import MOST_UNTRACKED
from app.git.tree import MAX_BLOB_BYTES

T = TypeVar("T")


class Work:
    """A person's checkout with a remote `origin`, as `git clone` makes one."""

    def __init__(self, folder: Path, *, branch: str = "main") -> None:
        self.folder = folder
        self.origin = folder.parent / "origin.git"
        self.run(folder.parent, "init", "-q", "--bare", f"--initial-branch={branch}", str(self.origin))
        self.run(folder.parent, "clone", "-q", str(self.origin), str(folder))
        self.write({"src/a.ts": "one();\ntwo();\nthree();\n", "README.md": "# Shop\n", ".gitignore": "*.log\n"})
        self.commit("Begin")
        self.git("push", "-q", "origin", f"HEAD:{branch}")
        self.git("remote", "set-head", "origin", branch)

    def run(self, where: Path, *arguments: str) -> str:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder.parent / "home"),
            "GIT_AUTHOR_NAME": "Ann",
            "GIT_AUTHOR_EMAIL": "ann@example.com",
            "GIT_COMMITTER_NAME": "Ann",
            "GIT_COMMITTER_EMAIL": "ann@example.com",
            "GIT_ALLOW_PROTOCOL": "file",
        }
        ran = subprocess.run(["git", "-C", str(where), *arguments], capture_output=True, env=environment, check=False)
        assert ran.returncode == 0, ran.stderr.decode()
        return ran.stdout.decode().strip()

    def git(self, *arguments: str) -> str:
        return self.run(self.folder, *arguments)

    def write(self, files: dict[str, str | bytes | None]) -> None:
        for name, content in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                path.unlink()
            elif isinstance(content, bytes):
                path.write_bytes(content)
            else:
                path.write_text(content)

    def commit(self, message: str) -> str:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)
        return self.git("rev-parse", "HEAD")

    def branch(self, name: str = "feature") -> None:
        """A branch with one commit of its own."""
        self.git("checkout", "-q", "-b", name)
        self.write({"src/a.ts": "one();\nTWO();\nthree();\n"})
        self.commit("Shout\n\nBecause two was too quiet.")

    def resolve(
        self, what: str | None = None, *, staged: bool = False, cwd: Path | None = None
    ) -> tuple[Resolved, dict[str, FileDiff]]:
        """What is to be reviewed, and its files by path."""

        async def story(resolved: Resolved) -> tuple[Resolved, dict[str, FileDiff]]:
            files = diff.parse(await resolved.tree.diff(resolved.base, resolved.head))
            return resolved, {file.path: file for file in files}

        return self.told(story, what, staged=staged, cwd=cwd)

    def told(
        self,
        story: Callable[[Resolved], Awaitable[T]],
        what: str | None = None,
        *,
        staged: bool = False,
        cwd: Path | None = None,
    ) -> T:
        async def telling() -> T:
            checkout = await Checkout.find(cwd or self.folder)
            async with checkout.resolve(what, staged=staged) as resolved:
                return await story(resolved)

        before = fingerprint(self.folder)
        try:
            return asyncio.run(telling())
        finally:
            assert fingerprint(self.folder) == before, "the checkout was written to"

    def refused(self, what: str | None = None, *, staged: bool = False) -> str:
        """What the person is told who asked for something that cannot be reviewed."""
        with pytest.raises(UserError) as caught:
            self.resolve(what, staged=staged)
        return caught.value.what


def fingerprint(folder: Path) -> dict[str, tuple[str, int]]:
    """Every file of a folder, the git directory included, with its content and the time it was written.

    Git renews the date of an object that it would have written and finds there, so that nobody removes it; no more.
    """
    return {
        str(path): (
            hashlib.sha256(path.read_bytes()).hexdigest(),
            0 if "/.git/objects/" in str(path) else path.lstat().st_mtime_ns,
        )
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


def added(file: FileDiff) -> list[str]:
    return [raw[1:] for hunk in file.hunks for raw in hunk.body if raw[0] == "+"]


@pytest.fixture
def work(tmp_path: Path) -> Work:
    return Work(tmp_path / "work")


# --- what is reviewed when nothing is said ----------------------------------------------------------------------------


def test_a_branch_is_compared_with_where_it_left_the_default_branch(work: Work) -> None:
    work.branch()
    work.git("checkout", "-q", "main")
    work.write({"README.md": "# Store\n"})
    work.commit("Rename")
    work.git("push", "-q", "origin", "main")
    work.git("checkout", "-q", "feature")
    resolved, files = work.resolve()
    assert list(files) == ["src/a.ts"]
    assert added(files["src/a.ts"]) == ["TWO();"]
    assert resolved.description == "origin/HEAD...HEAD"
    assert resolved.head == work.git("rev-parse", "HEAD")
    assert resolved.branch == "feature"
    assert resolved.left_out == ()


def test_uncommitted_work_is_reviewed_with_the_branch(work: Work) -> None:
    work.branch()
    work.write(
        {
            "src/a.ts": "one();\nTWO();\nTHREE();\n",
            "README.md": None,
            "src/new.ts": "fresh();\n",
            "debug.log": "ignored\n",
            "src/ünï code.ts": "u();\n",
        }
    )
    (work.folder / "link").symlink_to("/etc/passwd")
    (work.folder / "run.sh").write_text("#!/bin/sh\n")
    (work.folder / "run.sh").chmod(0o755)
    work.git("add", "src/new.ts")
    work.write({"src/new.ts": "fresher();\n"})
    resolved, files = work.resolve()
    assert resolved.description == "origin/HEAD...HEAD and uncommitted changes"
    assert sorted(files) == ["README.md", "link", "run.sh", "src/a.ts", "src/new.ts", "src/ünï code.ts"]
    assert added(files["src/a.ts"]) == ["TWO();", "THREE();"]
    assert added(files["src/new.ts"]) == ["fresher();"]
    assert files["README.md"].status is FileStatus.DELETED
    assert added(files["link"]) == ["/etc/passwd"]
    assert files["run.sh"].new_mode == "100755"


def test_the_tree_of_uncommitted_work_can_be_read_and_searched(work: Work) -> None:
    work.write({"src/new.ts": "fresh();\n"})

    async def story(resolved: Resolved) -> None:
        tree, head = resolved.tree, resolved.head
        assert await tree.read(head, "src/new.ts") == b"fresh();\n"
        assert await tree.read(head, "README.md") == b"# Shop\n"
        assert [hit.path for hit in await tree.grep(head, "fresh", limit=9)] == ["src/new.ts"]
        patch = "--- a/src/new.ts\n+++ b/src/new.ts\n@@ -1 +1 @@\n-fresh();\n+stale();\n"
        assert await tree.apply_check(head, patch) is None
        assert (await tree.attributes(head, ["src/new.ts"]))["src/new.ts"].opening == "fresh();\n"

    work.told(story)


def test_without_changes_there_is_nothing_to_review(work: Work) -> None:
    resolved, files = work.resolve()
    assert files == {}
    assert resolved.base == resolved.head


def test_a_file_that_was_only_touched_has_not_changed(work: Work) -> None:
    (work.folder / "README.md").write_text("# Shop\n")
    os.utime(work.folder / "README.md", (1, 1))
    resolved, files = work.resolve()
    assert files == {}
    assert resolved.description == "origin/HEAD...HEAD"


@pytest.mark.parametrize(
    ("refs", "shown"),
    [
        (["refs/remotes/origin/HEAD", "refs/remotes/origin/main", "refs/remotes/origin/master"], "origin/HEAD"),
        (["refs/remotes/origin/main", "refs/remotes/origin/master"], "origin/main"),
        (["refs/remotes/origin/master"], "origin/master"),
    ],
)
def test_the_default_is_looked_for_in_order(work: Work, refs: list[str], shown: str) -> None:
    start = work.git("rev-parse", "HEAD")
    work.branch()
    for name in work.git("for-each-ref", "--format=%(refname)", "refs/remotes").split():
        work.git("update-ref", "--no-deref", "-d", name)
    for name in refs:
        work.git("update-ref", name, start)
    resolved, files = work.resolve()
    assert resolved.description == f"{shown}...HEAD"
    assert list(files) == ["src/a.ts"]


def test_the_upstream_comes_before_origins_usual_names(work: Work) -> None:
    work.branch()
    work.git("push", "-q", "-u", "origin", "feature")
    work.write({"src/b.ts": "b();\n"})
    work.commit("More")
    work.git("remote", "set-head", "origin", "--delete")
    resolved, files = work.resolve()
    assert resolved.description == "the upstream branch...HEAD"
    assert list(files) == ["src/b.ts"]


def test_with_nothing_to_compare_with_the_person_is_told_what_to_type(work: Work) -> None:
    work.git("remote", "remove", "origin")
    said = work.refused()
    assert "no origin/HEAD" in said
    assert "principal review main...HEAD" in said
    assert "--staged" in said


# --- ranges -----------------------------------------------------------------------------------------------------------


def test_ranges_mean_what_git_means_by_them(work: Work) -> None:
    work.branch()
    work.git("checkout", "-q", "main")
    work.write({"README.md": "# Store\n"})
    work.commit("Rename")
    work.write({"src/uncommitted.ts": "x\n"})
    three, files = work.resolve("main...feature")
    assert (list(files), three.description, three.branch) == (["src/a.ts"], "main...feature", "feature")
    two, files = work.resolve("main..feature")
    assert (sorted(files), two.description) == (["README.md", "src/a.ts"], "main..feature")
    assert list(work.resolve("..feature")[1]) == list(work.resolve("HEAD..feature")[1]) == ["README.md", "src/a.ts"]
    assert list(work.resolve("feature...")[1]) == list(work.resolve("feature...HEAD")[1]) == ["README.md"]
    assert work.resolve("feature...")[0].branch == "main"
    assert list(work.resolve("HEAD~1..HEAD")[1]) == ["README.md"]


def test_one_revision_means_everything_since_it_parted(work: Work) -> None:
    work.branch()
    work.write({"src/uncommitted.ts": "x\n"})
    resolved, files = work.resolve("main")
    assert sorted(files) == ["src/a.ts", "src/uncommitted.ts"]
    assert resolved.description == "main...HEAD and uncommitted changes"
    assert sorted(work.resolve("HEAD")[1]) == ["src/uncommitted.ts"]


@pytest.mark.parametrize(
    "what",
    [
        "nowhere",
        "nowhere...HEAD",
        "HEAD..nowhere",
        "-h",
        "--output=x",
        "--upload-pack=x...HEAD",
        "HEAD:README.md",
        "^HEAD",
    ],
)
def test_an_unknown_revision_is_said_so(work: Work, what: str) -> None:
    assert "git does not know" in work.refused(what)
    assert not (work.folder / "x").exists()


@pytest.mark.parametrize("what", ["", "  ", "a\0b", "x" * 501])
def test_what_is_no_range_is_said_so(work: Work, what: str) -> None:
    assert "is not a range" in work.refused(what)


def test_histories_without_a_common_commit_are_said_so(work: Work) -> None:
    work.git("checkout", "-q", "--orphan", "other")
    work.commit("Alone")
    assert "no common commit" in work.refused("main...other")
    assert sorted(work.resolve("main..other")[1]) == []


def test_a_history_that_is_cut_off_is_said_so(work: Work, tmp_path: Path) -> None:
    work.branch()
    work.git("push", "-q", "origin", "feature")
    work.git("checkout", "-q", "main")
    work.write({"README.md": "# Store\n"})
    work.commit("Rename")
    work.git("push", "-q", "origin", "main")
    shallow = tmp_path / "shallow"
    work.run(tmp_path, "clone", "-q", "--depth=1", "--no-single-branch", f"file://{work.origin}", str(shallow))
    work.folder = shallow
    assert "git fetch --unshallow" in work.refused("origin/main...origin/feature")
    assert sorted(work.resolve("origin/main..origin/feature")[1]) == ["README.md", "src/a.ts"]


# --- what the author says ---------------------------------------------------------------------------------------------


def test_one_commit_tells_its_intent_by_its_message(work: Work) -> None:
    work.branch()

    async def story(resolved: Resolved) -> Any:
        return await resolved.intent()

    intent = work.told(story)
    assert (intent.title.text, intent.body.text) == ("Shout", "Because two was too quiet.")
    assert [one.text for one in intent.commits] == ["Shout\n\nBecause two was too quiet."]
    assert intent.branch.text == "feature"


def test_several_commits_tell_their_intent_oldest_first(work: Work) -> None:
    work.branch()
    work.write({"src/b.ts": "b();\n"})
    work.commit("Add b")

    async def story(resolved: Resolved) -> Any:
        return await resolved.intent()

    intent = work.told(story)
    assert (intent.title.text, intent.body.text) == ("feature", "")
    assert [one.text.split("\n")[0] for one in intent.commits] == ["Shout", "Add b"]
    assert work.told(story, staged=True).commits == ()


# --- staged -----------------------------------------------------------------------------------------------------------


def test_only_what_is_staged_is_reviewed(work: Work) -> None:
    work.write({"src/a.ts": "one();\nTWO();\nthree();\n", "src/new.ts": "n();\n"})
    work.git("add", "src/a.ts")
    work.write({"src/a.ts": "ONE();\nTWO();\nthree();\n"})
    resolved, files = work.resolve(staged=True)
    assert resolved.description == "what is staged"
    assert list(files) == ["src/a.ts"]
    assert added(files["src/a.ts"]) == ["TWO();"]


def test_before_the_first_commit_staged_files_are_reviewed(tmp_path: Path) -> None:
    work = Work(tmp_path / "work")
    work.git("checkout", "-q", "--orphan", "fresh")
    assert "no commit here yet" in work.refused("main")
    resolved, files = work.resolve(staged=True)
    assert sorted(files) == [".gitignore", "README.md", "src/a.ts"]
    assert resolved.branch == "fresh"
    for name in work.git("for-each-ref", "--format=%(refname)", "refs/remotes").split():
        work.git("update-ref", "--no-deref", "-d", name)
    assert "no commit here yet" in work.refused()


def test_a_new_repository_without_anything_has_nothing_staged(tmp_path: Path) -> None:
    work = Work(tmp_path / "work")
    empty = tmp_path / "empty"
    work.run(tmp_path, "init", "-q", str(empty))
    work.folder = empty
    assert work.resolve(staged=True)[1] == {}


def test_unresolved_conflicts_are_said_so_when_staged_and_reviewed_as_they_stand_otherwise(work: Work) -> None:
    work.branch()
    work.git("checkout", "-q", "main")
    work.write({"src/a.ts": "one();\nzwei();\nthree();\n"})
    work.commit("Translate")
    with pytest.raises(AssertionError):
        work.git("merge", "-q", "feature")
    assert "conflicts" in work.refused(staged=True)
    assert "<<<<<<< HEAD" in added(work.resolve("HEAD")[1]["src/a.ts"])


# --- where the checkout is --------------------------------------------------------------------------------------------


def test_a_folder_inside_the_checkout_will_do(work: Work) -> None:
    work.branch()
    work.write({"README.md": "# Store\n"})
    assert sorted(work.resolve(cwd=work.folder / "src")[1]) == ["README.md", "src/a.ts"]


def test_outside_a_checkout_the_person_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not a git checkout"):
        asyncio.run(Checkout.find(tmp_path))
    with pytest.raises(UserError):
        asyncio.run(Checkout.find(tmp_path / "nowhere"))


def test_a_linked_work_tree_is_a_checkout_of_its_own(work: Work, tmp_path: Path) -> None:
    work.git("worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    (tmp_path / "side" / "src" / "side.ts").write_text("side();\n")
    assert list(work.resolve(cwd=tmp_path / "side")[1]) == ["src/side.ts"]
    assert work.resolve()[1] == {}


def test_a_detached_head_is_reviewed(work: Work) -> None:
    work.branch()
    work.git("checkout", "-q", "--detach")
    resolved, files = work.resolve()
    assert list(files) == ["src/a.ts"]
    assert resolved.branch == ""


def test_a_bare_repository_takes_ranges(work: Work) -> None:
    work.branch()
    work.git("push", "-q", "origin", "feature")
    assert list(work.resolve("main...feature", cwd=work.origin)[1]) == ["src/a.ts"]
    assert work.resolve("main", cwd=work.origin)[1] == {}


def test_a_submodule_is_compared_by_its_commit_and_not_looked_into(work: Work, tmp_path: Path) -> None:
    other = Work(tmp_path / "two" / "work") if (tmp_path / "two").mkdir() is None else None
    assert other is not None
    work.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(other.origin), "lib")
    work.commit("Add lib")
    (work.folder / "lib" / "README.md").write_text("# Dirty\n")
    assert work.resolve("HEAD")[1] == {}
    work.run(work.folder / "lib", "commit", "-q", "-a", "-m", "Inside")
    files = work.resolve("HEAD")[1]
    assert list(files) == ["lib"]
    assert files["lib"].is_submodule
    inside = Checkout.find(work.folder / "lib")
    assert asyncio.run(inside).root == work.folder / "lib"


def test_a_repository_inside_the_checkout_is_not_of_it(work: Work) -> None:
    work.run(work.folder, "init", "-q", "nested")
    work.write({"nested/file.ts": "x\n"})
    resolved, files = work.resolve()
    assert (files, resolved.left_out) == ({}, ())


def test_a_file_where_a_folder_was_and_a_folder_where_a_file_was(work: Work) -> None:
    work.write({"README.md": None, "src/a.ts": None})
    (work.folder / "src").rmdir()
    work.write({"README.md/x.md": "x\n", "src": "file\n"})
    assert {path: file.status for path, file in work.resolve("HEAD")[1].items()} == {
        "README.md": FileStatus.DELETED,
        "README.md/x.md": FileStatus.ADDED,
        "src": FileStatus.ADDED,
        "src/a.ts": FileStatus.DELETED,
    }


def test_files_too_large_to_read_are_named(work: Work) -> None:
    work.write({"dump": b"x" * (MAX_BLOB_BYTES + 1), "fits": b"x" * MAX_BLOB_BYTES})
    os.mkfifo(work.folder / "pipe")
    resolved, files = work.resolve()
    assert list(files) == ["fits"]
    assert resolved.left_out == ("dump",)


def test_a_folder_somebody_forgot_to_ignore_is_cut_off(work: Work) -> None:
    work.write({f"cache/{number:05}": f"{number}\n" for number in range(MOST_UNTRACKED + 3)})
    resolved, files = work.resolve()
    assert len(files) == MOST_UNTRACKED
    assert len(resolved.left_out) == 3


def test_a_partial_clone_that_lacks_files_is_said_so(work: Work, tmp_path: Path) -> None:
    work.branch()
    work.write({"src/a.ts": "ONE();\n"})
    work.commit("Rewrite")
    work.git("push", "-q", "origin", "feature")
    work.run(work.origin, "config", "uploadpack.allowFilter", "true")
    partial = tmp_path / "partial"
    work.run(tmp_path, "clone", "-q", "--filter=blob:none", "-b", "feature", f"file://{work.origin}", str(partial))
    work.folder = partial
    assert "partial clone" in work.refused("HEAD~2..HEAD")


# --- whose rules ------------------------------------------------------------------------------------------------------


def test_a_persons_own_ignores_are_obeyed(work: Work, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Otherwise a file that somebody keeps out of every repository, `.env` for one, would go to a model."""
    work.write({".env": "TOKEN=x\n", "notes.txt": "n\n", "src/new.ts": "n();\n"})
    home = tmp_path / "person"
    (home / ".config" / "git").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    assert sorted(work.resolve()[1]) == [".env", "notes.txt", "src/new.ts"]
    (home / ".config" / "git" / "ignore").write_text(".env\n")
    assert sorted(work.resolve()[1]) == ["notes.txt", "src/new.ts"]
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "elsewhere"))
    assert sorted(work.resolve()[1]) == [".env", "notes.txt", "src/new.ts"]
    (home / ".gitconfig").write_text("[core]\n excludesFile = ~/.ignore\n")
    (home / ".ignore").write_text(".env\nnotes.txt\n")
    assert sorted(work.resolve()[1]) == ["src/new.ts"]
    (work.folder / ".git" / "info" / "exclude").write_text("src/new.ts\n")
    assert sorted(work.resolve()[1]) == []


def test_a_persons_line_ends_are_no_change(work: Work, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".gitconfig").write_text("[core]\n autocrlf = true\n safecrlf = true\n")
    work.write({"src/a.ts": b"one();\r\nTWO();\r\nthree();\r\n"})
    assert len(added(work.resolve()[1]["src/a.ts"])) == 3
    monkeypatch.setenv("HOME", str(tmp_path))
    assert added(work.resolve()[1]["src/a.ts"]) == ["TWO();"]


def test_s20_nothing_that_a_checkout_names_is_run(work: Work, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\necho $0 $@ >> {canary}\ncat\n")
    program.chmod(0o755)
    work.write({".gitattributes": "*.ts filter=evil diff=evil\n*.md merge=evil\n*.txt ident\n", "c.txt": "$Id$\n"})
    work.commit("Attributes")
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for hook in ("post-index-change", "pre-commit", "post-checkout", "reference-transaction", "fsmonitor-watchman"):
        (hooks / hook).write_text(program.read_text())
        (hooks / hook).chmod(0o755)
    for key, value in {
        "core.fsmonitor": str(program),
        "core.hooksPath": str(hooks),
        "core.pager": str(program),
        "core.editor": str(program),
        "core.sshCommand": str(program),
        "core.gitProxy": str(program),
        "core.alternateRefsCommand": str(program),
        "core.untrackedCache": "true",
        "core.splitIndex": "true",
        "diff.external": str(program),
        "diff.evil.command": str(program),
        "diff.evil.textconv": str(program),
        "diff.noprefix": "true",
        "diff.context": "0",
        "color.ui": "always",
        "filter.evil.clean": str(program),
        "filter.evil.smudge": str(program),
        "filter.evil.process": str(program),
        "filter.evil.required": "true",
        "merge.evil.driver": str(program),
        "log.showSignature": "true",
        "gpg.program": str(program),
        "credential.helper": f"!{program}",
        "pager.diff": str(program),
        "grep.openFilesInPager": str(program),
        "alias.rev-parse": f"!{program}",
        "include.path": str(tmp_path / "none"),
        "gc.auto": "1",
        "submodule.recurse": "true",
    }.items():
        work.git("config", key, value)
    work.write({"src/a.ts": "changed();\n", "src/new.ts": "new();\n", "README.md": "# Store\n", "c.txt": "$Id$\nx\n"})

    async def story(resolved: Resolved) -> dict[str, FileDiff]:
        tree = resolved.tree
        files = {file.path: file for file in diff.parse(await tree.diff(resolved.base, resolved.head))}
        await tree.grep(resolved.head, "Store", limit=9)
        await tree.read_many(resolved.head, files)
        await tree.attributes(resolved.head, files)
        await resolved.intent()
        assert resolved.left_out == ("src/a.ts", "src/new.ts")
        return files

    canary.unlink(missing_ok=True)
    files = work.told(story)
    assert not canary.exists(), canary.read_text()
    assert added(files["README.md"]) == ["# Store"]
    assert "src/a.ts" not in files
    canary.unlink(missing_ok=True)
    work.told(story_of_nothing, "HEAD")
    work.told(story_of_nothing, staged=True)
    assert not canary.exists(), canary.read_text()


async def story_of_nothing(resolved: Resolved) -> None:
    await resolved.tree.diff(resolved.base, resolved.head)


def test_a_file_that_a_program_would_decrypt_is_left_out(work: Work) -> None:
    """The work tree of an encrypted file holds the secret in clear; the repository does not."""
    work.write(
        {".gitattributes": "secrets/** filter=git-crypt\nsecrets/plain.txt -filter\n", "secrets/key": b"\0GITCRYPT"}
    )
    work.commit("Encrypted")
    work.write({"secrets/key": "in clear\n", "secrets/plain.txt": "plain\n"})
    resolved, files = work.resolve("HEAD")
    assert list(files) == ["secrets/plain.txt"]
    assert resolved.left_out == ("secrets/key",)


# --- a bare diff ------------------------------------------------------------------------------------------------------


def test_a_bare_diff_has_ids_of_its_own() -> None:
    base, head = sha_of_diff(b"diff")
    assert sha_of_diff(b"diff") == (base, head)
    assert len({base, head, *sha_of_diff(b"other")}) == 4
    assert all(len(sha) == 40 and int(sha, 16) for sha in (base, head))


def test_git_that_is_not_installed_is_said_so(work: Work, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PrincipalError, match="git is not installed"):
        asyncio.run(Checkout.find(work.folder))
