"""The door to git, over smart HTTP against the sandbox: one fetch for a review, and nothing of a repository is ever run."""

from __future__ import annotations

import asyncio
import base64
import gc
import os
import shutil
import subprocess
import threading
from collections.abc import Awaitable, Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar

import pytest

from app.core import diff
from app.core.change import Sha
from app.core.select import Attributes
from app.errors import Code, Permanent, PrincipalError, Transient
from app.git import GrepHit, Mirrors, Tree
from app.git.tree import LONGEST_HIT_CHARACTERS, MAX_BLOB_BYTES, MOST_PATCH_BYTES
from app.sandbox import Executable, Sandbox, Submodule, Symlink

T = TypeVar("T")
SHOP = "acme/shop"
GONE = Sha("d" * 40)
FILES = {
    "src/charge.ts": "import axios;\n\nexport async function charge(order) {\n  return axios.post(order.url);\n}\n",
    "src/orders.ts": "import { charge } from './charge';\n// recharge is another word\ncharge(order);\r\n",
    "README.md": "# Shop\n",
}
CHANGED = {"src/charge.ts": FILES["src/charge.ts"].replace("order.url", "order.url, order")}


# The sandbox does not wait for its own git when the other side hangs up before the answer begins.


class Clock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.seconds = 1_800_000_000.0

    def __call__(self) -> float:
        return self.seconds


class Shop:
    """A private repository on the sandbox with a pull request, and the folder where mirrors are kept."""

    def __init__(self, github: Sandbox, root: Path) -> None:
        self.github = github
        self.root = root
        self.clock = Clock()
        self.repository = github.create_repository(SHOP, files=FILES, private=True)
        self.pull = self.repository.open_pull(files=CHANGED, title="T", body="B", author="dev")
        self.token = github.installation_token(permissions={"contents": "read"}, repositories=[self.repository])
        github.requests.clear()

    def mirrors(self, **settings: Any) -> Mirrors:
        return Mirrors(self.root, self.github.server_url, clock=self.clock, **settings)

    def open(self, mirrors: Mirrors | None = None, **other: Any) -> Awaitable[Tree]:
        """The tree of the pull request; `other` replaces arguments."""
        wanted: dict[str, Any] = {
            "repository": SHOP,
            "repository_id": 7,
            "number": self.pull.number,
            "base": Sha(self.pull.base_sha),
            "head": Sha(self.pull.head_sha),
            "default_branch": "main",
            "token": self.token,
        } | other
        return (mirrors or self.mirrors()).open(wanted.pop("repository"), **wanted)

    @property
    def fetches(self) -> int:
        """How many packs were asked for: the first request of a fetch lists the refs, the last one names what it wants."""
        advertised = [one for one in self.github.requests if "info/refs" in one.path]
        return len(advertised)

    @property
    def directory(self) -> Path:
        return self.root / "7.git"

    def refs(self) -> list[str]:
        return git(self.directory, "for-each-ref", "--format=%(refname)").split()


def git(directory: Path, *arguments: str, stdin: bytes = b"") -> str:
    ran = subprocess.run(["git", "-C", str(directory), *arguments], input=stdin, capture_output=True, check=True)
    return ran.stdout.decode()


def tell(story: Awaitable[T]) -> T:
    async def telling() -> T:
        return await story

    return asyncio.run(telling())


def failing(story: Awaitable[Any]) -> PrincipalError:
    with pytest.raises(PrincipalError) as caught:
        tell(story)
    return caught.value


@pytest.fixture
def github() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox
    gc.collect()  # What the sandbox leaves behind shows in the test that caused it.


@pytest.fixture
def shop(github: Sandbox, tmp_path: Path) -> Shop:
    return Shop(github, tmp_path / "mirrors")


# --- fetching ---------------------------------------------------------------------------------------------------------


def test_one_shallow_fetch_takes_base_head_and_the_default_branch(shop: Shop) -> None:
    shop.repository.push({"NEWS.md": "later\n"})
    tree = tell(shop.open())
    assert shop.fetches == 1
    assert tree.tip == shop.repository.tip("main")
    assert tree.tip not in (shop.pull.base_sha, shop.pull.head_sha)
    assert sorted(shop.refs()) == sorted(
        [
            f"refs/principal/commits/{shop.pull.base_sha}",
            f"refs/principal/commits/{shop.pull.head_sha}",
            "refs/principal/tip",
        ]
    )
    assert git(shop.directory, "rev-list", "--all", "--count").strip() == "3"


