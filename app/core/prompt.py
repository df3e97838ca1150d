"""The prompts: what a model is to read for each task, put together from what `show` tells and `envelope` lets in.

    system   the same for every change with these personas: what a finding is, personas, references, the rules' names
    shared   the same for every batch of one change: the envelope's word, intent, what is known besides, files, guidance
    body     this batch: the repository's wishes for its files, diff with line numbers, context, evidence; or the findings
             to fix
    task     what to do with it: find, through this or that lens; or refute these candidates

Providers cache prefixes, so the stable part comes first, and whoever asks something else about a batch changes only the
task. Untrusted text stands between fences that carry a nonce which nobody outside can guess; hidden characters are made
visible there and secrets are replaced by placeholders.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.core import show
from app.core.background import ENGLISH, Background
from app.core.budget import Batch, Piece, estimate_tokens
from app.core.change import Change
from app.core.envelope import Envelope
from app.core.excerpts import Excerpt
from app.core.finding import Finding, VerifiedFinding
from app.core.obey import Wish
from app.core.persona import Persona, Reference
from app.core.pull import Remark
from app.core.rule import Evidence, Rule
from app.core.untrusted import Untrusted

REVIEW_OUTPUT_TOKENS = 12_000
VERIFY_OUTPUT_TOKENS = 8_000
FIX_OUTPUT_TOKENS = 8_000
FURTHER_FIX_OUTPUT_TOKENS = 2_000
MOST_FIX_OUTPUT_TOKENS = 16_000
"""Many models write no longer reply than this."""
BREAK_OUTPUT_TOKENS = 2_000
TRIAGE_OUTPUT_TOKENS = 4_000
SUMMARY_OUTPUT_TOKENS = 1_000
PROBE_OUTPUT_TOKENS = 200
ANSWER_OUTPUT_TOKENS = 4_000
LONGEST_QUESTION = 4_000
MOST_REMARKS = 12
MOST_LISTED_FILES = 200


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model is to read, ordered so that providers' prompt caches hit: the stable part first.

    `max_output_tokens` bounds the reply. `purpose` names the stage (`review`, `verify`, `fix`, …) for logs and metrics.
    `task` stands last and may be empty.
    """

    system: str
    shared: str
    body: str
    max_output_tokens: int
    purpose: str
    task: str = ""

    @property
    def user(self) -> tuple[str, ...]:
        """What follows the system text, part by part, none of them empty."""
        return tuple(part for part in (self.shared, self.body, self.task) if part.strip())


def probe() -> Prompt:
    """A prompt that only asks whether the model answers in form."""
    return Prompt(
        "You answer in the form that is asked for.", "", "Say that `ok` is true.", PROBE_OUTPUT_TOKENS, "probe"
    )


def tokens(prompt: Prompt) -> int:
    """About how many tokens a prompt has."""
    return sum(estimate_tokens(part) for part in (prompt.system, *prompt.user))


def system(
    opening: str, *, personas: Sequence[Persona] = (), references: Sequence[Reference] = (), rules: Sequence[Rule] = ()
) -> str:
    """The stable prefix: what holds for every answer, then the personas' knowledge, then the names of their rules."""
    parts = [opening.strip(), *knowledge(personas, references)]
    if rules:
        parts.append("# Rule ids\n\n" + "\n".join(show.rule_names(rules)))
    return "\n\n".join(parts)


def fixing(opening: str, persona: Persona | None) -> str:
    """The stable prefix of whoever writes fixes: the task, then how this persona writes them."""
    told = [f"# Persona: {persona.title}\n\n{persona.craft()}"] if persona is not None else []
    return "\n\n".join([opening.strip(), *told])


def knowledge(personas: Sequence[Persona], references: Sequence[Reference]) -> list[str]:
    """What the personas know, a part for each of them and for each of their references."""
    parts = [f"# Persona: {persona.title}\n\n{persona.knowledge()}" for persona in personas]
    return parts + [f"# Reference: {reference.name}\n\n{reference.text.strip()}" for reference in references]


def shared(
    change: Change, *, envelope: Envelope, rules: Sequence[Rule] = (), background: Background | None = None
) -> str:
    """What every batch of a change begins with: envelope's rule, intent, background, files, and guidance on `rules`."""
    listed = [f"{file.status} {file.path} (+{file.added} −{file.removed})" for file in change.files]
    listed += [f"not shown: {skipped.path} ({skipped.reason})" for skipped in change.skipped]
    more = len(listed) - MOST_LISTED_FILES
    files = "\n".join(listed[:MOST_LISTED_FILES]) + (f"\nand {more} more" if more > 0 else "")
    parts = [
        envelope.rule(),
        *show.intent(change.intent, envelope),
        *show.background(background or Background(), envelope),
        "## Files",
        envelope.wrap("files", Untrusted(files)),
    ]
    if rules:
        parts += ["## Rules this change touches", *(show.guidance(rule) for rule in rules)]
    return "\n\n".join(parts)


def body(
    batch: Batch,
    *,
    envelope: Envelope,
    evidence: Sequence[Evidence] = (),
    rules: Mapping[str, Rule] | None = None,
    excerpts: Sequence[Excerpt] = (),
    wishes: Sequence[Wish] = (),
) -> str:
    """One batch as a model reads it, whatever it is asked about it."""
    parts = [
        *show.wishes(wishes, envelope),
        "## The change: line number at the head, mark, text",
        show.diff(batch.pieces, envelope),
    ]
    if excerpts:
        parts += [
            "## Around it: the head's own code, unchanged unless the diff shows it",
            show.excerpts(excerpts, envelope),
        ]
    parts += show.evidence(evidence, rules or {}, envelope)
    return "\n\n".join(parts)


