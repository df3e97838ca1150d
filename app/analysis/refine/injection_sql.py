"""Rule `input-validation`: SQL statements that are joined from values."""

from __future__ import annotations

import re

from ast_grep_py import SgNode

from app.analysis import calls, flow
from app.analysis.context import Candidate, Match, enclosing_function
from app.analysis.refine import refines
from app.analysis.refine.injected import CONSTANT, IN_PROGRAMS, OUTSIDE_SCRIPTS, told
from app.analysis.texts import HOPS, Text, text_of

_SQL = re.compile(
    r"\bselect\b[\s\S]*\bfrom\b|\binsert\s+into\b|\bupdate\b[\s\S]*\bset\b|\bdelete\s+from\b|\bwhere\b|\border\s+by\b|"
    r"\b(?:alter|drop|truncate|create)\s+(?:table|database|schema|index|user|role)\b",
    re.IGNORECASE,
)
_VALUE_PLACE = re.compile(r"(?:=|<|>|\blike|\bin\s*\(|\bvalues\s*\(|,|\()\s*[\"'%(]*\s*$", re.IGNORECASE)
_NAME_PLACE = re.compile(
    r"\b(?:from|join|into|update|table|index|by|set|select|schema|database|column|view|as|on|using|interval|lang\w*)\s*[\"'`]?$|[.\"`]$",
    re.IGNORECASE,
)
_PLACEHOLDERS = re.compile(
    r"placeholder|\.join\(|\bparams?\.length|\bescape\w*\(|\bquote\w*\(|\bformat\(|mysql\.escape|pgp\.as|\.escapeId|literal\(|\+\+|\bindex\b|"
    r"\bNumber\(|parseInt\(|\b(?:int|float)\(|\bidx\b|\bi\b|[cC]onditions?\b|[cC]lauses?\b|[cC]olumns?\b|[fF]ields?\b|[wW]here\b|[fF]ilters\b|"
    r"[sS]chema|[oO]rderBy|[jJ]oins?\b|\blimit\b|\boffset\b|prefix|alias",
)


@refines("injection.sql-from-request", where=IN_PROGRAMS, shows=flow.reads_a_request)
def sql_from_request(candidate: Candidate) -> Match | None:
    """A statement with a part of a request joined into it."""
    text = _statement(candidate)
    if text is None:
        return None
    for _, value in text.values:
        source = flow.from_request(value)
        if source is not None and not _is_allow_listed(value, source):
            return told(candidate, source, "stands in the text of a SQL statement")
    return None


@refines("injection.sql-joined", where=OUTSIDE_SCRIPTS)
def sql_joined(candidate: Candidate) -> Match | None:
    """A statement with a value joined into it that is neither a placeholder nor plainly a constant."""
    text = _statement(candidate)
    if text is None:
        return None
    for before, value in text.values:
        plain = value.text()
        if CONSTANT.match(plain) or _PLACEHOLDERS.search(plain) or not _VALUE_PLACE.search(before) or _is_number(value):
            continue
        if _NAME_PLACE.search(before.rstrip("\"'`% (")) and not re.search(r"=\s*[\"']?$", before):
            continue
        return told(candidate, plain, "is joined into a SQL statement")
    return None


def _statement(candidate: Candidate) -> Text | None:
    """The SQL text that a call runs, where it is joined from parts."""
    held = candidate.node.field("arguments")
    if held is None or held.kind() == "template_string":
        return None
    given = calls.arguments(candidate.node)
    if not given:
        return None
    first = given[0]
    if first.kind() == "object":
        first = calls.value_of(first, "text") or calls.value_of(first, "sql") or first
    text = text_of(first, HOPS)
    if text is None or not text.values or not _SQL.search(text.literal):
        return None
    return text


def _is_allow_listed(value: SgNode, source: str) -> bool:
    """Whether the value is one of a fixed set by the time it is joined."""
    for name in {value.text(), source.rsplit(".", maxsplit=1)[-1], source}:
        if re.fullmatch(r"[\w.$]+", name) is None:
            continue
        escaped = re.escape(name)
        function = enclosing_function(value)
        if function is not None and re.search(
            rf"(?:\.(?:includes|has)|\b(?:is[A-Z]\w*|validate\w*|assert\w*))\s*\(\s*{escaped}\b|\b{escaped}\s+in\s+\w|\w\[\s*{escaped}\s*\]|"
            rf"\bswitch\s*\(\s*{escaped}\b|{escaped}\s*(?:as\s+\w+\s*)?[=!]==?\s*[\"'](?!undefined|[\"'])",
            function.text(),
        ):
            return True
    return False


def _is_number(value: SgNode) -> bool:
    plain = value.text()
    if value.kind() == "number" or re.search(r"\.length$|^\d", plain):
        return True
    declared = flow.declaration(plain, value) if value.kind() == "identifier" else None
    return (
        declared is not None
        and re.match(r"(?:Number|parseInt|parseFloat|int|float|Math\.\w+)\(|\d", declared.text()) is not None
    )
