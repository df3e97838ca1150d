"""Rule `timeouts`: outbound calls that nothing limits."""

from __future__ import annotations

import re

from ast_grep_py import SgNode

from app.analysis import calls, flow, where
from app.analysis.context import Candidate, FileContext, Match, enclosing_function, function_name
from app.analysis.refine import refines
from app.analysis.roles import Role

ABORT = "signal: AbortSignal.timeout(5_000)"
_FETCHES = frozenset(
    ("node-fetch", "undici", "cross-fetch", "isomorphic-fetch", "node-fetch-native", "make-fetch-happen")
)
_LIMITS_FETCH = frozenset(("signal", "timeout", "dispatcher", "agent"))
_LIMITS_AXIOS = frozenset(("timeout", "signal", "cancelToken", "adapter"))
_LIMITS_HTTP = frozenset(("timeout", "signal", "agent"))
_BUILT_IN = re.compile(r"\bNEXT_PUBLIC_|\bVITE_|import\.meta\.env|\bREACT_APP_|\bVUE_APP_|\bEXPO_PUBLIC_")
"""Addresses that a page is built with."""
_STAYS_OPEN = re.compile(r"text/event-stream|\bstream[\"']?\s*:\s*true\b|\.getReader\(\)")
"""An answer that comes piece by piece for as long as there is something to say, which no short limit may cut off."""
_ON_THE_EDGE = re.compile(
    r"\bruntime\s*[:=]\s*[\"'](?:experimental-)?edge\b|\bDurableObject|\bDeno\.|\bEdgeRuntime\b|\bc\.env\.[A-Z]|"
    r"\bfetch\s*\(\s*\w+\s*:\s*Request\s*,\s*env\b|addEventListener\(\s*[\"']fetch[\"']"
)
"""Says that a platform runs the file which ends what takes too long by itself, and whose clocks are not Node's."""
_PICTURES = frozenset(("next/og", "@vercel/og", "satori"))
"""What fetches beside them is fonts and pictures for a picture, which the platform limits."""
_ASSET = re.compile(r"\.(?:ttf|otf|woff2?|png|jpe?g|svg|ico|css)\b")
_PAGE = re.compile(r"[\"']use client[\"']|\buse(?:State|Effect|SWR|Query|Mutation|Router)\(")
"""Says that a browser runs the file, whatever server's types it imports."""
_TELLS_HOME = re.compile(
    r"telemetry|analytics|usage-?stat|(?:^|\s)_?track(?:[A-Z]\w*)?$|(?:check|latest)-?_?(?:for-?_?)?(?:version|updates?)\b",
    re.IGNORECASE,
)
"""Names of what reports on the side; nobody waits for it, and `fetch` gives up by itself in the end."""
LONGEST_FOCUS = 400
LONGEST_CALL = 2_000
LONGEST_FUNCTION = 6_000
_AXIOS_POSITION = {
    "get": 1, "delete": 1, "head": 1, "options": 1, "post": 2, "put": 2, "patch": 2, "postForm": 2, "putForm": 2, "patchForm": 2,
    "request": 0, "create": 0,
}  # fmt: skip
_GOT_VERBS = frozenset(("get", "post", "put", "patch", "delete", "head"))
_REQUESTS_VERBS = frozenset(("get", "post", "put", "patch", "delete", "head", "options", "request"))
_HTTPX_CALLS = _REQUESTS_VERBS | {"stream", "Client", "AsyncClient", "Timeout"}


def _is_unknown_and_served(file: FileContext) -> bool:
    return file.role is Role.UNKNOWN and where.served(file)


@refines("timeouts.fetch", where=where.only(Role.SERVER))
def fetch(candidate: Candidate) -> Match | None:
    """A `fetch` in a service's code whose options hold no signal, as far as they can be seen."""
    return _fetch(candidate)


@refines("timeouts.fetch-elsewhere", where=_is_unknown_and_served)
def fetch_elsewhere(candidate: Candidate) -> Match | None:
    """The same in code of which nothing says that it is a service's: it may be a page's, or build something once."""
    return _fetch(candidate)


def _fetch(candidate: Candidate) -> Match | None:
    module = candidate.file.imports.get("fetch")
    if module not in _FETCHES if module else candidate.file.declares("fetch"):
        return None
    given = calls.arguments(candidate.node)
    if not 1 <= len(given) <= 2 or not _is_address(given[0]) or calls.is_bounded_outside(candidate.node):
        return None
    text = candidate.file.text
    if _PAGE.search(text) or _ON_THE_EDGE.search(text) or _PICTURES.intersection(candidate.file.imports.values()):
        return None
    if (
        _nobody_waits(candidate)
        or _stays_open(candidate.node)
        or _BUILT_IN.search(candidate.node.text()[:LONGEST_CALL])
    ):
        return None
    if candidate.file.role is Role.UNKNOWN and not calls.looks_remote(given[0]):
        return None
    if len(given) == 2 and not _lacks(given[1], _LIMITS_FETCH):
        return None
    longest = "as long as it takes" if module == "node-fetch" else "as long as the runtime does, five minutes in Node"
    return _match(
        candidate,
        callee="fetch",
        target=given[0],
        longest=longest,
        replacement=calls.with_option(candidate.node, position=1, option=ABORT),
    )


