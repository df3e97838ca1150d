"""`/fix`, in the thread of a finding, gives a correction that was checked: to be committed with one click where that is safe,
else as a diff that says why not. What is written behind it is heeded: `/fix without a new dependency`. Without a language model
it is the correction that the finding's rule brings.
"""

from __future__ import annotations

from app.commands import NO_MODEL, Call, Reply
from app.core import again, choose
from app.core import answer as words
from app.core.finding import VerifiedFinding
from app.core.rule import Strength
from app.llm import Model
from app.review import envelope_for
from app.stages import fix, read
from app.stages.read import Reading
from app.stages.talk import NoTopic, Topic

NOT_SEEN = (
    "No patch: the finding's rule does not see the problem on this head any more, and what else may be left of it takes a "
    "language model to correct, which this server has not."
)


async def answer(call: Call) -> Reply:
    """The correction of the thread's finding, on the head as it is now."""
    topic = await call.talker.topic(call.question, step=call.step)
    if isinstance(topic, NoTopic):
        return Reply(topic.why("/fix"), well=False)
    model, rule = call.model(), call.rules().get(topic.said.rule or "")
    if model is None and rule is None:
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
    if model is not None:
        return await _by_model(found, model, call=call, topic=topic, reading=reading)
    return await _by_rule(found, call=call, topic=topic, reading=reading)


async def _by_model(found: VerifiedFinding, model: Model, *, call: Call, topic: Topic, reading: Reading) -> Reply:
    reviewer = call.house.reviewer
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
    return Reply(text, well=words.has_patch(written), usage=usage)


async def _by_rule(found: VerifiedFinding, *, call: Call, topic: Topic, reading: Reading) -> Reply:
    """What the finding's rule corrects when it looks at the head again; nobody else is there to ask."""
    reviewer, rules = call.house.reviewer, call.rules()
    seen = await read.evidence(reading, rules=reviewer.library.rules, step=call.step)
    strong = [one for one in seen.new if one.strength is Strength.STRONG and one.rule == found.finding.rule]
    corrected = again.same_place(found, await fix.by_rules(strong, reading=reading, rules=rules))
    if corrected is None:
        return Reply(NOT_SEEN, well=False)
    written = again.within(corrected, topic.thread)
    text = words.rule_correction(written, version=reviewer.version, head=reading.change.head)
    return Reply(text, well=words.has_patch(written))


def _explanation(call: Call, topic: Topic) -> str:
    """What was said of the finding, and what whoever asks for the fix adds."""
    said = topic.thread.remarks[0].body.text.partition("<!-- principal:")[0].strip()
    wish = call.question.words
    return f"{said}\n\nWhoever asks for the patch adds: {wish}" if wish else said
