"""Every command is found by its file, explains itself, and obeys nobody who may not write."""

from __future__ import annotations

import asyncio

import pytest

from app import commands
from app.commands import Refused
from app.core.pull import Permission
from app.events import CommandEvent, Place, ReviewRequest


class Door:
    """GitHub as it answers about one person."""

    def __init__(self, permission):
        self._permission = permission
        self.reactions = []

    async def permission(self, repository, login):
        return self._permission

    async def react_to_comment(self, repository, comment_id, content="eyes", *, in_thread=False):
        self.reactions.append((comment_id, content))


def event(verb="review", arguments=""):
    return CommandEvent(Place("octo/shop", 42, 7, 9), verb, arguments, comment=11, author="mona", author_id=3)


def test_review_is_a_command():
    assert "review" in commands.verbs()


def test_every_command_explains_itself():
    texts = commands.help_texts()
    assert set(texts) == set(commands.verbs())
    for verb, text in texts.items():
        assert text.startswith(f"`/{verb}`")


@pytest.mark.parametrize("permission", [Permission.WRITE, Permission.MAINTAIN, Permission.ADMIN])
def test_who_may_write_is_obeyed_and_sees_it(permission):
    door = Door(permission)
    asked = asyncio.run(commands.answer(event(arguments="deep"), door))
    assert asked == ReviewRequest(
        "octo/shop", 42, 7, 9, head=None, trigger="comment:11", asked_by="mona", arguments="deep"
    )
    assert door.reactions == [(11, "eyes")]


@pytest.mark.parametrize("verb", sorted(commands.verbs()))
@pytest.mark.parametrize("permission", [Permission.NONE, Permission.READ, Permission.TRIAGE])
def test_s12_who_may_not_write_is_not_obeyed_and_sees_nothing(verb, permission):
    door = Door(permission)
    assert isinstance(asyncio.run(commands.answer(event(verb), door)), Refused)
    assert door.reactions == []


def test_an_unknown_verb_is_refused_without_asking_anybody():
    assert asyncio.run(commands.answer(event("dance"), Door(Permission.ADMIN))) == Refused("/dance is not a command")
