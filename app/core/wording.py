"""Numbers, lists and amounts, as a sentence says them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from app.core.usage import Usage

Item = TypeVar("Item")
_NUMBERS = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]


def is_or_are(number: int) -> str:
    """The verb for so many."""
    return "is" if number == 1 else "are"


def grouped(items: Iterable[Item], key: Callable[[Item], tuple[str, ...]]) -> list[list[Item]]:
    """The items that share a key, together, in the order in which the keys came."""
    groups: dict[tuple[str, ...], list[Item]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return list(groups.values())


def listed(items: Sequence[str], most: int) -> str:
    """The first of the items between commas, and how many more there are."""
    more = len(items) - most
    return ", ".join(items[:most]) + (f" and {more} more" if more > 0 else "")


def spent(usage: Usage) -> str:
    """What model calls used and cost, as a footer tells it."""
    return f"{_thousands(usage.tokens)} tokens, {_price(usage.cost_usd)}"


def _price(cost_usd: float | None) -> str:
    if cost_usd is None:
        return "price unknown"
    return f"${cost_usd:.2f}" if cost_usd >= 0.01 or not cost_usd else "under $0.01"


def duration(seconds: float) -> str:
    """A time as a footer tells it."""
    if seconds < 1:
        return "under 1 s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def spelled(number: int, noun: str) -> str:
    """How many, in a word up to ten, with their noun: `two findings`."""
    return f"{in_words(number)} {noun}{'s' if number != 1 else ''}"


def counted(number: int, noun: str) -> str:
    """How many, in digits, with their noun: `2 hunks`."""
    return f"{number} {noun}{'s' if number != 1 else ''}"


def in_words(number: int) -> str:
    """A number in a word up to ten, then in digits."""
    return _NUMBERS[number] if number < len(_NUMBERS) else str(number)


def _thousands(number: int) -> str:
    return f"{number / 1000:.1f} k" if number >= 1000 else str(number)


def enumerated(names: Sequence[str]) -> str:
    """Names as a sentence lists them: `a, b and c`."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def capitalised(text: str) -> str:
    """A text that begins a sentence."""
    return f"{text[:1].upper()}{text[1:]}"


def uncapitalised(text: str) -> str:
    """A sentence's words inside another one; an abbreviation or a name in capitals keeps them."""
    first = text.partition(" ")[0]
    return f"{text[:1].lower()}{text[1:]}" if first[1:] == first[1:].lower() else text
