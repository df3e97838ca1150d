"""The sandbox from a client's side: PyGithub and git work with it as they do with GitHub."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from github import Auth, Github, GithubException, GithubIntegration

from app.sandbox import Sandbox

OLD = "".join(f"line {number}\n" for number in range(1, 41))
NEW = OLD.replace("line 20\n", "line twenty\nand a half\n")


def test_an_app_reviews_a_pull_with_pygithub_and_git(tmp_path: Path) -> None:
    with Sandbox() as github:
        repository = github.create_repository("acme/shop", files={"src/a.ts": OLD}, private=True)
        repository.add_collaborator("alice", "maintain")
        pull = repository.open_pull(files={"src/a.ts": NEW}, title="Half a line more", author="maya")

        auth = Auth.AppAuth(github.app.id, github.private_key)
        with GithubIntegration(auth=auth, base_url=github.api_url) as integration:
            installation = integration.get_repo_installation("acme", "shop")
            token = integration.get_access_token(installation.id).token
        with Github(auth=Auth.Token(token), base_url=github.api_url, seconds_between_writes=0) as client:
            seen = client.get_repo("acme/shop")
            change = seen.get_pull(pull.number)
            assert (change.title, change.user.login, change.head.sha) == ("Half a line more", "maya", pull.head_sha)
            (file,) = change.get_files()
            assert (file.filename, file.additions, file.deletions) == ("src/a.ts", 2, 1)
            assert seen.compare(pull.base_sha, pull.head_sha).merge_base_commit.sha == pull.base_sha
            assert seen.get_collaborator_role_name("alice") == "maintain"

            run = seen.create_check_run("principal", pull.head_sha, status="in_progress")
            review = change.create_review(
                body="One question.",
                event="COMMENT",
                comments=[{"path": "src/a.ts", "line": 21, "start_line": 20, "side": "RIGHT", "body": "Why a half?"}],
            )
            with pytest.raises(GithubException) as refused:
                change.create_review(body="b", event="COMMENT", comments=[{"path": "src/a.ts", "line": 1, "body": "x"}])
            assert refused.value.status == 422
            (comment,) = change.get_single_review_comments(review.id)
            change.create_review_comment_reply(comment.id, "Because.")
            change.create_issue_comment("Done.").create_reaction("eyes")
            run.edit(status="completed", conclusion="success", output={"title": "Read", "summary": "All of it."})

        remote = repository.clone_url.replace("//", f"//x-access-token:{token}@")
        fetched = subprocess.run(
            ["git", "clone", "--quiet", "--bare", "--depth=1", remote, str(tmp_path / "copy")],
            env={"PATH": os.environ["PATH"], "HOME": os.devnull},
            check=False,
            capture_output=True,
            text=True,
        )
        assert fetched.returncode == 0, fetched.stderr
        assert [review.body for review in pull.reviews] == ["One question."]
        assert [comment.body for comment in pull.review_comments] == ["Why a half?", "Because."]
        assert [run.conclusion for run in pull.check_runs] == ["success"]
        assert len(github.requests.find("POST", "/reviews")) == 2
