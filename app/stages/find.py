"""Finding: every batch of the change is given to the personas that apply, and their claims come back.

Change ── plan ──► Plan(batches, left over) ── ask each persona group ──► Claims(findings, not reviewed, overview)
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from app.core import choose, context, excerpts, prompt, verify
from app.core.budget import Batch, Piece, cut, estimate_tokens
from app.core.diagram import Fate, FlowStep
from app.core.envelope import Envelope
from app.core.excerpts import Excerpt
from app.core.finding import Finding
from app.core.forecast import Cost, Forecast, Ready, forecast
from app.core.passes import CLAIMS, SECOND_LOOK, Passes
from app.core.persona import Persona, Reference
from app.core.reply import ReviewReply, SharedReviewReply, SummaryReply
from app.core.report import NotReviewed
from app.core.rule import Evidence, Rule, Strength
from app.core.usage import Usage
from app.core.verify import claimed
from app.errors import Code as ErrorCode
from app.llm import Model
from app.stages import read
from app.stages.ask import Answer, ask, ask_all, total
from app.stages.read import Reading
from app.stages.step import Step

BATCH_TOKENS = 16_000
"""Diff in one prompt. Larger ones are read less well at their end."""
REPLY_TOKENS = 2_000
"""What a reply takes on average, for planning."""
FINDING_SHARE = 0.75
"""Of the review's tokens; the rest is for the sceptic and the fixes."""


Planned = Callable[[Sequence[Ready]], Awaitable[None]]


async def to_nobody(readings: Sequence[Ready]) -> None:
    """Tells nobody what is going to be asked."""
    del readings


@dataclass(frozen=True, slots=True)
class Group:
    """Personas that share a model, and so a prompt.

    `own` is what the repository's own skills know: it stands with the task and not in `system`, which the sceptic repeats.
    """

    personas: tuple[Persona, ...]
    model: Model
    system: str
    own: str = ""

    @property
    def name(self) -> str:
        """The personas' names, for a finding's source."""
        return "+".join(persona.name for persona in self.personas)

    def task(self, *parts: str) -> str:
        """What this group is asked, after what only it is told."""
        return "\n\n".join(part.strip() for part in (self.own, *parts) if part)


@dataclass(frozen=True, slots=True)
class Material:
    """A batch as it was read: whoever asks something else about it repeats these texts, and the provider's cache has them."""

    batch: Batch
    excerpts: tuple[Excerpt, ...]
    system: str
    shared: str
    bodies: tuple[str, ...]
    """The batch, and for several passes the same with its files turned round: what stands last is read less well."""

    @property
    def body(self) -> str:
        """The batch in its own order."""
        return self.bodies[0]


@dataclass(frozen=True, slots=True)
class Claims:
    """What the personas claim, about which batches, and which hunks nobody could look at."""

    findings: tuple[Finding, ...]
    read: tuple[Material, ...]
    shown: frozenset[tuple[str, int]]
    not_reviewed: tuple[NotReviewed, ...]
    missed: frozenset[tuple[str, int]]
    overview: str
    flow: tuple[FlowStep, ...]
    usage: Usage
    models: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """One prompt to one group about one batch."""

    group: Group
    batch: Batch
    prompt: prompt.Prompt


def expected(readings: Sequence[Ready], *, cost: Cost) -> Forecast:
    """About what a whole review with these prompts takes."""
    return forecast(readings, reply_tokens=REPLY_TOKENS, share=FINDING_SHARE, cost=cost)


def groups(
    personas: Sequence[Persona],
    *,
    models: Mapping[str, Model],
    opening: str,
    rules: Sequence[Rule],
    text: str,
    code: str,
    knowledge: bool = True,
) -> tuple[Group, ...]:
    """The personas by the model that speaks for them; `models` maps persona names to models.

    `text` is what topics are looked for in, `code` the changed lines, `opening` what holds for every answer. Without
    `knowledge` they speak for themselves with nothing of their documents.
    """
    by_model: dict[str, list[Persona]] = {}
    for persona in personas:
        by_model.setdefault(models[persona.name].name, []).append(persona)

    def references(some: Iterable[Persona]) -> tuple[Reference, ...]:
        return choose.sections([one for persona in some for one in choose.references(persona, text)], code=code)

    def group(some: Sequence[Persona]) -> Group:
        ours = [persona for persona in some if persona.trusted and knowledge]
        theirs = [persona for persona in some if not persona.trusted and knowledge]
        opened = prompt.system(opening, personas=ours, references=references(ours), rules=_rules_of(some, rules))
        return Group(
            tuple(some), models[some[0].name], opened, "\n\n".join(prompt.knowledge(theirs, references(theirs)))
        )

    return tuple(group(some) for some in by_model.values())


