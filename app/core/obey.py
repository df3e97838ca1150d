"""What a policy makes of rules and findings: which rules speak, how severe their findings are, and what is not said.

rules    ── speaking ─► those that are not off everywhere
paths    ── wishes ───► what reviewers of these files are told
findings ── obey ─────► Obeyed(kept with the policy's severity, rejected with the policy's key)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.core.finding import Filter, Rejected, VerifiedFinding
from app.core.options import EFFORTS, Options
from app.core.policy import Policies, Policy
from app.core.rule import Evidence, Rule


@dataclass(frozen=True, slots=True)
class Obeyed:
    """The findings that the policy lets through, and the others."""

    kept: tuple[VerifiedFinding, ...]
    rejected: tuple[Rejected, ...] = ()


@dataclass(frozen=True, slots=True)
class Wish:
    """An instruction of the policy, and the files of the change that it is about."""

    text: str
    paths: tuple[str, ...]


def obey(found: Sequence[VerifiedFinding], policies: Policies) -> Obeyed:
    """The findings as the policy of their file wants them."""
    kept: list[VerifiedFinding] = []
    rejected: list[Rejected] = []
    for one in found:
        applies, finding = policies.of(one.finding.path), one.finding
        finding = replace(finding, severity=applies.severity(finding.rule, finding.severity))
        if not applies.says(finding.rule):
            rejected.append(Rejected(finding, "its rule is off here (`rules`)", Filter.POLICY))
        elif finding.severity.rank > applies.min_severity.rank:
            rejected.append(Rejected(finding, "less severe than `min_severity`", Filter.POLICY))
        else:
            kept.append(replace(one, finding=finding))
    return Obeyed(tuple(kept), tuple(rejected))


def speaking(rules: Sequence[Rule], policies: Policies) -> tuple[Rule, ...]:
    """The rules that are not off in the whole repository; what is off at its root may speak in a folder that says so."""
    off = {name for name, choice in policies.root.rules.items() if choice.off}
    off -= {name for part in policies.parts for name, choice in part.policy.rules.items() if not choice.off}
    return tuple(rule for rule in rules if rule.id not in off)


def heard(seen: Sequence[Evidence], policies: Policies) -> tuple[Evidence, ...]:
    """What detectors saw, where their rules may speak."""
    return tuple(one for one in seen if policies.of(one.path).says(one.rule))


def wishes(paths: Sequence[str], policies: Policies) -> tuple[Wish, ...]:
    """The instructions that apply to some of these files, each once, with the files that it applies to."""
    by_text: dict[str, list[str]] = {}
    for path in dict.fromkeys(paths):
        for text in policies.of(path).instructions:
            by_text.setdefault(text, []).append(path)
    return tuple(Wish(text, tuple(some)) for text, some in by_text.items())


def chosen(options: Options, policy: Policy, asked: str = "") -> Options:
    """The options of a review as the policy sets them, and as whoever asked for it wrote after `/review`."""
    words = asked.lower().split()
    effort = next((one for one in EFFORTS if one in words), policy.effort or options.effort)
    return replace(options, comments=policy.max_comments, effort=effort)
