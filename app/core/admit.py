"""Who counts: a pull request and the policy in; reviewed whole, reviewed for its supply chain, or not and why.

A reason names the policy's key, so that whoever wonders about a missing review knows what to change. What a person asks for
is always made.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

from app.core import glob
from app.core.policy import Choice, Policy
from app.core.pull import Pull

LONGEST_TITLE = 500


class Scope(StrEnum):
    """How much of a pull request is reviewed."""

    WHOLE = "whole"
    SUPPLY_CHAIN = "supply chain"


@dataclass(frozen=True, slots=True)
class Skip:
    """The pull request is not reviewed, and why, in words for its check run."""

    reason: str


def admit(pull: Pull, policy: Policy, *, by_hand: bool) -> Scope | Skip:
    """How much of the pull request is reviewed, or why it is not."""
    if by_hand:
        return Scope.WHOLE
    reason = (
        _by_state(pull, policy)
        or _by_word("authors", policy.authors, [pull.author], "author")
        or _by_word("labels", policy.labels, pull.labels, "label")
        or _by_word("titles", policy.titles, [pull.title.text[:LONGEST_TITLE]], "title")
        or _by_branch(pull, policy)
        or _by_size(pull, policy)
    )
    if reason:
        return Skip(reason)
    if not pull.author_is_bot:
        return Scope.WHOLE
    match policy.bots:
        case "full":
            return Scope.WHOLE
        case "supply-chain":
            return Scope.SUPPLY_CHAIN
        case "off":
            return Skip("a bot opened it (`bots: off`)")


def _by_state(pull: Pull, policy: Policy) -> str:
    if not policy.automatic:
        return "reviews are made when somebody asks with `/review` (`automatic: false`)"
    if pull.draft and not policy.drafts:
        return "it is a draft (`drafts: false`)"
    return ""


def _by_word(key: str, choice: Choice, words: list[str] | tuple[str, ...], what: str) -> str:
    met = _met(choice.skip, words)
    if met:
        return f"its {what} matches `{met}` (`{key}.skip`)"
    if choice.only and not _met(choice.only, words):
        return f"no {what} of it matches `{key}.only`"
    return ""


def _met(patterns: tuple[str, ...], words: list[str] | tuple[str, ...]) -> str:
    """The first pattern that one of the words matches; case does not count."""
    lower = [word.casefold() for word in words]
    return next((one for one in patterns if any(fnmatchcase(word, one.casefold()) for word in lower)), "")


def _by_branch(pull: Pull, policy: Policy) -> str:
    if policy.base_branches and not glob.matches_any(pull.base_ref, policy.base_branches):
        return "its base branch is not in `base_branches`"
    return ""


def _by_size(pull: Pull, policy: Policy) -> str:
    lines = pull.additions + pull.deletions
    if policy.max_changed_lines and lines > policy.max_changed_lines:
        return f"it changes {lines:,} lines, more than {policy.max_changed_lines:,} (`max_changed_lines`)"
    return ""
