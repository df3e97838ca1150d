"""Every shape the sandbox answers and sends, held against GitHub's own published descriptions."""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from app.sandbox import Sandbox, Submodule, Symlink
from tests.sandbox.http_client import Reply, app_jwt, call, web

FOLDER = Path(__file__).parents[2].parent / "shared" / "contract"
REQUIRED = os.environ.get("PRINCIPAL_CONTRACT_REQUIRED") == "1"
pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir() and not REQUIRED, reason="GitHub's descriptions are not beside the project (../shared/contract)"
)

OLD = "".join(f"line {number}\n" for number in range(1, 41))
NEW = OLD.replace("line 20\n", "line twenty\nand a half\n")
NOTE = {"path": "src/a.ts", "start_line": 20, "end_line": 21, "annotation_level": "warning", "message": "Look."}


@pytest.fixture(scope="module")
def contract() -> Any:
    spec = importlib.util.spec_from_file_location("gh_contract", FOLDER / "gh_contract.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def rest(contract: Any) -> Any:
    return contract.Contract(FOLDER / "github-openapi.json")


@pytest.fixture(scope="module")
def world() -> Iterator[dict[str, Any]]:
    """A repository with one of everything."""
    with Sandbox(events=ALL_EVENTS, permissions=ALL_PERMISSIONS) as github:
        repository = github.create_repository("acme/shop", files={"src/a.ts": OLD, "b.bin": b"\0"}, private=True)
        repository.add_collaborator("alice", "write")
        github.webhook("http://127.0.0.1:1/nobody-listens")
        pull = repository.open_pull(
            files={"src/a.ts": NEW, "b.bin": b"\0\1", "link": Symlink("src/a.ts"), "lib": Submodule("1" * 40)},
            author="dev",
            labels=["bug"],
        )
        pull.comment("/review", by="alice")
        token = github.installation_token()
        made: dict[str, Any] = {}

        def send(name: str, method: str, path: str, body: object = None) -> None:
            reply = call(github, method, path.format(**made), body, token=token)
            assert reply.status < 300, reply.reason
            made[name] = reply.body["id"]

        base = "/repos/acme/shop"
        here = {"path": "src/a.ts", "line": 21, "start_line": 20, "side": "RIGHT", "body": "Why?"}
        send("review", "POST", f"{base}/pulls/1/reviews", {"event": "COMMENT", "body": "Read.", "comments": [here]})
        made["comment"] = pull.review_comments[0].id
        send("reply", "POST", f"{base}/pulls/1/comments/{{comment}}/replies", {"body": "Because."})
        output = {"title": "t", "summary": "s", "annotations": [NOTE]}
        run = {"name": "principal", "head_sha": pull.head_sha, "output": output}
        send("run", "POST", f"{base}/check-runs", {**run, "status": "completed", "conclusion": "neutral"})
        send("issue_comment", "POST", f"{base}/issues/1/comments", {"body": "Hello"})
        send("reaction", "POST", f"{base}/issues/comments/{{issue_comment}}/reactions", {"content": "eyes"})
        send("status", "POST", f"{base}/statuses/{pull.head_sha}", {"state": "success"})
        assert github.settle()
        yield {"github": github, "pull": pull, "repository": repository, "token": token, **made}


ALL_EVENTS = (
    "pull_request",
    "issue_comment",
    "pull_request_review",
    "pull_request_review_comment",
    "pull_request_review_thread",
    "push",
)
ALL_PERMISSIONS = {
    "metadata": "read",
    "contents": "write",
    "pull_requests": "write",
    "issues": "write",
    "checks": "write",
    "statuses": "write",
    "deployments": "read",
}

READS = [
    "/repos/acme/shop",
    "/repos/acme/shop/branches/main",
    "/repos/acme/shop/git/ref/heads/main",
    "/repos/acme/shop/commits/{head}",
    "/repos/acme/shop/commits/{head}/pulls",
    "/repos/acme/shop/commits/{head}/check-runs",
    "/repos/acme/shop/commits/{head}/status",
    "/repos/acme/shop/commits/{head}/statuses",
    "/repos/acme/shop/compare/main...{head}",
    "/repos/acme/shop/contents/src/a.ts",
    "/repos/acme/shop/contents/src",
    "/repos/acme/shop/contents/link?ref={head}",
    "/repos/acme/shop/contents/lib?ref={head}",
    "/repos/acme/shop/collaborators/alice/permission",
    "/repos/acme/shop/check-runs/{run}",
    "/repos/acme/shop/check-runs/{run}/annotations",
    "/repos/acme/shop/issues/1",
    "/repos/acme/shop/issues/1/comments",
    "/repos/acme/shop/issues/1/labels",
    "/repos/acme/shop/issues/1/reactions",
    "/repos/acme/shop/issues/comments/{issue_comment}",
    "/repos/acme/shop/issues/comments/{issue_comment}/reactions",
    "/repos/acme/shop/pulls",
    "/repos/acme/shop/pulls/1",
    "/repos/acme/shop/pulls/1/files",
    "/repos/acme/shop/pulls/1/commits",
    "/repos/acme/shop/pulls/1/comments",
    "/repos/acme/shop/pulls/1/reviews",
    "/repos/acme/shop/pulls/1/reviews/{review}",
    "/repos/acme/shop/pulls/1/reviews/{review}/comments",
    "/repos/acme/shop/pulls/1/requested_reviewers",
    "/repos/acme/shop/pulls/comments",
    "/repos/acme/shop/pulls/comments/{comment}",
    "/repos/acme/shop/pulls/comments/{comment}/reactions",
    "/installation/repositories",
    "/users/alice",
    "/rate_limit",
    "/meta",
]
APP_READS = [
    "/app",
    "/app/installations/50000001",
    "/repos/acme/shop/installation",
    "/app/hook/config",
    "/app/hook/deliveries",
    "/app/hook/deliveries/{delivery}",
]


def violations(rest: Any, method: str, target: str, reply: Reply) -> list[str]:
    """What an answer does wrong by GitHub's description of the operation."""
    operation, _ = rest.find(method, target.partition("?")[0])
    assert operation is not None, f"GitHub describes no {method} {target}"
    return list(rest.check_response(operation, reply.status, reply.body))


@pytest.mark.parametrize("path", READS)
def test_what_an_installation_reads_has_the_described_shape(path: str, world: dict[str, Any], rest: Any) -> None:
    target = path.format(**world, head=world["pull"].head_sha)
    reply = call(world["github"], "GET", target, token=world["token"])
    assert reply.status == 200
    assert violations(rest, "GET", target, reply) == []


@pytest.mark.parametrize("path", APP_READS)
def test_what_an_app_reads_has_the_described_shape(path: str, world: dict[str, Any], rest: Any) -> None:
    github = world["github"]
    target = path.format(delivery=github.deliveries[0].id)
    reply = call(github, "GET", target, token=app_jwt(github))
    assert reply.status == 200
    assert violations(rest, "GET", target, reply) == []


def test_the_list_of_installations_holds_what_one_installation_has(world: dict[str, Any], rest: Any) -> None:
    """The description of the list asks for an account that is a user and an enterprise at once; that of one does not."""
    github = world["github"]
    reply = call(github, "GET", "/app/installations", token=app_jwt(github))
    one = f"/app/installations/{github.installation().id}"
    assert [violations(rest, "GET", one, Reply(200, {}, item)) for item in reply.body] == [[]]


def test_what_a_person_reads_about_themselves_has_the_described_shape(world: dict[str, Any], rest: Any) -> None:
    reply = call(world["github"], "GET", "/user", token=world["github"].user_token("alice"))
    assert violations(rest, "GET", "/user", reply) == []


WRITES: list[tuple[str, str, Any]] = [
    ("POST", "/repos/acme/shop/pulls/1/reviews", {"event": "COMMENT", "body": "Again."}),
    ("POST", "/repos/acme/shop/pulls/1/reviews", {"event": "COMMENT"}),
    (
        "POST",
        "/repos/acme/shop/pulls/1/comments",
        {"path": "src/a.ts", "line": 20, "commit_id": "{head}", "body": "Here."},
    ),
    (
        "POST",
        "/repos/acme/shop/pulls/1/comments",
        {"path": "src/a.ts", "line": 1, "commit_id": "{head}", "body": "Off the diff."},
    ),
    ("POST", "/repos/acme/shop/pulls/1/comments/{comment}/replies", {"body": "So."}),
    ("PATCH", "/repos/acme/shop/pulls/comments/{comment}", {"body": "Edited."}),
    ("POST", "/repos/acme/shop/pulls/comments/{comment}/reactions", {"content": "+1"}),
    ("POST", "/repos/acme/shop/issues/1/comments", {"body": "Hello"}),
    ("POST", "/repos/acme/shop/issues/1/comments", {"body": "x" * 65_537}),
    ("PATCH", "/repos/acme/shop/issues/comments/{issue_comment}", {"body": "Edited"}),
    ("POST", "/repos/acme/shop/issues/comments/{issue_comment}/reactions", {"content": "eyes"}),
    ("POST", "/repos/acme/shop/issues/comments/{issue_comment}/reactions", {"content": "tada"}),
    ("POST", "/repos/acme/shop/issues/1/labels", {"labels": ["reviewed"]}),
    ("POST", "/repos/acme/shop/issues/1/reactions", {"content": "heart"}),
    ("POST", "/repos/acme/shop/check-runs", {"name": "n", "head_sha": "{head}"}),
    ("PATCH", "/repos/acme/shop/check-runs/{run}", {"status": "completed", "conclusion": "success"}),
    ("POST", "/repos/acme/shop/statuses/{head}", {"state": "pending", "context": "principal", "description": "…"}),
    ("PATCH", "/repos/acme/shop/pulls/1", {"title": "Another title"}),
]


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
def test_what_a_write_is_answered_has_the_described_shape(
    method: str, path: str, body: Any, world: dict[str, Any], rest: Any
) -> None:
    names = {**world, "head": world["pull"].head_sha}
    sent = {
        key: value.replace("{head}", names["head"]) if isinstance(value, str) else value for key, value in body.items()
    }
    target = path.format(**names)
    reply = call(world["github"], method, target, sent, token=world["token"])
    assert violations(rest, method, target, reply) == []


def test_a_token_has_the_described_shape(world: dict[str, Any], rest: Any) -> None:
    github = world["github"]
    target = f"/app/installations/{github.installation().id}/access_tokens"
    narrowed = {"repository_ids": [world["repository"].id], "permissions": {"contents": "read"}}
    for body in (None, narrowed):
        reply = call(github, "POST", target, body, token=app_jwt(github))
        assert reply.status == 201
        assert violations(rest, "POST", target, reply) == []
    refused = call(github, "POST", target, {"permissions": {"actions": "write"}}, token=app_jwt(github))
    assert violations(rest, "POST", target, refused) == []


def test_the_credentials_of_a_new_app_have_the_described_shape(rest: Any) -> None:
    with Sandbox() as github:
        form = {"name": "new", "manifest": json.dumps({"url": github.url, "redirect_url": github.url})}
        sent = web(github, "/settings/apps", method="POST", form=urlencode(form), origin=github.url)
        code = parse_qs(urlsplit(sent.headers["location"]).query)["code"][0]
        target = f"/app-manifests/{code}/conversions"
        for status in (201, 404):
            reply = call(github, "POST", target)
            assert reply.status == status
            assert violations(rest, "POST", target, reply) == []


def test_every_webhook_satisfies_githubs_schemas(world: dict[str, Any]) -> None:
    from jsonschema import Draft7Validator  # type: ignore[import-untyped]

    github, pull = world["github"], world["pull"]
    pull.push({"src/a.ts": NEW + "more\n"})
    pull.convert_to_draft()
    pull.ready_for_review()
    pull.edit(title="A better title")
    pull.add_label("later")
    thread = pull.threads[0]
    pull.resolve(thread)
    pull.unresolve(thread)
    pull.close()
    pull.reopen()
    github.suspend()
    github.unsuspend()
    world["repository"].rename("store")
    world["repository"].rename("shop")
    assert github.settle()
    document = json.loads((FOLDER / "webhook-schemas.json").read_text())
    problems: dict[str, list[str]] = {}
    seen = set()
    for delivery in github.deliveries:
        name = f"{delivery.event}${delivery.action or 'event'}"
        seen.add(name)
        validator = Draft7Validator({**document, "$ref": f"#/definitions/{name}"})
        for error in validator.iter_errors(json.loads(delivery.body)):
            where = "/".join(map(str, error.absolute_path))
            problems.setdefault(name, []).append(f"{where}: {error.message[:200]}")
    assert problems == {}
    assert {"pull_request$synchronize", "issue_comment$created", "check_run$completed", "push$event"} <= seen


def test_the_graphql_schema_is_a_part_of_githubs(contract: Any) -> None:
    from graphql import GraphQLInputObjectType, GraphQLInterfaceType, GraphQLObjectType, build_schema

    theirs = contract.GraphQLContract(FOLDER / "github-graphql.graphql").schema
    sdl = Path(__file__).parents[2] / "app" / "sandbox" / "schema.graphql"
    ours = build_schema(sdl.read_text())
    wrong = []
    for name, kind in ours.type_map.items():
        if name.startswith("__"):
            continue
        other = theirs.type_map.get(name)
        if other is None:
            wrong.append(name)
        elif isinstance(kind, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType):
            wrong += [
                f"{name}.{field}: {shape.type}"
                for field, shape in kind.fields.items()
                if field not in other.fields or str(other.fields[field].type) != str(shape.type)
            ]
    assert wrong == []


def test_operations_have_githubs_names(rest: Any) -> None:
    from app.sandbox.rest import ROUTES

    theirs = {operation.id for operation in rest.ops}
    assert {route.name for route in ROUTES} - theirs == set()
