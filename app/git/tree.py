"""A git directory at fixed revisions → its diff, its files, its search. Nothing here fetches, checks out or writes."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.core.change import Sha
from app.core.select import Attributes
from app.git.run import MOST_OUTPUT_BYTES, Failed, Git, Ran

RENAME_LIMIT = 400
"""Files without a partner that are compared with each other to find renames: 160,000 comparisons take a few seconds."""

MAX_BLOB_BYTES = 4 * 1024 * 1024
MOST_READ_BYTES = 128 * 1024 * 1024
"""All blobs of one `read_many`; what comes after is left out."""

MOST_FILES = 100_000
MOST_PATHS_PER_COMMAND = 400
MOST_PATH_BYTES_PER_COMMAND = 64 * 1024
"""Well below what an operating system takes as arguments."""

MOST_WORDS = 40
MOST_GREP_BYTES = 32 * 1024 * 1024
LONGEST_HIT_CHARACTERS = 500
OPENING_BYTES = 2_000
MOST_MESSAGES = 50
MOST_PATCH_BYTES = 1024 * 1024

_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_VALUES = {b"set": True, b"true": True, b"unset": False, b"false": False}
_REGULAR = (b"100644", b"100755")


@dataclass(frozen=True, slots=True)
class GrepHit:
    """A line of the tree that holds the word: its path, its 1-based number, its text (cut if it is very long)."""

    path: str
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class _Entry:
    """What a tree says about a path."""

    mode: bytes
    sha: bytes
    size: int
    path: bytes


class Tree:
    """A repository whose objects are all here. `tip` is the default branch's commit, where it was fetched with the rest.

    Paths are as in `FileDiff` (bytes that are not UTF-8 as surrogates). Every method raises `Permanent` or `Transient`
    with a GIT_… code when git fails.
    """

    def __init__(
        self,
        git: Git,
        *,
        tip: Sha | None = None,
        pinned: Iterable[Sha] = (),
        heal: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._git = git
        self._pinned = frozenset(pinned)
        self._heal = heal
        self.tip = tip

    def __repr__(self) -> str:
        return f"Tree({', '.join(sorted(self._pinned))})"

    async def diff(self, base: Sha, head: Sha) -> bytes:
        """The diff between two commits or trees, as `diff.parse` reads it: renames found, three lines of context.

        Made by the plumbing command, so that no setting of a person or a repository changes its form.
        """
        ran = await self._read(
            (base, head),
            "diff-tree",
            "-r",
            "-p",
            "--no-commit-id",
            "--no-ext-diff",
            "--no-textconv",
            "--no-color",
            "--full-index",
            "--unified=3",
            "--inter-hunk-context=0",
            "--diff-algorithm=default",
            "--find-renames",
            f"-l{RENAME_LIMIT}",
            "--src-prefix=a/",
            "--dst-prefix=b/",
            "--submodule=short",
            "--ignore-submodules=none",
            "--no-relative",
            base,
            head,
            "--",
        )
        return ran.out

    async def holds(self, rev: Sha) -> bool:
        """Whether this commit or tree can be read here; those a mirror was opened for can."""
        if rev in self._pinned:
            return True
        return (await self._read((rev,), "cat-file", "-e", f"{rev}^{{tree}}", allowed=(0, 1, 128))).code == 0

    async def read(self, rev: Sha, path: str) -> bytes | None:
        """The content of a regular file; None if there is none, or if it is larger than `MAX_BLOB_BYTES`."""
        return (await self.read_many(rev, [path])).get(path)

    async def read_many(self, rev: Sha, paths: Iterable[str]) -> dict[str, bytes]:
        """The contents of the regular files among the paths, by path; what is absent or too large is not in it."""
        entries = await self._entries(rev, paths)
        return {_text(path): data for path, data in (await self._blobs(rev, entries)).items()}

    async def grep(self, rev: Sha, word: str, *, paths: Sequence[str] = (), limit: int) -> list[GrepHit]:
        """The lines that hold `word` as a whole word, in the tree's order, at most `limit`; binary files are passed over."""
        return (await self.grep_many(rev, [word], paths=paths, limit=limit)).get(word, [])

    async def grep_many(
        self, rev: Sha, words: Iterable[str], *, paths: Sequence[str] = (), limit: int
    ) -> dict[str, list[GrepHit]]:
        """The same for many words in one search of the tree: hits by word, at most `limit` each."""
        wanted = [word for word in dict.fromkeys(words) if _is_word(word)][:MOST_WORDS]
        within = [path for path in map(_bytes, paths) if path is not None]
        if not wanted or limit <= 0 or len(within) < len(paths):
            return {}
        hits = _Hits(rev, wanted, limit)
        patterns = [argument for word in wanted for argument in ("-e", word)]
        ran = await self._read(
            (rev,),
            "grep",
            "-n",
            "-z",
            "-I",
            "-F",
            "-w",
            "--full-name",
            "--no-color",
            "--no-column",
            "--no-textconv",
            "--no-recurse-submodules",
            "--threads=2",
            *patterns,
            rev,
            "--",
            *within,
            allowed=(0, 1),
            most_bytes=MOST_GREP_BYTES,
            enough=hits.take,
        )
        if not ran.cut:
            hits.take(b"\n")
        return hits.found

    async def history(self, rev: Sha, path: str, span: tuple[int, int], *, most: int) -> tuple[str, ...]:
        """The last commits up to `rev` that touched these lines (1-based, inclusive), newest first: day and subject.

        Empty where nothing is known: a shallow mirror has no history, and a tree is no commit.
        """
        where = f"-L{span[0]},{span[1]}:{path}"
        if "\n" in path or path.startswith("-"):
            return ()
        ran = await self._read(
            (rev,), "log", "-s", f"-n{most}", "--format=%ad %s", "--date=short", where, rev, allowed=(0, 128)
        )
        return tuple(line for line in ran.out.decode("utf-8", "replace").split("\n") if line) if ran.code == 0 else ()

    async def present(self, rev: Sha, paths: Iterable[str]) -> frozenset[str]:
        """Those of the paths at which the tree has a regular file; nothing of them is read."""
        return frozenset(_text(path) for path in await self._entries(rev, paths))

    async def files(self, rev: Sha, *, folder: str = "") -> list[str]:
        """The paths of all files of the tree, or of a folder (with a slash at its end) of it, at most `MOST_FILES`."""
        within = _bytes(folder) if folder else None
        where = ("--", within) if within else ()
        ran = await self._read((rev,), "ls-tree", "-r", "-z", "--name-only", "--full-tree", rev, *where)
        return [_text(path) for path in ran.out.split(b"\0")[:-1][:MOST_FILES]]

    async def attributes(self, rev: Sha, paths: Iterable[str], *, trusted: Sha | None = None) -> dict[str, Attributes]:
        """What is known of the files at `rev` for `select`: how they open, and what `.gitattributes` says of them.

        The declarations are read at `trusted` if it is given: a change must not declare itself generated.
        """
        wanted = [path for path in map(_bytes, paths) if path is not None]
        entries = await self._entries(rev, map(_text, wanted))
        openings = await self._blobs(rev, entries, most_each=OPENING_BYTES)
        declared = await self._declared(trusted or rev, wanted)
        return {
            _text(path): Attributes(
                generated=declared.get((path, b"linguist-generated")),
                vendored=declared.get((path, b"linguist-vendored")),
                opening=openings.get(path, b"").decode("utf-8", "replace"),
            )
            for path in wanted
        }

    async def apply_check(self, rev: Sha, diff: str) -> str | None:
        """None if git would apply the patch to the tree, else git's reason in one line. Only a scratch index is touched."""
        patch = _bytes(diff, is_path=False)
        if patch is None:
            return "the patch is not text"
        if len(patch) > MOST_PATCH_BYTES:
            return "the patch is too large"
        named = await self._git.run("apply", "--numstat", "-z", "--recount", "-", stdin=patch, allowed=(0, 1, 128))
        if named.code:
            return named.reason
        paths = [record.split(b"\t", 2)[-1] for record in named.out.split(b"\0") if record]
        entries = await self._entries(rev, map(_text, paths))
        with tempfile.TemporaryDirectory(prefix="principal-") as folder:
            scratch = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
            await self._fill(scratch, entries.values())
            checked = await self._git.run(
                "apply", "--cached", "--check", "--recount", "--whitespace=nowarn", "-",
                stdin=patch, variables=scratch, allowed=(0, 1, 128),
            )  # fmt: skip
        return checked.reason if checked.code else None

    async def merge_base(self, one: Sha, other: Sha) -> Sha | None:
        """The best common ancestor of two commits; None if there is none here (unrelated, or the history is cut off)."""
        ran = await self._read((one, other), "merge-base", one, other, allowed=(0, 1))
        return Sha(ran.out.decode().strip()) if ran.code == 0 else None

    async def messages(self, base: Sha, head: Sha) -> list[str]:
        """The messages of the commits that head has and base has not, oldest first, at most the `MOST_MESSAGES` newest."""
        ran = await self._read(
            (base, head),
            "log",
            "-z",
            "--format=%B",
            "--no-show-signature",
            "--no-color",
            "--no-notes",
            f"--max-count={MOST_MESSAGES}",
            f"{base}..{head}",
            "--",
        )
        return [message.strip() for message in reversed(_text_of(ran.out).split("\0")) if message.strip()]

    # What the methods share

    async def _read(
        self,
        revisions: Sequence[Sha],
        *arguments: str | bytes,
        stdin: bytes = b"",
        allowed: Sequence[int] = (0,),
        most_bytes: int = MOST_OUTPUT_BYTES,
        enough: Callable[[bytes], bool] | None = None,
    ) -> Ran:
        """Runs a command about fixed revisions. If a mirror turns out to be damaged it is healed, once, and asked again."""
        for rev in revisions:
            if not _SHA.fullmatch(rev):
                raise ValueError(f"not an object id: {rev!r}")

        async def ask() -> Ran:
            return await self._git.run(*arguments, stdin=stdin, allowed=allowed, most_bytes=most_bytes, enough=enough)

        try:
            return await ask()
        except Failed:
            if self._heal is None or not self._pinned.issuperset(revisions):
                raise
        heal, self._heal = self._heal, None
        await heal()
        return await ask()

    async def _entries(self, rev: Sha, paths: Iterable[str]) -> dict[bytes, _Entry]:
        """The tree's regular files among the paths."""
        found: dict[bytes, _Entry] = {}
        wanted = dict.fromkeys(path for path in map(_bytes, paths) if path is not None)
        for some in _in_portions(wanted):
            ran = await self._read((rev,), "ls-tree", "-z", "-l", "--full-tree", rev, "--", *some)
            for record in ran.out.split(b"\0")[:-1]:
                described, _, path = record.partition(b"\t")
                mode, _, sha, size = described.split()
                if mode in _REGULAR and path in wanted:
                    found[path] = _Entry(mode, sha, int(size), path)
        return found

    async def _blobs(
        self, rev: Sha, entries: Mapping[bytes, _Entry], *, most_each: int = MAX_BLOB_BYTES
    ) -> dict[bytes, bytes]:
        """The contents of the entries, the first `most_each` bytes of each, by one command."""
        chosen: list[_Entry] = []
        total = 0
        for entry in entries.values():
            if entry.size <= MAX_BLOB_BYTES and total + entry.size <= MOST_READ_BYTES:
                chosen.append(entry)
                total += entry.size
        if not chosen:
            return {}
        ids = dict.fromkeys(entry.sha for entry in chosen)
        ran = await self._read(
            (rev,),
            "cat-file",
            "--batch",
            stdin=b"".join(sha + b"\n" for sha in ids),
            most_bytes=MOST_READ_BYTES + 200 * len(ids),
        )
        contents = _contents(ran.out, most_each)
        return {entry.path: contents[entry.sha] for entry in chosen if entry.sha in contents}

    async def _declared(self, rev: Sha, paths: Sequence[bytes]) -> dict[tuple[bytes, bytes], bool]:
        """What `.gitattributes` files at `rev` declare, by path and attribute."""
        folders = {folder for path in paths for folder in _folders(path)}
        entries = await self._entries(rev, [_text(folder + b".gitattributes") for folder in sorted(folders)])
        if not entries:
            return {}
        with tempfile.TemporaryDirectory(prefix="principal-") as folder:
            scratch = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
            await self._fill(scratch, entries.values())
            ran = await self._git.run(
                "check-attr", "--cached", "--stdin", "-z", "linguist-generated", "linguist-vendored",
                stdin=b"".join(path + b"\0" for path in paths), variables=scratch,
            )  # fmt: skip
        fields = ran.out.split(b"\0")
        declared = zip(fields[0::3], fields[1::3], fields[2::3], strict=False)
        return {(path, name): _VALUES[value] for path, name, value in declared if value in _VALUES}

    async def _fill(self, scratch: Mapping[str, str], entries: Iterable[_Entry]) -> None:
        """Makes a scratch index of the entries."""
        rows = b"".join(b"%s %s\t%s\0" % (entry.mode, entry.sha, entry.path) for entry in entries)
        await self._git.run("update-index", "-z", "--index-info", stdin=rows, variables=scratch)


