"""THE STORY: how a pull request becomes a review, from top to bottom.

    change ─ select ─► context ─ render ─► prompt ─ ask ─► finding ─ verify, judge, rank ─► review ─ post ─► posted review

`review` is the engine, the same for a webhook, a comment and the command line. `review_pull` puts it between GitHub and GitHub.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from app.analysis import Scanner
from app.core import (
    addressed,
    choose,
    comment,
    deceptive,
    evidence,
    fingerprint,
    notice,
    obey,
    own_skills,
    secrets,
    silence,
    supply_chain,
)
from app.core.admit import Scope, Skip, admit
from app.core.background import Background
from app.core.change import Change, Intent, narrow
from app.core.envelope import Envelope
from app.core.finding import Elsewhere, Severity
from app.core.forecast import Ready
from app.core.leaks import KnownSecrets
from app.core.options import Options
from app.core.passes import asked_for, passes
from app.core.persona import Persona
from app.core.policy import EVERYTHING, Policies
from app.core.policy_files import InForce, PolicyFiles, in_force
from app.core.pull import Comparison, Pull
from app.core.report import NotReviewed, Review
from app.core.rule import Strength
from app.core.source import ScanNote
from app.core.usage import Usage
from app.core.weigh import Known, Weighed, weigh
from app.errors import MEANINGS, Code, Permanent, PrincipalError, Transient
from app.events import Place, Question, ReviewRequest
from app.git import Mirrors, Tree
from app.library import Library
from app.llm import Model
from app.llm.guarded import Guarded
from app.llm.models import Models
from app.llm.purse import OwnPocket, Purse
from app.stages import doubt, find, fix, govern, post, read, recall, summarise, talk, triage
from app.stages.diary import Diary, NoDiary, Noted
from app.stages.memory import Memory, NoMemory
from app.stages.step import AtOnce, Step
from app.telemetry import log

if TYPE_CHECKING:
    from app.github import GitHub

__all__ = [
    "AtOnce",
    "House",
    "Outcome",
    "Read",
    "Reviewer",
    "Step",
    "governed",
    "read_pull",
    "review",
    "review_pull",
]

PUSH = "push"
"""The trigger of a review that nobody asked for: only what is new is read."""
ENDS: Mapping[str, Literal["rocket", "confused"]] = {
    "posted": "rocket",
    "already": "rocket",
    "quiet": "rocket",
    "failed": "confused",
}
"""What whoever asked for a review sees on their comment when it is over. One that a newer push overtook is not over."""
PAUSED = "somebody has paused the reviews of this pull request (`/resume` takes them up again)"


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
    github: Callable[[Place], Awaitable[GitHub]]
    mirrors: Mirrors
    memory: Memory = field(default_factory=NoMemory)
    diary: Diary = field(default_factory=NoDiary)
    purse: Callable[[Place], Purse] = field(default=lambda _: OwnPocket())

    def reviewer_of(self, request: ReviewRequest | Question) -> Reviewer:
        """The reviewer, whose models are paid by the purse of the request's repository; the diary notes what they say."""
        paid = self.reviewer.models.paid_by(self.purse(request.place))
        return replace(self.reviewer, models=paid.through(lambda model: Noted(model, self.diary, request)))


@dataclass(frozen=True, slots=True)
class Read:
    """A pull request's change, where its code can be read, and the policy it is reviewed under."""

    change: Change
    tree: Tree
    policy: InForce

    @property
    def background(self) -> Background:
        """What the repository itself tells a reviewer."""
        return Background(guidance=self.policy.guidance, language=self.policy.root.language)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a review ended, for the job's record."""

    state: Literal["posted", "already", "superseded", "skipped", "quiet", "failed"]
    code: str = ""
    detail: str = ""
    review_id: int | None = None


