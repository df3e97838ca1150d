"""Refine steps for detectors whose pattern says it all, but only in code of one part: served, tests, a request's handler."""

from __future__ import annotations

from app.analysis import calls, flow
from app.analysis.context import Candidate, Match
from app.analysis.refine import refines
from app.analysis.roles import Role

_QUIET = frozenset((Role.TEST, Role.EXAMPLE))


@refines("around.served")
def served(candidate: Candidate) -> Match | None:
    """Anything in code that a service may run."""
    return candidate.match() if calls.is_served(candidate) else None


@refines("around.server")
def server(candidate: Candidate) -> Match | None:
    """Anything in code that something shows to be a service's."""
    return candidate.match() if candidate.file.role is Role.SERVER else None


@refines("around.shipped")
def shipped(candidate: Candidate) -> Match | None:
    """Anything outside tests and examples: also in scripts and pages."""
    return candidate.match() if candidate.file.role not in _QUIET else None


@refines("around.handler")
def handler(candidate: Candidate) -> Match | None:
    """Anything that runs while a request waits: directly in the function that answers it."""
    if not calls.is_served(candidate) or flow.handler_around(candidate.node) is None:
        return None
    return candidate.match()


@refines("around.test")
def test(candidate: Candidate) -> Match | None:
    """Anything in a test."""
    return candidate.match() if candidate.file.role is Role.TEST else None
