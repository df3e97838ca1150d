"""THE STORY: how a pull request becomes a review, from top to bottom.

    change ─ select ─► context ─ render ─► prompt ─ ask ─► finding ─ verify, judge, rank ─► review ─ post ─► posted review

`review` is the engine, the same for a webhook, a comment and the command line. `review_pull` puts it between GitHub and GitHub.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from app.analysis import Scanner
from app.core import addressed, choose, comment, deceptive, evidence, fingerprint, rank, secrets
from app.core.change import Change, Intent, narrow
from app.core.finding import Elsewhere
from app.core.leaks import KnownSecrets
from app.core.options import Options
from app.core.persona import Persona
from app.core.prompt import Envelope
from app.core.pull import Comparison, Pull
from app.core.report import NotReviewed, Review
from app.core.rule import Strength
from app.core.source import ScanNote
from app.core.usage import Usage
from app.errors import MEANINGS, Code, Permanent, PrincipalError, Transient
from app.events import ReviewRequest
from app.git import Mirrors, Tree
from app.library import Library
from app.llm import Model
from app.llm.guarded import Guarded
from app.llm.models import Models
from app.stages import doubt, find, fix, post, read
from app.stages.step import AtOnce, Step
from app.telemetry import log

if TYPE_CHECKING:
    from app.github import GitHub

__all__ = ["AtOnce", "House", "Outcome", "Reviewer", "Step", "read_pull", "review", "review_pull", "settle"]


@dataclass(frozen=True, slots=True)
class Reviewer:
    """What a review is made with, the same for every way in. `clock` gives monotonic seconds."""

    library: Library
    models: Models
    scanner: Scanner
    secret_key: bytes
    version: str
    clock: Callable[[], float]
    most_tokens: int
    options: Options = field(default_factory=Options)
    known_secrets: KnownSecrets = field(default_factory=KnownSecrets)


@dataclass(frozen=True, slots=True)
class House:
    """What a review of a pull request needs besides: the doors to GitHub and to git."""

    reviewer: Reviewer
    github: Callable[[ReviewRequest], Awaitable[GitHub]]
    mirrors: Mirrors


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a review ended, for the job's record."""

    state: Literal["posted", "already", "superseded", "skipped", "failed"]
    code: str = ""
    detail: str = ""
    review_id: int | None = None


async def review(change: Change, *, tree: Tree | None, reviewer: Reviewer, step: Step, asked: str = "") -> Review:
    """Everything there is to say about a change, proven, in order.

    `tree` is where the code can be read, None for a bare diff; `asked` is what the person wrote after `/review`.
    """
    started = reviewer.clock()
    change = narrow(change, asked)
    library, options = reviewer.library, reviewer.options
    models = reviewer.models.through(lambda model: Guarded(model, reviewer.known_secrets))
    rules = {rule.id: rule for rule in (*library.rules, *deceptive.RULES)}
    envelope = _envelope(change, reviewer)

    reading = read.Reading(change, await read.code(change, tree=tree), tree, reviewer.scanner, options)
    seen = await read.evidence(reading, rules=library.rules, step=step)
    strong = [one for one in seen.new if one.strength is Strength.STRONG]
    by_rules = await fix.by_rules(strong, reading=reading, rules=rules)
    before = evidence.pre_existing(seen.existing, rules)
    spoken = tuple(filter(None, [addressed.note(change)]))
    if models.review is None:
        ranked = rank.rank(rank.merge(by_rules), comments=options.comments)
        seconds = reviewer.clock() - started
        return _by_rules_alone(change, ranked, before, seen.notes, spoken=spoken, seconds=seconds)

    text = f"{choose.added_text(change)}\n{reading.code.openings()}"
    personas = choose.choose(library.personas, change, added_text=text, asked=asked)
    speaking, notes = _voices(personas, models)
    claims = await find.find(
        reading,
        groups=find.groups(
            personas,
            models=speaking,
            task=library.tasks["review"],
            rules=library.rules,
            text=text,
        ),
        evidence=seen.new if options.evidence else (),
        rules=rules,
        envelope=envelope,
        summary_task=library.tasks["summarise"],
        most_tokens=reviewer.most_tokens,
        step=step,
    )
    judged = (
        await doubt.doubt(
            claims,
            reading=reading,
            model=models.verify or models.review,
            task=library.tasks["verify"],
            envelope=envelope,
            step=step,
        )
        if options.verify
        else doubt.believe(claims, reading=reading)
    )
    ranked = rank.rank(rank.merge((*by_rules, *judged.verified)), comments=options.comments)
    said, fix_usage = (
        await fix.fix(
            ranked.said,
            reading=reading,
            model=models.review,
            task=library.tasks["fix"],
            persona=choose.fixer(library.personas, change),
            envelope=envelope,
            step=step,
        )
        if options.fix
        else (ranked.said, Usage())
    )
    return Review(
        base=change.base,
        head=change.head,
        said=said,
        folded=ranked.folded,
        elsewhere=judged.elsewhere,
        pre_existing=before,
        rejected=(*judged.rejected, *ranked.rejected),
        skipped=change.skipped,
        not_reviewed=(*claims.not_reviewed, *judged.not_reviewed),
        hunks=change.hunks,
        hunks_reviewed=change.hunks - len(claims.missed | judged.missed),
        overview=claims.overview,
        personas=tuple(persona.title for persona in personas),
        models=tuple(dict.fromkeys((*claims.models, *judged.models))),
        notes=(*spoken, *notes, *(f"Rules did not see {note.subject}: {note.reason}" for note in seen.notes)),
        usage=claims.usage + judged.usage + fix_usage,
        seconds=reviewer.clock() - started,
    )


