"""A git command → what it printed, or an error of ours; the only place where a process of git is started.

Nothing of the surroundings reaches git except what `environment` lets through, and nothing that a repository's own
configuration names (hooks, monitors, pagers, external diffs, credential helpers, filters) is run.
https://git-scm.com/docs/git#_environment_variables and https://git-scm.com/docs/git-config
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from weakref import WeakKeyDictionary

from app.errors import Code, Permanent, PrincipalError, Transient

PROCESSES = 8
"""Git processes at the same time."""

TIMEOUT_SECONDS = 60.0
FETCH_TIMEOUT_SECONDS = 120.0
MOST_OUTPUT_BYTES = 128 * 1024 * 1024
MOST_ERROR_BYTES = 64 * 1024
CHUNK_BYTES = 256 * 1024
END_SECONDS = 2.0
"""How long a process that was told to end may tidy up before it is killed."""

MOST_REASON_CHARACTERS = 200

LOCAL = "none"
"""The value of GIT_ALLOW_PROTOCOL with which no command reaches a network, not even for a missing object."""

_CONFIG = (
    ("core.hooksPath", os.devnull),
    ("core.fsmonitor", "false"),
    ("core.quotepath", "off"),
    ("core.attributesFile", os.devnull),
    ("core.untrackedCache", "false"),
    ("core.splitIndex", "false"),
    ("core.commitGraph", "false"),
    # A text of many megabytes is not read by anybody; git then says "binary" and takes little memory.
    ("core.bigFileThreshold", "8m"),
    # In a bare repository newer versions of git read attributes from HEAD unless this names something that is not there.
    ("attr.tree", "refs/principal/none"),
    ("credential.helper", ""),
    ("credential.interactive", "false"),
    ("log.showSignature", "false"),
    ("i18n.logOutputEncoding", "UTF-8"),
    ("apply.ignoreWhitespace", "no"),
    ("submodule.recurse", "false"),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("safe.directory", "*"),
    ("http.followRedirects", "false"),
    ("protocol.version", "2"),
    # Small fetches as packs too: a pack appears whole or not at all, loose objects may be left half written by a crash.
    ("fetch.unpackLimit", "1"),
    ("transfer.unpackLimit", "1"),
    ("transfer.credentialsInUrl", "die"),
)

_PASSED = ("PATH", "TMPDIR", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended and what it printed. `cut` says that reading stopped early because enough was read."""

    code: int
    out: bytes
    error: str
    cut: bool = False

    @property
    def reason(self) -> str:
        """The first line of what git complained, fit to be shown: no path of this machine, no credential."""
        lines = [line for line in self.error.split("\n") if line.startswith(("fatal: ", "error: "))]
        return sanitised(lines[0].partition(": ")[2] if lines else self.error.strip().split("\n")[0])


@dataclass(frozen=True, slots=True)
class Git:
    """How commands for one repository are run.

    `directory` is the git directory, None to let git find it from `cwd`. Without `work_tree` git may look for one.
    `variables` are added to each command's environment; `config` to its configuration.
    """

    cwd: Path
    directory: Path | None = None
    work_tree: Path | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    config: tuple[tuple[str, str], ...] = ()

    async def run(
        self,
        *arguments: str | bytes,
        stdin: bytes = b"",
        variables: Mapping[str, str] | None = None,
        config: Sequence[tuple[str, str]] = (),
        allowed: Sequence[int] = (0,),
        most_bytes: int = MOST_OUTPUT_BYTES,
        timeout_seconds: float = TIMEOUT_SECONDS,
        enough: Callable[[bytes], bool] | None = None,
        as_person: bool = False,
    ) -> Ran:
        """What the command printed.

        `enough` sees each piece of the output and ends the command by saying True. `as_person` lets git see the person's
        own configuration, which is for reading a setting and for nothing else. Raises `Permanent` or `Transient`
        with GIT_FAILED for an exit code that is not `allowed` or for too much output, `Transient` with GIT_TIMEOUT.
        """
        made = self._environment(variables or {}, config)
        if as_person:
            made = _as_person(made)
        command = _Command(arguments, made, self.cwd, stdin, most_bytes, timeout_seconds, enough)
        ran = await _run(command)
        if ran.code in allowed or ran.cut:
            return ran
        raise _failure(command, ran)

    def _environment(self, variables: Mapping[str, str], config: Sequence[tuple[str, str]]) -> dict[str, str]:
        made = environment((*_CONFIG, *self.config, *config))
        if self.directory is not None:
            made["GIT_DIR"] = str(self.directory)
        if self.work_tree is not None:
            made["GIT_WORK_TREE"] = str(self.work_tree)
        return {**made, **self.variables, **variables}


