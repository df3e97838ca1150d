"""The scanner: files and rules in, evidence, symbols and parse checks out, computed in worker processes.

Always in a worker, however small the input: the parser does not release the interpreter's lock, a crash of it must not
be ours, and a warm worker answers a typical change in a few milliseconds anyway.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import app
from app.analysis import wire
from app.analysis.probe import probes
from app.core.rule import Evidence, Rule
from app.core.source import ParseCheck, ScanNote, ScanResult, SourceFile, Span, Surroundings, Symbol, Verdict

SCAN_SECONDS = 30.0
FILE_SECONDS = 8.0
START_SECONDS = 30.0
STOP_SECONDS = 2.0
FILES_PER_REQUEST = 200
CHARACTERS_PER_REQUEST = 4_000_000


class WorkerLost(Exception):
    """The worker crashed, took longer than its limit and was ended, or could not do what it was asked."""

    def __init__(self, why: str, *, crashed: bool = False) -> None:
        super().__init__(why)
        self.crashed = crashed


class Scanner:
    """Scans files in up to `workers` child processes, started when first needed and again after a crash.

    A question about many files may take `scan_seconds`, one about a single file `file_seconds`.
    """

    def __init__(
        self, *, workers: int = 1, scan_seconds: float = SCAN_SECONDS, file_seconds: float = FILE_SECONDS
    ) -> None:
        self._scan_seconds = scan_seconds
        self._file_seconds = file_seconds
        self._workers = [_Worker() for _ in range(max(1, workers))]
        self._free = list(self._workers)
        self._last_told: _Told | None = None
        self._threads = ThreadPoolExecutor(len(self._workers), thread_name_prefix="scanner")

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def start(self) -> None:
        """Starts one worker, so that the first review does not wait for it. A failure shows with the first question."""
        with contextlib.suppress(WorkerLost):
            await self._ask({"do": "warm"}, seconds=START_SECONDS)

    async def close(self) -> None:
        """Ends the workers."""
        for worker in self._workers:
            worker.stop()
        await asyncio.to_thread(self._threads.shutdown)

    async def scan(
        self, files: Sequence[SourceFile], rules: Sequence[Rule], *, around: Surroundings | None = None
    ) -> ScanResult:
        """The evidence in these files, all those of a change. What could not be scanned is named in the notes; nothing is
        raised for it. `around` is what detectors that compare base and head know of the other paths.
        """
        told = self._told(rules)
        if not told.wanted or not files:
            return ScanResult()
        batches = _batches(files)
        asked = _Asked(told.key, told.wanted, wire.around_out(around or Surroundings()), all_there=len(batches) == 1)
        return _joined([await self._scan(batch, asked) for batch in batches])

    def _told(self, rules: Sequence[Rule]) -> _Told:
        """The rules as the worker is told them. One installation's are always the same, so the last ones are kept."""
        if self._last_told is None or self._last_told.rules != tuple(rules):
            wanted = [wire.probe_out(probe) for probe in probes(rules)]
            key = hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()
            self._last_told = _Told(tuple(rules), key, wanted)
        return self._last_told

    async def symbols(self, file: SourceFile, spans: Sequence[Span]) -> tuple[Symbol | None, ...]:
        """For each span of lines the innermost function, class or type around it; None where there is none or no parser."""
        found = await self._try({"do": "symbols", "path": file.path, "text": file.text, "spans": spans})
        return wire.symbols_in(found) if found is not None else tuple(None for _ in spans)

    async def definitions(self, files: Iterable[SourceFile], names: Sequence[str]) -> tuple[Symbol, ...]:
        """Where these names are defined in these files, with the definitions' text."""
        plain = [(file.path, file.text) for file in files]
        found = await self._try({"do": "definitions", "files": plain, "names": list(names)})
        return tuple(one for one in wire.symbols_in(found or []) if one is not None)

    async def outline(self, file: SourceFile) -> tuple[Symbol, ...]:
        """The named functions, classes, types and constants of a file, in order, without text."""
        found = await self._try({"do": "outline", "path": file.path, "text": file.text})
        return tuple(one for one in wire.symbols_in(found or []) if one is not None)

    async def identifiers(self, file: SourceFile, spans: Sequence[Span]) -> tuple[str, ...]:
        """The names used on these lines: called ones first, then types, then the others, most used first."""
        found = await self._try({"do": "identifiers", "path": file.path, "text": file.text, "spans": spans})
        return tuple(found or ())

    async def parse_errors(self, path: str, before: str | None, after: str) -> ParseCheck:
        """Whether a patched file parses no worse than before (None: it is new), worse, or cannot be checked here."""
        try:
            found = await self._ask(
                {"do": "parses", "path": path, "before": before, "after": after}, seconds=self._file_seconds
            )
        except WorkerLost as error:
            return ParseCheck(Verdict.UNCHECKED, f"the parser gave up: {error}")
        return wire.check_in(found)

    async def _scan(self, files: Sequence[SourceFile], asked: _Asked) -> ScanResult:
        """The result for one batch; when the worker is lost over it, file by file, so that one bad file costs only itself."""
        request = {
            "do": "scan",
            "key": asked.key,
            "files": [wire.file_out(file) for file in files],
            "around": asked.around,
            "all_there": asked.all_there,
        }
        try:
            seconds = self._scan_seconds if len(files) > 1 else self._file_seconds
            return wire.result_in(await self._ask(request, seconds=seconds, rules=(asked.key, asked.wanted)))
        except WorkerLost as error:
            if len(files) == 1:
                return ScanResult(notes=(ScanNote(files[0].path, f"not scanned: {error}"),))
            with contextlib.suppress(WorkerLost):
                await self._ask({"do": "warm"}, seconds=START_SECONDS)
                alone = replace(asked, all_there=False)
                return _joined([await self._scan([file], alone) for file in files])
            return ScanResult(notes=tuple(ScanNote(file.path, f"not scanned: {error}") for file in files))

    async def _try(self, request: dict[str, Any]) -> Any:
        try:
            return await self._ask(request, seconds=self._file_seconds)
        except WorkerLost:
            return None

    async def _ask(
        self, request: dict[str, Any], *, seconds: float, rules: tuple[str, list[dict[str, Any]]] | None = None
    ) -> Any:
        # In a thread, because a scanner serves whichever event loop asks; whoever is cancelled leaves the answer unread.
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._converse, request, seconds, rules)

    def _converse(self, request: dict[str, Any], seconds: float, rules: tuple[str, list[dict[str, Any]]] | None) -> Any:
        worker = self._free.pop()  # There are as many threads as workers, so one is free.
        try:
            return _told(worker, request, seconds, rules)
        except WorkerLost as error:
            if not error.crashed:
                raise
            # It may have died of something else long before this question, so the question gets a second process.
            return _told(worker, request, seconds, rules)
        finally:
            self._free.append(worker)


