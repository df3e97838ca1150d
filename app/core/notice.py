"""Short words: check runs where no review is shown, and the answers in threads and to questions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from app.core import gate
from app.core.comment import CheckText
from app.core.forecast import Forecast
from app.core.gate import Outgoing
from app.core.pull import Conclusion
from app.errors import Meaning

MOST_NOTES = 6


def not_admitted(reason: str, *, notes: Sequence[str] = ()) -> CheckText:
    """The check run of a pull request that the policy does not want reviewed, with the key that says so."""
    said = [f"{gate.line(note, longest=500).rstrip('.')}." for note in notes[:MOST_NOTES]]
    told = [f"Not reviewed: {gate.line(reason).rstrip('.')}.", "Whoever may write here gets a review with `/review`."]
    title = f"Not reviewed: {gate.plain(reason.replace('`', ''), longest=150)}"
    return CheckText(Conclusion.NEUTRAL, gate.release(title), gate.release("\n\n".join([*told, *said])))


def forecast(expected: Forecast, *, hunks: int, priced: date | None) -> CheckText:
    """The check run of a deep review before the first model is asked: what it is going to take."""
    taking = f"about {expected.tokens / 1000:.0f} k tokens, {_calls(expected.calls)}"
    money = "" if expected.usd is None else f", about ${expected.usd:.2f}"
    dated = f" at the prices of {priced.isoformat()}" if priced and money else ""
    told = (
        f"A deep review of {hunks} hunk{'' if hunks == 1 else 's'}: {taking}{money}{dated}. Most of it is reading, which a "
        "provider's cache may make cheaper; how much the sceptic and the fixes take depends on what is found."
    )
    return CheckText(
        Conclusion.NEUTRAL,
        gate.release(f"Reviewing deeply: {taking}{money}"),
        gate.release(gate.line(told, longest=500)),
    )


def _calls(calls: int) -> str:
    return "one call that reads" if calls == 1 else f"{calls} calls that read"


def in_the_shadow(*, hunks: int, hunks_reviewed: int) -> CheckText:
    """The check run of a review that is made and recorded, and not shown."""
    told = (
        f"{hunks_reviewed} of {hunks} hunks reviewed. The policy says `shadow: true`, so what was found is not posted."
    )
    return CheckText(Conclusion.NEUTRAL, gate.release("Reviewed in the shadow"), gate.release(told))


def in_a_merge_group() -> CheckText:
    """The check run on the commit that a merge queue has built."""
    told = (
        "A merge queue has built this commit of pull requests that have check runs of their own; nothing is read twice."
    )
    return CheckText(Conclusion.SUCCESS, gate.release("Each pull request was reviewed on its own"), gate.release(told))


def not_answered(*, code: str, what: str, meaning: Meaning) -> str:
    """The answer where there is none: what, why, what to do, and the code the docs explain."""
    told = f"Not answered: {gate.line(what, longest=500).rstrip('.')}. {meaning.why} ({gate.span(code)})"
    # What the codes advise is for reviews at times; here the same words get another answer.
    action = meaning.action if "/review" not in meaning.action else "Ask again, a little later."
    return f"{told}\n\n**What to do:** {action}"


def fixed(head: str) -> Outgoing:
    """The answer in the thread of a finding whose code is gone."""
    told = f"Fixed in {head[:7]}: the code this was about has changed, and the problem was not found again."
    return gate.release(told)


def hushed(head: str) -> Outgoing:
    """The answer in the thread of a finding that a comment in the code now silences."""
    return gate.release(f"Silenced in {head[:7]} by a `principal-ignore` comment in the code.")


def back(head: str, *, was_silenced: bool = False) -> Outgoing:
    """The answer in the thread of a finding that was fixed or silenced and is found again."""
    if was_silenced:
        return gate.release(f"Back in {head[:7]}: no comment in the code silences it any more.")
    return gate.release(f"Back in {head[:7]}: the problem that had been fixed was found again.")
