"""Strong evidence in, what its rule says about it out: the finding, the parts of its fix, and where it stands.

Templates are filled in one pass: `{name}` becomes the captured text, whatever that text holds, and anything else in braces
stays as it is, since templates hold code.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from app.core.change import FileDiff
from app.core.finding import Anchor, Elsewhere, Finding, Fix, Kind, Side, TestFile
from app.core.rule import Answer, Detector, Evidence, Rule, Strength

STRONG_CONFIDENCE = 0.9
WEAK_CONFIDENCE = 0.5
LONGEST_INLINE = 60
LONGEST_CODE = 400
NOT_CALLABLE = "the code stands in nothing that a test could import and call by name"

NOT_MECHANICAL = "no change of these lines alone is sure to be what was meant"
LINES_GONE = "the lines are gone, so there is nothing that a suggestion could replace"
PART_NAMES = {
    Kind.BUG: {"test": "tests"},
    Kind.PERFORMANCE: {"repro": "measure", "root_cause": "change", "test": "tests"},
    Kind.DESIGN: {"repro": "alternative", "root_cause": "trade_off", "risk": "migration", "test": "tests"},
}
"""A rule's templates have the names of a bug's answer; what they are called in the answers of the other kinds."""

_NAME = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]{0,40})\}")


def anchor(evidence: Evidence, file: FileDiff) -> Anchor | None:
    """Where a comment on the evidence stands: its lines, as far as the first hunk that shows one of them shows them."""
    for number, hunk in enumerate(file.hunks):
        start, end = (hunk.new_start, hunk.new_end) if evidence.side is Side.RIGHT else (hunk.old_start, hunk.old_end)
        first, last = max(evidence.start_line, start), min(evidence.end_line, end)
        if first <= last:
            return Anchor(file.path, evidence.side, first, last, number)
    return None


def to_finding(evidence: Evidence, rule: Rule) -> Finding:
    """The claim that the rule makes of the evidence, in the detector's own words."""
    detector = _detector(evidence, rule)
    answer, prose = detector.answer, _prose(evidence)
    return Finding(
        kind=detector.kind or rule.kind,
        category=rule.category,
        severity=detector.severity or rule.severity,
        confidence=STRONG_CONFIDENCE if evidence.strength is Strength.STRONG else WEAK_CONFIDENCE,
        path=evidence.path,
        quote=evidence.quote,
        title=_capitalised(fill(answer.title, prose)) or rule.title,
        explanation=fill(answer.explanation, prose) or rule.summary,
        source=f"{evidence.rule}/{evidence.detector}",
        rule=rule.id,
        line=evidence.start_line,
        scenario=evidence.note,
        strong=evidence.strength is Strength.STRONG,
    )


def pre_existing(evidence: Iterable[Evidence], rules: Mapping[str, Rule]) -> tuple[Elsewhere, ...]:
    """What strong detectors saw on lines that a change left alone, the most important first."""
    found = [to_finding(one, rules[one.rule]) for one in evidence if one.strength is Strength.STRONG]
    found.sort(key=lambda finding: (finding.category.priority, finding.severity.rank))
    return tuple(Elsewhere(finding, finding.line or 1) for finding in found)


def to_fix(evidence: Evidence, rule: Rule) -> Fix:
    """The parts of the answer that the rule brings along, without the patch, which is checked first; and what is missing."""
    detector = _detector(evidence, rule)
    answer, prose, code = detector.answer, _prose(evidence), _code(evidence)
    repro, root_cause = _mixed(answer.repro, prose, code), fill(answer.root_cause, prose)
    risk, missing = fill(answer.risk, prose), _missing(evidence, answer, detector.kind or rule.kind)
    tests = _tests(answer, code)
    match detector.kind or rule.kind:
        case Kind.BUG:
            return Fix(repro=repro, root_cause=root_cause, tests=tests, risk=risk, missing=missing)
        case Kind.PERFORMANCE:
            return Fix(measure=repro, change=root_cause, tests=tests, risk=risk, missing=missing)
        case Kind.DESIGN:
            return Fix(trade_off=root_cause, alternative=repro, migration=risk, tests=tests, missing=missing)


def fill(template: str, values: Mapping[str, str]) -> str:
    """The template with each `{name}` that is among the values replaced by its text, in one pass."""
    return _NAME.sub(lambda found: values.get(found[1], found[0]), template)


def _detector(evidence: Evidence, rule: Rule) -> Detector:
    for detector in rule.detectors:
        if detector.name == evidence.detector:
            return detector
    raise KeyError(f"{rule.id} has no detector {evidence.detector}")


def _missing(evidence: Evidence, answer: Answer, kind: Kind) -> tuple[tuple[str, str], ...]:
    """The parts that the rule cannot give, with the names that a fix of this kind knows them by."""
    told = {PART_NAMES[kind].get(part, part): fill(reason, _prose(evidence)) for part, reason in answer.missing}
    if answer.test and _needs_what_is_not_there(answer.test, _code(evidence)):
        told.setdefault("tests", NOT_CALLABLE)
    why = dict(evidence.captures).get("why_no_patch")
    if why and not evidence.replacement:
        told["patch"] = why
    elif not evidence.replacement:
        told.setdefault("patch", LINES_GONE if evidence.side is Side.LEFT else NOT_MECHANICAL)
    return tuple(told.items())


def _tests(answer: Answer, code: Mapping[str, str]) -> tuple[TestFile, ...]:
    if not answer.test or _needs_what_is_not_there(answer.test, code):
        return ()
    path = fill(answer.test_path, code)
    return (
        TestFile(path, f"{fill(answer.test, code).rstrip()}\n", path.rpartition(".")[2] or code.get("language", "")),
    )


def _needs_what_is_not_there(template: str, code: Mapping[str, str]) -> bool:
    """Whether the template names something that was looked for and not found here."""
    return any(code.get(name) == "" for name in _NAME.findall(template))


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]


def _mixed(template: str, prose: Mapping[str, str], code: Mapping[str, str]) -> str:
    """A template whose fenced parts are code and whose other parts are prose."""
    parts = re.split(r"(^```[^\n]*\n.*?^```[ \t]*$)", template, flags=re.MULTILINE | re.DOTALL)
    return "".join(fill(part, code if part.startswith("```") else prose) for part in parts)


def _prose(evidence: Evidence) -> dict[str, str]:
    """Captures as they may stand inside a sentence: one line, short, no backtick that would end the code around them."""
    values = {name: _inline(text) for name, text in _captures(evidence).items()}
    where = _where(values)
    return values | {"where": where, "Where": _capitalised(where)}


def _where(values: Mapping[str, str]) -> str:
    """Where the evidence stands, as a reader would say it: a route's handler, a function, what is given to a call."""
    if route := values.get("handles"):
        return f"the handler of `{route}`"
    if function := values.get("function"):
        return f"`{function}`"
    call = values.get("given_to")
    return f"the callback of `{call}`" if call else "this code"


def _code(evidence: Evidence) -> dict[str, str]:
    """Captures as they may stand in a program: whole, but never a fence."""
    return {name: text[:LONGEST_CODE].replace("```", "'''") for name, text in _captures(evidence).items()}


def _captures(evidence: Evidence) -> dict[str, str]:
    return dict(evidence.captures) | {"line": str(evidence.start_line), "file": evidence.path}


def _inline(text: str) -> str:
    plain = re.sub(r"\s+", " ", text).replace("`", "'").strip()
    return plain if len(plain) <= LONGEST_INLINE else f"{plain[: LONGEST_INLINE - 1].rstrip()}…"
