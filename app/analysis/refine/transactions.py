"""Rule `transactions`: work that leaves the transaction it stands in, and writes that need one."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ast_grep_py import SgNode

from app.analysis import calls, flow, needed, where
from app.analysis.context import FUNCTION_KINDS, Candidate, Match, enclosing_function
from app.analysis.refine import refines
from app.analysis.roles import Role

_QUIET = frozenset((Role.TEST, Role.EXAMPLE, Role.CLIENT))
_OUTSIDE = re.compile(
    r"^(?:fetch|axios(?:\.\w+)?|got(?:\.\w+)?|(?:this\.)?(?:mailer|transporter|mail|sms|stripe|s3|sqs|sns)\b[\w.]*|[\w.]*\.(?:sendMail|sendEmail))$"
)
_WRITES = re.compile(
    r"\.(?:create|createMany|insert|insertOne|insertMany|update|updateOne|updateMany|delete|deleteOne|deleteMany|destroy|upsert|save|remove|"
    r"findByIdAndUpdate|findOneAndUpdate|bulkCreate)$"
)
_NOT_A_STORE = re.compile(
    r"(?:^|\.)(?:cache|redis|map|set|storage|fs|hash|crypto|URL|document|window|list|stripe|logger|queue|events?|form|ctx|context|axios|http)\b|^Object$|"
    r"createHash|[cC]ache",
)
_SENDS = re.compile(
    r"insert|update|delete|select|selectDistinct|execute|query|table|into|batchInsert|\$(?:executeRaw|queryRaw)(?:Unsafe)?|"
    r"[\w$]+\.(?:create|createMany|update|updateMany|upsert|delete|deleteMany|findUnique|findFirst|findMany|count|aggregate|groupBy)"
)
_BEGINS_OR_ENDS = re.compile(
    r"[\"'`]\s*(?:BEGIN|BEGIN TRANSACTION|START TRANSACTION|COMMIT|ROLLBACK)[\s;]*[\"'`]", re.IGNORECASE
)
_IN_ONE = re.compile(
    r"transaction|\btrx?\b|\btx\b|session|queryRunner|BEGIN|\bmanager\b|UnitOfWork|withLock", re.IGNORECASE
)


@refines("transactions.outside-client", where=where.outside(_QUIET))
def outside_client(candidate: Candidate) -> Match | None:
    """A query in a transaction's callback that goes to the client the transaction was taken from."""
    found = _callback(candidate)
    if found is None:
        return None
    holder, own, body = found
    for call in _calls_in(body):
        name = calls.callee(call)
        if not _is_query(name, holder):
            continue
        if own in {one.text() for one in _identifiers(call)} or "transacting" in call.text() or own in _chain(call):
            continue
        where = call.range()
        return Match(
            where.start.index,
            where.end.index,
            captures={"outside": name, "own": own, "holder": holder},
            note=f"`{name}` runs on another connection than the transaction of `{own}`",
            replacement=f"{own}{call.text()[len(holder) :]}" if call.text().startswith(holder) else None,
            why_no_patch=f"the call has to be made on `{own}`",
        )
    return None


@refines("transactions.not-awaited", where=where.outside(_QUIET))
def not_awaited(candidate: Candidate) -> Match | None:
    """A write on the transaction's own client that nobody awaits inside its callback."""
    found = _callback(candidate)
    if found is None:
        return None
    _, own, body = found
    for call in _calls_in(body):
        name, statement = calls.callee(call), call.parent()
        if statement is None or statement.kind() != "expression_statement" or not name.startswith(f"{own}."):
            continue
        if not _WRITES.search(name) and not re.search(r"\.(?:query|execute|\$executeRaw)$", name):
            continue
        where = call.range()
        return Match(
            where.start.index,
            where.end.index,
            captures={"call": name, "own": own},
            note=f"nobody waits for `{name}` before the transaction ends",
            replacement=f"await {call.text()}",
        )
    return None


@refines("transactions.outside-work", where=where.outside(_QUIET), needs=(needed.names(_OUTSIDE),))
def outside_work(candidate: Candidate) -> Match | None:
    """A call to another service inside a transaction's callback."""
    found = _callback(candidate)
    if found is None:
        return None
    for call in _calls_in(found[2]):
        name = calls.callee(call)
        if _OUTSIDE.match(name):
            where = call.range()
            return Match(
                where.start.index,
                where.end.index,
                captures={"call": name},
                note=f"`{name}` runs while the transaction holds its locks, and cannot be rolled back",
            )
    return None


