"""A real bare git repository on disk: commits made from plain values, and what git itself says about them.

Every verb is one or two runs of git's plumbing; nothing here knows about GitHub. Author and committer dates are
counted from a fixed moment, so the same verbs give the same commit ids on every machine.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from app.sandbox import hunks

FIRST_COMMIT_EPOCH_SECONDS = 1_714_554_000
SECONDS_BETWEEN_COMMITS = 60
GIT_TIMEOUT_SECONDS = 120
ZERO_SHA = "0" * 40
SHA = re.compile(r"[0-9a-f]{40}")

CONFIG = """\
[core]
\trepositoryformatversion = 0
\tfilemode = true
\tbare = true
\tquotepath = false
\tlooserefs = true
[uploadpack]
\tallowAnySHA1InWant = true
\tallowFilter = true
[http]
\treceivepack = false
[gc]
\tauto = 0
[fastimport]
\tunpackLimit = 1
"""


class GitRefused(RuntimeError):
    """Git ended with an error; the text is its own."""


@dataclass(frozen=True, slots=True)
class Symlink:
    """A file's new content: a symbolic link to `target`."""

    target: str


@dataclass(frozen=True, slots=True)
class Executable:
    """A file's new content, with the executable bit."""

    content: str | bytes


@dataclass(frozen=True, slots=True)
class Submodule:
    """A submodule pinned at a commit of another repository."""

    sha: str


@dataclass(frozen=True, slots=True)
class Move:
    """The content of another path, which is deleted: a rename that changes nothing else."""

    source: str


Content = str | bytes | Symlink | Executable | Submodule | Move | None
"""What a path holds after a commit; None deletes it."""

Files = Mapping[str, Content]


@dataclass(frozen=True, slots=True)
class Person:
    """Who wrote a commit."""

    name: str
    email: str


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit as `git log` tells it. Dates are ISO 8601 in UTC, ending in Z."""

    sha: str
    tree: str
    parents: tuple[str, ...]
    author: Person
    authored_at: str
    committer: Person
    committed_at: str
    message: str


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """One entry of the difference between two trees. Counts are None for a binary file."""

    path: str
    previous_path: str | None
    status: str
    old_mode: str
    new_mode: str
    old_sha: str
    new_sha: str
    additions: int | None
    deletions: int | None

    @property
    def binary(self) -> bool:
        """Whether git compares the contents as bytes rather than lines."""
        return self.additions is None

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path the entry touches."""
        return (self.previous_path, self.path) if self.previous_path else (self.path,)