async def find(
    reading: Reading,
    *,
    groups: Sequence[Group],
    evidence: Sequence[Evidence],
    rules: Mapping[str, Rule],
    envelope: Envelope,
    tasks: Mapping[str, str],
    passes: Passes,
    passed_over: Collection[tuple[str, int]] = (),
    most_tokens: int,
    step: Step,
    planned: Planned = to_nobody,
) -> Claims:
    """The claims of all groups about all batches. Every hunk is in a batch, passed over, or named in `not_reviewed`.

    `planned` hears of the prompts before the first is sent.
    """
    change = reading.change
    touched = (
        context.rules_touched(
            tuple(rules.values()), text=choose.changed_text(change), seen={one.rule for one in evidence}
        )
        if reading.options.guidance
        else ()
    )
    shared = prompt.shared(change, envelope=envelope, rules=touched, background=reading.background)
    overhead = max((estimate_tokens(group.system + group.own) for group in groups), default=0) + estimate_tokens(shared)
    batches, left_over = cut(
        change.files,
        batch_tokens=BATCH_TOKENS,
        most_tokens=_room(most_tokens, overhead, len(groups) * len(passes.tasks)),
    )

    left_over = [piece for piece in left_over if piece.key not in passed_over]
    batches = [one for batch in batches if (one := _without(batch, passed_over)).pieces]

    def body(batch: Batch, around: Sequence[Excerpt]) -> str:
        return _body(batch, around, reading=reading, evidence=evidence, rules=rules, envelope=envelope)

    material = [
        Material(batch, around, groups[0].system, shared, tuple(body(one, around) for one in _orders(batch, passes)))
        for batch in batches
        for around in [await read.around(batch.pieces, reading=reading, budget_tokens=excerpts.budget(batch.tokens))]
    ]
    questions = _questions(material, groups=groups, tasks=tasks, asked=passes.tasks)
    form = SharedReviewReply if passes.share_a_prefix(len(batches)) else ReviewReply
    await planned([Ready(one.group.model.name, prompt.tokens(one.prompt)) for one in questions])
    answers = await ask_all(step, "review", [(one.group.model, one.prompt) for one in questions], form)
    findings, overviews, missed = _sort_out(questions, answers, rules)
    if passes.second_look:
        silent = [
            Material(batch, (), groups[0].system, shared, (body(batch, ()),))
            for batch in _silent(batches, findings, reading)
        ]
        again = _questions(silent, groups=groups[:1], tasks=tasks, asked=(SECOND_LOOK,))
        more = await ask_all(step, "look again", [(one.group.model, one.prompt) for one in again], form)
        findings += _sort_out(again, more, rules)[0]
        answers = [*answers, *more]
    missed += [(piece, "the review's token budget was used up", ErrorCode.BUDGET_SPENT) for piece in left_over]
    usage = total(answers)
    overview = overviews[0] if overviews else ""
    if len(batches) > 1 and overviews:
        told = await ask(
            step,
            "summarise",
            model=groups[0].model,
            prompt=prompt.summarise(
                tasks["summarise"],
                overviews,
                [one.title for one in findings],
                envelope=envelope,
                language=reading.background.language,
            ),
            form=SummaryReply,
        )
        usage += told.usage
        overview = told.reply.overview if told.reply is not None else overview
    return Claims(
        findings=tuple(findings),
        read=tuple(material),
        shown=frozenset(piece.key for batch in batches for piece in batch.pieces),
        not_reviewed=_named(missed),
        missed=frozenset(piece.key for piece, _, _ in missed),
        overview=overview,
        flow=_flow(questions, answers, of=groups[0]) if groups else (),
        usage=usage,
        models=tuple(dict.fromkeys(answer.model for answer in answers if answer.reply is not None)),
    )


def _without(batch: Batch, passed_over: Collection[tuple[str, int]]) -> Batch:
    return Batch(tuple(piece for piece in batch.pieces if piece.key not in passed_over), batch.tokens)


def _orders(batch: Batch, passes: Passes) -> tuple[Batch, ...]:
    """The batch in the orders in which it is read: two for several passes, so that their blind ends differ."""
    if not passes.many:
        return (batch,)
    turned = [piece for path in reversed(batch.paths) for piece in batch.pieces if piece.file.path == path]
    return batch, Batch(tuple(turned), batch.tokens)


