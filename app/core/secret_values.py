"""A value in, what can be said of it out: whether it is a stand-in, plain words, a password, random, or jumbled."""

from __future__ import annotations

import math
import re
from collections import Counter
from itertools import pairwise

LEAST_JUMBLED = 6
_SIGN = re.compile(r"[!@#$%^*~]")
_PLACEHOLDER = re.compile(
    r"example|sample|dummy|fake|placeholder|change[_-]?me|change[_-]?this|replace|your[_-]|[_-]your|<[^>]*>|x{4,}|\*{3,}|\.{3}|…|"
    r"redacted|todo|insert|foobar|lorem|secret[_-]?here|key[_-]?here|token[_-]?here|not[_-]?a[_-]?real|invalid|"
    r"(?<![a-z])(?:test|mock|stub|none|null|undefined|default|demo|local|dev|some|my)(?![a-z])|"
    r"0123456789|1234567|abcdef(?:gh|12)|deadbeef|qwerty|asdf|AAAAAAAA|00000000",
    re.IGNORECASE,
)
REFERENCE = re.compile(
    r"\$\{|\$\(|\{\{|%\(|%[sd]|^\$|^env[.:(]|process\.env|os\.environ|getenv|secretKeyRef|^arn:|^vault:|^op://|^ssm:|^projects/|\{\w*\}|<%|^@"
)
_WORDS_ONLY = re.compile(r"^[A-Za-z]+(?:[ ._:/-][A-Za-z]+)*$")
_DATE_OR_NUMBER = re.compile(r"^[\d.,:/+TZ -]+$")
KNOWN_PASSWORDS = frozenset((
    "password", "pass", "passwd", "postgres", "root", "admin", "secret", "user", "guest", "mysql", "redis", "mongo",
    "test", "pwd", "changeme",
))  # fmt: skip


def entropy(value: str) -> float:
    """Bits per character of the value's own distribution; 0 for an empty one."""
    size = len(value)
    return -sum(count / size * math.log2(count / size) for count in Counter(value).values()) if size else 0.0


def is_placeholder(value: str) -> bool:
    """Whether the value is a stand-in that a person wrote (`your-key-here`, `xxxx`, `AKIA…EXAMPLE`)."""
    return _PLACEHOLDER.search(value) is not None or REFERENCE.search(value) is not None or len(set(value)) < 5


def is_jumbled(value: str) -> bool:
    """Whether nobody would name anything so: kinds of characters change often, or signs stand among letters and digits."""
    if len(value) < LEAST_JUMBLED or not has_digit(value) or not _has_letter(value):
        return False
    if is_placeholder(value) or is_plain(value):
        return False
    bare = [character for character in value if character.isalnum()]
    changes = sum(1 for left, right in pairwise(bare) if _sort(left) != _sort(right))
    often = len(bare) >= LEAST_JUMBLED and changes >= len(bare) * 0.4
    if value.replace("_", "").isalnum():
        return often and len(value) >= 8
    return entropy(value) >= 2.5 and (often or _SIGN.search(value) is not None)


def _sort(character: str) -> int:
    return 0 if character.isdigit() else 1 if character.isupper() else 2


def _has_letter(value: str) -> bool:
    return any(character.isalpha() for character in value)


def is_plain(value: str) -> bool:
    """Words, paths, addresses, dates and dotted names are no secrets, whatever they are assigned to."""
    if _WORDS_ONLY.match(value):
        # A run of letters without a separator may still be random; words are not.
        return not (len(value) >= 20 and value.isalpha() and entropy(value) >= 4.0 and _mixes_case(value))
    if _DATE_OR_NUMBER.match(value) or "://" in value or value.startswith(("/", "./", "../", "#", "~/", "@", "--")):
        return True
    return re.fullmatch(r"[A-Za-z_$][\w$]*(?:(?:\.|\?\.|::|->)[A-Za-z_$][\w$]*)+(?:\(.*)?", value) is not None


def _mixes_case(value: str) -> bool:
    """Whether case changes as often as in random text, not as in camelCase."""
    changes = sum(1 for left, right in pairwise(value) if left.islower() != right.islower())
    return changes >= len(value) * 0.35


def has_digit(value: str) -> bool:
    """Whether a digit stands in the value."""
    return any(character.isdigit() for character in value)


def is_password(value: str) -> bool:
    """Whether the value looks as people or generators make passwords."""
    if (
        len(value) < 8
        or value.lower() in KNOWN_PASSWORDS
        or re.fullmatch(r"[a-z_]+(?:[.-][a-z_]+)*", value, re.IGNORECASE)
    ):
        return False
    classes = sum(
        (
            any(character.islower() for character in value),
            any(character.isupper() for character in value),
            has_digit(value),
            any(not character.isalnum() for character in value),
        )
    )
    return (classes >= 3 and has_digit(value) and entropy(value) >= 2.75) or (
        classes >= 2 and entropy(value) >= 3.3 and has_digit(value)
    )


def is_random(value: str) -> bool:
    """Whether the value looks drawn at random: a key, a token."""
    if len(value) < 16 or not re.fullmatch(r"[\w+/=.~!@#$%^&*:-]+", value):
        return False
    letters = any(character.isalpha() for character in value)
    if re.fullmatch(r"[0-9a-fA-F-]+", value):
        return letters and has_digit(value) and len(value) >= 24 and entropy(value) >= 2.9
    if not (letters and sum(character.isdigit() for character in value) >= 2):
        return value.isalpha() and _mixes_case(value) and entropy(value) >= 4.0
    longest_word = max((len(run) for run in re.findall(r"[a-z]+", value)), default=0)
    return entropy(value) >= 3.5 and longest_word < 9
