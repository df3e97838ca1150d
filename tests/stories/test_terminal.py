"""What a person sees in a terminal, and what a file or a pipe gets instead."""

from __future__ import annotations

import codecs
import errno
import io
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TextIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import terminal
from app.core.finding import Fix, Kind, Severity
from app.core.report import NotReviewed, Review
from app.core.usage import Usage
from tests.core.reviews import CLEAN, FIX, FULL, PATCH, SAID, SECRET, TIMEOUT, WITH_SECRET

ESCAPE = "\x1b"
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
XTERM = {"TERM": "xterm-256color"}


def shown(review: Review) -> str:
    """The review as a pipe gets it."""
    stream = io.StringIO()
    terminal.show(review, stream=stream, environ=XTERM)
    return stream.getvalue()


def on_a_terminal(write: Callable[[TextIO], None]) -> str:
    """What arrives at the other end of a real pseudo-terminal."""
    ours, theirs = os.openpty()
    with os.fdopen(theirs, "w", encoding="utf-8", newline="") as stream:
        write(stream)
    try:
        return "".join(_chunks(ours)).replace("\r\n", "\n")
    finally:
        os.close(ours)


def _chunks(terminal_end: int) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8")()
    while True:
        try:
            chunk = os.read(terminal_end, 65_536)
        except OSError as error:
            if error.errno != errno.EIO:  # Linux says so where the other end is closed and all is read.
                raise
            return
        if not chunk:
            return
        yield decoder.decode(chunk)


def show_on_a_terminal(review: Review, *, width: int = 80, **environ: str) -> str:
    return on_a_terminal(lambda stream: terminal.show(review, stream=stream, environ={**XTERM, **environ}, width=width))


def with_title(title: str) -> Review:
    return replace(CLEAN, said=(replace(SAID, finding=replace(TIMEOUT, title=title)),))


def test_a_finding_is_one_line_that_an_editor_can_open() -> None:
    first = shown(FULL).splitlines()[0]
    assert first == "src/charge.ts:42:5  high  timeouts  `charge` waits for the gateway without a limit"


def test_the_explanation_and_the_answer_stand_indented_under_it_in_their_order() -> None:
    text = shown(FULL)
    order = ["Assuming: ", "If the gateway", "Repro  ", "Root cause  ", "Patch  ", "Test that proves it  ", "Risk  "]
    places = [text.index(f"\n  {part}") for part in order]
    assert places == sorted(places)


def test_the_patch_is_a_diff() -> None:
    lines = shown(FULL).splitlines()
    assert "  --- a/src/charge.ts" in lines
    assert "  -    const reply = await fetch(url, { method: 'POST', body });" in lines


def test_the_verdict_is_the_last_line() -> None:
    assert shown(FULL).splitlines()[-1] == "Two problems worth fixing before merge, one to consider."
    assert shown(CLEAN).splitlines()[-1] == "No problems found that are worth your time."


def test_a_review_with_gaps_and_no_finding_never_says_that_all_is_well() -> None:
    review = replace(CLEAN, hunks_reviewed=9, not_reviewed=FULL.not_reviewed)
    assert shown(review).splitlines()[-1].startswith("Not all of this was reviewed: 9 of 12 hunks were")


def test_what_was_folded_or_stands_elsewhere_is_one_line_each() -> None:
    text = shown(FULL)
    assert "\n  src/päth with space.ts (removed line 7)  critical  security  The login check is gone\n" in text
    assert "\n  src/db.ts:14:5  medium  unheard-of  " in text


def test_what_was_not_reviewed_is_said_with_its_reason_and_code() -> None:
    text = shown(FULL)
    assert "Not reviewed: 3 hunks of src/report.ts (the model's reply was cut off, MODEL_TRUNCATED)\n" in text
    assert "Left out: dist/app.js (generated)\n" in text
    assert "2 hidden characters in src/a.ts:3\n" in text


def test_many_files_that_were_not_reviewed_are_counted() -> None:
    missed = tuple(NotReviewed(f"src/{number}.ts", 1, "no budget left", "BUDGET_SPENT") for number in range(40))
    text = shown(replace(CLEAN, not_reviewed=missed))
    assert text.count("Not reviewed: 1 hunk of ") == terminal.MOST_NAMED
    assert "… and 28 more files\n" in text