def test_what_is_here_is_not_fetched_again(shop: Shop) -> None:
    tell(shop.open())
    shop.clock.seconds += 59
    tell(shop.open())
    assert shop.fetches == 1
    shop.pull.push({"src/new.ts": "charge();\n"})
    tell(shop.open())
    assert shop.fetches == 2


def test_the_default_branch_is_looked_up_again_after_a_minute(shop: Shop) -> None:
    tell(shop.open())
    shop.repository.push({".github/principal.yml": "effort: deep\n"})
    shop.clock.seconds += 61
    tree = tell(shop.open())
    assert shop.fetches == 2
    assert tree.tip == shop.repository.tip("main")
    assert tell(tree.read(Sha(str(tree.tip)), ".github/principal.yml")) == b"effort: deep\n"


def test_a_repository_without_the_default_branch_is_read_all_the_same(shop: Shop) -> None:
    tree = tell(shop.open(default_branch="trunk"))
    assert tree.tip is None
    assert b"order.url, order" in tell(tree.diff(Sha(shop.pull.base_sha), Sha(shop.pull.head_sha)))


def test_the_head_of_a_fork_is_fetched_from_the_base_repository(shop: Shop) -> None:
    pull = shop.repository.open_pull(files={"src/fork.ts": "fork();\n"}, title="F", author="stranger", from_fork=True)
    tree = tell(shop.open(number=pull.number, head=Sha(pull.head_sha)))
    assert tell(tree.read(Sha(pull.head_sha), "src/fork.ts")) == b"fork();\n"


def test_many_openings_at_once_fetch_once(shop: Shop) -> None:
    async def story() -> None:
        mirrors = shop.mirrors()
        await asyncio.gather(*(shop.open(mirrors) for _ in range(6)))

    tell(story())
    assert shop.fetches == 1


def test_two_processes_take_turns_at_a_mirror(shop: Shop) -> None:
    """Two `Mirrors` share nothing but the lock file, as two processes do."""

    async def story() -> None:
        await asyncio.gather(*(shop.open(shop.mirrors()) for _ in range(4)))

    tell(story())
    assert shop.fetches == 1


def test_only_so_many_commits_are_kept(shop: Shop) -> None:
    async def story() -> None:
        mirrors = shop.mirrors(pinned_per_repository=3)
        for number in range(4):
            await shop.open(mirrors)
            shop.clock.seconds += 1
            shop.pull.push({"src/new.ts": f"charge({number});\n"})
        await shop.open(mirrors)

    tell(story())
    kept = [ref for ref in shop.refs() if "commits" in ref]
    assert len(kept) == 3
    assert f"refs/principal/commits/{shop.pull.base_sha}" in kept
    assert f"refs/principal/commits/{shop.pull.head_sha}" in kept


def test_mirrors_not_used_for_longest_are_removed_first(shop: Shop) -> None:
    other = shop.github.create_repository("acme/other", files=FILES)
    pull = other.open_pull(files=CHANGED, title="T", author="dev")
    mirrors = shop.mirrors()
    there = {"number": pull.number, "base": Sha(pull.base_sha), "head": Sha(pull.head_sha), "token": None}

    async def story() -> None:
        await shop.open(mirrors)
        shop.clock.seconds += 10
        await shop.open(mirrors, repository="acme/other", repository_id=8, **there)
        await mirrors.prune()
        assert sorted(path.name for path in shop.root.glob("*.git")) == ["7.git", "8.git"]
        size = sum(path.stat().st_size for path in (shop.root / "8.git").rglob("*") if path.is_file())
        await mirrors.prune(most_bytes=size)

    tell(story())
    assert [path.name for path in shop.root.glob("*.git")] == ["8.git"]


def test_a_mirror_in_many_pieces_is_repacked(shop: Shop) -> None:
    async def story() -> bytes:
        mirrors = shop.mirrors(pinned_per_repository=2, most_packs=3)
        for number in range(5):
            shop.pull.push({"src/new.ts": f"charge({number});\n"})
            tree = await shop.open(mirrors)
        assert len(list(shop.directory.glob("objects/pack/*.pack"))) == 5
        await mirrors.prune()
        return await tree.diff(Sha(shop.pull.base_sha), Sha(shop.pull.head_sha))

    assert b"+charge(4);" in tell(story())
    assert len(list(shop.directory.glob("objects/pack/*.pack"))) == 1


