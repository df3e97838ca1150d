"""Webhooks: what is sent, when, how it is signed, and how it is sent again."""

from __future__ import annotations

import hashlib
import hmac
import json

from app.sandbox import PullHandle, RepositoryHandle, Sandbox
from tests.sandbox.http_client import app_jwt, call
from tests.sandbox.listener import Listener
from tests.sandbox.world import NEW, SHOP


def test_a_webhook_carries_what_github_sends(github: Sandbox, repository: RepositoryHandle) -> None:
    with Listener() as bot:
        github.webhook(bot.url, secret="s3cret")
        pull = repository.open_pull(files={"src/a.ts": NEW}, draft=True)
    (sent,) = bot.requests
    assert pull.delivery is not None
    assert (pull.delivery.status, pull.delivery.status_code) == ("OK", 200)
    assert sent.headers["x-hub-signature-256"] == "sha256=" + hmac.new(b"s3cret", sent.body, hashlib.sha256).hexdigest()
    assert sent.headers["x-github-event"] == "pull_request"
    assert sent.headers["x-github-delivery"] == pull.delivery.guid
    assert sent.headers["x-github-hook-installation-target-id"] == str(github.app.id)
    assert sent.headers["user-agent"].startswith("GitHub-Hookshot/")
    payload = json.loads(sent.body)
    assert (payload["action"], payload["pull_request"]["draft"]) == ("opened", True)
    assert payload["installation"]["id"] == github.installation().id


def test_a_repository_that_is_taken_out_of_an_installation_is_told_and_no_longer_seen(
    github: Sandbox, repository: RepositoryHandle
) -> None:
    other = github.create_repository("acme/other", files={"a": "b"}, private=True)
    with Listener() as bot:
        github.webhook(bot.url)
        github.take_away(repository)
    (sent,) = bot.requests
    payload = json.loads(sent.body)
    assert sent.headers["x-github-event"] == "installation_repositories"
    assert (payload["action"], [one["id"] for one in payload["repositories_removed"]]) == ("removed", [repository.id])
    assert payload["installation"]["id"] == github.installation().id
    assert github.installation().repositories == {other.id}


def test_githubs_own_example_of_a_signature_holds() -> None:
    from app.sandbox.webhooks import sign

    expected = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert sign("It's a Secret to Everybody", b"Hello, World!") == expected


def test_a_webhook_can_be_held_back_sent_twice_and_sent_anew(github: Sandbox, repository: RepositoryHandle) -> None:
    with Listener() as bot:
        github.webhook(bot.url)
        pull = repository.open_pull(files={"src/a.ts": NEW}, deliver=False)
        assert bot.requests == []
        (sent,) = github.deliver_held()
        again = github.redeliver(sent.guid)
        anew = github.send_again_under_a_new_guid(sent)
        pull.close()
    guids = [request.headers["x-github-delivery"] for request in bot.requests]
    assert guids[:3] == [sent.guid, sent.guid, anew.guid]
    assert len(set(guids)) == 3
    assert len({request.body for request in bot.requests[:3]}) == 1
    assert (again.redelivery, anew.redelivery) == (True, False)


def test_the_app_reads_its_deliveries_and_has_the_failed_ones_sent_again(
    github: Sandbox, repository: RepositoryHandle
) -> None:
    with Listener(status=500) as bot:
        github.webhook(bot.url)
        pull = repository.open_pull(files={"src/a.ts": NEW})
        assert pull.delivery is not None
        assert pull.delivery.status == "Invalid HTTP Response: 500"
        failed = call(github, "GET", "/app/hook/deliveries?status=failure", token=app_jwt(github)).body
        assert [one["guid"] for one in failed] == [pull.delivery.guid]
        bot.status = 202
        path = f"/app/hook/deliveries/{failed[0]['id']}"
        assert call(github, "POST", f"{path}/attempts", token=app_jwt(github)).status == 202
        assert github.settle()
    listed = call(github, "GET", "/app/hook/deliveries?per_page=1", token=app_jwt(github))
    assert [(one["guid"], one["status"], one["redelivery"]) for one in listed.body] == [
        (pull.delivery.guid, "OK", True)
    ]
    assert 'rel="next"' in listed.headers["link"]
    following = listed.headers["link"].partition("<")[2].partition(">")[0].removeprefix(github.api_url)
    assert [one["id"] for one in call(github, "GET", following, token=app_jwt(github)).body] == [failed[0]["id"]]
    shown = call(github, "GET", path, token=app_jwt(github)).body
    assert shown["request"]["payload"]["number"] == 1
    assert call(github, "GET", "/app/hook/deliveries?cursor=x", token=app_jwt(github)).status == 422
    assert call(github, "GET", "/app/hook/deliveries/1", token=app_jwt(github)).status == 404