@refines("timeouts.axios", where=where.served)
def axios(candidate: Candidate) -> Match | None:
    """An axios call, or an instance, whose configuration holds no limit, as far as it can be seen."""
    name, _, verb = calls.callee(candidate.node).partition(".")
    if candidate.file.imports.get(name) != "axios" or _tells_home(candidate) or _PAGE.search(candidate.file.text):
        return None
    if verb == "create" and re.search(r"\btimeout\s*:", candidate.file.text):
        # Each of its calls may have a limit, as some of them seem to.
        return None
    if _has_defaults(candidate.file.text, name, verb) or calls.is_bounded_outside(candidate.node):
        return None
    given = calls.arguments(candidate.node)
    position = _axios_position(given, verb)
    if position is None or not _axios_leaves_the_process(given, position, verb):
        return None
    if len(given) > position and (not _lacks(given[position], _LIMITS_AXIOS) or "timeout" in given[position].text()):
        # An agent's limit counts as well.
        return None
    if candidate.file.role is Role.UNKNOWN and not (given and _shows_another_service(given[0])):
        return None
    if _stays_open(candidate.node) or _BUILT_IN.search(candidate.node.text()[:LONGEST_CALL]):
        return None
    if re.search(r"responseType:\s*[\"']blob[\"']|withCredentials:\s*true", candidate.file.text):
        # Only a browser has blobs to ask for, and cookies to send along.
        return None
    return _match(
        candidate,
        callee=f"{name}.{verb}" if verb else name,
        target=given[0] if given else None,
        longest="for ever, since axios sets no limit by itself",
        replacement=calls.with_option(candidate.node, position=position, option="timeout: 5_000"),
    )


@refines("timeouts.got", where=where.served)
def got(candidate: Candidate) -> Match | None:
    """A call of got without its `timeout`."""
    name, _, verb = calls.callee(candidate.node).partition(".")
    if candidate.file.imports.get(name) != "got" or (verb and verb not in _GOT_VERBS) or _nobody_waits(candidate):
        return None
    given = calls.arguments(candidate.node)
    if not 1 <= len(given) <= 2 or not _is_address(given[0]) or calls.is_bounded_outside(candidate.node):
        return None
    if given[0].kind() == "object" or (len(given) == 2 and not _lacks(given[1], _LIMITS_HTTP | {"isStream"})):
        return None
    return _match(
        candidate,
        callee=f"{name}.{verb}" if verb else name,
        target=given[0],
        longest="for ever, since got sets no limit by itself",
        replacement=calls.with_option(candidate.node, position=1, option="timeout: { request: 5_000 }"),
    )


@refines("timeouts.http-request", where=where.served)
def http_request(candidate: Candidate) -> Match | None:
    """A request of Node's own http client without a limit, in a file that sets none on the request either."""
    name, _, verb = calls.callee(candidate.node).partition(".")
    text = candidate.file.text
    if candidate.file.imports.get(name) not in ("http", "https"):
        return None
    if ".setTimeout(" in text or re.search(r"[\"']timeout[\"']", text) or calls.is_bounded_outside(candidate.node):
        return None
    given = calls.arguments(candidate.node)
    plain = [argument for argument in given if argument.kind() not in ("arrow_function", "function_expression")]
    options = [argument for argument in plain if argument.kind() == "object"]
    if not _is_seen_whole(plain, options) or _http_stays_here(plain, options):
        return None
    handles_errors = re.search(r"\.(?:on|once)\(\s*[\"']error[\"']", text) is not None
    return _match(
        candidate,
        callee=f"{name}.{verb}",
        target=plain[0],
        longest="for ever, since Node's http client sets no limit by itself",
        replacement=_with_http_signal(candidate.node, given, options) if handles_errors else None,
        why_no_patch="the limit arrives as an `error` event, and nothing here listens for one yet",
    )


@refines("timeouts.python-requests", where=where.served)
def python_requests(candidate: Candidate) -> Match | None:
    """A call of `requests` without `timeout`, or with `timeout=None`."""
    name, _, verb = calls.callee(candidate.node).rpartition(".")
    if candidate.file.imports.get(name) != "requests" or verb not in _REQUESTS_VERBS:
        return None
    return _python(candidate, longest="for ever, since requests sets no limit by itself", limit="timeout=10")


