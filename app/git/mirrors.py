"""A pull request's commits → a `Tree`: one bare mirror for each repository, filled by one shallow fetch at a time.

    <root>/<repository id>.git      refs/principal/commits/<sha>   a commit with its whole tree
                                    refs/principal/tip             the default branch, for policy and skills
    <root>/<repository id>.lock     held while a mirror is opened, so that processes take turns

A ref is only written after git has seen that everything below it is there, so a ref is the proof that nothing needs to be
fetched. Blobs are not filtered out: a filter would make a later search or diff fetch them one by one.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import fcntl
import os
import re
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from app.core.change import Sha
from app.errors import Code, Permanent, PrincipalError, Transient
from app.git.run import FETCH_TIMEOUT_SECONDS, Failed, Git
from app.git.tree import Tree

PINNED_PER_REPOSITORY = 64
"""Commits kept for each repository; those not used for longest go first."""

TIP_SECONDS = 60.0
"""How long the default branch counts as known: policy is read from it."""

MOST_BYTES = 20 * 1024**3
MOST_PACKS = 40
LOCK_TIMEOUT_SECONDS = 300.0
LOCK_POLL_SECONDS = 0.05
FETCH_TRIES = 4
"""Each try of one fetch leaves out or asks differently for something that the server refused."""

_REPOSITORY = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.-]*/[A-Za-z0-9_.][A-Za-z0-9_.-]*")
_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_BRANCH = re.compile(r"(?![-./])(?!.*(?:\.\.|//|@\{|\.lock(?:/|$)|\.$|/$))[^\x00-\x20\x7f~^:?*\[\\]{1,250}")
_UNKNOWN_COMMIT = re.compile(r"not our ref ([0-9a-f]{40,64})|unadvertised object ([0-9a-f]{40,64})")
_UNKNOWN_REF = re.compile(r"couldn't find remote ref (\S+)")
_COMMITS, _TIP, _PULLS = "refs/principal/commits/", "refs/principal/tip", "refs/principal/pulls/"


class Mirrors:
    """The mirrors of all repositories that were asked for, in one folder.

    `server_url` is the web and git root (`{server_url}/{owner}/{name}.git`); credentials go to no other address.
    """

    def __init__(
        self,
        root: Path,
        server_url: str,
        *,
        pinned_per_repository: int = PINNED_PER_REPOSITORY,
        most_packs: int = MOST_PACKS,
        fetch_timeout_seconds: float = FETCH_TIMEOUT_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._root = root
        self._server_url = server_url.rstrip("/")
        self._pinned = pinned_per_repository
        self._most_packs = most_packs
        self._fetch_timeout_seconds = fetch_timeout_seconds
        self._clock = clock
        self._turns: dict[int, _Turn] = {}

    async def open(
        self,
        repository: str,
        *,
        repository_id: int,
        number: int,
        base: Sha,
        head: Sha,
        default_branch: str,
        token: str | None,
    ) -> Tree:
        """The repository with both commits and the default branch's tip; what is here already is not fetched again.

        `token` is a GitHub token that may read the repository, None for a public one. Raises `Transient` when trying
        again may help, `Permanent` (GIT_FAILED, GITHUB_GONE) when a commit or the repository is not to be had.
        """
        wanted = _Wanted(repository, number, base, head, default_branch, token)
        _check(wanted, repository_id)
        mirror = await self._filled(repository_id, wanted, afresh=False)

        async def heal() -> None:
            await self._filled(repository_id, wanted, afresh=True)

        return Tree(mirror.git, tip=await mirror.tip(), pinned=wanted.commits, heal=heal)

    async def prune(self, *, most_bytes: int = MOST_BYTES, idle_seconds: float = 0.0) -> None:
        """Removes the mirrors that were not used for longest until the rest fit, and repacks those in many pieces.

        Those used within `idle_seconds` are left alone: somebody may be reading them.
        """
        ids = [int(path.stem) for path in self._root.glob("*.git") if path.stem.isdigit()]
        sizes = {one: await asyncio.to_thread(_bytes_in, self._directory(one)) for one in ids}
        total = sum(sizes.values())
        for one in sorted(ids, key=lambda one: _used(self._directory(one))):
            if idle_seconds and _used(self._directory(one)) > self._clock() - idle_seconds:
                continue
            async with self._turn(one):
                if total > most_bytes:
                    await asyncio.to_thread(shutil.rmtree, self._directory(one), ignore_errors=True)
                    total -= sizes[one]
                else:
                    await self._mirror(one).repack(most_packs=self._most_packs)

    async def forget(self, removed: Mapping[int, float], *, unused_since: float) -> None:
        """Removes the mirrors that were last used before `unused_since`, or before their repository was removed (both in
        epoch seconds).
        """
        for path in self._root.glob("*.git"):
            if path.stem.isdigit() and _used(path) < max(unused_since, removed.get(int(path.stem), 0.0)):
                async with self._turn(int(path.stem)):
                    await asyncio.to_thread(shutil.rmtree, path, ignore_errors=True)

    async def _filled(self, repository_id: int, wanted: _Wanted, *, afresh: bool) -> _Mirror:
        """The mirror with everything that is wanted. A damaged one is removed and filled again, once."""
        async with self._turn(repository_id):
            mirror = self._mirror(repository_id)
            if afresh:
                await mirror.remove()
            try:
                await mirror.fill(wanted, url=self._url(wanted), authorized=self._authorization(wanted))
            except Failed:
                await mirror.remove()
                await mirror.fill(wanted, url=self._url(wanted), authorized=self._authorization(wanted))
            return mirror

    def _mirror(self, repository_id: int) -> _Mirror:
        return _Mirror(
            self._directory(repository_id), self._root / "empty", self._pinned, self._fetch_timeout_seconds, self._clock
        )

    def _directory(self, repository_id: int) -> Path:
        return self._root / f"{repository_id}.git"

    def _url(self, wanted: _Wanted) -> str:
        return f"{self._server_url}/{wanted.repository}.git"

    def _authorization(self, wanted: _Wanted) -> tuple[tuple[str, str], ...]:
        """The credentials as configuration of one command, for this server only."""
        if wanted.token is None:
            return ()
        secret = base64.b64encode(f"x-access-token:{wanted.token}".encode()).decode()
        return ((f"http.{self._server_url}/.extraHeader", f"Authorization: Basic {secret}"),)

    @contextlib.asynccontextmanager
    async def _turn(self, repository_id: int) -> AsyncIterator[None]:
        """A turn at the mirror: tasks of this process wait in line, other processes hold a lock file."""
        turn = self._turns.setdefault(repository_id, _Turn())
        turn.waiting += 1
        try:
            async with turn.lock:
                await asyncio.to_thread(self._make_folders)
                async with _held(self._root / f"{repository_id}.lock"):
                    yield
        finally:
            turn.waiting -= 1
            if not turn.waiting:
                self._turns.pop(repository_id, None)

    def _make_folders(self) -> None:
        try:
            (self._root / "empty").mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise Permanent(Code.GIT_FAILED, f"the folder for mirrors cannot be made: {error.strerror}") from error


@dataclass(slots=True)
class _Turn:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a review needs of a repository."""

    repository: str
    number: int
    base: Sha
    head: Sha
    default_branch: str
    token: str | None = field(repr=False)

    @property
    def commits(self) -> tuple[Sha, ...]:
        return tuple(dict.fromkeys((self.base, self.head)))


