"""Replies kept by what was asked: bought once, and never taken for the answer to something else."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from app.core.prompt import Prompt
from app.core.reply import SummaryReply
from app.errors import Code, Permanent
from app.evaluation import store
from app.evaluation.judge import JudgeReply
from app.evaluation.replies import Remembering, Replies, key
from app.evaluation.values import Spent
from tests.evaluation.speaker import USED, Speaker
from tests.evaluation.test_scoring import HAND_COUNTED

PROMPT = Prompt("system", "shared", "body", 1_000, "review")
REPLY = SummaryReply(overview="It charges.")


def ask(folder: Path, *speakers: Speaker, prompt: Prompt = PROMPT) -> list[Spent]:
    """One question to each speaker in turn, over one folder of replies."""
    spent: list[Spent] = []
    for speaker in speakers:
        model = Remembering(speaker, replies=Replies(folder), told=spent.append)
        assert asyncio.run(model.complete(prompt, SummaryReply)).reply == REPLY
    return spent


def test_a_question_is_bought_once_and_still_tells_what_it_cost(tmp_path):
    first, second = Speaker(REPLY), Speaker()
    bought, replayed = ask(tmp_path, first, second)
    assert second.asked == []
    assert (bought.replayed, replayed.replayed) == (False, True)
    assert bought.usage == replayed.usage == USED
    assert bought.seconds == replayed.seconds


@pytest.mark.parametrize(
    "change",
    [{"system": "x"}, {"shared": "x"}, {"body": "x"}, {"max_output_tokens": 9}],
    ids=lambda one: next(iter(one)),
)
def test_whatever_a_model_reads_makes_another_question(tmp_path, change):
    ask(tmp_path, Speaker(REPLY))
    again = Speaker(REPLY)
    ask(tmp_path, again, prompt=replace(PROMPT, **change))
    assert len(again.asked) == 1


def test_another_model_and_another_form_are_other_questions_and_the_stages_name_is_not():
    one = key("openai:a", PROMPT, SummaryReply)
    assert one != key("openai:b", PROMPT, SummaryReply)
    assert one != key("openai:a", PROMPT, JudgeReply)
    assert one == key("openai:a", replace(PROMPT, purpose="other"), SummaryReply)


def test_a_failed_call_is_told_and_asked_anew_next_time(tmp_path):
    spent: list[Spent] = []
    speaker = Speaker(Permanent(Code.MODEL_BUSY, "busy"), REPLY)
    model = Remembering(speaker, replies=Replies(tmp_path), told=spent.append)
    with pytest.raises(Permanent):
        asyncio.run(model.complete(PROMPT, SummaryReply))
    assert asyncio.run(model.complete(PROMPT, SummaryReply)).reply == REPLY
    assert [(one.outcome, one.replayed) for one in spent] == [("MODEL_BUSY", False), ("ok", False)]


@pytest.mark.parametrize("damage", [b"", b"{", b'{"reply": 1}'])
def test_a_damaged_reply_is_asked_anew(tmp_path, damage):
    ask(tmp_path, Speaker(REPLY))
    (kept,) = tmp_path.iterdir()
    kept.write_bytes(damage)
    again = Speaker(REPLY)
    ask(tmp_path, again)
    assert len(again.asked) == 1
    assert [path.name for path in tmp_path.iterdir()] == [kept.name]


def test_halves_of_surrogate_pairs_do_not_stop_a_question(tmp_path):
    ask(tmp_path, Speaker(REPLY), Speaker(), prompt=replace(PROMPT, body="\udcff"))


def test_a_stored_run_comes_back_as_it_was(tmp_path):
    store.write(HAND_COUNTED, tmp_path / "run")
    assert store.read(tmp_path / "run") == HAND_COUNTED
