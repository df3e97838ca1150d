"""What a person sees in the browser, and the few things they can do there."""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.sandbox import PullHandle, Sandbox, run
from app.sandbox.suggestions import NotApplicable
from tests.sandbox.http_client import call, web
from tests.sandbox.listener import Listener

OLD = "const a = 1;\nconst b = 2;\nconst c = 3;\n"
NEW = "const a = 1;\nconst b = wait();\nconst c = 3;\n"
SUGGESTION = "Wait for it.\n\n```suggestion\nconst b = await wait();\n```\n"


@pytest.fixture
def github() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def pull(github: Sandbox) -> PullHandle:
    repository = github.create_repository("acme/shop", files={"src/a.ts": OLD, "logo.png": b"\0"}, private=True)
    return repository.open_pull(
        files={"src/a.ts": NEW, "logo.png": b"\1\0"},
        title="Wait <for> b",
        body="Because. <!-- a-marker -->",
        author="maya",
    )


def post(github: Sandbox, pull: PullHandle, body: str, **more: Any) -> Any:
    comment = {"path": "src/a.ts", "line": 2, "body": body, **more}
    sent = {"event": "COMMENT", "body": "**One problem.**", "comments": [comment]}
    reply = call(github, "POST", "/repos/acme/shop/pulls/1/reviews", sent, token=github.installation_token())
    assert reply.status == 200, reply.reason
    return pull.review_comments[-1]


def path_of(pull: PullHandle, rest: str = "") -> str:
    return f"/acme/shop/pull/{pull.number}{rest}"


def test_the_conversation_shows_the_review_under_the_lines_it_is_about(github: Sandbox, pull: PullHandle) -> None:
    post(github, pull, SUGGESTION)
    shown = web(github, path_of(pull)).body
    assert "Wait &lt;for&gt; b" in shown
    assert "<strong>One problem.</strong>" in shown
    assert "a-marker" not in shown
    assert "Suggested change" in shown
    assert "Commit suggestion" in shown
    assert "<script" not in shown


def test_no_page_asks_another_host_for_anything(github: Sandbox, pull: PullHandle) -> None:
    post(github, pull, "![x](https://elsewhere.example/x.png)")
    for rest in ("", "/files", "/checks"):
        reply = web(github, path_of(pull, rest))
        assert reply.status == 200
        assert "default-src 'none'" in reply.headers["content-security-policy"]
        assert re.findall(r"""(?:src|href|action)=["'](?!/|#|http://127\.0\.0\.1)""", reply.body) == []
        assert "url(" not in reply.body


def test_files_show_threads_between_their_lines(github: Sandbox, pull: PullHandle) -> None:
    post(github, pull, "Here.")
    shown = web(github, path_of(pull, "/files")).body
    assert "Binary file" in shown
    last_line = '<td class="no">3</td><td class="no">3</td>'
    assert shown.index("wait") < shown.index("Here.") < shown.index(last_line)


def test_checks_show_their_summary_and_annotations(github: Sandbox, pull: PullHandle) -> None:
    note = {"path": "src/a.ts", "start_line": 2, "end_line": 3, "annotation_level": "failure", "message": "No <await>"}
    output = {"title": "One problem", "summary": "*Look*", "annotations": [note]}
    body = {"name": "principal", "head_sha": pull.head_sha, "conclusion": "failure", "output": output}
    call(github, "POST", "/repos/acme/shop/check-runs", body, token=github.installation_token())
    shown = web(github, path_of(pull, "/checks")).body
    assert "<em>Look</em>" in shown
    assert "src/a.ts:2–3" in shown
    assert "No &lt;await&gt;" in shown
    assert "Some checks were not successful" in web(github, path_of(pull)).body


def test_the_timeline_tells_pushes_replies_and_the_end(github: Sandbox, pull: PullHandle) -> None:
    made = post(github, pull, "Why?")
    pull.reply(made, "Because I must.", by="maya")
    pull.push({"src/a.ts": NEW + "// more\n"}, message="Say more")
    pull.force_push({"src/a.ts": NEW})
    pull.resolve(pull.threads[0], by="maya")
    pull.add_label("later")
    pull.merge()
    shown = web(github, path_of(pull)).body
    for words in (
        "Because I must.",
        "force-pushed the branch",
        "Resolved",
        "later",
        "Merged",
        "merged this pull request",
    ):
        assert words in shown


def test_lists_sources_and_diffs_have_addresses(github: Sandbox, pull: PullHandle) -> None:
    assert "Wait &lt;for&gt; b" in web(github, "/").body
    assert "Wait &lt;for&gt; b" in web(github, "/acme/shop").body
    assert web(github, path_of(pull, ".diff")).body.startswith("diff --git")
    assert web(github, f"/acme/shop/blob/{pull.head_sha}/src/a.ts").body == NEW
    for absent in (
        "/acme/absent",
        "/acme/shop/pull/9",
        path_of(pull, "/nowhere"),
        "/acme/shop/blob/main/absent",
        "/a/b/c/d",
    ):
        assert web(github, absent).status == 404