def _check(wanted: _Wanted, repository_id: int) -> None:
    """Names come from payloads and become arguments and file names, so each must look like what it is."""
    fits = (
        _REPOSITORY.fullmatch(wanted.repository)
        and not {".", ".."}.intersection(wanted.repository.split("/"))
        and all(_SHA.fullmatch(sha) for sha in wanted.commits)
        and _BRANCH.fullmatch(wanted.default_branch)
        and repository_id >= 0
        and wanted.number > 0
    )
    if not fits:
        raise Permanent(Code.GIT_FAILED, "a name of the repository, a commit or a branch is not one")


@dataclass(frozen=True, slots=True)
class _Mirror:
    """One bare repository. Its methods are called in turn."""

    directory: Path
    empty: Path
    pinned: int
    fetch_timeout_seconds: float
    clock: Callable[[], float]

    @property
    def git(self) -> Git:
        """Git for this mirror. Its work tree is an empty folder, so that no attributes are read from anywhere."""
        return Git(cwd=self.empty, directory=self.directory, work_tree=self.empty)

    async def remove(self) -> None:
        """Nothing is left of it."""
        await asyncio.to_thread(shutil.rmtree, self.directory, ignore_errors=True)

    async def fill(self, wanted: _Wanted, *, url: str, authorized: Sequence[tuple[str, str]]) -> None:
        """Fetches what is not here yet, pins it, and lets go of what was not used for long."""
        if not (self.directory / "HEAD").exists():
            await self._make()
        await asyncio.to_thread(self._recover)
        pinned = await self._refs()
        missing = [sha for sha in wanted.commits if pinned.get(f"{_COMMITS}{sha}") != sha]
        if missing or _TIP not in pinned or self._age(_TIP) > TIP_SECONDS:
            await self._fetch(wanted, missing, url=url, authorized=authorized)
        for sha in wanted.commits:
            self._touch(f"{_COMMITS}{sha}")
        os.utime(self.directory, (self.clock(), self.clock()))
        await self._let_go(keep=wanted.commits)

    async def tip(self) -> Sha | None:
        """The default branch's commit, None if the repository has no such branch."""
        return (await self._refs()).get(_TIP)

    async def repack(self, *, most_packs: int) -> None:
        """One pack instead of many, without what no ref needs."""
        if len(list(self.directory.glob("objects/pack/*.pack"))) > most_packs:
            await asyncio.to_thread(self._recover)
            await self.git.run("repack", "-a", "-d", "-q", "--threads=1", timeout_seconds=FETCH_TIMEOUT_SECONDS)
            await self.git.run("prune", "--expire=now")

    async def _make(self) -> None:
        await self.remove()
        await Git(cwd=self.empty).run("init", "--bare", "--quiet", "--template=", "--", str(self.directory))

    def _recover(self) -> None:
        """Removes locks and half-written packs of a process that was killed: whoever has the turn is alone here."""
        left = [*self.directory.glob("*.lock"), *(self.directory / "refs").rglob("*.lock")]
        for path in (*left, *self.directory.glob("objects/pack/tmp_*")):
            path.unlink(missing_ok=True)

    async def _refs(self) -> dict[str, Sha]:
        ran = await self.git.run("for-each-ref", "--format=%(objectname) %(refname)", "refs/principal/")
        rows = (row.partition(" ") for row in ran.out.decode("utf-8", "replace").split("\n") if row)
        return {name: Sha(sha) for sha, _, name in rows}

    async def _fetch(
        self, wanted: _Wanted, missing: Sequence[Sha], *, url: str, authorized: Sequence[tuple[str, str]]
    ) -> None:
        """One fetch; again without what the server does not have, or with the pull's own ref for a head it will not give."""
        ask = _Ask(
            commits=tuple(missing), tip=f"refs/heads/{wanted.default_branch}", pull=f"refs/pull/{wanted.number}/head"
        )
        for _ in range(FETCH_TRIES):
            try:
                await self._fetch_once(ask, url=url, authorized=authorized)
                break
            except PrincipalError as error:
                ask = ask.after(error, head=wanted.head)
        else:
            raise Permanent(Code.GIT_FAILED, "the git server refused every way to ask for the commits")
        if ask.by_pull:
            await self._pin_head(wanted, ref=f"{_PULLS}{wanted.number}")
        if ask.tip:
            self._touch(_TIP)

    async def _fetch_once(self, ask: _Ask, *, url: str, authorized: Sequence[tuple[str, str]]) -> None:
        specs = [f"+{sha}:{_COMMITS}{sha}" for sha in ask.commits]
        if ask.tip:
            specs.append(f"+{ask.tip}:{_TIP}")
        if ask.by_pull:
            specs.append(f"+{ask.pull}:{_PULLS}{ask.pull.split('/')[2]}")
        if not specs:
            return
        await self.git.run(
            "fetch",
            "--depth=1",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-recurse-submodules",
            "--no-auto-gc",
            "--no-write-commit-graph",
            "--quiet",
            "--refmap=",
            "--",
            url,
            *specs,
            variables={"GIT_ALLOW_PROTOCOL": "http:https"},
            config=authorized,
            timeout_seconds=self.fetch_timeout_seconds,
        )

    async def _pin_head(self, wanted: _Wanted, *, ref: str) -> None:
        found = (await self._refs()).get(ref)
        if found != wanted.head:
            raise Permanent(Code.GIT_FAILED, "the head commit is not on the git server any more")
        await self.git.run("update-ref", f"{_COMMITS}{wanted.head}", wanted.head)

    async def _let_go(self, *, keep: Iterable[Sha]) -> None:
        """Unpins the commits that were not used for longest."""
        kept = {f"{_COMMITS}{sha}" for sha in keep}
        refs = [ref for ref in await self._refs() if ref.startswith(_COMMITS) and ref not in kept]
        refs.sort(key=self._age, reverse=True)
        surplus = refs[: max(0, len(refs) + len(kept) - self.pinned)]
        if surplus:
            script = "".join(f"delete {ref}\n" for ref in surplus)
            await self.git.run("update-ref", "--stdin", stdin=script.encode())

    def _age(self, ref: str) -> float:
        """Seconds since the ref was used. Refs are never packed here, so each is a file with a time of its own."""
        try:
            return self.clock() - (self.directory / ref).stat().st_mtime
        except FileNotFoundError:
            return float("inf")

    def _touch(self, ref: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.utime(self.directory / ref, (self.clock(), self.clock()))


@dataclass(frozen=True, slots=True)
class _Ask:
    """What one fetch asks for."""

    commits: tuple[Sha, ...]
    tip: str
    pull: str
    by_pull: bool = False

    def after(self, error: PrincipalError, *, head: Sha) -> _Ask:
        """What to ask for after this refusal; raises the error again when there is no other way to ask."""
        text = error.ran.error if isinstance(error, Failed) else ""
        unknown_ref = _UNKNOWN_REF.search(text)
        if unknown_ref and unknown_ref[1] == self.tip:
            return _Ask(self.commits, "", self.pull, self.by_pull)
        if unknown_ref and unknown_ref[1] == self.pull:
            raise Permanent(Code.GIT_FAILED, "the head commit is not on the git server any more") from error
        unknown = _UNKNOWN_COMMIT.search(text)
        if unknown is None:
            raise error
        sha = unknown[1] or unknown[2]
        if sha != head or self.by_pull:
            raise Permanent(
                Code.GIT_FAILED, "a commit of the pull request is not on the git server any more"
            ) from error
        return _Ask(tuple(one for one in self.commits if one != head), self.tip, self.pull, by_pull=True)


@contextlib.asynccontextmanager
async def _held(path: Path) -> AsyncIterator[None]:
    """Holds a lock file that other processes of this machine respect; it is free again when a process dies."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            async with asyncio.timeout(LOCK_TIMEOUT_SECONDS):
                while not _try_lock(handle):  # noqa: ASYNC110 - another process has no event to wait for.
                    await asyncio.sleep(LOCK_POLL_SECONDS)
        except TimeoutError as error:
            raise Transient(Code.GIT_TIMEOUT, "another process holds the repository's mirror") from error
        yield
    finally:
        os.close(handle)


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _bytes_in(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


def _used(directory: Path) -> float:
    try:
        return directory.stat().st_mtime
    except FileNotFoundError:
        return 0.0