class _Hits:
    """Reads what `git grep -z -n` prints, piece by piece, until every word has its fill."""

    def __init__(self, rev: Sha, words: Sequence[str], limit: int) -> None:
        self._prefix = f"{rev}:".encode()
        self._limit = limit
        self._patterns = {word: re.compile(rf"(?<!\w){re.escape(word)}(?!\w)", re.ASCII) for word in words}
        self._rest = b""
        self.found: dict[str, list[GrepHit]] = {}

    def take(self, piece: bytes) -> bool:
        """Reads on; True when nothing more is wanted."""
        *rows, self._rest = (self._rest + piece).split(b"\n")
        for row in rows:
            path, _, tail = row.removeprefix(self._prefix).partition(b"\0")
            number, _, text = tail.partition(b"\0")
            if number.isdigit():
                self._add(_text(path), int(number), _text_of(text))
        return not self._patterns

    def _add(self, path: str, line: int, text: str) -> None:
        for word, pattern in list(self._patterns.items()):
            if pattern.search(text):
                hits = self.found.setdefault(word, [])
                hits.append(GrepHit(path, line, text.removesuffix("\r")[:LONGEST_HIT_CHARACTERS]))
                if len(hits) >= self._limit:
                    del self._patterns[word]


def _contents(out: bytes, most_each: int) -> dict[bytes, bytes]:
    """What `cat-file --batch` printed, by object id."""
    found: dict[bytes, bytes] = {}
    position = 0
    while position < len(out):
        end = out.index(b"\n", position)
        header = out[position:end].split()
        position = end + 1
        if len(header) == 3 and header[1] == b"blob":
            size = int(header[2])
            found[header[0]] = out[position : position + min(size, most_each)]
            position += size + 1
    return found