@refines("timeouts.python-urlopen", where=where.served)
def python_urlopen(candidate: Candidate) -> Match | None:
    """A call of `urlopen` without a timeout."""
    name = calls.callee(candidate.node)
    head = name.partition(".")[0]
    whole = name.replace(head, candidate.file.imports.get(head, ""), 1) if head != "urllib" else name
    if whole != "urllib.request.urlopen" or "setdefaulttimeout" in candidate.file.text:
        return None
    if sum(1 for one in calls.arguments(candidate.node) if one.kind() != "keyword_argument") > 2:
        return None
    return _python(candidate, longest="for ever, since sockets have no limit by themselves", limit="timeout=10")


@refines("timeouts.python-httpx", where=where.served)
def python_httpx(candidate: Candidate) -> Match | None:
    """Httpx with its own limit switched off."""
    name, _, verb = calls.callee(candidate.node).rpartition(".")
    if candidate.file.imports.get(name) != "httpx" or verb not in _HTTPX_CALLS:
        return None
    given = calls.arguments(candidate.node)
    alone = given[0] if verb == "Timeout" and len(given) == 1 else None
    off = _keyword(given, "timeout") or alone
    if off is None or off.text() != "None":
        return None
    whole, base = candidate.node.text(), candidate.node.range().start.index
    start, end = off.range().start.index - base, off.range().end.index - base
    return _match(
        candidate,
        callee=f"{name}.{verb}",
        target=None,
        longest="for ever, since the limit that httpx has by default is switched off",
        replacement=f"{whole[:start]}10.0{whole[end:]}",
    )


def _python(candidate: Candidate, *, longest: str, limit: str) -> Match | None:
    given = calls.arguments(candidate.node)
    if not given or any(one.kind() in ("dictionary_splat", "list_splat", "generator_expression") for one in given):
        return None
    if enclosing_function(candidate.node) is None:
        # What stands at the top of a module runs once, where somebody started it.
        return None
    if calls.stays_here(given[0]) or calls.is_bounded_outside(candidate.node):
        return None
    whole, base = candidate.node.text(), candidate.node.range().start.index
    set_to = _keyword(given, "timeout")
    if set_to is None:
        at = given[-1].range().end.index - base
        replacement = f"{whole[:at]}, {limit}{whole[at:]}"
    elif set_to.text() == "None":
        start, end = set_to.range().start.index - base, set_to.range().end.index - base
        replacement = f"{whole[:start]}{limit.partition('=')[2]}{whole[end:]}"
    else:
        return None
    return _match(
        candidate, callee=calls.callee(candidate.node), target=given[0], longest=longest, replacement=replacement
    )


def _match(
    candidate: Candidate,
    *,
    callee: str,
    target: SgNode | None,
    longest: str,
    replacement: str | None = None,
    why_no_patch: str = "",
) -> Match:
    start = candidate.node.range().start.index
    return candidate.match(
        captures={"call": callee, "target": target.text() if target is not None else "", "longest": longest},
        note=f"`{callee}` waits {longest}",
        replacement=replacement,
        why_no_patch=why_no_patch,
        # The call's head and its options, not the callback or the body that may follow for pages.
        focus=(start, min(candidate.node.range().end.index, start + LONGEST_FOCUS)),
    )


def _lacks(options: SgNode, limits: frozenset[str]) -> bool:
    """Whether it is plain to see that none of the limits is among the options."""
    seen = calls.keys(options)
    return seen is not None and not seen & limits


def _is_address(url: SgNode) -> bool:
    """Whether the first argument is an address of another machine, not a prepared request."""
    if url.kind() in ("spread_element", "new_expression") and not url.text().startswith("new URL"):
        return False
    if "import.meta.url" in url.text() or _ASSET.search(url.text()):
        return False
    if re.search(r"\breq(?:uest)?\b|Request$", url.text()) and url.kind() not in ("string", "template_string"):
        return False
    return not (calls.stays_here(url) or _begins_here(url))


def _begins_here(url: SgNode) -> bool:
    """Whether an address begins with a constant of the file that names this machine: `${BASE}/peers`."""
    found = re.match(r"`\$\{([A-Za-z_]\w*)\}", url.text())
    declared = flow.declaration(found[1], url) if found is not None else None
    return declared is not None and calls.stays_here(declared)


def _is_plainly_an_address(node: SgNode) -> bool:
    if node.kind() in ("string", "template_string"):
        return True
    if node.kind() == "new_expression":
        return node.text().startswith("new URL")
    return (
        node.kind() in ("identifier", "member_expression")
        and re.search(r"(?:url|uri|href|endpoint)$", node.text(), re.IGNORECASE) is not None
    )


