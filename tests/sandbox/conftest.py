"""A repository with one pull, and a token of the App that is installed on it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.sandbox import PullHandle, RepositoryHandle, Sandbox
from tests.sandbox.world import NEW, OLD


@pytest.fixture
def github() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def repository(github: Sandbox) -> RepositoryHandle:
    return github.create_repository("acme/shop", files={"src/a.ts": OLD, "README.md": "# Shop\n"}, private=True)


@pytest.fixture
def pull(repository: RepositoryHandle) -> PullHandle:
    return repository.open_pull(files={"src/a.ts": NEW}, title="Charge later", body="Through a queue", author="maya")


@pytest.fixture
def token(github: Sandbox, repository: RepositoryHandle) -> str:
    return github.installation_token()
