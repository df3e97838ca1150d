"""The tables of a GitHub's records: what finds an account, a repository, a token, a comment by name or id."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from app.sandbox.records import (
    Account,
    App,
    Delivery,
    Installation,
    IssueComment,
    Kind,
    Repository,
    ReviewComment,
    Role,
    Token,
)

if TYPE_CHECKING:
    from app.sandbox.registering import Created

# Above 2³¹, as GitHub's ids are, and one sequence for everything: an id taken for another kind's finds nothing.
FIRST_ID = 3_000_000_001
FIRST_ACCOUNT_ID = 1_001
FIRST_INSTALLATION_ID = 50_000_001
APP_ID = 424_242
FOREIGN_APP_ID = 15_368


@dataclass(slots=True)
class State:
    """Everything, with the tables that find it."""

    clock: Callable[[], datetime] = lambda: datetime.now(UTC).replace(microsecond=0)
    accounts: dict[str, Account] = field(default_factory=dict)
    apps: dict[int, App] = field(default_factory=dict)
    installations: dict[int, Installation] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)
    repositories: dict[int, Repository] = field(default_factory=dict)
    renamed: dict[str, int] = field(default_factory=dict)
    issue_comments: dict[int, IssueComment] = field(default_factory=dict)
    review_comments: dict[int, ReviewComment] = field(default_factory=dict)
    deliveries: dict[int, Delivery] = field(default_factory=dict)
    manifest_codes: dict[str, Created] = field(default_factory=dict)
    ids: Iterator[int] = field(default_factory=lambda: itertools.count(FIRST_ID))
    account_ids: Iterator[int] = field(default_factory=lambda: itertools.count(FIRST_ACCOUNT_ID))
    installation_ids: Iterator[int] = field(default_factory=lambda: itertools.count(FIRST_INSTALLATION_ID))

    def now(self) -> datetime:
        """The time, by the sandbox's clock."""
        return self.clock()

    def next_id(self) -> int:
        """An id nothing else has."""
        return next(self.ids)

    def account(self, login: str, kind: Kind = Kind.USER) -> Account:
        """The account of that name, opened if there is none yet."""
        known = self.accounts.get(login.lower())
        if known is None:
            known = Account(next(self.account_ids), login, kind, self.now())
            self.accounts[login.lower()] = known
        return known

    def repository(self, full_name: str) -> Repository | None:
        """The repository of that name, None if there is none (or it was deleted)."""
        wanted = full_name.lower()
        found = (repository for repository in self.repositories.values() if not repository.deleted)
        return next((repository for repository in found if repository.full_name.lower() == wanted), None)

    def installations_of(self, repository: Repository) -> list[Installation]:
        """The installations that see a repository, suspended ones included."""
        return [
            installation
            for installation in self.installations.values()
            if installation.account is repository.owner
            and (installation.repositories is None or repository.id in installation.repositories)
        ]

    def foreign(self, repository: Repository) -> Installation:
        """An App of somebody else's at work in the repository. It may do what it likes and hears of nothing."""
        app = self.apps.get(FOREIGN_APP_ID)
        if app is None:
            may = {"checks": "write", "pull_requests": "write"}
            bot = self.account("builder[bot]", Kind.BOT)
            owner = self.account("builder-owner")
            app = App(FOREIGN_APP_ID, "builder", "Builder", owner, bot, b"", may, (), self.now())
            self.apps[app.id] = app
        return Installation(0, app, repository.owner, app.permissions, self.now())

    def role(self, repository: Repository, account: Account) -> Role:
        """What a person may do there; everyone may read what is public."""
        if account is repository.owner:
            return Role.ADMIN
        given = repository.collaborators.get(account.login.lower(), Role.NONE)
        return Role.READ if given is Role.NONE and not repository.private else given
