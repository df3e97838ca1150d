"""What makes two findings the same one, and the signed marker by which the bot knows its own reviews."""

from __future__ import annotations

import hashlib
import hmac
import re

from app.core.change import Sha
from app.core.finding import Finding

MARKER = re.compile(r"<!-- principal:review:([0-9a-f]{32}) -->")
FINDING_MARKER = re.compile(r"<!-- principal:finding:([0-9a-f]{16}):([0-9a-f]{32}) -->")
_SPACE = re.compile(r"\s+")
_WORD = re.compile(r"[a-z0-9]+")


def fingerprint(finding: Finding) -> str:
    """A name for the finding that survives moved lines and reformatting: rule or title, path, normalised quote."""
    about = finding.rule or " ".join(sorted(telling_words(finding.title)))
    said = "\0".join((about, finding.path, code_of(finding.quote)))
    return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def code_of(quote: str) -> str:
    """Code without its white space: what stays the same when it is moved or indented anew."""
    return _SPACE.sub("", quote)


def marker(*, key: bytes, repository_id: int, number: int, head: Sha, trigger: str) -> str:
    """The hidden line that says: this review of this head for this reason is mine. Nobody without the key can write it.

    The repository goes in by its id, which a rename does not change.
    """
    said = f"{repository_id}\n{number}\n{head}\n{trigger}".encode()
    return f"<!-- principal:review:{hmac.new(key, said, hashlib.sha256).hexdigest()[:32]} -->"


def finding_marker(name: str, *, key: bytes, repository_id: int, number: int) -> str:
    """The hidden line of an inline comment that says: this comment of mine is about the finding of this fingerprint."""
    return f"<!-- principal:finding:{name}:{_signed(name, key=key, repository_id=repository_id, number=number)} -->"


def summary_marker(*, key: bytes, repository_id: int, number: int) -> str:
    """The hidden line of the one summary comment of a pull request."""
    return f"<!-- principal:summary:{_signed('summary', key=key, repository_id=repository_id, number=number)} -->"


def answer_marker(about: str, *, key: bytes, repository_id: int, number: int) -> str:
    """The hidden line of an answer to a person. `about` is what makes it the same question."""
    return (
        f"<!-- principal:answer:{_signed(f'answer {about}', key=key, repository_id=repository_id, number=number)} -->"
    )


def finding_in(body: str, *, key: bytes, repository_id: int, number: int) -> str | None:
    """The fingerprint of the finding that a comment of ours is about; None when no marker in it is ours."""
    for name, sign in FINDING_MARKER.findall(body):
        if hmac.compare_digest(sign, _signed(name, key=key, repository_id=repository_id, number=number)):
            return str(name)
    return None


def _signed(name: str, *, key: bytes, repository_id: int, number: int) -> str:
    said = f"finding\n{repository_id}\n{number}\n{name}".encode()
    return hmac.new(key, said, hashlib.sha256).hexdigest()[:32]


def carries(body: str, mark: str) -> bool:
    """Whether a review's body carries this very marker."""
    wanted = MARKER.fullmatch(mark)
    found = MARKER.findall(body)
    return wanted is not None and any(hmac.compare_digest(wanted.group(1), one) for one in found)


def nonce(*, key: bytes, base: Sha, head: Sha) -> str:
    """The word that fences untrusted text of this change: the same for the same change, and not to be guessed."""
    return hmac.new(key, f"envelope\n{base}\n{head}".encode(), hashlib.sha256).hexdigest()[:20]


def similar(one: Finding, other: Finding) -> bool:
    """Whether two findings about overlapping lines say the same: the same rule, or most words of the titles shared."""
    if one.rule is not None and one.rule == other.rule:
        return True
    return shared_words(one.title, other.title) >= _SHARED_WORDS


def shared_words(one: str, other: str) -> float:
    """The share of the shorter text's telling words that the other one holds too, from 0 to 1."""
    first, second = telling_words(one), telling_words(other)
    return len(first & second) / min(len(first), len(second)) if first and second else 0.0


_SHARED_WORDS = 0.6


def telling_words(text: str) -> frozenset[str]:
    """The words of a text that say something, in lower case."""
    return frozenset(_WORD.findall(text.lower())) - _EMPTY_WORDS


_EMPTY_WORDS = frozenset(
    [
        "a",
        "an",
        "the",
        "is",
        "are",
        "be",
        "to",
        "of",
        "in",
        "on",
        "for",
        "and",
        "or",
        "not",
        "no",
        "with",
        "without",
        "by",
        "it",
        "its",
        "this",
        "that",
        "as",
        "at",
        "from",
        "can",
        "may",
        "when",
    ]
)
