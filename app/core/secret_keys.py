"""Text in, the private keys in it out: in blocks, encoded once more, or as JSON Web Keys."""

from __future__ import annotations

import base64
import re
from bisect import bisect_left
from collections.abc import Iterator

from app.core.secret import Secret
from app.core.secret_forms import Certainty

LONGEST_KEY_BLOCK = 20_000
MOST_KEY_LINES = 200
LEAST_KEY_CHARACTERS = 100
KEY_BLOCK = re.compile(r"-----BEGIN (?:[A-Z0-9]{2,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_NO_KEY = re.compile(
    r"example|placeholder|your|redacted|<[a-z]|x{8}|\*{3}|\.{3}|…|fake|dummy|not[ _-]a[ _-]real", re.IGNORECASE
)
"""Of a key's first characters. A run of `A` says nothing here: every OpenSSH key without a passphrase begins with one."""
_ENCODED_OPENING = base64.b64encode(b"-----BEGIN ").decode()[:14]
_ENCODED_KEY = re.compile(rf"{_ENCODED_OPENING}[A-Za-z0-9+/]{{60,12000}}={{0,2}}")
_WEB_KEY = re.compile(r"\"(?:d|k|p|q|dp|dq|qi)\"\s{0,4}:\s{0,4}\"(?P<value>[A-Za-z0-9_-]{16,1400})\"")
_KEY_LINE = re.compile(r"[\s\d+\-\"'|>]{0,20}[A-Za-z0-9+/=\\]{16,100}[\"',\\n+\s]{0,8}")
_NOT_BASE64 = re.compile(r"[^A-Za-z0-9+/=]")
_KEY_END = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")


def key_blocks(text: str) -> Iterator[Secret]:
    """Private keys that stand in a block of their own, diff marks and quotes around its lines aside."""
    if "PRIVATE KEY" not in text:
        return
    ends = [(found.start(), found.end()) for found in _KEY_END.finditer(text)]
    for begin in KEY_BLOCK.finditer(text):
        following = bisect_left(ends, (begin.end(), 0))
        closed = following < len(ends) and ends[following][0] - begin.end() <= LONGEST_KEY_BLOCK
        stop = ends[following][1] if closed else _body_end(text, begin.end())
        body = text[begin.end() : min(stop, begin.end() + 4 * LEAST_KEY_CHARACTERS)]
        if len(_NOT_BASE64.sub("", body)) >= LEAST_KEY_CHARACTERS and not _NO_KEY.search(body[:60]):
            yield Secret("private key", begin.start(), stop, Certainty.PROVEN)


def _body_end(text: str, start: int) -> int:
    """Where a key without its last line stops: at the first line that is not base64, diff marks and quotes aside."""
    end = start
    for _ in range(MOST_KEY_LINES):
        line_end = text.find("\n", end)
        if line_end < 0:
            return len(text) if _KEY_LINE.fullmatch(text, end) else end
        if end != start and not _KEY_LINE.fullmatch(text, end, line_end):
            return max(start, end - 1)
        end = line_end + 1
    return end - 1


def encoded_keys(text: str) -> Iterator[Secret]:
    """Private keys that were encoded once more, as configuration that allows no line breaks holds them; and JSON Web Keys."""
    if _ENCODED_OPENING in text:
        for match in _ENCODED_KEY.finditer(text):
            opening = base64.b64decode(match.group()[: 4 * (min(len(match.group()), 80) // 4)])
            if b"PRIVATE KEY" in opening:
                yield Secret("private key", match.start(), match.end(), Certainty.LIKELY)
    if '"kty"' in text:
        for match in _WEB_KEY.finditer(text):
            yield Secret("private JSON Web Key", match.start("value"), match.end("value"), Certainty.LIKELY)
