"""Rule `event-loop`: synchronous work while a request waits, and patterns that never end."""

from __future__ import annotations

import re

from app.analysis import calls, flow, where
from app.analysis.context import Candidate, Match, enclosing_function
from app.analysis.refine import refines
from app.analysis.refine.promises import is_async
from app.analysis.roles import Role

_MODULES = re.compile(
    r"^(?:fs|fs-extra|graceful-fs|child_process|zlib|crypto|bcrypt(?:js)?|argon2|better-sqlite3|sync-request)$"
)
_CHEAP = frozenset((
    "existsSync", "accessSync", "statSync", "randomBytesSync", "lstatSync", "renameSync", "unlinkSync", "mkdirSync", "chmodSync",
    "closeSync", "openSync", "realpathSync", "utimesSync",
))  # fmt: skip
"""Ask the file system for a name and move no contents."""
_SLOW_HASH = re.compile(r"^(?:hashSync|compareSync|genSaltSync|pbkdf2Sync|scryptSync)$")
_COSTLY = re.compile(
    r"^(?:execSync|spawnSync|execFileSync|pbkdf2Sync|scryptSync|hashSync|compareSync|gzipSync|gunzipSync|inflateSync|deflateSync|brotliCompressSync)$"
)
_ONCE = re.compile(r"cache|memo|once|singleton|lazy|\?\?=|\|\|=|if\s*\(\s*!\w+\s*\)", re.IGNORECASE)
_ATOM = r"(?:\\[wWdDsS]|\[(?:[^\]\\]|\\.){0,80}\]|\.|[A-Za-z0-9])"
_NESTED = re.compile(rf"\((?:\?:)?(?:{_ATOM}[*?]){{0,8}}{_ATOM}[+*](?:{_ATOM}[*?]){{0,8}}\)(?:[+*]|\{{\d+,\}})")


@refines("event-loop.in-handler", where=where.served)
def in_handler(candidate: Candidate) -> Match | None:
    """A synchronous call of fs, child_process, zlib or crypto in the function that answers a request."""
    name = _synchronous(candidate)
    if name is None or flow.handler_around(candidate.node) is None:
        return None
    if name in _CHEAP or _ONCE.search(flow.text_around(candidate.node)):
        return None
    return _told(candidate, name)


@refines("event-loop.slow-hash", where=where.served)
def slow_hash(candidate: Candidate) -> Match | None:
    """A password hash computed synchronously in an async function."""
    name, function = _synchronous(candidate), enclosing_function(candidate.node)
    if name is None or function is None or not _SLOW_HASH.match(name) or "seed" in candidate.file.path:
        return None
    if not is_async(function) and flow.handler_around(candidate.node) is None:
        return None
    return _told(candidate, name)


@refines("event-loop.in-async", where=where.only(Role.SERVER))
def in_async(candidate: Candidate) -> Match | None:
    """A synchronous call in an async function of served code."""
    name, function = _synchronous(candidate), enclosing_function(candidate.node)
    if name is None or function is None or name in _CHEAP:
        return None
    if not is_async(function) and not _COSTLY.match(name):
        return None
    return _told(candidate, name)


@refines("event-loop.nested-quantifier", where=where.served)
def nested_quantifier(candidate: Candidate) -> Match | None:
    """A regular expression with a repeated group that itself ends in a repetition, in served code."""
    pattern = candidate.node.text()
    if not _NESTED.search(pattern):
        return None
    return candidate.match(
        note="a repetition inside a repetition: on a text that nearly matches the time doubles with each letter"
    )


def _synchronous(candidate: Candidate) -> str | None:
    """The name of the synchronous function, when it is one of the costly modules'."""
    name = calls.callee(candidate.node)
    head, _, verb = name.rpartition(".")
    if not verb.endswith("Sync"):
        return None
    module = candidate.file.imports.get(head.split(".")[0] or verb, "")
    return verb if _MODULES.match(module) else None


def _told(candidate: Candidate, name: str) -> Match:
    whole = calls.callee(candidate.node)
    start = candidate.node.range().start.index
    return candidate.match(
        captures={"call": whole, "name": name, "async": name.removesuffix("Sync")},
        note=f"every other request waits while `{whole}` runs",
        why_no_patch="the call has to be awaited, and the functions up to the handler have to be async",
        focus=(start, min(candidate.node.range().end.index, start + 200)),
    )
