"""Text in, secrets out: where they stand, what they are, and how sure that is.

Three degrees. PROVEN: the form is one that a provider issues, or a private key. LIKELY: a value with much entropy under a
name that says it is secret. POSSIBLE: good enough to keep it out of a prompt, not good enough to say so to a person.

Every pattern starts at a literal that is looked for first, has bounded repeats, and cannot start inside its own run, so
that hostile text costs time in proportion to its length.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable

from app.core.secret import Secret
from app.core.secret_forms import Certainty
from app.core.secret_keys import KEY_BLOCK, encoded_keys, key_blocks
from app.core.secret_names import in_addresses, named_and_spoken
from app.core.secret_tokens import provider_tokens
from app.core.secret_values import entropy, is_placeholder

LONGEST_LINES = 200
"""A secret of several lines may begin so far before the lines that are shown, or end so far behind them."""
__all__ = ["LONGEST_LINES", "Certainty", "Secret", "entropy", "find", "is_placeholder", "mask", "redact"]


def find(text: str, *, least: Certainty = Certainty.POSSIBLE) -> tuple[Secret, ...]:
    """Every secret in the text that is at least so sure, in order, none inside another; the surer one wins where two overlap."""
    all_found = [
        *key_blocks(text),
        *encoded_keys(text),
        *provider_tokens(text),
        *in_addresses(text),
        *named_and_spoken(text, least=least),
    ]
    found = [secret for secret in all_found if secret.certainty >= least]
    found.sort(key=lambda secret: (-secret.certainty, secret.start, -secret.end))
    kept: list[tuple[int, int, Secret]] = []
    for secret in found:
        place = bisect_left(kept, (secret.start, secret.end))
        before_is_clear = place == 0 or kept[place - 1][1] <= secret.start
        if before_is_clear and (place == len(kept) or secret.end <= kept[place][0]):
            kept.insert(place, (secret.start, secret.end, secret))
    return tuple(secret for _, _, secret in kept)


def mask(text: str, secrets: tuple[Secret, ...]) -> str:
    """The text with each secret's value replaced by stars, lines kept: for showing to a person where it stands."""
    return _replace(text, secrets, lambda secret, value: _stars(value))


def redact(text: str) -> str:
    """The text with each secret replaced by a placeholder that is the same for the same value; lines are kept.

    `<SECRET:GitHub token#1>`; the number counts the different values of this text.
    """
    numbers: dict[str, int] = {}

    def placeholder(secret: Secret, value: str) -> str:
        number = numbers.setdefault(value, len(numbers) + 1)
        return f"<SECRET:{secret.kind}#{number}>" + "\n" * value.count("\n")

    return _replace(text, find(text), placeholder)


def _replace(text: str, secrets: tuple[Secret, ...], shown: Callable[[Secret, str], str]) -> str:
    parts: list[str] = []
    last = 0
    for secret in secrets:
        parts += (text[last : secret.start], shown(secret, text[secret.start : secret.end]))
        last = secret.end
    return "".join((*parts, text[last:]))


def _stars(value: str) -> str:
    """The first line shows its first characters where they are a provider's public prefix; the rest is stars."""
    head, *rest = value.split("\n")
    if head.startswith("-----BEGIN"):
        opening = KEY_BLOCK.match(head)
        shown = opening.group() if opening else ""
        return "\n".join([shown if rest else f"{shown}********", *("********" for _ in rest)])
    shown = head[:4] if len(head) >= 16 else ""
    return "\n".join([f"{shown}********", *("********" for _ in rest)])