def test_the_button_commits_a_suggestion_and_tells_the_bot(github: Sandbox, pull: PullHandle) -> None:
    made = post(github, pull, SUGGESTION)
    with Listener() as bot:
        github.webhook(bot.url)
        reply = web(github, path_of(pull, f"/suggestions/{made.id}"), method="POST", form="at=r1", origin=github.url)
        assert github.settle()
    assert (reply.status, reply.headers["location"]) == (303, f"{pull.url}#r1")
    assert web(github, f"/acme/shop/blob/{pull.head_sha}/src/a.ts").body == NEW.replace("wait()", "await wait()")
    assert [request.headers["x-github-event"] for request in bot.requests] == ["pull_request"]
    assert "it has been applied" in web(github, path_of(pull)).body
    assert web(github, path_of(pull, f"/suggestions/{made.id}"), method="POST", form="").status == 422


@pytest.mark.parametrize(
    ("body", "more", "reason"),
    [
        ("No suggestion.", {}, "there is no suggestion"),
        (SUGGESTION, {"side": "LEFT"}, "the lines are deleted"),
        ("```suggestion\nconst b = wait();\n```", {}, "it changes nothing"),
    ],
)
def test_a_suggestion_that_github_would_not_offer_is_refused(
    body: str, more: dict[str, Any], reason: str, github: Sandbox, pull: PullHandle
) -> None:
    made = post(github, pull, body, **more)
    with pytest.raises(NotApplicable, match=reason):
        pull.apply_suggestion(made)


def test_a_suggestion_is_refused_once_the_code_has_changed_or_the_pull_is_closed(
    github: Sandbox, pull: PullHandle
) -> None:
    made = post(github, pull, SUGGESTION)
    pull.close()
    with pytest.raises(NotApplicable, match="the pull request is closed"):
        pull.apply_suggestion(made)
    pull.reopen()
    pull.push({"src/a.ts": NEW.replace("wait()", "never()")})
    with pytest.raises(NotApplicable, match="the code has changed since"):
        pull.apply_suggestion(made)


def test_an_empty_suggestion_deletes_its_lines(github: Sandbox, pull: PullHandle) -> None:
    made = post(github, pull, "```suggestion\n```", start_line=1)
    pull.apply_suggestion(made)
    assert web(github, f"/acme/shop/blob/{pull.head_sha}/src/a.ts").body == "const c = 3;\n"


def test_a_person_comments_answers_and_resolves_on_the_page(github: Sandbox, pull: PullHandle) -> None:
    post(github, pull, "Why?")
    thread = pull.threads[0]
    assert web(github, path_of(pull, "/comments"), method="POST", form="body=%2Freview").status == 303
    assert web(github, path_of(pull, f"/threads/{thread.id}/replies"), method="POST", form="body=So.").status == 303
    assert web(github, path_of(pull, f"/threads/{thread.id}/resolve"), method="POST", form="").status == 303
    assert [comment.body for comment in pull.issue_comments] == ["/review"]
    assert [comment.body for comment in thread.comments] == ["Why?", "So."]
    assert thread.resolved_by is not None
    for absent in ("/threads/1/resolve", "/suggestions/x", "/comments", "/nowhere"):
        assert web(github, path_of(pull, absent), method="POST", form="").status == 404
    assert web(github, "/", method="POST", form="").status == 404


def test_a_form_of_another_site_does_nothing(github: Sandbox, pull: PullHandle) -> None:
    reply = web(github, path_of(pull, "/comments"), method="POST", form="body=x", origin="https://evil.example")
    assert (reply.status, pull.issue_comments) == (403, [])


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A person's own repository, with a branch that changes one line."""

    def git(*arguments: str) -> None:
        who = ["-c", "user.name=Ann", "-c", "user.email=ann@example.org"]
        subprocess.run(["git", *who, "-C", str(tmp_path), *arguments], check=True, capture_output=True)

    git("init", "--quiet", "--initial-branch=trunk")
    (tmp_path / "a.txt").write_text("one\n")
    git("add", ".")
    git("commit", "--quiet", "-m", "First")
    git("switch", "--quiet", "-c", "topic")
    (tmp_path / "a.txt").write_text("two\n")
    git("commit", "--quiet", "-am", "Say two\n\nBecause one is few.")
    return tmp_path


def test_a_person_runs_the_sandbox_on_their_own_repository(checkout: Path, capfd: pytest.CaptureFixture[str]) -> None:
    stop = threading.Event()
    with Listener() as bot:
        running = threading.Thread(
            target=run,
            kwargs={"repo_path": checkout, "base": "trunk", "head": "HEAD", "webhook_url": bot.url, "stop": stop},
        )
        running.start()
        told = _said(capfd, "Ctrl-C ends it.")
        page = re.search(r"http://127\.0\.0\.1:\d+/\S+/pull/1", told)
        stop.set()
        running.join()
    assert page is not None
    assert "GITHUB_APP_ID=424242" in told
    assert "Its webhook: OK" in told
    assert len(bot.requests) == 1
    assert b"Say two" in bot.requests[0].body


def _said(capfd: pytest.CaptureFixture[str], words: str) -> str:
    """What was printed once `words` were."""
    told = ""
    for _ in range(1_000):
        told += capfd.readouterr().out
        if words in told:
            return told
        threading.Event().wait(0.01)
    pytest.fail(f"never said {words!r}: {told}")


@pytest.mark.parametrize(("base", "head", "error"), [("absent", "HEAD", LookupError), ("HEAD", "HEAD", ValueError)])
def test_revisions_that_make_no_pull_are_told(base: str, head: str, error: type[Exception], checkout: Path) -> None:
    with pytest.raises(error):
        run(checkout, base=base, head=head, stop=threading.Event())
