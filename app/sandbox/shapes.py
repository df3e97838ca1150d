"""The records of `state` → the JSON objects GitHub answers with and sends: accounts, apps, repositories, git objects.

Field names and types follow GitHub's published OpenAPI description; every address points back at this server, because
clients refuse addresses of another host.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from app.sandbox.records import Account, App, Delivery, Installation, Kind, Label, Repository, Role
from app.sandbox.repository import ChangedFile, Commit, Person
from app.sandbox.state import State

Json = dict[str, Any]

EMAIL_HOST = "users.noreply.sandbox.example"

REPOSITORY_LINKS = {
    "archive_url": "/{archive_format}{/ref}",
    "assignees_url": "/assignees{/user}",
    "blobs_url": "/git/blobs{/sha}",
    "branches_url": "/branches{/branch}",
    "collaborators_url": "/collaborators{/collaborator}",
    "comments_url": "/comments{/number}",
    "commits_url": "/commits{/sha}",
    "compare_url": "/compare/{base}...{head}",
    "contents_url": "/contents/{+path}",
    "contributors_url": "/contributors",
    "deployments_url": "/deployments",
    "downloads_url": "/downloads",
    "events_url": "/events",
    "forks_url": "/forks",
    "git_commits_url": "/git/commits{/sha}",
    "git_refs_url": "/git/refs{/sha}",
    "git_tags_url": "/git/tags{/sha}",
    "hooks_url": "/hooks",
    "issue_comment_url": "/issues/comments{/number}",
    "issue_events_url": "/issues/events{/number}",
    "issues_url": "/issues{/number}",
    "keys_url": "/keys{/key_id}",
    "labels_url": "/labels{/name}",
    "languages_url": "/languages",
    "merges_url": "/merges",
    "milestones_url": "/milestones{/number}",
    "notifications_url": "/notifications{?since,all,participating}",
    "pulls_url": "/pulls{/number}",
    "releases_url": "/releases{/id}",
    "stargazers_url": "/stargazers",
    "statuses_url": "/statuses/{sha}",
    "subscribers_url": "/subscribers",
    "subscription_url": "/subscription",
    "tags_url": "/tags",
    "teams_url": "/teams",
    "trees_url": "/git/trees{/sha}",
}

ACCOUNT_LINKS = {
    "followers_url": "/followers",
    "following_url": "/following{/other_user}",
    "gists_url": "/gists{/gist_id}",
    "starred_url": "/starred{/owner}{/repo}",
    "subscriptions_url": "/subscriptions",
    "organizations_url": "/orgs",
    "repos_url": "/repos",
    "events_url": "/events{/privacy}",
    "received_events_url": "/received_events",
}


@dataclass(frozen=True, slots=True)
class Urls:
    """Where this server stands: `server` for pages and git, `api` for REST."""

    server: str
    api: str

    def repository(self, repository: Repository) -> str:
        """The REST address of a repository."""
        return f"{self.api}/repos/{repository.full_name}"

    def page(self, repository: Repository) -> str:
        """The web address of a repository."""
        return f"{self.server}/{repository.full_name}"


def moment(when: datetime) -> str:
    """A time as GitHub writes it."""
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def moment_or_none(when: datetime | None) -> str | None:
    """A time as GitHub writes it, null kept."""
    return None if when is None else moment(when)


def node_id(prefix: str, number: int) -> str:
    """A GraphQL id: the kind's prefix, then the number in a form that nobody should read."""
    return f"{prefix}_{base64.urlsafe_b64encode(number.to_bytes(8, 'big')).decode().rstrip('=')}"


