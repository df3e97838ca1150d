"""`Sandbox`: a whole GitHub on a loopback port, with verbs for tests, and `run` for the command line.

with Sandbox() as github:
    repository = github.create_repository("acme/shop", files={"a.ts": "…"}, private=True)
    github.webhook("http://127.0.0.1:8000/webhooks/github", secret="…")
    pull = repository.open_pull(files={"a.ts": "…"}, title="Charge once")
    assert pull.reviews
"""

from __future__ import annotations

import functools
import secrets
import shutil
import socket
import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from app.sandbox import access, keys, registering
from app.sandbox.door import API, Budget, Door
from app.sandbox.events import Event
from app.sandbox.faults import Faults
from app.sandbox.hub import Hub
from app.sandbox.ledger import Ledger
from app.sandbox.loopback import BACKLOG, HOST, LoopbackServer
from app.sandbox.page import Pages
from app.sandbox.records import App, Delivery, Installation, Kind, Repository
from app.sandbox.repository import Files, GitRepository, run_git
from app.sandbox.shapes import Urls
from app.sandbox.state import APP_ID, State
from app.sandbox.verbs import IssueHandle, Post, PullHandle, RepositoryHandle
from app.sandbox.webhooks import encode

PERMISSIONS: dict[str, str] = {
    "metadata": "read",
    "contents": "read",
    "pull_requests": "write",
    "issues": "write",
    "checks": "write",
}
EVENTS = ("pull_request", "issue_comment", "pull_request_review_comment")


_KEY = functools.cache(keys.make)
"""One key for the process: making one costs more than a whole sandbox."""