def _questions(
    material: Sequence[Material], *, groups: Sequence[Group], tasks: Mapping[str, str], asked: Sequence[str]
) -> list[Question]:
    """Every task about every batch to every group. Those that read it in the same order stand together, for the cache."""
    return [
        Question(
            group,
            one.batch,
            prompt.review(group.system, one.shared, body=body, task=group.task(tasks[task], tasks[CLAIMS])),
        )
        for one in material
        for group in groups
        for turn, body in enumerate(one.bodies)
        for task in asked[turn :: len(one.bodies)]
    ]


def _silent(batches: Sequence[Batch], findings: Sequence[Finding], reading: Reading) -> list[Batch]:
    """The batches without the hunks about which something was claimed; none where nothing is left, or nobody spoke at all."""
    head = reading.code.lines()
    shown = {piece.key for batch in batches for piece in batch.pieces}
    places = (verify.place(one, change=reading.change, shown=shown, head=head) for one in findings)
    spoken = {(one.anchor.path, one.anchor.hunk) for one in places if isinstance(one, verify.Placed)}
    left = [tuple(piece for piece in batch.pieces if piece.key not in spoken) for batch in batches]
    return [Batch(some, batch.tokens) for batch, some in zip(batches, left, strict=True) if some and spoken]


def _body(
    batch: Batch,
    excerpts: Sequence[Excerpt],
    *,
    reading: Reading,
    evidence: Sequence[Evidence],
    rules: Mapping[str, Rule],
    envelope: Envelope,
) -> str:
    seen = [
        one
        for one in evidence
        if one.path in batch.paths and (one.strength is Strength.STRONG or context.may_be_a_defect(rules[one.rule]))
    ]
    return prompt.body(
        batch,
        envelope=envelope,
        evidence=seen,
        rules=rules,
        excerpts=excerpts,
        wishes=reading.wishes(batch.paths),
    )


Missed = tuple[Piece, str, str]
"""A piece nobody looked at, why, and the code."""


def _sort_out(
    questions: Sequence[Question], answers: Sequence[Answer[ReviewReply]], rules: Mapping[str, Rule]
) -> tuple[list[Finding], list[str], list[Missed]]:
    findings: list[Finding] = []
    overviews: list[str] = []
    missed: list[Missed] = []
    for question, answer in zip(questions, answers, strict=True):
        if answer.reply is None:
            missed += [(piece, answer.what, answer.code) for piece in question.batch.pieces]
            continue
        overviews.append(answer.reply.overview)
        findings += [claimed(claim, source=question.group.name, rules=rules) for claim in answer.reply.findings]
    return findings, [text for text in overviews if text.strip()], missed


def _flow(questions: Sequence[Question], answers: Sequence[Answer[ReviewReply]], *, of: Group) -> tuple[FlowStep, ...]:
    """The steps that a group names, batch by batch, from the first reading of each: the others name the same ones."""
    first: dict[int, ReviewReply] = {}
    for one, answer in zip(questions, answers, strict=False):
        if one.group is of and answer.reply is not None:
            first.setdefault(id(one.batch), answer.reply)
    return tuple(
        FlowStep(step.source, step.target, step.what, Fate(step.fate))
        for reply in first.values()
        for step in reply.flow
    )


def _named(missed: Sequence[Missed]) -> tuple[NotReviewed, ...]:
    """One entry a file and reason, with how many of its hunks were missed."""
    hunks: dict[tuple[str, str, str], set[int]] = {}
    for piece, reason, code in missed:
        hunks.setdefault((piece.file.path, reason, code), set()).add(piece.hunk)
    return tuple(NotReviewed(path, len(some), reason, code) for (path, reason, code), some in hunks.items())


def _room(most_tokens: int, overhead: int, readings: int) -> int:
    """How many tokens of diff fit into the review's budget, when each reading of a batch pays its prefix, context and reply."""
    per_batch = BATCH_TOKENS + overhead + excerpts.MOST_TOKENS + REPLY_TOKENS
    return int(most_tokens * FINDING_SHARE / max(readings, 1) * BATCH_TOKENS / per_batch)


def _rules_of(personas: Sequence[Persona], rules: Sequence[Rule]) -> list[Rule]:
    named = {name for persona in personas for name in persona.rules}
    return [rule for rule in rules if rule.id in named or not named]
