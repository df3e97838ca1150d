"""What a scan needs of a rule: its detectors, one by one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from app.core.rule import Detector, Rule


@dataclass(frozen=True, slots=True)
class Probe:
    """A detector and the id of its rule: what the scan needs of a rule, and nothing else."""

    rule: str
    detector: Detector


def probes(rules: Iterable[Rule]) -> tuple[Probe, ...]:
    """The detectors of the rules, one by one."""
    return tuple(Probe(rule.id, detector) for rule in rules for detector in rule.detectors)