def test_a_bot_that_is_away_is_a_failed_delivery_not_an_error(github: Sandbox, repository: RepositoryHandle) -> None:
    with Listener() as bot:
        gone = bot.url
    github.webhook(gone)
    pull = repository.open_pull(files={"src/a.ts": NEW})
    assert pull.delivery is not None
    assert pull.delivery.status == "failed to connect to host"


def test_what_the_bot_writes_is_told_to_it_as_well(github: Sandbox, pull: PullHandle, token: str) -> None:
    with Listener() as bot:
        github.webhook(bot.url)
        call(github, "POST", f"{SHOP}/issues/1/comments", {"body": "Hello"}, token=token)
        call(github, "POST", f"{SHOP}/check-runs", {"name": "n", "head_sha": pull.head_sha}, token=token)
        assert github.settle()
    told = [(request.headers["x-github-event"], json.loads(request.body)) for request in bot.requests]
    assert [name for name, _ in told] == ["issue_comment", "check_run"]
    sender = told[0][1]["sender"]
    assert (sender["login"], sender["type"]) == ("principal[bot]", "Bot")
    assert told[0][1]["comment"]["performed_via_github_app"]["id"] == github.app.id


def test_every_verb_of_a_pull_tells_its_event(github: Sandbox, repository: RepositoryHandle, pull: PullHandle) -> None:
    repository.git.set_refs({"refs/heads/release": repository.head})
    before = pull.head_sha
    with Listener() as bot:
        github.webhook(bot.url)
        pull.push({"src/a.ts": NEW + "x\n"})
        pull.reset_to(before)
        pull.force_push({"src/a.ts": NEW + "y\n"})
        pull.convert_to_draft()
        pull.ready_for_review()
        pull.edit(base="release")
        pull.add_label("later")
        pull.close()
        pull.reopen()
        comment = pull.comment("/review", by="alice")
        pull.edit_comment(comment, "/review full")
        made = pull.comment_on_line("src/a.ts", 20, "Why?", by="alice")
        pull.reply(made, "/explain", by="alice")
        pull.merge()
        repository.open_issue().comment("Not a pull.")
    told = [(request.headers["x-github-event"], json.loads(request.body)) for request in bot.requests]
    assert [f"{name}.{payload['action']}" for name, payload in told] == [
        "pull_request.synchronize",
        "pull_request.synchronize",
        "pull_request.synchronize",
        "pull_request.converted_to_draft",
        "pull_request.ready_for_review",
        "pull_request.edited",
        "pull_request.labeled",
        "pull_request.closed",
        "pull_request.reopened",
        "issue_comment.created",
        "issue_comment.edited",
        "pull_request_review_comment.created",
        "pull_request_review_comment.created",
        "pull_request.closed",
        "issue_comment.created",
    ]
    heads = [(payload["before"], payload["after"]) for _, payload in told[:3]]
    assert heads[0][0] == before
    assert heads[1][1] == before
    assert told[5][1]["changes"]["base"]["ref"] == {"from": "main"}
    assert told[13][1]["pull_request"]["merged"] is True
    assert "pull_request" in told[9][1]["issue"]
    assert "pull_request" not in told[14][1]["issue"]


def test_no_webhook_goes_to_a_suspended_installation(github: Sandbox, repository: RepositoryHandle) -> None:
    github.suspend()
    with Listener() as bot:
        github.webhook(bot.url)
        repository.open_pull(files={"src/a.ts": NEW})
    assert bot.requests == []


def test_payloads_can_be_had_without_sending_them(github: Sandbox, pull: PullHandle) -> None:
    pull.comment("/review")
    opened, commented = json.loads(github.payload("opened", pull)), json.loads(github.comment_payload("created", pull))
    assert (opened["number"], commented["comment"]["body"]) == (1, "/review")
    assert opened["installation"]["id"] == github.installation().id