def test_the_facts_name_models_tokens_price_and_time() -> None:
    assert "openai:large · typescript, node · 14 of 17 hunks · 18,200 tokens, $0.07 · 41 s\n" in shown(FULL)
    unknown = replace(FULL, usage=Usage(input_tokens=10, cost_usd=None), seconds=0.2)
    assert "· 10 tokens, price unknown · under 1 s\n" in shown(unknown)
    assert shown(CLEAN).startswith("rules only, no language model · 12 of 12 hunks · ")


def test_a_performance_finding_says_how_to_measure_and_a_design_finding_what_it_trades() -> None:
    fast = replace(SAID, finding=replace(TIMEOUT, kind=Kind.PERFORMANCE), fix=Fix(measure="Time it.", change="Cache."))
    shape = replace(SAID, finding=replace(TIMEOUT, kind=Kind.DESIGN), fix=Fix(trade_off="Speed.", paging="By cursor."))
    assert "\n  Measure  Time it.\n  Change  Cache.\n" in shown(replace(CLEAN, said=(fast,)))
    assert "\n  Trade-off  Speed.\n  Paging  By cursor.\n" in shown(replace(CLEAN, said=(shape,)))


def test_a_patch_that_cannot_be_applied_says_why_and_a_missing_part_too() -> None:
    patch = replace(PATCH, suggestion=False, reason="it reaches outside the hunk")
    fix = replace(FIX, patch=patch, missing=(("root_cause", "the callee is not in the tree"),))
    text = shown(replace(CLEAN, said=(replace(SAID, fix=fix),)))
    assert "\n  Patch  not ready to apply: it reaches outside the hunk\n" in text
    assert "\n  Left out  root cause: the callee is not in the tree\n" in text


@pytest.mark.parametrize(
    ("strong", "verified_by", "proof"),
    [(True, "", "found by a rule"), (False, "the callers", "verified: the callers"), (False, "", "verified")],
)
def test_a_finding_says_how_it_was_proven(strong: bool, verified_by: str, proof: str) -> None:
    found = replace(SAID, finding=replace(TIMEOUT, strong=strong), verified_by=verified_by, fix=None)
    assert f"\n  {proof} · confidence 0.9\n" in shown(replace(CLEAN, said=(found,)))


def test_a_finding_with_only_a_part_of_the_answer_shows_that_part() -> None:
    text = shown(replace(CLEAN, said=(replace(SAID, fix=Fix(root_cause="No limit.")),)))
    assert "\n  Root cause  No limit.\n" in text
    assert "Repro" not in text
    assert "Patch" not in text


def test_a_pipe_gets_no_escapes_and_no_broken_lines() -> None:
    text = shown(with_title("x" * 300))
    assert ESCAPE not in text
    assert "x" * 300 in text


def test_a_terminal_gets_colours() -> None:
    text = show_on_a_terminal(FULL)
    assert f"{ESCAPE}[1;31mhigh" in text
    assert f"{ESCAPE}[32m+    const reply" in text
    assert f"{ESCAPE}[31m-    const reply" in text


@pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=["NO_COLOR", "dumb"])
def test_a_terminal_that_wants_no_colour_gets_none(environ: dict[str, str]) -> None:
    assert ESCAPE not in show_on_a_terminal(FULL, **environ)


@pytest.mark.parametrize("width", [24, 40, 80, 200])
def test_prose_is_wrapped_to_the_terminal_and_code_is_not(width: int) -> None:
    finding = replace(TIMEOUT, explanation="A fine word and 全角の文字 " * 20)
    lines = COLOURS.sub("", show_on_a_terminal(replace(CLEAN, said=(replace(SAID, finding=finding),)), width=width))
    wrapped = [line for line in lines.splitlines() if "fine" in line or "全角" in line]
    assert len(wrapped) > 1
    assert all(len(line) + sum(character > "\u3000" for character in line) <= width for line in wrapped)
    assert (
        "  +    const reply = await fetch(url, { method: 'POST', body, signal: AbortSignal.timeout(5_000) });" in lines
    )


def test_fenced_code_in_prose_keeps_its_lines_on_a_terminal() -> None:
    code = "const veryLongName = await somethingThatIsCalled(withOneArgument, andAnother, andAThird);"
    fix = Fix(repro=f"Run this:\n```ts\n{code}\n```\nand wait.")
    text = COLOURS.sub("", show_on_a_terminal(replace(CLEAN, said=(replace(SAID, fix=fix),)), width=40))
    assert f"\n  Repro\n  Run this:\n  ```ts\n  {code}\n  ```\n  and wait.\n" in text