@dataclass(slots=True)
class GitRepository:
    """A bare repository in `directory`.

    What git said of commits by their full ids is kept: it stays true, nothing is ever removed, and each question is a process.
    """

    directory: Path
    commits_made: int = 0
    _known: set[str] = field(default_factory=set)
    _commits: dict[str, Commit] = field(default_factory=dict)
    _counts: dict[tuple[str, str], int] = field(default_factory=dict)
    _merge_bases: dict[tuple[str, str], str | None] = field(default_factory=dict)
    _changes: dict[tuple[str, str], tuple[ChangedFile, ...]] = field(default_factory=dict)
    _patches: dict[tuple[str, str, str], str] = field(default_factory=dict)

    @classmethod
    def create(cls, directory: Path, *, default_branch: str, objects_of: GitRepository | None = None) -> GitRepository:
        """An empty bare repository, written by hand because `git init` costs a process. A fork shares the objects."""
        (directory / "refs" / "heads").mkdir(parents=True)
        if objects_of is None:
            (directory / "objects" / "pack").mkdir(parents=True)
        else:
            (directory / "objects").symlink_to(objects_of.directory / "objects")
        (directory / "config").write_text(CONFIG, encoding="utf-8")
        (directory / "HEAD").write_text(f"ref: refs/heads/{default_branch}\n", encoding="utf-8")
        return cls(directory)

    @classmethod
    def copy(cls, source: Path, directory: Path) -> GitRepository:
        """A bare copy of the repository that `source` is a checkout of. Every object comes along, no hook runs."""
        run_git("clone", "--quiet", "--bare", "--template=", str(source), str(directory))
        (directory / "config").write_text(CONFIG, encoding="utf-8")
        return cls(directory)

    def git(self, *arguments: str, stdin: bytes = b"", accept: tuple[int, ...] = (0,)) -> bytes:
        """What one run of git prints.

        Raises:
            GitRefused: it ended with a status that is not in `accept`.

        """
        return run_git(f"--git-dir={self.directory}", "--literal-pathspecs", *arguments, stdin=stdin, accept=accept)

    def commit(
        self,
        ref: str,
        *,
        parents: Sequence[str],
        files: Files,
        message: str,
        author: Person,
        keep: bool = True,
    ) -> str:
        """The id of a new commit that `ref` now points to. With `keep` false the tree starts empty."""
        when = FIRST_COMMIT_EPOCH_SECONDS + SECONDS_BETWEEN_COMMITS * self.commits_made
        self.commits_made += 1
        who = f"{author.name} <{author.email}> {when} +0000".encode()
        stream = [b"commit " + ref.encode(), b"mark :1", b"author " + who, b"committer " + who, _data(message.encode())]
        stream += [(b"from " if index == 0 else b"merge ") + parent.encode() for index, parent in enumerate(parents)]
        if not keep:
            stream.append(b"deleteall")
        for path, content in files.items():
            stream += _file_command(path, content)
        stream += [b"", b"get-mark :1", b""]
        sha = self.git("fast-import", "--quiet", "--force", "--depth=0", stdin=b"\n".join(stream)).decode().strip()
        self._known.add(sha)
        return sha

    def merge(self, ref: str, *, base: str, head: str, message: str, author: Person) -> str | None:
        """The id of a merge of `head` into `base` that `ref` now points to, None where they conflict."""
        tree = self.git("merge-tree", "--write-tree", base, head, accept=(0, 1)).decode().split("\n")
        if len(tree) > 2:  # Conflicts are listed after the tree.
            return None
        stream = self._commit_object(tree[0], parents=(base, head), message=message, author=author)
        sha = self.git("hash-object", "-t", "commit", "-w", "--stdin", stdin=stream).decode().strip()
        self.set_refs({ref: sha})
        return sha

    def _commit_object(self, tree: str, *, parents: Sequence[str], message: str, author: Person) -> bytes:
        when = FIRST_COMMIT_EPOCH_SECONDS + SECONDS_BETWEEN_COMMITS * self.commits_made
        who = f"{author.name} <{author.email}> {when} +0000"
        rows = [f"tree {tree}", *(f"parent {parent}" for parent in parents), f"author {who}", f"committer {who}"]
        return ("\n".join(rows) + f"\n\n{message}\n").encode()

    def set_refs(self, refs: Mapping[str, str | None]) -> None:
        """Points each ref at its commit, or deletes it where the value is None."""
        rows = [f"update {ref} {sha}\n" if sha else f"delete {ref}\n" for ref, sha in refs.items()]
        self.git("update-ref", "--stdin", stdin="".join(rows).encode())

    def resolve(self, revision: str) -> str | None:
        """The commit id that a branch, tag, ref or (short) id names, None if there is none."""
        if revision in self._known:
            return revision
        if revision.startswith("-") or not revision:
            return None
        for candidate in (revision, f"refs/heads/{revision}", f"refs/tags/{revision}"):
            found = self.git("rev-parse", "--verify", "--quiet", f"{candidate}^{{commit}}", accept=(0, 1, 128))
            if found.strip():
                sha = found.decode().strip()
                self._known.add(sha)
                return sha
        return None

    def ref(self, name: str) -> str | None:
        """The id that a full ref name points to."""
        found = self.git("rev-parse", "--verify", "--quiet", name, accept=(0, 1, 128)).decode().strip()
        return found or None

    def branches(self) -> dict[str, str]:
        """Every branch and the commit at its tip."""
        rows = self.git("for-each-ref", "--format=%(objectname) %(refname:lstrip=2)", "refs/heads").decode().split("\n")
        return {name: sha for sha, _, name in (row.partition(" ") for row in rows if row)}

    def merge_base(self, base: str, head: str) -> str | None:
        """The best common ancestor of two commits, None if their histories never meet."""
        key = (base, head)
        if key not in self._merge_bases:
            found = self.git("merge-base", base, head, accept=(0, 1)).decode().strip()
            self._merge_bases[key] = found or None
        return self._merge_bases[key]

    def count(self, excluded: str, included: str) -> int:
        """How many commits `included` has that `excluded` has not, both by their full ids."""
        key = (excluded, included)
        if key not in self._counts:
            self._counts[key] = int(self.git("rev-list", "--count", included, f"^{excluded}"))
        return self._counts[key]

    def log(self, *, included: str, excluded: str | None = None, limit: int) -> list[Commit]:
        """The commits of a range, oldest first, at most `limit`."""
        fields = "%H%n%T%n%P%n%an%n%ae%n%aI%n%cn%n%ce%n%cI%n%B"
        revisions = [included] if excluded is None else [included, f"^{excluded}"]
        data = self.git("log", "-z", "--reverse", "--topo-order", f"--format={fields}", *revisions, "--")
        records = [record for record in data.decode("utf-8", "replace").split("\0") if record.strip()]
        return [_commit(record) for record in records[:limit]]

    def commit_at(self, sha: str) -> Commit:
        """One commit, by its full id."""
        if sha not in self._commits:
            fields = "%H%n%T%n%P%n%an%n%ae%n%aI%n%cn%n%ce%n%cI%n%B"
            data = self.git("log", "-z", "-1", f"--format={fields}", sha, "--")
            self._commits[sha] = _commit(data.decode("utf-8", "replace").rstrip("\0"))
        return self._commits[sha]

    def changes(self, base: str, head: str) -> tuple[ChangedFile, ...]:
        """The files that differ between two commits, renames found, in git's order."""
        key = (base, head)
        if key not in self._changes:
            data = self.git("diff", *DIFF_FLAGS, "--raw", "--numstat", "-z", base, head)
            self._changes[key] = tuple(_changes(data))
        return self._changes[key]

    def patch(self, base: str, head: str, file: ChangedFile) -> str:
        """One file's patch from its first hunk header on; empty for a binary file and for a pure rename or mode change."""
        return self.patches(base, head, [file])[file.path]

    def patches(self, base: str, head: str, files: Sequence[ChangedFile]) -> dict[str, str]:
        """As `patch`, for several files in one run of git."""
        missing = [file for file in files if (base, head, file.path) not in self._patches and not file.binary]
        if missing:
            paths = dict.fromkeys(path for file in missing for path in file.paths)
            data = self.git("diff", *DIFF_FLAGS, "--raw", "-z", "--patch", "--unified=3", base, head, "--", *paths)
            for path, text in _patches(data):
                self._patches[base, head, path] = text
        return {file.path: self._patches.get((base, head, file.path), "") for file in files}

    def diff(self, base: str, head: str) -> bytes:
        """The whole difference as `git diff` prints it."""
        return self.git("diff", *DIFF_FLAGS, "--patch", "--unified=3", base, head)

    def blob(self, revision: str, path: str) -> bytes | None:
        """A file's bytes at a revision, None if there is no such file."""
        if self.entry(revision, path) is None:
            return None
        return self.git("cat-file", "blob", f"{revision}:{path}")

    def entry(self, revision: str, path: str) -> tuple[str, str, str] | None:
        """Mode, type and id of a path at a revision, None if there is no such path."""
        found = self.entries(revision, [path])
        return found.get(path)

    def entries(self, revision: str, paths: Iterable[str] = ()) -> dict[str, tuple[str, str, str]]:
        """Mode, type and id by path: of the paths given, else of the root folder."""
        data = self.git("ls-tree", "-z", "--full-tree", revision, *(["--", *paths] if paths else []))
        found: dict[str, tuple[str, str, str]] = {}
        for record in data.decode("utf-8", "replace").split("\0"):
            if record:
                facts, _, path = record.partition("\t")
                mode, kind, sha = facts.split(" ")
                found[path] = (mode, kind, sha)
        return found


