"""A person's checkout → the two trees to compare; and the checkout is never written to.

    Checkout.find(cwd).resolve("main...HEAD", staged=False) ──► Resolved(tree, base, head, description)

Uncommitted work becomes a tree in a folder of its own: a copy of the index is brought up to date there, and new objects are
written there too (git may renew the date of an object that the checkout has already, and nothing else). When it reads a
file of the work tree, git would run the programs that a repository names as `filter`, and some of them decrypt secrets: those
programs are switched off, and such files keep the content of the index.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import re
import shutil
import stat
import tempfile
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from pathlib import Path

from app.core.change import Intent, Sha
from app.core.untrusted import Untrusted
from app.errors import PrincipalError, UserError
from app.git.run import Failed, Git
from app.git.tree import MAX_BLOB_BYTES, Tree

MOST_UNTRACKED = 2_000
"""Untracked files that are reviewed; more than that is a folder somebody forgot to ignore."""

LONGEST_RANGE = 500
HEX_DIGITS = 40

_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_PERSONS_KEYS = (("core.excludesFile", ("--type=path",)), ("core.autocrlf", ()), ("core.eol", ()))
_DEFAULTS = ("refs/remotes/origin/HEAD", "@{upstream}", "refs/remotes/origin/main", "refs/remotes/origin/master")
_ID = re.compile(r"[0-9a-f]{7,64}")
"""A commit's own id says nothing about what it is for."""
_SHOWN = {name: name.removeprefix("refs/remotes/") for name in _DEFAULTS} | {"@{upstream}": "the upstream branch"}


@dataclass(frozen=True, slots=True)
class Resolved:
    """What is to be reviewed: everything between `base` and `head` (commits, or trees of uncommitted work), in words too.

    `left_out` names changed files whose content git would have had to run a program for, and files too large to read.
    """

    tree: Tree
    base: Sha
    head: Sha
    description: str
    left_out: tuple[str, ...] = ()
    since: Sha | None = None
    until: Sha | None = None
    branch: str = ""

    async def intent(self) -> Intent:
        """What the commit messages say the change is for; the first line of a single one is the title."""
        messages = (
            await self.tree.messages(self.since, self.until)
            if self.since is not None and self.until is not None
            else []
        )
        title, _, body = messages[0].partition("\n") if len(messages) == 1 else (self.branch, "", "")
        return Intent(
            title=Untrusted(title),
            body=Untrusted(body.strip()),
            commits=tuple(Untrusted(message) for message in messages),
            branch=Untrusted(self.branch),
        )


def sha_of_diff(data: bytes) -> tuple[Sha, Sha]:
    """Two ids for a bare diff, where the commits are not known: the same for the same bytes, and no commit's."""
    digests = (hashlib.sha256(side + data).hexdigest()[:HEX_DIGITS] for side in (b"base\0", b"head\0"))
    base, head = (Sha(digest) for digest in digests)
    return base, head