async def review_pull(
    request: ReviewRequest, *, pull: Pull, house: House, step: Step, told: Callable[[Review], None] = lambda _: None
) -> Outcome:
    """A pull request reviewed and answered on GitHub: posted, overtaken, or with the reason why not where a person sees it.

    `pull` is what GitHub said of it when the request came in; `told` hears of the finished review before it is posted. What
    may go better later is raised as `Transient`; whoever gives up calls `settle`.
    """
    if not pull.is_open:
        return Outcome("skipped", detail="the pull request is closed")
    github = await house.github(request)
    check = await post.start_check(request, repository=pull.repository, head=pull.head_sha, github=github, step=step)
    try:
        change, tree = await read_pull(pull, github=github, house=house, step=step)
        found = await review(change, tree=tree, reviewer=house.reviewer, step=step, asked=request.arguments)
        told(found)
        if _nothing_came_of(found):
            raise _first_failure(found)
        _refuse_to_leak(found, house.reviewer)
        posted = await post.post(
            found,
            request=request,
            repository=pull.repository,
            key=house.reviewer.secret_key,
            version=house.reviewer.version,
            github=github,
            step=step,
        )
    except Transient:
        raise
    except PrincipalError as error:
        await _finish(_failure(error), check=check, github=github, step=step)
        return Outcome("failed", code=error.code, detail=error.what)
    await _finish(_check_text(posted, found, house.reviewer.version), check=check, github=github, step=step)
    return _outcome(posted)


async def settle(request: ReviewRequest, text: comment.CheckText, *, check: post.Check, house: House) -> None:
    """The check run of a review that was given up, ended with this text, so that nothing stays in progress for ever."""
    await post.finish_check(text, check=check, github=await house.github(request))


async def _finish(text: comment.CheckText, *, check: post.Check, github: GitHub, step: Step) -> None:
    await step.run(
        "finish check",
        lambda: post.finish_check(text, check=check, github=github),
        type(None),
        preemptible=False,
    )


