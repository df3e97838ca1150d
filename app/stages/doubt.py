"""Doubting: each candidate is placed by its quote and put before a sceptic who sees more of the code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.core import excerpts, pieces, prompt, verify
from app.core.budget import Batch, Piece, tokens_of
from app.core.change import Change
from app.core.envelope import Envelope
from app.core.excerpts import Excerpt
from app.core.finding import Elsewhere, Filter, Finding, Rejected, VerifiedFinding
from app.core.passes import Passes
from app.core.rank import merge_candidates
from app.core.reply import SharedVerifyReply, VerifyReply
from app.core.report import NotReviewed
from app.core.usage import Usage
from app.core.verify import Beside, Placed
from app.core.votes import elect
from app.llm import Model
from app.stages import read
from app.stages.ask import Answer, ask_all, total
from app.stages.find import Claims, Material
from app.stages.read import Reading
from app.stages.step import Step

MOST_CANDIDATES = 60
"""More than this is noise: the most confident ones are looked at."""
CONTEXT_TOKENS = 1_800
"""Of code around the candidates of a small change: their functions, what they call, what the claims name."""
MORE_CONTEXT_TOKENS = 3_000
"""Of code that the reviewers did not see."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What the sceptic left standing, what it refused, and which hunks lost their candidates to a failed call."""

    verified: tuple[VerifiedFinding, ...]
    elsewhere: tuple[Elsewhere, ...]
    rejected: tuple[Rejected, ...]
    not_reviewed: tuple[NotReviewed, ...]
    missed: frozenset[tuple[str, int]]
    usage: Usage
    models: tuple[str, ...]


async def doubt(
    claims: Claims,
    *,
    reading: Reading,
    model: Model,
    opening: str,
    task: str,
    envelope: Envelope,
    passes: Passes,
    step: Step,
) -> Judged:
    """The sceptic's judgement on every claim.

    A claim nobody could judge is not said, and its hunks count as not reviewed. Where calls share a prefix the sceptic reads
    what the reviewers read; otherwise `opening` and what the candidates are about.
    """
    change = reading.change
    candidates, rejected = _place(claims, change=change, head=reading.code.lines())
    if passes.many:
        candidates, outvoted = elect(candidates, alone=passes.alone)
        rejected += outvoted
    groups = _groups(candidates, claims.read, most_at_once=passes.candidates_per_prompt)
    shared = passes.share_a_prefix(len(claims.read))
    shown = [
        await (
            _all_of_it(material, group, reading=reading)
            if shared
            else _what_it_is_about(group, opening=opening, reading=reading, envelope=envelope)
        )
        for material, group in groups
    ]
    prompts = [
        prompt.verify(
            one.system,
            one.shared,
            body=one.body,
            task=task,
            candidates=[candidate.finding for candidate in group],
            envelope=envelope,
            excerpts=one.more,
        )
        for one, (_, group) in zip(shown, groups, strict=True)
    ]
    form = SharedVerifyReply if shared else VerifyReply
    answers = await ask_all(step, "verify", [(model, one) for one in prompts], form)
    return _judged([group for _, group in groups], answers, rejected)


def believe(claims: Claims, *, reading: Reading, least_confidence: float) -> Judged:
    """Every claim that has a place and is certain enough, unjudged: a review without its sceptic."""
    candidates, rejected = _place(claims, change=reading.change, head=reading.code.lines())
    certain = [one for one in candidates if one.finding.confidence >= least_confidence]
    unsure = [one.finding for one in candidates if one.finding.confidence < least_confidence]
    placed = [one for one in certain if isinstance(one, Placed)]
    return Judged(
        verified=tuple(VerifiedFinding(one.finding, one.anchor, sources=(one.finding.source,)) for one in placed),
        elsewhere=tuple(Elsewhere(one.finding, one.line) for one in certain if isinstance(one, Beside)),
        rejected=(
            *rejected,
            *(Rejected(one, "not certain enough to be said unverified", Filter.RANK) for one in unsure),
        ),
        not_reviewed=(),
        missed=frozenset(),
        usage=Usage(),
        models=(),
    )


def _place(
    claims: Claims, *, change: Change, head: Mapping[str, Sequence[str]]
) -> tuple[list[Placed | Beside], list[Rejected]]:
    candidates: list[Placed | Beside] = []
    rejected: list[Rejected] = []
    for finding in merge_candidates(claims.findings):
        placed = verify.place(finding, change=change, shown=claims.shown, head=head)
        if isinstance(placed, Rejected):
            rejected.append(placed)
        else:
            candidates.append(placed)
    candidates.sort(key=lambda one: -one.finding.confidence)
    rejected += [Rejected(one.finding, "too many claims", Filter.DOUBT) for one in candidates[MOST_CANDIDATES:]]
    return candidates[:MOST_CANDIDATES], rejected


def _groups(
    candidates: Sequence[Placed | Beside], read: Sequence[Material], *, most_at_once: int
) -> list[tuple[Material, list[Placed | Beside]]]:
    """Candidates of one batch together, a few at a time, with what was read when they were claimed."""
    by_batch: dict[int, list[Placed | Beside]] = {}
    for candidate in candidates:
        by_batch.setdefault(_batch(candidate, read), []).append(candidate)
    return [
        (read[number], some[start : start + most_at_once])
        for number, some in sorted(by_batch.items())
        for start in range(0, len(some), most_at_once)
    ]