def _in_portions(paths: Iterable[bytes]) -> list[list[bytes]]:
    """The paths in lists that fit into one command each."""
    portions: list[list[bytes]] = []
    size = MOST_PATH_BYTES_PER_COMMAND
    for path in paths:
        size += len(path) + 1
        if size > MOST_PATH_BYTES_PER_COMMAND or len(portions[-1]) >= MOST_PATHS_PER_COMMAND:
            portions.append([])
            size = len(path) + 1
        portions[-1].append(path)
    return portions


def _folders(path: bytes) -> Iterable[bytes]:
    """The folders above a path, each with its slash; the first is the root."""
    parts = path.split(b"/")
    return (b"".join(part + b"/" for part in parts[:depth]) for depth in range(len(parts)))


def _is_word(word: str) -> bool:
    return bool(word.strip()) and "\n" not in word and _bytes(word, is_path=False) is not None


def _bytes(text: str, *, is_path: bool = True) -> bytes | None:
    """The text as an argument for git; None if it can be none: a NUL, half a surrogate pair, a path out of the tree."""
    try:
        data = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return None
    if b"\0" in data or (is_path and not {b"", b".", b".."}.isdisjoint(data.split(b"/"))):
        return None
    return data


def _text(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")


def _text_of(data: bytes) -> str:
    return data.decode("utf-8", "replace")
