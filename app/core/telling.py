"""A finding ─► what people read of it: the headline, the parts of its kind's answer in their order, what is missing, the proof.

All text of models and strangers passes `app.core.gate` here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from app.core import destructive, gate
from app.core.finding import Finding, Fix, Kind, Patch, Side, TestFile, VerifiedFinding
from app.core.layout import SCREEN_LINES, beside, fit, fold, folded, titled
from app.core.wording import capitalised, enumerated, grouped, uncapitalised

LONGEST_EXPLANATION = 2_000
LONGEST_OVERVIEW = 600
LONGEST_PATH = 160
MOST_ASSUMPTIONS = 3
_ESSENTIAL = {
    Kind.BUG: ("repro", "root_cause", "patch", "tests", "risk"),
    Kind.PERFORMANCE: ("measure", "change", "risk"),
    Kind.DESIGN: ("trade_off", "alternative", "migration"),
}
NO_ANSWER = "no answer was written for this finding"
BY_HAND = "When you correct it by hand"
ASKING = "`/explain` `/fix` `/ignore`"
NO_REASON = "no reason was given"
_CODE_LINE = re.compile(r"^(?!\s*(?:[-*+]|\d+[.)])\s)(?:.*[;{}()\[\],]\s*$|\s*(?://|#|/\*|--)|\s{2,}\S)")


def correction(found: VerifiedFinding) -> str:
    """What whoever asks for a fix reads: the patch with its test and its risk; or why there is none, and what to do instead."""
    fix = found.fix or Fix()
    if fix.patch is None:
        reason = dict(fix.missing).get("patch", "it takes more than a change of these lines")
        parts = [f"No patch: {gate.line(reason, longest=LONGEST_OVERVIEW).rstrip('.')}."]
    else:
        parts = [_patch(fix.patch, committable=True)]
    parts += [titled("Change", fix.change), titled("Alternative", fix.alternative), titled("Migration", fix.migration)]
    parts += [*(_test(test) for test in fix.tests), folded("Risk and trade-offs" if fix.patch else BY_HAND, fix.risk)]
    return fit([*parts, destructive.caution(*_words_of(found))])


def rule_of(finding: Finding) -> str:
    """The rule that found it, as a headline and a table name it; empty where none did."""
    return f" · {gate.span(finding.rule)}" if finding.rule else ""


def place_of(found: VerifiedFinding) -> str:
    """Where it stands, as a reader looks for it; a removed line has its number on the other side."""
    where = gate.span(f"{shortened(found.anchor.path)}:{found.anchor.start_line}")
    return f"{where} (removed)" if found.anchor.side is Side.LEFT else where


def shortened(path: str) -> str:
    """A path as it is shown: of a very long one, its end."""
    return path if len(path) <= LONGEST_PATH else f"…{path[-LONGEST_PATH:]}"


def parts_of(found: VerifiedFinding, *, committable: bool) -> list[str]:
    """Headline, assumptions, explanation, the parts of the kind's answer in their order, what is missing, the proof."""
    finding, fix = found.finding, found.fix or Fix()
    parts = [headline(finding), _assumptions(finding), gate.clean(finding.explanation, longest=LONGEST_EXPLANATION)]
    patch, tests = _patch(fix.patch, committable=committable), [_test(test) for test in fix.tests]
    match finding.kind:
        case Kind.BUG:
            parts += [_code_part("Repro", fix.repro, finding.path), titled("Root cause", fix.root_cause), patch, *tests]
            parts.append(folded("Risk and trade-offs", fix.risk))
        case Kind.PERFORMANCE:
            parts += [titled("Measure", fix.measure), titled("Change", fix.change), patch, *tests]
            parts.append(titled("Expected risk", fix.risk))
        case Kind.DESIGN:
            parts += [titled("Trade-off", fix.trade_off), titled("Alternative", fix.alternative), patch]
            parts += [titled("Migration", fix.migration), _api(fix), *tests]
    parts += [
        _missing(finding.kind, found.fix),
        destructive.caution(*_words_of(found)),
        _closing(found, asking=committable),
    ]
    return [part for part in parts if part]


def headline(finding: Finding) -> str:
    """Severity, category, rule and title in one bold line."""
    head = f"{finding.severity.mark} {finding.severity.capitalize()} · {finding.category.short}{rule_of(finding)}"
    return f"**{head}** — {gate.line(finding.title)}"


def _assumptions(finding: Finding) -> str:
    said = [gate.line(text, longest=LONGEST_OVERVIEW).rstrip(".") for text in finding.assumptions[:MOST_ASSUMPTIONS]]
    return "\n\n".join(f"Assuming that {uncapitalised(text)}." for text in said if text)