def test_text_from_outside_cannot_drive_the_terminal() -> None:
    evil = "\x1b[2J\x1b]0;owned\x07\rOK \x9b31m \u202egnol \u200b[bold]x[/bold]"
    finding = replace(TIMEOUT, title=evil, explanation=evil, path=f"src/{evil}.ts", rule=evil, assumptions=(evil,))
    patch = replace(PATCH, diff=f"+{evil}\n")
    review = replace(
        FULL,
        said=(replace(SAID, finding=finding, fix=replace(FIX, patch=patch, repro=evil), verified_by=evil),),
        overview=evil,
        notes=(evil,),
        not_reviewed=(NotReviewed(evil, 1, evil, "INTERNAL"),),
    )
    for text in (shown(review), COLOURS.sub("", show_on_a_terminal(review))):
        assert not [character for character in text if character < " " and character != "\n"]
        assert not set(text) & {"\x7f", "\x9b", "\u202e", "\u200b"}
        assert "[bold]x[/bold]" in text


@given(st.text(st.characters(), max_size=60))
def test_printable_text_has_nothing_that_acts(text: str) -> None:
    safe = terminal.printable(text)
    assert not [one for one in safe if (one < " " and one not in "\t\n") or "\x7f" <= one <= "\x9f"]


def test_no_secret_is_shown() -> None:
    text = shown(WITH_SECRET)
    assert SECRET not in text
    assert "const apiKey" in text


def test_a_stream_that_lacks_a_character_gets_an_escape() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    terminal.show(FULL, stream=stream, environ=XTERM)
    stream.flush()
    assert b"src/p\\xe4th with space.ts" in raw.getvalue()


@pytest.mark.parametrize(
    ("severity", "style"), [(Severity.CRITICAL, "1;31"), (Severity.HIGH, "1;31"), (Severity.LOW, "1;33")]
)
def test_the_verdict_has_the_colour_of_the_worst_finding(severity: Severity, style: str) -> None:
    review = replace(CLEAN, said=(replace(SAID, finding=replace(TIMEOUT, severity=severity)),))
    assert show_on_a_terminal(review).splitlines()[-1].startswith(f"{ESCAPE}[{style}m")
    assert show_on_a_terminal(CLEAN).splitlines()[-1].startswith(f"{ESCAPE}[1;32m")


def test_progress_in_a_log_is_a_few_lines() -> None:
    stream = io.StringIO()
    with terminal.Progress(stream=stream, environ={}) as progress:
        progress.stage("Reading the change", 0, 0)
        progress.stage("Reading the change", 0, 0)
        for done in range(101):
            progress.stage("Reviewing", done, 100)
        progress.stage("Verifying", 0, 2)
        progress.stage("Verifying", 2, 2)
    assert stream.getvalue().splitlines() == [
        "Reading the change …",
        "Reviewing: 0 of 100",
        *(f"Reviewing: {done} of 100" for done in (1, 2, 4, 8, 16, 32, 64)),
        "Reviewing: 100 of 100",
        "Verifying: 0 of 2",
        "Verifying: 2 of 2",
    ]


def test_progress_in_a_log_ends_with_the_last_number_of_a_stage_that_grew() -> None:
    stream = io.StringIO()
    with terminal.Progress(stream=stream, environ={}) as progress:
        for done in range(1, 12):
            progress.stage("Reading", done, done)
    assert stream.getvalue().splitlines()[-2:] == ["Reading: 8 of 8", "Reading: 11 of 11"]


def test_progress_on_a_terminal_is_drawn_and_leaves_nothing_behind() -> None:
    def work(stream: TextIO) -> None:
        with terminal.Progress(stream=stream, environ=XTERM) as progress:
            progress.stage("Reviewing", 1, 3)
            progress.stage("Reviewing", 3, 3)
            progress.stage("Verifying", 0, 0)

    text = on_a_terminal(work)
    assert "Reviewing" in text
    assert f"{ESCAPE}[?25l" in text
    assert f"{ESCAPE}[?25h" in text
    assert text.endswith(f"{ESCAPE}[2K")


def test_progress_shows_the_cursor_again_when_the_work_fails() -> None:
    def fail(stream: TextIO) -> None:
        with terminal.Progress(stream=stream, environ=XTERM) as progress:
            progress.stage("Reviewing", 1, 3)
            raise ValueError("no")

    def work(stream: TextIO) -> None:
        with pytest.raises(ValueError, match="no"):
            fail(stream)

    assert f"{ESCAPE}[?25h" in on_a_terminal(work)
