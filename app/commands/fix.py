"""`/fix`, in the thread of a finding, gives a correction that was checked: to be committed with one click where that is safe,
else as a diff that says why not. What is written behind it is heeded: `/fix without a new dependency`.
"""

from __future__ import annotations

from app.commands import NO_MODEL, Call, Reply
from app.core import again, choose
from app.core import answer as words
from app.review import envelope_for
from app.stages import fix
from app.stages.talk import NoTopic, Topic


async def answer(call: Call) -> Reply:
    """The correction of the thread's finding, on the head as it is now."""
    topic = await call.talker.topic(call.question, step=call.step)
    if isinstance(topic, NoTopic):
        return Reply(topic.why("/fix"), well=False)
    model, reviewer = call.model(), call.house.reviewer
    if model is None:
        return Reply(NO_MODEL, well=False)
    reading = await call.reading()
    found = again.found_again(
        topic.said,
        explanation=_explanation(call, topic),
        change=reading.change,
        text=reading.code.text.get(topic.said.path),
        hint=topic.thread.line,
    )
    if isinstance(found, again.Gone):
        return Reply(f"Nothing to fix: {found.reason}.", well=False)
    (fixed,), usage = await fix.fix(
        [found],
        reading=reading,
        model=model,
        task=reviewer.library.tasks["fix"],
        persona=choose.fixer(reviewer.library.personas, reading.change),
        envelope=envelope_for(reading.change, reviewer),
        step=call.step,
    )
    written = again.within(fixed, topic.thread)
    text = words.correction(written, usage=usage, model=model.name, head=reading.change.head)
    return Reply(text, well=written.fix is not None and written.fix.patch is not None, usage=usage)


def _explanation(call: Call, topic: Topic) -> str:
    """What was said of the finding, and what whoever asks for the fix adds."""
    said = topic.thread.remarks[0].body.text.partition("<!-- principal:")[0].strip()
    wish = call.question.words
    return f"{said}\n\nWhoever asks for the patch adds: {wish}" if wish else said
