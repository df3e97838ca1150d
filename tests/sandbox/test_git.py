"""What git tells: differences, contents, and fetching over smart HTTP."""

from __future__ import annotations

import base64
import gc
import os
import subprocess
from pathlib import Path

import pytest

from app.sandbox import Executable, Kind, Move, PullHandle, RepositoryHandle, Sandbox, Submodule, Symlink
from tests.sandbox.http_client import call
from tests.sandbox.world import NEW, OLD, REVIEWS, SHOP, review


def test_files_are_told_as_git_sees_them(github: Sandbox, repository: RepositoryHandle, token: str) -> None:
    start: dict[str, str | bytes] = {
        "moved.ts": "a\nb\nc\n",
        "gone.ts": "x\n",
        "tool.sh": "#!/bin/sh\n",
        "image.png": b"\0\1",
        "kind.txt": "plain\n",
    }
    repository.push(start)
    repository.open_pull(
        files={
            "new place/moved é.ts": Move("moved.ts"),
            "gone.ts": None,
            "tool.sh": Executable("#!/bin/sh\n"),
            "image.png": b"\0\2",
            "kind.txt": Symlink("README.md"),
            "lib": Submodule("1" * 40),
            'quo"ted\n.txt': "odd",
            "no-end.txt": "no line feed at the end",
        }
    )
    files = {file["filename"]: file for file in call(github, "GET", f"{SHOP}/pulls/1/files", token=token).body}
    assert {name: file["status"] for name, file in files.items()} == {
        "new place/moved é.ts": "renamed",
        "gone.ts": "removed",
        "tool.sh": "changed",
        "image.png": "modified",
        "kind.txt": "changed",
        "lib": "added",
        'quo"ted\n.txt': "added",
        "no-end.txt": "added",
    }
    assert files["new place/moved é.ts"]["previous_filename"] == "moved.ts"
    assert {name for name, file in files.items() if "patch" not in file} == {
        "new place/moved é.ts",
        "tool.sh",
        "image.png",
    }
    assert files["no-end.txt"]["patch"].endswith("\\ No newline at end of file")
    assert files["lib"]["patch"] == f"@@ -0,0 +1 @@\n+Subproject commit {'1' * 40}"


def test_the_difference_starts_where_the_branches_part(
    github: Sandbox, repository: RepositoryHandle, token: str
) -> None:
    pull = repository.open_pull(files={"src/a.ts": NEW})
    repository.push({"README.md": "# Another\n"})
    compared = call(github, "GET", f"{SHOP}/compare/main...{pull.head_sha}", token=token).body
    assert compared["merge_base_commit"]["sha"] == pull.base_sha
    assert (compared["status"], compared["ahead_by"], compared["behind_by"]) == ("diverged", 1, 1)
    assert [file["filename"] for file in compared["files"]] == ["src/a.ts"]
    assert [commit["commit"]["message"] for commit in compared["commits"]] == ["A change"]


def test_a_diff_of_too_many_lines_is_not_acceptable(github: Sandbox, repository: RepositoryHandle, token: str) -> None:
    wanted = {"Accept": "application/vnd.github.v3.diff"}
    repository.open_pull(files={"src/a.ts": NEW})
    assert call(github, "GET", f"{SHOP}/pulls/1", token=token, headers=wanted).body.startswith("diff --git a/src/a.ts")
    repository.open_pull(files={"long.txt": "line\n" * 20_001})
    refused = call(github, "GET", f"{SHOP}/pulls/2", token=token, headers=wanted)
    assert (refused.status, refused.body["errors"][0]["code"]) == (406, "too_large")
    (file,) = call(github, "GET", f"{SHOP}/pulls/2/files", token=token).body
    assert (file["additions"], "patch" in file) == (20_001, False)


def test_contents_are_read_at_any_revision(github: Sandbox, pull: PullHandle, token: str) -> None:
    path = f"{SHOP}/contents/src/a.ts"
    at_base = call(github, "GET", path, token=token).body
    at_head = call(github, "GET", f"{path}?ref={pull.head_sha}", token=token).body
    decoded = [base64.b64decode(one["content"]).decode() for one in (at_base, at_head)]
    assert decoded == [OLD, NEW]
    raw = call(github, "GET", path, token=token, headers={"Accept": "application/vnd.github.raw+json"})
    assert raw.body == OLD
    assert call(github, "GET", f"{SHOP}/contents/absent", token=token).status == 404
    assert call(github, "GET", f"{path}?ref=absent", token=token).status == 404