async def review(
    change: Change,
    *,
    tree: Tree | None,
    reviewer: Reviewer,
    step: Step,
    asked: str = "",
    policies: Policies = EVERYTHING,
    known: Known | None = None,
    planned: find.Planned = find.to_nobody,
    background: Background | None = None,
) -> Review:
    """Everything there is to say about a change, proven, in order.

    `tree` is where the code can be read, None for a bare diff; `asked` is what the person wrote after `/review`; `known` is
    what was said before, and is not said again; `background` is what a reviewer is told besides the change.
    """
    started = reviewer.clock()
    change = narrow(change, asked)
    library, options = reviewer.library, reviewer.options
    models = reviewer.models.through(lambda model: Guarded(model, reviewer.known_secrets))
    speaking_rules = obey.speaking(library.rules, policies)
    rules = {rule.id: rule for rule in (*speaking_rules, *deceptive.RULES)}
    envelope = envelope_for(change, reviewer)

    reading = read.Reading(
        change,
        await read.code(change, tree=tree),
        tree,
        reviewer.scanner,
        options,
        policies,
        background or Background(),
    )
    known = replace(known or Known(), silences=reading.silences())
    seen = await read.evidence(reading, rules=speaking_rules, step=step)
    heard = obey.heard(seen.new, policies)
    strong = [one for one in heard if one.strength is Strength.STRONG]
    by_rules = await fix.by_rules(strong, reading=reading, rules=rules)
    before = silence.spoken(evidence.pre_existing(obey.heard(seen.existing, policies), rules), known.silences)
    spoken = tuple(filter(None, [addressed.note(change)]))

    def by_rules_alone(*why: str) -> Review:
        weighed = weigh(by_rules, policies=policies, known=known, comments=options.comments)
        seconds = reviewer.clock() - started
        return _by_rules_alone(change, weighed, before, seen.notes, spoken=(*why, *spoken), seconds=seconds)

    if models.review is None:
        return by_rules_alone()

    text = f"{choose.added_text(change)}\n{reading.code.openings()}"
    personas = choose.choose(library.personas, change, added_text=text, asked=asked, only=policies.root.personas)
    speaking, notes = _voices(personas, models)
    how = passes(asked_for(asked) or options.effort)
    passed_over = await triage.sort(reading, model=models.triage, tasks=library.tasks, envelope=envelope, step=step)
    claims = await find.find(
        reading,
        groups=find.groups(
            personas,
            models=speaking,
            opening=f"{library.tasks['reviewer']}\n{library.tasks['examples']}",
            rules=speaking_rules,
            text=text,
            code=choose.changed_text(change),
            knowledge=options.knowledge,
        ),
        evidence=heard if options.evidence else (),
        rules=rules,
        envelope=envelope,
        tasks=library.tasks,
        passes=how,
        passed_over=passed_over.hunks,
        most_tokens=reviewer.most_tokens,
        step=step,
        planned=planned,
    )
    if unpaid := _unpaid(claims, change):
        return by_rules_alone(f"{unpaid[:1].upper()}{unpaid[1:]}, so the rules reviewed alone ({Code.BUDGET_SPENT})")
    judged = (
        await doubt.doubt(
            claims,
            reading=reading,
            model=models.verify or models.review,
            opening=library.tasks["reviewer"],
            task=library.tasks["verify"],
            envelope=envelope,
            passes=how,
            step=step,
        )
        if options.verify and how.sceptic
        else doubt.believe(claims, reading=reading, least_confidence=options.certainty or how.least_confidence)
    )
    proven = (*by_rules, *judged.verified)
    weighed = weigh(proven, policies=policies, known=known, comments=options.comments)
    said, fix_usage = (
        await fix.fix(
            weighed.said,
            reading=reading,
            model=models.review,
            task=library.tasks["fix"],
            persona=choose.fixer(library.personas, change),
            envelope=envelope,
            step=step,
            findings_per_fix=how.findings_per_fix,
            rules=speaking_rules,
            breaker=library.tasks["break"] if how.breaker else "",
        )
        if options.fix and how.fixes
        else (fix.leave(weighed.said, "a quick review writes none") if options.fix else weighed.said, Usage())
    )
    return Review(
        base=change.base,
        head=change.head,
        said=said,
        folded=weighed.folded,
        raised=weighed.raised,
        silenced=weighed.silenced,
        refused=weighed.refused,
        elsewhere=silence.spoken(judged.elsewhere, known.silences),
        pre_existing=before,
        rejected=(*judged.rejected, *weighed.rejected),
        skipped=change.skipped,
        not_reviewed=(*claims.not_reviewed, *judged.not_reviewed),
        hunks=change.hunks,
        hunks_reviewed=change.hunks - len(claims.missed | judged.missed),
        overview=claims.overview,
        flow=claims.flow,
        personas=tuple(persona.title for persona in personas),
        models=tuple(dict.fromkeys((*claims.models, *judged.models))),
        notes=(
            *spoken,
            *notes,
            *passed_over.notes,
            *(f"Rules did not see {note.subject}: {note.reason}" for note in seen.notes),
        ),
        usage=passed_over.usage + claims.usage + judged.usage + fix_usage,
        seconds=reviewer.clock() - started,
        recalled=weighed.recalled,
    )


