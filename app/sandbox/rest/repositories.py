"""Repositories, commits, comparisons and contents, as git tells them."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from urllib.parse import quote

from app.sandbox.records import Repository, Role
from app.sandbox.refusals import Refused, forbidden, not_found
from app.sandbox.repository import ChangedFile, Commit, GitRepository
from app.sandbox.rest import Answer, Call, operation, paged
from app.sandbox.rest.apps import role_of
from app.sandbox.shapes import Json

MAX_COMPARED_COMMITS = 250
MAX_COMPARED_FILES = 300
MAX_COMMIT_FILES = 3_000
MAX_DIFF_FILES = 300
MAX_DIFF_LINES = 20_000
MAX_PATCH_LINES = 20_000
MAX_PATCH_BYTES = 500 * 1024
MAX_CONTENT_BYTES = 1024 * 1024
MAX_LISTED_COMMITS = 100_000


@operation("repos/get", "GET", "/repos/{owner}/{repo}", needs=["metadata=read"])
def get_repository(call: Call) -> Answer:
    """One repository."""
    return Answer(200, call.hub.shapes.full_repository(call.repository, role_of(call, call.repository)))


@operation("repos/get-branch", "GET", "/repos/{owner}/{repo}/branches/{branch}", needs=["contents=read"])
def get_branch(call: Call) -> Answer:
    """A branch and the commit at its tip."""
    repository, name = call.repository, call.params["branch"]
    sha = repository.git.ref(f"refs/heads/{name}")
    if sha is None:
        raise Refused(404, "Branch not found")
    api = f"{call.hub.urls.repository(repository)}/branches/{quote(name)}"
    page = f"{call.hub.urls.page(repository)}/tree/{quote(name)}"
    return Answer(
        200,
        {
            "name": name,
            "commit": call.hub.shapes.commit(repository, repository.git.commit_at(sha)),
            "_links": {"self": api, "html": page},
            "protected": False,
            "protection": {"enabled": False},
            "protection_url": f"{api}/protection",
        },
    )


@operation("git/get-ref", "GET", "/repos/{owner}/{repo}/git/ref/{ref}", needs=["contents=read"])
def get_ref(call: Call) -> Answer:
    """What a ref points to, named without its leading `refs/`."""
    name = f"refs/{call.params['ref']}"
    sha = call.repository.git.ref(name)
    if sha is None:
        raise not_found()
    api = call.hub.urls.repository(call.repository)
    target = {"type": "commit", "sha": sha, "url": f"{api}/git/commits/{sha}"}
    url = f"{api}/git/{quote(name)}"
    return Answer(200, {"ref": name, "node_id": f"REF_{sha[:16]}", "url": url, "object": target})


@operation("repos/get-commit", "GET", "/repos/{owner}/{repo}/commits/{ref}", needs=["contents=read"])
def get_commit(call: Call) -> Answer:
    """A commit with its files, or its diff where that media type is asked for."""
    git = call.repository.git
    sha = _resolved(git, call.params["ref"])
    commit = git.commit_at(sha)
    before = commit.parents[0] if commit.parents else EMPTY_TREE
    if call.wants("diff"):
        return diff_answer(git, before, sha)
    files = git.changes(before, sha)
    answer = paged(call, files[:MAX_COMMIT_FILES], lambda file: file)
    shown: list[ChangedFile] = answer.body
    shape = call.hub.shapes.commit(call.repository, commit)
    shape["stats"] = _stats(files)
    shape["files"] = file_shapes(call, call.repository, before, sha, shown)
    return Answer(200, shape, answer.headers)


EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


def _resolved(git: GitRepository, revision: str) -> str:
    sha = git.resolve(revision)
    if sha is None:
        raise Refused(422, f"No commit found for SHA: {revision}")
    return sha


def _stats(files: tuple[ChangedFile, ...]) -> Json:
    added = sum(file.additions or 0 for file in files)
    deleted = sum(file.deletions or 0 for file in files)
    return {"total": added + deleted, "additions": added, "deletions": deleted}


@dataclass(frozen=True, slots=True)
class Compared:
    """Two commits and where they part."""

    base: str
    head: str
    ancestor: str


@operation(
    "repos/compare-commits-with-basehead", "GET", "/repos/{owner}/{repo}/compare/{basehead}", needs=["contents=read"]
)
def compare(call: Call) -> Answer:
    """What `head` has that `base` has not, from their common ancestor: at most 250 commits and, on page 1, 300 files."""
    git, found = call.repository.git, _compared(call)
    if call.wants("diff"):
        return diff_answer(git, found.ancestor, found.head)
    ahead, behind = git.count(found.base, found.head), git.count(found.head, found.base)
    commits = git.log(included=found.head, excluded=found.base, limit=MAX_LISTED_COMMITS)
    paging = "page" in call.query or "per_page" in call.query
    listed = paged(call, commits, lambda commit: commit)
    shown: list[Commit] = listed.body if paging else commits[-MAX_COMPARED_COMMITS:]
    shape = _comparison(call, found, ahead=ahead, behind=behind)
    shape["commits"] = [call.hub.shapes.commit(call.repository, commit) for commit in shown]
    if call.query.get("page", "1") == "1":
        files = git.changes(found.ancestor, found.head)[:MAX_COMPARED_FILES]
        shape["files"] = file_shapes(call, call.repository, found.ancestor, found.head, list(files))
    return Answer(200, shape, listed.headers if paging else {})


def _compared(call: Call) -> Compared:
    base_name, dots, head_name = call.params["basehead"].partition("...")
    git = call.repository.git
    base = _side(call, base_name) if dots else None
    head = _side(call, head_name) if dots else None
    if base is None or head is None:
        raise not_found()
    ancestor = git.merge_base(base, head)
    if ancestor is None:
        raise Refused(404, f"No common ancestor between {base_name} and {head_name}.")
    return Compared(base, head, ancestor)


def _side(call: Call, name: str) -> str | None:
    """A branch, tag or commit; `owner:branch` names one of a fork, whose commits stand in the same object store."""
    owner, colon, branch = name.partition(":")
    if not colon:
        return call.repository.git.resolve(name)
    named = call.hub.state.repository(f"{owner}/{call.repository.name}")
    return named.git.resolve(branch) if named in (call.repository, *_forks(call)) and named is not None else None


def _forks(call: Call) -> list[Repository]:
    return [known for known in call.hub.state.repositories.values() if known.parent is call.repository]


def _comparison(call: Call, found: Compared, *, ahead: int, behind: int) -> Json:
    git, shapes = call.repository.git, call.hub.shapes
    words = {(False, False): "identical", (True, False): "ahead", (False, True): "behind", (True, True): "diverged"}
    page = f"{call.hub.urls.page(call.repository)}/compare/{found.base}...{found.head}"
    return {
        "url": f"{call.hub.urls.repository(call.repository)}/compare/{quote(call.params['basehead'])}",
        "html_url": page,
        "permalink_url": page,
        "diff_url": f"{page}.diff",
        "patch_url": f"{page}.patch",
        "base_commit": shapes.commit(call.repository, git.commit_at(found.base)),
        "merge_base_commit": shapes.commit(call.repository, git.commit_at(found.ancestor)),
        "status": words[ahead > 0, behind > 0],
        "ahead_by": ahead,
        "behind_by": behind,
        "total_commits": ahead,
    }


def file_shapes(call: Call, repository: Repository, base: str, head: str, files: list[ChangedFile]) -> list[Json]:
    """Changed files with their patches; binary and very large ones have none."""
    git = repository.git
    small = [file for file in files if (file.additions or 0) + (file.deletions or 0) <= MAX_PATCH_LINES]
    patches = git.patches(base, head, small)
    shapes: list[Json] = []
    for file in files:
        patch = patches.get(file.path)
        shown = patch if patch is not None and len(patch.encode()) <= MAX_PATCH_BYTES else None
        shapes.append(call.hub.shapes.changed_file(repository, head, file, shown))
    return shapes


def diff_answer(git: GitRepository, base: str, head: str) -> Answer:
    """The whole difference as text, refused with 406 where GitHub finds it too large."""
    files = git.changes(base, head)
    if len(files) > MAX_DIFF_FILES:
        raise _too_large(f"Sorry, the diff exceeded the maximum number of files ({MAX_DIFF_FILES}).")
    if sum((file.additions or 0) + (file.deletions or 0) for file in files) > MAX_DIFF_LINES:
        raise _too_large(f"Sorry, the diff exceeded the maximum number of lines ({MAX_DIFF_LINES})")
    return Answer(200, git.diff(base, head), media="application/vnd.github.diff; charset=utf-8")


def _too_large(message: str) -> Refused:
    return Refused(406, message, errors=[{"resource": "PullRequest", "field": "diff", "code": "too_large"}])


@operation(
    "repos/list-pull-requests-associated-with-commit",
    "GET",
    "/repos/{owner}/{repo}/commits/{commit_sha}/pulls",
    needs=["pull_requests=read"],
)
def pulls_of_commit(call: Call) -> Answer:
    """The pulls a commit is the head of."""
    pulls = [pull for pull in call.repository.pulls if pull.head_sha == call.params["commit_sha"]]
    return paged(call, pulls, call.hub.shapes.simple_pull)


@operation("repos/get-content", "GET", "/repos/{owner}/{repo}/contents", needs=["contents=read"])
def get_root(call: Call) -> Answer:
    """What the root folder holds."""
    return _folder(call, _revision(call), "")


@operation("repos/get-content", "GET", "/repos/{owner}/{repo}/contents/{path}", needs=["contents=read"])
def get_content(call: Call) -> Answer:
    """A file, a symbolic link, a submodule, or what a folder holds."""
    git, path, revision = call.repository.git, call.params["path"].strip("/"), _revision(call)
    entry = git.entry(revision, path)
    if entry is None:
        raise not_found()
    mode, kind, sha = entry
    if kind == "tree":
        return _folder(call, revision, path)
    shape = _content_links(call, path, sha)
    if kind == "commit":
        return Answer(200, {**shape, "type": "submodule", "size": 0, "submodule_git_url": call.hub.urls.server})
    data = git.git("cat-file", "blob", sha)
    if mode == "120000":
        return Answer(200, {**shape, "type": "symlink", "size": len(data), "target": data.decode("utf-8", "replace")})
    if call.wants("raw"):
        return Answer(200, data, media="application/vnd.github.raw; charset=utf-8")
    small = len(data) <= MAX_CONTENT_BYTES
    content = base64.encodebytes(data).decode() if small else ""
    encoding = "base64" if small else "none"
    return Answer(200, {**shape, "type": "file", "size": len(data), "content": content, "encoding": encoding})


def _revision(call: Call) -> str:
    name = call.query.get("ref") or call.repository.default_branch
    sha = call.repository.git.resolve(name)
    if sha is None:
        raise Refused(404, f"No commit found for the ref {name}")
    return sha


def _folder(call: Call, revision: str, path: str) -> Answer:
    entries = call.repository.git.entries(revision, [f"{path}/"] if path else [])
    types = {"tree": "dir", "commit": "submodule"}
    listed = []
    for name, (mode, kind, sha) in entries.items():
        kind_word = "symlink" if mode == "120000" else types.get(kind, "file")
        listed.append({**_content_links(call, name, sha), "type": kind_word, "size": 0})
    return Answer(200, listed)


def _content_links(call: Call, path: str, sha: str) -> Json:
    api, page = call.hub.urls.repository(call.repository), call.hub.urls.page(call.repository)
    ref = call.query.get("ref") or call.repository.default_branch
    url = f"{api}/contents/{quote(path)}?ref={quote(ref)}"
    git_url, html = f"{api}/git/blobs/{sha}", f"{page}/blob/{quote(ref)}/{quote(path)}"
    return {
        "name": path.rsplit("/", 1)[-1],
        "path": path,
        "sha": sha,
        "url": url,
        "git_url": git_url,
        "html_url": html,
        "download_url": f"{page}/raw/{quote(ref)}/{quote(path)}",
        "_links": {"self": url, "git": git_url, "html": html},
    }


@operation(
    "repos/get-collaborator-permission-level",
    "GET",
    "/repos/{owner}/{repo}/collaborators/{username}/permission",
    needs=["metadata=read"],
)
def permission(call: Call) -> Answer:
    """What a person may do; only those who may push are told, and Apps."""
    repository = call.repository
    if call.caller.token is None:
        raise Refused(401, "Requires authentication")
    if call.caller.installation is None and role_of(call, repository).rank < Role.WRITE.rank:
        raise forbidden("Must have push access to view collaborator permission.")
    account = call.hub.state.accounts.get(call.params["username"].lower())
    if account is None:
        raise Refused(404, f"{call.params['username']} is not a user")
    return Answer(200, call.hub.shapes.collaborator_permission(account, call.hub.state.role(repository, account)))