# --- what can go wrong ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (401, Permanent, Code.GIT_FAILED),
        (403, Permanent, Code.GIT_FAILED),
        (404, Permanent, Code.GITHUB_GONE),
        (429, Transient, Code.GIT_FAILED),
        (500, Transient, Code.GIT_FAILED),
        (503, Transient, Code.GIT_FAILED),
    ],
)
def test_a_servers_refusal_says_whether_trying_again_helps(
    shop: Shop, status: int, kind: type[PrincipalError], code: Code
) -> None:
    shop.github.faults.answer(status, "*", "*/info/refs", times=9)
    error = failing(shop.open())
    assert (type(error), error.code) == (kind, code)
    assert shop.github.server_url not in error.what
    assert str(shop.root) not in error.what
    shop.github.faults.clear()
    assert tell(shop.open()).tip is not None


@pytest.mark.parametrize("path", ["*/info/refs", "*/git-upload-pack"])
def test_a_connection_that_breaks_is_tried_again_later(shop: Shop, path: str) -> None:
    shop.github.faults.cut("*", path, times=9)
    error = failing(shop.open())
    assert (type(error), error.code) == (Transient, Code.GIT_FAILED)
    shop.github.faults.clear()
    assert tell(shop.open()).tip is not None


def test_a_server_that_is_not_there_is_tried_again_later(shop: Shop) -> None:
    mirrors = Mirrors(shop.root, "http://127.0.0.1:1")
    error = failing(shop.open(mirrors))
    assert (type(error), error.code) == (Transient, Code.GIT_FAILED)


def test_without_a_token_a_private_repository_is_refused(shop: Shop) -> None:
    assert failing(shop.open(token=None)).code is Code.GIT_FAILED
    assert failing(shop.open(token="ghs_wrong")).code is Code.GIT_FAILED


def test_s15_credentials_do_not_follow_a_redirect(shop: Shop) -> None:
    shop.repository.rename("store")
    error = failing(shop.open())
    assert (type(error), error.code) == (Permanent, Code.GITHUB_REDIRECT_BLOCKED)


def test_a_silent_server_is_given_up(shop: Shop) -> None:
    gate = shop.github.faults.hold("*", "*/git-upload-pack", times=9)
    try:
        error = failing(shop.open(shop.mirrors(fetch_timeout_seconds=0.5)))
    finally:
        gate.release()
    assert (type(error), error.code) == (Transient, Code.GIT_TIMEOUT)
    assert git_processes(shop.root) == []


def test_a_review_that_is_cancelled_leaves_no_process_behind(shop: Shop) -> None:
    gate = shop.github.faults.hold("*", "*/git-upload-pack", times=9)

    async def story() -> None:
        opening = asyncio.create_task(shop.open())  # type: ignore[arg-type]
        await asyncio.to_thread(gate.wait_until_reached)
        assert git_processes(shop.root)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening

    try:
        tell(story())
        assert git_processes(shop.root) == []
    finally:
        gate.release()
    shop.github.faults.clear()
    assert tell(shop.open()).tip is not None


def test_a_commit_that_is_nowhere_ends_the_review(shop: Shop) -> None:
    for other in ({"base": GONE}, {"head": GONE}):
        error = failing(shop.open(**other))
        assert (type(error), error.code) == (Permanent, Code.GIT_FAILED)
        assert "not on the git server any more" in error.what
    error = failing(shop.open(head=GONE, number=999))
    assert (type(error), error.code) == (Permanent, Code.GIT_FAILED)
    assert "not on the git server any more" in error.what


@pytest.mark.parametrize("damage", ["pack", "head", "shallow", "ref", "everything"])
def test_a_damaged_mirror_is_fetched_afresh(shop: Shop, damage: str) -> None:
    tell(shop.open())
    match damage:
        case "pack":
            for pack in shop.directory.glob("objects/pack/*"):
                pack.chmod(0o600)
                pack.write_bytes(b"")
        case "head":
            (shop.directory / "HEAD").write_text("")
        case "shallow":
            (shop.directory / "shallow").write_text("nonsense\n")
        case "ref":
            next((shop.directory / "refs/principal/commits").iterdir()).write_text("0\n")
        case _:
            shutil.rmtree(shop.directory / "objects")
    assert b"order.url, order" in tell(diff_of(shop))
    assert b"order.url, order" in tell(diff_of(shop))
    # A ref that cannot be read is no ref, so the mirror is first filled up, and only that shows the damage.
    assert shop.fetches == (3 if damage == "ref" else 2)


