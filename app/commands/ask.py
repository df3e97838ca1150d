"""`/ask QUESTION` answers a question about the change, with the file and line of what the answer rests on. The question may go on
below the command, with code. In a thread, a question without a command is answered too, once.
"""

from __future__ import annotations

from app.commands import Call, Refused, Reply
from app.core import remark
from app.core.untrusted import Untrusted
from app.events import Prompted
from app.stages import talk
from app.stages.answer import Asked

NO_QUESTION = "`/ask` needs a question behind it, or below: `/ask` Why is the timeout five seconds?"


async def answer(call: Call) -> Reply | Refused:
    """What a model says to the question."""
    if call.question.prompted is Prompted.REPLY:
        return await _answer_reply(call)
    if not call.question.words:
        return Reply(NO_QUESTION, well=False)
    thread = await call.talker.thread(call.question, step=call.step)
    return await call.respond(Asked(Untrusted(call.question.words), thread))


async def _answer_reply(call: Call) -> Reply | Refused:
    """The answer to what stands in a thread of ours without a command, if it is meant for us."""
    question = call.question
    thread = await call.talker.thread(question, step=call.step)
    if thread is None or not call.talker.began(thread):
        return Refused("the thread is not one of ours")
    if call.talker.has_answered(question, thread):
        return Refused("this person was answered in this thread; the next question needs `/ask`")
    asked = next((one for one in thread.remarks if one.id == question.comment), None)
    if asked is None:
        return Refused("the question is gone")
    named = remark.named(asked.body.text)
    if named and thread.remarks[0].author.removesuffix("[bot]").lower() not in named:
        return Refused("it speaks to somebody else")
    await talk.react(question, "eyes", github=call.github, step=call.step)
    return await call.respond(Asked(asked.body, thread))