def number_of(node: str, prefix: str) -> int | None:
    """The number in a GraphQL id of that kind, None for an id of another kind."""
    kind, _, encoded = node.partition("_")
    if kind != prefix:
        return None
    try:
        return int.from_bytes(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)), "big")
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class Shapes:
    """Makes the JSON objects; reads `state` for counts and roles and changes nothing."""

    urls: Urls
    state: State

    def account(self, account: Account) -> Json:
        """A simple user."""
        shown = quote(account.login)
        api = f"{self.urls.api}/users/{shown}"
        page = f"apps/{account.login.removesuffix('[bot]')}" if account.kind is Kind.BOT else shown
        return {
            "login": account.login,
            "id": account.id,
            "node_id": node_id("U", account.id),
            "avatar_url": f"{self.urls.server}/avatars/u/{account.id}",
            "gravatar_id": "",
            "url": api,
            "html_url": f"{self.urls.server}/{page}",
            **{name: api + suffix for name, suffix in ACCOUNT_LINKS.items()},
            "type": account.kind.value,
            "site_admin": False,
        }

    def account_or_none(self, account: Account | None) -> Json | None:
        """A simple user, null for a deleted one."""
        return None if account is None else self.account(account)

    def public_user(self, account: Account) -> Json:
        """A user's public profile."""
        when = moment(account.created_at)
        texts = dict.fromkeys(("company", "blog", "location", "email", "hireable", "bio"))
        counts = dict.fromkeys(("public_repos", "public_gists", "followers", "following"), 0)
        profile = {"name": account.login, **texts, **counts, "created_at": when, "updated_at": when}
        return {**self.account(account), **profile, "blog": ""}

    def private_user(self, account: Account) -> Json:
        """The profile a person sees of themselves."""
        names = ("private_gists", "total_private_repos", "owned_private_repos", "disk_usage", "collaborators")
        return {**self.public_user(account), **dict.fromkeys(names, 0), "two_factor_authentication": True}

    def app(self, app: App) -> Json:
        """An integration."""
        return {
            "id": app.id,
            "slug": app.slug,
            "node_id": node_id("A", app.id),
            "owner": self.account(app.owner),
            "name": app.name,
            "description": "",
            "external_url": f"{self.urls.server}/apps/{app.slug}",
            "html_url": f"{self.urls.server}/apps/{app.slug}",
            "created_at": moment(app.created_at),
            "updated_at": moment(app.created_at),
            "permissions": dict(app.permissions),
            "events": list(app.events),
        }

    def installation(self, installation: Installation) -> Json:
        """An installation."""
        suspended = installation.suspended_at
        return {
            "id": installation.id,
            "account": self.account(installation.account),
            "repository_selection": "all" if installation.repositories is None else "selected",
            "access_tokens_url": f"{self.urls.api}/app/installations/{installation.id}/access_tokens",
            "repositories_url": f"{self.urls.api}/installation/repositories",
            "html_url": f"{self.urls.server}/settings/installations/{installation.id}",
            "app_id": installation.app.id,
            "app_slug": installation.app.slug,
            "target_id": installation.account.id,
            "target_type": installation.account.kind.value,
            "permissions": dict(installation.permissions),
            "events": list(installation.app.events),
            "created_at": moment(installation.created_at),
            "updated_at": moment(installation.created_at),
            "single_file_name": None,
            "has_multiple_single_files": False,
            "single_file_paths": [],
            "suspended_by": self.account(installation.account) if suspended else None,
            "suspended_at": moment_or_none(suspended),
        }

    def repository(self, repository: Repository, role: Role | None = None) -> Json:
        """A repository; with `role`, also what the caller may do there."""
        api, page = self.urls.repository(repository), self.urls.page(repository)
        opened = sum(issue.state == "open" for issue in repository.issues.values())
        host = self.urls.server.partition("://")[2]
        shape: Json = {
            "id": repository.id,
            "node_id": node_id("R", repository.id),
            "name": repository.name,
            "full_name": repository.full_name,
            "owner": self.account(repository.owner),
            "private": repository.private,
            "html_url": page,
            "description": repository.description,
            "fork": repository.parent is not None,
            "url": api,
            **{name: api + suffix for name, suffix in REPOSITORY_LINKS.items()},
            "git_url": f"git://{host}/{repository.full_name}.git",
            "ssh_url": f"git@{host}:{repository.full_name}.git",
            "clone_url": f"{page}.git",
            "svn_url": page,
            "mirror_url": None,
            "homepage": None,
            "language": None,
            "license": None,
            "default_branch": repository.default_branch,
            "visibility": "private" if repository.private else "public",
            "archived": repository.archived,
            "disabled": False,
            "is_template": False,
            "custom_properties": {},
            "allow_forking": True,
            "web_commit_signoff_required": False,
            "topics": [],
            **dict.fromkeys(("has_issues", "has_projects", "has_wiki", "has_downloads"), True),
            **dict.fromkeys(("has_pages", "has_discussions"), False),
            **dict.fromkeys(("forks_count", "forks", "stargazers_count", "watchers_count", "watchers", "size"), 0),
            "open_issues_count": opened,
            "open_issues": opened,
            "pushed_at": moment(repository.created_at),
            "created_at": moment(repository.created_at),
            "updated_at": moment(repository.created_at),
        }
        if role is not None:
            shape["permissions"] = permissions_of(role)
        return shape

    def full_repository(self, repository: Repository, role: Role | None) -> Json:
        """A repository as its own endpoint answers it."""
        shape = {**self.repository(repository, role), "subscribers_count": 0, "network_count": 0}
        if repository.parent is not None:
            shape["parent"] = shape["source"] = self.repository(repository.parent)
        return shape

    def small_repository(self, repository: Repository) -> Json:
        """A repository as installation webhooks list it."""
        return {
            "id": repository.id,
            "node_id": node_id("R", repository.id),
            "name": repository.name,
            "full_name": repository.full_name,
            "private": repository.private,
        }

    def label(self, repository: Repository, label: Label) -> Json:
        """A label."""
        return {
            "id": label.id,
            "node_id": node_id("LA", label.id),
            "url": f"{self.urls.repository(repository)}/labels/{quote(label.name)}",
            "name": label.name,
            "color": label.color,
            "default": False,
            "description": "",
        }

    def collaborator_permission(self, account: Account, role: Role) -> Json:
        """What a person may do: `permission` knows four words, `role_name` the exact role."""
        coarse = {Role.MAINTAIN: Role.WRITE, Role.TRIAGE: Role.READ}.get(role, role)
        user = {**self.account(account), "permissions": permissions_of(role), "role_name": role.value}
        return {"permission": coarse.value, "role_name": role.value, "user": user}

    def commit(self, repository: Repository, commit: Commit) -> Json:
        """A commit as lists and comparisons show it."""
        api, page = self.urls.repository(repository), self.urls.page(repository)
        return {
            "url": f"{api}/commits/{commit.sha}",
            "sha": commit.sha,
            "node_id": f"C_{commit.sha[:20]}",
            "html_url": f"{page}/commit/{commit.sha}",
            "comments_url": f"{api}/commits/{commit.sha}/comments",
            "commit": {
                "url": f"{api}/git/commits/{commit.sha}",
                "author": git_person(commit.author, commit.authored_at),
                "committer": git_person(commit.committer, commit.committed_at),
                "message": commit.message,
                "comment_count": 0,
                "tree": {"sha": commit.tree, "url": f"{api}/git/trees/{commit.tree}"},
                "verification": unsigned(),
            },
            "author": self.account_or_none(self.account_of(commit.author)),
            "committer": self.account_or_none(self.account_of(commit.committer)),
            "parents": [
                {"sha": parent, "url": f"{api}/commits/{parent}", "html_url": f"{page}/commit/{parent}"}
                for parent in commit.parents
            ],
        }

    def account_of(self, person: Person) -> Account | None:
        """The account behind a commit's address, None if nobody here has it."""
        login, _, host = person.email.rpartition("@")
        return self.state.accounts.get(login.lower()) if host == EMAIL_HOST else None

    def changed_file(self, repository: Repository, head: str, file: ChangedFile, patch: str | None) -> Json:
        """A file of a difference. `patch` is left out, not null, where GitHub shows none."""
        page, path = self.urls.page(repository), quote(file.path)
        added, deleted = file.additions or 0, file.deletions or 0
        at = head if file.status != "removed" else f"{head}^"
        shape: Json = {
            "sha": file.new_sha if file.status != "removed" else file.old_sha,
            "filename": file.path.encode("utf-8", "replace").decode(),
            "status": file.status,
            "additions": added,
            "deletions": deleted,
            "changes": added + deleted,
            "blob_url": f"{page}/blob/{quote(at)}/{path}",
            "raw_url": f"{page}/raw/{quote(at)}/{path}",
            "contents_url": f"{self.urls.repository(repository)}/contents/{path}?ref={quote(at)}",
        }
        if file.previous_path is not None:
            shape["previous_filename"] = file.previous_path
        if patch:
            shape["patch"] = patch
        return shape

    def delivery_item(self, delivery: Delivery) -> Json:
        """A delivery as the list shows it."""
        return {
            "id": delivery.id,
            "guid": delivery.guid,
            "delivered_at": moment_or_none(delivery.delivered_at),
            "redelivery": delivery.redelivery,
            "duration": round(delivery.duration_seconds, 2),
            "status": delivery.status,
            "status_code": delivery.status_code,
            "event": delivery.event,
            "action": delivery.action,
            "installation_id": delivery.installation_id,
            "repository_id": delivery.repository_id,
            "throttled_at": None,
        }


def permissions_of(role: Role) -> dict[str, bool]:
    """The five switches that a role stands for."""
    return {
        "admin": role.rank >= Role.ADMIN.rank,
        "maintain": role.rank >= Role.MAINTAIN.rank,
        "push": role.rank >= Role.WRITE.rank,
        "triage": role.rank >= Role.TRIAGE.rank,
        "pull": role.rank >= Role.READ.rank,
    }


def git_person(person: Person, when: str) -> Json:
    """An author or committer."""
    return {"name": person.name, "email": person.email, "date": when}


def unsigned() -> Json:
    """The verification of a commit that nobody signed."""
    return {"verified": False, "reason": "unsigned", "signature": None, "payload": None, "verified_at": None}