class Failed(Permanent):
    """Git ended with an error that is none of the network's; `ran` is for the caller that can tell more."""

    def __init__(self, what: str, ran: Ran) -> None:
        super().__init__(Code.GIT_FAILED, what)
        self.ran = ran


def environment(config: Sequence[tuple[str, str]]) -> dict[str, str]:
    """The environment of a git command, made from nothing: search path, proxies, certificates, and our configuration."""
    passed = {name: os.environ[name] for name in _PASSED if os.environ.get(name)}
    for name in _PROXIES:
        passed.update({key: os.environ[key] for key in (name, name.upper()) if os.environ.get(key)})
    authority = os.environ.get("SSL_CERT_FILE") or os.environ.get("REQUESTS_CA_BUNDLE")
    if authority and "GIT_SSL_CAINFO" not in passed:
        passed["GIT_SSL_CAINFO"] = authority
    if "SSL_CERT_DIR" in passed:
        passed.setdefault("GIT_SSL_CAPATH", passed["SSL_CERT_DIR"])
    made = {
        **passed,
        "HOME": "/nonexistent",
        "XDG_CONFIG_HOME": "/nonexistent",
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_ALLOW_PROTOCOL": LOCAL,
        "GIT_CONFIG_COUNT": str(len(config)),
    }
    for number, (key, value) in enumerate(config):
        made[f"GIT_CONFIG_KEY_{number}"] = key
        made[f"GIT_CONFIG_VALUE_{number}"] = value
    return made


def _as_person(made: Mapping[str, str]) -> dict[str, str]:
    """The environment with the person's home, so that git finds the person's own configuration."""
    hidden = ("HOME", "XDG_CONFIG_HOME", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM")
    own = {name: os.environ[name] for name in hidden if name in os.environ}
    return {**{name: value for name, value in made.items() if name not in hidden}, **own}


def sanitised(text: str) -> str:
    """A complaint of git's without addresses, paths of this machine, or credentials; one short line."""
    text = re.sub(r"\s+", " ", text[:MOST_ERROR_BYTES])
    text = re.sub(r"\bhttps?://[^\s']{1,2000}", "…", text)
    text = re.sub(r"(?i)\b(authorization|basic|bearer|token)\b[:=]? ?\S{8,}", r"\1 …", text)
    text = re.sub(r"(?<![\w/:.])/[\w.\-]+(?:/[\w.\-]+)+/?", "…", text)
    return text.strip()[:MOST_REASON_CHARACTERS]


# --- the process ------------------------------------------------------------------------------------------------------

_slots: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


def _slot() -> asyncio.Semaphore:
    """The bound on processes. One for each event loop, because a semaphore belongs to one; a service has one loop."""
    return _slots.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(PROCESSES))


@dataclass(frozen=True, slots=True)
class _Command:
    arguments: Sequence[str | bytes]
    environment: Mapping[str, str] = field(repr=False)
    cwd: Path
    stdin: bytes = field(repr=False)
    most_bytes: int
    timeout_seconds: float
    enough: Callable[[bytes], bool] | None

    @property
    def verb(self) -> str:
        first = self.arguments[0]
        return first if isinstance(first, str) else first.decode()


async def _run(command: _Command) -> Ran:
    async with _slot(), _process(command) as process:
        try:
            async with asyncio.timeout(command.timeout_seconds):
                return await _talk(process, command)
        except TimeoutError as error:
            raise Transient(
                Code.GIT_TIMEOUT, f"git {command.verb} took longer than {command.timeout_seconds:g} seconds"
            ) from error


@contextlib.asynccontextmanager
async def _process(command: _Command) -> AsyncIterator[asyncio.subprocess.Process]:
    """A running git in a process group of its own, which is gone when the block ends, helpers included."""
    process = await _start(command)
    try:
        yield process
    finally:
        await _end(process)


async def _start(command: _Command) -> asyncio.subprocess.Process:
    """The started process. Whoever is cancelled while it starts still ends it: its helpers would outlive it."""
    starting = asyncio.ensure_future(
        asyncio.create_subprocess_exec(
            "git",
            "--no-pager",
            *command.arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=command.environment,
            cwd=command.cwd,
            start_new_session=True,
        )
    )
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        with contextlib.suppress(OSError):
            await _end(await starting)
        raise
    except FileNotFoundError as error:
        raise Permanent(Code.GIT_FAILED, "git is not installed, or its folder is gone") from error
    except OSError as error:
        raise Permanent(Code.GIT_FAILED, f"git could not be started: {error.strerror}") from error


async def _end(process: asyncio.subprocess.Process) -> None:
    """Ends the group: asked first, so that git can remove its locks and half files, then killed."""
    over = False
    if process.returncode is None:
        _signal(process, signal.SIGTERM)
    try:
        async with asyncio.timeout(END_SECONDS):
            await _gone(process)
            over = True
    except TimeoutError:
        pass
    finally:
        if not over:  # Git may be gone and a helper of its still there, which holds the pipes.
            _signal(process, signal.SIGKILL)
    if not over:
        await _gone(process)


