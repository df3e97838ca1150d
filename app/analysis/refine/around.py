"""Refine steps for detectors whose pattern says it all, but only in code of one part: served, tests, a request's handler."""

from __future__ import annotations

from app.analysis import flow, where
from app.analysis.context import Candidate, Match
from app.analysis.refine import refines
from app.analysis.roles import Role

_QUIET = frozenset((Role.TEST, Role.EXAMPLE))


@refines("around.served", where=where.served)
def served(candidate: Candidate) -> Match | None:
    """Anything in code that a service may run."""
    return candidate.match()


@refines("around.server", where=where.only(Role.SERVER))
def server(candidate: Candidate) -> Match | None:
    """Anything in code that something shows to be a service's."""
    return candidate.match()


@refines("around.shipped", where=where.outside(_QUIET))
def shipped(candidate: Candidate) -> Match | None:
    """Anything outside tests and examples: also in scripts and pages."""
    return candidate.match()


@refines("around.handler", where=where.served)
def handler(candidate: Candidate) -> Match | None:
    """Anything that runs while a request waits: directly in the function that answers it."""
    if flow.handler_around(candidate.node) is None:
        return None
    return candidate.match()


@refines("around.test", where=where.only(Role.TEST))
def test(candidate: Candidate) -> Match | None:
    """Anything in a test."""
    return candidate.match()