async def review_pull(
    request: ReviewRequest, *, pull: Pull, house: House, step: Step, told: Callable[[Review], None] = lambda _: None
) -> Outcome:
    """A pull request reviewed and answered on GitHub: posted, overtaken, or with the reason why not where a person sees it.

    `pull` is what GitHub said of it when the request came in; `told` hears of the finished review before it is posted. What
    may go better later is raised as `Transient`; whoever gives up tells people of it (`app.jobs.story`).
    """
    if not pull.is_open:
        return Outcome("skipped", detail="the pull request is closed")
    github = await house.github(request.place)
    check = await post.start_check(request, repository=pull.repository, head=pull.head_sha, github=github, step=step)
    try:
        told_of, outcome = await _told_of(
            request, pull=pull, house=house, github=github, check=check, step=step, told=told
        )
    except Transient:
        raise
    except PrincipalError as error:
        told_of, outcome = _failure(error), Outcome("failed", code=error.code, detail=error.what)
    # Before the check run, which is the last word: until then a push takes over what a person asked for.
    if outcome.state in ENDS:
        await talk.react(request, ENDS[outcome.state], github=github, step=step)
    await _finish(told_of, check=check, github=github, step=step)
    return outcome


async def _told_of(
    request: ReviewRequest,
    *,
    pull: Pull,
    house: House,
    github: GitHub,
    check: post.Check,
    step: Step,
    told: Callable[[Review], None],
) -> tuple[comment.CheckText, Outcome]:
    """The review as far as the policy wants it, posted and remembered: what its check run says, and how it ended."""
    reading = await read_pull(pull, github=github, mirrors=house.mirrors, step=step)
    policy = reading.policy.root
    scope = admit(pull, policy, by_hand=request.by_hand)
    if isinstance(scope, Skip):
        text = notice.not_admitted(scope.reason, notes=reading.policy.notes)
        return text, Outcome("skipped", detail=scope.reason)

    keeper = recall.Keeper(request, pull.repository, github, house.reviewer.secret_key, house.memory)
    before = await recall.before(keeper, pull=pull, step=step)
    if before.remembered.paused and not request.by_hand:
        return notice.not_admitted(PAUSED, notes=reading.policy.notes), Outcome("skipped", detail=PAUSED)
    since = await recall.since(before, tree=reading.tree, change=reading.change)
    change = supply_chain.narrow(reading.change) if scope is Scope.SUPPLY_CHAIN else reading.change
    unread = since.unread(change).change if request.trigger == PUSH else change
    reviewer, notes = governed(house.reviewer_of(request), reading, asked=request.arguments)

    async def planned(readings: Sequence[Ready]) -> None:
        if reviewer.options.effort == "deep":
            expected = find.expected(readings, cost=reviewer.models.cost_usd)
            text = notice.forecast(expected, hunks=unread.hunks, priced=reviewer.models.prices.read)
            await step.run("forecast", lambda: post.update_check(text, check=check, github=github), type(None))

    found = await review(
        unread,
        tree=reading.tree,
        reviewer=reviewer,
        step=step,
        planned=planned,
        asked=request.arguments,
        policies=reading.policy.policies,
        known=await recall.known(before, since=since, tree=reading.tree, change=change),
        background=replace(before.background, guidance=reading.policy.guidance, language=policy.language),
    )
    found = replace(found, notes=(*reading.policy.notes, *notes, *found.notes))
    told(found)
    _refuse_to_leak(found, house.reviewer)
    await house.diary.reviewed(request, found)
    if _nothing_came_of(found):
        raise _first_failure(found)
    if policy.shadow:
        return notice.in_the_shadow(hunks=found.hunks, hunks_reviewed=found.hunks_reviewed), Outcome(
            "quiet", detail=f"in the shadow: {comment.verdict(found)}"
        )

    posted = await _say(found, reading, keeper=keeper, before=before, house=house, step=step)
    return _check_text(posted, found, before, version=house.reviewer.version, fail_on=policy.fail_on), _outcome(posted)


async def _say(
    found: Review, reading: Read, *, keeper: recall.Keeper, before: recall.Before, house: House, step: Step
) -> post.Posted:
    """What is new posted, what is over closed, the summary brought up to date, and all of it remembered."""
    posted, version = post.QUIET, house.reviewer.version
    if before.is_first or keeper.request.by_hand or found.says_something:
        posted = await post.post(found, keeper, version=version, step=step)
    if not posted.stands:
        return posted
    asked_for_all = narrow(reading.change, keeper.request.arguments) is reading.change
    await recall.after(found, keeper, whole=found.complete and asked_for_all, step=step)
    if reading.policy.root.summary and (before.remembered.summary is None or found.changes_something):
        await summarise.keep(found, reading.change, keeper, before=before, version=version, step=step)
    return posted


