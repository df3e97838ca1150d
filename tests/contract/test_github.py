"""Every request of the door, held against GitHub's own description, and every answer taken from GitHub's own examples."""

from __future__ import annotations

import asyncio
import importlib.util
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from app.core.change import Sha
from app.core.finding import Side
from app.core.pull import AnnotationLevel, CheckAnnotation, Conclusion, ReviewComment, StatusState, Verdict
from app.github import App, GitHub
from app.github.conversation import Conversation
from tests.fakes.scripted_github import APP_ID, PEM, Answer, ScriptedGitHub, Seen, json

FOLDER = Path(__file__).parents[2].parent / "shared" / "contract"
REQUIRED = os.environ.get("PRINCIPAL_CONTRACT_REQUIRED") == "1"
SHOP = "acme/shop"
HEAD, BASE = Sha("a" * 40), Sha("b" * 40)
NOTE = CheckAnnotation("src/a.ts", 3, 4, AnnotationLevel.WARNING, "text", "title")
COMMENTS = (
    ReviewComment("src/a.ts", 9, "range", start_line=4),
    ReviewComment("src/a.ts", 2, "removed", side=Side.LEFT),
)

VERBS: dict[str, tuple[Callable[[GitHub], Awaitable[object]], list[str]]] = {
    "pull": (lambda door: door.pull(SHOP, 7), ["pulls/get"]),
    "open_pulls": (lambda door: door.open_pulls(SHOP), ["pulls/list"]),
    "compare": (lambda door: door.compare(SHOP, BASE, HEAD), ["repos/compare-commits-with-basehead"]),
    "permission": (lambda door: door.permission(SHOP, "octocat"), ["repos/get-collaborator-permission-level"]),
    "viewer": (lambda door: door.viewer(), ["apps/get-authenticated"]),
    "post_review": (
        lambda door: door.post_review(
            SHOP, 7, commit=HEAD, body="text", comments=COMMENTS, verdict=Verdict.REQUEST_CHANGES
        ),
        ["pulls/create-review"],
    ),
    "own_reviews": (lambda door: door.own_reviews(SHOP, 7), ["pulls/list-reviews"]),
    "comment": (lambda door: door.comment(SHOP, 7, "text"), ["issues/create-comment"]),
    "react_to_comment": (lambda door: door.react_to_comment(SHOP, 3), ["reactions/create-for-issue-comment"]),
    "start_check": (
        lambda door: door.start_check(SHOP, head=HEAD, name="principal", external_id="7", title="t", summary="s"),
        ["checks/create"],
    ),
    "tell_check": (
        lambda door: door.tell_check(
            SHOP,
            head=HEAD,
            name="principal",
            external_id="7",
            conclusion=Conclusion.SKIPPED,
            title="t",
            summary="s",
        ),
        ["checks/create"],
    ),
    "update_check": (lambda door: door.update_check(SHOP, 5, title="t", summary="s"), ["checks/update"]),
    "finish_check": (
        lambda door: door.finish_check(
            SHOP,
            5,
            conclusion=Conclusion.FAILURE,
            title="t",
            summary="s",
            text="x",
            annotations=[NOTE] * 51,
        ),
        ["checks/update"] * 2,
    ),
    "find_check": (
        lambda door: door.find_check(SHOP, head=HEAD, name="principal", external_id="7"),
        ["checks/list-for-ref"],
    ),
    "find_checks": (
        lambda door: door.find_checks(SHOP, head=HEAD, name="principal", external_id="7"),
        ["checks/list-for-ref"],
    ),
    "set_status": (
        lambda door: door.set_status(
            SHOP, HEAD, state=StatusState.PENDING, context="principal", description="d", target_url="https://x.invalid"
        ),
        ["repos/create-commit-status"],
    ),
    "policy_of": (lambda door: door.policy_of(SHOP), ["repos/get-content"]),
    "git_token": (lambda door: door.git_token(SHOP), []),
    "repositories": (lambda door: door.repositories(), ["apps/list-repos-accessible-to-installation"]),
}
TALK: dict[str, tuple[Callable[[GitHub], Awaitable[object]], list[str]]] = {
    "remarks": (lambda door: door.talk.remarks(SHOP, 7), ["issues/list-comments"]),
    "reply": (lambda door: door.talk.reply(SHOP, 7, to=3, body="text"), ["pulls/create-reply-for-review-comment"]),
    "edit": (lambda door: door.talk.edit(SHOP, 3, "text"), ["issues/update-comment"]),
    "react": (
        lambda door: door.talk.react(SHOP, 3, "rocket", in_thread=True),
        ["reactions/create-for-pull-request-review-comment"],
    ),
    "issue": (lambda door: door.talk.issue(SHOP, 12), ["issues/get"]),
    "failed_checks": (lambda door: door.talk.failed_checks(SHOP, HEAD), ["checks/list-for-ref"]),
}
WITHOUT_EXAMPLE = {"issues/get": {"number": 12, "title": "Half cents are lost", "body": None}}
"""Answers to operations whose example the description only points to."""
OVER_GRAPHQL = {"threads", "resolve", "reopen", "minimize", "unfold"}
"""Held against GitHub's schema by every story that tells of them (tests/fakes/contract.py)."""


