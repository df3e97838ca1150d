"""Review → SARIF 2.1.0, the form that code scanning and editors read.

What the standard asks for and is easily missed: the braces of every message are doubled (3.11.5), a path is a URI
relative to the root (3.4.3), and a run that did not look at everything says so in its invocation (3.20.14).
See https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/sarif-v2.1.0-errata01-os-complete.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from app.core import plain
from app.core.change import Skipped
from app.core.finding import Category, Elsewhere, Finding, Patch, Severity, Side, VerifiedFinding
from app.core.fingerprint import fingerprint
from app.core.report import NotReviewed, Review
from app.core.rule import Rule

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
ROOT = "%SRCROOT%"

_LEVELS = {Severity.CRITICAL: "error", Severity.HIGH: "error", Severity.MEDIUM: "warning", Severity.LOW: "note"}
_SECURITY_SCORES = {Severity.CRITICAL: "9.5", Severity.HIGH: "8.0", Severity.MEDIUM: "5.5", Severity.LOW: "3.0"}
"""GitHub sorts security alerts by a score like CVSS's and cuts it at 9.0, 7.0 and 4.0."""
_LINK = re.compile(r"\](?=\()")

Json = dict[str, Any]


def render(review: Review, *, rules: Mapping[str, Rule], version: str, repository_root: str | None = None) -> Json:
    """The review as a SARIF log of one run. `rules` are the known rules by id; those that were hit go into the log.

    `repository_root` is the checkout's `file://` URI; without it paths are relative to a root the reader supplies.
    """
    places = _places(review)
    descriptors = _descriptors([place.finding for place in places], rules)
    positions = {descriptor["id"]: position for position, descriptor in enumerate(descriptors)}
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": _driver(review, descriptors, version=version)},
                "automationDetails": {"id": "principal/"},
                "invocations": [_invocation(review)],
                "originalUriBaseIds": {ROOT: _root(repository_root)},
                "columnKind": "unicodeCodePoints",
                "results": [_result(place, positions) for place in places],
                "properties": _about(review),
            }
        ],
    }