async def _gone(process: asyncio.subprocess.Process) -> None:
    """Waits for the end. What is still in the pipes is read and dropped: an end is only seen behind it."""
    for pipe in (process.stdout, process.stderr):
        while pipe is not None and await pipe.read(CHUNK_BYTES):
            pass
    await process.wait()


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


async def _talk(process: asyncio.subprocess.Process, command: _Command) -> Ran:
    assert process.stdin is not None  # noqa: S101 - all three were asked for as pipes.
    assert process.stdout is not None  # noqa: S101
    assert process.stderr is not None  # noqa: S101
    feeding = asyncio.create_task(_feed(process.stdin, command.stdin))
    complaining = asyncio.create_task(_read_error(process.stderr))
    try:
        out, cut = await _read(process.stdout, command)
        if cut:
            return Ran(0, out, "", cut=True)
        error = await complaining
        return Ran(await process.wait(), out, error)
    finally:
        feeding.cancel()
        complaining.cancel()
        await asyncio.gather(feeding, complaining, return_exceptions=True)


async def _feed(pipe: asyncio.StreamWriter, data: bytes) -> None:
    # Git may answer and end before it has read everything.
    with contextlib.suppress(ConnectionError):
        pipe.write(data)
        await pipe.drain()
    with contextlib.suppress(ConnectionError):
        pipe.close()
        await pipe.wait_closed()


async def _read(pipe: asyncio.StreamReader, command: _Command) -> tuple[bytes, bool]:
    pieces: list[bytes] = []
    size = 0
    while piece := await pipe.read(CHUNK_BYTES):
        size += len(piece)
        if size > command.most_bytes:
            raise Permanent(
                Code.GIT_FAILED, f"git {command.verb} gave more than {command.most_bytes // 1024 // 1024} MiB"
            )
        if command.enough is not None and command.enough(piece):
            return b"".join(pieces), True
        pieces.append(piece)
    return b"".join(pieces), False


async def _read_error(pipe: asyncio.StreamReader) -> str:
    """What git complains, the first of it; the rest is read and dropped, so that git never waits for us."""
    kept = b""
    while piece := await pipe.read(CHUNK_BYTES):
        kept += piece[: MOST_ERROR_BYTES - len(kept)]
    return kept.decode("utf-8", "replace")


# --- its errors → ours ------------------------------------------------------------------------------------------------

_NOT_THERE = re.compile(r"not our ref|unadvertised object|couldn't find remote ref")
_BUSY = re.compile(r"returned error: 429|rate limit", re.IGNORECASE)
_UNREACHABLE = re.compile(
    r"could not resolve|failed to connect|couldn't connect|connection (?:refused|reset|timed out|was)|timed? ?out"
    r"|returned error: 5\d\d|early eof|rpc failed|hung up|disconnect|empty reply|transfer closed|gnutls|ssl_|\btls\b"
    r"|http/2 stream|unable to access|unexpected (?:end|response)",
    re.IGNORECASE,
)
_REFUSED = re.compile(
    r"authentication failed|could not read username|returned error: 40[13]|access denied", re.IGNORECASE
)
_GONE = re.compile(r"repository .{0,300}not found|returned error: 404|not found\.?$", re.IGNORECASE | re.MULTILINE)
_MOVED = re.compile(r"returned error: 30\d|redirect", re.IGNORECASE)
_FULL = re.compile(r"no space left|disk quota", re.IGNORECASE)


def _failure(command: _Command, ran: Ran) -> PrincipalError:
    """The error that tells whether trying again can help."""
    on_network = command.verb == "fetch" and not _NOT_THERE.search(ran.error)
    known = _network_failure(ran) if on_network else None
    if known is not None:
        return known
    if _FULL.search(ran.error):
        return Permanent(Code.GIT_FAILED, "the disk of the data folder is full")
    return Failed(f"git {command.verb} failed: {ran.reason}", ran)


def _network_failure(ran: Ran) -> PrincipalError | None:
    error = ran.error
    if _BUSY.search(error):
        return Transient(Code.GIT_FAILED, "the git server asked to slow down", retry_after_seconds=60)
    if _REFUSED.search(error):
        return Permanent(Code.GIT_FAILED, "the git server did not let the bot read the repository")
    if _GONE.search(error):
        return Permanent(Code.GITHUB_GONE, "the git server does not know the repository")
    if _MOVED.search(error):
        return Permanent(Code.GITHUB_REDIRECT_BLOCKED, "the git server pointed to another address")
    if _UNREACHABLE.search(error):
        return Transient(Code.GIT_FAILED, f"the git server could not be reached: {ran.reason}")
    return None