@dataclass(frozen=True, slots=True)
class _Told:
    """Rules, and what a worker is told of them: the detectors, and the key by which it remembers them."""

    rules: tuple[Rule, ...]
    key: str
    wanted: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is asked about every batch of files: the rules with their key, the paths around, whether one batch holds all."""

    key: str
    wanted: list[dict[str, Any]]
    around: dict[str, Any]
    all_there: bool


class _Worker:
    """One child process and the conversation with it: one question at a time. Its methods block."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._rule_sets: list[str] = []

    def knows(self, key: str) -> bool:
        """Whether the running process was told this set of rules and still keeps it."""
        return self._process is not None and self._process.poll() is None and key in self._rule_sets

    def remember(self, key: str) -> None:
        """Notes that the process was told a set of rules; it keeps as many as we remember."""
        self._rule_sets = [*self._rule_sets, key][-wire.RULE_SETS_KEPT :]

    def ask(self, request: dict[str, Any], *, seconds: float) -> Any:
        """The worker's answer. Raises `WorkerLost` after a crash, a failure or when the time is over."""
        late = threading.Event()

        def give_up(process: subprocess.Popen[bytes]) -> None:
            late.set()
            process.kill()

        try:
            process = self._running()
            timer = threading.Timer(seconds, give_up, [process])
            timer.daemon = True
            timer.start()
            try:
                answer = _exchange(process, wire.encode(request))
            finally:
                timer.cancel()
        except (OSError, ValueError, EOFError) as error:
            self.stop()
            if late.is_set():
                raise WorkerLost(f"it took longer than {seconds:g} seconds") from error
            raise WorkerLost("the parser's process ended", crashed=True) from error
        if "error" in answer:
            raise WorkerLost(str(answer["error"]))
        return answer["ok"]

    def stop(self) -> None:
        """Ends the process at once; it holds nothing worth saving."""
        process, self._process, self._rule_sets = self._process, None, []
        if process is None:
            return
        process.kill()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self.stop()
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "app.analysis.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env=_environment(),
                start_new_session=True,
            )
        return self._process


def _told(
    worker: _Worker, request: dict[str, Any], seconds: float, rules: tuple[str, list[dict[str, Any]]] | None
) -> Any:
    """The worker's answer, after it was told the rules where it does not know them yet."""
    if rules is not None and not worker.knows(rules[0]):
        worker.ask({"do": "rules", "key": rules[0], "probes": rules[1]}, seconds=START_SECONDS)
        worker.remember(rules[0])
    return worker.ask(request, seconds=seconds)


def _exchange(process: subprocess.Popen[bytes], frame: bytes) -> dict[str, Any]:
    requests, answers = process.stdin, process.stdout
    if requests is None or answers is None:
        raise ValueError("the worker has no pipes")
    requests.write(frame)
    requests.flush()
    (length,) = wire.LENGTH.unpack(_read(answers, wire.LENGTH.size))
    if length > wire.LONGEST_FRAME:
        raise ValueError("the answer is too long")
    return wire.decode(_read(answers, length))


def _read(pipe: IO[bytes], size: int) -> bytes:
    data = pipe.read(size)
    if len(data) < size:
        raise EOFError("the worker's answer ended early")
    return data


def _environment() -> dict[str, str]:
    """Nothing of ours but the path: no credentials, and no folder of a checkout on the import path."""
    environment = {"PATH": os.defpath, "LANG": "C.UTF-8", "PYTHONUTF8": "1", "PYTHONSAFEPATH": "1"}
    home = Path(app.__file__).resolve().parent.parent
    installed = {Path(sysconfig.get_path(name)).resolve() for name in ("purelib", "platlib")}
    if home not in installed:
        environment["PYTHONPATH"] = str(home)
    return environment


def _batches(files: Sequence[SourceFile]) -> list[list[SourceFile]]:
    batches: list[list[SourceFile]] = [[]]
    size = 0
    for file in files:
        if batches[-1] and (len(batches[-1]) >= FILES_PER_REQUEST or size + _length(file) > CHARACTERS_PER_REQUEST):
            batches.append([])
            size = 0
        batches[-1].append(file)
        size += _length(file)
    return batches


def _length(file: SourceFile) -> int:
    return len(file.text) + len(file.before or "")


def _joined(results: Sequence[ScanResult]) -> ScanResult:
    def together(parts: Iterable[tuple[Evidence, ...]]) -> tuple[Evidence, ...]:
        return tuple(one for part in parts for one in part)

    return ScanResult(
        together(result.new for result in results),
        together(result.existing for result in results),
        tuple(dict.fromkeys(note for result in results for note in result.notes)),
    )
