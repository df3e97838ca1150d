"""The child process that parses and scans: requests on standard input, answers on a copy of standard output.

Syntax trees are built here and nowhere else, because the parser holds the interpreter's lock for as long as it works and
a hostile file might crash it. The process ends when its input does.
"""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import sys
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, BinaryIO

from app.analysis import parses, scan, symbols, wire
from app.analysis.probe import Probe

MOST_MEMORY_BYTES = 2 * 1024**3
GARBAGE_THRESHOLD = 100_000

_rule_sets: OrderedDict[str, tuple[Probe, ...]] = OrderedDict()


def main() -> None:
    """Serves until the input ends. Whatever a library prints goes to standard error, away from the answers."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY_BYTES, MOST_MEMORY_BYTES))
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Trees and what is taken from them hold no circles, so looking for some is a twentieth of a scan's time for nothing.
    gc.set_threshold(GARBAGE_THRESHOLD)
    serve(sys.stdin.buffer, answers)


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answers each request in order, until there are no more."""
    while True:
        head = requests.read(wire.LENGTH.size)
        if len(head) < wire.LENGTH.size:
            return
        (length,) = wire.LENGTH.unpack(head)
        body = requests.read(length)
        if len(body) < length:
            return
        answers.write(wire.encode(answer(body)))
        answers.flush()


def answer(body: bytes) -> dict[str, Any]:
    """The answer to one request: `{"ok": …}` or `{"error": sentence}`; a failure never ends the process."""
    try:
        request = wire.decode(body)
        return {"ok": _do(request)}
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # noqa: BLE001 - the matcher's panics derive from BaseException
        return {"error": f"{type(error).__name__}: {str(error)[:300]}"}


def _do(request: dict[str, Any]) -> object:
    return _DOES[request["do"]](request)


def _warm(request: dict[str, Any]) -> object:
    return parses.check("warm.ts", None, "const warm = 1;").verdict.value


def _rules(request: dict[str, Any]) -> object:
    return _keep(request["key"], tuple(wire.probe_in(one) for one in request["probes"]))


def _scan(request: dict[str, Any]) -> object:
    found = scan.scan(
        [wire.file_in(one) for one in request["files"]],
        _rule_sets[request["key"]],
        around=wire.around_in(request["around"]),
        all_there=request["all_there"],
    )
    return wire.result_out(found)


def _symbols(request: dict[str, Any]) -> object:
    return wire.symbols_out(symbols.enclosing(request["path"], request["text"], _spans(request)))


def _definitions(request: dict[str, Any]) -> object:
    found = [one for path, text in request["files"] for one in symbols.definitions(path, text, request["names"])]
    return wire.symbols_out(found)


def _outline(request: dict[str, Any]) -> object:
    return wire.symbols_out(symbols.outline(request["path"], request["text"]))


def _identifiers(request: dict[str, Any]) -> object:
    return symbols.identifiers(request["path"], request["text"], _spans(request))


def _parses(request: dict[str, Any]) -> object:
    checked = parses.check(request["path"], request["before"], request["after"])
    return {"verdict": checked.verdict.value, "reason": checked.reason}


_DOES: dict[str, Callable[[dict[str, Any]], object]] = {
    "warm": _warm,
    "rules": _rules,
    "scan": _scan,
    "symbols": _symbols,
    "definitions": _definitions,
    "outline": _outline,
    "identifiers": _identifiers,
    "parses": _parses,
}


def _keep(key: str, probes: tuple[Probe, ...]) -> int:
    _rule_sets[key] = probes
    while len(_rule_sets) > wire.RULE_SETS_KEPT:
        _rule_sets.popitem(last=False)
    return len(probes)


def _spans(request: dict[str, Any]) -> list[tuple[int, int]]:
    return [(first, last) for first, last in request["spans"]]


if __name__ == "__main__":
    main()
