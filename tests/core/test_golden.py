"""What people and models read, word for word, in `tests/core/golden/`.

    PRINCIPAL_GOLDEN=write pytest tests/core/test_golden.py

writes the files anew; read the difference before it is committed.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from app import library
from app.core import answer, comment, notice, prompt
from app.core.budget import Batch
from app.core.envelope import Envelope
from app.core.finding import Severity, VerifiedFinding
from app.core.lesson import lesson
from app.core.prompt import Prompt
from app.core.pull import Remark
from app.core.reply import AnswerReply
from app.core.report import Review
from app.core.rule import Rule
from app.core.untrusted import Untrusted
from app.core.usage import Usage
from app.errors import MEANINGS, Code
from tests.core import samples

FOLDER = Path(__file__).parent / "golden"
VERSION = "0.4"
ENVELOPE = Envelope(samples.NONCE)
SPENT = Usage(input_tokens=3000, output_tokens=200, cost_usd=0.0123, calls=1)


def _rule(name: str) -> Rule:
    rule = library.load().rule(name)
    assert rule is not None
    return rule


def inline(found: VerifiedFinding) -> str:
    (said,) = comment.inline(Review(base=samples.BASE, head=samples.HEAD, said=(found,)))
    lines = f"{said.start_line}-{said.line}" if said.start_line else f"{said.line}"
    return f"[{said.path}:{lines} {said.side}]\n\n{said.body}\n"


def body(review: Review) -> str:
    return comment.body(review, marker=samples.MARKER, version=VERSION) + "\n"


def check(text: comment.CheckText) -> str:
    annotations = "".join(
        f"\n\n[{one.path}:{one.start_line}-{one.end_line} {one.level}] {one.title}\n{one.message}"
        for one in text.annotations
    )
    return f"[{text.conclusion}] {text.title}\n\n{text.summary}{annotations}\n"


def prompted(made: Prompt) -> str:
    return (
        f"[{made.purpose}, at most {made.max_output_tokens} tokens]\n\n"
        f"===== system\n{made.system}\n\n===== shared\n{made.shared}\n\n===== body\n{made.body}\n"
        + (f"\n===== task\n{made.task}\n" if made.task else "")
    )


def shared(**more: object) -> str:
    return prompt.shared(samples.CHANGE, envelope=ENVELOPE, **more)  # type: ignore[arg-type]


def review_prompt() -> Prompt:
    system = prompt.system(
        "You review one pull request.\n",
        personas=[samples.PERSONA],
        references=[samples.REFERENCE],
        rules=list(samples.RULES.values()),
    )
    body = prompt.body(
        samples.BATCH,
        envelope=ENVELOPE,
        evidence=samples.EVIDENCE,
        rules=samples.RULES,
        excerpts=samples.EXCERPTS,
    )
    return prompt.review(system, shared(rules=list(samples.RULES.values())), body=body, task="# Your task: find\n")


def verify_prompt() -> Prompt:
    return prompt.verify(
        "You review one pull request.",
        shared(),
        body=prompt.body(Batch(samples.PIECES[:1], 10), envelope=ENVELOPE),
        task="# Your task: refute\n",
        candidates=[samples.TIMEOUT, samples.SLOW.finding],
        excerpts=samples.EXCERPTS[:1],
        envelope=ENVELOPE,
    )


def fix_prompt() -> Prompt:
    return prompt.fix(
        "Findings were verified.",
        shared(),
        findings=[samples.BUG, samples.SLOW],
        pieces=samples.PIECES,
        excerpts=samples.EXCERPTS,
        envelope=ENVELOPE,
    )


def answer_prompt() -> Prompt:
    said = (
        Remark(
            1,
            "principal[bot]",
            True,
            Untrusted("**High** — `chargeCard` waits without a limit"),
            "2026-01-01T00:00:00Z",
        ),
        Remark(2, "mona", False, Untrusted("Is ten seconds not enough?"), "2026-01-01T00:01:00Z"),
    )
    return prompt.answer(
        "Somebody asks.",
        shared(),
        question=Untrusted("Is ten seconds not enough?"),
        thread=said,
        pieces=samples.PIECES[:1],
        excerpts=samples.EXCERPTS[:1],
        envelope=ENVELOPE,
    )


def answered() -> str:
    reply = AnswerReply(
        answer="No. The limit of the pool is what ends it [[1]], and it has none [[2]].\n\n```ts\nawait pool.end()\n```",
        places=[{"path": "src/db.ts", "quote": "max: 20"}, {"path": "src/db.ts", "quote": "limit: none"}],
        unknown="How the gateway is configured: ask whoever runs it, @ops.",
    )
    return f"{answer.render(reply, ['src/db.ts:14', ''], usage=SPENT, model='openai:NAME', head=samples.HEAD)}\n"


def corrected(found: VerifiedFinding) -> str:
    return f"{answer.correction(found, usage=SPENT, model='openai:NAME', head=samples.HEAD)}\n"


def summarise_prompt() -> Prompt:
    return prompt.summarise(
        "Write one overview.\n", ["Adds a queue.", "Moves charging."], ["A retry charges twice"], envelope=ENVELOPE
    )


FAILED = comment.failed(
    code="MODEL_BUSY",
    what="the model refused every try for 4 minutes (429)",
    why="The model's provider refused every try as overloaded or rate limited.",
    action="`/review` tries again now; a second model in PRINCIPAL_MODEL would have taken over.",
)

EVERYTHING = replace(samples.INCOMPLETE, folded=samples.FOLDED, elsewhere=samples.ELSEWHERE)
GOLDEN: dict[str, Callable[[], str]] = {
    "inline-bug.md": lambda: inline(samples.BUG),
    "inline-bug-by-rule.md": lambda: inline(samples.BY_RULE),
    "inline-bug-on-removed-lines.md": lambda: inline(samples.REMOVED),
    "inline-performance.md": lambda: inline(samples.SLOW),
    "inline-design.md": lambda: inline(samples.CONTRACT),
    "inline-without-an-answer.md": lambda: inline(samples.FOLDED[0]),
    "body-findings.md": lambda: body(samples.FULL),
    "body-nothing-found.md": lambda: body(samples.CLEAN),
    "body-nothing-to-review.md": lambda: body(samples.ONLY_GENERATED),
    "body-incomplete.md": lambda: body(samples.INCOMPLETE),
    "body-incomplete-without-findings.md": lambda: body(samples.NOTHING_BUT_GAPS),
    "body-by-rules.md": lambda: body(samples.BY_RULES),
    "body-by-rules-nothing-found.md": lambda: body(samples.BY_RULES_CLEAN),
    "body-folded.md": lambda: body(samples.WITH_FOLDED),
    "body-elsewhere.md": lambda: body(samples.WITH_ELSEWHERE),
    "body-pre-existing.md": lambda: body(samples.WITH_PRE_EXISTING),
    "body-comments-refused.md": lambda: body(samples.REFUSED_INLINE),
    "check-findings.md": lambda: check(comment.check(samples.FULL, version=VERSION)),
    "check-failing.md": lambda: check(comment.check(samples.INCOMPLETE, version=VERSION, fail_on=Severity.HIGH)),
    "check-failed.md": lambda: check(FAILED),
    "check-superseded.md": lambda: check(comment.superseded(samples.HEAD)),
    "check-skipped.md": lambda: check(comment.skipped("the pull request was closed in the meantime")),
    "document.md": lambda: comment.document(EVERYTHING, version=VERSION),
    "answer.md": answered,
    "answer-correction.md": lambda: corrected(samples.BUG),
    "answer-without-a-patch.md": lambda: corrected(samples.CONTRACT),
    "answer-by-rule.md": lambda: answer.rule_correction(samples.BY_RULE, version=VERSION, head=samples.HEAD) + "\n",
    "answer-lesson.md": lambda: lesson(_rule("timeouts"), version=VERSION) + "\n",
    "answer-failed.md": lambda: (
        notice.not_answered(code="MODEL_BUSY", what="the model refused every try", meaning=MEANINGS[Code.MODEL_BUSY])
        + "\n"
    ),
    "prompt-answer.txt": lambda: prompted(answer_prompt()),
    "prompt-review.txt": lambda: prompted(review_prompt()),
    "prompt-verify.txt": lambda: prompted(verify_prompt()),
    "prompt-fix.txt": lambda: prompted(fix_prompt()),
    "prompt-summarise.txt": lambda: prompted(summarise_prompt()),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_it_reads_as_its_golden_file_says(name):
    written = GOLDEN[name]()
    if os.environ.get("PRINCIPAL_GOLDEN") == "write":
        FOLDER.mkdir(exist_ok=True)
        (FOLDER / name).write_text(written, encoding="utf-8")
    assert written == (FOLDER / name).read_text(encoding="utf-8")


def test_every_golden_file_is_still_written():
    assert {path.name for path in FOLDER.iterdir()} == set(GOLDEN) | {"README.md"}