@pytest.fixture(scope="module")
def contract() -> Any:
    """GitHub's description; without it there is nothing to hold against."""
    script = FOLDER / "gh_contract.py"
    if not script.exists():
        (pytest.fail if REQUIRED else pytest.skip)(f"GitHub's description is not at {FOLDER}")
    spec = importlib.util.spec_from_file_location("gh_contract", script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Contract(FOLDER / "github-openapi.json")


class DescribedGitHub:
    """A server that answers with GitHub's examples and notes what in a request its description does not allow."""

    def __init__(self, contract: Any, server: ScriptedGitHub) -> None:
        self.operations: list[str] = []
        self.violations: list[str] = []
        self._contract = contract
        server.otherwise = self._answer

    def check(self, seen: Seen) -> Any:
        """The operation of a request, by the description."""
        query = f"?{urlencode(seen.query)}" if seen.query else ""
        operation, violations = self._contract.check_request(seen.method, f"{seen.path}{query}", body=seen.body)
        self.violations += violations
        return operation

    def _answer(self, seen: Seen) -> Answer:
        operation = self.check(seen)
        if operation is None:
            return json(400, {"message": "no such operation"})
        self.operations.append(operation.id)
        status, body = self._contract.example(operation)
        return json(status, WITHOUT_EXAMPLE.get(operation.id, body))


def test_every_verb_is_held_against_the_description() -> None:
    public = {
        name for name, verb in vars(GitHub).items() if not name.startswith("_") and asyncio.iscoroutinefunction(verb)
    }
    assert public - {"close", "ready", "turn_to_post"} == set(VERBS)
    talking = {
        name
        for name, verb in vars(Conversation).items()
        if not name.startswith("_") and asyncio.iscoroutinefunction(verb)
    }
    assert talking - OVER_GRAPHQL == set(TALK)


@pytest.mark.parametrize("verb", [*VERBS, *TALK])
def test_a_verb_says_what_github_describes_and_understands_github_s_own_example(contract: Any, verb: str) -> None:
    story, operations = (VERBS | TALK)[verb]
    with ScriptedGitHub() as server:
        described = DescribedGitHub(contract, server)

        async def telling() -> None:
            async with App(app_id=APP_ID, private_key_pem=PEM, api_url=server.url) as app:
                await story(await app.installation(1, 99))

        asyncio.run(telling())
        for request in server.token_requests:
            assert described.check(request).id == "apps/create-installation-access-token"
    assert described.violations == []
    assert described.operations == operations


def test_a_person_s_account_is_read_as_github_describes_it(contract: Any) -> None:
    with ScriptedGitHub() as server:
        described = DescribedGitHub(contract, server)

        async def telling() -> str:
            async with GitHub.with_token("ghp_x", api_url=server.url) as door:
                return await door.viewer()

        assert asyncio.run(telling()) == "octocat"
    assert (described.operations, described.violations) == (["users/get-authenticated"], [])


def test_lost_answers_are_looked_for_as_github_describes_it(contract: Any) -> None:
    async def nap(seconds: float) -> None:
        del seconds

    with ScriptedGitHub() as server:
        described = DescribedGitHub(contract, server)
        server.will("PATCH", "/repos/acme/shop/check-runs/5", json(502, {}), server.otherwise)

        async def telling() -> None:
            async with App(app_id=APP_ID, private_key_pem=PEM, api_url=server.url, sleep=nap) as app:
                door = await app.installation(1, 99)
                await door.finish_check(
                    SHOP, 5, conclusion=Conclusion.NEUTRAL, title="t", summary="s", annotations=[NOTE] * 3
                )

        asyncio.run(telling())
    assert (described.operations, described.violations) == (["checks/get", "checks/update"], [])
