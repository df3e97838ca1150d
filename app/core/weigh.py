"""From what was proven to what is said: the policy's wishes, what was said before, what people dismissed, the cap.

found ── merge ─► obey(policy) ─► silence ─► recall(said before) ─► leave to people ─► rank(cap) ──► Weighed
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from app.core import memory, rank, silence
from app.core.background import Point, raised
from app.core.finding import Rejected, VerifiedFinding
from app.core.memory import Dismissed, Recall, Said
from app.core.obey import obey
from app.core.policy import Policies
from app.core.silence import Silence, Silenced


@dataclass(frozen=True, slots=True)
class Known:
    """What is known from before a review: see `memory.recall` and `memory.is_unwanted`.

    `points` are what people raised; `silences` what comments in the code ask for.
    """

    said: tuple[Said, ...] = ()
    dismissed: tuple[Dismissed, ...] = ()
    code: Mapping[str, str] = field(default_factory=dict)
    renames: Mapping[str, str] = field(default_factory=dict)
    points: tuple[Point, ...] = ()
    silences: tuple[Silence, ...] = ()


@dataclass(frozen=True, slots=True)
class Weighed:
    """What is said inline and what is folded, what is left out and why, and what became of what was said before.

    `raised` was said by people on these lines before: it is named and not repeated. Comments in the code silence what is
    `silenced`, and ask in vain for silence about what is `refused`, which is among the others.
    """

    said: tuple[VerifiedFinding, ...]
    folded: tuple[VerifiedFinding, ...]
    rejected: tuple[Rejected, ...]
    recalled: Recall
    raised: tuple[VerifiedFinding, ...] = ()
    silenced: tuple[Silenced, ...] = ()
    refused: tuple[Silenced, ...] = ()


def weigh(found: Sequence[VerifiedFinding], *, policies: Policies, known: Known, comments: int) -> Weighed:
    """The findings in the order they are said. What people of this repository keep dismissing is folded, never said inline."""
    obeyed = obey(rank.merge(found), policies)
    heard = silence.obeyed(obeyed.kept, known.silences)
    recalled = memory.recall(
        known.said,
        heard.loud,
        code=known.code,
        renames=known.renames,
        silenced=[one.found for one in heard.silenced],
    )
    by_people = tuple(one for one in recalled.new if raised(one, known.points))
    new = [one for one in recalled.new if one not in by_people]
    unwanted = [one for one in new if memory.is_unwanted(one.finding, known.dismissed)]
    wanted = [one for one in new if one not in unwanted]
    ranked, beside = rank.rank(wanted, comments=comments), rank.rank(unwanted, comments=0)
    return Weighed(
        said=ranked.said,
        folded=tuple(sorted((*ranked.folded, *beside.folded, *beside.said), key=rank.order)),
        rejected=(*obeyed.rejected, *ranked.rejected, *beside.rejected),
        recalled=recalled,
        raised=by_people,
        silenced=heard.silenced,
        refused=heard.refused,
    )