async def read_pull(pull: Pull, *, github: GitHub, house: House, step: Step) -> tuple[Change, Tree]:
    """The change as git tells it, with the author's intent as GitHub tells it."""
    comparison = await step.run(
        "compare", lambda: github.compare(pull.repository, pull.base_sha, pull.head_sha), Comparison
    )
    tree = await house.mirrors.open(
        pull.repository,
        repository_id=pull.repository_id,
        number=pull.number,
        base=comparison.merge_base,
        head=pull.head_sha,
        default_branch=pull.default_branch,
        token=await github.git_token(pull.repository),
    )
    intent = Intent(pull.title, pull.body, comparison.commit_messages, pull.head_ref, pull.labels)
    return await read.change(tree, base=comparison.merge_base, head=pull.head_sha, intent=intent), tree


def _envelope(change: Change, reviewer: Reviewer) -> Envelope:
    """The fence for this change's text, which also takes secrets out: a model has no use for them."""
    nonce = fingerprint.nonce(key=reviewer.secret_key, base=change.base, head=change.head)
    return Envelope(nonce, redact=secrets.redact)


def _voices(personas: tuple[Persona, ...], models: Models) -> tuple[Mapping[str, Model], tuple[str, ...]]:
    """Which model speaks for each persona, and a note for each that names one nobody configured."""
    speaking: dict[str, Model] = {}
    notes: list[str] = []
    for persona in personas:
        own = models.named(persona.model) if persona.model and persona.trusted else None
        speaking[persona.name] = own or _default(models)
        if persona.model and own is None:
            notes.append(f"{persona.title} asks for {persona.model}, which is not configured here")
    return speaking, tuple(notes)


def _default(models: Models) -> Model:
    if models.review is None:
        raise AssertionError("without a model the review is by rules alone")
    return models.review


def _by_rules_alone(
    change: Change,
    ranked: rank.Ranked,
    before: tuple[Elsewhere, ...],
    notes: Sequence[ScanNote],
    *,
    spoken: tuple[str, ...],
    seconds: float,
) -> Review:
    unseen = {note.subject: note.reason for note in notes}
    missed = tuple(
        NotReviewed(file.path, len(file.hunks), unseen[file.path], Code.ANALYSIS_FAILED)
        for file in change.files
        if file.path in unseen
    )
    return Review(
        base=change.base,
        head=change.head,
        said=ranked.said,
        folded=ranked.folded,
        pre_existing=before,
        rejected=ranked.rejected,
        skipped=change.skipped,
        not_reviewed=missed,
        hunks=change.hunks,
        hunks_reviewed=change.hunks - sum(one.hunks for one in missed),
        by_rules=True,
        notes=(*spoken, *(f"{name}: {why}" for name, why in unseen.items() if change.file(name) is None)),
        seconds=seconds,
    )


def _nothing_came_of(found: Review) -> bool:
    """Whether every hunk failed and no rule has anything to say either: then there is no review to post."""
    return bool(found.hunks) and not found.hunks_reviewed and not found.findings


def _first_failure(found: Review) -> PrincipalError:
    first: NotReviewed = found.not_reviewed[0]
    return Permanent(Code(first.code), first.reason)


def _refuse_to_leak(found: Review, reviewer: Reviewer) -> None:
    """Raises when anything of the review would say one of this server's own secrets, whoever wrote it."""
    if reviewer.known_secrets.leaks("\n".join(comment.texts(found, version=reviewer.version))):
        log.error("output_blocked")
        raise Permanent(Code.OUTPUT_BLOCKED_SECRET, "The review would have repeated one of this server's own secrets")


def _failure(error: PrincipalError) -> comment.CheckText:
    """The failure told in the check run: what, why, what to do, and its code."""
    meaning = MEANINGS[error.code]
    return comment.failed(code=error.code, what=error.what, why=meaning.why, action=meaning.action)


def _check_text(posted: post.Posted, found: Review, version: str) -> comment.CheckText:
    match posted.state:
        case "superseded":
            return comment.superseded(posted.head or "")
        case "closed":
            return comment.skipped("the pull request was closed in the meantime")
        case _:
            return comment.check(found, version=version)


def _outcome(posted: post.Posted) -> Outcome:
    match posted.state:
        case "closed":
            return Outcome("skipped", detail="the pull request was closed in the meantime")
        case state:
            return Outcome(state, review_id=posted.review_id)