def git(*arguments: str, token: str | None = None) -> subprocess.CompletedProcess[str]:
    """One run of git as a client, with a token in its environment."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_CONFIG_SYSTEM": os.devnull,
    }
    if token is not None:
        credentials = base64.b64encode(f"x-access-token:{token}".encode()).decode()
        environment |= {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "http.extraHeader",
            "GIT_CONFIG_VALUE_0": f"Authorization: Basic {credentials}",
        }
    return subprocess.run(["git", *arguments], env=environment, capture_output=True, text=True, check=False, timeout=90)


def test_git_fetches_any_commit_with_a_token(github: Sandbox, repository: RepositoryHandle, tmp_path: Path) -> None:
    pull = repository.open_pull(files={"src/a.ts": NEW}, from_fork=True, author="stranger")
    token = github.installation_token(permissions={"contents": "read"})
    git("init", "--quiet", "--bare", str(tmp_path))
    wanted = [pull.head_sha, pull.base_sha, "refs/pull/1/head", "refs/pull/1/merge"]
    done = git(
        "-C", str(tmp_path), "fetch", "--depth=1", "--filter=blob:none", repository.clone_url, *wanted, token=token
    )
    assert done.returncode == 0, done.stderr
    shown = git("-C", str(tmp_path), "cat-file", "-t", pull.head_sha)
    assert shown.stdout.strip() == "commit"
    assert {request.identity for request in github.requests.of(Kind.GIT)} == {
        f"installation:{github.installation().id}"
    }


@pytest.mark.parametrize(
    ("permissions", "reason"),
    [(None, "could not read Username"), ({"pull_requests": "read"}, "403"), ({}, None)],
)
def test_git_is_refused_without_the_right_to_read(
    permissions: dict[str, str] | None, reason: str | None, github: Sandbox, repository: RepositoryHandle
) -> None:
    token = None if permissions is None else github.installation_token(permissions=permissions or None)
    done = git("ls-remote", repository.clone_url, token=token)
    assert (done.returncode == 0) == (reason is None)
    assert reason is None or reason in done.stderr


def test_git_follows_a_rename_and_cannot_push(github: Sandbox, tmp_path: Path) -> None:
    repository = github.create_repository("acme/open")
    old = repository.clone_url
    repository.rename("opened")
    copy = str(tmp_path / "copy")
    assert git("clone", "--quiet", old, copy).returncode == 0
    pushed = git("-C", copy, "push", "origin", "HEAD:refs/heads/new", token=github.installation_token())
    assert "403" in pushed.stderr
    assert git("ls-remote", f"{github.server_url}/acme/absent.git").returncode != 0


def test_a_pull_whose_fork_was_deleted_keeps_its_commits(
    github: Sandbox, repository: RepositoryHandle, token: str
) -> None:
    pull = repository.open_pull(files={"src/a.ts": NEW}, from_fork=True, author="stranger")
    pull.delete_head_repository()
    shown = call(github, "GET", f"{SHOP}/pulls/1", token=token).body
    assert (shown["head"]["repo"], shown["head"]["sha"]) == (None, pull.head_sha)
    assert len(call(github, "GET", f"{SHOP}/pulls/1/files", token=token).body) == 1
    assert f"{pull.head_sha}\trefs/pull/1/head" in git("ls-remote", repository.clone_url, token=token).stdout


def test_a_pull_that_conflicts_has_no_merge_commit(github: Sandbox, repository: RepositoryHandle, token: str) -> None:
    branch = repository.open_pull(files={"src/a.ts": NEW}).state.head_ref
    repository.push({"src/a.ts": OLD.replace("line 20\n", "line XX\n")})
    pull = repository.open_pull(branch=branch)
    shown = call(github, "GET", f"{SHOP}/pulls/{pull.number}", token=token).body
    assert (shown["mergeable"], shown["merge_commit_sha"], shown["mergeable_state"]) == (False, None, "dirty")


def test_the_same_verbs_make_the_same_commits_anywhere() -> None:
    heads = set()
    for _ in range(2):
        with Sandbox() as github:
            heads.add(github.create_repository("acme/shop", files={"a": "b"}).open_pull(files={"a": "c"}).head_sha)
    assert len(heads) == 1


def test_a_pull_of_three_thousand_files_is_read_and_reviewed(github: Sandbox, repository: RepositoryHandle) -> None:
    files = {f"src/{number:04}.ts": f"line of {number}\n" * 160 for number in range(3_000)}
    pull = repository.open_pull(files=files)
    token = github.installation_token()
    shown = call(github, "GET", f"{SHOP}/pulls/1", token=token).body
    assert (shown["changed_files"], shown["additions"]) == (3_000, 480_000)
    page = call(github, "GET", f"{SHOP}/pulls/1/files?per_page=100&page=30", token=token)
    assert (len(page.body), page.body[-1]["filename"]) == (100, "src/2999.ts")
    comment = {"path": "src/1500.ts", "line": 160, "body": "The last line."}
    assert call(github, "POST", REVIEWS, review(comment), token=token).status == 200
    assert [made.line for made in pull.review_comments] == [160]


def test_the_git_whose_answer_is_lost_ends(github: Sandbox) -> None:
    """It would stay behind as a process that nobody waits for; Python says so when it is collected."""
    repository = github.create_repository("acme/lost", files={"a": "1\n"})
    github.faults.lose_answer("GET", "*/info/refs")
    github.faults.answer_after_effect(502, "GET", "*/info/refs")
    for _ in range(2):
        assert subprocess.run(["git", "ls-remote", repository.clone_url], check=False, capture_output=True).returncode
    gc.collect()
    assert subprocess.run(["git", "ls-remote", repository.clone_url], check=False, capture_output=True).returncode == 0