def _batch(candidate: Placed | Beside, read: Sequence[Material]) -> int:
    """The number of the batch that shows the candidate's hunk, or at least its file."""
    keys = [{piece.key for piece in one.batch.pieces} for one in read]
    if isinstance(candidate, Placed):
        place = (candidate.anchor.path, candidate.anchor.hunk)
        return next((number for number, some in enumerate(keys) if place in some), 0)
    path = candidate.finding.path
    return next((number for number, one in enumerate(read) if path in one.batch.paths), 0)


@dataclass(frozen=True, slots=True)
class _Shown:
    """What the sceptic reads before the candidates; `more` is code that `body` does not show."""

    system: str
    shared: str
    body: str
    more: tuple[Excerpt, ...] = ()


async def _all_of_it(material: Material, group: Sequence[Placed | Beside], *, reading: Reading) -> _Shown:
    """All that the reviewers read, letter by letter, and what stands around the candidates besides."""
    told: dict[str, set[int]] = {}
    for one in material.excerpts:
        told.setdefault(one.path, set()).update(one.lines)
    more = await read.around(
        _pieces(group, reading.change),
        reading=reading,
        budget_tokens=MORE_CONTEXT_TOKENS,
        told=excerpts.seen(material.batch.pieces, told),
    )
    return _Shown(material.system, material.shared, material.body, more)


async def _what_it_is_about(
    group: Sequence[Placed | Beside], *, opening: str, reading: Reading, envelope: Envelope
) -> _Shown:
    """What stands around the candidates in the change, the code around that, and what their words name besides."""
    shown = _near(group, reading.change)
    batch = Batch(tuple(shown), sum(map(tokens_of, shown)))
    around = await read.around(
        shown,
        reading=reading,
        budget_tokens=min(excerpts.budget(batch.tokens), CONTEXT_TOKENS),
        named=verify.names([one.finding for one in group]),
        beside=[(one.finding.path, one.line) for one in group if isinstance(one, Beside)],
    )
    shared = prompt.shared(reading.change, envelope=envelope, background=reading.background)
    wishes = reading.wishes(batch.paths)
    return _Shown(prompt.system(opening), shared, prompt.body(batch, envelope=envelope, excerpts=around, wishes=wishes))


def _near(group: Sequence[Placed | Beside], change: Change) -> list[Piece]:
    """The parts of the change around the group's candidates; for one beside the diff, the hunk nearest to it."""
    near = list(pieces.around([one.anchor for one in group if isinstance(one, Placed)], change))
    for candidate in group:
        file = change.file(candidate.finding.path)
        if isinstance(candidate, Beside) and file is not None:
            piece = pieces.nearest(file, candidate.line)
            if piece is not None and piece.key not in {one.key for one in near}:
                near.append(piece)
    return near


def _pieces(group: Sequence[Placed | Beside], change: Change) -> list[Piece]:
    """The hunks the group's candidates stand in; for one beside the diff, all hunks of its file."""
    wanted: dict[tuple[str, int], Piece] = {}
    for candidate in group:
        file = change.file(candidate.finding.path)
        if file is None:
            continue
        numbers = [candidate.anchor.hunk] if isinstance(candidate, Placed) else range(len(file.hunks))
        for number in numbers:
            wanted[file.path, number] = Piece(file, number, 0, len(file.hunks[number].body))
    return [wanted[key] for key in sorted(wanted)]


def _judged(
    groups: Sequence[Sequence[Placed | Beside]], answers: Sequence[Answer[VerifyReply]], rejected: list[Rejected]
) -> Judged:
    verified: list[VerifiedFinding] = []
    elsewhere: list[Elsewhere] = []
    unjudged: list[NotReviewed] = []
    missed: set[tuple[str, int]] = set()
    for group, answer in zip(groups, answers, strict=True):
        if answer.reply is None:
            hunks = {one.anchor.hunk for one in group if isinstance(one, Placed)}
            unjudged.append(_unjudged(group[0].finding, max(len(hunks), 1), answer))
            missed |= {(group[0].finding.path, hunk) for hunk in hunks}
            rejected += [Rejected(one.finding, f"could not be verified: {answer.what}", Filter.DOUBT) for one in group]
            continue
        verdicts = verify.by_number(answer.reply.verdicts, len(group))
        for candidate, verdict in zip(group, verdicts, strict=True):
            match verify.judge(candidate, verdict):
                case VerifiedFinding() as found:
                    verified.append(found)
                case Elsewhere() as found:
                    elsewhere.append(found)
                case Rejected() as refused:
                    rejected.append(refused)
    return Judged(
        verified=tuple(verified),
        elsewhere=tuple(elsewhere),
        rejected=tuple(rejected),
        not_reviewed=tuple(unjudged),
        missed=frozenset(missed),
        usage=total(answers),
        models=tuple(dict.fromkeys(answer.model for answer in answers if answer.reply is not None)),
    )


def _unjudged(finding: Finding, hunks: int, answer: Answer[VerifyReply]) -> NotReviewed:
    return NotReviewed(finding.path, hunks, f"what was found could not be verified: {answer.what}", answer.code)
