"""Rule `streams`: payloads held whole in memory, and pipes whose errors nobody hears."""

from __future__ import annotations

import re

from app.analysis import calls, flow, where
from app.analysis.context import Candidate, Match, enclosing_function
from app.analysis.refine import refines

_UPLOADS = {
    "multer": "multer",
    "busboy": "busboy",
    "express-fileupload": "express-fileupload",
    "@koa/multer": "multer",
    "koa-multer": "multer",
}
_LOOKED_BEFORE = re.compile(r"\b(?:existsSync|pathExists|access(?:Sync)?|l?stat(?:Sync)?)\(")
_HAS_LIMIT = re.compile(r"length|size|limit|max|bytes|destroy\(|413", re.IGNORECASE)


@refines("streams.pipe-without-error", where=where.served)
def pipe_without_error(candidate: Candidate) -> Match | None:
    """`fs.createReadStream(path).pipe(…)`: an error of the file is an event that nobody listens for."""
    function = candidate.node.field("function")
    source = function.field("object") if function is not None else None
    if source is None or source.kind() != "call_expression":
        return None
    name = calls.callee(source)
    head = name.partition(".")[0]
    if not name.endswith("createReadStream") or candidate.file.imports.get(head) not in (
        "fs",
        "fs-extra",
        "graceful-fs",
    ):
        return None
    given, target = calls.arguments(source), calls.arguments(candidate.node)
    if not given or given[0].kind() == "string" or len(target) != 1:
        return None
    if _LOOKED_BEFORE.search(flow.text_around(candidate.node)):
        # The file was there a moment ago, so only what happens in between is left.
        return None
    return candidate.match(
        captures={"path": given[0].text(), "target": target[0].text(), "call": name},
        note="when the file cannot be read the stream emits `error`, and nobody listens",
        why_no_patch="how a file that cannot be read is answered is this service's decision",
    )


_STORES = frozenset(("diskStorage", "memoryStorage"))
"""Say where multer puts files; how large they may be is said to multer itself."""


@refines("streams.upload-without-limit", where=where.served)
def upload_without_limit(candidate: Candidate) -> Match | None:
    """An upload parser built without a limit on the size of a file."""
    constructor = candidate.node.field("constructor")
    name = calls.callee(candidate.node) or (constructor.text() if constructor is not None else "")
    module = _UPLOADS.get(candidate.file.imports.get(name, ""))
    given = calls.arguments(candidate.node)
    if module is None or len(given) > 1 or name in _STORES:
        return None
    if module == "multer" and (_takes_no_files(candidate.file.text) or _is_made_again(candidate)):
        return None
    if given:
        seen = calls.keys(given[0])
        if seen is None or "limits" in seen:
            return None
    return candidate.match(
        captures={"parser": module},
        note=f"{module} takes files of any size",
        replacement=calls.with_option(
            candidate.node, position=0, option="limits: { fileSize: 10 * 1024 * 1024, files: 1 }"
        ),
    )


def _is_made_again(candidate: Candidate) -> bool:
    """Whether a parser with a limit takes this one's name further down."""
    held = candidate.node.parent()
    name = held.field("name") if held is not None and held.kind() == "variable_declarator" else None
    again = rf"\b{re.escape(name.text())}\s*=\s*multer\(\{{[^}}]{{0,200}}\blimits\b" if name is not None else ""
    return bool(again) and re.search(again, candidate.file.text) is not None


def _takes_no_files(text: str) -> bool:
    """Whether the file uses multer for the fields of a form alone; then a file in a request is refused."""
    return ".none()" in text and re.search(r"\.(?:single|array|fields|any)\(", text) is None


@refines("streams.memory-storage", where=where.served)
def memory_storage(candidate: Candidate) -> Match | None:
    """Uploads that are kept in memory."""
    if candidate.file.imports.get(calls.callee(candidate.node).split(".")[0]) != "multer":
        return None
    return candidate.match(note="each upload is held in memory until its request ends")


@refines("streams.body-by-hand", where=where.served)
def body_by_hand(candidate: Candidate) -> Match | None:
    """A request's body collected chunk by chunk with no limit on how much."""
    given, function = calls.arguments(candidate.node), enclosing_function(candidate.node)
    if len(given) != 2 or calls.literal_text(given[0]) != "data" or function is None:
        return None
    held = re.match(r"(req|request|ctx\.req|im|incoming)\.(?:on|addListener)$", calls.callee(candidate.node))
    if held is None or not flow.is_parameter(held[1].split(".")[0], candidate.node):
        return None
    if not re.search(r"\+=|\.push\(|concat\(", given[1].text()) or _HAS_LIMIT.search(function.text()):
        return None
    return candidate.match(
        captures={"request": held[1]},
        note=f"the body of `{held[1]}` is collected however long it is",
        why_no_patch="how large a body may be is this service's decision",
    )


@refines("streams.whole-in-handler", where=where.served)
def whole_in_handler(candidate: Candidate) -> Match | None:
    """A file or an object's body read whole while a request waits."""
    if flow.handler_around(candidate.node) is None:
        return None
    name, given = calls.callee(candidate.node), calls.arguments(candidate.node)
    if given and given[0].kind() == "string":
        return None
    return candidate.match(captures={"call": name}, note=f"`{name}` holds the whole payload in memory for each request")