def governed(reviewer: Reviewer, reading: Read, *, asked: str = "") -> tuple[Reviewer, tuple[str, ...]]:
    """The reviewer as a repository's policy and its own skills want it, and sentences for the people who wrote them."""
    library, notes = reviewer.library.with_skills_of(reading.policy.skills)
    options = obey.chosen(reviewer.options, reading.policy.root, asked)
    change = reading.change
    touched = [*(file.path for file in change.files), *(one.path for one in change.skipped)]
    return replace(reviewer, library=library, options=options), (
        *choose.unheeded(change, asked),
        *own_skills.told_of(touched),
        *notes,
    )


async def _finish(text: comment.CheckText, *, check: post.Check, github: GitHub, step: Step) -> None:
    await step.run(
        "finish check",
        lambda: post.finish_check(text, check=check, github=github),
        type(None),
        preemptible=False,
    )


async def read_pull(pull: Pull, *, github: GitHub, mirrors: Mirrors, step: Step) -> Read:
    """The change as git tells it, with the author's intent as GitHub tells it and the policy of the default branch."""
    comparison = await step.run(
        "compare", lambda: github.compare(pull.repository, pull.base_sha, pull.head_sha), Comparison
    )
    tree = await mirrors.open(
        pull.repository,
        repository_id=pull.repository_id,
        number=pull.number,
        base=comparison.merge_base,
        head=pull.head_sha,
        default_branch=pull.default_branch,
        token=await github.git_token(pull.repository),
    )
    changed = await read.files(tree, comparison.merge_base, pull.head_sha)
    policy = in_force(
        await step.run(
            "policy",
            lambda: govern.files(
                tree,
                repository=pull.repository,
                head=pull.head_sha,
                paths=[file.path for file in changed],
                github=github,
            ),
            PolicyFiles,
        )
    )
    change = await read.selected(
        changed,
        tree=tree,
        base=comparison.merge_base,
        head=pull.head_sha,
        intent=Intent(pull.title, pull.body, comparison.commit_messages, pull.head_ref, pull.labels),
        exclude=policy.policies.why_excluded,
    )
    return Read(change, tree, policy)


def envelope_for(change: Change, reviewer: Reviewer) -> Envelope:
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


def _unpaid(claims: find.Claims, change: Change) -> str:
    """What limit stood before every question, as a sentence's beginning; empty when one was asked, or failed otherwise."""
    reasons = {one.reason for one in claims.not_reviewed if one.code == Code.BUDGET_SPENT}
    if len(claims.missed) < change.hunks or any(one.code != Code.BUDGET_SPENT for one in claims.not_reviewed):
        return ""
    return min(reasons, default="")


def _by_rules_alone(
    change: Change,
    weighed: Weighed,
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
        said=weighed.said,
        folded=weighed.folded,
        raised=weighed.raised,
        silenced=weighed.silenced,
        refused=weighed.refused,
        pre_existing=before,
        rejected=weighed.rejected,
        skipped=change.skipped,
        not_reviewed=missed,
        hunks=change.hunks,
        hunks_reviewed=change.hunks - sum(one.hunks for one in missed),
        by_rules=True,
        notes=(*spoken, *(f"{name}: {why}" for name, why in unseen.items() if change.file(name) is None)),
        seconds=seconds,
        recalled=weighed.recalled,
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


def _check_text(
    posted: post.Posted, found: Review, before: recall.Before, *, version: str, fail_on: str | None
) -> comment.CheckText:
    gate = Severity(fail_on) if fail_on else None
    match posted.state:
        case "superseded":
            return comment.superseded(posted.head or "")
        case "closed":
            return comment.skipped("the pull request was closed in the meantime")
        case "quiet" if not found.hunks and before.remembered.head:
            return comment.nothing_new(found, since=before.remembered.head, fail_on=gate)
        case _:
            return comment.check(found, version=version, fail_on=gate)


def _outcome(posted: post.Posted) -> Outcome:
    match posted.state:
        case "closed":
            return Outcome("skipped", detail="the pull request was closed in the meantime")
        case state:
            return Outcome(state, review_id=posted.review_id)