class Checkout:
    """A git checkout on this machine. `root` is its work tree, None for a bare repository."""

    def __init__(self, git: Git, root: Path | None) -> None:
        self._git = git
        self.root = root

    @classmethod
    async def find(cls, cwd: Path) -> Checkout:
        """The checkout that `cwd` lies in; raises `UserError` when it lies in none."""
        try:
            ran = await Git(cwd=cwd).run(
                "rev-parse", "--path-format=absolute", "--absolute-git-dir", "--is-inside-work-tree"
            )
        except Failed as error:
            raise UserError(
                "This is not a git checkout. Go to one, or give a diff with --diff FILE (or - for standard input)."
            ) from error
        except PrincipalError as error:
            raise UserError(error.what) from error
        directory, _, inside = os.fsdecode(ran.out).rstrip("\n").rpartition("\n")
        root: Path | None = None
        if inside == "true":
            shown = await Git(cwd=cwd).run("rev-parse", "--path-format=absolute", "--show-toplevel")
            root = Path(os.fsdecode(shown.out).removesuffix("\n"))
        return cls(Git(cwd=root or Path(directory), directory=Path(directory), work_tree=root), root)

    @contextlib.asynccontextmanager
    async def resolve(self, what: str | None = None, *, staged: bool = False) -> AsyncIterator[Resolved]:
        """What a person means by a range, by --staged or by nothing, for as long as the block lasts.

        `A..B` is what B has changed since A; `A...B` since they parted; `A` alone is what stands here now, uncommitted
        work included, since it parted from A; nothing means `A` for origin's default branch or the upstream. Raises
        `UserError` that says what to type instead.
        """
        folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="principal-"))
        try:
            scratch = _Scratch(self._git, folder)
            await scratch.prepare()
            yield await (self._staged(scratch) if staged else self._range(what, scratch))
        except Failed as error:
            if re.search(r"promisor|lazy fetch|transport .* not allowed", error.ran.error):
                raise UserError(
                    "This is a partial clone that lacks some of the files to compare; fetch them first (git checkout of "
                    "the base does), or clone without --filter."
                ) from error
            raise
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def _staged(self, scratch: _Scratch) -> Resolved:
        head = await self._commit("HEAD")
        base = head or await self._empty_tree()
        return Resolved(scratch.tree, base, await scratch.staged(), "what is staged", branch=await self._branch())

    async def _range(self, what: str | None, scratch: _Scratch) -> Resolved:
        if what is not None and (not what.strip() or len(what) > LONGEST_RANGE or "\0" in what):
            raise UserError(f"{what[:LONGEST_RANGE]!r} is not a range; type for example main...HEAD")
        if what is None:
            start = await self._default()
            return await self._since(start, _SHOWN[start], scratch)
        left, dots, right = re.split(r"(\.{2,3})", what, maxsplit=1) if ".." in what else (what, "", "")
        if not dots:
            return await self._since(what, what, scratch)
        one, other = await self._known(left or "HEAD"), await self._known(right or "HEAD")
        base = one if dots == ".." else await self._parted(scratch.tree, one, other, what)
        return Resolved(
            scratch.tree,
            base,
            other,
            what,
            since=base,
            until=other,
            branch="" if _ID.fullmatch(right) else right if right not in ("", "HEAD") else await self._branch(),
        )

    async def _since(self, start: str, shown: str, scratch: _Scratch) -> Resolved:
        head = await self._commit("HEAD")
        if head is None:
            raise UserError("There is no commit here yet; stage what is to be reviewed and use --staged.")
        base = await self._parted(scratch.tree, await self._known(start), head, f"{shown}...HEAD")
        branch = await self._branch()
        if self.root is None:
            return Resolved(scratch.tree, base, head, f"{shown}...HEAD", since=base, until=head, branch=branch)
        work, left_out = await scratch.everything(self.root)
        changed = work != await scratch.tree_of(head)
        description = f"{shown}...HEAD and uncommitted changes" if changed else f"{shown}...HEAD"
        return Resolved(
            scratch.tree, base, work if changed else head, description, left_out, since=base, until=head, branch=branch
        )

    async def _default(self) -> str:
        for name in _DEFAULTS:
            if await self._commit(name) is not None:
                return name
        if await self._commit("HEAD") is None:
            raise UserError("There is no commit here yet; stage what is to be reviewed and use --staged.")
        raise UserError(
            "There is nothing to compare with: no origin/HEAD, no upstream branch, no origin/main, no origin/master. Say what "
            "to review: principal review main...HEAD for a branch, HEAD for uncommitted changes, or --staged."
        )

    async def _known(self, name: str) -> Sha:
        sha = await self._commit(name)
        if sha is None:
            raise UserError(f"git does not know {name!r} here; type for example main...HEAD, or fetch it first.")
        return sha

    async def _commit(self, name: str) -> Sha | None:
        """The commit of that name. What begins with a dash would be an option, and no name does."""
        if name.startswith("-"):
            return None
        ran = await self._git.run("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}", allowed=(0, 1, 128))
        sha = ran.out.decode("utf-8", "replace").strip()
        return Sha(sha) if ran.code == 0 and _SHA.fullmatch(sha) else None

    async def _parted(self, tree: Tree, one: Sha, other: Sha, what: str) -> Sha:
        base = await tree.merge_base(one, other)
        if base is not None:
            return base
        shallow = await self._git.run("rev-parse", "--is-shallow-repository")
        if shallow.out.strip() == b"true":
            raise UserError(f"The history here is too short for {what}; type git fetch --unshallow first.")
        raise UserError(f"The two sides of {what} have no common commit; compare them with two dots instead of three.")

    async def _branch(self) -> str:
        ran = await self._git.run("symbolic-ref", "--quiet", "--short", "HEAD", allowed=(0, 1, 128))
        return ran.out.decode("utf-8", "replace").strip()

    async def _empty_tree(self) -> Sha:
        ran = await self._git.run("hash-object", "-t", "tree", "--stdin")
        return Sha(ran.out.decode().strip())