DIFF_FLAGS = (
    "--no-color",
    "--no-ext-diff",
    "--no-textconv",
    "--find-renames",
    "--full-index",
    "--no-abbrev",
    "--src-prefix=a/",
    "--dst-prefix=b/",
)


def run_git(*arguments: str, stdin: bytes = b"", accept: tuple[int, ...] = (0,)) -> bytes:
    """What git prints, run apart from the machine's own configuration.

    Raises:
        GitRefused: it ended with a status that is not in `accept`, or took longer than `GIT_TIMEOUT_SECONDS`.

    """
    try:
        done = subprocess.run(
            ["git", *arguments],
            input=stdin,
            capture_output=True,
            env=git_environment(),
            check=False,
            timeout=GIT_TIMEOUT_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise GitRefused(f"git took longer than {GIT_TIMEOUT_SECONDS} s") from error
    if done.returncode not in accept:
        raise GitRefused(done.stderr.decode("utf-8", "replace").strip() or f"git ended with {done.returncode}")
    return done.stdout


def git_environment() -> dict[str, str]:
    """The environment git runs in: no configuration but the repository's own, no prompt, no locale."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": os.devnull,
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C.UTF-8",
    }


def _data(content: bytes) -> bytes:
    return b"data %d\n%s" % (len(content), content)


def _file_command(path: str, content: Content) -> list[bytes]:
    name = _quoted(path)
    match content:
        case None:
            return [b"D " + name]
        case Move(source):
            return [b"R " + _quoted(source) + b" " + name]
        case Submodule(sha):
            return [b"M 160000 " + sha.encode() + b" " + name]
        case Symlink(target):
            return [b"M 120000 inline " + name, _data(target.encode())]
        case Executable(inner):
            return [b"M 100755 inline " + name, _data(_encoded(inner))]
        case _:
            return [b"M 100644 inline " + name, _data(_encoded(content))]


def _encoded(content: str | bytes) -> bytes:
    return content.encode() if isinstance(content, str) else content


def _quoted(path: str) -> bytes:
    escaped = path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'.encode()


def _commit(record: str) -> Commit:
    rows = record.split("\n")
    sha, tree, parents, author, email, authored, committer, committer_email, committed = rows[:9]
    return Commit(
        sha=sha,
        tree=tree,
        parents=tuple(parents.split()),
        author=Person(author, email),
        authored_at=_utc(authored),
        committer=Person(committer, committer_email),
        committed_at=_utc(committed),
        message="\n".join(rows[9:]).rstrip("\n"),
    )


def _utc(moment: str) -> str:
    return datetime.fromisoformat(moment).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


STATUS_WORDS = {"A": "added", "D": "removed", "M": "modified", "R": "renamed", "C": "copied", "T": "changed"}


def _changes(data: bytes) -> Iterable[ChangedFile]:
    """Reads `--raw --numstat -z`: all raw records, then all counts, both in the same order."""
    fields = data.decode("utf-8", "surrogateescape").split("\0")
    raw: list[tuple[list[str], str | None, str]] = []
    index = 0
    while index < len(fields) and fields[index].startswith(":"):
        facts = fields[index][1:].split(" ")
        renamed = facts[4][0] in "RC"
        raw.append((facts, fields[index + 1] if renamed else None, fields[index + 2 if renamed else index + 1]))
        index += 3 if renamed else 2
    for facts, previous, path in raw:
        added, deleted, name = fields[index].split("\t", 2)
        index += 1 if name else 3
        old_mode, new_mode, old_sha, new_sha, status = facts
        word = STATUS_WORDS[status[0]]
        if word == "modified" and old_mode != new_mode and old_sha == new_sha:
            word = "changed"
        counts = (None, None) if added == "-" else (int(added), int(deleted))
        yield ChangedFile(path, previous, word, old_mode, new_mode, old_sha, new_sha, *counts)


def _patches(data: bytes) -> Iterable[tuple[str, str]]:
    """Reads `--raw -z --patch`: raw records name the paths, the patch sections follow in the same order."""
    at = data.find(b"\0diff --git ")
    head, body = (data, b"") if at < 0 else (data[:at], data[at + 1 :])
    fields = head.decode("utf-8", "surrogateescape").split("\0")
    parts = hunks.sections(body)
    index = 0
    while index < len(fields) and fields[index].startswith(":"):
        status = fields[index].split(" ")[4][0]
        path = fields[index + (2 if status in "RC" else 1)]
        index += 3 if status in "RC" else 2
        # A file that changed its type is printed as a deletion and an addition.
        texts = [_from_first_hunk(next(parts, b"")) for _ in range(2 if status == "T" else 1)]
        yield path, "\n".join(text for text in texts if text)


def _from_first_hunk(section: bytes) -> str:
    at = section.find(b"\n@@ -")
    return "" if at < 0 else section[at + 1 :].decode("utf-8", "replace").removesuffix("\n")