def review(system_text: str, shared_text: str, *, body: str, task: str) -> Prompt:
    """The prompt that asks for findings in one batch."""
    return Prompt(system_text, shared_text, body, REVIEW_OUTPUT_TOKENS, "review", task.strip())


def verify(
    system_text: str,
    shared_text: str,
    *,
    body: str,
    task: str,
    candidates: Sequence[Finding],
    excerpts: Sequence[Excerpt],
    envelope: Envelope,
) -> Prompt:
    """The prompt that asks a sceptic about each candidate, numbered from 1. `excerpts` are what the body does not show."""
    parts = [task.strip()]
    if excerpts:
        parts += ["## More of the head's own code", show.excerpts(excerpts, envelope)]
    parts.append("## Candidates")
    parts += [
        envelope.wrap(f"candidate {number}", Untrusted(show.candidate(one)))
        for number, one in enumerate(candidates, start=1)
    ]
    return Prompt(system_text, shared_text, body, VERIFY_OUTPUT_TOKENS, "verify", "\n\n".join(parts))


def fix(
    system_text: str,
    shared_text: str,
    *,
    findings: Sequence[VerifiedFinding],
    pieces: Sequence[Piece],
    excerpts: Sequence[Excerpt],
    envelope: Envelope,
    wishes: Sequence[Wish] = (),
) -> Prompt:
    """The prompt that asks for the parts of each finding's answer pattern, numbered from 1. They stand in the `pieces`."""
    parts = [*show.wishes(wishes, envelope)]
    for number, found in enumerate(findings, start=1):
        where = found.anchor
        parts += [
            f"## Finding {number}: kind {found.finding.kind}, lines {where.start_line} to {where.line}",
            envelope.wrap(f"finding {number}", Untrusted(show.candidate(found.finding))),
        ]
    parts += ["## The change around: line number at the head, mark, text", show.diff(pieces, envelope)]
    if excerpts:
        parts += ["## The head's own code: functions, tests, definitions, callers", show.excerpts(excerpts, envelope)]
    wanted = FIX_OUTPUT_TOKENS + FURTHER_FIX_OUTPUT_TOKENS * (len(findings) - 1)
    return Prompt(system_text, shared_text, "\n\n".join(parts), min(wanted, MOST_FIX_OUTPUT_TOKENS), "fix")


def triage(task: str, shared_text: str, *, body: str) -> Prompt:
    """The prompt that asks a cheap model which files are plain."""
    return Prompt(task.strip(), shared_text, body, TRIAGE_OUTPUT_TOKENS, "triage")


def attack(
    system_text: str, shared_text: str, *, found: VerifiedFinding, excerpts: Sequence[Excerpt], envelope: Envelope
) -> Prompt:
    """The prompt that asks somebody to break the patch of a finding that has one."""
    patch = found.fix.patch if found.fix is not None else None
    parts = [
        "## The finding",
        envelope.wrap("finding", Untrusted(show.candidate(found.finding))),
        "## The patch",
        envelope.wrap("patch", Untrusted(patch.diff if patch is not None else "")),
    ]
    if excerpts:
        parts += ["## The head's own code, as it is without the patch", show.excerpts(excerpts, envelope)]
    return Prompt(system_text, shared_text, "\n\n".join(parts), BREAK_OUTPUT_TOKENS, "break")


def answer(
    system_text: str,
    shared_text: str,
    *,
    question: Untrusted,
    thread: Sequence[Remark],
    pieces: Sequence[Piece],
    excerpts: Sequence[Excerpt],
    envelope: Envelope,
) -> Prompt:
    """The prompt that asks for the answer to a person's question. Of a long thread, its beginning and its end are shown."""
    parts = ["## The change: line number at the head, mark, text", show.diff(pieces, envelope)]
    if excerpts:
        parts += ["## The head's own code around it, and what the question names", show.excerpts(excerpts, envelope)]
    shown = [*thread[:1], *thread[1:][-MOST_REMARKS:]]
    if shown:
        parts.append(
            "## What was said in the thread, oldest first; the first is the reviewer's finding if a bot wrote it"
        )
        parts += [show.remark(one, envelope) for one in shown]
    parts += ["## The question", envelope.wrap("question", question, longest=LONGEST_QUESTION)]
    return Prompt(system_text, shared_text, "\n\n".join(parts), ANSWER_OUTPUT_TOKENS, "answer")


def summarise(
    task: str, overviews: Sequence[str], titles: Sequence[str], *, envelope: Envelope, language: str = ENGLISH
) -> Prompt:
    """The prompt that asks for one overview of a change that was read in several batches."""
    told = "\n".join(f"- {text}" for text in overviews)
    said = "\n".join(f"- {text}" for text in titles) or "none"
    body = f"## What reviewers wrote of the parts\n\n{envelope.wrap('overviews', Untrusted(told))}"
    body += f"\n\n## Findings\n\n{envelope.wrap('findings', Untrusted(said))}"
    shared_text = "\n\n".join([envelope.rule(), *show.language(language)])
    return Prompt(task.strip(), shared_text, body, SUMMARY_OUTPUT_TOKENS, "summarise")
