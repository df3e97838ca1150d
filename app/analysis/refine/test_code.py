"""Rules `determinism`, `tests`, `typing`, `lint`, `profiling`: what test code waits for, and what checks no longer see."""

from __future__ import annotations

import re
from functools import lru_cache

from ast_grep_py import SgNode

from app.analysis import calls, where
from app.analysis.context import FUNCTION_KINDS, Candidate, FileContext, Match
from app.analysis.refine import refines
from app.analysis.roles import Role

LEAST_SLEEP_MS = 100
NEXT_CHARACTERS = 400
_ASSERTS = re.compile(
    r"\b(?:expect|assert|should|chai|t\.(?:is|ok|not|true|false|deepEqual|equal|same|match|throws|rejects|snapshot|pass|plan|assert|end|fail|like|regex|truthy|falsy|error|strictEqual|notOk|resolves)|"
    r"sinon\.assert|verify|done|supertest|request\([^)]*\)[\s\S]*\.expect|cy\.|toMatch|expectTypeOf|assertType|check|ensure|fail)\b|\.expect\("
)
_CALLS_A_CHECK = re.compile(
    r"(?:[eE]xpect|[aA]ssert|[vV]erify|[cC]heck|[sS]hould|[vV]alidate|[tT]est|[rR]un|[sS]cenario|[eE]nsure|[mM]atch)\w*\("
)
_TEST_CALL = re.compile(
    r"(?:it|test)(?=\s*(?:[(<`?]|/[/*]))(?:(?<![\w$.]it)(?<![\w$.]test)|(?<=\.\.\.it)|(?<=\.\.\.test))"
)
_OPENS_BODY = re.compile(r"(?:=>|\))[ \t]*\{[ \t\r]*$")
_NOTHING_HAPPENS = re.compile(
    r"\.not\.|, 0\)|\(0\)|\(false\)|, false|[nN]otCalled|toBeUndefined|toBeNull|\bnot in\b|== 0\b|is None|assert not\b|"
    r"(?:assert(?:\.ok)?|expect)\(!|"
    r"[bB]efore\w*\)|\b(?:[nN]o more|no longer|should not|must not)\b|_not_(?:called|awaited)|\(\[\]\)"
)
_ABOUT_TIME = re.compile(
    r"expir|ttl|time|throttl|debounc|interval|rate|delay|duration|elapsed|after \d|stale|idle|wait|cache|poll|sleep|slow|latency|"
    r"ms\b|second|retr|not |n't|never|ignore",
    re.IGNORECASE,
)
_OF_A_CLOCK = re.compile(r"(?:env|environment|clock|scheduler)\w*(?:\(\))?\.(?:sleep|delay|wait)$", re.IGNORECASE)
"""A test's own clock, which turns to the hour and waits for nothing (Temporal's environment of a test)."""
_SHOWS_TIME = re.compile(
    r"\bDate\.now\(|\bnew Date\(\)|\bperformance\.now\(|\bhrtime\b|"
    r"\b(?:updated|created|expires|expiration|modified|lastSeen)_?[aA]t\b|\bdatetime\.|\btime\.(?:time|monotonic)\("
)
_ACTS_ON_A_PAGE = re.compile(
    r"\.(?:click|dblclick|fill|press|type|check|uncheck|hover|selectOption|goto|reload|setInputFiles|waitFor\w*|dispatchEvent)\("
)
_BUG_FINDERS = re.compile(
    r"no-floating-promises|no-misused-promises|no-unsafe-|no-eval|no-implied-eval|no-explicit-any|no-await-in-loop|require-atomic-updates|"
    r"no-async-promise-executor|security/|no-fallthrough|no-unreachable|no-undef|rules-of-hooks|exhaustive-deps|no-non-null-assertion|ban-ts-comment"
)