def _code_part(title: str, text: str, path: str) -> str:
    """The same for a part that may be bare code, which Markdown would take for prose."""
    return titled(title, gate.fence(text.strip("\n"), _language(path)) if _is_code(text) else text)


def _is_code(text: str) -> bool:
    lines = [line for line in text.splitlines() if line.strip()]
    return "`" not in text and bool(lines) and all(_CODE_LINE.search(line) for line in lines)


def _language(path: str) -> str:
    name = path.rpartition("/")[2]
    return name.rpartition(".")[2] if "." in name else ""


def _patch(patch: Patch | None, *, committable: bool) -> str:
    """The patch: to be committed with one click where that is right, else as a diff that says why not."""
    if patch is None:
        return ""
    if patch.suggestion and committable:
        return gate.suggestion(patch.replacement)
    diff = gate.fence(patch.diff, "diff")
    why = "" if patch.suggestion else f"not committable here: {gate.line(patch.reason)}"
    if diff.count("\n") >= SCREEN_LINES:
        return fold("Patch", f"{capitalised(why)}\n{diff}".strip())
    return f"**Patch**{', ' if why else ''}{why}\n{diff}"


def _test(test: TestFile) -> str:
    code = gate.fence(test.content, test.language)
    return fold("Test that proves it", f"{gate.span(shortened(test.path))}\n{code}" if test.path else code)


def _api(fix: Fix) -> str:
    """What only an API has, in one fold."""
    parts = _parts_of_an_api(fix).items()
    told = [beside(part.capitalize(), gate.clean(text)) for part, text in parts if text.strip()]
    return fold("The API", "\n\n".join(told)) if told else ""


def _parts_of_an_api(fix: Fix) -> dict[str, str]:
    return {
        "resources": fix.resources,
        "versioning": fix.versioning,
        "paging": fix.paging,
        "limits": fix.limits,
        "routes": fix.routes,
    }


def _missing(kind: Kind, fix: Fix | None) -> str:
    """Every part that the kind's answer should have and this one has not, with the reason."""
    if fix is None:
        return f"<sub>Not given: {enumerated([_part_name(part) for part in _ESSENTIAL[kind]])} ({NO_ANSWER}).</sub>"
    of_an_api = _parts_of_an_api(fix)
    wanted = [*_ESSENTIAL[kind], *(of_an_api if any(of_an_api.values()) else ()), *(part for part, _ in fix.missing)]
    reasons = dict(fix.missing)
    lacking = [part for part in dict.fromkeys(wanted) if not getattr(fix, part, None)]
    groups = grouped(lacking, lambda part: (reasons.get(part, NO_REASON),))
    said = "; ".join(
        f"{enumerated([_part_name(part) for part in some])} ({gate.line(reasons.get(some[0], NO_REASON)).rstrip('.')})"
        for some in groups
    )
    return f"<sub>Not given: {said}.</sub>" if said else ""


def _part_name(part: str) -> str:
    return {"root_cause": "root cause", "trade_off": "trade-off", "tests": "test"}.get(part, gate.line(part))


def with_caution(told: str, finding: Finding) -> str:
    """What is told of a finding, with a warning where following it destroys something."""
    caution = destructive.caution(finding.title, finding.explanation)
    return f"{told}\n\n{caution}" if caution else told


def _words_of(found: VerifiedFinding) -> Sequence[str]:
    """Every text of a finding that a person may follow; of a patch, the lines it adds."""
    finding, fix = found.finding, found.fix or Fix()
    prose = [
        fix.repro,
        fix.root_cause,
        fix.risk,
        fix.measure,
        fix.change,
        fix.trade_off,
        fix.alternative,
        fix.migration,
    ]
    api = [fix.resources, fix.versioning, fix.paging, fix.limits, fix.routes]
    code = [*([fix.patch.replacement] if fix.patch else []), *(test.content for test in fix.tests)]
    return [finding.title, finding.explanation, *finding.assumptions, *prose, *api, *code]


def _closing(found: VerifiedFinding, *, asking: bool) -> str:
    """What was proven; in a thread, also what can be asked there."""
    patch = found.fix.patch if found.fix else None
    proven = ["Patch applies and parses"] if patch is not None and patch.suggestion else []
    said = " · ".join(
        [*proven, _proof(found), f"confidence {found.finding.confidence:.1f}", *([ASKING] if asking else [])]
    )
    return f"<sub>{capitalised(said)}</sub>"


def _proof(found: VerifiedFinding) -> str:
    if found.finding.strong:
        return "found by a rule"
    return f"verified: {gate.line(found.verified_by, longest=120)}" if found.verified_by else "verified"
