"""GitHub's own description, for stories that hold everything the bot said against it."""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from app.sandbox import Kind, Request, Sandbox
from app.sandbox.server import EVENTS

FOLDER = Path(__file__).parents[2].parent / "shared" / "contract"
BY_ID = re.compile(r"^/repositories/\d+")
REQUIRED = os.environ.get("PRINCIPAL_CONTRACT_REQUIRED") == "1"


@contextmanager
def described_github(*, events: Sequence[str] = EVENTS) -> Iterator[Sandbox]:
    """A sandbox GitHub that fails the test which said something to it that GitHub's description does not allow."""
    with Sandbox(events=events) as sandbox:
        yield sandbox
        wrong = violations(sandbox.requests)
        assert not wrong, wrong


def violations(requests: Iterable[Request]) -> list[str]:
    """Everything in these requests that GitHub's description does not allow; empty where the description is not at hand.

    With PRINCIPAL_CONTRACT_REQUIRED=1 its absence is a failure.
    """
    if not FOLDER.exists():
        if REQUIRED:
            pytest.fail(f"GitHub's description is required and not at {FOLDER}")
        return []
    rest, graphql = _contracts()
    found: list[str] = []
    for request in requests:
        match request.kind:
            case Kind.GRAPHQL:
                found += graphql.check(request.body["query"], request.body.get("variables"))
            case Kind.REST | Kind.TOKEN:
                # A renamed repository's redirect leads to its id, a path that GitHub serves and does not describe.
                target = BY_ID.sub("/repos/owner/name", request.target)
                _, wrong = rest.check_request(request.method, target, request.body)
                found += [f"{request.method} {request.path}: {one}" for one in wrong]
    return found


@cache
def _contracts() -> tuple[Any, Any]:
    spec = importlib.util.spec_from_file_location("gh_contract", FOLDER / "gh_contract.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Contract(FOLDER / "github-openapi.json"), module.GraphQLContract(FOLDER / "github-graphql.graphql")