@refines("determinism.sleep", where=where.only(Role.TEST))
def sleep(candidate: Candidate) -> Match | None:
    """A test that waits for a fixed time and then expects something."""
    if re.search(r"useFakeTimers|clock\.tick|advanceTimers|mock\.timers", candidate.file.text):
        return None
    if _OF_A_CLOCK.search(calls.callee(candidate.node)):
        return None
    pause = _pause(candidate)
    if pause is None or pause < LEAST_SLEEP_MS:
        return None
    function = _test_function(candidate.node)
    if function is None or not _is_own_pause(candidate.node, function):
        return None
    after = function.text()[candidate.node.range().end.index - function.range().start.index :]
    if not _is_looked_at_once(_next_statements(after), polls="waitForTimeout" in calls.callee(candidate.node)):
        return None
    if _SHOWS_TIME.search(function.text()):
        # Two moments have to differ, or something has to run out: nothing could be waited for instead.
        return None
    if _is_polled(candidate.node):
        return None
    if re.search(
        r"//|#",
        candidate.file.lines[candidate.file.line_of(candidate.node.range().end.index) - 1].partition(
            candidate.node.text()[-1]
        )[2],
    ):
        return None
    awaited = next(
        (above for above in candidate.node.ancestors() if above.kind() == "await_expression"), candidate.node
    )
    above_it = {candidate.file.line_of(one.range().start.index) - 2 for one in (candidate.node, awaited)}
    if any(re.search(r"//|#|\*/", candidate.file.lines[max(0, line)]) for line in above_it):
        # A comment says why; whether the reason holds is a question for the model.
        return None
    if _NOTHING_HAPPENS.search(after) or _ABOUT_TIME.search(_title(function)):
        return None
    return candidate.match(
        captures={"call": calls.callee(candidate.node) or "setTimeout", "pause": f"{pause} ms"},
        note=f"the test waits {pause} ms and hopes that this was enough",
        why_no_patch="what the test waits for is not in this line",
    )


@refines("determinism.network", where=where.only(Role.TEST))
def network(candidate: Candidate) -> Match | None:
    """A test that calls a host of the internet."""
    given = calls.arguments(candidate.node)
    if not given:
        return None
    address = calls.literal_text(given[0]) or ""
    if not re.match(
        r"https?://(?!localhost|127\.|0\.0\.0\.0|\[::1\]|[\w.-]*(?:example|test|invalid|local)\b)", address
    ):
        return None
    if re.search(
        r"nock|msw|fetchMock|fetch-mock|mockFetch|jest\.(?:mock|spyOn)|vi\.(?:mock|stubGlobal|spyOn)|MockAgent|sinon|undici|responses|respx|requests_mock",
        candidate.file.text,
    ):
        return None
    return candidate.match(captures={"address": address}, note=f"the test needs `{address[:60]}` to be there")


@refines("tests.only", where=where.only(Role.TEST))
def only(candidate: Candidate) -> Match | None:
    """A test or suite that keeps all others from running."""
    name, whole, given = calls.callee(candidate.node), candidate.node.text(), calls.arguments(candidate.node)
    plain = name.removesuffix(".only") if name.endswith(".only") else name.removeprefix("f")
    start = candidate.node.range().start.index
    return candidate.match(
        captures={"only": f"{name} {given[0].text() if given else ''}"},
        note=f"`{name}` keeps the other tests from running",
        replacement=f"{plain}{whole[whole.index('(') :]}",
        why_no_patch=f"`{name}` becomes `{plain}`; the block is too long to be repeated here",
        focus=(start, start + len(name)),
    )


def _may_assert_nothing(file: FileContext) -> bool:
    """Whether, as far as indentation shows, a test of the file has a body in which nothing looks like an assertion."""
    return not all(
        "expect(" in body or _ASSERTS.search(body) or _CALLS_A_CHECK.search(body)
        for call in _TEST_CALL.finditer(file.text)
        for body in [_laid_out_body(file.text, call.start())]
    )


def _laid_out_body(text: str, place: int) -> str:
    """The lines below a call that are indented deeper than its own; empty where no function's body begins at its line's end."""
    start, end = text.rfind("\n", 0, place) + 1, text.find("\n", place)
    if end < 0 or not _OPENS_BODY.search(text[place:end]):
        return ""
    line = text[start:end]
    stop = _next_outside(len(line) - len(line.lstrip())).search(text, end)
    return text[end : stop.start() if stop is not None else len(text)]


@lru_cache(maxsize=64)
def _next_outside(indent: int) -> re.Pattern[str]:
    return re.compile(rf"\n[ \t]{{0,{indent}}}[^ \t\r\n]")


