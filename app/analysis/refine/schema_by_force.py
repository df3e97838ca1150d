"""Rule `schema-evolution`: tables that are dropped and made anew at each start."""

from __future__ import annotations

import re

from app.analysis import calls, where
from app.analysis.context import Candidate, Match
from app.analysis.refine import refines
from app.analysis.refine.crypto import only_in_development
from app.analysis.roles import Role


@refines("schema-evolution.sync-force", where=where.outside((Role.TEST, Role.EXAMPLE)))
def sync_force(candidate: Candidate) -> Match | None:
    """`sequelize.sync({ force: true })` outside tests and development."""
    given = calls.arguments(candidate.node)
    if len(given) != 1 or given[0].kind() != "object":
        return None
    force = calls.value_of(given[0], "force")
    if force is None or force.text() != "true" or only_in_development(candidate.node):
        return None
    if not re.search(r"sequelize", candidate.file.text, re.IGNORECASE) or re.search(
        r"seed|fixture|reset", candidate.file.path, re.IGNORECASE
    ):
        return None
    return candidate.match(
        captures={"call": calls.callee(candidate.node)},
        note="`force: true` drops the tables first",
        why_no_patch="what takes its place is a migration",
    )