def test_damage_that_shows_late_is_healed_once(shop: Shop) -> None:
    """The refs are there and so is the index of the pack, but an object in it cannot be read."""

    async def story() -> bytes:
        tree = await shop.open()
        for pack in shop.directory.glob("objects/pack/*.pack"):
            pack.chmod(0o600)
            size = pack.stat().st_size
            pack.write_bytes(pack.read_bytes()[:20] + b"\0" * (size - 20))
        return await tree.diff(Sha(shop.pull.base_sha), Sha(shop.pull.head_sha))

    assert b"order.url, order" in tell(story())
    assert shop.fetches == 2


def test_locks_of_a_killed_process_are_removed(shop: Shop) -> None:
    tell(shop.open())
    for name in (
        "shallow.lock",
        "config.lock",
        "packed-refs.lock",
        "refs/principal/tip.lock",
        "objects/pack/tmp_pack_x",
    ):
        (shop.directory / name).write_text("")
    shop.pull.push({"src/new.ts": "charge();\n"})
    assert b"+charge();" in tell(diff_of(shop))
    assert not list(shop.directory.rglob("*.lock"))
    assert not list(shop.directory.rglob("tmp_*"))


def test_a_folder_that_cannot_be_made_is_said_so(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    error = failing(shop.open(Mirrors(tmp_path / "file" / "mirrors", shop.github.server_url)))
    assert (type(error), error.code) == (Permanent, Code.GIT_FAILED)
    assert str(tmp_path) not in error.what


async def diff_of(shop: Shop) -> bytes:
    tree = await shop.open()
    return await tree.diff(Sha(shop.pull.base_sha), Sha(shop.pull.head_sha))


def git_processes(root: Path) -> list[str]:
    """Command lines and working folders of running git processes that belong to mirrors under `root`."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            where = (process / "cwd").readlink() if process.name.isdigit() else Path("/")
        except OSError:
            continue
        if where.is_relative_to(root):
            found.append(process.name)
    return found


# --- the head ref as the second way -----------------------------------------------------------------------------------


class _Grumpy(BaseHTTPRequestHandler):
    """Serves one repository by `git http-backend`, and refuses the first request that names a commit as one it has not."""

    directory: Path
    refused: str

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        server = self.server
        if self.refused.encode() in data and getattr(server, "refusals", 0):
            server.refusals -= 1  # type: ignore[attr-defined]
            line = f"ERR upload-pack: not our ref {self.refused}".encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-git-upload-pack-result")
            self.end_headers()
            self.wfile.write(b"%04x" % (len(line) + 4) + line)
            return
        self._answer(data)

    def _answer(self, data: bytes) -> None:
        path, _, query = self.path.partition("?")
        ran = subprocess.run(
            ["git", "http-backend"],
            input=data,
            capture_output=True,
            check=True,
            env={
                "PATH": os.environ["PATH"],
                "GIT_HTTP_EXPORT_ALL": "1",
                "GIT_PROJECT_ROOT": str(self.directory),
                "PATH_INFO": "/" + path.split("/", 3)[3],
                "QUERY_STRING": query,
                "REQUEST_METHOD": self.command,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            },
        )
        head, _, body = ran.stdout.partition(b"\r\n\r\n")
        self.send_response(200)
        for row in head.decode().split("\r\n"):
            name, _, value = row.partition(": ")
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def grumpy(shop: Shop) -> Iterator[ThreadingHTTPServer]:
    handler = type("Handler", (_Grumpy,), {"directory": shop.repository.git.directory, "refused": shop.pull.head_sha})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_head_the_server_will_not_give_by_its_id_comes_by_the_pulls_own_ref(
    shop: Shop, grumpy: ThreadingHTTPServer
) -> None:
    grumpy.refusals = 1  # type: ignore[attr-defined]
    mirrors = Mirrors(shop.root, f"http://127.0.0.1:{grumpy.server_port}")
    tree = tell(shop.open(mirrors))
    assert b"order.url, order" in tell(tree.diff(Sha(shop.pull.base_sha), Sha(shop.pull.head_sha)))
    assert f"refs/principal/commits/{shop.pull.head_sha}" in shop.refs()
    assert tree.tip == shop.repository.tip("main")


def test_a_head_the_server_gives_in_no_way_ends_the_review(shop: Shop, grumpy: ThreadingHTTPServer) -> None:
    grumpy.refusals = 9  # type: ignore[attr-defined]
    error = failing(shop.open(Mirrors(shop.root, f"http://127.0.0.1:{grumpy.server_port}")))
    assert (type(error), error.code) == (Permanent, Code.GIT_FAILED)
    assert "not on the git server any more" in error.what


# --- secrets and hostile names ----------------------------------------------------------------------------------------


def test_s35_the_token_is_in_no_argument_and_on_no_disk(shop: Shop) -> None:
    encoded = base64.b64encode(f"x-access-token:{shop.token}".encode())
    gate = shop.github.faults.hold("*", "*/git-upload-pack")
    seen: list[bytes] = []

    async def story() -> Tree:
        opening = asyncio.create_task(shop.open())  # type: ignore[arg-type]
        await asyncio.to_thread(gate.wait_until_reached)
        seen.extend((Path("/proc") / process / "cmdline").read_bytes() for process in git_processes(shop.root))
        gate.release()
        return await opening

    tree = tell(story())
    assert any(b"fetch" in one for one in seen)
    written = b"".join(path.read_bytes() for path in shop.root.rglob("*") if path.is_file())
    for secret in (shop.token.encode(), encoded):
        assert secret not in b"".join(seen)
        assert secret not in written
        assert secret.decode() not in repr(tree)


@pytest.mark.parametrize(
    "other",
    [
        {"repository": "-oProxyCommand=x/y"},
        {"repository": "../../etc"},
        {"repository": "acme/.."},
        {"repository": "acme/shop/more"},
        {"repository": "acme/sh op"},
        {"repository": "acme/shop\n"},
        {"repository": "acme@evil.example/shop"},
        {"base": "--upload-pack=touch /tmp/x"},
        {"head": "HEAD"},
        {"head": "a" * 39},
        {"head": "A" * 40},
        {"head": "a" * 40 + "\n"},
        {"default_branch": "--upload-pack=x"},
        {"default_branch": "main:refs/heads/x"},
        {"default_branch": "a..b"},
        {"default_branch": "*"},
        {"default_branch": ""},
        {"number": 0},
        {"repository_id": -1},
    ],
)
def test_s46_a_name_that_is_none_reaches_no_command(shop: Shop, other: dict[str, Any]) -> None:
    error = failing(shop.open(**other))
    assert (type(error), error.code) == (Permanent, Code.GIT_FAILED)
    assert shop.fetches == 0
    assert not shop.root.exists()


def test_branch_names_may_look_odd(shop: Shop) -> None:
    for name in ("feature/x-1", "ünï", "a@b", "v1.0", "_", "#1"):
        assert tell(shop.open(default_branch=name)).tip is None


def test_s46_nothing_of_the_surroundings_reaches_git(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Variables of the process and a person's own configuration would otherwise change what git does, or run programs."""
    canary = tmp_path / "canary"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {canary}\n")
    program.chmod(0o700)
    (tmp_path / ".gitconfig").write_text(
        f"[diff]\n external = {program}\n noprefix = true\n[core]\n hooksPath = {tmp_path}\n fsmonitor = {program}\n"
        f'[credential]\n helper = !{program}\n[url "http://127.0.0.1:1/"]\n insteadOf = {shop.github.server_url}/\n'
    )
    for name, value in {
        "HOME": str(tmp_path),
        "GIT_DIR": str(tmp_path),
        "GIT_EXTERNAL_DIFF": str(program),
        "GIT_SSH_COMMAND": str(program),
        "GIT_ASKPASS": str(program),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "core.pager",
        "GIT_CONFIG_VALUE_0": str(program),
        "GIT_TRACE": str(tmp_path / "trace"),
        "GIT_TRACE_CURL": str(tmp_path / "trace"),
    }.items():
        monkeypatch.setenv(name, value)
    assert b"a/src/charge.ts" in tell(diff_of(shop))
    assert failing(shop.open(token="ghs_wrong", base=GONE)).code is Code.GIT_FAILED
    assert not canary.exists()
    assert not (tmp_path / "trace").exists()


def test_a_proxy_is_honoured(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "")
    assert failing(shop.open()).code is Code.GIT_FAILED
    assert shop.fetches == 0
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert tell(shop.open()).tip is not None


def test_s46_a_hostile_head_is_only_read(shop: Shop, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    pull = shop.repository.open_pull(
        files={
            ".gitattributes": "* -diff filter=evil diff=evil linguist-generated\n",
            ".gitmodules": f'[submodule "x"]\n path = x\n url = ext::sh -c touch% {canary}\n update = !touch {canary}\n',
            "-oProxyCommand=touch": "option();\n",
            "--upload-pack=touch": "option();\n",
            "large.bin": "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n",
            "src/evil.ts": "charge();\n",
            "link": Symlink("/etc/passwd"),
            "tool": Executable("#!/bin/sh\n"),
            "lib": Submodule("c" * 40),
        },
        title="E",
        author="stranger",
        from_fork=True,
    )
    base, head = Sha(pull.base_sha), Sha(pull.head_sha)

    async def story() -> None:
        tree = await shop.open(number=pull.number, base=base, head=head)
        files = {file.path: file for file in diff.parse(await tree.diff(base, head))}
        assert files["src/evil.ts"].hunks[0].body == ("+charge();",)
        assert files["-oProxyCommand=touch"].added == 1
        assert files["link"].is_symlink
        assert files["lib"].is_submodule
        names = ["-oProxyCommand=touch", "--upload-pack=touch", "link", "lib", "large.bin", "tool"]
        read = await tree.read_many(head, names)
        assert sorted(read) == ["--upload-pack=touch", "-oProxyCommand=touch", "large.bin", "tool"]
        assert [hit.path for hit in await tree.grep(head, "option", limit=9)] == sorted(names[:2])
        assert await tree.grep(head, "--open-files-in-pager=touch", limit=9) == []
        believed = await tree.attributes(head, ["src/evil.ts"])
        assert believed["src/evil.ts"].generated is True
        trusted = await tree.attributes(head, ["src/evil.ts"], trusted=base)
        assert trusted["src/evil.ts"] == Attributes(opening="charge();\n")

    tell(story())
    assert not canary.exists()


# --- reading ----------------------------------------------------------------------------------------------------------


def reading(shop: Shop, files: dict[str, Any], story: Callable[[Tree, Sha], Awaitable[T]]) -> T:
    """What `story` finds in the tree of a pull request that adds the files, with the server gone."""
    pull = shop.repository.open_pull(files=files, title="R", author="dev")

    async def telling() -> T:
        tree = await shop.open(number=pull.number, head=Sha(pull.head_sha))
        shop.github.requests.clear()
        found = await story(tree, Sha(pull.head_sha))
        assert len(shop.github.requests) == 0
        return found

    return tell(telling())


def test_the_diff_is_gits_own(shop: Shop) -> None:
    files = {
        "src/charge.ts": None,
        "src/pay.ts": FILES["src/charge.ts"].replace("charge", "pay"),
        "src/orders.ts": FILES["src/orders.ts"].replace("\r", ""),
        "ünï/with space.txt": "x\n",
        "binary": b"\0\1",
        "run.sh": Executable("#!/bin/sh"),
        'quo"te': "\x0c\u2028\n",
    }

    async def story(tree: Tree, head: Sha) -> tuple[bytes, Sha]:
        return await tree.diff(Sha(shop.pull.base_sha), head), head

    data, head = reading(shop, files, story)
    here = shop.repository.git.directory
    whole = ("diff", "-M", "--full-index", shop.pull.base_sha, head)
    assert data.decode() == git(here, "-c", "core.quotepath=off", *whole)
    parsed = diff.parse(data)
    assert {file.path for file in parsed} == {*files, "README.md"} - {"src/charge.ts", "README.md"}
    assert next(file for file in parsed if file.path == "src/pay.ts").old_path == "src/charge.ts"


def test_files_are_read_whole_or_not_at_all(shop: Shop) -> None:
    exact, large = "x" * MAX_BLOB_BYTES, "y" * (MAX_BLOB_BYTES + 1)
    files = {
        "exact": exact,
        "large": large,
        "empty": "",
        "a\nb": "newline\n",
        "ünï": "u\n",
        "same": "u\n",
        "glob*": "g\n",
    }

    async def story(tree: Tree, head: Sha) -> None:
        read = await tree.read_many(
            head,
            [
                *files,
                "absent",
                "src",
                "src/",
                "/etc/passwd",
                "../x",
                "",
                ".",
                "a\0b",
                "\ud800",
                "src//charge.ts",
                "gl*",
            ],
        )
        assert {path: len(data) for path, data in read.items()} == {
            "exact": MAX_BLOB_BYTES, "empty": 0, "a\nb": 8, "ünï": 2, "same": 2, "glob*": 2,
        }  # fmt: skip
        assert await tree.read(head, "large") is None
        assert await tree.read(head, "absent") is None
        assert await tree.read(head, "README.md") == b"# Shop\n"
        assert await tree.read_many(head, []) == {}

    reading(shop, files, story)


def test_s28_thousands_of_files_are_read(shop: Shop) -> None:
    files = {f"{'deep/' * 20}file_{number:04}.ts": f"// {number}\n" for number in range(1_500)}

    async def story(tree: Tree, head: Sha) -> None:
        read = await tree.read_many(head, files)
        assert read == {path: text.encode() for path, text in files.items()}
        assert len(await tree.files(head)) == 1_503
        assert len(diff.parse(await tree.diff(Sha(shop.pull.base_sha), head))) == 1_500

    reading(shop, files, story)


def test_a_search_finds_whole_words_in_the_head(shop: Shop) -> None:
    async def story(tree: Tree, head: Sha) -> None:
        assert await tree.grep(head, "charge", limit=9) == [
            GrepHit("a:b.ts", 1, "charge(1);"),
            GrepHit("src/charge.ts", 3, "export async function charge(order) {"),
            GrepHit("src/orders.ts", 1, "import { charge } from './charge';"),
            GrepHit("src/orders.ts", 3, "charge(order);"),
        ]
        assert [hit.line for hit in await tree.grep(head, "charge", paths=["src/orders.ts"], limit=9)] == [1, 3]
        assert len(await tree.grep(head, "charge", limit=2)) == 2
        assert await tree.grep(head, "charge", limit=0) == []
        assert await tree.grep(head, "charge", paths=["../x"], limit=9) == []
        assert await tree.grep(head, "charg", limit=9) == []
        assert await tree.grep(head, "ch.rge", limit=9) == []
        assert len((await tree.grep(head, "wide", limit=9))[0].text) == LONGEST_HIT_CHARACTERS
        for nothing in ("", " ", "a\nb", "a\0b", "\ud800"):
            assert await tree.grep(head, nothing, limit=9) == []
        many = await tree.grep_many(head, ["charge", "axios", "$el", "nowhere", "axios"], limit=1)
        assert {word: [hit.path for hit in hits] for word, hits in many.items()} == {
            "charge": ["a:b.ts"],
            "axios": ["src/charge.ts"],
            "$el": ["view.ts"],
        }

    files = {"a:b.ts": "charge(1);\n", "b.bin": b"charge \0", "view.ts": "$el.x\n", "wide.ts": "wide " + "x" * 9_000}
    reading(shop, files, story)


def test_a_common_word_does_not_hide_a_rare_one(shop: Shop) -> None:
    files = {"a.ts": "common\n" * 50_000, "z.ts": "rare\n"}

    async def story(tree: Tree, head: Sha) -> None:
        found = await tree.grep_many(head, ["common", "rare"], limit=3)
        assert [hit.line for hit in found["common"]] == [1, 2, 3]
        assert found["rare"] == [GrepHit("z.ts", 1, "rare")]
        assert [hit.line for hit in await tree.grep(head, "common", limit=2)] == [1, 2]

    reading(shop, files, story)


def test_what_gitattributes_declare_is_known_by_path(shop: Shop) -> None:
    files = {
        ".gitattributes": "*.gen.ts linguist-generated\nlib/** linguist-vendored=true\n",
        "src/.gitattributes": "own.gen.ts -linguist-generated\nodd.ts linguist-generated=maybe\n",
        "src/a.gen.ts": "// made\n" + "x" * 5_000,
        "src/own.gen.ts": "own\n",
        "src/odd.ts": "odd\n",
        "lib/x/y.ts": "y\n",
    }

    async def story(tree: Tree, head: Sha) -> None:
        facts = await tree.attributes(head, ["src/a.gen.ts", "src/own.gen.ts", "src/odd.ts", "lib/x/y.ts", "gone.ts"])
        assert facts["src/a.gen.ts"].generated is True
        assert facts["src/a.gen.ts"].vendored is None
        assert facts["src/a.gen.ts"].opening.startswith("// made\n")
        assert len(facts["src/a.gen.ts"].opening) == 2_000
        assert facts["src/own.gen.ts"] == Attributes(generated=False, opening="own\n")
        assert facts["src/odd.ts"] == Attributes(opening="odd\n")
        assert facts["lib/x/y.ts"] == Attributes(vendored=True, opening="y\n")
        assert facts["gone.ts"] == Attributes()
        base = await tree.attributes(head, ["src/a.gen.ts"], trusted=Sha(shop.pull.base_sha))
        assert base["src/a.gen.ts"].generated is None

    reading(shop, files, story)


# --- patches ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("patch", "reason"),
    [
        ("--- a/README.md\n+++ b/README.md\n@@ -1 +1 @@\n-# Shop\n+# Store\n", None),
        ("--- a/README.md\n+++ b/README.md\n@@ -7,9 +8,3 @@\n-# Shop\n+# Store\n+more\n", None),
        ("diff --git a/new.ts b/new.ts\nnew file mode 100644\n--- /dev/null\n+++ b/new.ts\n@@ -0,0 +1 @@\n+x\n", None),
        ("--- a/src/orders.ts\n+++ b/src/orders.ts\n@@ -3 +3 @@\n-charge(order);\r\n+charge(orders);\r\n", None),
        ("--- a/src/orders.ts\n+++ b/src/orders.ts\n@@ -3 +3 @@\n-charge(order);\n+x();\n", "patch failed: src/orders.ts:3"),
        ("--- a/README.md\n+++ b/README.md\n@@ -1 +1 @@\n-# Shopp\n+# Store\n", "patch failed: README.md:1"),
        ("--- a/none.ts\n+++ b/none.ts\n@@ -1 +1 @@\n-a\n+b\n", "none.ts: does not exist in index"),
        ("--- /dev/null\n+++ b/README.md\n@@ -0,0 +1 @@\n+x\n", "README.md: already exists in index"),
        ("--- a/../x\n+++ b/../x\n@@ -1 +1 @@\n-a\n+b\n", "../x: does not exist in index"),
        ("--- a/.git/config\n+++ b/.git/config\n@@ -0,0 +1 @@\n+b\n", "invalid path '.git/config'"),
        ("what?", 'No valid patches in input (allow with "--allow-empty")'),
        ("", 'No valid patches in input (allow with "--allow-empty")'),
        ("--- a/README.md\n+++ b/README.md\n@@ -1 +1 @@\n-\ud800\n+b\n", "the patch is not text"),
        ("x" * (MOST_PATCH_BYTES + 1), "the patch is too large"),
    ],
)  # fmt: skip
def test_a_patch_applies_or_git_says_why_not(shop: Shop, patch: str, reason: str | None) -> None:
    async def story() -> str | None:
        tree = await shop.open()
        before = files_under(shop.directory)
        said = await tree.apply_check(Sha(shop.pull.base_sha), patch)
        assert files_under(shop.directory) == before
        return said

    assert tell(story()) == reason


def files_under(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# --- ids --------------------------------------------------------------------------------------------------------------


def test_only_ids_are_taken_as_revisions(shop: Shop) -> None:
    async def story() -> None:
        tree = await shop.open()
        for rev in ("HEAD", "--output=x", "main", "a" * 41, ""):
            with pytest.raises(ValueError, match="not an object id"):
                await tree.diff(Sha(rev), Sha(shop.pull.head_sha))

    tell(story())


def test_a_commit_that_was_not_fetched_is_an_error_and_no_reason_to_fetch(shop: Shop) -> None:
    async def story() -> None:
        tree = await shop.open()
        shop.github.requests.clear()
        with pytest.raises(Permanent) as caught:
            await tree.diff(GONE, Sha(shop.pull.head_sha))
        assert caught.value.code is Code.GIT_FAILED
        assert str(shop.root) not in caught.value.what
        assert shop.fetches == 0

    tell(story())