@refines("tests.no-assertion", where=where.only(Role.TEST), shows=_may_assert_nothing)
def no_assertion(candidate: Candidate) -> Match | None:
    """A test whose body asserts nothing that can be seen."""
    given = calls.arguments(candidate.node)
    if len(given) < 2 or given[-1].kind() not in FUNCTION_KINDS:
        return None
    body = given[-1].field("body")
    if body is None or body.kind() != "statement_block" or _ASSERTS.search(given[-1].text()):
        return None
    if _CALLS_A_CHECK.search(body.text()):
        return None
    return candidate.match(
        note="nothing in this test can fail but a throw",
        focus=(candidate.node.range().start.index, body.range().start.index + 1),
    )


@refines("lint.all-rules", where=where.outside((Role.TEST, Role.EXAMPLE)))
def all_rules(candidate: Candidate) -> Match | None:
    """A comment that switches off every rule of the linter."""
    text = candidate.node.text()
    if re.search(r"generated|@generated|DO NOT EDIT|vendored", candidate.file.text[:1000], re.IGNORECASE):
        return None
    found = re.match(r"(?://|/\*)\s*eslint-disable(?P<scope>-next-line|-line)?\s*(?:\*/)?\s*$", text)
    if found is None:
        return None
    scope = {"-next-line": "the next line", "-line": "this line", None: "the rest of the file"}[found["scope"]]
    return candidate.match(
        captures={"scope": scope, "comment": text.strip("/* ")},
        note=f"every rule is off for {scope}",
        why_no_patch="which rule was meant is not in the comment",
    )


@refines("lint.bug-finder", where=where.outside((Role.TEST, Role.EXAMPLE)))
def bug_finder(candidate: Candidate) -> Match | None:
    """A comment without a reason that switches off a rule which finds bugs."""
    text = candidate.node.text()
    found = _BUG_FINDERS.search(text)
    if found is None or " -- " in text or "eslint-disable" not in text:
        return None
    return candidate.match(captures={"rule": found[0]}, note=f"`{found[0]}` is switched off, and no reason is given")


@refines("typing.unchecked", where=where.outside((Role.TEST, Role.EXAMPLE)))
def unchecked(candidate: Candidate) -> Match | None:
    """`@ts-nocheck`, or `@ts-ignore` with no word on why."""
    text = candidate.node.text()
    found = re.search(r"@ts-(?P<what>ignore|nocheck)(?P<reason>[^\n]*)", text)
    if found is None:
        return None
    reason = found["reason"].strip(" */:-")
    if len(reason.split()) >= 3 or re.search(r"generated", candidate.file.text[:500], re.IGNORECASE):
        return None
    before = candidate.node.prev()
    if (
        before is not None
        and before.kind() == "comment"
        and candidate.node.range().start.line - before.range().end.line <= 1
        and not re.search(r"eslint|@ts-|TODO|prettier", before.text())
    ):
        return None
    scope = "the next line" if found["what"] == "ignore" else "the whole file"
    return candidate.match(
        captures={"comment": f"@ts-{found['what']}", "scope": scope},
        note=f"the compiler checks nothing in {scope}, and no reason is given",
        why_no_patch="which error is hidden here is known to the compiler only",
    )


@refines("typing.cast-of-reply", where=where.served)
def cast_of_reply(candidate: Candidate) -> Match | None:
    """`JSON.parse(x) as T`, `(await res.json()) as T`: a claim about data from outside."""
    inner = next((child for child in candidate.node.children() if child.is_named()), None)
    target = candidate.node.text()[len(inner.text()) :] if inner is not None else ""
    if inner is None or re.search(r"as\s+(?:unknown|any|const)\b", target):
        return None
    text = re.sub(r"\s+", "", inner.text()).lstrip("(")
    if not re.match(r"JSON\.parse\(|await[\w.$]+\.json\(|await\(await[^)]*\)\.json\(", text) and not re.fullmatch(
        r"(?:req|request|ctx\.request)\.(?:body|query)", text
    ):
        return None
    return candidate.match(captures={"value": inner.text()}, note="the cast proves nothing about data from outside")


@refines("profiling.copy-per-step", where=where.served)
def copy_per_step(candidate: Candidate) -> Match | None:
    """A `reduce` that copies what it has collected at each step."""
    given = calls.arguments(candidate.node)
    if not given or given[0].kind() not in FUNCTION_KINDS:
        return None
    names = given[0].field("parameters")
    first = re.match(r"\(\s*([\w$]+)", names.text()) if names is not None else None
    if first is None or not re.search(rf"(?:\(\{{|\[|\{{)\s*\.\.\.{re.escape(first[1])}\b", given[0].text()):
        return None
    return candidate.match(
        note="each step copies all that was collected before: the work grows with the square of the list"
    )