@refines("transactions.begin-on-pool", where=where.outside(_QUIET), shows=where.holds(_BEGINS_OR_ENDS))
def begin_on_pool(candidate: Candidate) -> Match | None:
    """`pool.query("BEGIN")`: the next query may run on another connection."""
    function, given = candidate.node.field("function"), calls.arguments(candidate.node)
    if function is None or not given:
        return None
    text = (calls.literal_text(given[0]) or "").strip().strip(";").upper()
    if not _BEGINS_OR_ENDS.fullmatch(f"'{text}'"):
        return None
    held = function.field("object")
    name = held.text() if held is not None else ""
    if not _is_pool(name, candidate):
        return None
    return candidate.match(
        captures={"pool": name, "statement": text},
        note=f"each query of `{name}` may run on another connection",
        why_no_patch="the queries up to the commit have to move to the connection that was taken as well",
    )


@refines("transactions.several-writes", where=where.only(Role.SERVER))
def several_writes(candidate: Candidate) -> Match | None:
    """The second of several awaited writes to different stores in one function, with no transaction in sight."""
    call = next((child for child in candidate.node.children() if child.is_named()), None)
    if call is None or not _is_write(call):
        return None
    function = enclosing_function(candidate.node)
    if function is None:
        return None
    if _IN_ONE.search(function.text()):
        return None
    others = {
        _store(inner)
        for one in function.find_all({"rule": {"kind": "await_expression"}})
        if one.range().start.index < candidate.node.range().start.index
        and enclosing_function(one) == function
        and (inner := next((child for child in one.children() if child.is_named()), None)) is not None
        and _is_write(inner)
    }
    if not others - {_store(call)}:
        return None
    return candidate.match(
        captures={"first": ", ".join(sorted(others))},
        note=f"`{calls.callee(call)}` follows a write to `{min(others)}`, and no transaction ties them",
    )


def _callback(candidate: Candidate) -> tuple[str, str, SgNode] | None:
    """The client a transaction is taken from, the name of the transaction's own client, and the callback's body."""
    function, given = candidate.node.field("function"), calls.arguments(candidate.node)
    if function is None or not given:
        return None
    held = function.field("object")
    callback = next((one for one in given if one.kind() in FUNCTION_KINDS), None)
    if held is None or callback is None or not re.fullmatch(r"[\w$.!]+", held.text()):
        return None
    names = callback.field("parameters") or callback.field("parameter")
    first = re.match(r"\(?\s*([\w$]+)", names.text()) if names is not None else None
    body = callback.field("body")
    if first is None or body is None:
        return None
    return held.text(), first[1], body


def _is_query(name: str, holder: str) -> bool:
    """Whether a call on the client that a transaction was taken from sends a query by itself."""
    if name == holder:
        return True
    own = name.removeprefix(f"{holder}.")
    if own == name:
        return False
    if holder.lower().endswith("sequelize"):
        return own == "query"
    return _SENDS.fullmatch(own) is not None


def _calls_in(body: SgNode) -> Iterator[SgNode]:
    own = [body] if body.kind() == "call_expression" else []
    yield from [*own, *body.find_all({"rule": {"kind": "call_expression"}})]


def _identifiers(call: SgNode) -> list[SgNode]:
    return [
        one
        for given in calls.arguments(call)
        for kind in ("identifier", "shorthand_property_identifier")
        for one in ([given] if given.kind() == kind else given.find_all({"rule": {"kind": kind}}))
    ]


def _chain(call: SgNode) -> str:
    """The text of the whole chain of calls that a call begins."""
    top = call
    for above in call.ancestors():
        if above.kind() not in ("member_expression", "call_expression", "await_expression"):
            break
        top = above
    names = re.findall(r"[\w$]+", top.text())
    return " ".join(names) if top.kind() != "statement_block" else ""


def _is_pool(name: str, candidate: Candidate) -> bool:
    value = flow.declaration(name, candidate.node) if re.fullmatch(r"[\w$]+", name) else None
    if value is not None:
        return re.match(r"new\s+(?:pg\.)?Pool\(|mysql\.createPool\(|createPool\(", value.text()) is not None
    return re.search(r"(?:^|\.)(?:pool|pgPool|dbPool)$", name) is not None and not flow.is_parameter(
        name.partition(".")[0], candidate.node
    )


def _is_write(call: SgNode) -> bool:
    name = calls.callee(call)
    return call.kind() == "call_expression" and _WRITES.search(name) is not None and not _NOT_A_STORE.search(name)


def _store(call: SgNode) -> str:
    return calls.callee(call).rpartition(".")[0]
