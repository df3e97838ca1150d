"""Every command is found by its file, explains itself, and obeys nobody who may not write."""

from __future__ import annotations

import asyncio

import pytest

from app import commands
from app.commands import Refused
from app.core.pull import Permission
from app.events import CommandEvent, Place, Prompted, Question, ReplyEvent, ReviewRequest

PLACE = Place("octo/shop", 42, 7, 9)
VERBS = ["ask", "explain", "fix", "help", "ignore", "pause", "resolve", "resume", "review"]


class Door:
    """GitHub as it answers about one person."""

    def __init__(self, permission):
        self._permission = permission
        self.reactions = []

    async def permission(self, repository, login):
        return self._permission

    async def react_to_comment(self, repository, comment_id, content="eyes", *, in_thread=False):
        self.reactions.append((comment_id, content))


def event(verb="review", arguments="", thread=None):
    return CommandEvent(PLACE, verb, arguments, comment=11, author="mona", author_id=3, thread=thread)


def hear(one, permission=Permission.WRITE):
    door = Door(permission)
    return asyncio.run(commands.hear(one, door)), door.reactions


def test_the_commands_of_the_design_are_there_and_explain_themselves():
    assert sorted(commands.verbs()) == VERBS
    for name, verb in commands.verbs().items():
        assert verb.help.startswith(f"`/{name}"), name
        assert verb.help.endswith("."), name
        assert (verb.review is None) != (verb.answer is None), name


@pytest.mark.parametrize("permission", [Permission.WRITE, Permission.MAINTAIN, Permission.ADMIN])
def test_who_may_write_is_obeyed_and_sees_it(permission):
    heard, reactions = hear(event(arguments="deep"), permission)
    assert heard == ReviewRequest(
        "octo/shop", 42, 7, 9, head=None, trigger="comment:11", asked_by="mona", arguments="deep", comment=11
    )
    assert reactions == [(11, "eyes")]


@pytest.mark.parametrize("verb", [*VERBS, "dance"])
@pytest.mark.parametrize("permission", [Permission.NONE, Permission.READ, Permission.TRIAGE])
def test_s12_who_may_not_write_is_not_obeyed_and_sees_nothing(verb, permission):
    heard, reactions = hear(event(verb), permission)
    assert isinstance(heard, Refused)
    assert reactions == []


def test_a_command_is_a_question_of_its_own():
    heard, reactions = hear(event("ignore", thread=5))
    assert heard == Question(PLACE, "ignore", "", comment=11, thread=5, asked_by="mona")
    assert heard.key == "answer:42:7:comment:11"
    assert reactions == [(11, "eyes")]


def test_unknown_commands_of_a_pull_are_one_question_and_get_no_sign():
    heard, reactions = hear(event("dance"))
    assert (heard.verb, heard.words, heard.prompted) == ("help", "dance", Prompted.UNKNOWN)
    assert heard.key == "answer:42:7:unknown command"
    assert reactions == []


def test_what_one_person_asks_in_a_thread_without_a_command_is_answered_once():
    first, reactions = hear(ReplyEvent(PLACE, comment=11, thread=5, author="mona", author_id=3))
    later, _ = hear(ReplyEvent(PLACE, comment=14, thread=5, author="mona", author_id=3))
    other, _ = hear(ReplyEvent(PLACE, comment=15, thread=5, author="alice", author_id=4))
    assert first.about == later.about == "reply:5:mona"
    assert len({first.key, later.key, other.key}) == 3
    assert other.about != first.about
    assert reactions == []
