"""A detector and a file in, the matches out."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from itertools import islice

from ast_grep_py import SgNode

from app.analysis import places
from app.analysis.context import Candidate, FileContext, Match, exported_name
from app.analysis.probe import Probe
from app.analysis.refine import is_asked, refine, search, shows
from app.analysis.watch import MATCHES_PER_DETECTOR_AND_FILE, Watch
from app.analysis.where import anywhere
from app.core import evidence
from app.core.rule import Detector

MOST_CANDIDATES = 20_000
_VARIABLE = re.compile(r"(?<!\$)\$([A-Z_][A-Z0-9_]*)")


def is_worth_a_tree(probe: Probe, file: FileContext, watch: Watch) -> bool:
    """Whether the detector's step wants the file and may find something in it, as far as its text shows."""
    name = probe.detector.refine
    if not is_asked(name, file):
        return False
    asked = shows(name)
    return asked is anywhere or watch.ask(probe, file.path, partial(asked, file), otherwise=False)


def matches(detector: Detector, file: FileContext, *, most: int = MATCHES_PER_DETECTOR_AND_FILE) -> list[Match]:
    """What the detector sees in the file, at most so much of it."""
    if not detector.ast:
        return list(islice(search(detector.refine)(file), most))
    found: list[Match] = []
    step = refine(detector.refine)
    if file.finder is None:
        return found
    for node in file.finder.find(detector.ast)[:MOST_CANDIDATES]:
        refined = step(Candidate(file, node))
        if refined is not None:
            found.append(_told(refined, detector, node))
        if len(found) >= most:
            break
    return found


def _told(match: Match, detector: Detector, node: SgNode) -> Match:
    """The match with what the templates may name; where refining gave none, with the template's replacement and title."""
    told = {**places.captures(node), "exported": exported_name(node)}
    captures = {**told, **_variables(detector, node), **match.captures}
    replacement = match.replacement
    if replacement is None and detector.answer.replacement and not match.why_no_patch:
        replacement = evidence.fill(detector.answer.replacement, captures)
    note = match.note or evidence.fill(detector.answer.title, captures)
    return replace(match, captures=captures, replacement=replacement, note=note)


def _variables(detector: Detector, node: SgNode) -> dict[str, str]:
    """What the pattern's metavariables stand for: `$URL` is `{URL}` in a template."""
    found: dict[str, str] = {}
    for name in set(_VARIABLE.findall(str(detector.ast))):
        held = node.get_match(name)
        if held is not None:
            found[name] = held.text()
    return found
