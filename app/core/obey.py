"""What a policy makes of rules and findings: which rules speak, how severe their findings are, and what is not said.

rules    ── speaking ─► those that are not off everywhere
findings ── obey ─────► Obeyed(kept with the policy's severity, rejected with the policy's key)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.core.finding import Filter, Rejected, VerifiedFinding
from app.core.options import Options
from app.core.policy import Policies, Policy
from app.core.rule import Evidence, Rule


@dataclass(frozen=True, slots=True)
class Obeyed:
    """The findings that the policy lets through, and the others."""

    kept: tuple[VerifiedFinding, ...]
    rejected: tuple[Rejected, ...] = ()


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


def speaking(rules: Sequence[Rule], policy: Policy) -> tuple[Rule, ...]:
    """The rules that are not off in the whole repository."""
    off = {name for name, choice in policy.rules.items() if choice.off}
    return tuple(rule for rule in rules if rule.id not in off)


def heard(seen: Sequence[Evidence], policies: Policies) -> tuple[Evidence, ...]:
    """What detectors saw, where their rules may speak."""
    return tuple(one for one in seen if policies.of(one.path).says(one.rule))


def chosen(options: Options, policy: Policy) -> Options:
    """The options of a review as the policy sets them."""
    return replace(options, comments=policy.max_comments, effort=policy.effort or options.effort)