def render_tree(
    found: Sequence[Elsewhere], *, rules: Mapping[str, Rule], version: str, problems: Sequence[tuple[str, str]] = ()
) -> Json:
    """What a scan of a whole tree saw, as a SARIF log of one run. `problems` are subjects that were not scanned, and why."""
    places = [_Place(one.finding, "tree", one.line, one.line) for one in found]
    descriptors = _descriptors([place.finding for place in places], rules)
    positions = {descriptor["id"]: position for position, descriptor in enumerate(descriptors)}
    notified = [{"level": "error", "message": _message(f"{subject}: {why}")} for subject, why in problems]
    run = {
        "tool": {"driver": {"name": "principal", "version": version, "rules": descriptors}},
        "automationDetails": {"id": "principal/tree/"},
        "invocations": [{"executionSuccessful": not problems, "toolExecutionNotifications": notified}],
        "originalUriBaseIds": {ROOT: _root(None)},
        "columnKind": "unicodeCodePoints",
        "results": [_result(place, positions) for place in places],
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


@dataclass(frozen=True, slots=True)
class _Place:
    """A finding and where it stands; `start_line` is None where the head file has no such line."""

    finding: Finding
    placement: str
    start_line: int | None
    end_line: int | None
    note: str = ""
    verified_by: str = ""
    patch: Patch | None = None


def _places(review: Review) -> list[_Place]:
    return [
        *(_verified(found, "inline") for found in review.said),
        *(_verified(found, "folded") for found in review.folded),
        *(_elsewhere(found) for found in review.elsewhere),
    ]


def _verified(found: VerifiedFinding, placement: str) -> _Place:
    anchor = found.anchor
    patch = found.fix.patch if found.fix is not None else None
    if anchor.side is Side.LEFT:
        note = f"About line {anchor.line} of the base, which this change removes."
        return _Place(found.finding, placement, None, None, note, found.verified_by, patch)
    return _Place(found.finding, placement, anchor.start_line, anchor.line, "", found.verified_by, patch)


def _elsewhere(found: Elsewhere) -> _Place:
    return _Place(found.finding, "elsewhere", found.line, found.line, "", found.verified_by)


def _driver(review: Review, descriptors: list[Json], *, version: str) -> Json:
    codes = sorted({missed.code for missed in review.not_reviewed})
    return {
        "name": "principal",
        "version": version,
        "rules": descriptors,
        "notifications": [{"id": code} for code in codes],
    }


def _descriptors(findings: Sequence[Finding], rules: Mapping[str, Rule]) -> list[Json]:
    """One descriptor for each rule that was hit, in the order of the first hit."""
    first_hits: dict[str, Finding] = {}
    for finding in findings:
        first_hits.setdefault(_rule_id(finding), finding)
    return [_known(rules[name]) if name in rules else _unlisted(name, finding) for name, finding in first_hits.items()]


def _rule_id(finding: Finding) -> str:
    """The rule's id; what a model found with no rule in mind is filed under its category."""
    return finding.rule or f"general/{finding.category.slug}"


def _known(rule: Rule) -> Json:
    return {
        "id": rule.id,
        "shortDescription": _message(rule.title),
        "fullDescription": _message(rule.summary or rule.title),
        "help": _message("\n\n".join([rule.why, *(f"- {advice}" for advice in rule.recommend)]).strip() or rule.title),
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "properties": _classified(rule.category, rule.severity),
    }


def _unlisted(name: str, finding: Finding) -> Json:
    return {
        "id": name,
        "shortDescription": _message(finding.category.title),
        "defaultConfiguration": {"level": _LEVELS[finding.severity]},
        "properties": _classified(finding.category, finding.severity),
    }


def _classified(category: Category, severity: Severity) -> Json:
    classified: Json = {"tags": [category.slug], "priority": category.priority}
    if category is Category.SECURITY:
        classified["security-severity"] = _SECURITY_SCORES[severity]
    return classified


def _result(place: _Place, positions: Mapping[str, int]) -> Json:
    finding = place.finding
    name = _rule_id(finding)
    result: Json = {
        "ruleId": name,
        "ruleIndex": positions[name],
        "level": _LEVELS[finding.severity],
        "rank": round(finding.confidence * 100, 1),
        "message": _message(_told(place)),
        "locations": [{"physicalLocation": _physical(place)}],
        "partialFingerprints": {"principalFingerprint/v1": fingerprint(finding)},
        "properties": _properties(place),
    }
    if place.patch is not None and place.patch.suggestion:
        result["fixes"] = [_fix(place.patch)]
    return result


def _told(place: _Place) -> str:
    """The title as a sentence of its own, because code scanning shows only the first one in its lists."""
    finding = place.finding
    title = finding.title if finding.title.endswith((".", "!", "?")) else f"{finding.title}."
    assumptions = [f"Assuming: {assumption}" for assumption in finding.assumptions]
    parts = [title, place.note, finding.explanation, finding.scenario, *assumptions]
    return "\n\n".join(part for part in parts if part)


def _physical(place: _Place) -> Json:
    physical: Json = {"artifactLocation": _artifact(place.finding.path)}
    if place.start_line is not None:
        physical["region"] = _region(place)
    return physical


def _region(place: _Place) -> Json:
    region: Json = {"startLine": place.start_line, "endLine": place.end_line}
    if place.finding.quote:
        region["startColumn"] = column(place.finding.quote)
        region["snippet"] = {"text": plain.said(place.finding.quote)}
    return region


def column(quoted: str) -> int:
    """The 1-based column at which quoted code starts, told from its indentation."""
    first = quoted.split("\n", 1)[0]
    return len(first) - len(first.lstrip(" \t")) + 1


def _properties(place: _Place) -> Json:
    finding = place.finding
    return {
        "kind": finding.kind.value,
        "category": finding.category.slug,
        "severity": finding.severity.value,
        "confidence": finding.confidence,
        "placement": place.placement,
        "source": plain.said(finding.source),
        "verifiedBy": plain.said(place.verified_by),
    }


def _fix(patch: Patch) -> Json:
    replacement: Json = {"deletedRegion": _replaced(patch)}
    if patch.replacement:
        replacement["insertedContent"] = {"text": plain.well_formed(patch.replacement)}
    return {
        "description": _message("Replace these lines."),
        "artifactChanges": [{"artifactLocation": _artifact(patch.path), "replacements": [replacement]}],
    }


def _replaced(patch: Patch) -> Json:
    """Whole lines: without the last newline when text takes their place, with it when they go (3.30.8)."""
    if patch.replacement:
        return {"startLine": patch.start_line, "startColumn": 1, "endLine": patch.end_line}
    return {"startLine": patch.start_line, "startColumn": 1, "endLine": patch.end_line + 1, "endColumn": 1}


def _invocation(review: Review) -> Json:
    return {
        "executionSuccessful": review.complete,
        "toolExecutionNotifications": [
            *(_missed(missed) for missed in review.not_reviewed),
            *(_skipped(skipped) for skipped in review.skipped),
            *({"level": "note", "message": _message(note)} for note in review.notes if note),
        ],
    }


def _missed(missed: NotReviewed) -> Json:
    hunks = "1 hunk was" if missed.hunks == 1 else f"{missed.hunks} hunks were"
    return {
        "level": "error",
        "descriptor": {"id": missed.code},
        "message": _message(f"{hunks} not reviewed: {missed.reason} ({missed.code})"),
        "locations": [{"physicalLocation": {"artifactLocation": _artifact(missed.path)}}],
    }


def _skipped(skipped: Skipped) -> Json:
    return {
        "level": "note",
        "message": _message(f"Skipped: {skipped.reason}"),
        "locations": [{"physicalLocation": {"artifactLocation": _artifact(skipped.path)}}],
    }


def _about(review: Review) -> Json:
    return {
        "base": review.base,
        "head": review.head,
        "hunks": review.hunks,
        "hunksReviewed": review.hunks_reviewed,
        "overview": plain.said(review.overview),
        "models": list(review.models),
        "personas": list(review.personas),
    }


def _root(repository_root: str | None) -> Json:
    if repository_root is None:
        return {"description": _message("The root of the reviewed repository.")}
    return {"uri": repository_root if repository_root.endswith("/") else f"{repository_root}/"}


def _artifact(path: str) -> Json:
    """The file as a URI relative to the root; bytes of a path that are not UTF-8 are kept, percent-encoded."""
    return {"uri": quote(path.encode("utf-8", "surrogateescape"), safe="/"), "uriBaseId": ROOT}


def _message(text: str) -> Json:
    """A message that says the text as it is: no placeholder, and no link that the text smuggles in (3.11.5, 3.11.6)."""
    return {"text": _LINK.sub("] ", plain.said(text)).replace("{", "{{").replace("}", "}}")}