def _pause(candidate: Candidate) -> int | None:
    """How long a call sleeps, in milliseconds; None when it is no sleep of a fixed time."""
    name, given = calls.callee(candidate.node), calls.arguments(candidate.node)
    if candidate.file.language == "python":
        seconds = given[0].text() if len(given) == 1 else ""
        return (
            int(float(seconds) * 1000)
            if re.fullmatch(r"\d*\.?\d+", seconds) and name in ("time.sleep", "sleep", "asyncio.sleep")
            else None
        )
    if (
        name.endswith(("waitForTimeout", "sleep", "delay", "wait"))
        and given
        and given[-1].kind() == "number"
        and _is_awaited(candidate.node)
    ):
        return _number(given[-1].text())
    if (
        name == "setTimeout"
        and len(given) == 2
        and given[1].kind() == "number"
        and given[0].kind() == "identifier"
        and _is_promise_of_time(candidate.node)
    ):
        return _number(given[1].text())
    return None


def _number(text: str) -> int | None:
    plain = text.replace("_", "")
    return int(float(plain)) if re.fullmatch(r"\d+(?:\.\d+)?(?:e\d)?", plain) else None


def _is_awaited(node: SgNode) -> bool:
    above = node.parent()
    return above is not None and above.kind() == "await_expression"


def _is_promise_of_time(node: SgNode) -> bool:
    """Whether a timer only resolves a promise that is awaited: `await new Promise((done) => setTimeout(done, 100))`."""
    for above in node.ancestors():
        if above.kind() == "new_expression":
            return above.text().startswith("new Promise") and _is_awaited(above)
        if above.kind() not in (
            "arrow_function",
            "arguments",
            "statement_block",
            "expression_statement",
            "return_statement",
        ):
            return False
    return False


def _is_polled(call: SgNode) -> bool:
    """Whether the pause stands between two looks of a loop that ends when it has seen what it waits for."""
    for above in call.ancestors():
        if above.kind() in ("for_statement", "while_statement", "for_in_statement", "do_statement"):
            return re.search(r"\b(?:break|return)\b", above.text()) is not None or above.kind() in (
                "while_statement",
                "do_statement",
            )
        if above.kind() == "function_definition" or (
            above.kind() in FUNCTION_KINDS and above.kind() != "arrow_function"
        ):
            return False
    return False


def _next_statements(after: str) -> str:
    """The few lines that follow a pause: what they expect is what it waits for."""
    return "\n".join(line for line in after.split("\n")[1:] if line.strip())[:NEXT_CHARACTERS]


def _is_looked_at_once(after: str, *, polls: bool) -> bool:
    """Whether what follows a pause is looked at once. A page's own `await expect(…)` and its clicks look again by themselves."""
    first = re.search(r"(?P<waits>await\s+)?\bexpect\(|\bassert\w*[.(]|\bassert\s|should\.", after)
    if first is None or not polls:
        return first is not None
    return not first["waits"] and _ACTS_ON_A_PAGE.search(after[: first.start()]) is None


def _is_own_pause(call: SgNode, function: SgNode) -> bool:
    """Whether the test itself waits, and not a server or a stub that it builds."""
    for above in call.ancestors():
        if above.kind() in FUNCTION_KINDS:
            held = above.parent()
            executor = held.parent() if held is not None else None
            if above.range().start.index == function.range().start.index:
                return True
            if executor is None or not executor.text().startswith("new Promise"):
                return False
    return False


def _title(function: SgNode) -> str:
    """What a test says about itself: its title, or its name."""
    name = function.field("name")
    if name is not None:
        return name.text()
    held = function.parent()
    call = held.parent() if held is not None else None
    given = calls.arguments(call) if call is not None else []
    return given[0].text() if given else ""


def _test_function(node: SgNode) -> SgNode | None:
    """The function that is the body of the test around a node."""
    for above in node.ancestors():
        if above.kind() in FUNCTION_KINDS:
            held = above.parent()
            call = held.parent() if held is not None else None
            if call is not None and re.match(r"(?:it|test|specify|t\.test)(?:\.\w+)?$", calls.callee(call)):
                return above
            name = above.field("name")
            if above.kind() == "function_definition" and name is not None and name.text().startswith("test"):
                return above
    return None
