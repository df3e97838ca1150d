"""Fixing: for the findings that are said, the parts of their answer pattern, with a patch that was checked.

Several findings share a prompt, those of one file first of all: what a model has to read to fix them is mostly the same.
A patch becomes a suggestion only if it stays inside the hunk, git applies it, the file parses no worse than before, and no
other finding's suggestion touches its lines.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from app.core import evidence as rules_say
from app.core import excerpts, fixes, patch, pieces, prompt, suggestion
from app.core.budget import Piece
from app.core.change import Change, FileDiff
from app.core.envelope import Envelope
from app.core.excerpts import Excerpt
from app.core.finding import Fix, Kind, Patch, TestFile, VerifiedFinding
from app.core.options import changed
from app.core.patch import Draft, NoPatch
from app.core.persona import Persona
from app.core.reply import BreakReply, FixesReply, FixReply
from app.core.rule import Evidence, Rule, Strength
from app.core.source import SourceFile
from app.core.source import Verdict as Parses
from app.core.usage import Usage
from app.errors import Code, PrincipalError
from app.git import Tree
from app.llm import Model
from app.stages import read
from app.stages.ask import Answer, ask_all, total
from app.stages.read import Reading
from app.stages.step import Step

FIX_CONTEXT_TOKENS = 1_500
"""Code around one finding: its function, how its tests look, what it calls."""
FURTHER_CONTEXT_TOKENS = 500
"""And around each further one in the same prompt; those of one file share most of it."""
ALONE_CONTEXT_TOKENS = 4_000
"""Where thoroughness asks for each fix by itself: who calls it, too."""
LOOKED_FOR_TOKENS = 6_000
"""So much is looked for, each part in its share; of that, from the top, what fits is shown."""
CUT_OR_GARBLED = (Code.MODEL_TRUNCATED, Code.MODEL_REPLY_BROKEN)
"""What a reply about several findings may suffer from, and one about a single finding need not."""
PARTS = {
    Kind.BUG: ("repro", "root_cause", "patch", "tests", "risk"),
    Kind.PERFORMANCE: ("measure", "change", "risk"),
    Kind.DESIGN: ("trade_off", "alternative", "migration"),
}
"""The parts every finding of a kind has, or says why it has not."""


@dataclass(frozen=True, slots=True)
class _Desk:
    """Where fixes are asked for: the model, and what each prompt begins with.

    `alone` asks for one fix at a time, with more of the code around. `around` is what is read for that code.
    """

    reading: Reading
    around: Reading
    model: Model
    system: str
    shared: str
    envelope: Envelope
    step: Step
    alone: bool


@dataclass(frozen=True, slots=True)
class _Given:
    """What the model answered to one finding; without a reply, `why` there is none."""

    reply: FixReply | None
    why: str = ""


async def fix(
    said: Sequence[VerifiedFinding],
    *,
    reading: Reading,
    model: Model | None,
    task: str,
    persona: Persona | None,
    envelope: Envelope,
    step: Step,
    findings_per_fix: int = 1,
    rules: Sequence[Rule] = (),
    breaker: str = "",
) -> tuple[tuple[VerifiedFinding, ...], Usage]:
    """The findings with their fixes, in the same order. Rules' findings bring their own; a failed call leaves a reason.

    `findings_per_fix` of them are asked about at a time. `rules` are those whose detectors a patch must not set off;
    `breaker` is the task of whoever tries to break each patch, empty where nobody does.
    """
    open_ones = [found for found in said if found.fix is None]
    if model is None or not open_ones:
        return leave(said, "no model is configured"), Usage()
    desk = _Desk(
        reading=reading,
        around=reading if findings_per_fix == 1 else _without_callers(reading),
        model=model,
        system=prompt.fixing(task, persona),
        shared=prompt.shared(reading.change, envelope=envelope, background=replace(reading.background, points=())),
        envelope=envelope,
        step=step,
        alone=findings_per_fix == 1,
    )
    given, usage = await _asked(open_ones, desk, most_at_once=findings_per_fix)
    written = {
        id(found): await _written(found, one, reading=reading, rules=rules, header=_header(persona))
        for found, one in zip(open_ones, given, strict=True)
    }
    if breaker:
        written, more = await _attacked(written, desk, task=breaker)
        usage += more
    return fixes.apart(written.get(id(found), found) for found in said), usage


async def _asked(findings: Sequence[VerifiedFinding], desk: _Desk, *, most_at_once: int) -> tuple[list[_Given], Usage]:
    """What the model answers to each finding, in order.

    Those of a group whose reply was cut or garbled, also when it was asked for anew, are asked about once more, each alone.
    """
    groups = fixes.grouped(findings, most_at_once=most_at_once)
    answers = await _answers(groups, desk, stage="fix")
    lost = [
        group
        for group, answer in zip(groups, answers, strict=True)
        if len(group) > 1 and answer.reply is None and answer.code in CUT_OR_GARBLED
    ]
    singles = [(found,) for group in lost for found in group]
    answers += await _answers(singles, desk, stage="fix alone")
    given = {
        id(found): one
        for group, answer in zip([*groups, *singles], answers, strict=True)
        for found, one in zip(group, _given(answer, len(group)), strict=True)
    }
    return [given[id(found)] for found in findings], total(answers)


async def _answers(groups: Sequence[fixes.Group], desk: _Desk, *, stage: str) -> list[Answer[FixesReply]]:
    change = desk.reading.change
    prompts = [
        prompt.fix(
            desk.system,
            desk.shared,
            findings=group,
            pieces=shown,
            envelope=desk.envelope,
            wishes=desk.reading.wishes(list(dict.fromkeys(piece.file.path for piece in shown))),
            excerpts=await _around(shown, desk, findings=len(group)),
        )
        for group in groups
        for shown in [pieces.around([found.anchor for found in group], change)]
    ]
    return await ask_all(desk.step, stage, [(desk.model, one) for one in prompts], FixesReply)


def _given(answer: Answer[FixesReply], findings: int) -> list[_Given]:
    if answer.reply is None:
        return [_Given(None, f"the fix could not be written: {answer.what}")] * findings
    return [_Given(reply) for reply in fixes.by_number(answer.reply.answers, findings)]


async def _attacked(
    written: Mapping[int, VerifiedFinding], desk: _Desk, *, task: str
) -> tuple[dict[int, VerifiedFinding], Usage]:
    """The same findings, without the patches that somebody could break."""
    patched = {key: found for key, found in written.items() if found.fix is not None and found.fix.patch}
    attacks = [
        prompt.attack(prompt.system(task), desk.shared, found=found, excerpts=around, envelope=desk.envelope)
        for found in patched.values()
        for shown in [pieces.around([found.anchor], desk.reading.change)]
        for around in [await _around(shown, desk, findings=1)]
    ]
    verdicts = await ask_all(desk.step, "break", [(desk.model, one) for one in attacks], BreakReply)
    survived = {key: _survived(found, one) for (key, found), one in zip(patched.items(), verdicts, strict=True)}
    return {**written, **survived}, total(verdicts)


def _survived(found: VerifiedFinding, verdict: Answer[BreakReply]) -> VerifiedFinding:
    """The finding with its patch, or without it where a failing case was shown. Who did not answer has shown none."""
    if verdict.reply is None or verdict.reply.holds or not verdict.reply.failing_case.strip() or found.fix is None:
        return found
    case = " ".join(verdict.reply.failing_case.split())
    bare = replace(found.fix, patch=None)
    return replace(
        found, fix=_complete(bare, found.finding.kind, {"patch": f"the patch that was written fails: {case}"})
    )


async def _around(shown: Sequence[Piece], desk: _Desk, *, findings: int) -> tuple[Excerpt, ...]:
    """The functions that are patched; then, as far as there is room, their tests, what they use, and who calls them."""
    room = ALONE_CONTEXT_TOKENS if desk.alone else FIX_CONTEXT_TOKENS + FURTHER_CONTEXT_TOKENS * (findings - 1)
    found = await read.around(shown, reading=desk.around, budget_tokens=LOOKED_FOR_TOKENS, tests=True)
    return excerpts.fit(found, budget_tokens=room)


def _without_callers(reading: Reading) -> Reading:
    """Callers and twins matter to whoever looks for problems; a patch stays inside the change."""
    return replace(reading, options=changed(reading.options, without=("context.callers", "context.siblings")))


def leave(said: Sequence[VerifiedFinding], reason: str) -> tuple[VerifiedFinding, ...]:
    """The findings without answers of a model, each part with the reason why it is missing."""
    return tuple(found if found.fix else _without(found, reason) for found in said)


async def by_rules(
    evidence: Sequence[Evidence], *, reading: Reading, rules: Mapping[str, Rule]
) -> tuple[VerifiedFinding, ...]:
    """Strong evidence as findings that are proven by themselves, with the fix their rule brings."""
    change, text = reading.change, reading.code.text
    found: list[VerifiedFinding] = []
    for one in evidence:
        file = change.file(one.path)
        where = rules_say.anchor(one, file) if file is not None else None
        if file is None or where is None:
            continue
        rule = rules[one.rule]
        draft: Draft | NoPatch = NoPatch("")
        if one.replacement and one.path in text:
            draft = patch.replace_lines(
                one.replacement,
                path=one.path,
                head_text=text[one.path],
                start_line=one.start_line,
                end_line=one.end_line,
            )
        made = VerifiedFinding(rules_say.to_finding(one, rule), where, verified_by="", sources=(one.detector,))
        checked, why = await _check(draft, made, file=file, reading=reading, rules=tuple(rules.values()))
        parts = replace(rules_say.to_fix(one, rule), patch=checked)
        found.append(replace(made, fix=_complete(parts, made.finding.kind, {"patch": why})))
    return tuple(found)


async def _written(
    found: VerifiedFinding, given: _Given, *, reading: Reading, rules: Sequence[Rule], header: str
) -> VerifiedFinding:
    change = reading.change
    reply = given.reply
    file = change.file(found.anchor.path)
    if reply is None or file is None:
        return _without(found, given.why)
    head_text = reading.code.text.get(file.path)
    draft: Draft | NoPatch = NoPatch("it could not be checked without the file")
    if head_text is not None or not reply.original.strip():
        draft = patch.draft(
            reply.original, reply.replacement, path=file.path, head_text=head_text or "", near=found.anchor
        )
    checked, why = await _check(draft, found, file=file, reading=reading, rules=rules)
    known = await _existing(reading.tree, change, [test.path for test in reply.tests])
    parts = Fix(
        repro=reply.repro,
        root_cause=reply.root_cause,
        patch=checked,
        tests=tuple(
            TestFile(test.path, _headed(test.content, header, new=test.path not in known), _language(test.path))
            for test in reply.tests
            if test.content.strip()
        ),
        risk=reply.risk,
        measure=reply.measure,
        change=reply.change,
        trade_off=reply.trade_off,
        alternative=reply.alternative,
        migration=reply.migration,
        resources=reply.resources,
        versioning=reply.versioning,
        paging=reply.paging,
        limits=reply.limits,
        routes=reply.routes,
    )
    said_why = " ".join(reply.missing.split())
    return replace(found, fix=_complete(parts, found.finding.kind, {"patch": said_why or why}, otherwise=said_why))


async def _check(
    draft: Draft | NoPatch, found: VerifiedFinding, *, file: FileDiff, reading: Reading, rules: Sequence[Rule]
) -> tuple[Patch | None, str]:
    """The draft as a patch that says whether it may be committed with one click; or None and why there is no patch."""
    if isinstance(draft, NoPatch):
        return None, draft.reason
    reason = suggestion.refusal(draft, file=file, anchor=found.anchor)
    if reading.tree is None:
        reason = reason or "unchecked, because only the diff was given"
    elif broken := await _broken(draft, tree=reading.tree, reading=reading):
        return None, broken
    elif tripped := await _tripped(draft, reading=reading, rules=rules):
        return None, f"the patch that was written breaks the rule `{tripped}`"
    return (
        Patch(
            path=draft.path,
            start_line=draft.start_line,
            end_line=draft.end_line,
            replacement=draft.replacement,
            diff=draft.diff,
            suggestion=not reason,
            reason=reason,
        ),
        "",
    )


async def _broken(draft: Draft, *, tree: Tree, reading: Reading) -> str:
    """Why the patch cannot stand at all: git does not apply it, or the file would no longer parse. Empty when it can."""
    try:
        refused = await tree.apply_check(reading.change.head, draft.diff)
    except PrincipalError as error:
        refused = error.what
    if refused:
        return f"the patch that was written does not apply ({refused})"
    parsed = await reading.scanner.parse_errors(draft.path, draft.before, draft.after)
    return (
        f"the patch that was written would break the file ({parsed.reason})" if parsed.verdict is Parses.WORSE else ""
    )


async def _tripped(draft: Draft, *, reading: Reading, rules: Sequence[Rule]) -> str:
    """The rule of a strong detector that sees more in the patched file than in the file as it is; empty when none does."""

    async def seen(text: str) -> Counter[str]:
        result = await reading.scanner.scan([SourceFile.between(draft.path, "", text)], rules)
        return Counter(one.rule for one in result.new if one.strength is Strength.STRONG)

    more = await seen(draft.after) - await seen(draft.before) if rules else Counter[str]()
    return next(iter(more), "")


async def _existing(tree: Tree | None, change: Change, paths: Sequence[str]) -> frozenset[str]:
    if tree is None or not paths:
        return frozenset()
    return frozenset(await tree.read_many(change.head, [path for path in paths if path and not path.startswith("/")]))


def _complete(fix: Fix, kind: Kind, reasons: Mapping[str, str], *, otherwise: str = "") -> Fix:
    """The fix with a reason for every part of its kind that it lacks."""
    told = dict(fix.missing)
    missing = [
        (part, told.get(part) or reasons.get(part) or otherwise or "the model gave none")
        for part in PARTS[kind]
        if not getattr(fix, part)
    ]
    return replace(fix, missing=tuple(missing))


def _without(found: VerifiedFinding, reason: str) -> VerifiedFinding:
    return replace(found, fix=_complete(Fix(), found.finding.kind, {}, otherwise=reason))


def _header(persona: Persona | None) -> str:
    return persona.header if persona is not None else ""


def _headed(content: str, header: str, *, new: bool) -> str:
    return (
        f"{header.rstrip()}\n{content}"
        if header and new and not content.lstrip().startswith(header.strip())
        else content
    )


def _language(path: str) -> str:
    return path.rpartition(".")[2] if "." in path else ""