class _Scratch:
    """A folder with an index and objects of its own, through which uncommitted work becomes a tree."""

    def __init__(self, git: Git, folder: Path) -> None:
        self._git = git
        self._index = folder / "index"
        self._objects = folder / "objects"
        self._empty = folder / "empty"
        variables = {"GIT_OBJECT_DIRECTORY": str(self._objects)}
        # The work tree is an empty folder, so that no attribute of the change decides how the change is shown.
        self.tree = Tree(Git(cwd=self._empty, directory=git.directory, work_tree=self._empty, variables=variables))
        self._variables = {**variables, "GIT_INDEX_FILE": str(self._index)}

    async def prepare(self) -> None:
        """Copies the index and lets the scratch objects stand in front of the checkout's own."""
        objects, index = await self._path("objects"), await self._path("index")
        await asyncio.to_thread(self._make, objects, index)

    async def staged(self) -> Sha:
        """The index as a tree."""
        try:
            return await self._write_tree(self._git)
        except Failed as error:
            raise UserError("Some conflicts are not resolved yet; resolve and stage them first.") from error

    async def everything(self, root: Path) -> tuple[Sha, tuple[str, ...]]:
        """The work tree as a tree, ignored files apart, and the changed files that could not be taken along."""
        config = (*await self._filters_off(), *await self._persons_settings(), ("core.safecrlf", "false"))
        git = Git(cwd=root, directory=self._git.directory, work_tree=root, config=config)
        changed = await self._names(git, "diff-files", "-z", "--name-only", "--ignore-submodules=dirty")
        listed = await self._names(git, "ls-files", "-z", "--others", "--exclude-standard")
        untracked = [name for name in listed if not name.endswith("/")]  # A repository inside this one is not of it.
        left_out = set(untracked[MOST_UNTRACKED:])
        left_out |= await self._filtered(git, [*changed, *untracked])
        readable = await asyncio.to_thread(_readable, root, [*changed, *untracked])
        left_out |= {*changed, *untracked}.difference(readable)
        taken = [name for name in (*changed, *untracked) if name not in left_out]
        names = b"".join(os.fsencode(name) + b"\0" for name in dict.fromkeys(taken))
        await git.run(
            "update-index", "--add", "--remove", "--replace", "-z", "--stdin", stdin=names, variables=self._variables
        )
        try:
            tree = await self._write_tree(git)
        except Failed as error:
            raise UserError("Some conflicts are not resolved yet; resolve them first, or review a range.") from error
        return tree, tuple(sorted(left_out))

    async def tree_of(self, commit: Sha) -> Sha:
        """The commit's tree."""
        ran = await self._git.run("rev-parse", "--verify", f"{commit}^{{tree}}")
        return Sha(ran.out.decode().strip())

    def _make(self, objects: Path, index: Path) -> None:
        self._empty.mkdir()
        (self._objects / "info").mkdir(parents=True)
        (self._objects / "info" / "alternates").write_bytes(os.fsencode(objects) + b"\n")
        with contextlib.suppress(FileNotFoundError):  # There is no index before the first `git add`.
            shutil.copyfile(index, self._index)

    async def _path(self, name: str) -> Path:
        ran = await self._git.run("rev-parse", "--path-format=absolute", "--git-path", name)
        return Path(os.fsdecode(ran.out).removesuffix("\n"))

    async def _write_tree(self, git: Git) -> Sha:
        ran = await git.run("write-tree", variables=self._variables)
        return Sha(ran.out.decode().strip())

    async def _names(self, git: Git, *arguments: str) -> list[str]:
        ran = await git.run(*arguments, variables=self._variables)
        return [os.fsdecode(name) for name in dict.fromkeys(ran.out.split(b"\0")) if name]

    async def _filtered(self, git: Git, names: Iterable[str]) -> set[str]:
        """The files whose content goes through a program on its way into the repository (large files, encrypted ones)."""
        stdin = b"".join(os.fsencode(name) + b"\0" for name in names)
        ran = await git.run("check-attr", "-z", "--stdin", "filter", stdin=stdin, variables=self._variables)
        fields = ran.out.split(b"\0")
        pairs = zip(fields[0::3], fields[2::3], strict=False)
        return {os.fsdecode(name) for name, value in pairs if value not in (b"unspecified", b"unset")}

    async def _filters_off(self) -> tuple[tuple[str, str], ...]:
        """Configuration that makes every filter of the repository one that does nothing."""
        ran = await self._git.run("config", "-z", "--name-only", "--get-regexp", r"^filter\.", allowed=(0, 1))
        names = {key.partition(".")[2].rpartition(".")[0] for key in os.fsdecode(ran.out).split("\0") if key}
        parts = (("clean", ""), ("smudge", ""), ("process", ""), ("required", "false"))
        return tuple((f"filter.{name}.{part}", value) for name in sorted(names) for part, value in parts)

    async def _persons_settings(self) -> tuple[tuple[str, str], ...]:
        """The few of the person's own settings that say what belongs to a checkout: what to ignore, how lines end."""
        found = []
        for key, kind in _PERSONS_KEYS:
            ran = await self._git.run("config", *kind, "--get", key, allowed=(0, 1), as_person=True)
            if ran.code == 0:
                found.append((key, os.fsdecode(ran.out).removesuffix("\n")))
        home = os.environ.get("XDG_CONFIG_HOME") or f"{os.environ.get('HOME', '')}/.config"
        usual = (("core.excludesFile", f"{home}/git/ignore"),)
        return (*usual, *found)


def _readable(root: Path, names: Iterable[str]) -> set[str]:
    """The names that are files or links of a size that can be reviewed, or that are gone."""
    found: set[str] = set()
    for name in names:
        try:
            status = (root / name).lstat()
        except (FileNotFoundError, NotADirectoryError):
            found.add(name)
            continue
        except OSError:
            continue
        is_file = stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode)
        if stat.S_ISDIR(status.st_mode) or (is_file and status.st_size <= MAX_BLOB_BYTES):
            found.add(name)  # A folder among the changed names is a submodule, or stands where a file was.
    return found