class Sandbox:
    """A GitHub with one App. It serves from construction to `close`, on a port of its own unless `port` names one."""

    def __init__(
        self,
        *,
        port: int = 0,
        slug: str = "principal",
        permissions: Mapping[str, str] | None = None,
        events: Sequence[str] = EVENTS,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        # The port first: where it is taken, nothing is left behind.
        self._socket = socket.create_server((HOST, port), backlog=BACKLOG)
        self._directory = Path(tempfile.mkdtemp(prefix="sandbox-"))
        self.url = f"http://{HOST}:{self._socket.getsockname()[1]}"
        state = State() if clock is None else State(clock=clock)
        self.hub = Hub(state=state, directory=self._directory, urls=Urls(self.url, self.url + API))
        self.requests = Ledger()
        self.faults = Faults()
        self._post = Post(self.hub)
        self.app = self._register(slug, dict(permissions or PERMISSIONS), tuple(events))
        self._pages = Pages(self.hub)
        self._door = Door(self.hub, self.requests, self.faults, pages=self._pages.serve)
        self._server = LoopbackServer(self._door, self._socket)
        self._door.cut = self._server.cut
        self._server.start()

    def _register(self, slug: str, permissions: dict[str, str], events: tuple[str, ...]) -> App:
        state = self.hub.state
        app = App(
            id=APP_ID,
            slug=slug,
            name=slug.title(),
            owner=state.account("app-owner"),
            bot=state.account(f"{slug}[bot]", Kind.BOT),
            public_key_pem=keys.public_pem(_KEY()),
            permissions=permissions,
            events=events,
            created_at=state.now(),
        )
        state.apps[app.id] = app
        return app

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stops serving and takes the repositories off the disk."""
        self.faults.clear()
        self.hub.webhooks.close()
        self._server.stop()
        shutil.rmtree(self._directory, ignore_errors=True)

    # Addresses and keys.

    @property
    def api_url(self) -> str:
        """What GITHUB_API_URL should be."""
        return self.hub.urls.api

    @property
    def server_url(self) -> str:
        """What GITHUB_SERVER_URL should be."""
        return self.hub.urls.server

    @property
    def private_key(self) -> str:
        """The App's private key in PEM."""
        return keys.private_pem(_KEY())

    @property
    def budget(self) -> Budget:
        """The primary rate limit; a test may set what remains."""
        return self._door.budget

    def installation_token(
        self,
        *,
        permissions: Mapping[str, str] | None = None,
        repositories: Sequence[RepositoryHandle] | None = None,
        owner: str | None = None,
    ) -> str:
        """A token of the App's installation, narrowed where asked; of the only one unless `owner` names its account."""
        narrowed = frozenset(repository.id for repository in repositories) if repositories is not None else None
        with self.hub.lock:
            installation = self.installation(owner)
            token = access.issue_token(self.hub.state, installation, permissions=permissions, repositories=narrowed)
            return token.value

    def user_token(self, login: str, *, permissions: Mapping[str, str] | None = None) -> str:
        """A person's token: classic, or fine-grained with `permissions`."""
        with self.hub.lock:
            return access.personal_token(self.hub.state, self.hub.state.account(login), permissions=permissions).value

    # The world.

    def create_repository(
        self,
        full_name: str = "acme/shop",
        *,
        files: Files | None = None,
        private: bool = False,
        default_branch: str = "main",
        author: str = "dev",
        owner_kind: Kind = Kind.ORGANIZATION,
        install: bool = True,
    ) -> RepositoryHandle:
        """A new repository with one commit. The App is installed on its owner unless `install` is off."""
        with self.hub.lock:
            repository = self.hub.create_repository(
                full_name,
                files={"README.md": f"# {full_name}\n"} if files is None else files,
                private=private,
                default_branch=default_branch,
                author=author,
                owner_kind=owner_kind,
            )
            if install:
                self._installation_for(repository)
        return RepositoryHandle(self._post, repository)

    def adopt(
        self, path: Path, full_name: str, *, base: str, head: str, private: bool = False
    ) -> tuple[RepositoryHandle, str, str]:
        """A copy of the repository at `path` with the two revisions as branches; also the branches' names.

        Raises:
            LookupError: one of the revisions names no commit.

        """
        with self.hub.lock:
            repository_id = self.hub.state.next_id()
            directory = self._directory / f"{repository_id}.git"
            shas = {name: _revision(path, name) for name in (base, head)}
            git = GitRepository.copy(path, directory)
            base_branch, head_branch = _branch_name(base, "main"), _branch_name(head, "change")
            if base_branch == head_branch:
                head_branch += "-head"
            git.set_refs(dict.fromkeys((f"refs/heads/{name}" for name in git.branches()), None))
            git.set_refs({f"refs/heads/{base_branch}": shas[base], f"refs/heads/{head_branch}": shas[head]})
            (directory / "HEAD").write_text(f"ref: refs/heads/{base_branch}\n", encoding="utf-8")
            repository = self.hub.add_repository(
                full_name,
                git=git,
                repository_id=repository_id,
                private=private,
                default_branch=base_branch,
                owner_kind=Kind.ORGANIZATION,
            )
            self._installation_for(repository)
        return RepositoryHandle(self._post, repository), base_branch, head_branch

    def _installation_for(self, repository: Repository) -> None:
        state = self.hub.state
        known = [found for found in state.installations.values() if found.account is repository.owner]
        if not known:
            self.install(repository.owner.login, deliver=False, announce=False)
        elif known[0].repositories is not None:
            known[0].repositories.add(repository.id)

    def repository(self, full_name: str) -> RepositoryHandle:
        """The repository of that name.

        Raises:
            LookupError: there is none.

        """
        found = self.hub.state.repository(full_name)
        if found is None:
            raise LookupError(f"no repository {full_name}")
        return RepositoryHandle(self._post, found)

    def install(
        self,
        owner: str,
        *,
        repositories: Sequence[RepositoryHandle] | None = None,
        permissions: Mapping[str, str] | None = None,
        announce: bool = True,
        deliver: bool = True,
    ) -> Installation:
        """Installs the App on an account: on all its repositories, or on those given."""
        return self._post.do(
            lambda: registering.install(
                self.hub,
                self.app,
                self.hub.state.account(owner),
                repositories=None if repositories is None else {repository.id for repository in repositories},
                permissions=permissions,
                announce=announce,
            ),
            deliver=deliver,
        )[0]

    def uninstall(self, owner: str | None = None, *, deliver: bool = True) -> None:
        """Takes the App off an account."""

        def work() -> None:
            installation = self.installation(owner)
            self._announce("deleted", installation)
            del self.hub.state.installations[installation.id]

        self._post.do(work, deliver=deliver)

    def take_away(self, repository: RepositoryHandle, *, deliver: bool = True) -> None:
        """Takes a repository out of its owner's installation, which goes on to cover the others it covers now."""

        def work() -> None:
            installation = self.installation(repository.state.owner.login)
            covered = {seen.id for seen in access.visible(self.hub.state, installation)}
            installation.repositories = covered - {repository.id}
            event = self.hub.events.taken_away(installation, repository.state)
            self.hub.emit_to(installation.app, event, installation)

        self._post.do(work, deliver=deliver)

    def suspend(self, owner: str | None = None, *, deliver: bool = True) -> None:
        """Suspends an installation: its tokens stop working."""
        self._set_suspended(owner, self.hub.state.now(), "suspend", deliver=deliver)

    def unsuspend(self, owner: str | None = None, *, deliver: bool = True) -> None:
        """Lets a suspended installation work again."""
        self._set_suspended(owner, None, "unsuspend", deliver=deliver)

    def _set_suspended(self, owner: str | None, when: datetime | None, action: str, *, deliver: bool) -> None:
        def work() -> None:
            installation = self.installation(owner)
            installation.suspended_at = when
            self._announce(action, installation)

        self._post.do(work, deliver=deliver)

    def _announce(self, action: str, installation: Installation) -> None:
        seen = access.visible(self.hub.state, installation)
        event = self.hub.events.installation(action, installation, seen)
        self.hub.emit_to(installation.app, event, installation)

    def installation(self, owner: str | None = None) -> Installation:
        """The App's installation on an account, or the only one.

        Raises:
            LookupError: there is none, or more than one and no owner was named.

        """
        found = [
            known
            for known in self.hub.state.installations.values()
            if owner is None or known.account.login.lower() == owner.lower()
        ]
        if len(found) != 1:
            raise LookupError(f"{len(found)} installations on {owner or 'any account'}")
        return found[0]

    def grant(self, owner: str | None = None, **permissions: str) -> None:
        """Changes what an installation may do: `grant(contents="write")`; `none` takes a permission away."""
        installation = self.installation(owner)
        for name, level in permissions.items():
            if level == "none":
                installation.permissions.pop(name, None)
            else:
                installation.permissions[name] = level

    # Webhooks.

    def webhook(self, url: str | None, secret: str | None = "sandbox-secret") -> None:  # noqa: S107 - a sandbox's secret.
        """Where the App's webhooks go from now on, and what signs them; no address, no webhooks."""
        self.app.webhook_url, self.app.webhook_secret = url, secret

    @property
    def deliveries(self) -> list[Delivery]:
        """Every delivery so far, held ones included, in the order they were made."""
        return list(self.hub.state.deliveries.values())

    @property
    def held(self) -> list[Delivery]:
        """The deliveries that verbs held back."""
        return self._post.held

    def deliver(self, delivery: Delivery) -> Delivery:
        """Sends a held-back delivery now."""
        if delivery in self.held:
            self.held.remove(delivery)
        return self.hub.webhooks.send(delivery)

    def deliver_held(self) -> list[Delivery]:
        """Sends everything held back, in order."""
        return [self.deliver(delivery) for delivery in list(self.held)]

    def redeliver(self, guid: str) -> Delivery:
        """Sends the last delivery of that GUID again, under the same GUID.

        Raises:
            LookupError: there is none.

        """
        known = [delivery for delivery in self.deliveries if delivery.guid == guid]
        if not known:
            raise LookupError(f"no delivery {guid}")
        return self.hub.webhooks.send(self.hub.webhooks.again(known[-1]))

    def send_again_under_a_new_guid(self, delivery: Delivery) -> Delivery:
        """Sends the same payload as another delivery: what a second webhook for the same event looks like."""
        repeated = self.hub.webhooks.again(delivery)
        repeated.redelivery = False
        repeated.guid = secrets.token_hex(16)
        repeated.headers["X-GitHub-Delivery"] = repeated.guid
        return self.hub.webhooks.send(repeated)

    def payload(self, action: str, subject: PullHandle | IssueHandle, *, by: str = "dev", **extra: object) -> bytes:
        """The bytes of a `pull_request` webhook on a pull's present state; `extra` is what the action adds.

        For an issue's (or pull's) latest comment use `comment_payload`.
        """
        if not isinstance(subject, PullHandle):
            raise TypeError("only a pull has pull_request events")
        sender = self.hub.state.account(by)
        return self._bytes(self.hub.events.pull_request(action, subject.state, sender, **extra))

    def comment_payload(self, action: str, subject: IssueHandle, *, by: str = "dev") -> bytes:
        """The bytes of an `issue_comment` webhook on the latest comment of a conversation."""
        sender = self.hub.state.account(by)
        return self._bytes(self.hub.events.issue_comment(action, subject.issue_comments[-1], sender))

    def _bytes(self, event: Event) -> bytes:
        payload = dict(event.payload)
        if event.repository is not None:
            for installation in self.hub.state.installations_of(event.repository):
                payload["installation"] = {"id": installation.id, "node_id": f"MDIz{installation.id}"}
        return encode(payload)

    def settle(self, timeout_seconds: float = 30.0) -> bool:
        """Waits until the webhooks that REST requests caused have been sent."""
        return self.hub.webhooks.settle(timeout_seconds)


def _revision(path: Path, name: str) -> str:
    found = run_git("-C", str(path), "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}", accept=(0, 1, 128))
    if not found.strip():
        raise LookupError(f"{name} names no commit in {path}")
    return found.decode().strip()


def _branch_name(revision: str, fallback: str) -> str:
    """A branch name for a revision: `origin/main` is main, `HEAD~3` has none of its own."""
    name = revision.removeprefix("refs/heads/").removeprefix("refs/remotes/").removeprefix("origin/")
    plain = all(part and part.replace("-", "").replace("_", "").replace(".", "").isalnum() for part in name.split("/"))
    looks_like_id = len(name) >= 7 and all(letter in "0123456789abcdef" for letter in name)
    return fallback if name.upper() == "HEAD" or not plain or looks_like_id else name