def _has_defaults(text: str, name: str, verb: str) -> bool:
    return re.search(rf"\b{re.escape(name)}\.defaults\b", text) is not None or (
        verb == "create" and ".defaults.timeout" in text
    )


def _shows_another_service(argument: SgNode) -> bool:
    """Whether an address, or one among the options, is plainly another service's."""
    if argument.kind() != "object":
        return calls.looks_remote(argument)
    values = [calls.value_of(argument, key) for key in ("url", "baseURL")]
    return any(value is not None and calls.looks_remote(value) for value in values)


def _is_a_script_of_its_own(call: SgNode) -> bool:
    """Whether the call is awaited at the top of a file, as a script does it; a service sends from functions."""
    above = call.parent()
    return above is not None and above.kind() == "await_expression" and enclosing_function(call) is None


def _nobody_waits(candidate: Candidate) -> bool:
    """Whether a silent other side would hold up nobody: a report on the side, a call that is let go, a script's."""
    return _tells_home(candidate) or _is_left_to_itself(candidate.node) or _is_a_script_of_its_own(candidate.node)


def _stays_open(call: SgNode) -> bool:
    """Whether the answer is read piece by piece, as the call or the function around it shows."""
    around = enclosing_function(call)
    return _STAYS_OPEN.search((around or call).text()[:LONGEST_FUNCTION]) is not None


def _tells_home(candidate: Candidate) -> bool:
    name = candidate.file.path.rpartition("/")[2]
    return _TELLS_HOME.search(f"{name} {function_name(enclosing_function(candidate.node))}") is not None


def _is_left_to_itself(call: SgNode) -> bool:
    """Whether nobody waits for the call: `void fetch(…)`, or a statement that only hears how it ended."""
    above = call.parent()
    if above is not None and above.kind() == "unary_expression":
        return above.text().startswith("void ")
    is_heard = False
    while above is not None and above.kind() in ("member_expression", "call_expression"):
        name = above.field("property")
        if above.kind() == "call_expression" and above.field("function") is None:
            return False
        is_heard = is_heard or (name is not None and name.text() == "catch")
        above = above.parent()
    return is_heard and above is not None and above.kind() == "expression_statement"


def _axios_position(given: list[SgNode], verb: str) -> int | None:
    """Which argument is the configuration; None when this is no call that sends something."""
    if any(argument.kind() == "spread_element" for argument in given):
        return None
    if verb:
        return _AXIOS_POSITION.get(verb)
    if not given:
        return None
    if given[0].kind() == "object":
        return 0
    return 1 if _is_plainly_an_address(given[0]) else None


def _axios_leaves_the_process(given: list[SgNode], position: int, verb: str) -> bool:
    """Whether the address, as far as it can be seen, is another machine's."""
    if verb == "create" or position == 0:
        config = given[0] if given else None
        if config is None:
            return verb == "create"
        if config.kind() != "object":
            return False
        base, url = calls.value_of(config, "baseURL"), calls.value_of(config, "url")
        if base is None and url is None:
            return verb == "create" or bool({"url", "baseURL"} & (calls.keys(config) or frozenset()))
        return not calls.stays_here(base if base is not None else url)  # type: ignore[arg-type]
    return bool(given) and _is_address(given[0])


def _is_seen_whole(plain: list[SgNode], options: list[SgNode]) -> bool:
    """Whether the arguments are an address, options, or both, and the options hold no limit."""
    addresses = [one for one in plain if one.kind() != "object"]
    if not plain or len(addresses) > 1 or len(options) > 1:
        return False
    return all(_lacks(one, _LIMITS_HTTP) for one in options) and all(_is_plainly_an_address(one) for one in addresses)


def _http_stays_here(plain: list[SgNode], options: list[SgNode]) -> bool:
    hosts = [calls.value_of(one, key) for one in options for key in ("host", "hostname")]
    if any(host is not None and re.search(r"localhost|127\.0\.0\.1", host.text()) for host in hosts):
        return True
    return calls.stays_here(plain[0]) or any("socketPath" in (calls.keys(one) or ()) for one in options)


def _with_http_signal(call: SgNode, given: list[SgNode], options: list[SgNode]) -> str | None:
    if options:
        index = next(number for number, one in enumerate(given) if one.kind() == "object")
        return calls.with_option(call, position=index, option=ABORT)
    at = given[0].range().end.index - call.range().start.index
    whole = call.text()
    return f"{whole[:at]}, {{ {ABORT} }}{whole[at:]}"


def _keyword(given: list[SgNode], name: str) -> SgNode | None:
    for one in given:
        key = one.field("name") if one.kind() == "keyword_argument" else None
        if key is not None and key.text() == name:
            return one.field("value")
    return None
